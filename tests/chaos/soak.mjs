// Ten viewers and recognition for an hour: what grows, and what complains.

import { figures, slope, sleep } from "./processes.mjs";

const VIEWERS = 10;
const EVERY_S = 10;

export const limit_s = ({ minutes }) => 60 * minutes + 120;

/** Errors and warnings, ours and those of GLib. */
const COMPLAINT = /\b(ERROR|WARN|WARNING|CRITICAL)\b|panicked/;

export async function run(stage) {
    const complaints = new Set();
    let lines = 0;
    const onLine = (line) => {
        lines += 1;
        if (COMPLAINT.test(line)) complaints.add(line);
    };
    const signpost = await stage.signpost({ source: "demo", recognition: true, onLine });
    const seconds = 60 * stage.minutes;
    const crowd = stage.visitor(["watch", signpost.url, "--viewers", `${VIEWERS}`, "--seconds", `${seconds + 60}`]);
    await crowd.watching(VIEWERS);
    const warm_s = Math.min(120, seconds / 5);
    await sleep(warm_s);
    const samples = [];
    const begun = performance.now();
    while (performance.now() - begun < 1000 * (seconds - warm_s)) {
        await sleep(EVERY_S);
        samples.push({ hour: (performance.now() - begun) / 3.6e6, ...figures(signpost.pid) });
        crowd.lines.splice(0, Math.max(0, crowd.lines.length - 100));
    }
    const hours = samples.map(({ hour }) => hour);
    const of = (key) => slope(hours, samples.map((sample) => sample[key]));
    const { sessions, recognition } = await stage.status();
    stage.row("viewers at the end", `${VIEWERS}`, sessions.viewers, sessions.viewers === VIEWERS);
    stage.row("recognition", "running", `${recognition.state}, ${recognition.results_per_s} results/s`, recognition.state === "running");
    stage.row("memory", "<= 1024 kB an hour", `${of("kB").toFixed(0)} kB an hour, ${samples.at(-1).kB} kB at the end`, of("kB") <= 1024 || stage.minutes < 30);
    stage.row("threads", "flat", `${of("threads").toFixed(2)} an hour, ${samples.at(-1).threads}`, Math.abs(of("threads")) < 1 || stage.minutes < 30);
    stage.row("descriptors", "flat", `${of("descriptors").toFixed(2)} an hour, ${samples.at(-1).descriptors}`, Math.abs(of("descriptors")) < 1 || stage.minutes < 30);
    crowd.signal("SIGTERM");
    await crowd.ended;
    const code = await signpost.stop();
    stage.row("its end when asked for", "code 0", `code ${code}`, code === 0);
    const seen = [`${complaints.size} different of ${lines} lines`, ...[...complaints].slice(0, 3)];
    stage.row("errors and warnings in the log, from start to end", "0", seen.join(" | "), complaints.size === 0);
}
