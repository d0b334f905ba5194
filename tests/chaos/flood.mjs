// Visitors who mean harm cost the others nothing. What they did is counted too: a goal
// that is met while nobody did harm says nothing.

import { figures, SHORT_S, sleep } from "./processes.mjs";
import { compare, rates } from "./stalled.mjs";

/** Whatever comes in, the program may take this much more, and not more with more of it. */
const MEMORY_MB = 64;
const OFFERS_PER_S = 10_000 / 60;
/** An address may have 32 connections, so two of them hold the 50. */
const SLOW_BODIES_EACH = 25;
/** The device gives a whole request 15 s; answering and a busy machine come on top. */
const SLOW_BODY_S = 20;

export const limit_s = ({ short }) => (short ? SHORT_S : 900);

export async function run(stage) {
    const seconds = stage.choose(30, 5);
    await stage.network("ann", "mallory", "mallet");
    const { url, pid } = await stage.signpost();
    const quiet = stage.visitor(["watch", url, "--seconds", "850"], "ann");
    await quiet.watching();
    await sleep(2);
    const first = await rates(stage, quiet, seconds);
    const second = await rates(stage, quiet, seconds);
    const before = figures(pid).kB;
    let most = before;
    const look = setInterval(() => {
        try {
            most = Math.max(most, figures(pid).kB);
        } catch {
            clearInterval(look); // It has ended, which the rates will show.
        }
    }, 200);
    stage.finally(() => clearInterval(look));

    // Longer than what is measured: a flood that is over is none.
    const lasts = ["--seconds", `${seconds + 4}`];
    const bytes = stage.choose(100e6, 5e6);
    const loris = ["loris", new URL(url).host, "--many", `${SLOW_BODIES_EACH}`, ...lasts];
    const floods = [
        // First, while their addresses may still make offers: others are refused at once.
        ["50 bodies that never end", { mallory: loris, mallet: loris }, dripped],
        ["10,000 offers a minute", { mallory: ["offers", url, ...lasts] }, offered],
        [`${bytes / 1e6} MB of messages`, { mallory: ["messages", url, "--bytes", `${bytes}`, ...lasts] }, messagesOf(bytes)],
        ["messages on a channel that their sender closed", { mallory: ["closed", url, ...lasts] }, sentAfterClosing],
    ];
    for (const [name, harm, check] of floods) {
        const passed = (await stage.middle.stats()).mallory.up.bytes;
        const visitors = Object.entries(harm).map(([who, words]) => stage.visitor(words, who));
        const during = rates(stage, quiet, seconds);
        const newcomer = await comesIn(stage, url);
        compare(stage, name, first, second, await during);
        await Promise.all(visitors.map(({ ended }) => ended));
        const arrived = (await stage.middle.stats()).mallory.up.bytes - passed;
        const said = visitors.map(({ lines, said: words }) => lines.at(-1) ?? { why: words.slice(-200) });
        check(stage, name, said, arrived);
        stage.row(`(${name}: a new viewer from another address meanwhile)`, "-", newcomer);
        // What is left of this flood is gone before the next.
        await sleep(stage.choose(12, 2));
    }
    const { connections, messages_refused } = (await stage.status()).sessions;
    const grown = (most - before) / 1024;
    stage.row("memory at most above the quiet part", `<= ${MEMORY_MB} MB`, `${grown.toFixed(1)} MB`, grown <= MEMORY_MB);
    stage.logRow("four floods");
    stage.row("(afterwards)", "-", `${connections} connections, ${messages_refused} messages refused since the start`);
}

/** What somebody is told who wants to watch now. */
async function comesIn(stage, url) {
    await sleep(2);
    const visitor = stage.visitor(["watch", url, "--pictures", "1"], "ann");
    const { event, ms, status } = await visitor.until((line) => ["answered", "refused"].includes(line.event), "an answer");
    await visitor.kill();
    return event === "answered" ? `answered within ${ms.toFixed(0)} ms` : `refused: ${status}`;
}

function offered(stage, name, [{ offers, answered, too_many, no_place, other, unanswered, seconds, why }]) {
    const share = offers / seconds / OFFERS_PER_S;
    const least = stage.choose(0.9, 0.3);
    const seen = why ?? `${(100 * share).toFixed(0)} %: ${offers} in ${seconds.toFixed(1)} s`;
    stage.row(`${name}: really made`, `>= ${100 * least} %${stage.coarse}`, seen, share >= least);
    const outcome = `${answered} answered, ${too_many} told 429, ${no_place} told 503, ${other} other, ${unanswered} without an answer`;
    // Most of them are more than one address may make.
    stage.row(`${name}: what they were told`, "all something, most of them 429", outcome, unanswered + other === 0 && too_many > offers / 2);
}

function dripped(stage, name, said) {
    const least = stage.choose(0.9, 0.5) * 2 * SLOW_BODIES_EACH;
    const open = said.reduce((sum, line) => sum + (line.open ?? 0), 0);
    const what = said.find(({ why }) => why)?.why ?? `${open.toFixed(1)} in the mean`;
    stage.row(`${name}: really open`, `>= ${least}${stage.coarse}`, what, open >= least);
    const late = Math.max(...said.map(({ latest_s, oldest_s }) => Math.max(latest_s ?? 0, oldest_s)));
    const count = said.reduce((sum, { ended }) => sum + ended, 0);
    const allowed = stage.choose(SLOW_BODY_S, 2 * SLOW_BODY_S);
    const seen = `${late.toFixed(1)} s; ${count} ended, after ${Math.min(...said.map(({ soonest_s }) => soonest_s ?? Infinity)).toFixed(1)} s and more`;
    stage.row(`${name}: the oldest`, `<= ${allowed} s${stage.coarse}`, seen, late <= allowed);
}

const messagesOf = (bytes) => (stage, name, [said], arrived) => {
    const seen = said.why ?? `${(arrived / 1e6).toFixed(1)} MB of packets in ${said.seconds.toFixed(1)} s${said.ended_by_device ? ", then the device ended it" : ""}`;
    stage.row(`${name}: passed the network, or were ended`, `>= ${(0.9 * bytes) / 1e6} MB`, seen, arrived >= 0.9 * bytes || said.ended_by_device);
};

function sentAfterClosing(stage, name, [said], arrived) {
    const seen = said.why ?? `${(said.bytes / 1e6).toFixed(2)} MB given to SCTP, ${(arrived / 1e6).toFixed(2)} MB of packets in ${said.seconds.toFixed(1)} s${said.ended ? ", then it was ended" : ""}`;
    stage.row(`${name}: really sent`, ">= 90 % of what SCTP took", seen, said.bytes > 0 && arrived >= 0.9 * said.bytes);
}
