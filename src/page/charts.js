// The charts of the last ten minutes: the device's figures and this browser's beside each other.

import { request } from "./api.js";
import { Chart } from "./chart.js";
import { card } from "./card.js";
import { make } from "./dom.js";
import { figures } from "./link.js";
import { aligned, LENGTH, ofDevice, PERIOD_S, seen } from "./series.js";
import { words } from "./words.js";

/** The device's answer holds ten minutes each time, so it is not asked for every sample. */
const ASK_EVERY_MS = 6000;

const said = words.diagnostics;

/** Each chart with its lines: `d` is the device's figure of that name, `o` this browser's own. */
const CHARTS = [
    { title: "bitrate", unit: "kbit/s", lines: [["full", "d.full"], ["low", "d.low"], ["vp8", "d.vp8"], ["received", "o.kbps"]] },
    { title: "rate", unit: "fps", lines: [["captured", "d.captured"], ["shown", "o.fps"], ["results", "d.results"]] },
    { title: "loss", unit: "%", lines: [["here", "o.loss"], ["worst", "d.lost"]] },
    { title: "roundTrip", unit: "ms", lines: [["here", "o.rtt_ms"], ["worst", "d.roundTrip"]] },
    { title: "way", unit: "ms", lines: [["capture", "d.capture"], ["encode", "d.encode"], ["network", "o.network_ms"], ["decode", "o.decode_ms"]] },
    { title: "reading", unit: "ms", lines: [["queue", "d.queue"], ["detect", "d.detect"], ["landmarks", "d.landmarks"], ["classify", "d.classify"]] },
];

/** The card; `probe()` is the connection that is looked at, if there is one. */
export function chartsCard(probe) {
    const charts = CHARTS.map(({ title, unit, lines }) => ({ lines, chart: new Chart(said.charts[title], unit) }));
    const own = { kbps: [], loss: [], fps: [], rtt_ms: [], decode_ms: [], network_ms: [] };
    let device = {};
    const show = () => {
        const known = { d: device, o: Object.fromEntries(Object.entries(own).map(([name, values]) => [name, aligned(values)])) };
        for (const { chart, lines } of charts) {
            chart.show(lines.map(([name, path]) => {
                const [whose, figure] = path.split(".");
                return { name: said.lines[name], values: known[whose][figure] };
            }));
        }
    };
    sampleEvery(PERIOD_S * 1000, probe, (sample) => {
        for (const [name, values] of Object.entries(own)) {
            values.push(sample[name] ?? null);
            if (values.length > LENGTH) values.shift();
        }
        show();
    });
    askEvery(ASK_EVERY_MS, (history) => {
        device = ofDevice(history);
        show();
    });
    return card("charts", said.sections.charts, make("div", { class: "charts" }, charts.map(({ chart }) => chart.element)));
}

/** What the browser's statistics say of the connection, from look to look. */
function sampleEvery(every_ms, probe, take) {
    let before;
    setInterval(async () => {
        const { peer } = probe() ?? {};
        const report = peer && peer.connectionState === "connected" ? await peer.getStats() : undefined;
        const now = performance.now();
        const after = report && { ...figures(report), peer, now };
        take(after && before?.peer === peer ? seen(before, after, after.now - before.now) : {});
        before = after;
    }, every_ms);
}

/** A device that keeps no figures is asked once. */
async function askEvery(every_ms, take) {
    try {
        take(await request("GET", "/api/v1/history"));
    } catch (error) {
        if (error.status === 404) return;
    }
    setTimeout(() => askEvery(every_ms, take), every_ms);
}
