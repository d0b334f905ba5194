// The device itself: its name, its clock, how it fares, its restart.

import { request } from "./api.js";
import { action, card, form, labelled, outcome } from "./card.js";
import { make } from "./dom.js";
import { facts } from "./facts.js";
import { restart } from "./restart.js";
import { may } from "./shell.js";
import { words } from "./words.js";

const said = words.settings.device;

/** The device's own word; undefined where it has none. */
async function device() {
    try {
        return await request("GET", "/api/v1/device", undefined, { limit_ms: 5000 });
    } catch (error) {
        if (error.status === 404) return undefined;
        throw error;
    }
}

export async function deviceCards({ me }) {
    const known = await device();
    const admin = may(me.role, "administrator");
    const told = outcome();
    const again = action(said.restart, told, async () => (confirm(said.restartSure) ? restart(told) : undefined));
    const own = card("device", words.settings.sections.device, known ? facts(known) : [], admin ? name(known) : [],
        make("p", { class: "row end" }, told.line, again));
    return [own, admin && known?.clock ? clock(known.clock) : undefined].filter(Boolean);
}

function name(known) {
    const input = make("input", { value: known?.name ?? "", autocapitalize: "none", spellcheck: false, autocomplete: "off" });
    const field = labelled("device-name", said.name, input, said.nameHelp);
    const give = async () => {
        await request("PUT", "/api/v1/device/name", { name: input.value.trim().toLowerCase() }, { limit_ms: 10_000 });
        return said.named(input.value.trim().toLowerCase());
    };
    return form(said.name, words.settings.save, outcome(), give, field.row);
}

function clock({ zone, ntp, missing }) {
    if (missing) return card("clock", words.settings.sections.clock, make("p", { textContent: missing }));
    const zones = labelled("clock-zone", said.zone, make("input", { value: zone ?? "", spellcheck: false, autocomplete: "off" }), said.zoneHelp);
    const followed = make("input", { type: "checkbox", role: "switch", id: "clock-ntp", checked: Boolean(ntp) });
    const own = make("input", { type: "checkbox", role: "switch", id: "clock-own" });
    const set = async () => {
        const wish = { ntp: followed.checked };
        if (zones.input.value !== (zone ?? "")) wish.zone = zones.input.value.trim();
        if (own.checked && !followed.checked) wish.now_s = Math.round(Date.now() / 1000);
        const now = await request("PUT", "/api/v1/device/time", wish, { limit_ms: 10_000 });
        return said.clockSet(words.moment(now.now_s));
    };
    const switched = (input, text) => make("label", { class: "switch" }, input, make("span", { textContent: text }));
    return card("clock", words.settings.sections.clock,
        form(words.settings.sections.clock, words.settings.save, outcome(), set, zones.row, switched(followed, said.ntp), switched(own, said.fromHere)));
}
