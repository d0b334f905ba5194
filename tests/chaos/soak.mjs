// Ten viewers and recognition for an hour: what grows, and what complains.

import { figures, slope, sleep } from "./processes.mjs";

const VIEWERS = 10;
const EVERY_S = 10;

export const limit_s = ({ minutes }) => 60 * minutes + 120;

export async function run(stage) {
    const signpost = await stage.signpost({ source: "demo", recognition: true });
    const seconds = 60 * stage.minutes;
    const complaints = [];
    // signpost.mjs keeps the last lines only; an hour's are looked at as they come.
    const crowd = stage.visitor(["watch", signpost.url, "--viewers", `${VIEWERS}`, "--seconds", `${seconds + 60}`]);
    await crowd.watching(VIEWERS);
    const warm_s = Math.min(120, seconds / 5);
    await sleep(warm_s);
    const samples = [];
    const begun = performance.now();
    let seen = 0;
    while (performance.now() - begun < 1000 * (seconds - warm_s)) {
        await sleep(EVERY_S);
        samples.push({ hour: (performance.now() - begun) / 3.6e6, ...figures(signpost.pid) });
        crowd.lines.splice(0, Math.max(0, crowd.lines.length - 100));
        for (const line of signpost.log.slice(Math.min(seen, signpost.log.length))) {
            if (/\b(ERROR|WARN)\b|panicked|CRITICAL/.test(line) && !complaints.includes(line)) complaints.push(line);
        }
        seen = signpost.log.length < 200 ? signpost.log.length : 0;
    }
    const hours = samples.map(({ hour }) => hour);
    const of = (key) => slope(hours, samples.map((sample) => sample[key]));
    const { sessions, recognition } = await stage.status();
    stage.row("viewers at the end", `${VIEWERS}`, sessions.viewers, sessions.viewers === VIEWERS);
    stage.row("recognition", "running", `${recognition.state}, ${recognition.results_per_s} results/s`, recognition.state === "running");
    stage.row("memory", "<= 1024 kB an hour", `${of("kB").toFixed(0)} kB an hour, ${samples.at(-1).kB} kB at the end`, of("kB") <= 1024 || stage.minutes < 30);
    stage.row("threads", "flat", `${of("threads").toFixed(2)} an hour, ${samples.at(-1).threads}`, Math.abs(of("threads")) < 1 || stage.minutes < 30);
    stage.row("descriptors", "flat", `${of("descriptors").toFixed(2)} an hour, ${samples.at(-1).descriptors}`, Math.abs(of("descriptors")) < 1 || stage.minutes < 30);
    stage.row("errors and warnings in the log", "0", complaints.length === 0 ? 0 : complaints.slice(0, 3).join(" | "), complaints.length === 0);
}
