// When the page connects again, and when it leaves it to a person.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { pageModule, randomNumbers } from "./modules.mjs";

const { ATTEMPT_LIMIT_MS, RESTING, STEADY_MS, WAITS_MS, climb } = await pageModule("ladder.js");
const NOW = 1_000_000;

const STATES = {
    resting: RESTING,
    attempt: { name: "attempt", step: 2, until: NOW + 100 },
    waiting: { name: "waiting", step: 2, until: NOW + 100, deaf: false },
    trial: { name: "trial", step: 2, until: NOW + 100 },
    over: { name: "over", final: false, deaf: false },
    refused: { name: "over", final: true },
};
const EVENTS = ["lost", "asked", "arrived", "revived", "failed", "refused", "answered", "unanswered", "hurry", "tick"];

/** What every event does in every state: the next state and what is to be done; "" is nothing. */
const TABLE = {
    resting: { lost: "attempt attempt", refused: "over stop" },
    attempt: { asked: "attempt", arrived: "trial", revived: "trial drop", failed: "waiting drop", refused: "over stop" },
    waiting: { unanswered: "waiting", revived: "trial", refused: "over stop", hurry: "attempt attempt" },
    trial: { lost: "waiting", refused: "over stop" },
    over: { unanswered: "over", hurry: "attempt attempt" },
    refused: { hurry: "attempt attempt" },
};

test("every event does in every state what the table says", () => {
    for (const [name, state] of Object.entries(STATES)) {
        for (const type of EVENTS) {
            const { state: next, todo } = climb(state, { type }, NOW);
            const expected = TABLE[name][type];
            if (expected) assert.equal([next.name, todo].filter(Boolean).join(" "), expected, `${name} ${type}`);
            else assert.deepEqual([next, todo], [state, undefined], `${name} ${type}`);
        }
    }
});

/** Plays events until nothing is to be waited for; returns the times of all attempts. */
function play(outcome, { waits_ms = WAITS_MS, limit_ms = 200_000 } = {}) {
    let state = RESTING;
    const attempts = [];
    const feed = (event, now) => {
        const result = climb(state, event, now, waits_ms);
        state = result.state;
        if (result.todo !== "attempt") return;
        attempts.push(now);
        const answer = outcome(attempts.length, now);
        if (answer) feed(answer, now);
    };
    feed({ type: "lost" }, 0);
    for (let now = 0; now < limit_ms && state.name !== "over"; now += 50) feed({ type: "tick" }, now);
    return { attempts, state };
}

test("attempts that fail at once are made after 1, 2, 4, 8 and 10 s, and then a person is asked", () => {
    const { attempts, state } = play(() => ({ type: "failed" }));
    assert.deepEqual(attempts, [0, 1000, 3000, 7000, 15_000, 25_000]);
    assert.equal(state.name, "over");
});

test("other waits are kept, and there are as many attempts", () => {
    for (const waits_ms of [[500], [3000, 500], Array(10).fill(60_000)]) {
        const { attempts, state } = play(() => ({ type: "failed" }), { waits_ms, limit_ms: 700_000 });
        let at = 0;
        assert.deepEqual(attempts, [0, ...waits_ms.map((wait) => (at += wait))]);
        assert.equal(state.name, "over");
    }
});

test("a page that was not told its waits has those of a device that was not told either", () => {
    const example = readFileSync(new URL("../../systemd/signpost.toml", import.meta.url), "utf8");
    const [, list] = /^#reconnect_waits_s = (.*)$/m.exec(example);
    assert.deepEqual(JSON.parse(list).map((seconds) => seconds * 1000), WAITS_MS);
});

test("who is told when to come again does not come earlier, nor waits for ever", () => {
    const until = (after_ms, step = 1) =>
        climb({ ...STATES.attempt, step }, { type: "failed", after_ms }, NOW).state.until - NOW;
    assert.equal(until(undefined), WAITS_MS[1]);
    assert.equal(until(1000), WAITS_MS[1]);
    assert.equal(until(9000), 9000);
    assert.equal(until(3_600_000), 60_000);
});

test("an attempt that says nothing is given up after its limit", () => {
    const { attempts } = play(() => undefined);
    let at = 0;
    const expected = [0, ...WAITS_MS.map((wait) => (at += ATTEMPT_LIMIT_MS + wait))];
    assert.deepEqual(attempts, expected);
});

test("the limit of an attempt begins with its question", () => {
    let { state } = climb(RESTING, { type: "lost" }, 0);
    ({ state } = climb(state, { type: "asked" }, 4900));
    assert.equal(climb(state, { type: "tick" }, 4900 + ATTEMPT_LIMIT_MS - 1).todo, undefined);
    assert.equal(climb(state, { type: "tick" }, 4900 + ATTEMPT_LIMIT_MS).todo, "drop");
});

