// The diagnostics page put together.

import { request } from "./api.js";
import { card, reason } from "./card.js";
import { chartsCard } from "./charts.js";
import { diagnosedConnection } from "./diagnosed.js";
import { at, make, put } from "./dom.js";
import { facts } from "./facts.js";
import { bundleCard, logCard } from "./journal.js";
import { may, shell } from "./shell.js";
import { testsCard } from "./tests.js";
import { words } from "./words.js";

const said = words.diagnostics;
const DEVICE_LIMIT_MS = 5000;

/** What does not work at the moment, in the device's words. */
async function health() {
    const { degraded } = await request("GET", "/api/v1/status");
    const list = degraded.map((each) => make("li", { textContent: each }));
    return card("health", said.sections.health, list.length > 0 ? make("ul", { class: "remarks" }, list) : make("p", { textContent: said.healthy }));
}

async function device() {
    try {
        return card("device", words.settings.sections.device, facts(await request("GET", "/api/v1/device", undefined, { limit_ms: DEVICE_LIMIT_MS })));
    } catch (error) {
        if (error.status === 404) return undefined;
        throw error;
    }
}

const me = await shell();
const admin = may(me.role, "administrator");
const { card: connection, probe } = diagnosedConnection();
const cards = [connection, testsCard(probe), chartsCard(probe), admin && logCard(), admin && bundleCard()];
const problem = (error) => put(at("problem"), reason(error));
const late = await Promise.all([health(), device()].map((each) => each.catch(problem)));
const all = [late[0], ...cards, late[1]].filter(Boolean);
at("cards").replaceChildren(...all);
at("contents").replaceChildren(...all.map(({ id, firstChild }) => make("a", { href: `#${id}`, textContent: firstChild.textContent })));
