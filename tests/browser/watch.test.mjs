// Whether a connection is alive, and what of its figures is worth a word.

import assert from "node:assert/strict";
import { test } from "node:test";

import { pageModule, randomNumbers } from "./modules.mjs";

const { DEAF_LIMIT_MS, Pulse, SILENCE_LIMIT_MS } = await pageModule("pulse.js");
const { Trouble } = await pageModule("trouble.js");
const { between, figures } = await pageModule("link.js");

const SEEN = { hidden: false, away: false };
const HIDDEN = { hidden: true, away: false };

/** Looks every 250 ms from `from` to `to`; returns the first fault and its time. */
function watch(pulse, from, to, seen = SEEN, each = () => {}) {
    for (let now = from; now <= to; now += 250) {
        each(now);
        pulse.look(now, seen);
        const fault = pulse.fault(now);
        if (fault) return { fault, now };
    }
    return undefined;
}

test("3 s without a packet are a fault, and 2 s are not", () => {
    assert.equal(watch(new Pulse(0), 0, 2000), undefined);
    assert.deepEqual(watch(new Pulse(0), 0, 5000), { fault: "silent", now: SILENCE_LIMIT_MS + 250 });
});

test("packets keep a connection alive though no frame is shown", () => {
    const pulse = new Pulse(0);
    assert.equal(watch(pulse, 0, 10_000, SEEN, (now) => pulse.packets(now, now)), undefined);
});

test("the packets of before a silence are not taken for new ones", () => {
    const pulse = new Pulse(0);
    pulse.packets(100, 0);
    pulse.frame(1000);
    pulse.packets(900, 2000);
    pulse.packets(900, 2500);
    assert.equal(watch(pulse, 1000, 6000).now, 1000 + SILENCE_LIMIT_MS + 250);
});

test("a connection that packets reach again has no fault any more", () => {
    const pulse = new Pulse(0);
    pulse.packets(100, 0);
    assert.equal(watch(pulse, 0, 5000).fault, "silent");
    pulse.packets(101, 5100);
    pulse.look(5250, SEEN);
    assert.equal(pulse.fault(5250), undefined);
});

test("a channel without keepalives is a fault though the picture runs", () => {
    const pulse = new Pulse(0);
    const { fault, now } = watch(pulse, 0, 20_000, SEEN, (now) => pulse.frame(now));
    assert.deepEqual([fault, now], ["deaf", DEAF_LIMIT_MS + 250]);
    pulse.heard(now);
    assert.equal(pulse.fault(now), undefined);
});

test("keepalives that come seldom are waited for, three of them", () => {
    for (const [keepalive_s, limit_ms] of [[1, DEAF_LIMIT_MS], [20, 60_000], [60, 180_000], [undefined, DEAF_LIMIT_MS], ["x", DEAF_LIMIT_MS]]) {
        const pulse = new Pulse(0);
        pulse.keepalive_s = keepalive_s;
        const { fault, now } = watch(pulse, 0, 200_000, SEEN, (now) => pulse.frame(now));
        assert.deepEqual([fault, now], ["deaf", limit_ms + 250], `every ${keepalive_s} s`);
    }
});

test("who looks again waits for one keepalive, however seldom they come", () => {
    const pulse = new Pulse(0);
    pulse.keepalive_s = 60;
    assert.equal(watch(pulse, 0, 300_000, HIDDEN), undefined);
    const { fault, now } = watch(pulse, 300_250, 500_000, SEEN, (now) => pulse.frame(now));
    assert.equal(fault, "deaf");
    assert.ok(now > 361_000 && now <= 362_000, `seen at ${now}`);
});

test("a pulse that begins anew keeps what the device said of its keepalives", () => {
    const pulse = new Pulse(0);
    pulse.keepalive_s = 20;
    pulse.begin(10_000);
    assert.equal(watch(pulse, 10_000, 100_000, SEEN, (now) => pulse.frame(now)).now, 70_250);
});

test("silence does not count in a hidden tab, and after it a second is enough", () => {
    const pulse = new Pulse(0);
    assert.equal(watch(pulse, 0, 60_000, HIDDEN), undefined);
    const { fault, now } = watch(pulse, 60_250, 70_000);
    assert.equal(fault, "silent");
    assert.ok(now > 61_000 && now <= 62_000, `seen at ${now}`);
});

test("a fault stays while the tab is hidden and after it, until packets come", () => {
    const pulse = new Pulse(0);
    pulse.packets(100, 0);
    assert.equal(watch(pulse, 0, 5000).fault, "silent");
    for (let now = 5250; now <= 20_000; now += 1000) {
        pulse.look(now, HIDDEN);
        assert.equal(pulse.fault(now), "silent", `hidden at ${now}`);
    }
    pulse.look(20_250, SEEN);
    assert.equal(pulse.fault(20_250), "silent");
    pulse.packets(101, 20_500);
    pulse.look(20_500, SEEN);
    assert.equal(pulse.fault(20_500), undefined);
});

test("a channel that was deaf before the tab was hidden stays so", () => {
    const pulse = new Pulse(0);
    const each = (now) => pulse.frame(now);
    const { now } = watch(pulse, 0, 20_000, SEEN, each);
    pulse.look(now + 250, HIDDEN);
    assert.equal(pulse.fault(now + 250), "deaf");
    pulse.heard(now + 300);
    pulse.look(now + 500, HIDDEN);
    assert.equal(pulse.fault(now + 500), undefined);
});

