// A narrow link, from the start and all of a sudden; another viewer never notices.

import { QUEUE_BYTES } from "./network.mjs";
import { presented, received } from "./presented.mjs";
import { quantile, SHORT_S, sleep, within } from "./processes.mjs";

const NARROW = { rate_bps: 1_000_000, queue_bytes: QUEUE_BYTES };
/** 200 ms at 5 Mbit/s. */
const WIDE = { rate_bps: 5_000_000, queue_bytes: 5 * QUEUE_BYTES };

/** Long enough that one more key frame, which every newcomer costs, is no change of the rate. */
const STRETCH_S = 5;

export const limit_s = ({ short }) => (short ? SHORT_S : 300);

/** What the device sends to a visitor each second, in kbit/s, whether it arrives or not. */
async function sentRates(middle, name, seconds) {
    const rates = [];
    let before = (await middle.stats())[name].down;
    for (let second = 0; second < seconds; second += 1) {
        const begun = performance.now();
        await sleep(1);
        const { down } = (await middle.stats())[name];
        const share = (down.packets - before.packets) || 1;
        const dropped = down.overflowed - before.overflowed;
        // Dropped packets are of the size of those that passed.
        const bytes = (down.bytes - before.bytes) * (1 + dropped / share);
        rates.push((8 * bytes) / (performance.now() - begun));
        before = down;
    }
    return rates;
}

export async function run(stage) {
    const middle = await stage.network("ann", "ben");
    const { url } = await stage.signpost();
    const other = stage.visitor(["watch", url, "--seconds", "300"], "ben");
    await other.watching();
    await sleep(3);
    const moments = [{ name: "quiet", from: performance.now() }];
    const begins = (name) => moments.push({ name, from: performance.now() });
    await sleep(stage.choose(30, 8));

    if (stage.short) await counted(stage, middle, url, other, begins);
    else {
        await fromTheStart(stage, middle, begins);
        await suddenly(stage, middle, begins);
        await byReports(stage, middle, url, begins);
    }
    othersRows(stage, other, moments);
}

/** What another viewer gets in each part, against the mean of the quiet one. */
function othersRows(stage, other, moments) {
    const ends = [...moments.slice(1).map(({ from }) => from), performance.now()];
    const parts = moments.map(({ name, from }, i) => ({ name, mean: other.between(from, ends[i]).kbps, rates: other.stretches(from, ends[i], STRETCH_S) }));
    const [quiet, ...troubled] = parts;
    const change = (rate) => Math.abs(rate / quiet.mean - 1);
    const worst = ({ rates }) => rates.reduce((a, b) => (change(b) > change(a) ? b : a), quiet.mean);
    const percent = (rate) => `${(100 * change(rate)).toFixed(1)} %`;
    for (const part of troubled) {
        const seen = `${percent(worst(part))}: ${worst(part).toFixed(0)} of ${quiet.mean.toFixed(0)} kbit/s (quiet part's own: ${percent(worst(quiet))})`;
        const name = `another viewer's bitrate, ${part.name}: most changed ${STRETCH_S} s of ${part.rates.length}`;
        if (stage.short) stage.row(name, `10 % are left in the mean${stage.coarse}`, `${seen}, mean ${part.mean.toFixed(0)}`, part.mean >= 0.1 * quiet.mean);
        else stage.row(name, "<= 10 %", seen, part.rates.length > 0 && change(worst(part)) <= 0.1);
    }
}

/** What is sent through a narrow link after 5 s. */
async function sentRow(stage, middle) {
    const below = (await sentRates(middle, "ann", stage.choose(20, 9))).slice(5);
    // The relay counts IP headers.
    const [which, judged, most] = stage.choose(["all", Math.max(...below), 1000], ["median", quantile(below, 0.5), 1800]);
    stage.row("1 Mbit/s from the start: sent after 5 s", `${which} <= ${most} kbit/s${stage.coarse}`, below.map((rate) => rate.toFixed(0)).join(" "), judged <= most);
}

