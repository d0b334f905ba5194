// How long a start takes, against the goals: node tests/figures/start.mjs, or ./dev figures.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { Signpost } from "../browser/signpost.mjs";
import { launch, Viewer } from "../browser/viewer.mjs";

const STARTS = 10;
const READY_S = 1.5;
const PICTURE_S = 2.5;
/** How long the page has waited when the device starts: spread over its ladder of attempts. */
const AWAY_S = [0.5, 1, 2, 3.5, 5, 7, 9.5, 12, 15, 19, 25];

const state = mkdtempSync(join(tmpdir(), "signpost-figures-"));
const rows = [];
/** The program that was started last. */
let signpost;

/** Starts it; `ready` resolves with the seconds until it says that it is. */
async function start(listen) {
    const begun = performance.now();
    let isReady;
    const ready = new Promise((resolve) => (isReady = resolve));
    const onLine = (line) => line.includes("ready: ") && isReady((performance.now() - begun) / 1000);
    const args = ["--open", "--source", "demo", "--listen", listen];
    signpost = await Signpost.start(args, { env: { STATE_DIRECTORY: state }, onLine });
    return { begun, ready };
}

function report(figure, values, goal_s) {
    const sorted = [...values].sort((a, b) => a - b);
    const measured = `${sorted.at(-1).toFixed(2)} s at most, median ${sorted[Math.floor(sorted.length / 2)].toFixed(2)} of ${sorted.length}`;
    rows.push({ figure, measured, goal: `<= ${goal_s} s`, met: sorted.at(-1) <= goal_s });
}

const browser = await launch();
try {
    const ready = [];
    for (let i = 0; i <= STARTS; i += 1) {
        const started = await start("127.0.0.1:0");
        const took_s = await started.ready;
        // The first one makes GStreamer's list of plugins, if there is none.
        if (i > 0) ready.push(took_s);
        await signpost.stop();
    }
    report("start to READY", ready, READY_S);

    await start("127.0.0.1:0");
    const { host } = new URL(signpost.url);
    const viewer = await Viewer.open(browser, signpost.url);
    const seen = [];
    for (const away_s of AWAY_S) {
        await viewer.until("stats.phase === 'live' && stats.ladder.name === 'resting' && stats.fps > 10");
        const { connections } = await viewer.stats();
        await signpost.stop();
        await delay(1000 * away_s);
        const { begun } = await start(host);
        // It is another connection with its first frame.
        await viewer.until(`stats.connections > ${connections} && stats.phase === 'live'`);
        seen.push((performance.now() - begun) / 1000);
    }
    report("start to the first picture in a page that waits", seen, PICTURE_S);
} finally {
    await browser.close();
    await signpost?.stop();
    rmSync(state, { recursive: true });
}
if (process.argv.includes("--json")) console.log(JSON.stringify(rows));
else console.table(rows);
// A browser that hangs keeps nothing.
process.exit(rows.every(({ met }) => met) ? 0 : 1);
