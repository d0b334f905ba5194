// A picture that was lost comes back without a hand on the page.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { seesMovingPicture } from "./sights.mjs";
import { Signpost } from "./signpost.mjs";
import { launch, spread, Viewer } from "./viewer.mjs";

const ARGS = ["--open", "--source", "demo", "--listen"];

let browser;
let signpost;

before(async () => {
    browser = await launch();
    signpost = await Signpost.start([...ARGS, "127.0.0.1:0"]);
});

after(async () => {
    await browser?.close();
    await signpost?.stop();
});

/** Runs in the page before its own scripts: keeps every connection that the page makes. */
function keepPeers() {
    window.peers = [];
    window.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(configuration) {
            super(configuration);
            window.peers.push(this);
        }
    };
}

/** A viewer with a picture that has stayed long enough to count as a success. */
async function open() {
    const viewer = await Viewer.open(browser, signpost.url, { script: keepPeers });
    await rests(viewer);
    return viewer;
}

/** Waits until there is a picture and nothing is being tried any more. */
async function rests(viewer) {
    await viewer.until("stats.phase === 'live' && stats.ladder.name === 'resting' && stats.fps > 3");
}

/** Closes the page's newest connection behind its back: it sees its channel close. */
const cut = (viewer) => viewer.page.evaluate(() => window.peers.at(-1).close());

const openPeers = (viewer) =>
    viewer.page.evaluate(() => window.peers.filter((peer) => peer.connectionState !== "closed").length);

/** The device's program stands still: it answers nothing and ends nothing, as behind a dead link. */
async function standsStill(ms, meanwhile = () => {}) {
    process.kill(signpost.pid, "SIGSTOP");
    try {
        await Promise.all([delay(ms), meanwhile()]);
    } finally {
        process.kill(signpost.pid, "SIGCONT");
    }
}

test("a connection that dies is replaced by another one", async () => {
    const viewer = await open();
    await cut(viewer);
    await viewer.until("stats.phase === 'live' && stats.connections === 2", 10);
    assert.equal(await openPeers(viewer), 1);
    assert.equal(await viewer.page.locator("video").count(), 1);
    const { drawn } = await viewer.stats();
    await seesMovingPicture(viewer);
    await viewer.until(`stats.drawn > ${drawn + 3}`);
    assert.deepEqual(viewer.complaints, []);
    await viewer.close();
});

/** Runs in the page before its own scripts: a browser without H.264. */
function offerVp8() {
    const add = RTCPeerConnection.prototype.addTransceiver;
    RTCPeerConnection.prototype.addTransceiver = function (kind, options) {
        const transceiver = add.call(this, kind, options);
        const { codecs } = RTCRtpReceiver.getCapabilities("video");
        transceiver.setCodecPreferences(codecs.filter(({ mimeType }) => ["video/VP8", "video/rtx"].includes(mimeType)));
        return transceiver;
    };
}

test("every connection's own rendition is told", async () => {
    for (const [browsers, rendition] of [[() => {}, /full picture, \d+/], [offerVp8, /VP8 picture, \d+/]]) {
        const script = { content: `(${browsers})(); (${keepPeers})();` };
        const viewer = await Viewer.open(browser, signpost.url, { script });
        await rests(viewer);
        const told = viewer.page.locator("#detail-rendition").filter({ hasText: rendition });
        await told.waitFor();
        await cut(viewer);
        await viewer.until("stats.phase === 'live' && stats.connections === 2", 20);
        // Time for the details, which are written once a second.
        await delay(1500);
        assert.equal(await told.count(), 1, await viewer.page.locator("#detail-rendition").textContent());
        await viewer.close();
    }
});

test("two losses in a row are both made good, and the second waits its turn", async () => {
    const viewer = await open();
    await cut(viewer);
    await viewer.until("stats.connections === 2 && stats.ladder.name === 'trial'");
    await cut(viewer);
    await viewer.until("stats.connections === 3", 20);
    // The first picture had not stayed long enough, so this was attempt 1 of 5.
    assert.deepEqual((await viewer.stats()).ladder, { name: "trial", step: 1 });
    await rests(viewer);
    await viewer.close();
});

