// Whether the device is there: how it is asked when connections to it hang.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { pageModule } from "./modules.mjs";

const { answers } = await pageModule("api.js");

/** Knocks and requests so far, and what becomes of them. */
let world;

class FakeWebSocket {
    closed = false;
    constructor(url) {
        this.url = `${url}`;
        world.knocks.push(this);
        // That it is no WebSocket is heard as its end.
        if (world.heard) setImmediate(() => this.onclose());
    }
    close() {
        this.closed = true;
    }
}

function fakeFetch(path, { signal }) {
    world.requests.push(path);
    if (world.answered) return Promise.resolve({});
    if (world.refused) return Promise.reject(new TypeError("refused"));
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
}

beforeEach(() => {
    world = { knocks: [], requests: [], heard: false, answered: false, refused: false };
    Object.assign(globalThis, { WebSocket: FakeWebSocket, fetch: fakeFetch, location: { href: "http://device:8080/?a" } });
    mock.timers.enable({ apis: ["setTimeout"] });
});

afterEach(() => mock.timers.reset());

/** Lets the limits pass, one after the other. */
async function late(answer) {
    for (let limit = 0; limit < 2; limit += 1) {
        mock.timers.tick(1000);
        await new Promise((resolve) => setImmediate(resolve));
    }
    return answer;
}

test("who answers a knock is asked", async () => {
    Object.assign(world, { heard: true, answered: true });
    assert.equal(await answers(3), true);
    assert.deepEqual(world.knocks.map(({ url }) => url), ["ws://device:8080/healthz"]);
    assert.deepEqual(world.requests, ["/healthz"]);
});

test("a device whose program is down answers knocks, and is not there", async () => {
    Object.assign(world, { heard: true, refused: true });
    assert.equal(await answers(3), false);
});

test("a knock that nobody hears ends with its connection", async () => {
    assert.equal(await late(answers(3)), false);
    assert.deepEqual([world.knocks.length, world.knocks[0].closed, world.requests.length], [1, true, 0]);
});

test("questions go without a knock, too, and fewer and fewer", async () => {
    world.answered = true;
    for (const nth of [1, 2, 4, 8, 64]) assert.equal(await answers(nth), true);
    assert.equal(world.requests.length, 5);
    world.answered = false;
    const rest = Promise.all([3, 5, 6, 7, 63].map((nth) => answers(nth)));
    assert.equal((await late(rest)).includes(true), false);
    assert.equal(world.requests.length, 5);
});

test("a question that has been ended knocks no more", async () => {
    const ended = new AbortController();
    const asked = answers(3, ended.signal);
    ended.abort();
    assert.equal(await asked, false);
    assert.equal(world.knocks[0].closed, true);
});
