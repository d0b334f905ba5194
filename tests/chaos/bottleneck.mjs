// A narrow link, from the start and all of a sudden; another viewer never notices.

import { QUEUE_BYTES } from "./network.mjs";
import { presented, received } from "./presented.mjs";
import { sleep, within } from "./processes.mjs";

const NARROW = { rate_bps: 1_000_000, queue_bytes: QUEUE_BYTES };
/** 200 ms at 5 Mbit/s. */
const WIDE = { rate_bps: 5_000_000, queue_bytes: 5 * QUEUE_BYTES };

export const limit_s = ({ short }) => (short ? 120 : 240);

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
    const other = stage.visitor(["watch", url, "--seconds", "230"], "ben");
    await other.watching();
    await sleep(3);
    const calmFrom = performance.now();
    await sleep(stage.choose(15, 6));
    const calm = other.between(calmFrom, performance.now());
    const troubleFrom = performance.now();

    await fromTheStart(stage, middle);
    await suddenly(stage, middle);

    const during = other.between(troubleFrom, performance.now());
    const change = Math.abs(during.kbps / calm.kbps - 1);
    const seen = `${(100 * change).toFixed(1)} % (${calm.kbps.toFixed(0)}, ${during.kbps.toFixed(0)} kbit/s)`;
    stage.row("another viewer's bitrate changes", "<= 10 %", seen, change <= 0.1);
}

async function fromTheStart(stage, middle) {
    await middle.set("ann", "down", NARROW);
    const viewer = await stage.browser("ann");
    const from = Date.now();
    const rates = await sentRates(middle, "ann", stage.choose(20, 10));
    const below = rates.slice(5);
    // The relay counts IP headers, and a probe may stick out for a second.
    const late = below.filter((rate) => rate > 1000).length;
    stage.row("1 Mbit/s from the start: sent after 5 s", "< 1000 kbit/s", `${below.map((rate) => rate.toFixed(0)).join(" ")}`, late === 0);
    const { longest_ms, frozen_ms } = await presented(viewer.page, from, Date.now());
    stage.row("1 Mbit/s from the start: longest freeze", "<= 1000 ms", `${longest_ms.toFixed(0)} ms, ${frozen_ms.toFixed(0)} ms in all`, longest_ms <= 1000);
    await viewer.close();
}

async function suddenly(stage, middle) {
    await middle.set("ann", "down", WIDE);
    const viewer = await stage.browser("ann");
    await sleep(stage.choose(20, 8));
    const { height } = await received(viewer.page);
    await middle.set("ann", "down", NARROW);
    const from = Date.now();
    await sleep(stage.choose(20, 8));
    const { frozen_ms } = await presented(viewer.page, from, Date.now());
    stage.row("5 to 1 Mbit/s: frozen in all", "<= 1000 ms", `${frozen_ms.toFixed(0)} ms`, frozen_ms <= 1000);

    const low = (await received(viewer.page)).height;
    await middle.set("ann", "down", WIDE);
    // Who was never on the low one has not come back; and a trial that fails is not back.
    const back = await within(stage.choose(40, 25), async () => (await received(viewer.page)).height === height);
    await sleep(3);
    const stayed = (await received(viewer.page)).height === height;
    stage.row("back at 5 Mbit/s: on the full rendition", "<= 20 s", `${back.toFixed(1)} s, ${low} to ${height} lines, ${stayed ? "stays" : "falls back"}`, low < height && back <= 20 && stayed);
}
