// After close() nothing of a connection is left: no timer, no request, no word.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Signpost } from "./signpost.mjs";
import { launch, Viewer } from "./viewer.mjs";

const CYCLES = 100;

let browser;
let signpost;

before(async () => {
    browser = await launch();
    // An offer that is broken off takes a place until the device gives it up after 10 s.
    const env = { SIGNPOST_SESSIONS__MAX_VIEWERS: "64" };
    signpost = await Signpost.start(["--open", "--source", "test", "--listen", "127.0.0.1:0"], { env });
});

after(async () => {
    await browser?.close();
    await signpost?.stop();
});

/** Runs in the page before its own scripts: counts timers and requests that are not over. */
function keepAccounts() {
    const accounts = (window.accounts = { timers: new Set(), requests: 0, refused: [] });
    for (const [set, clear] of [["setTimeout", "clearTimeout"], ["setInterval", "clearInterval"]]) {
        const [start, stop] = [window[set].bind(window), window[clear].bind(window)];
        window[set] = (callback, ...rest) => {
            const ended = set === "setTimeout" ? () => accounts.timers.delete(id) : () => {};
            const id = start((...args) => {
                ended();
                callback(...args);
            }, ...rest);
            accounts.timers.add(id);
            return id;
        };
        window[clear] = (id) => {
            accounts.timers.delete(id);
            stop(id);
        };
    }
    const ask = window.fetch.bind(window);
    window.fetch = async (...args) => {
        accounts.requests += 1;
        try {
            return await ask(...args);
        } finally {
            accounts.requests -= 1;
        }
    };
    const send = RTCDataChannel.prototype.send;
    RTCDataChannel.prototype.send = function (data) {
        if (this.readyState !== "open") accounts.refused.push(this.readyState);
        return send.call(this, data);
    };
}

/**
 * Runs in the page: makes connections and ends each at another moment, from before
 * its offer to after its first words; says what they said after their end.
 */
async function cycle(cycles) {
    const { Connection } = await import("/page/connection.js");
    const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    const after = [];
    let answered = 0;
    for (let n = 0; n < cycles; n += 1) {
        let closed = false;
        let speak;
        const words = new Promise((resolve) => {
            speak = resolve;
        });
        const tell = (what) => () => {
            if (closed) after.push(what);
        };
        const connection = new Connection({
            phase: tell("phase"),
            answered: () => {
                answered += 1;
                tell("answered")();
            },
            track: tell("track"),
            heard: () => {
                tell("heard")();
                speak();
            },
            prediction: tell("prediction"),
            command: tell("command"),
            ended: () => {
                tell("ended")();
                speak();
            },
        });
        // Never waited for: what is asked of a closed RTCPeerConnection is never answered.
        connection.open({ servers: async () => [] });
        if (n % 4 === 3) await words;
        else if (n % 4 > 0) await wait([0, 10, 60][n % 4]);
        connection.send({ type: "echo", id: "before the end" });
        closed = true;
        connection.close();
        connection.close();
        connection.send({ type: "echo", id: "after the end" });
        await connection.figures();
    }
    return { after, answered };
}

/** Runs in the page: its timers of a sixth of a second, without the one of a request of its own. */
async function timersLeft() {
    let left = Infinity;
    for (let n = 0; n < 10; n += 1) {
        await new Promise(requestAnimationFrame);
        left = Math.min(left, window.accounts.timers.size);
    }
    return left;
}

test("100 connections that are ended at any moment leave nothing behind", async () => {
    const viewer = await Viewer.open(browser, signpost.url, { script: keepAccounts });
    const { page } = viewer;
    await viewer.connects();
    // The page's own connection ends as it does when somebody leaves.
    await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pagehide")));
    await page.waitForFunction(() => window.accounts.requests === 0);
    const timers = await page.evaluate(timersLeft);
    const { after: words, answered } = await page.evaluate(cycle, CYCLES);
    assert.deepEqual(words, []);
    assert.ok(answered >= CYCLES / 8, `only ${answered} came as far as an answer`);
    await page.waitForFunction(() => window.accounts.requests === 0);
    // Looked at now: after a while a timer that was left behind would have run out.
    const left = await page.evaluate(timersLeft);
    assert.ok(left <= timers, `${left - timers} timers are left`);
    assert.deepEqual(await page.evaluate(() => window.accounts.refused), []);
    assert.deepEqual(viewer.complaints, []);
    await viewer.close();
});

test("start and stop and start again shows the picture again", async () => {
    const viewer = await Viewer.open(browser, signpost.url);
    const show = (type) => viewer.page.evaluate(
        (name) => dispatchEvent(new PageTransitionEvent(name, { persisted: true })), type);
    for (let n = 0; n < 10; n += 1) {
        await show("pagehide");
        await show("pageshow");
    }
    await viewer.connects();
    assert.equal(await viewer.page.locator("video").count(), 1);
    assert.deepEqual(viewer.complaints, []);
    await viewer.close();
});
