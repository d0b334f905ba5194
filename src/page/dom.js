// Elements made in code, where a page cannot know beforehand how many there are.

/**
 * An element with properties (`textContent`, `hidden`), attributes (`aria-label`),
 * `class`, `data` and listeners (`on: { click }`), and with its children.
 */
export function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
        if (value === undefined) continue;
        if (name === "on") {
            for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
        } else if (name === "data") Object.assign(element.dataset, value);
        else if (name === "class") element.className = value;
        else if (name in element) element[name] = value;
        else element.setAttribute(name, value);
    }
    element.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== false));
    return element;
}

export const at = (id) => document.getElementById(id);

/** Writes only what differs, so that a screen reader and a selection are left alone. */
export function put(element, said) {
    if (element.textContent !== said) element.textContent = said;
}

/** A choice of `[value, text]`. */
export function choice(id, entries, value, properties = {}) {
    const options = entries.map(([key, said]) => make("option", { value: key, textContent: said }));
    const select = make("select", { id, ...properties }, options);
    if (value !== undefined) select.value = value;
    return select;
}

/** A table with a heading for each column; `rows` are lists of texts or elements. */
export function table(caption, headings, rows) {
    const cells = (kind, list) => list.map((cell) => make(kind, kind === "th" ? { scope: "col" } : {}, cell ?? ""));
    return make("table", {},
        make("caption", { class: "unseen", textContent: caption }),
        make("thead", {}, make("tr", {}, cells("th", headings))),
        make("tbody", {}, rows.map((row) => make("tr", {}, cells("td", row)))));
}

/** A fingerprint that goes on in the next line after a whole byte. */
export const bytes = (text) => text.split(":").flatMap((byte, i) => (i === 0 ? [byte] : [":", make("wbr"), byte]));
