// A bad wireless link: 5 % lost, 100 ms there and back.

import { judge, presented } from "./presented.mjs";
import { SHORT_S, sleep } from "./processes.mjs";

const LINK = { delay_ms: 50 };

export const limit_s = ({ short }) => (short ? SHORT_S : 200);

export async function run(stage) {
    const middle = await stage.network("ann", "ben");
    const { url } = await stage.signpost();
    const other = stage.visitor(["watch", url, "--seconds", "180"], "ben");
    await other.watching();
    const began = stage.short ? await arriving(stage, middle, url) : await shown(stage, middle);
    const { keyUnits, seconds: counted } = other.between(began, performance.now());
    // The camera makes one each half second at most.
    const allowed = Math.ceil(counted / stage.choose(5, 1));
    stage.row(`key frames for another viewer in ${counted.toFixed(1)} s`, `<= ${allowed}${stage.coarse}`, keyUnits, keyUnits <= allowed);
}

async function spoil(stage, middle) {
    await middle.set("ann", "both", LINK);
    // What the device sends is lost; feedback that is lost too would be another figure.
    await middle.set("ann", "down", { loss: 0.05 });
    await sleep(stage.choose(10, 2));
    return performance.now();
}

async function shown(stage, middle) {
    const viewer = await stage.browser("ann");
    await sleep(8);
    await quietPart(stage, viewer);
    const began = await spoil(stage, middle);
    const from = Date.now();
    await sleep(60);
    const { fps, longest_ms, frozen_ms } = await presented(viewer.page, from, Date.now());
    stage.row("5 % loss, 100 ms: frames a second presented, median", ">= 25", fps, fps >= 25);
    stage.row("5 % loss, 100 ms: longest freeze", "<= 500 ms", `${longest_ms.toFixed(0)} ms, ${frozen_ms.toFixed(0)} ms in all`, longest_ms <= 500);
    return began;
}

/** In the short form nothing is decoded, which a busy machine could not. */
async function arriving(stage, middle, url) {
    const viewer = stage.visitor(["watch", url, "--seconds", "180"], "ann");
    await viewer.watching();
    const began = await spoil(stage, middle);
    await sleep(8);
    const { fps, longestGap_ms } = viewer.between(began, performance.now());
    stage.row("5 % loss, 100 ms: pictures a second that arrive", `>= 2${stage.coarse}`, fps.toFixed(1), fps >= 2);
    stage.row("5 % loss, 100 ms: longest gap", `<= 6000 ms${stage.coarse}`, `${longestGap_ms} ms`, longestGap_ms <= 6000);
    return began;
}

/** What the browser presents on a good link of this machine: no figure above can be better. */
export async function quietPart(stage, { page }) {
    const from = Date.now();
    await sleep(stage.choose(10, 4));
    const all = await page.evaluate(() => window.presented);
    const { fps, longest_ms } = judge(all, from, Date.now());
    stage.row("(good link before: frames a second, longest gap)", "-", `${fps}, ${longest_ms.toFixed(0)} ms`);
}
