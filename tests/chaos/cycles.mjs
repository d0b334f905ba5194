// Visitors come and go, three of ten rudely; afterwards nothing is left of them.

import { figures, kinds, SHORT_S, sleep, slope, within } from "./processes.mjs";

const GOAL_KB = 4;
/** Windows of the second half of a bare peer's connections, which are never at rest. */
const WINDOWS = 5;

/** What the product gives its allocators (src/cli/allocator.rs), for a peer that is compared with it. */
const ALLOCATORS = { G_SLICE: "always-malloc", MALLOC_ARENA_MAX: "2", MALLOC_TRIM_THRESHOLD_: "131072" };

/** Threads that wait for work end after 10 s without any. */
const IDLE_S = 12;
/** By then the device has trimmed its heap, too, which it does every 10 s. */
const TRIMMED_S = 22;

export const limit_s = ({ short }) => (short ? SHORT_S : 5400);

/**
 * Growth of a bare peer in kB a connection over the second half: the slope through the
 * least RssAnon of each window. The least, because memory that is only in use for a moment
 * is no leak; from outside, nothing can make the allocator give back what it keeps.
 */
function growth(samples, visits) {
    const late = samples.filter(({ visit }) => visit > visits / 2);
    const width = visits / 2 / WINDOWS;
    const windows = Array.from({ length: WINDOWS }, (_, i) => {
        const from = visits / 2 + i * width;
        return late.filter(({ visit }) => visit > from && visit <= from + width);
    }).filter((window) => window.length > 0);
    const least = windows.map((window) => window.reduce((a, b) => (b.kB < a.kB ? b : a)));
    return slope(least.map(({ visit }) => visit), least.map(({ kB }) => kB));
}

/** Runs a bare peer's cycles and samples it after each ten connections. */
async function sample(bare) {
    const samples = [];
    let seen = 0;
    const ended = bare.ended.then((code) => ({ code }));
    for (;;) {
        const outcome = await Promise.race([ended, sleep(0.05)]);
        while (seen < bare.lines.length) {
            const { visits } = bare.lines[seen];
            seen += 1;
            try {
                samples.push({ visit: visits, ...figures(bare.pid) });
            } catch {
                break; // Its last line comes with its end.
            }
        }
        if (outcome) return { samples, code: outcome.code };
    }
}

/** Visitors come and go; how it ended, and how many of them were broken off. */
async function visit(stage, url, count, seed) {
    const visitors = stage.visitor(["cycles", url, "--count", `${count}`, "--seed", `${seed}`]);
    const code = await visitors.ended;
    return { code, said: visitors.said, broken_off: visitors.lines.at(-1)?.broken_off ?? 0 };
}

export async function run(stage) {
    const half = stage.choose(500, 20);
    // All visits come from one address, faster than its share of offers.
    const { url, pid } = await stage.signpost({ env: { SIGNPOST_SESSIONS__OFFERS_PER_MINUTE: "60000" } });
    const empty = () => stage.status().then(({ sessions }) => sessions.connections === 0);
    const rest = async () => {
        const gone_s = await within(60, empty);
        await sleep(stage.choose(TRIMMED_S, IDLE_S));
        return gone_s;
    };
    // What the first visitors load stays, and is no leak.
    await visit(stage, url, stage.choose(30, 5), 0);
    await rest();
    const before = figures(pid);
    const kindsBefore = kinds(pid);

    const first = await visit(stage, url, half, stage.seed);
    await rest();
    const between = figures(pid);
    const second = await visit(stage, url, half, stage.seed + 1);
    const gone_s = await rest();
    stage.logRow(`${2 * half} visits`);
    const failed = [first, second].find(({ code }) => code !== 0);
    const broken_off = first.broken_off + second.broken_off;
    // Of a few visits it can be any share but none.
    const least = stage.choose(0.15 * 2 * half, 0);
    stage.row(`${2 * half} visits, seed ${stage.seed}, broken off`, "about 30 %", failed ? failed.said : broken_off, !failed && broken_off > least);
    const { connections, viewers } = (await stage.status()).sessions;
    stage.row("afterwards connections, viewers", "0, 0", `${connections}, ${viewers} after ${gone_s.toFixed(1)} s`, connections === 0 && viewers === 0);
    const change = (key) => figures(pid)[key] - before[key];
    const most = { threads: stage.choose(2, 20), descriptors: stage.choose(5, 60) };
    const isBack = (key) => Math.abs(change(key)) <= most[key];
    await within(3 * IDLE_S, () => isBack("threads") && isBack("descriptors"));
    const after = figures(pid);
    const goal = (key) => `+-${most[key]}${stage.coarse}`;
    stage.row("threads", goal("threads"), change("threads"), isBack("threads"));
    const kindsAfter = kinds(pid);
    const more = Object.entries(kindsAfter).map(([kind, count]) => [kind, count - (kindsBefore[kind] ?? 0)]).filter(([, change]) => change !== 0);
    const which = more.map(([kind, change]) => `${change > 0 ? "+" : ""}${change} ${kind}`).join(", ");
    stage.row("descriptors", goal("descriptors"), `${change("descriptors")}: ${which}`, isBack("descriptors"));
    // At rest: otherwise a figure tells how many visitors were there at its moment.
    const each = (after.kB - between.kB) / half;
    const whole = `${each.toFixed(1)} kB (${before.kB}, ${between.kB} and ${after.kB} kB without visitors)`;
    if (stage.short) stage.row("(memory a visit: too few to tell)", "-", whole);
    else stage.row(`memory a visit over the last ${half}`, `<= ${GOAL_KB} kB`, whole, each <= GOAL_KB);

    const pairs = stage.choose(1000, 20);
    const peers = stage.visitor(["bare", "--count", `${pairs}`], undefined, ALLOCATORS);
    const bare = await sample(peers);
    const bareEach = stage.short ? "too few to tell" : `${growth(bare.samples, pairs).toFixed(1)} kB`;
    stage.row("(two bare webrtcbins, memory a connection)", "-", bare.code === 0 ? bareEach : peers.said, bare.code === 0);
}
