// Predictions and the frames they belong to.

import assert from "node:assert/strict";
import { test } from "node:test";

import { pageModule, randomNumbers } from "./modules.mjs";

const { InStep, ahead } = await pageModule("instep.js");
const FRAME_TICKS = 3000; // 30 frames a second

const prediction = (rtp_timestamp, capture_to_result = 60) => ({ rtp_timestamp, timing_ms: { capture_to_result } });

test("a prediction is drawn on its own frame", () => {
    const steps = new InStep();
    steps.arrive(prediction(3000), 10);
    steps.arrive(prediction(6000), 20);
    assert.equal(steps.show(3000, 30).prediction.rtp_timestamp, 3000);
    assert.equal(steps.show(3000, 30).age_ms, 0);
    assert.deepEqual(steps.counts, { hits: 1, misses: 0 });
});

test("a frame without a prediction shows the last one with its age", () => {
    const steps = new InStep();
    steps.arrive(prediction(3000), 10);
    const { prediction: drawn, age_ms } = steps.show(6000, 50);
    assert.equal(drawn.rtp_timestamp, 3000);
    assert.equal(Math.round(age_ms), 33);
});

test("a prediction of a later frame is not drawn before its time", () => {
    const steps = new InStep();
    steps.arrive(prediction(9000), 10);
    assert.equal(steps.show(3000, 20), undefined);
});

test("an old prediction is not drawn for ever", () => {
    const steps = new InStep();
    steps.arrive(prediction(3000), 10);
    assert.equal(steps.show(3000 + 90 * 251, 300), undefined);
    assert.equal(steps.newest(261), undefined);
});

test("a prediction after its frame is counted as a miss", () => {
    const steps = new InStep();
    steps.show(3000, 10);
    steps.show(6000, 43);
    steps.arrive(prediction(3000), 60);
    assert.deepEqual(steps.counts, { hits: 0, misses: 1 });
});

test("RTP time wraps and a tick of rounding is the same frame", () => {
    assert.equal(ahead(5, 0xffffffff), 6);
    assert.equal(ahead(0xffffffff, 5), -6);
    const steps = new InStep();
    steps.arrive(prediction(0xffffffff), 10);
    assert.equal(steps.show(0, 20).age_ms, 0);
    assert.equal(Math.round(steps.show(2999, 50).age_ms), 33);
});

test("without holding there is no delay and the newest prediction has an age", () => {
    const steps = new InStep();
    steps.holding = false;
    steps.arrive(prediction(3000), 10);
    steps.show(9000, 20);
    assert.equal(steps.delay_ms, 0);
    assert.equal(Math.round(steps.newest(20).age_ms), 67);
});

test("a floor holds the picture longer, and goes again", () => {
    const steps = new InStep();
    steps.arrive(prediction(3000, 20), 10);
    assert.equal(steps.delay_ms, 20);
    steps.holdAtLeast(140, 20);
    assert.equal(steps.delay_ms, 140);
    steps.holding = false;
    assert.equal(steps.delay_ms, 0, "lowest latency knows no floor");
    steps.holding = true;
    steps.holdAtLeast(0, 30);
    assert.equal(steps.delay_ms, 20);
});

/** Plays a stream in which the picture is held as asked, from 1.5 s after asking. */
function play({ frames, resultTime, pathTime, random }) {
    const steps = new InStep();
    const rtp0 = Math.floor(random() * 2 ** 32);
    const results = [];
    let held = 0;
    const changes = [];
    for (let i = 0; i < frames; i += 1) {
        const captured = i * (1000 / 30);
        const rtp = (rtp0 + i * FRAME_TICKS) >>> 0;
        if (i % 2 === 0) results.push({ at: captured + resultTime(), rtp });
        const shownAt = captured + pathTime + held;
        results.sort((a, b) => a.at - b.at);
        while (results[0]?.at <= shownAt) {
            const { at, rtp: own } = results.shift();
            steps.arrive(prediction(own, 60), at);
        }
        steps.show(rtp, shownAt);
        if (changes.at(-1)?.delay !== steps.delay_ms) changes.push({ at: shownAt, delay: steps.delay_ms });
        held = changes.findLast((change) => shownAt - change.at >= 1400)?.delay ?? held;
    }
    return steps;
}

test("the picture is held until nearly every prediction is in time, and no longer", () => {
    for (let seed = 1; seed <= 40; seed += 1) {
        const random = randomNumbers(seed);
        const usual = 20 + random() * 80;
        const pathTime = 10 + random() * 20;
        const resultTime = () => usual * (0.8 + 0.4 * random());
        const steps = play({ frames: 1800, resultTime, pathTime, random });
        const { hits, misses } = steps.counts;
        assert.ok(hits / (hits + misses) > 0.85, `seed ${seed}: ${hits} in time, ${misses} late`);
        const enough = Math.max(0, 1.2 * usual - pathTime) + 12;
        assert.ok(steps.delay_ms <= enough, `seed ${seed}: held ${steps.delay_ms} ms, ${enough} were enough`);
    }
});

test("the delay stays within 0 and 150 ms whatever comes", () => {
    for (let seed = 1; seed <= 40; seed += 1) {
        const random = randomNumbers(seed);
        const steps = new InStep();
        let now = 0;
        for (let i = 0; i < 500; i += 1) {
            now += random() * 3000;
            const rtp = Math.floor(random() * 2 ** 32);
            if (random() < 0.5) steps.arrive(prediction(rtp, (random() - 0.2) * 10000), now);
            else steps.show(rtp, now);
            assert.ok(steps.delay_ms >= 0 && steps.delay_ms <= 150, `seed ${seed}: ${steps.delay_ms}`);
        }
    }
});
