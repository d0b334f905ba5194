// A card of a settings page: fields, a button, and what came of it.

import { Refused } from "./api.js";
import { make, put } from "./dom.js";
import { shown } from "./forms.js";
import { words } from "./words.js";

/** What went wrong, in the device's words where it gave any. */
export function reason(error) {
    if (!(error instanceof Refused)) return words.problems.unreachable.title;
    return [error.detail ?? error.title, error.hint].filter(Boolean).join(". ");
}

/** A section with a heading; `id` is what the table of contents leads to. */
export function card(id, title, ...children) {
    const heading = make("h2", { id: `${id}-title`, textContent: title });
    return make("section", { id, class: "card", "aria-labelledby": heading.id }, heading, children);
}

/** A line for what came of something, which a screen reader says. */
export function outcome() {
    const line = make("p", { class: "outcome", role: "status" });
    return {
        line,
        good: (text) => (line.classList.remove("wrong"), put(line, text)),
        bad: (error) => (line.classList.add("wrong"), put(line, typeof error === "string" ? error : reason(error))),
    };
}

/** A button that does something once at a time and tells what came of it. */
export function action(text, told, apply, properties = {}) {
    const button = make("button", { type: "button", textContent: text, class: "quiet", ...properties });
    button.addEventListener("click", () => busy(button, told, apply));
    return button;
}

/** Does `apply` with the button out of use meanwhile; it resolves to what is told, if anything. */
export async function busy(button, told, apply) {
    if (button.getAttribute("aria-disabled") === "true") return;
    // Not `disabled`, which would lose the focus.
    button.setAttribute("aria-disabled", "true");
    told.good(words.settings.working);
    try {
        told.good((await apply()) ?? "");
    } catch (error) {
        told.bad(error);
    } finally {
        button.removeAttribute("aria-disabled");
    }
}

/** A form whose submission is `apply()`; `children` are its fields. */
export function form(label, text, told, apply, ...children) {
    const button = make("button", { type: "submit", textContent: text });
    const element = make("form", { noValidate: true, "aria-label": label }, children, make("p", { class: "row end" }, told.line, button));
    element.addEventListener("submit", (event) => {
        event.preventDefault();
        busy(button, told, apply);
    });
    return element;
}

/** A labelled input: `{ row, input }`. `help` stands below it. */
export function labelled(id, label, input, help) {
    const note = make("p", { id: `${id}-help`, class: "help", textContent: help ?? "" });
    const wrong = make("p", { id: `${id}-wrong`, class: "wrong" });
    Object.assign(input, { id });
    input.setAttribute("aria-describedby", `${note.id} ${wrong.id}`);
    const complain = (text = "") => {
        put(wrong, text);
        input.setAttribute("aria-invalid", String(text !== ""));
    };
    return { input, complain, row: make("div", { class: "entry" }, make("label", { htmlFor: id, textContent: label }), input, note, wrong) };
}

/** The input for a field of forms.js. */
export function inputFor(field) {
    const text = shown(field);
    const disabled = Boolean(field.held ?? field.shut);
    if (field.kind === "flag") return pick([["true", words.settings.on], ["false", words.settings.off]], text, disabled);
    if (field.kind === "word") return pick(field.words.map((word) => [word, words.settings.choices[word] ?? word]), text, disabled);
    if (field.kind === "list") return make("textarea", { value: text, disabled, rows: Math.min(4, Math.max(2, text.split("\n").length)), spellcheck: false });
    const numeric = field.kind === "number" || field.kind === "even";
    return make("input", { value: text, disabled, inputMode: numeric ? "numeric" : "text", spellcheck: false, autocapitalize: "none" });
}

function pick(entries, value, disabled) {
    const select = make("select", { disabled }, entries.map(([key, text]) => make("option", { value: key, textContent: text })));
    select.value = value;
    return select;
}
