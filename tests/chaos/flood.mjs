// Visitors who mean harm cost the others nothing.

import { figures, sleep } from "./processes.mjs";
import { compare, rates } from "./stalled.mjs";

/** Whatever comes in, the program may take this much more, and not more with more of it. */
const MEMORY_MB = 64;

export const limit_s = ({ short }) => (short ? 150 : 500);

export async function run(stage) {
    const seconds = stage.choose(30, 6);
    await stage.network("ann", "mallory");
    const { url, pid } = await stage.signpost();
    const quiet = stage.visitor(["watch", url, "--seconds", "450"], "ann");
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

    const host = new URL(url).host;
    const limit = ["--seconds", `${seconds + 3}`];
    const floods = [
        ["10,000 offers a minute", ["offers", url, ...limit]],
        ["50 requests that never end", ["loris", host, ...limit]],
        ["100 MB of messages, and some on a closed channel", ["messages", url, "--bytes", `${stage.choose(100e6, 10e6)}`, "--seconds", `${stage.choose(60, 8)}`]],
    ];
    for (const [name, words] of floods) {
        const rude = stage.visitor(words, "mallory");
        await sleep(1);
        compare(stage, name, first, second, await rates(stage, quiet, seconds));
        await rude.ended;
        stage.row(`(${name})`, "-", rude.lines.map(({ at, event, ...rest }) => `${event} ${JSON.stringify(rest)}`).join(" ") || rude.said.slice(-120), rude.lines.length > 0);
        // What is left of this flood is gone before the next.
        await sleep(stage.choose(12, 4));
    }
    const grown = (most - before) / 1024;
    stage.row("memory at most above the quiet part", `<= ${MEMORY_MB} MB`, `${grown.toFixed(1)} MB`, grown <= MEMORY_MB);
}