test("an outage of 2 s needs no other connection", async () => {
    const viewer = await open();
    await standsStill(2000);
    await viewer.until("stats.fps > 3", 20);
    const { connections, attempts, session } = await viewer.stats();
    assert.deepEqual([connections, attempts], [1, 1]);
    assert.ok(session);
    await viewer.close();
});

test("after an outage of 10 s session, transcript and picture are there again", async () => {
    const viewer = await open();
    await viewer.until("stats.transcript.length > 2", 240);
    const { session } = await viewer.stats();
    let seen;
    await standsStill(10_000, async () => {
        await viewer.page.getByText(/Attempt 1 of 5/).first().waitFor();
        const { deviation } = spread(await viewer.picture());
        assert.ok(deviation > 6, "the last picture is gone");
        assert.equal(await viewer.page.locator("#problem").isVisible(), false);
        seen = (await viewer.stats()).transcript;
    });
    await viewer.until("stats.phase === 'live' && stats.fps > 3", 20);
    const now = await viewer.stats();
    assert.equal(now.session, session);
    assert.ok(now.transcript.startsWith(seen), `"${now.transcript}" does not go on from "${seen}"`);
    await viewer.close();
});

test("a transcript that is cleared in an outage is clear when it is over", async () => {
    const viewer = await open();
    await viewer.until("stats.transcript.length > 4", 240);
    await standsStill(6000, async () => {
        await viewer.until("stats.ladder.name === 'waiting'");
        await viewer.page.getByRole("button", { name: "Clear" }).click();
        await viewer.page.getByText("cleared when the connection is back").waitFor();
        assert.equal((await viewer.stats()).clearing, true);
    });
    await viewer.until("!stats.clearing && stats.transcript.length < 4", 20);
    await viewer.close();
});

test("a page that is loaded again goes on in its session", async () => {
    const viewer = await open();
    const { session } = await viewer.stats();
    const offers = [];
    viewer.page.on("request", (request) => {
        if (request.url().endsWith("/webrtc/offer")) offers.push(request.postDataJSON().session);
    });
    await viewer.page.reload();
    await rests(viewer);
    assert.deepEqual(offers, [session]);
    // A copy of the tab would carry the id along, and two pages would share a session.
    assert.equal(await viewer.page.evaluate(() => sessionStorage.length), 0);
    await viewer.close();
});

test("a hidden tab is left alone", async () => {
    const viewer = await open();
    await viewer.page.evaluate(() => {
        Object.defineProperty(document, "hidden", { value: true, configurable: true });
    });
    await standsStill(6000, async () => {
        await viewer.until("stats.fps === 0");
        await delay(4000);
        assert.equal((await viewer.stats()).attempts, 1);
        await viewer.page.evaluate(() => {
            delete document.hidden;
            document.dispatchEvent(new Event("visibilitychange"));
        });
        await viewer.until("stats.attempts === 2", 2);
    });
    await rests(viewer);
    await viewer.close();
});

/** Runs in the page before its own scripts: a hidden tab is told of no frames, as a real one. */
function tellNoFramesWhileHidden() {
    const ask = HTMLVideoElement.prototype.requestVideoFrameCallback;
    HTMLVideoElement.prototype.requestVideoFrameCallback = function (callback) {
        const seen = () => !document.hidden;
        return ask.call(this, (...frame) => (seen() ? callback(...frame) : this.requestVideoFrameCallback(callback)));
    };
    window.hide = (hidden) => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    };
}

test("a tab that is not seen connects, and shows the picture when it is looked at", async () => {
    const viewer = await Viewer.open(browser, signpost.url, { script: { content: `
        (${keepPeers})();
        (${tellNoFramesWhileHidden})();
        window.hide(true);` } });
    await viewer.until("stats.ladder.name === 'resting' && stats.connections === 1");
    // Longer than the picture's silence may last in a tab that is seen.
    await delay(5000);
    assert.equal((await viewer.stats()).attempts, 1);
    await viewer.page.evaluate(() => window.hide(false));
    await viewer.until("stats.phase === 'live' && stats.frames > 3", 5);
    await viewer.page.evaluate(() => window.hide(true));
    await cut(viewer);
    await viewer.until("stats.ladder.name === 'resting' && stats.connections === 2", 20);
    await viewer.page.evaluate(() => window.hide(false));
    await rests(viewer);
    assert.equal((await viewer.stats()).attempts, 2);
    assert.equal(await viewer.page.locator("video").count(), 1);
    await viewer.close();
});

