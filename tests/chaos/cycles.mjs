// Visitors come and go, three of ten rudely; afterwards nothing is left of them.

import { figures, kinds, SHORT_S, sleep, slope, within } from "./processes.mjs";

const GOAL_KB = 4;
/** Windows of the second half: the least memory of each is what its allocator could not give back. */
const WINDOWS = 5;

/** What the product gives its allocators (src/cli/allocator.rs), for a peer that is compared with it. */
const ALLOCATORS = { G_SLICE: "always-malloc", MALLOC_ARENA_MAX: "2", MALLOC_TRIM_THRESHOLD_: "131072" };

/** Threads that wait for work end after 10 s without any. */
const IDLE_S = 12;

export const limit_s = ({ short }) => (short ? SHORT_S : 5400);

/**
 * Growth in kB a visit over the second half: the slope through the least RssAnon
 * of each window. The least, because memory that is only in use for a moment is
 * no leak; from outside, nothing can make the allocator give back what it keeps.
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

/** Runs a visitor's cycles and samples `pid` (undefined: the visitor's own) after each ten visits. */
async function sample(stage, words, { pid, env } = {}) {
    const visitor = stage.visitor(words, undefined, env);
    const samples = [];
    let seen = 0;
    const ended = visitor.ended.then((code) => ({ code }));
    for (;;) {
        const outcome = await Promise.race([ended, sleep(0.05)]);
        while (seen < visitor.lines.length) {
            const { visits, broken_off } = visitor.lines[seen];
            seen += 1;
            try {
                samples.push({ visit: visits, broken_off, ...figures(pid ?? visitor.pid) });
            } catch {
                break; // The visitor's own last line comes with its end.
            }
        }
        if (outcome) return { samples, code: outcome.code, said: visitor.said };
    }
}

export async function run(stage) {
    const visits = stage.choose(1000, 30);
    // All visits come from one address, faster than its share of offers.
    const { url, pid } = await stage.signpost({ env: { SIGNPOST_SESSIONS__OFFERS_PER_MINUTE: "60000" } });
    // What the first visitors load stays, and is no leak.
    await sample(stage, ["cycles", url, "--count", `${stage.choose(30, 5)}`, "--seed", "0"], { pid });
    const empty = () => stage.status().then(({ sessions }) => sessions.connections === 0);
    await within(60, empty);
    await sleep(IDLE_S);
    const before = figures(pid);
    const kindsBefore = kinds(pid);

    const { samples, code, said } = await sample(stage, ["cycles", url, "--count", `${visits}`, "--seed", `${stage.seed}`], { pid });
    const { broken_off } = samples.at(-1) ?? { broken_off: 0 };
    stage.row(`${visits} visits, seed ${stage.seed}, broken off`, "about 30 %", code === 0 ? broken_off : said, code === 0 && broken_off > visits * 0.15);
    const gone = await within(60, empty);
    const { connections, viewers } = (await stage.status()).sessions;
    stage.row("afterwards connections, viewers", "0, 0", `${connections}, ${viewers} after ${gone.toFixed(1)} s`, connections === 0 && viewers === 0);
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
    const each = growth(samples, visits);
    const whole = `${each.toFixed(1)} kB; whole run ${before.kB} to ${after.kB} kB`;
    if (stage.short) stage.row("(memory a visit: too few to tell)", "-", whole);
    else stage.row("memory a visit over the second half", `<= ${GOAL_KB} kB`, whole, each <= GOAL_KB);

    const pairs = stage.choose(1000, 20);
    const bare = await sample(stage, ["bare", "--count", `${pairs}`], { env: ALLOCATORS });
    const bareEach = stage.short ? "too few to tell" : `${growth(bare.samples, pairs).toFixed(1)} kB`;
    stage.row("(two bare webrtcbins, memory a connection)", "-", bare.code === 0 ? bareEach : bare.said, bare.code === 0);
}
