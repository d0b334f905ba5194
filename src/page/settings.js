// The settings page put together: what is set, by whom it may be, and a restart where one is needed.

import { request } from "./api.js";
import { accessCards, accountCard } from "./access.js";
import { cameraCards } from "./camera.js";
import { busy, outcome, reason } from "./card.js";
import { certificateCard } from "./certificate.js";
import { configCard } from "./config.js";
import { at, make, put } from "./dom.js";
import { deviceCards } from "./machine.js";
import { modelCard } from "./model.js";
import { restart } from "./restart.js";
import { may, shell } from "./shell.js";
import { words } from "./words.js";

/** Cards that are nothing but keys of the configuration. */
const SECTIONS = [
    { id: "encoder", section: "encoder" },
    { id: "sessions", section: "sessions", names: ["max_viewers", "keepalive_s", "negotiation_timeout_s", "offers_per_minute", "reconnect_waits_s", "buffer_limit_bytes"] },
    { id: "ice", section: "ice", role: "administrator" },
    { id: "http", section: "http", role: "administrator" },
    { id: "log", section: "log" },
];

const me = await shell();
const settings = { me, config: undefined, changed };
const told = outcome();

/** After each change: what waits for a restart is said above everything. */
function changed({ values, restart: waiting, remarks }) {
    Object.assign(settings.config, { values, restart: waiting, remarks });
    at("waiting").hidden = waiting.length === 0;
    put(at("waiting-keys"), words.settings.waits(waiting.join(", ")));
    at("remarks").replaceChildren(...remarks.map((remark) => make("li", { textContent: remark })));
    at("remarks").hidden = remarks.length === 0;
}

/** Parts that this device does not have are left out; for one that cannot be read the reason is told above. */
async function part(cards) {
    try {
        return (await cards(settings)) ?? [];
    } catch (error) {
        if (error.status !== 404 && error.status !== 403) put(at("problem"), reason(error));
        return [];
    }
}

async function show() {
    if (!may(me.role, "operator")) {
        at("cards").replaceChildren(...(await part(accountCard)));
        return;
    }
    settings.config = await request("GET", "/api/v1/config");
    const admin = may(me.role, "administrator");
    const sections = SECTIONS.filter(({ role = "operator" }) => may(me.role, role));
    const cards = await Promise.all([
        part(cameraCards),
        part(modelCard),
        ...sections.map((section) => configCard(settings, section)),
        admin && part(accessCards),
        admin && part(certificateCard),
        part(deviceCards),
        part(accountCard),
    ]);
    const all = cards.flat().filter(Boolean);
    at("cards").replaceChildren(...all);
    at("contents").replaceChildren(...all.map((card) => make("a", { href: `#${card.id}`, textContent: card.querySelector("h2").textContent })));
    changed(settings.config);
    if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

at("restart").addEventListener("click", () => busy(at("restart"), told, () => restart(told)));
at("waiting").append(told.line);
show().catch((error) => put(at("problem"), reason(error)));
