// One who stops reading costs the others nothing.

import { quantile, sleep } from "./processes.mjs";

/** Or the spread between two quiet parts of the same run, whichever is more. */
const GOAL = 0.02;
/** In the short form: a busy machine takes half of the pictures, a hang takes all. */
const COARSE = 0.5;

export const limit_s = ({ short }) => (short ? 100 : 300);

/** Frame rates of a quiet viewer and of the camera while `seconds` pass. */
export async function rates(stage, quiet, seconds) {
    const [from, before] = [performance.now(), (await stage.status()).cameras[0].encoded];
    await sleep(seconds);
    const encoded = (await stage.status()).cameras[0].encoded - before;
    const took = (performance.now() - from) / 1000;
    return { viewer: quiet.between(from, performance.now()).fps, camera: encoded / took };
}

/** One row for each of viewer and camera: two quiet parts against one with trouble. */
export function compare(stage, trouble, first, second, during) {
    for (const who of ["viewer", "camera"]) {
        const calm = (first[who] + second[who]) / 2;
        const allowed = Math.max(stage.choose(GOAL, COARSE), Math.abs(first[who] - second[who]) / calm);
        const change = Math.abs(during[who] - calm) / calm;
        const seen = `${(100 * change).toFixed(1)} % (${first[who].toFixed(2)}, ${second[who].toFixed(2)}; ${during[who].toFixed(2)} fps)`;
        const name = who === "viewer" ? "another viewer's frame rate" : "the camera's";
        stage.row(`${trouble}: change of ${name}`, `<= ${(100 * allowed).toFixed(1)} %${stage.coarse}`, seen, change <= allowed);
    }
}

export async function run(stage) {
    const seconds = stage.choose(30, 8);
    await stage.network("ann", "ben");
    const { url } = await stage.signpost();
    const quiet = stage.visitor(["watch", url, "--seconds", "280"], "ann");
    const reader = stage.visitor(["watch", url, "--seconds", "280"], "ben");
    await quiet.watching();
    await reader.watching();
    await sleep(2);
    const first = await rates(stage, quiet, seconds);
    const second = await rates(stage, quiet, seconds);
    reader.signal("SIGSTOP");
    const during = await rates(stage, quiet, seconds);
    compare(stage, "a client that stops reading", first, second, during);

    // Its teardown begins by itself about now; offers meanwhile must not wait for it.
    const answers = [];
    for (let i = 0; i < stage.choose(20, 8); i += 1) {
        const visitor = stage.visitor(["watch", url, "--pictures", "1"], "ann");
        answers.push((await visitor.until(({ event }) => event === "answered", "an answer")).ms);
        await visitor.ended;
    }
    reader.signal("SIGCONT");
    const slowest = Math.max(...answers);
    stage.row("slowest answer while a stalled session is torn down", "<= 500 ms", `${slowest.toFixed(0)} ms, median ${quantile(answers, 0.5).toFixed(0)}`, slowest <= 500);
    const { teardowns_stuck } = (await stage.status()).sessions;
    stage.row("teardowns stuck", "0", teardowns_stuck, teardowns_stuck === 0);
}