test("the device is asked for its ICE servers again once an attempt has failed", async () => {
    const viewer = await open();
    let asked = 0;
    viewer.page.on("request", (request) => {
        if (request.url().endsWith("/ice-servers")) asked += 1;
    });
    await cut(viewer);
    await viewer.until("stats.connections === 2 && stats.ladder.name === 'resting'", 20);
    assert.equal(asked, 0);
    await viewer.page.route("**/webrtc/offer", (route) => route.abort(), { times: 1 });
    await cut(viewer);
    await viewer.until("stats.connections === 3", 20);
    assert.equal(asked, 1);
    await viewer.close();
});

test("a device that is away for 20 s is waited for, and its picture comes back", async () => {
    const viewer = await open();
    const { host } = new URL(signpost.url);
    await signpost.stop();
    await delay(20_000);
    signpost = await Signpost.start([...ARGS, host]);
    await viewer.until("stats.phase === 'live' && stats.connections === 2", 10);
    await seesMovingPicture(viewer);
    await viewer.close();
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
    const { host } = new URL(signpost.url);
    await signpost.stop();
    await viewer.until("stats.phase === 'ended'", 60);
    // The first attempt and the five of the ladder, after the one that had made the connection.
    const { attempts, ladder } = await viewer.stats();
    assert.deepEqual([attempts, ladder.name], [7, "over"]);
    assert.equal(await viewer.page.locator("#problem-title").textContent(), "The device does not answer");
    assert.equal(await viewer.page.getByRole("button", { name: "Connect again" }).isVisible(), true);
    signpost = await Signpost.start([...ARGS, host]);
    await viewer.until("stats.phase === 'live'", 20);
    assert.equal(await viewer.page.locator("#problem").isVisible(), false);
    await rests(viewer);
    await viewer.close();
});

test("a device with waits of its own is tried after these, and as often", async () => {
    const env = { SIGNPOST_SESSIONS__RECONNECT_WAITS_S: "0.5, 3" };
    const other = await Signpost.start([...ARGS, "127.0.0.1:0"], { env });
    const viewer = await Viewer.open(browser, other.url);
    await rests(viewer);
    await other.stop();
    await viewer.page.getByText(/Attempt 2 of 2/).first().waitFor();
    await viewer.until("stats.phase === 'ended'", 30);
    // The one that had made the connection, one at once, and two after a wait.
    assert.equal((await viewer.stats()).attempts, 4);
    await viewer.close();
});

test("the button connects again", async () => {
    const viewer = await open();
    await withoutQuestions(viewer);
    const { host } = new URL(signpost.url);
    await signpost.stop();
    await viewer.until("stats.phase === 'ended'", 60);
    signpost = await Signpost.start([...ARGS, host]);
    await viewer.page.getByRole("button", { name: "Connect again" }).click();
    await rests(viewer);
    assert.equal(await viewer.page.locator("#problem").isVisible(), false);
    await viewer.close();
});

test("a network that is back starts what a button would", async () => {
    const viewer = await open();
    await withoutQuestions(viewer);
    const { host } = new URL(signpost.url);
    await signpost.stop();
    await viewer.until("stats.phase === 'ended'", 60);
    signpost = await Signpost.start([...ARGS, host]);
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
    await viewer.until("stats.attempt?.phase === 'checking'", 10);
    const { session } = await viewer.stats();
    await viewer.page.waitForEvent("load");
    await viewer.until("stats.phase === 'live' && stats.frames > 3", 20);
    assert.equal(await loads(viewer), 2);
    assert.equal((await viewer.stats()).session, session);
    await viewer.close();
});

test("a page that loading does not help says so and does not load itself for ever", async () => {
    const viewer = await Viewer.open(browser, signpost.url, { script: { content: stallIn(9) } });
    await viewer.page.waitForEvent("load");
    await viewer.until("stats.attempts === 2 && stats.ladder.name === 'waiting'", 40);
    assert.equal(await loads(viewer), 2);
    assert.equal((await viewer.stats()).last_reason, "stalled");
    assert.match(await viewer.page.locator("#line").innerText(), /does not look for a path/);
    await viewer.close();
});
