// Sending safely, and clearing what the device must have heard.

import assert from "node:assert/strict";
import { test } from "node:test";

import { pageModule, randomNumbers } from "./modules.mjs";

const { BUFFER_LIMIT_BYTES, Channel, WAITING_LIMIT, WAITING_LIMIT_MS } = await pageModule("channel.js");
const { Clearing } = await pageModule("clearing.js");

/** A channel that behaves as the specification says: send throws unless it is open. */
class Fake {
    readyState = "connecting";
    bufferedAmount = 0;
    sent = [];

    send(data) {
        if (this.readyState !== "open") throw new DOMException(this.readyState, "InvalidStateError");
        this.sent.push(data);
    }
}

test("a channel in another state than open refuses and counts, and never throws", () => {
    assert.equal(new Channel(undefined).send("x", 0), "refused");
    for (const state of ["closing", "closed"]) {
        const channel = new Channel(Object.assign(new Fake(), { readyState: state }));
        assert.equal(channel.send("x", 0), "refused");
        assert.deepEqual(channel.refusals, { [state]: 1 });
    }
});

test("messages wait for the channel to open and go out in order", () => {
    const fake = new Fake();
    const channel = new Channel(fake);
    assert.deepEqual(["a", "b"].map((text) => channel.send(text, 0)), ["waiting", "waiting"]);
    fake.readyState = "open";
    channel.opened(WAITING_LIMIT_MS);
    assert.deepEqual(fake.sent, ["a", "b"]);
    assert.equal(channel.send("c", 0), "sent");
});

test("a message that waited too long is not sent", () => {
    const fake = new Fake();
    const channel = new Channel(fake);
    channel.send("old", 0);
    channel.send("new", 100);
    fake.readyState = "open";
    channel.opened(WAITING_LIMIT_MS + 50);
    assert.deepEqual([fake.sent, channel.refusals], [["new"], { expired: 1 }]);
});

test("no more messages wait than may", () => {
    const channel = new Channel(new Fake());
    const results = Array.from({ length: WAITING_LIMIT + 3 }, () => channel.send("x", 0));
    assert.equal(results.filter((result) => result === "waiting").length, WAITING_LIMIT);
    assert.deepEqual(channel.refusals, { connecting: 3 });
});

test("a link that takes nothing gets nothing more", () => {
    const channel = new Channel(Object.assign(new Fake(), { readyState: "open", bufferedAmount: BUFFER_LIMIT_BYTES + 1 }));
    assert.equal(channel.send("x", 0), "refused");
    assert.deepEqual(channel.refusals, { full: 1 });
});

test("a transport that goes away during a send is a refusal", () => {
    const fake = Object.assign(new Fake(), { readyState: "open" });
    fake.send = () => {
        fake.readyState = "closed";
        throw new DOMException("gone", "InvalidStateError");
    };
    const channel = new Channel(fake);
    assert.equal(channel.send("x", 0), "refused");
    assert.deepEqual(channel.refusals, { closed: 1 });
});

test("every message is sent once, refused once, or still waits", () => {
    for (let seed = 1; seed <= 100; seed += 1) {
        const random = randomNumbers(seed);
        const fake = new Fake();
        const channel = new Channel(fake);
        let [now, asked] = [0, 0];
        for (let i = 0; i < 300; i += 1) {
            now += random() * 100;
            if (fake.readyState === "connecting" && random() < 0.01) {
                fake.readyState = "open";
                channel.opened(now);
            } else if (fake.readyState === "open" && random() < 0.01) {
                fake.readyState = "closed";
            } else {
                channel.send(asked, now);
                asked += 1;
            }
        }
        const refused = Object.values(channel.refusals).reduce((sum, count) => sum + count, 0);
        const waiting = fake.readyState === "connecting" ? asked - refused : 0;
        assert.equal(channel.sent + refused + waiting, asked, `seed ${seed}`);
        assert.ok(waiting <= WAITING_LIMIT, `seed ${seed}: ${waiting} wait`);
        assert.deepEqual(fake.sent, [...fake.sent].sort((a, b) => a - b), `seed ${seed}: out of order`);
    }
});

test("a wish to clear is open until its own echo is back", () => {
    const clearing = new Clearing();
    const sent = [];
    clearing.wish();
    clearing.send((message) => sent.push(message));
    clearing.wish();
    clearing.send((message) => sent.push(message));
    assert.deepEqual(sent.map(({ type }) => type), ["transcript.clear", "echo", "transcript.clear", "echo"]);
    clearing.heard({ type: "notice" });
    clearing.heard(sent[1]);
    assert.equal(clearing.open, true);
    clearing.heard(sent[3]);
    assert.equal(clearing.open, false);
});
