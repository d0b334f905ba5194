// From connection to connection, with connections, a device and a clock made for the test.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { pageModule } from "./modules.mjs";

/** Stands in for connection.js: says and does what a test makes it say and do. */
const CONNECTION = `
export class Ending {
    constructor(kind, more = {}) {
        Object.assign(this, { kind, final: false, after_ms: 0 }, more);
    }
}
export class Connection {
    phase = "gathering";
    commands = { state: "connecting" };
    packets = 0;
    closed = false;
    constructor(on) {
        this.on = on;
        globalThis.world.connections.push(this);
    }
    async open({ servers }) {
        await servers();
        this.phase = "asking";
        this.on.phase("asking");
    }
    async figures() {
        return { packets: this.packets };
    }
    pictured() {
        this.phase = "live";
    }
    close() {
        this.closed = true;
    }
}`;

/** Stands in for api.js. */
const API = `
export class Refused extends Error {}
export async function request(method, path) {
    globalThis.world.requests.push(path);
    return { iceServers: [] };
}
export async function answers() {
    globalThis.world.questions += 1;
    return globalThis.world.answers;
}`;

const { Viewing } = await pageModule("viewing.js", { "connection.js": CONNECTION, "api.js": API });
const { Ending } = await pageModule("connection.js", { "connection.js": CONNECTION });

let world;
let viewing;

/** Lets what was promised happen. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Lets so much time pass, with a look every 250 ms. */
async function pass(ms, each = () => {}) {
    for (const end = world.now + ms; world.now < end; ) {
        world.now += 250;
        each();
        world.look?.();
        await settle();
    }
}

const newest = () => world.connections.at(-1);

/** The newest connection shows frames for so long; by itself it becomes the shown one. */
const showing = (ms) => pass(ms, () => viewing.frame(newest()));

beforeEach(() => {
    world = { now: 0, connections: [], requests: [], questions: 0, answers: true, unseen: false };
    Object.assign(globalThis, {
        world,
        document: { hidden: false },
        performance: { now: () => world.now },
        setInterval: (look) => (world.look = look),
        clearInterval: () => (world.look = undefined),
    });
    const nothing = () => {};
    viewing = new Viewing({
        changed: nothing, track: nothing, shown: nothing, dropped: nothing, prediction: nothing, command: nothing,
        link: nothing, repair: nothing, suspicious: nothing, stalled: nothing, unauthorised: nothing,
        unseen: () => world.unseen,
    });
    viewing.start();
});

test("an attempt becomes the connection with its first frame, and then rests", async () => {
    await pass(500);
    newest().commands.state = "open";
    await pass(500);
    assert.equal(viewing.connection, undefined);
    await showing(6000);
    assert.equal(viewing.connection, newest());
    assert.deepEqual([viewing.ladder.name, viewing.counts.connections], ["resting", 1]);
});

test("an open channel is enough in a hidden tab and where the browser plays nothing", async () => {
    for (const why of [() => (document.hidden = true), () => (world.unseen = true)]) {
        why();
        await pass(500);
        assert.equal(viewing.connection, undefined);
        newest().commands.state = "open";
        await pass(500);
        assert.equal(viewing.connection, newest());
        viewing.stop();
        document.hidden = false;
        viewing.start();
    }
});

test("a tab that is looked at again goes on with a connection that packets reach, and with no other", async () => {
    for (const [packets, attempts] of [[1, 1], [0, 2]]) {
        viewing.stop();
        document.hidden = true;
        viewing.start();
        const before = viewing.counts.attempts - 1;
        newest().commands.state = "open";
        await pass(20_000);
        document.hidden = false;
        await pass(4000, () => (newest().packets += packets));
        assert.equal(viewing.counts.attempts - before, attempts, `${packets} packets at each look`);
    }
});

test("hiding the tab ends no attempt", async () => {
    await showing(6000);
    await pass(4000);
    assert.equal(viewing.counts.attempts, 2);
    document.hidden = true;
    await pass(2000);
    assert.deepEqual([viewing.ladder.name, viewing.counts.drops], ["attempt", 0]);
    const second = newest();
    second.commands.state = "open";
    await pass(500);
    assert.equal(viewing.connection, second);
});

