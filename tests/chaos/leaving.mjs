// Visitors who vanish give their place back; one who only watches keeps it.

import { SHORT_S, sleep, within } from "./processes.mjs";

export const limit_s = ({ short }) => (short ? SHORT_S : 800);

async function free(stage, limit_s) {
    return within(limit_s, async () => {
        const { viewers, connections } = (await stage.status()).sessions;
        return viewers === 0 && connections === 0;
    });
}

export async function run(stage) {
    await killedBrowser(stage);
    await abandonedOffer(stage);
    await watchesOn(stage);
}

/** A device of its own for each part: what one leaves behind is no matter of the next. */
const one = (stage) => stage.signpost({ env: { SIGNPOST_SESSIONS__MAX_VIEWERS: "1" } });

async function killedBrowser(stage) {
    await one(stage);
    const killed = await stage.browser();
    await sleep(stage.choose(3, 1));
    const began = performance.now();
    await killed.kill();
    const gone = await free(stage, 40);
    const since = (performance.now() - began) / 1000;
    // It takes 7 s of silence, or 12 where it was not heard long enough.
    const allowed = stage.choose(8, 30);
    stage.row("killed browser: its connection gone, its place free", `<= ${allowed} s${stage.coarse}`, gone === Number.POSITIVE_INFINITY ? "not within 40 s" : `${since.toFixed(1)} s`, since <= allowed);
}

async function abandonedOffer(stage) {
    const { url } = await one(stage);
    const abandoned = stage.visitor(["abandon", url]);
    await abandoned.until(({ event }) => event === "abandoned", "an answer");
    await abandoned.kill();
    const reaped = await free(stage, 40);
    const allowed = stage.choose(12, 30);
    stage.row("abandoned negotiation gone", `<= ${allowed} s${stage.coarse}`, `${reaped.toFixed(1)} s`, reaped <= allowed);
}

/** Answers no keepalive, as a player without data channels does not. */
async function watchesOn(stage) {
    const { url } = await one(stage);
    const seconds = stage.choose(600, 15);
    const quiet = stage.visitor(["watch", url, "--silent", "--seconds", `${seconds + 30}`]);
    await quiet.watching();
    const from = performance.now();
    await sleep(seconds);
    const { fps, longestGap_ms } = quiet.between(from, performance.now());
    const { connections } = (await stage.status()).sessions;
    const gap_s = stage.choose(3, 10);
    const lives = connections === 1 && longestGap_ms < 1000 * gap_s;
    stage.row(`a viewer that answers no keepalive lives for ${seconds} s`, `lives, no gap of ${gap_s} s${stage.coarse}`, `${connections} connection, ${fps.toFixed(1)} fps, longest gap ${longestGap_ms} ms`, lives);
}
