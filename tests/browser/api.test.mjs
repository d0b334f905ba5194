// Whether the device is there: how it is asked when connections to it hang.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { pageModule } from "./modules.mjs";

const { answers, request } = await pageModule("api.js");

/** Knocks and requests so far, and what becomes of them. */
let world;

class FakeWebSocket {
    closed = false;
    constructor(url) {
        this.url = `${url}`;
        world.knocks.push(this);
        // What is no WebSocket is heard as its end.
        if (world.heard) setImmediate(() => (world.opens ? this.onopen() : this.onclose()));
    }
    close() {
        this.closed = true;
    }
}

function fakeFetch(path, { signal, credentials }) {
    world.requests.push(path);
    world.logins += credentials === "omit" ? 0 : 1;
    if (world.answered) return Promise.resolve({ ok: true, status: 204 });
    if (world.refused) return Promise.reject(new TypeError("refused"));
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
}

beforeEach(async () => {
    world = { now: 0, knocks: [], requests: [], logins: 0, heard: true, opens: true, answered: true, refused: false };
    const location = { href: "http://device:8080/?a" };
    Object.assign(globalThis, { WebSocket: FakeWebSocket, fetch: fakeFetch, location });
    is("HeadlessChrome/156.0");
    Object.defineProperty(globalThis, "performance", { value: { now: () => world.now }, configurable: true });
    mock.timers.enable({ apis: ["setTimeout"] });
    // Whatever silence there was is over.
    await answers();
    await settle();
    await settle();
    Object.assign(world, { knocks: [], requests: [] });
});
afterEach(() => mock.timers.reset());

/** This is the browser. */
function is(userAgent) {
    Object.defineProperty(globalThis, "navigator", { value: { userAgent }, configurable: true });
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Lets so many seconds pass. */
async function pass(seconds) {
    for (let second = 0; second < seconds; second += 1) {
        world.now += 1000;
        mock.timers.tick(1000);
        await settle();
    }
}

/** Whether the device answers, which it has this long to do. */
async function within(seconds) {
    let answer = "none yet";
    answers().then((there) => (answer = there));
    await settle();
    await settle();
    await pass(seconds);
    return answer;
}

const nobodyIsThere = () => Object.assign(world, { heard: false, answered: false });

test("a device that is there says so", async () => {
    assert.equal(await within(0), true);
    assert.deepEqual(new Set(world.knocks.map(({ url }) => url)), new Set(["ws://device:8080/api/v1/knock"]));
    assert.deepEqual(new Set(world.requests), new Set(["/healthz"]));
});

test("a knock that is opened is answer enough", async () => {
    world.answered = false;
    assert.equal(await within(0), true);
    assert.ok(world.knocks.every(({ closed }) => closed));
});

test("a device that opens no WebSocket is asked by a request", async () => {
    nobodyIsThere();
    for (let question = 0; question < 2; question += 1) assert.equal(await within(1), false);
    Object.assign(world, { heard: true, opens: false, answered: true, requests: [] });
    assert.equal(await within(0), true);
    assert.deepEqual(world.requests, ["/healthz"]);
});

test("questions take no connection that a request with a login could need", async () => {
    nobodyIsThere();
    for (let question = 0; question < 10; question += 1) await within(1);
    assert.equal(world.logins, 0);
});

test("a device whose program is down hears knocks, and is not there", async () => {
    Object.assign(world, { opens: false, answered: false, refused: true });
    assert.equal(await within(0), false);
});

test("in a silence there are many knocks, whose connections end, and few requests", async () => {
    nobodyIsThere();
    for (let question = 0; question < 10; question += 1) assert.equal(await within(1), false);
    assert.deepEqual([world.knocks.length, world.requests.length], [10, 4]);
    assert.ok(world.knocks.every(({ closed }) => closed));
    await pass(30);
    assert.equal(await within(1), false);
    assert.equal(world.requests.length, 5);
});

test("a knock that the browser holds back is waited for", async () => {
    nobodyIsThere();
    for (let question = 0; question < 12; question += 1) assert.equal(await within(1), false);
    const asked = within(6);
    await settle();
    await settle();
    world.answered = true;
    world.knocks.at(-1).onclose();
    assert.equal(await asked, true);
});

test("a long silence is asked into without a knock as well, for as long as it lasts", async () => {
    nobodyIsThere();
    for (let question = 0; question < 100; question += 1) await within(7);
    world.requests = [];
    for (let question = 0; question < 10; question += 1) await within(7);
    assert.ok(world.requests.length >= 2, `${world.requests.length} in 70 s`);
});

test("a request that is answered ends the silence", async () => {
    nobodyIsThere();
    for (let question = 0; question < 3; question += 1) await within(1);
    Object.assign(world, { heard: true, answered: true, knocks: [] });
    await request("GET", "/api/v1/status");
    assert.deepEqual(world.knocks, []);
    world.requests = [];
    nobodyIsThere();
    await within(1);
    assert.deepEqual([world.knocks.length, world.requests.length], [1, 1], "as at its beginning");
});

test("a browser that is no Chromium asks by requests alone", async () => {
    is("Mozilla/5.0 (X11; rv:150.0) Gecko/20100101 Firefox/150.0");
    nobodyIsThere();
    for (let question = 0; question < 5; question += 1) assert.equal(await within(1), false);
    assert.deepEqual([world.knocks.length, world.requests.length], [0, 5]);
});
