// A bad wireless link: 5 % lost, 100 ms there and back.

import { judge, presented } from "./presented.mjs";
import { sleep } from "./processes.mjs";

const LINK = { delay_ms: 50 };

export const limit_s = ({ short }) => (short ? 80 : 200);

export async function run(stage) {
    const middle = await stage.network("ann", "ben");
    const { url } = await stage.signpost();
    const other = stage.visitor(["watch", url, "--seconds", "180"], "ben");
    await other.watching();
    const viewer = await stage.browser("ann");
    const seconds = stage.choose(60, 12);
    await sleep(stage.choose(8, 3));
    await quietPart(stage, viewer);
    await middle.set("ann", "both", LINK);
    // What the device sends is lost; feedback that is lost too would be another figure.
    await middle.set("ann", "down", { loss: 0.05 });
    await sleep(stage.choose(10, 4));
    const [from, began] = [Date.now(), performance.now()];
    await sleep(seconds);
    const { fps, longest_ms, frozen_ms } = await presented(viewer.page, from, Date.now());
    stage.row("5 % loss, 100 ms: frames a second presented, median", ">= 25", fps, fps >= 25);
    stage.row("5 % loss, 100 ms: longest freeze", "<= 500 ms", `${longest_ms.toFixed(0)} ms, ${frozen_ms.toFixed(0)} ms in all`, longest_ms <= 500);
    const { keyUnits, seconds: counted } = other.between(began, performance.now());
    const allowed = Math.ceil(counted / 5);
    stage.row(`key frames for another viewer in ${counted} s`, `<= ${allowed}`, keyUnits, keyUnits <= allowed);
}

/** What the browser presents on a good link of this machine: no figure above can be better. */
export async function quietPart(stage, { page }) {
    const from = Date.now();
    await sleep(stage.choose(10, 4));
    const all = await page.evaluate(() => window.presented);
    const { fps, longest_ms } = judge(all, from, Date.now());
    stage.row("(good link before: frames a second, longest gap)", "-", `${fps}, ${longest_ms.toFixed(0)} ms`);
}
