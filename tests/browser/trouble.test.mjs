// What the page says when something is in the way.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Signpost } from "./signpost.mjs";
import { launch, Viewer } from "./viewer.mjs";

let browser;

before(async () => {
    browser = await launch();
});

after(() => browser?.close());

test("a viewer too many is told so and gets the place that becomes free", async () => {
    const signpost = await Signpost.start(["--open", "--source", "demo", "--listen", "127.0.0.1:0"], {
        env: { SIGNPOST_SESSIONS__MAX_VIEWERS: "1" },
    });
    try {
        const first = await Viewer.open(browser, signpost.url);
        await first.connects();
        const second = await Viewer.open(browser, signpost.url);
        await second.until("stats.phase === 'ended'");
        assert.equal(await second.page.locator("#problem-title").textContent(), "All places are taken");
        await first.close();
        await second.page.getByRole("button", { name: "Connect again" }).click();
        await second.connects();
        assert.equal(await second.page.locator("#problem").isVisible(), false);
    } finally {
        await signpost.stop();
    }
});

test("a device that goes away is told, and a button connects again", async () => {
    let signpost = await Signpost.start(["--open", "--source", "demo", "--listen", "127.0.0.1:0"]);
    try {
        const { host, href } = new URL(signpost.url);
        const viewer = await Viewer.open(browser, href);
        await viewer.connects();
        await signpost.stop();
        await viewer.until("stats.phase === 'ended'", 40);
        const button = viewer.page.getByRole("button", { name: "Connect again" });
        await button.click();
        await viewer.page.getByText("The device does not answer").waitFor();
        signpost = await Signpost.start(["--open", "--source", "demo", "--listen", host]);
        const { drawn } = await viewer.stats();
        await button.click();
        await viewer.connects();
        await viewer.until(`stats.drawn > ${drawn + 3}`);
    } finally {
        await signpost.stop();
    }
});

test("a browser without WebRTC is told so", async () => {
    const signpost = await Signpost.start(["--open", "--source", "demo", "--listen", "127.0.0.1:0"]);
    try {
        const context = await browser.newContext();
        await context.addInitScript(() => delete window.RTCPeerConnection);
        const page = await context.newPage();
        await page.goto(signpost.url);
        await page.getByText("It has no WebRTC").waitFor();
    } finally {
        await signpost.stop();
    }
});
