// A model that is ten times slower than it should be, and one that is busy for seconds: viewers
// do not notice, and the device says what it is.

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { figures, SHORT_S, sleep, within } from "./processes.mjs";
import { activate, bring } from "./swap.mjs";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");
const VIEWERS = 2;
const KEPT = 0.98;
/** In the short form: a machine with two cores does other things, too. */
const COARSE = 0.5;
const TRIMMED_S = 12;

export const limit_s = ({ short }) => (short ? SHORT_S : 900);

export async function run(stage) {
    const env = { SIGNPOST_MODEL__BUNDLE: join(ROOT, "tests/bundles/colour-float32") };
    const { url, pid } = await stage.signpost({ env, recognition: true });
    const recognition = async () => (await stage.status()).recognition;
    await within(60, async () => (await recognition()).results > 0);
    for (const name of ["slow", "blocked"]) await bring(url, name);
    const visitor = stage.visitor(["watch", url, "--viewers", `${VIEWERS}`, "--seconds", "800"]);
    await visitor.watching(VIEWERS);
    const seconds = stage.choose(60, 10);

    /** What the status and the metrics say, as soon as it is `words`; or what they said last. */
    const toldOf = async (words) => {
        let [degraded, metric] = [];
        const metrics = async () => (await fetch(`${url}metrics`)).text();
        // It is told while the model is busy, and no more when there is a result.
        await within(seconds, async () => {
            if (!words.test(degraded)) degraded = (await recognition()).degraded;
            if (!words.test(metric)) metric = /signpost_degraded_info\{.*\} 1/.exec(await metrics())?.[0];
            return words.test(degraded) && words.test(metric);
        });
        return { degraded, metric };
    };
    /** The lower frame rate of the two viewers while a model reads, and what it takes. */
    const measure = async () => {
        await sleep(stage.choose(TRIMMED_S, 2));
        const begun = performance.now();
        const { dropped } = await recognition();
        const { kB } = figures(pid);
        await sleep(seconds);
        const ended = performance.now();
        const now = await recognition();
        const fps = Math.min(...[0, 1].map((viewer) => visitor.between(begun, ended, viewer).fps));
        const gaps = [0, 1].map((viewer) => visitor.between(begun, ended, viewer).longestGap_ms);
        return { fps, gap_ms: Math.max(...gaps), dropped: now.dropped - dropped, kB, more_kB: figures(pid).kB - kB };
    };
    const good = await measure();
    stage.row("(frames a second, memory with a model that is fast)", "-", `${good.fps.toFixed(2)}, ${good.kB} kB, ${good.dropped} frames skipped`);
    const kept = stage.choose(KEPT, COARSE);
    for (const [name, words] of [["slow", /too slow/], ["blocked", /busy|too slow/]]) {
        await activate(url, name);
        const told = toldOf(words);
        const seen = await measure();
        const { degraded, metric } = await told;
        const share = seen.fps / good.fps;
        stage.row(`${name}: live frame rate`, `>= ${100 * kept} %${stage.coarse}`, `${(100 * share).toFixed(1)} % (${seen.fps.toFixed(2)}), longest gap ${seen.gap_ms} ms`, share >= kept);
        stage.row(`${name}: results that were skipped are counted`, "> 0", seen.dropped, seen.dropped > 0);
        stage.row(`${name}: the status says so`, `${words}`, degraded, words.test(degraded));
        stage.row(`${name}: and the metrics`, `${words}`, metric, words.test(metric));
        // The heap is trimmed every 10 s: what is freed and not given back is in it.
        stage.row(`(${name}: beside the fast model's)`, "-", `${((seen.kB - good.kB) / 1024).toFixed(1)} MB, the models' own in it`);
        const more = `${(seen.more_kB / 1024).toFixed(1)} MB more after ${seconds} s, of ${(seen.kB / 1024).toFixed(0)}`;
        if (!stage.short) stage.row(`${name}: memory`, "unchanged, within 8 MB", more, seen.more_kB <= 8192);
    }
    const { sessions } = await stage.status();
    stage.row("viewers that were dropped", "0", VIEWERS - sessions.viewers, sessions.viewers === VIEWERS);
}