test("time that a sleeping computer did not look away from counts no more than a hidden tab's", () => {
    const pulse = new Pulse(0);
    pulse.look(250, SEEN);
    pulse.look(3_600_000, SEEN);
    assert.equal(pulse.fault(3_600_000), undefined);
    assert.equal(watch(pulse, 3_600_250, 3_610_000).fault, "silent");
});

test("a camera that is away is no silence of the network", () => {
    const pulse = new Pulse(0);
    const each = (now) => pulse.heard(now);
    assert.equal(watch(pulse, 0, 30_000, { hidden: false, away: true }, each), undefined);
    assert.equal(watch(pulse, 30_250, 40_000, SEEN, each).now, 30_000 + SILENCE_LIMIT_MS + 250);
});

test("a device that comes back with its camera still starting revives no connection", () => {
    const pulse = new Pulse(0);
    pulse.packets(100, 0);
    const { now } = watch(pulse, 0, 5000);
    for (let later = now + 250; later <= now + 5000; later += 250) {
        pulse.look(later, { hidden: false, away: true });
        assert.equal(pulse.fault(later), "silent", `at ${later}`);
    }
    pulse.packets(101, now + 5250);
    pulse.look(now + 5250, { hidden: false, away: true });
    assert.equal(pulse.fault(now + 5250), undefined);
});

const QUIET = { packets: 500, received: 150, decoded: 150, dropped: 0, loss: 0, roundTrip_ms: 5, buffered_bytes: 0 };
const kinds = (looks) => {
    const trouble = new Trouble();
    return looks.map((look) => trouble.observe({ ...QUIET, ...look })?.kind);
};

test("a trouble is told when it lasts, and gone when it stays away", () => {
    const none = undefined;
    assert.deepEqual(kinds([{ loss: 0.4 }, {}, {}]), [none, none, none]);
    assert.deepEqual(kinds([{ loss: 0.08 }, { loss: 0.08 }, {}, {}]), [none, "loss", "loss", none]);
    // Between the two limits it stays as it is: present, and not present.
    assert.deepEqual(kinds([{ loss: 0.08 }, { loss: 0.08 }, { loss: 0.03 }, { loss: 0.03 }]), [none, "loss", "loss", "loss"]);
    assert.deepEqual(kinds([{ loss: 0.03 }, { loss: 0.03 }, { loss: 0.03 }]), [none, none, none]);
});

test("the worst trouble is told first", () => {
    const bad = { decoded: 0, loss: 0.3, roundTrip_ms: 900 };
    assert.equal(kinds([bad, bad]).at(-1), "undecoded");
    assert.equal(kinds([{ roundTrip_ms: 900 }, { roundTrip_ms: 900, loss: 0.3 }, { loss: 0.3, roundTrip_ms: 900 }]).at(-1), "loss");
});

test("a figure that is told does not change with every look", () => {
    const trouble = new Trouble();
    const told = [0.08, 0.08, 0.09, 0.07, 0.1, 0.2].map((loss) => trouble.observe({ ...QUIET, loss })?.value);
    assert.deepEqual(told, [undefined, 0.08, 0.08, 0.08, 0.08, 0.2]);
});

test("words about a link at the edge do not flap", () => {
    for (let seed = 1; seed <= 50; seed += 1) {
        const random = randomNumbers(seed);
        const trouble = new Trouble();
        let [changes, before] = [0, undefined];
        for (let look = 0; look < 200; look += 1) {
            const kind = trouble.observe({ ...QUIET, loss: 0.025 + 0.03 * random() })?.kind;
            if (kind !== before) changes += 1;
            before = kind;
        }
        assert.ok(changes <= 1, `seed ${seed}: ${changes} changes`);
    }
});

const REPORT = [
    ["T", { type: "transport", selectedCandidatePairId: "P" }],
    ["O", { type: "candidate-pair", localCandidateId: "L", remoteCandidateId: "R", currentRoundTripTime: 9 }],
    ["P", { type: "candidate-pair", localCandidateId: "L", remoteCandidateId: "R", currentRoundTripTime: 0.02 }],
    ["L", { type: "local-candidate", candidateType: "relay", protocol: "udp", relayProtocol: "tcp" }],
    ["R", { type: "remote-candidate", candidateType: "host", protocol: "udp" }],
    ["A", { type: "inbound-rtp", kind: "audio", packetsReceived: 7 }],
    ["V", { type: "inbound-rtp", kind: "video", packetsReceived: 900, packetsLost: 100, bytesReceived: 1e6,
        framesReceived: 300, framesDecoded: 290, framesDropped: 10 }],
];

test("the browser's report is read for video and the pair in use", () => {
    const now = figures(REPORT);
    assert.deepEqual(now.pair, { local: "relay", remote: "host", protocol: "tcp" });
    assert.equal(now.roundTrip_ms, 20);
    const link = between({ ...now, packets: 0, lost: 0, bytes: 0, received: 0, decoded: 0, dropped: 0 }, now, 4000);
    assert.equal(link.loss, 0.1);
    assert.equal(link.bitrate_kbps, 2000);
    assert.deepEqual([link.received, link.decoded, link.dropped], [300, 290, 10]);
});

test("a report with nothing in it says nothing and breaks nothing", () => {
    const empty = figures([]);
    assert.deepEqual([empty.packets, empty.pair, empty.roundTrip_ms], [undefined, undefined, undefined]);
    assert.equal(between(empty, empty, 5000).loss, 0);
});
