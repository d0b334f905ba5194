// Each camera's card: its picture beside what the device offers to set.

import { request } from "./api.js";
import { card, outcome } from "./card.js";
import { configForm } from "./config.js";
import { make } from "./dom.js";
import { preview } from "./preview.js";
import { words } from "./words.js";

/** Turning a knob sends no more than this many changes a second. */
const SEND_EVERY_MS = 300;

/** What the cameras themselves offer; a device that does not tell has nothing more to set. */
async function offers() {
    try {
        return (await request("GET", "/api/v1/cameras")).cameras;
    } catch (error) {
        if (error.status === 404) return [];
        throw error;
    }
}

export async function cameraCards(settings) {
    const offered = await offers();
    return settings.config.values.camera.map((configured, index) => {
        const id = index === 0 ? "camera" : `camera-${index + 1}`;
        const title = settings.config.values.camera.length > 1 ? words.settings.cameraNamed(configured.name) : words.settings.sections.camera;
        const known = offered.find(({ name }) => name === configured.name);
        const names = ["source", "width", "height", "framerate", "flip"];
        const form = configForm(settings, { id, section: "camera", names, index, title });
        const side = make("div", {}, form ? [modes(known, form, id), form] : [], controls(settings, known, index, id));
        return card(id, title, make("div", { class: "beside" }, preview(configured.name), side));
    });
}

/** The sizes and rates that the camera has: a choice fills the fields below. */
function modes(known, form, id) {
    if (!known) return [];
    if (!known.modes?.length) return known.why ? make("p", { class: "help", textContent: known.why }) : [];
    const all = known.modes.flatMap(({ width, height, framerates }) =>
        [...framerates].sort((a, b) => b - a).slice(0, 4).map((framerate) => ({ width, height, framerate })));
    const texts = all.map(({ width, height, framerate }) => [`${width} ${height} ${framerate}`, words.settings.mode(width, height, framerate)]);
    const select = make("select", { id: `${id}-mode` },
        make("option", { value: "", textContent: words.settings.chooseMode }),
        texts.map(([value, text]) => make("option", { value, textContent: text })));
    select.addEventListener("change", () => {
        const [width, height, framerate] = select.value.split(" ");
        const set = (name, value) => (form.querySelector(`#${id}-${name}`).value = value);
        if (select.value) [["width", width], ["height", height], ["framerate", Math.floor(framerate)]].forEach(([name, value]) => set(name, value));
    });
    return make("div", { class: "entry" }, make("label", { htmlFor: select.id, textContent: words.settings.modes }), select);
}

/** Brightness, exposure, focus: in force while the knob is turned. */
function controls(settings, known, index, id) {
    if (!known?.controls?.length) return [];
    const told = outcome();
    const send = sender(settings, index, told);
    const rows = known.controls.map((control) => row(control, `${id}-control-${control.name.replace(/\W+/g, "-")}`, send));
    const back = make("button", { type: "button", class: "quiet", textContent: words.settings.defaults });
    back.addEventListener("click", () => rows.forEach(({ reset }) => reset()));
    return make("fieldset", { class: "controls" },
        make("legend", { textContent: words.settings.controls }), rows.map(({ element }) => element),
        make("p", { class: "row end" }, told.line, back));
}

/** Gathers what is turned and sends it, the newest value of each. */
function sender(settings, index, told) {
    let waiting = {};
    let timer;
    const pass = async () => {
        timer = undefined;
        const controls = waiting;
        waiting = {};
        try {
            const camera = [...Array.from({ length: index }, () => ({})), { controls }];
            settings.changed(await request("PATCH", "/api/v1/config", { camera }));
            told.good(words.settings.saved);
        } catch (error) {
            told.bad(error);
        }
    };
    return (name, value) => {
        waiting[name] = value;
        timer ??= setTimeout(pass, SEND_EVERY_MS);
    };
}

function row(control, id, send) {
    const { name, label, kind, min, max, step, value, inactive } = control;
    const input = inputOf(control);
    Object.assign(input, { id, disabled: Boolean(inactive) });
    const output = make("output", { htmlFor: id, textContent: kind === "int" ? value : "" });
    const read = () => (kind === "bool" ? input.checked : Number(input.value));
    input.addEventListener("input", () => {
        if (kind === "int") output.textContent = input.value;
        send(name, read());
    });
    const reset = () => {
        if (input.disabled || control.default === undefined || control.default === null) return;
        if (kind === "bool") input.checked = Boolean(control.default);
        else input.value = control.default;
        input.dispatchEvent(new Event("input"));
    };
    if (kind === "int") Object.assign(input, { min, max, step: step || 1, value });
    return { element: make("p", { class: "knob" }, make("label", { htmlFor: id, textContent: label }), input, output), reset };
}

function inputOf({ kind, value, menu = [] }) {
    if (kind === "bool") return make("input", { type: "checkbox", checked: Boolean(value) });
    if (kind !== "menu") return make("input", { type: "range" });
    const select = make("select", {}, menu.map((entry) => make("option", { value: entry.value, textContent: entry.label })));
    select.value = value;
    return select;
}