async function fromTheStart(stage, middle, begins) {
    begins("1 Mbit/s from the start");
    await middle.set("ann", "down", NARROW);
    const viewer = await stage.browser("ann");
    const from = Date.now();
    await sentRow(stage, middle);
    const { longest_ms, frozen_ms } = await presented(viewer.page, from, Date.now());
    stage.row("1 Mbit/s from the start: longest freeze", "<= 1000 ms", `${longest_ms.toFixed(0)} ms, ${frozen_ms.toFixed(0)} ms in all`, longest_ms <= 1000);
    await viewer.close();
}

async function suddenly(stage, middle, begins) {
    begins("5 Mbit/s");
    await middle.set("ann", "down", WIDE);
    const viewer = await stage.browser("ann");
    await sleep(20);
    const { height } = await received(viewer.page);
    begins("then 1 Mbit/s");
    await middle.set("ann", "down", NARROW);
    const from = Date.now();
    await sleep(20);
    const { frozen_ms } = await presented(viewer.page, from, Date.now());
    stage.row("5 to 1 Mbit/s: frozen in all", "<= 1000 ms", `${frozen_ms.toFixed(0)} ms`, frozen_ms <= 1000);

    const low = (await received(viewer.page)).height;
    begins("then 5 Mbit/s");
    await middle.set("ann", "down", WIDE);
    // Who was never on the low one has not come back; and a trial that fails is not back.
    const back = await within(40, async () => (await received(viewer.page)).height === height);
    await sleep(3);
    const stayed = (await received(viewer.page)).height === height;
    stage.row("back at 5 Mbit/s: on the full rendition", "<= 20 s", `${back.toFixed(1)} s, ${low} to ${height} lines, ${stayed ? "stays" : "falls back"}`, low < height && back <= 20 && stayed);
    await viewer.close();
}

/**
 * A peer that sends no transport-wide feedback, as aiortc does not. GStreamer's tells its losses
 * every 5 s at most, so that a trial of the full rendition may last as long.
 */
async function byReports(stage, middle, url, begins) {
    begins("1 Mbit/s, told by reports");
    await middle.set("ann", "down", NARROW);
    const viewer = stage.visitor(["watch", url, "--seconds", "60", "--reports-alone"], "ann");
    await viewer.watching();
    const from = performance.now();
    const rates = await sentRates(middle, "ann", 30);
    const { longestGap_ms } = viewer.between(from, performance.now());
    const median = quantile(rates.slice(5), 0.5);
    stage.row("1 Mbit/s, told by reports: sent after 5 s", "median <= 1000 kbit/s", rates.map((rate) => rate.toFixed(0)).join(" "), median <= 1000);
    stage.row("1 Mbit/s, told by reports: longest gap", "<= 1000 ms", `${longestGap_ms} ms`, longestGap_ms <= 1000);
    await viewer.kill();
}

/** The short form: nothing is decoded, which a busy machine could not. */
async function counted(stage, middle, url, other, begins) {
    begins("1 Mbit/s from the start");
    await middle.set("ann", "down", NARROW);
    const viewer = stage.visitor(["watch", url, "--seconds", "230"], "ann");
    await viewer.watching();
    const from = performance.now();
    await sentRow(stage, middle);
    const { longestGap_ms } = viewer.between(from, performance.now());
    stage.row("1 Mbit/s from the start: longest gap", `<= 6000 ms${stage.coarse}`, `${longestGap_ms} ms`, longestGap_ms <= 6000);
    begins("then 5 Mbit/s");
    await middle.set("ann", "down", WIDE);
    // Of the full rendition as the other one has it at the same time.
    const share = () => {
        const [since, now] = [performance.now() - 5000, performance.now()];
        return viewer.between(since, now).kbps / other.between(since, now).kbps;
    };
    const widened = performance.now();
    // The first 5 s of it have to be over: before, it is the narrow link that is judged.
    await sleep(5);
    const back = 5 + (await within(20, () => share() >= 0.7));
    const { fps } = viewer.between(widened, performance.now());
    stage.row("then at 5 Mbit/s: pictures a second", `>= 2${stage.coarse}`, fps.toFixed(1), fps >= 2);
    // On a busy machine a trial of the full rendition looks like a bad link.
    stage.row("(then at 5 Mbit/s: as much as the other viewer)", "-", back <= 25 ? `after ${back.toFixed(1)} s` : "not within 25 s");
}
