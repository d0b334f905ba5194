// What a viewer of the demo clip must see, wherever the page was loaded from.

import assert from "node:assert/strict";

import { changed, spread } from "./viewer.mjs";

/** The clip takes 10 s; on a busy machine recognition skips frames and needs several tries. */
const READING_LIMIT_S = 240;

export async function seesMovingPicture(viewer) {
    await viewer.connects();
    const first = await viewer.picture();
    const { mean, deviation } = spread(first);
    assert.ok(mean > 12 && deviation > 6, `the picture is black or plain: mean ${mean}, deviation ${deviation}`);
    for (let tries = 0; tries < 20; tries += 1) {
        await viewer.until(`stats.frames > ${(await viewer.stats()).frames + 5}`);
        if (changed(first, await viewer.picture()) > 0.002) return;
    }
    assert.fail("the picture does not move");
}

export async function seesLandmarks(viewer) {
    const { share, left, top, right, bottom } = await viewer.handDrawn();
    assert.ok(share > 0.001 && share < 0.2, `${share} of the picture is drawn over`);
    const [width, height] = [right - left, bottom - top];
    assert.ok(width > 0.03 && width < 0.9 && height > 0.06 && height < 1, `a hand of ${width} x ${height}`);
}

export async function seesTranscript(viewer, text) {
    await viewer.until(`stats.transcript.includes(${JSON.stringify(text)})`, READING_LIMIT_S);
    const shown = await viewer.page.locator("#transcript").textContent();
    assert.ok(shown.includes(text), `the page shows ${JSON.stringify(shown)}`);
}

/** No request left the device, nothing was complained about. */
export function behaved(viewer, url) {
    assert.deepEqual([...viewer.hosts], [new URL(url).host]);
    assert.deepEqual(viewer.complaints, []);
}
