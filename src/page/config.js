// Keys of the configuration as a form: only what differs is sent, and the device checks it.

import { request } from "./api.js";
import { card, form, inputFor, labelled, outcome } from "./card.js";
import { make } from "./dom.js";
import { complaints, fields, wish } from "./forms.js";
import { words } from "./words.js";

/** A card with the keys `names` of a section, or all. */
export function configCard(settings, { id, section, names, index, title = words.settings.sections[id] }) {
    const element = configForm(settings, { id, section, names, index, title });
    return element && card(id, title, words.settings.intros[id] ? make("p", { class: "help", textContent: words.settings.intros[id] }) : [], element);
}

/** The form alone; undefined where the device has none of the keys. */
export function configForm(settings, { id, section, names, index, title }) {
    const list = fields(settings.config, section, { names, index });
    if (list.length === 0) return undefined;
    const told = outcome();
    const entries = new Map(list.map((field) => [field.key, entry(id, field)]));
    const save = async () => {
        const texts = Object.fromEntries(list.map(({ key, held, shut }) => [key, held ?? shut ? undefined : entries.get(key).input.value]));
        entries.forEach(({ complain }) => complain());
        const wanted = wish(section, list, texts, index);
        if (!wanted) return words.settings.nothingChanged;
        try {
            return applied(settings, await request("PATCH", "/api/v1/config", wanted), list);
        } catch (error) {
            throw refused(error, list, entries);
        }
    };
    const rows = [...entries.values()].map(({ row }) => row);
    // Where nothing can be changed from here there is nothing to save.
    const open = list.some(({ held, shut }) => !(held ?? shut));
    return open ? form(title, words.settings.save, told, save, rows) : make("div", { class: "closed" }, rows);
}

function entry(id, field) {
    const { key, name, shut, held, live } = field;
    const texts = words.settings.keys[`${key.replace(/\[\d+\]/, "")}`] ?? { label: name };
    const reasons = [
        texts.help,
        held && words.settings.heldBy(held),
        !held && shut && words.settings.shut(shut),
        !held && !shut && words.settings.range(field),
        !held && !shut && !live && words.settings.needsRestart,
    ];
    return labelled(`${id}-${name}`, texts.label, inputFor(field), reasons.filter(Boolean).join(" "));
}

/** What the device took, in words; the fields hold what it says from now on. */
function applied(settings, answer, list) {
    settings.changed(answer);
    for (const field of list) {
        const [section, index] = [field.key.split(/[.[]/)[0], Number(/\[(\d+)\]/.exec(field.key)?.[1] ?? 0)];
        const values = section === "camera" ? answer.values.camera[index] : answer.values[section];
        field.value = values[field.name];
    }
    const waits = list.filter(({ key }) => answer.restart.includes(key)).map(({ name }) => name);
    const said = waits.length > 0 ? words.settings.savedForRestart(waits.join(", ")) : words.settings.saved;
    return answer.stored === false ? `${said} ${words.settings.notStored}` : said;
}

/** Each sentence of the device at its field; what fits no field stands at the button. */
function refused(error, list, entries) {
    if (!error.detail) return error;
    const { byKey, rest } = complaints(error, list.map(({ key }) => key));
    for (const [key, text] of Object.entries(byKey)) entries.get(key).complain(text);
    entries.get(Object.keys(byKey)[0])?.input.focus();
    return rest.join(". ") || words.settings.seeFields;
}
