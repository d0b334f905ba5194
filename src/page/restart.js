// A restart of the device, seen from a page that waits for it.

import { answers, request } from "./api.js";
import { words } from "./words.js";

const LOOK_EVERY_MS = 1000;
/** A device is up again within a minute; after more somebody should look at it. */
const LIMIT_MS = 180_000;

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Restarts the device, says so in `told`, and loads the page again when it answers. */
export async function restart(told) {
    const before = (await request("GET", "/api/v1/status")).uptime_s;
    await request("POST", "/api/v1/device/restart", undefined, { limit_ms: 10_000 });
    told.good(words.settings.restarting);
    const began = performance.now();
    while (performance.now() - began < LIMIT_MS) {
        await wait(LOOK_EVERY_MS);
        if (await isBack(before + (performance.now() - began) / 1000)) {
            location.reload();
            return words.settings.restarted;
        }
    }
    throw words.settings.notBack;
}

/** Whether another program answers: one that has run for less than the one before would have. */
async function isBack(expected_s) {
    if (!(await answers())) return false;
    try {
        return (await request("GET", "/api/v1/status")).uptime_s < expected_s - 5;
    } catch (error) {
        // Whoever asks for a login is up, and has forgotten this one.
        return error.status === 401;
    }
}
