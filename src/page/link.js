// What the browser's statistics say of the network. Pure: the report comes from outside.

/**
 * The figures of an RTCStatsReport that we need. Counters are since the start of the
 * connection; what a browser does not tell is undefined. `pair`: `{ local, remote,
 * protocol }`, the types of the two addresses in use and udp or tcp.
 */
export function figures(report) {
    const stats = new Map(report);
    const all = [...stats.values()];
    const video = all.find((stat) => stat.type === "inbound-rtp" && (stat.kind ?? stat.mediaType) === "video");
    const pair = selectedPair(stats, all);
    return {
        packets: video?.packetsReceived ?? video?.framesReceived,
        lost: video?.packetsLost,
        asked: video?.nackCount,
        bytes: video?.bytesReceived,
        received: video?.framesReceived,
        decoded: video?.framesDecoded,
        dropped: video?.framesDropped,
        decode_s: video?.totalDecodeTime,
        held_s: video?.jitterBufferDelay,
        emitted: video?.jitterBufferEmittedCount,
        roundTrip_ms: pair?.currentRoundTripTime === undefined ? undefined : pair.currentRoundTripTime * 1000,
        pair: pair && described(stats.get(pair.localCandidateId), stats.get(pair.remoteCandidateId)),
    };
}

/** Every pair of addresses that was tried: `{ local, remote, protocol, state, used, roundTrip_ms, bytes }`. */
export function pairs(report) {
    const stats = new Map(report);
    const all = [...stats.values()];
    const used = selectedPair(stats, all);
    return all.filter(({ type }) => type === "candidate-pair").map((pair) => {
        const [local, remote] = [stats.get(pair.localCandidateId), stats.get(pair.remoteCandidateId)];
        const bytes = (pair.bytesReceived ?? 0) + (pair.bytesSent ?? 0);
        const { protocol } = described(local, remote);
        return { local, remote, protocol, state: pair.state, used: pair === used, bytes, roundTrip_ms: pair.currentRoundTripTime === undefined ? undefined : pair.currentRoundTripTime * 1000 };
    }).sort((a, b) => Number(b.used) - Number(a.used) || b.bytes - a.bytes);
}

function selectedPair(stats, all) {
    const transport = all.find((stat) => stat.type === "transport");
    const named = stats.get(transport?.selectedCandidatePairId);
    // Firefox has no transport in its report and marks the pair itself.
    return named ?? all.find((stat) => stat.type === "candidate-pair" && stat.selected);
}

function described(local, remote) {
    return { local: local?.candidateType, remote: remote?.candidateType, protocol: local?.relayProtocol ?? local?.protocol };
}

/** What happened between two looks `elapsed_ms` apart: `loss` is a share, rates are a second's. */
export function between(before, after, elapsed_ms) {
    const more = (key) => Math.max(0, (after[key] ?? 0) - (before[key] ?? 0));
    const [packets, lost] = [more("packets"), more("lost")];
    const [received, decoded, dropped] = [more("received"), more("decoded"), more("dropped")];
    return {
        loss: packets + lost > 0 ? lost / (packets + lost) : 0,
        bitrate_kbps: (more("bytes") * 8) / elapsed_ms,
        packets,
        received,
        decoded,
        dropped,
        roundTrip_ms: after.roundTrip_ms,
    };
}