test("the device's own interval of keepalives counts, also when its hello came before the picture", async () => {
    await pass(250);
    newest().on.command({ type: "hello", keepalive_s: 20 });
    await showing(50_000);
    assert.equal(viewing.counts.attempts, 1);
    await showing(20_000);
    assert.equal(viewing.counts.attempts, 2);
});

test("ICE servers are asked for again after a failure, and only then", async () => {
    await showing(6000);
    newest().on.ended(new Ending("lost"));
    await pass(250);
    assert.deepEqual([world.connections.length, world.requests.length], [2, 1]);
    newest().on.ended(new Ending("failed"));
    await pass(1500);
    assert.deepEqual([world.connections.length, world.requests.length], [3, 2]);
});

test("a device that says when to come again is left alone until then", async () => {
    newest().on.ended(new Ending("refused", { status: 429, after_ms: 30_000 }));
    await pass(29_000);
    assert.equal(world.connections.length, 1);
    await pass(2000);
    assert.equal(world.connections.length, 2);
});

test("a device that has restarted is connected to at once, and the old connection is not taken up again", async () => {
    viewing.uptime_s = 100;
    await showing(6000);
    const old = newest();
    for (const seconds of [100, 100, 103]) viewing.uptime_s = seconds;
    assert.equal(viewing.counts.attempts, 1);
    viewing.camera("starting");
    viewing.uptime_s = 0;
    assert.deepEqual([viewing.counts.attempts, viewing.ladder.name], [2, "attempt"]);
    old.packets += 1;
    await pass(1000);
    assert.deepEqual([viewing.connection, viewing.counts.drops], [old, 0]);
    // What is said of the program now is said to the connection that it has.
    await showing(6000);
    viewing.uptime_s = 1;
    assert.deepEqual([viewing.connection === old, viewing.counts.attempts], [false, 2]);
});

/** The device is away until nothing is tried any more. */
async function away(attempts = 6) {
    world.answers = false;
    for (let tries = 0; tries < 200 && viewing.ladder.name !== "over"; tries += 1) {
        if (viewing.ladder.name === "attempt") newest().on.ended(new Ending("unreachable"));
        await pass(250);
    }
    assert.deepEqual([viewing.ladder.name, viewing.counts.attempts], ["over", attempts]);
}

test("the device's own waits count for the page's attempts, also while it is away", async () => {
    viewing.waits_s = [0.5, 1];
    await showing(6000);
    viewing.waits_s = undefined;
    viewing.waits_s = [];
    newest().on.ended(new Ending("lost"));
    assert.equal(viewing.most, 2);
    await away(4);
});

test("attempts that are being counted stay as many as they were", async () => {
    world.answers = false;
    newest().on.ended(new Ending("unreachable"));
    assert.deepEqual([viewing.ladder.step, viewing.most], [1, 5]);
    viewing.waits_s = [1];
    await pass(250);
    assert.equal(viewing.most, 5);
    await away();
    viewing.hurry();
    assert.equal(viewing.most, 1);
    await away(8);
});

test("after a long outage the device is asked every 3 s, and its first answer connects", async () => {
    await away();
    await pass(3000);
    world.questions = 0;
    await pass(30_000);
    assert.equal(world.questions, 10);
    world.answers = true;
    await pass(3250);
    assert.equal(viewing.counts.attempts, 7);
});

test("a tab that nobody sees asks nothing after a long outage", async () => {
    await away();
    document.hidden = true;
    await pass(1000);
    world.questions = 0;
    await pass(30_000);
    assert.equal(world.questions, 0);
    document.hidden = false;
    viewing.wake();
    assert.equal(viewing.counts.attempts, 7);
});

test("what was refused for good is not asked for again", async () => {
    newest().on.ended(new Ending("refused", { final: true }));
    await pass(30_000);
    assert.deepEqual([viewing.ladder.name, world.questions, viewing.counts.attempts], ["over", 0, 1]);
});
