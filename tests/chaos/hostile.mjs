// Someone without a login who tries everything costs a viewer nothing.

import { figures, SHORT_S, sleep } from "./processes.mjs";
import { compare, rates } from "./stalled.mjs";

const REQUESTS_PER_S = 1000;
/** Whatever is tried, the program may take this much more. */
const MEMORY_MB = 32;

export const limit_s = ({ short }) => (short ? SHORT_S : 300);

export async function run(stage) {
    const seconds = stage.choose(60, 5);
    await stage.network("ann", "mallory");
    const { url, pid } = await stage.signpost();
    const quiet = stage.visitor(["watch", url, "--seconds", "280"], "ann");
    await quiet.watching();
    await sleep(2);
    const first = await rates(stage, quiet, seconds / 2);
    const second = await rates(stage, quiet, seconds / 2);
    const before = figures(pid).kB;

    // Longer than what is measured: who is gone does no harm.
    const words = ["hostile", new URL(url).host, "--rate", `${REQUESTS_PER_S}`, "--seconds", `${seconds + 4}`, "--seed", `${stage.seed}`];
    const mallory = stage.visitor(words, "mallory");
    compare(stage, `${REQUESTS_PER_S} requests a second`, first, second, await rates(stage, quiet, seconds));
    const grown = (figures(pid).kB - before) / 1024;
    await mallory.ended;

    const said = mallory.lines.at(-1);
    const { requests, served, refused, put_off: putOff, errors, unanswered, seconds: took } = said ?? {};
    const least = stage.choose(0.95, 0.3);
    const rate = requests / took / REQUESTS_PER_S;
    stage.row("requests really made", `>= ${100 * least} %${stage.coarse}`, said ? `${(100 * rate).toFixed(0)} %: ${requests} in ${took.toFixed(1)} s` : mallory.said.slice(-200), rate >= least);
    stage.row("answers that are the server's fault", "0", errors, errors === 0);
    stage.row("(the others)", "-", `${served} served, ${refused} refused, ${putOff} put off with 503 and Retry-After, ${unanswered} without an answer`);
    stage.row("memory above the quiet part", `<= ${MEMORY_MB} MB`, `${grown.toFixed(1)} MB`, grown <= MEMORY_MB);
    stage.logRow("hostile requests");
}