test("the first answer after a silence ends the waiting, and any other does not", () => {
    const waiting = (deaf) => climb(STATES.attempt, { type: "failed", deaf }, NOW).state;
    assert.equal(climb(waiting(true), { type: "answered" }, NOW + 1).todo, "attempt");
    assert.equal(climb(waiting(false), { type: "answered" }, NOW + 1).todo, undefined);
    const { state } = climb(waiting(false), { type: "unanswered" }, NOW + 1);
    assert.equal(climb(state, { type: "answered" }, NOW + 2).todo, "attempt");
});

test("a device that answers questions and no offers does not use up the attempts at once", () => {
    let state = RESTING;
    const attempts = [];
    const feed = (event, now) => {
        const result = climb(state, event, now);
        state = result.state;
        if (result.todo !== "attempt") return;
        attempts.push(now);
        feed({ type: "failed", deaf: true }, now);
    };
    feed({ type: "lost" }, 0);
    for (let now = 0; state.name !== "over"; now += 50) {
        feed({ type: "answered" }, now);
        feed({ type: "tick" }, now);
    }
    assert.deepEqual(attempts, [0, 0, 2000, 6000, 14_000, 24_000]);
    assert.equal(climb(state, { type: "answered" }, 60_000).todo, undefined);
});

/** The last attempt fails; `deaf`: nobody answered it. */
const givenUp = (deaf, hoped = false) =>
    climb({ ...STATES.attempt, step: WAITS_MS.length, hoped }, { type: "failed", deaf }, NOW);

test("a device that answers after the last attempt is asked for its picture again, from the start", () => {
    const { state, todo } = givenUp(true);
    assert.deepEqual([state.name, todo], ["over", "stop"]);
    const again = climb(state, { type: "answered" }, NOW + 60_000);
    assert.deepEqual([again.todo, again.state.step], ["attempt", 0]);
});

test("an answer that is no news starts nothing after the last attempt", () => {
    for (const { state } of [givenUp(false), givenUp(true, true)]) {
        assert.equal(climb(state, { type: "answered" }, NOW + 3000).todo, undefined);
        const { state: silent } = climb(state, { type: "unanswered" }, NOW + 6000);
        assert.equal(climb(silent, { type: "answered" }, NOW + 9000).todo, "attempt");
    }
    // A refusal was an answer, and the next would be the same.
    const { state } = climb(STATES.refused, { type: "unanswered" }, NOW);
    assert.equal(climb(state, { type: "answered" }, NOW).todo, undefined);
});

test("a silence before the last attempt counts after it", () => {
    let { state } = climb({ ...STATES.waiting, step: WAITS_MS.length, hoped: true }, { type: "unanswered" }, NOW);
    ({ state } = climb(state, { type: "tick" }, NOW + 200));
    ({ state } = climb(state, { type: "failed", deaf: true }, NOW + 2200));
    assert.equal(climb(state, { type: "answered" }, NOW + 2300).todo, "attempt");
});

test("a picture that flows on lets the count start again, one that breaks does not", () => {
    const arrived = (step) => climb({ ...STATES.attempt, step }, { type: "arrived" }, NOW).state;
    const lost = (at) => climb(climb(arrived(3), { type: "tick" }, at).state, { type: "lost" }, at);
    assert.deepEqual(lost(NOW + STEADY_MS).state, {
        name: "attempt", step: 0, until: NOW + STEADY_MS + ATTEMPT_LIMIT_MS, hoped: false });
    assert.equal(lost(NOW + STEADY_MS - 1).state.step, 4);
});

test("an old connection that comes back leaves nothing behind", () => {
    const first = climb(RESTING, { type: "lost" }, NOW).state;
    assert.deepEqual(climb(first, { type: "revived" }, NOW + 500), { state: RESTING, todo: "drop" });
});

test("whatever happens, attempts stay bounded until a person, a picture or a silence starts anew", () => {
    const calm = EVENTS.filter((type) => type !== "hurry");
    for (let seed = 1; seed <= 200; seed += 1) {
        const random = randomNumbers(seed);
        let [state, now, attempts] = [RESTING, 0, 0];
        for (let i = 0; i < 2000; i += 1) {
            now += random() * 400;
            const type = calm[Math.floor(random() * calm.length)];
            const { state: next, todo } = climb(state, { type, deaf: random() < 0.5 }, now);
            if (next.name === "resting" || state.name === "over") attempts = 0;
            if (todo === "attempt") attempts += 1;
            assert.ok(attempts <= 1 + WAITS_MS.length, `seed ${seed}: ${attempts} attempts in a row`);
            assert.ok((next.step ?? 0) <= WAITS_MS.length, `seed ${seed}: step ${next.step}`);
            assert.ok(next.until === undefined || next.until > 0, `seed ${seed}: ${next.until}`);
            state = next;
        }
    }
});
