// The program is killed while it stores what is changed through the API: afterwards the
// configuration is the old one or the new one, and nobody has to fall back to another.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { binary, Signpost } from "../browser/signpost.mjs";
import { chance, SHORT_S } from "./processes.mjs";

export const limit_s = ({ short }) => (short ? SHORT_S : 1200);

/** A change is stored within some 20 ms; a kill comes at any moment of the next ones. */
const LATEST_KILL_MS = 250;
/** Values that all differ; the file also grows and shrinks. */
const LEAST_KBPS = 400;
const VALUES = 19_000;

const kbps = (number) => LEAST_KBPS + (number % VALUES);
/** Every third change also sets a longer value, so that the file's length differs. */
const wish = (number) => ({
    encoder: { bitrate_kbps: kbps(number) },
    sessions: { reconnect_waits_s: number % 3 === 0 ? [1, 2, 3, 4, 5, 6, 7, 8, 9] : [1, 2, 4, 8, 10] },
});

export async function run(stage) {
    const kills = stage.choose(200, 12);
    const random = chance(stage.seed);
    const folder = mkdtempSync(join(tmpdir(), "signpost-kills-"));
    stage.finally(() => rmSync(folder, { recursive: true, force: true }));
    const env = { STATE_DIRECTORY: folder, SIGNPOST_MODEL__RUNTIME: join(folder, "none") };
    const seen = { old: 0, newer: 0, neither: 0, fallen: 0, changes: 0, unanswered: 0 };
    let [number, acknowledged] = [0, undefined];
    for (let kill = 0; kill < kills; kill += 1) {
        const device = await Signpost.start(["--source", "test", "--listen", "127.0.0.1:0", "--open"], { env });
        stage.finally(() => device.stop());
        const { values, remarks } = await (await fetch(`${device.url}api/v1/config`)).json();
        judge(seen, values.encoder.bitrate_kbps, remarks, acknowledged, number);
        // From now on what it started with counts as the old one.
        acknowledged = values.encoder.bitrate_kbps;
        const killed = new Promise((resolve) => setTimeout(resolve, random() * LATEST_KILL_MS)).then(() => {
            process.kill(device.pid, "SIGKILL");
        });
        for (;;) {
            try {
                const body = JSON.stringify(wish(number + 1));
                number += 1;
                const headers = { "content-type": "application/json" };
                const answer = await fetch(`${device.url}api/v1/config`, { method: "PATCH", headers, body });
                const { stored, title } = await answer.json();
                if (stored !== true) throw new Error(`a change was answered with ${answer.status} ${title}`);
                acknowledged = kbps(number);
                seen.changes += 1;
            } catch (error) {
                if (error.message.startsWith("a change")) throw error;
                seen.unanswered += 1;
                break;
            }
        }
        await killed;
        await device.stop();
    }
    const last = spawnSync(binary, ["check"], { env: { ...process.env, ...env }, encoding: "utf8" });
    const found = /encoder\.bitrate_kbps = (\d+)/.exec(last.stdout);
    judge(seen, Number(found?.[1]), /overrides\.toml.*(last good|no good)/.test(last.stdout) ? ["fallen"] : [], acknowledged, number);
    stage.row(`(changes that were answered before ${kills} kills; kills in the middle of one)`, "-", `${seen.changes}; ${seen.unanswered}`);
    stage.row("(configurations: the last answered, the one after it)", "-", `${seen.old}, ${seen.newer}`);
    stage.row("kills after which the configuration was neither", "0", seen.neither, seen.neither === 0);
    stage.row("kills after which there was a fallback", "0", seen.fallen, seen.fallen === 0);
}

/** The old one is the last that was answered, or what the program had started with; the new one the change after it. */
function judge(seen, found, remarks, acknowledged, number) {
    if (remarks.length > 0) seen.fallen += 1;
    if (acknowledged === undefined) return;
    if (found === acknowledged) seen.old += 1;
    else if (found === kbps(number)) seen.newer += 1;
    else seen.neither += 1;
}
