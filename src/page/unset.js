// A device without a password: how to set one. The page goes on by itself.

import { fill } from "./words.js";

const LOOK_EVERY_MS = 5000;

async function look() {
    try {
        const answer = await fetch("/login", { cache: "no-store", redirect: "manual" });
        const changed = answer.type === "opaqueredirect" || !(await answer.text()).includes("unset.js");
        if (changed) location.reload();
    } catch {
        // The device restarts, or the network is away: it is asked again.
    }
}

fill(document);
setInterval(look, LOOK_EVERY_MS);
