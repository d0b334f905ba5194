// What one more viewer costs, and what one too many hears.

import { cpu, SHORT_S, sleep, slope, within } from "./processes.mjs";

const PLACES = 16;
/** A core. */
const GOAL = 0.02;
/** In the short form: over a few seconds a busy machine's caches cost more. */
const COARSE = 0.1;

export const limit_s = ({ short }) => (short ? SHORT_S : 240);

export async function run(stage) {
    // The camera's own picture is 1280x720 at 30 unless configured otherwise.
    const { url, pid } = await stage.signpost({ env: { SIGNPOST_SESSIONS__MAX_VIEWERS: `${PLACES}` } });
    await cost(stage, url, pid);
    await full(stage, url);
    stage.logRow("up to 17 viewers");
}

async function cost(stage, url, pid) {
    const counts = stage.choose([1, 2, 3, 4, 5, 6, 7, 8], [1, 4]);
    const seconds = stage.choose(15, 4);
    const [cores, rates] = [[], []];
    for (const count of counts) {
        const crowd = stage.visitor(["watch", url, "--viewers", `${count}`, "--seconds", "120"]);
        await crowd.watching(count);
        await sleep(2);
        const [used, encoded, from] = [cpu(pid), (await stage.status()).cameras[0].encoded, performance.now()];
        await sleep(seconds);
        const took = (performance.now() - from) / 1000;
        cores.push((cpu(pid) - used) / took);
        rates.push(((await stage.status()).cameras[0].encoded - encoded) / took);
        crowd.signal("SIGTERM");
        await crowd.ended;
        await within(40, async () => (await stage.status()).sessions.connections === 0);
    }
    const each = slope(counts, cores);
    const goal = stage.choose(GOAL, COARSE);
    const seen = `${(100 * each).toFixed(2)} % (${cores.map((c) => c.toFixed(3)).join(", ")})`;
    stage.row(`CPU for one more viewer at 720p30, ${counts[0]} to ${counts.at(-1)}`, `<= ${100 * goal} % of a core${stage.coarse}`, seen, each <= goal);
    const most = Math.max(...rates);
    const allowed = stage.choose(31, 45);
    stage.row("pictures encoded a second, most", `<= ${allowed}: one encoder${stage.coarse}`, rates.map((r) => r.toFixed(1)).join(", "), most <= allowed && Math.min(...rates) > 1);
}

async function full(stage, url) {
    const crowd = stage.visitor(["watch", url, "--viewers", `${PLACES - 1}`, "--seconds", "120"]);
    await crowd.watching(PLACES - 1);
    const last = stage.visitor(["watch", url, "--seconds", "120"]);
    await last.watching();
    const late = stage.visitor(["ask", url]);
    await late.ended;
    for (const form of ["whep", "json"]) {
        const { status, body, retry_after } = late.lines.find((line) => line.form === form) ?? {};
        const met = status === 503 && body.includes("server at capacity") && /^\d+$/.test(retry_after ?? "");
        stage.row(`viewer ${PLACES + 1} of ${PLACES}, ${form}`, "503, server at capacity, Retry-After", `${status}, ${body?.slice(0, 60)}, ${retry_after}`, met);
    }
    last.signal("SIGTERM"); // It leaves as it should.
    await last.ended;
    const next = stage.visitor(["watch", url, "--seconds", "5"]);
    const line = await next.until(({ event }) => ["answered", "refused"].includes(event), "an answer");
    stage.row("a freed place is usable at once", "answered", line.event, line.event === "answered");
}
