// One who stops reading costs the others nothing.

import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { built, quantile, SHORT_S, sleep, within } from "./processes.mjs";

/** Or the spread between two quiet parts of the same run, whichever is more. */
const GOAL = 0.02;
/** In the short form: this share is left. A busy machine takes most pictures, a hang takes all. */
const COARSE = 0.1;

const ANSWER_MS = 500;
/** In the short form, and in the median: an offer that waits for a teardown waits 5 s. */
const COARSE_MS = 4000;
/** A webrtcbin reports seldom: it is given up after 12 s, or three of its intervals of up to 6.2 s. */
const GONE_S = 25;

export const limit_s = ({ short }) => (short ? SHORT_S : 400);

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
        const allowed = Math.max(GOAL, Math.abs(first[who] - second[who]) / calm);
        const change = Math.abs(during[who] - calm) / calm;
        const seen = `${(100 * change).toFixed(1)} % (${first[who].toFixed(2)}, ${second[who].toFixed(2)}; ${during[who].toFixed(2)} fps)`;
        const name = `${trouble}: change of ${who === "viewer" ? "another viewer's frame rate" : "the camera's"}`;
        if (stage.short) stage.row(name, `${100 * COARSE} % are left${stage.coarse}`, seen, during[who] >= COARSE * calm);
        else stage.row(name, `<= ${(100 * allowed).toFixed(1)} %`, seen, change <= allowed);
    }
}

export async function run(stage) {
    await stage.network("ann", "ben");
    await stoppedReader(stage);
    await stage.device.stop();
    await stuckTeardowns(stage);
}

/** Two quiet parts. */
async function calm(stage, url, ...names) {
    const seconds = stage.choose(30, 4);
    const visitors = names.map((name) => stage.visitor(["watch", url, "--seconds", "380"], name));
    for (const visitor of visitors) await visitor.watching();
    await sleep(2);
    const parts = [];
    for (let part = 0; part < 2; part += 1) parts.push(await rates(stage, visitors[0], seconds));
    return { visitors, parts, seconds };
}

/** Answers to visitors who come one after the other, in ms. */
async function answersTo(stage, url, count) {
    const answers = [];
    for (let i = 0; i < count; i += 1) {
        const visitor = stage.visitor(["watch", url, "--pictures", "1"], "ann");
        answers.push((await visitor.until(({ event }) => event === "answered", "an answer")).ms);
        await visitor.ended;
    }
    return answers;
}

function answersRow(stage, answers) {
    const [slowest, median] = [Math.max(...answers), quantile(answers, 0.5)];
    const [which, judged, allowed] = stage.choose(["slowest", slowest, ANSWER_MS], ["median", median, COARSE_MS]);
    const seen = `${slowest.toFixed(0)} ms, median ${median.toFixed(0)} of ${answers.length}`;
    stage.row("answers while teardowns hang", `${which} <= ${allowed} ms${stage.coarse}`, seen, judged <= allowed);
}

async function stoppedReader(stage) {
    const { url } = await stage.signpost();
    const { visitors, parts, seconds } = await calm(stage, url, "ann", "ben");
    const [quiet, reader] = visitors;
    reader.signal("SIGSTOP");
    const left = async () => (await stage.status()).sessions.connections === 1;
    const gone = within(stage.choose(GONE_S, 2 * GONE_S), left);
    compare(stage, "a client that stops reading", ...parts, await rates(stage, quiet, seconds));

    const allowed = stage.choose(GONE_S, 2 * GONE_S);
    const after = await gone;
    stage.row("the stopped reader's connection is gone", `<= ${allowed} s${stage.coarse}`, `${after.toFixed(1)} s`, after <= allowed);
    const { teardowns_stuck } = (await stage.status()).sessions;
    stage.row("teardowns stuck", "0", teardowns_stuck, teardowns_stuck === 0);
}

/**
 * Every viewer's pipeline hangs on its way down, because GStreamer finds the plugin of
 * tests/stuck under a name that viewers use.
 */
async function stuckTeardowns(stage) {
    const folder = mkdtempSync(join(tmpdir(), "signpost-chaos-stuck-"));
    stage.finally(() => rmSync(folder, { recursive: true, force: true }));
    const hanging = join(folder, "hanging");
    writeFileSync(hanging, "");
    mkdirSync(join(folder, "plugins"));
    copyFileSync(built("libgststuck.so"), join(folder, "plugins", "libgststuck.so"));
    const { url } = await stage.signpost({
        env: { GST_PLUGIN_PATH: join(folder, "plugins"), GST_REGISTRY: join(folder, "registry"), STUCK_WHILE: hanging },
    });
    const { visitors, parts, seconds } = await calm(stage, url, "ann");
    const leaver = stage.visitor(["watch", url, "--pictures", "1"], "ben");
    await leaver.ended;
    const [during, answers] = await Promise.all([rates(stage, visitors[0], seconds), answersTo(stage, url, stage.choose(20, 5))]);
    compare(stage, "teardowns that hang", ...parts, during);
    answersRow(stage, answers);
    const expected = answers.length + 1;
    const parked = () => stage.status().then(({ sessions }) => sessions.parked);
    await within(20, async () => (await parked()) === expected);
    const count = await parked();
    stage.row("pipelines that hung and were parked", `${expected}`, count, count === expected);
    rmSync(hanging);
    const ended = await within(20, async () => (await parked()) === 0);
    stage.row("parked pipelines when nothing hangs any more", "0", ended < 20 ? 0 : await parked(), ended < 20);
}
