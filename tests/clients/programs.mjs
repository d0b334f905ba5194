// Clients that nobody here wrote, as programs that print what they saw.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** Runs a program; rejects with what it complained about. */
export const run = promisify(execFile);

/** The last line of what a program prints, as JSON. It is ended after `limit_s`. */
export async function seenBy(program, args, limit_s = 90) {
    const { stdout } = await run(program, args, { timeout: limit_s * 1000, killSignal: "SIGKILL" });
    return JSON.parse(stdout.trim().split("\n").at(-1));
}

/** Neither black nor plain. */
export function isPicture({ mean, deviation }) {
    assert.ok(mean > 25 && deviation > 15, `the picture is black or plain: mean ${mean}, deviation ${deviation}`);
}

export function isMovingPicture(seen) {
    isPicture(seen);
    assert.ok(seen.moved > 0.01, `the picture does not move: ${seen.moved} of it changed`);
}
