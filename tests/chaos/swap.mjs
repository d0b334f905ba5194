// Models that take each other's place while viewers look: no picture is lost, the next result is
// there at once, and nothing of the model before stays.

import { execFileSync } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { figures, quantile, SHORT_S, sleep, within } from "./processes.mjs";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");
const OTHERS = ["colour-int8", "shapes-anchors", "motion-time"];
const VIEWERS = 2;
/** A multiple of the models that take turns, so that it is the same one of them. */
const NEW_EVERY = 8;
const FREED_S = 2;
const TRIMMED_S = 12;
const FIRST_S = 1;
/** In the short form: a busy machine takes its time, and loses pictures by itself. */
const COARSE_S = 10;
const COARSE_SHARE = 0.5;
/** Threads that wait for work end after 10 s without any, and the heap is trimmed every 10 s. */
const REST_S = 22;

export const limit_s = ({ short }) => (short ? SHORT_S : 900);

/** A bundle's folder as the API takes it. */
const packed = (folder) => execFileSync("tar", ["-c", "-C", folder, "."], { maxBuffer: 1 << 28 });

/** Brings a bundle; what the device says if it does not take it. */
export async function bring(url, name, folder = join(ROOT, "tests/bundles", name)) {
    const answer = await fetch(`${url}api/v1/models`, { method: "POST", body: packed(folder), headers: { "Content-Type": "application/x-tar" } });
    if (answer.status !== 201) throw new Error(`${name}: ${await answer.text()}`);
}

/** A bundle that the device has never seen: it is tried while viewers look. */
async function bringNew(url, name, version) {
    const folder = await mkdtemp(join(tmpdir(), "signpost-bundle-"));
    try {
        await cp(join(ROOT, "tests/bundles", name), folder, { recursive: true });
        const manifest = join(folder, "manifest.toml");
        const text = await readFile(manifest, "utf8");
        await writeFile(manifest, text.replace(/^version = .*$/m, `version = "${version}"`));
        await bring(url, name, folder);
    } finally {
        await rm(folder, { recursive: true });
    }
}

export async function activate(url, name) {
    const answer = await fetch(`${url}api/v1/models/active`, { method: "PUT", body: JSON.stringify({ name }), headers: { "Content-Type": "application/json" } });
    if (answer.status !== 200) throw new Error(`${name}: ${await answer.text()}`);
}

export async function run(stage) {
    const env = { SIGNPOST_MODEL__BUNDLE: join(ROOT, "models/fingerspelling") };
    const { url, pid } = await stage.signpost({ env, recognition: true });
    const recognition = async () => (await stage.status()).recognition;
    await within(60, async () => (await recognition()).results > 0);
    for (const name of OTHERS) await bring(url, name);
    const visitor = stage.visitor(["watch", url, "--viewers", `${VIEWERS}`, "--seconds", "800"]);
    await visitor.watching(VIEWERS);

    /** One change: how long from the first word of the new model to its first result. */
    const change = async (name) => {
        const before = (await recognition()).model;
        const asked = activate(url, name);
        let now = await recognition();
        while (now.model === before) now = await recognition();
        const [begun, { results }] = [performance.now(), now];
        while (now.results === results) now = await recognition();
        const first_s = (performance.now() - begun) / 1000;
        await asked;
        return first_s;
    };
    const names = [...OTHERS, "fingerspelling"];
    /** The heap 2 s after the largest model has gone, and when all of it has come back. */
    const freed = async () => {
        // It may read already.
        await activate(url, "fingerspelling");
        await sleep(1.5);
        const held = figures(pid).kB;
        await change("colour-int8");
        await sleep(FREED_S);
        const soon = figures(pid).kB;
        await sleep(TRIMMED_S);
        return { held, soon, late: figures(pid).kB };
    };
    // What the first of each loads stays, and is no leak.
    for (const name of names) await change(name);
    await sleep(stage.choose(REST_S, 0));
    const before = figures(pid);

    // The same without a change, for what a busy machine loses by itself.
    const quiet = performance.now();
    await sleep(stage.choose(60, 8));
    const begun = performance.now();
    const firsts = [];
    const count = stage.choose(40, 4);
    for (let i = 0; i < count; i += 1) {
        // One in so many is brought and tried first, beside the viewers.
        if (i % NEW_EVERY === 0) await bringNew(url, names[i % names.length], `new ${i}`);
        firsts.push(await change(names[i % names.length]));
        await sleep(1.5);
    }
    await sleep(1);
    const ended = performance.now();
    await sleep(stage.choose(REST_S, 0));
    const after = figures(pid);

    const sum = (from, to, key) => [0, 1].reduce((total, viewer) => total + visitor.between(from, to, viewer)[key], 0);
    const lost = sum(begun, ended, "leftOut");
    const usual = sum(quiet, begun, "leftOut");
    const told = `${lost} of two viewers'; ${usual} in ${((begun - quiet) / 1000).toFixed(0)} s without a change`;
    if (stage.short) {
        const share = sum(begun, ended, "fps") / sum(quiet, begun, "fps");
        stage.row(`${count} changes of the model: frame rate`, `>= ${100 * COARSE_SHARE} %${stage.coarse}`, `${(100 * share).toFixed(0)} %; lost are ${told}`, share >= COARSE_SHARE);
    } else {
        stage.row(`${count} changes of the model: pictures lost`, "0", told, lost === 0);
    }
    const gaps = [0, 1].map((viewer) => visitor.between(begun, ended, viewer).longestGap_ms);
    stage.row("(longest time without a picture)", "-", `${Math.max(...gaps)} ms`);
    const limit = stage.choose(FIRST_S, COARSE_S);
    stage.row("first result of the new model", `<= ${limit} s${stage.coarse}`, `${Math.max(...firsts).toFixed(2)} s, median ${quantile(firsts, 0.5).toFixed(2)}`, Math.max(...firsts) <= limit);
    const { sessions } = await stage.status();
    stage.row("viewers that were dropped", "0", VIEWERS - sessions.viewers, sessions.viewers === VIEWERS);
    if (!stage.short) {
        const { held, soon, late } = await freed();
        stage.row(`of a model that has gone, still held after ${FREED_S} s`, "<= 10 %", `${soon - late} of ${held - late} kB`, soon - late <= 0.1 * (held - late));
        stage.row("threads", "+-2", after.threads - before.threads, Math.abs(after.threads - before.threads) <= 2);
        stage.row("descriptors", "+-5", after.descriptors - before.descriptors, Math.abs(after.descriptors - before.descriptors) <= 5);
        const kB = after.kB - before.kB;
        stage.row("memory", "<= 8 MB", `${(kB / 1024).toFixed(1)} MB (${before.kB} and ${after.kB} kB)`, kB <= 8192);
    }
}
