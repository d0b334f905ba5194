// A picture that was lost comes back without a hand on the page.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { browser, cut, keepPeers, open, openPeers, rests, signpost, standsStill } from "./lost.mjs";
import { seesMovingPicture } from "./sights.mjs";
import { once, spread, Viewer } from "./viewer.mjs";

test("a connection that dies is replaced by another one", async () => {
    const viewer = await open();
    await cut(viewer);
    await viewer.until("stats.phase === 'live' && stats.connections === 2");
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
        await viewer.until("stats.phase === 'live' && stats.connections === 2");
        // What is written from now on is of the second connection.
        await viewer.page.evaluate(() => document.getElementById("detail-rendition").replaceChildren());
        await told.waitFor();
        await viewer.close();
    }
});

test("two losses in a row are both made good, and the second waits its turn", async () => {
    const viewer = await open();
    await cut(viewer);
    await viewer.until("stats.connections === 2 && stats.ladder.name === 'trial'");
    await cut(viewer);
    await viewer.until("stats.connections === 3");
    // The first picture had not stayed long enough, so this was attempt 1 of 5.
    assert.deepEqual((await viewer.stats()).ladder, { name: "trial", step: 1 });
    await rests(viewer);
    await viewer.close();
});

test("an outage of 2 s needs no other connection", async () => {
    const viewer = await open();
    const kept = await once(async () => {
        const before = await viewer.stats();
        await standsStill(2000);
        await viewer.until(`stats.phase === 'live' && stats.frames > ${before.frames + 10} && stats.fps > 3`);
        const { connections, attempts, session } = await viewer.stats();
        assert.equal(session, before.session);
        return connections === before.connections && attempts === before.attempts;
    });
    assert.ok(kept);
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
        await viewer.page.locator("#problem").waitFor({ state: "hidden" });
        seen = (await viewer.stats()).transcript;
    });
    await viewer.until("stats.phase === 'live' && stats.fps > 3");
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
    await viewer.until("!stats.clearing && stats.transcript.length < 4");
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
    assert.ok(offers.length > 0 && offers.every((id) => id === session), offers.join());
    // A copy of the tab would carry the id along, and two pages would share a session.
    assert.equal(await viewer.page.evaluate(() => sessionStorage.length), 0);
    await viewer.close();
});

test("a hidden tab is left alone", async () => {
    const viewer = await open();
    const { attempts } = await viewer.stats();
    await viewer.page.evaluate(() => {
        Object.defineProperty(document, "hidden", { value: true, configurable: true });
    });
    await standsStill(6000, async () => {
        await viewer.until("stats.fps === 0");
        await delay(4000);
        assert.equal((await viewer.stats()).attempts, attempts);
        await viewer.page.evaluate(() => {
            delete document.hidden;
            document.dispatchEvent(new Event("visibilitychange"));
        });
        // The device stands still until then: nothing else can be the reason.
        await viewer.until(`stats.attempts > ${attempts}`);
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
    await viewer.until("stats.phase === 'live' && stats.frames > 3");
    await viewer.page.evaluate(() => window.hide(true));
    await cut(viewer);
    await viewer.until("stats.ladder.name === 'resting' && stats.connections === 2");
    await viewer.page.evaluate(() => window.hide(false));
    await rests(viewer);
    assert.equal((await viewer.stats()).attempts, 2);
    assert.equal(await viewer.page.locator("video").count(), 1);
    await viewer.close();
});
