// Single pictures out of a stream, and how many of them a second there are.

import assert from "node:assert/strict";
import { test } from "node:test";

import { pageModule, randomNumbers } from "./modules.mjs";

const { Parts } = await pageModule("parts.js");
const { Rate, WINDOW_MS } = await pageModule("rate.js");

const bytes = (text) => new TextEncoder().encode(text);

/** As src/http/stills.rs writes it. */
function part(picture) {
    const head = `--signpost-next-picture\r\nContent-Type: image/jpeg\r\nContent-Length: ${picture.length}\r\n\r\n`;
    return new Uint8Array([...bytes(head), ...picture, ...bytes("\r\n")]);
}

test("pictures come out whole, wherever the stream is cut", () => {
    for (let seed = 1; seed <= 100; seed += 1) {
        const random = randomNumbers(seed);
        const picture = () => Uint8Array.from({ length: Math.floor(random() * 300) }, () => Math.floor(random() * 256));
        const sent = Array.from({ length: 8 }, picture);
        const stream = new Uint8Array(sent.flatMap((each) => [...part(each)]));
        const parts = new Parts();
        const came = [];
        for (let from = 0; from < stream.length; ) {
            const to = from + 1 + Math.floor(random() * 200);
            came.push(...parts.feed(stream.slice(from, to)));
            from = to;
        }
        assert.deepEqual(came, sent, `seed ${seed}`);
    }
});

test("what is no stream of pictures is not gathered for ever", () => {
    assert.throws(() => new Parts().feed(new Uint8Array(5000)), /without an end/);
    assert.throws(() => new Parts().feed(bytes("--x\r\nContent-Length: 999999999\r\n\r\n")), /999999999/);
    assert.throws(() => new Parts().feed(bytes("--x\r\n\r\n")), /unknown/);
});

test("a rate is right from its first moment on", () => {
    const rate = new Rate();
    assert.equal(rate.perSecond(0), 0);
    for (let now = 0; now <= 10_000; now += 40) {
        rate.count(now);
        const perSecond = rate.perSecond(now);
        if (now >= 400) assert.ok(Math.abs(perSecond - 25) < 0.6, `${perSecond} after ${now} ms`);
    }
});

test("a rate goes down when nothing comes, and begins anew after that", () => {
    const rate = new Rate();
    for (let now = 0; now <= 4000; now += 100) rate.count(now);
    assert.ok(rate.perSecond(5000) < 6);
    assert.equal(rate.perSecond(4001 + WINDOW_MS), 0);
    for (let now = 20_000; now <= 20_500; now += 100) rate.count(now);
    assert.ok(Math.abs(rate.perSecond(20_500) - 10) < 0.1);
});

test("amounts are counted a second", () => {
    const rate = new Rate();
    for (let now = 0; now <= 3000; now += 100) rate.count(now, 500);
    assert.ok(Math.abs(rate.perSecond(3000) - 5000) < 300);
});
