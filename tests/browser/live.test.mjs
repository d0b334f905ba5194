// The live page on loopback, without login: what a newcomer sees after ./dev run.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { behaved, seesLandmarks, seesMovingPicture, seesTranscript } from "./sights.mjs";
import { Signpost } from "./signpost.mjs";
import { launch, Viewer } from "./viewer.mjs";

let browser;
let signpost;

before(async () => {
    browser = await launch();
    signpost = await Signpost.start(["--open", "--source", "demo", "--listen", "127.0.0.1:0"]);
});

after(async () => {
    await browser?.close();
    await signpost?.stop();
});

test("a viewer sees the picture move, landmarks, the sign and HELLO WORLD", async () => {
    const viewer = await Viewer.open(browser, signpost.url);
    await seesMovingPicture(viewer);
    await seesLandmarks(viewer);
    await seesTranscript(viewer, "HELLO WORLD");
    const sign = viewer.page.locator("#sign");
    await viewer.until('/^[A-Z]$/.test(document.getElementById("sign").textContent)');
    assert.equal(await sign.isVisible(), true);
    assert.match(await viewer.page.locator("#chip-text").textContent(), /demo clip/);
    behaved(viewer, signpost.url);
    await viewer.close();
});

test("the network path is told as soon as there is a picture", async () => {
    const viewer = await Viewer.open(browser, signpost.url);
    await viewer.connects();
    // Before there are figures of the link, which need two looks.
    await viewer.until('/udp/.test(document.getElementById("detail-path").textContent) && !stats.link');
    const { pair } = await viewer.stats();
    assert.deepEqual([pair.remote, pair.protocol], ["host", "udp"]);
    await viewer.until("stats.link");
    await viewer.close();
});

test("a screen reader is told the picture's name, and each change in one place", async () => {
    const viewer = await Viewer.open(browser, signpost.url);
    await viewer.connects();
    assert.equal(await viewer.page.getByLabel("What the camera sees").evaluate(({ tagName }) => tagName), "VIDEO");
    const speaking = await viewer.page.locator('[role="status"], [role="alert"], [role="log"], [aria-live]').evaluateAll(
        (all) => all.map(({ id }) => id).sort());
    assert.deepEqual(speaking, ["line", "problem", "spoken"]);
    await viewer.close();
});

test("two viewers at once both see picture and predictions", async () => {
    const viewers = await Promise.all([Viewer.open(browser, signpost.url), Viewer.open(browser, signpost.url)]);
    for (const viewer of viewers) {
        await seesMovingPicture(viewer);
        await seesLandmarks(viewer);
    }
    const [first, second] = await Promise.all(viewers.map((viewer) => viewer.stats()));
    assert.notEqual(first.session, second.session);
    await Promise.all(viewers.map((viewer) => viewer.close()));
});

test("predictions name frames that are shown, and lie on them", async () => {
    const viewer = await Viewer.open(browser, signpost.url);
    await viewer.connects();
    // How many are in time depends on the machine; that it stays at none is a fault.
    await viewer.until("stats.hits > 60");
    const { delay_ms } = await viewer.stats();
    // Where the browser is slower than recognition, none is needed.
    assert.ok(delay_ms >= 0 && delay_ms <= 150, `the picture is held ${delay_ms} ms`);
    await viewer.close();
});

test("lowest latency draws the newest prediction and tells its age", async () => {
    const viewer = await Viewer.open(browser, signpost.url);
    const toldAge = '/behind/.test(document.getElementById("detail-overlay").textContent)';
    await viewer.connects();
    await viewer.until(`stats.hits > 10 && !${toldAge}`);
    await viewer.page.getByLabel("Lowest latency").check();
    await viewer.until(`stats.delay_ms === 0 && stats.age_ms >= 0 && ${toldAge}`);
    await viewer.page.getByLabel("Lowest latency").uncheck();
    await viewer.until(`!${toldAge}`);
    await viewer.close();
});

test("landmarks can be hidden", async () => {
    const viewer = await Viewer.open(browser, signpost.url);
    await viewer.connects();
    await seesLandmarks(viewer);
    await viewer.page.getByLabel("Hand landmarks").uncheck();
    await viewer.until(`stats.frames > ${(await viewer.stats()).frames + 10}`);
    assert.equal((await viewer.drawing()).share, 0);
    await viewer.close();
});

test("the transcript can be cleared and goes on growing", async () => {
    const viewer = await Viewer.open(browser, signpost.url);
    await viewer.connects();
    await seesTranscript(viewer, "HELLO WORLD");
    await viewer.page.getByRole("button", { name: "Clear" }).click();
    await viewer.until("stats.transcript.length < 4");
    await viewer.until("stats.transcript.length >= 4");
    await viewer.close();
});

test("a phone on its side shows a picture that fills it", async () => {
    const viewer = await Viewer.open(browser, signpost.url, { viewport: { width: 844, height: 390 } });
    await viewer.connects();
    const { height } = await viewer.page.locator("#stage").boundingBox();
    assert.ok(height >= 0.6 * 390, `the picture is ${height} px high`);
    assert.equal(await viewer.page.evaluate(() => document.documentElement.scrollWidth), 844);
    await viewer.close();
});

test("a phone shows the page without scrolling sideways, in light and in dark", async () => {
    for (const colorScheme of ["light", "dark"]) {
        const viewer = await Viewer.open(browser, signpost.url, { viewport: { width: 360, height: 740 }, colorScheme });
        await viewer.connects();
        assert.equal(await viewer.page.evaluate(() => document.documentElement.scrollWidth), 360);
        await viewer.close();
    }
});
