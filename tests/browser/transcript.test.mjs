// Putting a transcript together from its last characters.

import assert from "node:assert/strict";
import { test } from "node:test";

import { pageModule, randomNumbers } from "./modules.mjs";

const { addition } = await pageModule("transcript.js");

test("what is new is what follows the overlap", () => {
    assert.equal(addition("HEL", "HELL"), "L");
    assert.equal(addition("HELLO", "HELLO"), "");
    assert.equal(addition("ONE TWO", "TWO THREE"), " THREE");
});

test("a text that does not go on from the known one is not joined", () => {
    assert.equal(addition("HELLO", "XYZ"), undefined);
    assert.equal(addition("HELLO", ""), undefined);
    assert.equal(addition("", "HELLO"), undefined);
});

test("lost predictions lose no characters", () => {
    for (let seed = 1; seed <= 100; seed += 1) {
        const random = randomNumbers(seed);
        const letter = () => "ABCDEFGHIJKLMNOPQRSTUVWXYZ "[Math.floor(random() * 27)];
        const whole = Array.from({ length: 400 }, letter).join("");
        let known = whole.slice(0, 1);
        for (let end = 1; end <= whole.length; end += Math.ceil(random() * 12)) {
            known += addition(known, whole.slice(Math.max(0, end - 64), end)) ?? "";
        }
        assert.equal(known, whole.slice(0, known.length), `seed ${seed}`);
        assert.ok(known.length > 380, `seed ${seed}: ${known.length}`);
    }
});
