// A camera that fails, stalls, ends and is pulled out, again and again, under viewers' eyes.

import { rmSync, writeFileSync } from "node:fs";

import { plug } from "../browser/plug.mjs";
import { chance, figures, quantile, SHORT_S, sleep, within } from "./processes.mjs";

const FAULTS = ["error", "stall", "end", "pulled out"];
const BACK_S = 3;
/** In the short form: a busy machine takes its time, and a camera that stays away takes for ever. */
const COARSE_S = 15;
const VIEWERS = 2;
/** Threads that wait for work end after 10 s without any, and the heap is trimmed every 10 s. */
const REST_S = 22;
/** In the short form: the heap alone, or what is freed and not yet given back is taken for a leak. */
const TRIMMED_S = 12;

export const limit_s = ({ short }) => (short ? SHORT_S : 2400);

export async function run(stage) {
    const { device, env, remove } = plug();
    stage.finally(remove);
    const { url, pid } = await stage.signpost({ env, source: `v4l2:${device}` });
    const is = async (state) => (await stage.status()).cameras[0].state === state;
    const random = chance(stage.seed);

    /** One fault: how long until it was noticed, and until the picture was back after the camera. */
    const fault = async (kind) => {
        if (kind === "pulled out") rmSync(device);
        else writeFileSync(device, kind);
        const noticed_s = await within(30, () => is("failed"));
        await sleep(3 * random());
        writeFileSync(device, "ok");
        const live_s = await within(30, () => is("live"));
        // Nothing but the camera is encoded from then on.
        const { encoded } = (await stage.status()).cameras[0];
        const back_s = live_s + (await within(30, async () => (await stage.status()).cameras[0].encoded > encoded));
        // So that the next one does not meet a camera that is still starting.
        await sleep(0.3 + 0.5 * random());
        return { kind, noticed_s, back_s };
    };

    await within(60, () => is("live"));
    const visitor = stage.visitor(["watch", url, "--viewers", `${VIEWERS}`, "--seconds", "3000"]);
    await visitor.watching(VIEWERS);
    // What the first of each kind loads stays, and is no leak.
    for (const kind of FAULTS) await fault(kind);
    const { answered } = (await stage.status()).sessions;
    await sleep(stage.choose(REST_S, TRIMMED_S));
    const before = figures(pid);

    const begun = performance.now();
    const faults = [];
    const count = stage.choose(100, 4);
    for (let i = 0; i < count; i += 1) faults.push(await fault(FAULTS[i % FAULTS.length]));
    const ended = performance.now();
    await sleep(stage.choose(REST_S, TRIMMED_S));
    const after = figures(pid);

    for (const kind of FAULTS) {
        const those = faults.filter((each) => each.kind === kind);
        const back = those.map(({ back_s }) => back_s);
        const noticed = those.map(({ noticed_s }) => noticed_s);
        const seen = `${Math.max(...back).toFixed(1)} s, median ${quantile(back, 0.5).toFixed(1)} of ${back.length}; noticed after ${Math.max(...noticed).toFixed(1)} s`;
        const most = stage.choose(BACK_S, COARSE_S);
        stage.row(`${kind}: picture back after the camera`, `<= ${most} s${stage.coarse}`, seen, Math.max(...back) <= most);
    }
    const { sessions } = await stage.status();
    const kept = sessions.viewers === VIEWERS && sessions.answered === answered;
    stage.row("viewers that were dropped", "0", `${VIEWERS - sessions.viewers}, and ${sessions.answered - answered} came again`, kept);
    const gaps = [0, 1].map((viewer) => visitor.between(begun, ended, viewer).longestGap_ms);
    stage.row("(longest time without any picture)", "-", `${Math.max(...gaps)} ms`);
    const most = { threads: stage.choose(2, 20), descriptors: stage.choose(5, 60) };
    for (const key of ["threads", "descriptors"]) {
        const change = after[key] - before[key];
        stage.row(`${count} faults: ${key}`, `+-${most[key]}${stage.coarse}`, change, Math.abs(change) <= most[key]);
    }
    const kB = after.kB - before.kB;
    stage.row(`${count} faults: memory`, "<= 8 MB", `${(kB / 1024).toFixed(1)} MB (${before.kB} and ${after.kB} kB)`, kB <= 8192);
}
