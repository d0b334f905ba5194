// The first start: set-up code, the device's name, a password. Then the live page.

import { Refused, request } from "./api.js";
import { languageChoice } from "./shell.js";
import { fill, words } from "./words.js";

const LOOK_EVERY_MS = 5000;

const field = (id) => document.getElementById(id);
const [form, code, name, password, again, wrong, enter] =
    ["setup", "code", "name", "password", "again", "wrong", "enter"].map(field);

function reason(error) {
    if (!(error instanceof Refused)) return words.login.unreachable;
    if (error.status === 401) return words.setup.wrong;
    if (error.status === 429) return words.login.tooMany(error.retryAfter_s ?? 60);
    return [error.detail, error.hint].filter(Boolean).join(". ");
}

/** What is wrong with what is typed, and where. */
function mistake() {
    if (code.value.trim() === "") return [code, words.setup.noCode];
    if (!/^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?$/i.test(name.value)) return [name, words.setup.badName];
    if (password.value.length < 8) return [password, words.setup.tooShort];
    if (password.value !== again.value) return [again, words.setup.differ];
    return undefined;
}

/** Who came by the old name has to go by the new one, which has a login of its own. */
function moved(name) {
    const place = `${location.protocol}//${name}.local${location.port && `:${location.port}`}/`;
    const link = Object.assign(document.createElement("a"), { href: place, textContent: place });
    const told = Object.assign(document.createElement("p"), { textContent: words.setup.moved });
    form.replaceChildren(told, link);
    link.focus();
}

async function setUp() {
    try {
        const { remark } = await request("POST", "/api/v1/setup", {
            code: code.value,
            password: password.value,
            ...(name.value && { name: name.value.toLowerCase() }),
        });
        if (remark) alert(words.setup.remark(remark));
        const renamed = name.value && !remark && location.hostname.endsWith(".local");
        if (renamed) moved(name.value.toLowerCase());
        else location.replace("/");
    } catch (error) {
        wrong.textContent = reason(error);
        const at = error.status === 401 || error.status === 429 ? code : password;
        at.setAttribute("aria-invalid", "true");
        at.select();
    }
}

form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (enter.disabled) return;
    const [at, told] = mistake() ?? [];
    for (const input of [code, name, password, again]) input.setAttribute("aria-invalid", String(input === at));
    wrong.textContent = told ?? "";
    if (at) {
        at.focus();
        return;
    }
    enter.disabled = true;
    enter.textContent = words.login.working;
    await setUp();
    enter.disabled = false;
    enter.textContent = words.setup.button;
});

name.addEventListener("input", () => {
    field("found").textContent = name.value ? words.setup.found(name.value.toLowerCase()) : "";
});

/** Set up from a terminal meanwhile: the page goes on by itself. */
async function look() {
    try {
        const answer = await fetch("/setup", { cache: "no-store", redirect: "manual" });
        if (answer.type === "opaqueredirect" && enter.isConnected && !enter.disabled) location.reload();
    } catch {
        // The device restarts, or the network is away: it is asked again.
    }
}

fill(document);
document.getElementById("speech").append(languageChoice());
setInterval(look, LOOK_EVERY_MS);
