// How to trust the device's own authority, in two steps.

import { request } from "./api.js";
import { bytes } from "./dom.js";
import { shell } from "./shell.js";
import { words } from "./words.js";

const problem = document.getElementById("problem");

async function show() {
    const { https, waiting, authority, source } = await request("GET", "/api/v1/tls");
    if (!https) problem.textContent = words.trust.none;
    else if (waiting) problem.textContent = words.trust.waiting(waiting);
    else if (source === "brought") problem.textContent = words.trust.brought;
    else {
        document.getElementById("fingerprint").replaceChildren(...bytes(authority.fingerprint));
        const code = document.getElementById("code");
        code.alt = words.trust.code;
        code.src = "/api/v1/tls/fingerprint.svg";
        const device = document.getElementById("device");
        device.href = `https://${authority.names[0]}/`;
        device.textContent = device.href;
        for (const id of ["intro", "steps", "limits"]) document.getElementById(id).hidden = false;
    }
}

shell();
show().catch((error) => {
    problem.textContent = [error.title, error.hint].filter(Boolean).join(". ") || words.login.unreachable;
});
