// What the line over the picture says, and what of it comes first.

import assert from "node:assert/strict";
import { test } from "node:test";

import { pageModule } from "./modules.mjs";

const { Line } = await pageModule("line.js");
const { words } = await pageModule("words.js");

const RESTING = { ladder: { name: "resting" }, again: true };
const WAITING = { ladder: { name: "waiting", step: 2, wait_ms: 2000 }, most: 5, reason: { kind: "unreachable" }, again: true };
const FIRST = { ladder: { name: "attempt", step: 0 }, most: 5, again: true };

test("a line with nothing to say is empty", () => {
    assert.equal(new Line().text(RESTING, 0), "");
    assert.equal(new Line().text({ ladder: { name: "over" }, reason: { kind: "lost" } }, 0), "");
});

test("a first connection is no loss, and one after a picture is", () => {
    assert.equal(new Line().text({ ...FIRST, again: false }, 0), "");
    assert.equal(new Line().text(FIRST, 0), words.connectingAgain);
});

test("a waiting line says why and for what", () => {
    const text = (more) => new Line().text({ ...WAITING, ladder: { ...WAITING.ladder, ...more } }, 0);
    assert.equal(text({}), "The device does not answer. Attempt 2 of 5 follows in a moment.");
    assert.equal(text({ deaf: true }), "The device does not answer. Attempt 2 of 5 follows as soon as the device answers.");
    assert.equal(text({ wait_ms: 42_000 }), "The device does not answer. Attempt 2 of 5 follows in 42 s.");
});

test("an attempt is counted among as many as there may be", () => {
    assert.match(new Line().text({ ...WAITING, most: 3 }, 0), /Attempt 2 of 3 follows/);
    assert.equal(new Line().text({ ladder: { name: "attempt", step: 1 }, most: 3, again: true }, 0), "Attempt 1 of 3 …");
});

test("every reason has words", () => {
    for (const kind of Object.keys(words.problems)) {
        assert.ok(new Line().text({ ...WAITING, reason: { kind } }, 0).startsWith(words.problems[kind].title), kind);
    }
});

test("a notice hides no loss, and goes after 8 s", () => {
    const line = new Line();
    line.notice("Somebody waits.", 1000);
    assert.equal(line.text(RESTING, 1000), "Somebody waits.");
    assert.equal(line.text(FIRST, 1000), `${words.connectingAgain} Somebody waits.`);
    assert.equal(line.text(FIRST, 8999), `${words.connectingAgain} Somebody waits.`);
    assert.equal(line.text(FIRST, 9000), words.connectingAgain);
    assert.equal(line.text(RESTING, 9000), "");
});

test("a notice is cut to what fits on a phone", () => {
    const line = new Line();
    line.notice("x".repeat(20_000), 0);
    assert.equal(line.text(RESTING, 0).length, 200);
});

test("trouble on the link is told only while there is a picture, after a notice", () => {
    const line = new Line();
    line.trouble = { kind: "loss", value: 0.2 };
    assert.match(line.text(RESTING, 0), /20\s%/);
    assert.doesNotMatch(line.text(WAITING, 0), /20\s%/);
    line.notice("Somebody waits.", 0);
    assert.equal(line.text(RESTING, 0), "Somebody waits.");
    assert.match(line.text(RESTING, 8000), /20\s%/);
});
