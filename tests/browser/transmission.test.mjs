// Between WebRTC and single pictures: when it changes, and that it does not flap.

import assert from "node:assert/strict";
import { test } from "node:test";

import { pageModule, randomNumbers } from "./modules.mjs";

const { begin, CALM_MS, change, LONGEST_CALM_MS, SOUND_MS, TRIAL_LIMIT_MS } = await pageModule("transmission.js");
const { words } = await pageModule("words.js");

/** The state after these events, each `[event, now]`, and all that was to be done. */
function after(choice, ...events) {
    let state = begin(choice);
    const done = [];
    for (const [event, now] of events) {
        const next = change(state, event, now);
        state = next.state;
        if (next.todo) done.push(next.todo);
    }
    return { state, done };
}

const over = (kind = "checking") => ({ type: "over", kind });
const TICK = { type: "tick" };
const tried = (good) => ({ type: "tried", good });

test("it begins as it was chosen", () => {
    assert.equal(begin("auto").name, "webrtc");
    assert.equal(begin("webrtc").name, "webrtc");
    assert.equal(begin("mjpeg").name, "mjpeg");
});

test("automatic takes single pictures when no attempt is left and the path is why", () => {
    for (const kind of ["noCodec", "noWebRtc", "checking", "securing", "noPicture", "failed", "unfit"]) {
        assert.ok(words.problems[kind], kind);
        assert.deepEqual(after("auto", [over(kind), 0]).done, ["mjpeg"], kind);
    }
});

test("a device that is away, full or stopped would send no single pictures either", () => {
    for (const kind of ["unreachable", "capacity", "refused", "lost", "ended", "cameraStopped"]) {
        assert.ok(words.problems[kind], kind);
        assert.deepEqual(after("auto", [over(kind), 0]).done, [], kind);
    }
});

test("who has chosen WebRTC keeps it, and who has chosen single pictures keeps these", () => {
    assert.deepEqual(after("webrtc", [over(), 0]).done, []);
    assert.deepEqual(after("mjpeg", [TICK, LONGEST_CALM_MS * 10]).done, []);
});

test("after a long calm a connection in the background decides", () => {
    const fallen = [over(), 0];
    assert.deepEqual(after("auto", fallen, [TICK, CALM_MS - 1]).done, ["mjpeg"]);
    assert.deepEqual(after("auto", fallen, [TICK, CALM_MS]).done, ["mjpeg", "try"]);
    assert.deepEqual(after("auto", fallen, [TICK, CALM_MS], [tried(true), CALM_MS + 1]).done, ["mjpeg", "try", "webrtc"]);
    const failed = after("auto", fallen, [TICK, CALM_MS], [tried(false), CALM_MS]);
    assert.deepEqual([failed.done, failed.state.name], [["mjpeg", "try", "drop"], "mjpeg"]);
    assert.equal(failed.state.until, 3 * CALM_MS, "twice as long as before");
});

test("a trial that says nothing is dropped", () => {
    const { done } = after("auto", [over(), 0], [TICK, CALM_MS], [TICK, CALM_MS + TRIAL_LIMIT_MS]);
    assert.deepEqual(done, ["mjpeg", "try", "drop"]);
});

test("a stream that breaks is not calm", () => {
    const { state } = after("auto", [over(), 0], [{ type: "broken" }, CALM_MS - 1]);
    assert.equal(state.until, 2 * CALM_MS - 1);
});

test("a browser without WebRTC is not asked for it again", () => {
    assert.deepEqual(after("auto", [over("noWebRtc"), 0], [TICK, LONGEST_CALM_MS * 100]).done, ["mjpeg"]);
});

test("a person's choice counts at once, also while a connection is tried", () => {
    const chosen = (choice) => ({ type: "chosen", choice });
    assert.deepEqual(after("auto", [chosen("mjpeg"), 0]).done, ["mjpeg"]);
    assert.deepEqual(after("mjpeg", [chosen("auto"), 0]).done, ["webrtc"]);
    assert.deepEqual(after("auto", [chosen("webrtc"), 0]).done, []);
    const trial = [[over(), 0], [TICK, CALM_MS]];
    assert.deepEqual(after("auto", ...trial, [chosen("mjpeg"), CALM_MS]).done, ["mjpeg", "try", "drop"]);
    assert.deepEqual(after("auto", ...trial, [chosen("webrtc"), CALM_MS]).done, ["mjpeg", "try", "webrtc"]);
});

test("a WebRTC picture that stays makes up for the falls before it", () => {
    const back = [[over(), 0], [TICK, CALM_MS], [tried(true), CALM_MS]];
    const steady = (now) => [{ type: "steady" }, now];
    const short = after("auto", ...back, steady(CALM_MS), steady(CALM_MS + SOUND_MS - 1), [over(), 0]);
    assert.equal(short.state.falls, 2);
    const long = after("auto", ...back, steady(CALM_MS), steady(CALM_MS + SOUND_MS), [over(), 0]);
    assert.equal(long.state.falls, 1);
});

test("whatever happens, automatic comes back only after a calm that is long", () => {
    for (let seed = 1; seed <= 200; seed += 1) {
        const random = randomNumbers(seed);
        let [state, now, fellAt] = [begin("auto"), 0, undefined];
        for (let step = 0; step < 400; step += 1) {
            now += random() * 60_000;
            const events = [over(), TICK, { type: "steady" }, { type: "broken" }, tried(random() < 0.5)];
            const { state: next, todo } = change(state, events[Math.floor(random() * events.length)], now);
            if (todo === "mjpeg") fellAt = now;
            if (todo === "webrtc") {
                assert.ok(now - fellAt >= CALM_MS, `seed ${seed}: back after ${now - fellAt} ms`);
                assert.equal(state.name, "trial", `seed ${seed}: without a trial`);
            }
            state = next;
        }
    }
});
