// A device that is away for long, and browsers that do not help.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { ARGS, browser, cut, open, rests, serves, signpost, start } from "./lost.mjs";
import { seesMovingPicture } from "./sights.mjs";
import { Signpost } from "./signpost.mjs";
import { Viewer } from "./viewer.mjs";

test("the device is asked for its ICE servers again once an attempt has failed", async () => {
    const viewer = await open();
    let asked = 0;
    viewer.page.on("request", (request) => {
        if (request.url().endsWith("/ice-servers")) asked += 1;
    });
    await cut(viewer);
    await viewer.until("stats.connections === 2 && stats.ladder.name === 'resting'");
    assert.equal(asked, 0);
    await viewer.page.route("**/webrtc/offer", (route) => route.abort(), { times: 1 });
    await cut(viewer);
    await viewer.until("stats.connections === 3");
    assert.equal(asked, 1);
    await viewer.close();
});

test("a device that is away for 20 s is waited for, and its picture comes back", async () => {
    // More of them than usual: on a busy machine it takes seconds to start.
    const env = { SIGNPOST_SESSIONS__RECONNECT_WAITS_S: "1, 2, 4, 8, 10, 10, 10, 10" };
    await signpost.stop();
    await start("127.0.0.1:0", { env });
    const viewer = await open();
    const { connections } = await viewer.stats();
    const { host } = new URL(signpost.url);
    await signpost.stop();
    await delay(20_000);
    await start(host, { env });
    await viewer.until(`stats.phase === 'live' && stats.connections > ${connections}`);
    await seesMovingPicture(viewer);
    await viewer.close();
    await signpost.stop();
    await start();
});

/** The page does not hear whether the device is there: what it does then, it does not do by itself. */
async function withoutQuestions({ page }) {
    await page.route("**/healthz", (route) => route.abort());
    await page.evaluate(() => {
        window.WebSocket = class {
            constructor() {
                throw new Error("nobody hears a knock");
            }
        };
    });
}

test("a device that stays away for long is connected to when it answers again", async () => {
    const viewer = await open();
    const before = await viewer.stats();
    const { host } = new URL(signpost.url);
    await signpost.stop();
    await viewer.until("stats.phase === 'ended'", 60);
    // The first attempt and the five of the ladder.
    const { attempts, ladder } = await viewer.stats();
    assert.deepEqual([attempts - before.attempts, ladder.name], [6, "over"]);
    await viewer.page.locator("#problem-title", { hasText: "The device does not answer" }).waitFor();
    await viewer.page.getByRole("button", { name: "Connect again" }).waitFor();
    await start(host);
    await viewer.until("stats.phase === 'live'");
    await viewer.page.locator("#problem").waitFor({ state: "hidden" });
    await rests(viewer);
    await viewer.close();
});

test("a device with waits of its own is tried after these, and as often", async () => {
    const env = { SIGNPOST_SESSIONS__RECONNECT_WAITS_S: "0.5, 3" };
    const other = await Signpost.start([...ARGS, "127.0.0.1:0"], { env });
    const viewer = await Viewer.open(browser, other.url);
    await rests(viewer);
    const { attempts } = await viewer.stats();
    await other.stop();
    await viewer.page.getByText(/Attempt 2 of 2/).first().waitFor();
    await viewer.until("stats.phase === 'ended'");
    // One at once, and two after a wait.
    assert.equal((await viewer.stats()).attempts - attempts, 3);
    await viewer.close();
});

/** A page that has given up and does not hear that its device is back. */
async function givenUp() {
    await signpost.stop();
    await start("127.0.0.1:0", { env: { SIGNPOST_SESSIONS__RECONNECT_WAITS_S: "0.5" } });
    const viewer = await open();
    await withoutQuestions(viewer);
    const { host } = new URL(signpost.url);
    await signpost.stop();
    await viewer.until("stats.phase === 'ended'", 60);
    await start(host);
    // What is tried now is tried twice and no more.
    await serves();
    return viewer;
}

test("the button connects again", async () => {
    const viewer = await givenUp();
    await viewer.page.getByRole("button", { name: "Connect again" }).click();
    await rests(viewer);
    await viewer.page.locator("#problem").waitFor({ state: "hidden" });
    await viewer.close();
});

test("a network that is back starts what a button would", async () => {
    const viewer = await givenUp();
    await viewer.page.evaluate(() => dispatchEvent(new Event("online")));
    await rests(viewer);
    await viewer.close();
});

/** Runs in the page before its own scripts: no connection of the first `loads` loads looks for addresses. */
const stallIn = (loads) => `
    const load = Number(sessionStorage.getItem("test.loads") ?? 0) + 1;
    sessionStorage.setItem("test.loads", load);
    if (load <= ${loads}) {
        window.RTCPeerConnection = class extends RTCPeerConnection {
            set onicecandidate(_) {}
            setRemoteDescription() {
                return new Promise(() => {});
            }
        };
    }`;

const loads = (viewer) => viewer.page.evaluate(() => Number(sessionStorage.getItem("test.loads")));

test("a browser that looks for no path is helped by loading the page again", async () => {
    const viewer = await Viewer.open(browser, signpost.url, { script: { content: stallIn(1) } });
    await viewer.until("stats.attempt?.phase === 'checking'");
    const { session } = await viewer.stats();
    await viewer.page.waitForEvent("load");
    await viewer.until("stats.phase === 'live' && stats.frames > 3");
    assert.equal(await loads(viewer), 2);
    assert.equal((await viewer.stats()).session, session);
    await viewer.close();
});

test("a page that loading does not help says so and does not load itself for ever", async () => {
    const viewer = await Viewer.open(browser, signpost.url, { script: { content: stallIn(9) } });
    await viewer.page.waitForEvent("load");
    await viewer.until("stats.attempts >= 2 && stats.last_reason === 'stalled'");
    await viewer.page.locator("#line", { hasText: "does not look for a path" }).waitFor();
    assert.equal(await loads(viewer), 2);
    await viewer.close();
});
