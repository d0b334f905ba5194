// The network goes away and comes back, and nobody touches the page.

import { received, firstAfter } from "./presented.mjs";
import { SHORT_S, sleep, within } from "./processes.mjs";

/**
 * The page sees a loss after 3.1 s, and silence ends each of its attempts after 2 s: they
 * begin 3.1, 6.2, 10.3 and 16.5 s after the last picture. An outage of 10 s that begins in
 * the first 8.4 ends at the end of a wait, in the third attempt, in the wait of 4 s that
 * follows, or in the fourth attempt.
 */
const STARTS_S = 8.4;

/** A picture stream has more than one picture; a busy machine shows few. */
const MORE = 3;
/** The end of the transcript that the device sends. */
const DEVICE_CHARACTERS = 64;
/** The clip spells on within seconds; a busy machine reads it slowly. */
const LETTER_S = 150;
/** In the short form: who does not come back by himself does not in half a minute. */
const COARSE_S = 30;

export const limit_s = ({ short }) => (short ? SHORT_S : 1200);

export async function run(stage) {
    const middle = await stage.network("ann");
    // A clip that is read, so that there is a transcript to lose.
    await stage.signpost({ source: "demo", recognition: true });
    const viewer = await stage.browser("ann");
    await viewer.until("stats.transcript.length > 0");

    const before = (await received(viewer.page)).connections;
    const brief = await outage(middle, viewer, 2);
    const made = (await received(viewer.page)).connections - before;
    // The page takes 3 s without a picture for an outage, and a busy machine adds one.
    const most = stage.choose(0, 5);
    stage.row("2 s outage: new connections", `<= ${most}${stage.coarse}`, made, made <= most);
    const back_s = stage.choose(3, COARSE_S);
    stage.row("2 s outage: picture after the link is back", `<= ${back_s} s${stage.coarse}`, said(brief), brief <= back_s);

    await long(stage, middle, viewer);
    await moved(stage, middle, viewer);
}

/** Seconds from the link's return to the next picture. */
async function outage(middle, viewer, seconds) {
    await middle.set("ann", "both", { outage: "on" });
    await sleep(seconds);
    await middle.set("ann", "both", { outage: "off" });
    return pictureWithin(viewer, 30);
}

async function pictureWithin({ page }, limit_s) {
    // What was in the jitter buffer may still be shown; half a second later it is not.
    const moment = Date.now();
    const grace = 500;
    let first = Number.POSITIVE_INFINITY;
    await within(limit_s, async () => (first = await firstAfter(page, moment + grace, MORE)) < Number.POSITIVE_INFINITY);
    return (first - moment) / 1000;
}

const said = (seconds) => (seconds === Number.POSITIVE_INFINITY ? "not within 30 s" : `${seconds.toFixed(1)} s`);

async function long(stage, middle, viewer) {
    const runs = stage.choose(20, 1);
    const [took, moments] = [[], []];
    let [sessions, transcripts] = [0, 0];
    for (let run = 0; run < runs; run += 1) {
        await viewer.until("stats.ladder.name === 'resting'");
        const before = await viewer.stats();
        const start_s = (STARTS_S * run) / runs;
        // Until the outage has begun, or the page would be answered before.
        const stood = standsStill(stage.device, start_s + 1);
        await sleep(start_s);
        const atItsEnd = sleep(9.9).then(() => viewer.stats());
        took.push(await outage(middle, viewer, 10));
        await stood;
        const { name, step } = (await atItsEnd).ladder;
        moments.push(`${took.at(-1).toFixed(1)} (${name} ${step ?? ""})`);
        const after = await viewer.stats();
        sessions += after.session === before.session ? 1 : 0;
        transcripts += (await goesOn(viewer, before.transcript)) ? 1 : 0;
        if (took.at(-1) === Number.POSITIVE_INFINITY) {
            // The next run needs a picture to lose: this one is missed already.
            await viewer.page.reload();
            await viewer.connects();
            await viewer.until("stats.transcript.length > 0");
        }
    }
    const slowest = Math.max(...took);
    const allowed = stage.choose(3, COARSE_S);
    stage.row(`10 s outage, ${runs} runs: picture after the link is back`, `<= ${allowed} s${stage.coarse}`, `slowest ${said(slowest)}: ${moments.join(", ")}`, slowest <= allowed);
    stage.row("10 s outage: same session", `${runs} of ${runs}`, sessions, sessions === runs);
    stage.row("10 s outage: same transcript", `${runs} of ${runs}`, transcripts, transcripts === runs);
}

/** The device says nothing for so long, so that the page begins its ladder. */
async function standsStill({ pid }, seconds) {
    process.kill(pid, "SIGSTOP");
    await sleep(seconds);
    process.kill(pid, "SIGCONT");
}

/**
 * Whether what is shown begins with what was shown before, and is longer, and the device
 * says the same: its own last characters, 64 if there are so many, are the end of it. A
 * device that had begun anew would say less.
 */
async function goesOn({ page }, before) {
    const read = () => page.evaluate(() => [window.signpost.stats.transcript, window.told]);
    const holds = async () => {
        const [shown, told] = await read();
        return shown.length > before.length && shown.startsWith(before) && told === shown.slice(-DEVICE_CHARACTERS);
    };
    return (await within(LETTER_S, holds)) < Number.POSITIVE_INFINITY;
}

async function moved(stage, middle, viewer) {
    await viewer.until("stats.ladder.name === 'resting'");
    const before = await viewer.stats();
    middle.move("ann", "192.0.2.2", "192.0.2.77");
    const took = await pictureWithin(viewer, 30);
    const allowed = stage.choose(6, COARSE_S);
    stage.row("address changed: picture", `<= ${allowed} s${stage.coarse}`, said(took), took <= allowed);
    const after = await viewer.stats();
    stage.row("address changed: same session", "yes", after.session === before.session ? "yes" : "no", after.session === before.session);
}
