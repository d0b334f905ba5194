// Programs that a scenario starts, and what /proc says of them.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";

import { binary } from "../browser/signpost.mjs";

/** A program that was built beside signpost. */
export const built = (name) => join(dirname(binary), name);

/** signpost-visitor (tests/visitor): its lines of JSON, kept as they come. */
export class Visitor {
    lines = [];
    #process;
    #waiting = new Set();

    /** `within` is a command in front of it, such as nsenter; `env` is added to the environment. */
    constructor(words, { within = [], env = {} } = {}) {
        const [program, ...rest] = [...within, built("signpost-visitor"), ...words];
        this.#process = spawn(program, rest, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
        this.said = "";
        this.#process.stderr.on("data", (data) => (this.said = `${this.said}${data}`.slice(-4000)));
        createInterface({ input: this.#process.stdout }).on("line", (line) => {
            this.lines.push({ at: performance.now(), ...JSON.parse(line) });
            for (const look of this.#waiting) look();
        });
        this.ended = once(this.#process, "close").then(([code]) => {
            for (const look of this.#waiting) look();
            return code;
        });
    }

    get pid() {
        return this.#process.pid;
    }

    /** Who was ended by a signal has no exit code. */
    get #gone() {
        return this.#process.exitCode !== null || this.#process.signalCode !== null;
    }

    signal(name) {
        this.#process.kill(name);
    }

    async kill() {
        this.signal("SIGKILL");
        await this.ended;
    }

    /** The first line that `matches`, now or within `limit_s`. */
    until(matches, what, limit_s = 60) {
        return new Promise((resolve, reject) => {
            const done = (settle, value) => {
                clearTimeout(limit);
                this.#waiting.delete(look);
                settle(value);
            };
            const look = () => {
                const found = this.lines.find(matches);
                if (found) done(resolve, found);
                else if (this.#gone) done(reject, new Error(`${what}: the visitor ended: ${this.said}`));
            };
            const limit = setTimeout(() => done(reject, new Error(`${what}: not within ${limit_s} s: ${this.said}`)), limit_s * 1000);
            this.#waiting.add(look);
            look();
        });
    }

    /** Until every one of `count` viewers has a picture. */
    async watching(count = 1) {
        for (let viewer = 0; viewer < count; viewer += 1) {
            await this.until((line) => line.event === "first_picture" && line.viewer === viewer, `viewer ${viewer}'s picture`);
        }
    }

    /** A viewer's figures of the seconds between two moments (performance.now()). */
    between(from, to, viewer = 0) {
        const lines = this.lines.filter((line) => line.pictures !== undefined && line.viewer === viewer && line.at > from + 1000 && line.at <= to);
        const sum = (key) => lines.reduce((total, line) => total + line[key], 0);
        // A line's own second ends a few ms late: its `t` is what it counted to.
        const seconds = lines.length > 1 ? ((lines.at(-1).t - lines[0].t) * lines.length) / (lines.length - 1) : 1;
        return {
            fps: sum("pictures") / seconds,
            kbps: (8 * sum("bytes")) / seconds / 1000,
            keyUnits: sum("key_units"),
            leftOut: sum("left_out"),
            longestGap_ms: Math.max(0, ...lines.map((line) => line.longest_gap_ms)),
            seconds,
        };
    }

    /** kbit/s of every stretch of `seconds` between two moments; one begins with each second. */
    stretches(from, to, seconds, viewer = 0) {
        const lines = this.lines.filter((line) => line.pictures !== undefined && line.viewer === viewer && line.at > from && line.at <= to);
        return lines.slice(seconds).map((last, i) => {
            // What a line counts came after the line before it.
            const bytes = lines.slice(i + 1, i + 1 + seconds).reduce((sum, line) => sum + line.bytes, 0);
            return (8 * bytes) / (last.t - lines[i].t) / 1000;
        });
    }
}

/** Limit of a scenario's short form. It ends what hangs, also on a machine that is busy. */
export const SHORT_S = 240;

export const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

/** Numbers from 0 to 1 that --seed decides (mulberry32). */
export function chance(seed) {
    let state = seed >>> 0;
    return () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let mixed = Math.imul(state ^ (state >>> 15), state | 1);
        mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
}

/** Threads, descriptors and private memory in kB. */
export function figures(pid) {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const number = (key) => Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(status)[1]);
    return { threads: number("Threads"), descriptors: readdirSync(`/proc/${pid}/fd`).length, kB: number("RssAnon") };
}

/** How many descriptors of each kind: { socket: 12, "[eventfd]": 3 }. */
export function kinds(pid) {
    const counts = {};
    for (const descriptor of readdirSync(`/proc/${pid}/fd`)) {
        let kind = "gone";
        try {
            kind = readlinkSync(`/proc/${pid}/fd/${descriptor}`).replace(/^(anon_inode:)/, "").replace(/:\[.*/, "");
        } catch {
            // Closed since it was listed.
        }
        counts[kind] = (counts[kind] ?? 0) + 1;
    }
    return counts;
}

/** Seconds of CPU that a process has used. */
export function cpu(pid) {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Least-squares slope of `values` over `positions`. */
export function slope(positions, values) {
    const mean = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;
    const [x, y] = [mean(positions), mean(values)];
    const up = positions.reduce((sum, position, i) => sum + (position - x) * (values[i] - y), 0);
    return up / positions.reduce((sum, position) => sum + (position - x) ** 2, 0);
}

export function quantile(values, share) {
    const sorted = [...values].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Polls until `holds`, and says how long it took in seconds; Infinity after `limit_s`. */
export async function within(limit_s, holds) {
    const begun = performance.now();
    while (performance.now() - begun < 1000 * limit_s) {
        if (await holds()) return (performance.now() - begun) / 1000;
        await sleep(0.1);
    }
    return Number.POSITIVE_INFINITY;
}
