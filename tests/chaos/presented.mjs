// Pictures that a browser presents, and when.

/**
 * Runs in the page before its own scripts: keeps when each picture was presented, in ms
 * since 1970, and the transcript of the device's newest prediction.
 */
function keep() {
    window.presented = [];
    window.peers = [];
    const Peer = window.RTCPeerConnection;
    window.RTCPeerConnection = class extends Peer {
        constructor(...words) {
            super(...words);
            window.peers.push(this);
        }
        createDataChannel(label, ...words) {
            const channel = super.createDataChannel(label, ...words);
            if (label === "predictions") {
                let newest = -1;
                channel.addEventListener("message", ({ data }) => {
                    const { seq, transcript } = JSON.parse(data);
                    // They are unordered.
                    if (seq > newest) [newest, window.told] = [seq, transcript];
                });
            }
            return channel;
        }
    };
    // The page asks for every frame of each of its videos; one that is not in the
    // document yet is not seen by anybody.
    const request = HTMLVideoElement.prototype.requestVideoFrameCallback;
    HTMLVideoElement.prototype.requestVideoFrameCallback = function (callback) {
        return request.call(this, (now, frame) => {
            if (this.isConnected) window.presented.push(performance.timeOrigin + now);
            callback(now, frame);
        });
    };
}

export const watchPresented = (page) => page.addInitScript(keep);

/** Pictures of the seconds between two moments (ms since 1970). */
export async function presented(page, from, to) {
    const all = await page.evaluate(() => window.presented);
    return judge(all, from, to);
}

/** Longer than any two pictures of a smooth 30 a second are apart; the rest of a gap is not subtracted. */
const FREEZE_MS = 150;

/** Gaps at both ends count: a picture that never came again is one long freeze. */
export function judge(all, from, to) {
    const times = all.filter((time) => time >= from && time <= to);
    const edges = [from, ...times, to];
    const gaps = edges.slice(1).map((time, i) => time - edges[i]);
    const seconds = new Map();
    for (let second = 0; second < Math.floor((to - from) / 1000); second += 1) seconds.set(second, 0);
    for (const time of times) {
        const second = Math.floor((time - from) / 1000);
        if (seconds.has(second)) seconds.set(second, seconds.get(second) + 1);
    }
    const sorted = [...seconds.values()].sort((a, b) => a - b);
    return {
        fps: sorted[Math.floor(sorted.length / 2)] ?? 0,
        longest_ms: Math.max(...gaps),
        frozen_ms: gaps.filter((gap) => gap > FREEZE_MS).reduce((sum, gap) => sum + gap, 0),
        count: times.length,
    };
}

/**
 * When the first picture after a moment came that `more` others followed within a second,
 * in ms since 1970; Infinity if none yet.
 */
export async function firstAfter(page, moment, more) {
    const find = ([after, count]) => window.presented.find((time, i, all) => time > after && all[i + count] <= time + 1000);
    return (await page.evaluate(find, [moment, more])) ?? Number.POSITIVE_INFINITY;
}

/** Of the newest connection: height and frames decoded, and how many connections the page has made. */
export function received(page) {
    return page.evaluate(async () => {
        const report = await window.peers.at(-1).getStats();
        const video = [...report.values()].find(({ type, kind }) => type === "inbound-rtp" && kind === "video") ?? {};
        return { height: video.frameHeight, decoded: video.framesDecoded, connections: window.peers.length };
    });
}
