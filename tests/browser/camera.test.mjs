// A device whose camera or clip shows nothing: what the page says, and how it comes back.

import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { plug } from "./plug.mjs";
import { Signpost } from "./signpost.mjs";
import { launch, spread, Viewer } from "./viewer.mjs";

const CLIP = fileURLToPath(new URL("../../models/fingerspelling/golden.mp4", import.meta.url));

let browser;

before(async () => {
    browser = await launch();
});

after(() => browser?.close());

const title = ({ page }) => page.locator("#problem-title");
const comesBack = (viewer) => viewer.until("stats.phase === 'live' && stats.fps > 3 && document.getElementById('problem').hidden");

/** Waits until the picture is so, 20 s at most: the status may come before it. */
async function shows(viewer, fits) {
    const deadline = performance.now() + 20_000;
    for (;;) {
        const seen = spread(await viewer.picture());
        if (fits(seen)) return;
        assert.ok(performance.now() < deadline, `mean ${seen.mean}, deviation ${seen.deviation}`);
        await delay(200);
    }
}

test("a camera that is pulled out is told with the time, and comes back to the same page", async () => {
    const { device, env, remove } = plug();
    const signpost = await Signpost.start(["--open", "--source", `v4l2:${device}`, "--listen", "127.0.0.1:0"], { env });
    try {
        const viewer = await Viewer.open(browser, signpost.url);
        await viewer.connects();
        await comesBack(viewer);
        const { session, connections } = await viewer.stats();
        await viewer.page.evaluate(() => (window.loadedOnce = true));

        rmSync(device);
        await title(viewer).getByText(/^No camera since \d\d:\d\d$/).waitFor();
        const reason = await viewer.page.locator("#problem-detail").textContent();
        assert.ok(reason.startsWith(`camera ${device}: `), reason);
        assert.equal(await viewer.page.locator("#remedy").isVisible(), false);
        await viewer.page.locator("#chip-text", { hasText: "no picture" }).waitFor();
        // The picture in its place says the same, and is not seen through the panel.
        await shows(viewer, ({ mean, deviation }) => mean > 10 && mean < 60 && deviation > 1);
        const ground = await viewer.page.locator("#problem").evaluate((panel) => getComputedStyle(panel).backgroundColor);
        assert.match(ground, /^rgb\(/);

        writeFileSync(device, "ok");
        await comesBack(viewer);
        const stats = await viewer.stats();
        assert.deepEqual([stats.session, stats.connections], [session, connections]);
        assert.equal(await viewer.page.evaluate(() => window.loadedOnce), true);
        assert.deepEqual(viewer.complaints, []);
        await viewer.close();
    } finally {
        await signpost.stop();
        remove();
    }
});

test("who comes while there is no camera is told since when, and is connected", async () => {
    const signpost = await Signpost.start(["--open", "--source", "v4l2:/dev/video97", "--listen", "127.0.0.1:0"]);
    try {
        const viewer = await Viewer.open(browser, signpost.url);
        await title(viewer).getByText(/^No camera since \d\d:\d\d$/).waitFor();
        await viewer.until("stats.ladder.name === 'resting'");
        const { attempts, drops } = await viewer.stats();
        assert.equal(attempts - drops, 1);
        await viewer.close();
    } finally {
        await signpost.stop();
    }
});

test("a clip that cannot be played is no camera that is away, and is shown when it can", async () => {
    const folder = mkdtempSync(join(tmpdir(), "signpost-clip-"));
    const clip = join(folder, "clip.mp4");
    writeFileSync(clip, "no clip");
    const signpost = await Signpost.start(["--open", "--source", `file:${clip}`, "--listen", "127.0.0.1:0"]);
    try {
        const viewer = await Viewer.open(browser, signpost.url);
        await title(viewer).getByText(/^No picture since \d\d:\d\d$/).waitFor();
        copyFileSync(CLIP, `${clip}.part`);
        renameSync(`${clip}.part`, clip);
        await comesBack(viewer);
        await viewer.close();
    } finally {
        await signpost.stop();
        rmSync(folder, { recursive: true });
    }
});
