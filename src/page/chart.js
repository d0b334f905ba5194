// A chart of a few lines on a canvas, in the reader's colours, with the same in a table.

import { make, table } from "./dom.js";
import { LENGTH, PERIOD_S, stepFor, summary } from "./series.js";
import { words } from "./words.js";

const HEIGHT = 150;
const LEFT = 44;
const BOTTOM = 20;
const TOP = 8;
/** One for each line; the sheet has them for light and dark, and each has a dash of its own. */
const COLOURS = ["--line-1", "--line-2", "--line-3", "--line-4"];
const DASHES = [[], [6, 3], [2, 3], [10, 3, 2, 3]];
const MINUTES = [0, 2, 4, 6, 8, 10];
/** Narrower than that they would run into each other. */
const FEW_MINUTES = [0, 5, 10];
const NARROW = 420;
/** Of an axis on which nothing is known yet. */
const EMPTY_TOP = 4;

export class Chart {
    element;
    #canvas = make("canvas", { class: "chart", role: "img" });
    #legend = make("p", { class: "legend" });
    #table = make("div", { class: "scroll" });
    #details;
    #series = [];
    #unit;

    constructor(title, unit) {
        this.#unit = unit;
        this.#canvas.setAttribute("aria-label", words.diagnostics.chartLabel(title));
        this.#details = make("details", {}, make("summary", { textContent: words.diagnostics.asTable }), this.#table);
        this.#details.addEventListener("toggle", () => this.#tell());
        this.element = make("figure", {}, make("figcaption", { textContent: words.diagnostics.inUnit(title, unit) }), this.#canvas, this.#legend, this.#details);
        new ResizeObserver(() => this.#draw()).observe(this.#canvas);
        matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
    }

    /** `series`: `{ name, values }`, of which those that are known are shown. */
    show(series) {
        this.#series = series.filter(({ values }) => values);
        this.element.hidden = this.#series.length === 0;
        const names = this.#series.map(({ name }, i) => make("span", { class: `line-${i + 1}`, textContent: name }));
        if (this.#legend.textContent !== names.map(({ textContent }) => textContent).join("")) this.#legend.replaceChildren(...names);
        this.#draw();
        if (this.#details.open) this.#tell();
    }

    #tell() {
        const rows = this.#series.map(({ name, values }) => {
            const known = summary(values);
            return [name, ...["now", "least", "mean", "most"].map((key) => (known ? words.diagnostics.figure(known[key]) : "–"))];
        });
        this.#table.replaceChildren(table(this.#canvas.getAttribute("aria-label"), words.diagnostics.tableColumns(this.#unit), rows));
    }

    #draw() {
        const { clientWidth: width } = this.#canvas;
        if (width === 0) return;
        const ratio = devicePixelRatio;
        this.#canvas.width = Math.round(width * ratio);
        this.#canvas.height = Math.round(HEIGHT * ratio);
        const context = this.#canvas.getContext("2d");
        context.scale(ratio, ratio);
        const style = getComputedStyle(this.#canvas);
        const most = Math.max(...this.#series.map(({ values }) => summary(values)?.most ?? 0), 0);
        const step = stepFor(most || EMPTY_TOP);
        const top = step * Math.ceil((most || EMPTY_TOP) / step);
        const place = {
            x: (i) => LEFT + (i / (LENGTH - 1)) * (width - LEFT - 8),
            y: (value) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM),
        };
        grid(context, style, place, step, top);
        times(context, place, width < NARROW ? FEW_MINUTES : MINUTES);
        this.#series.forEach(({ values }, i) => line(context, style.getPropertyValue(COLOURS[i % 4]), DASHES[i % 4], values, place));
    }
}

function grid(context, style, place, step, top) {
    context.font = "12px system-ui, sans-serif";
    context.fillStyle = style.getPropertyValue("--soft");
    context.strokeStyle = style.getPropertyValue("--edge");
    context.lineWidth = 1;
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (let value = 0; value <= top * 1.001; value += step) {
        context.beginPath();
        context.moveTo(place.x(0), place.y(value));
        context.lineTo(place.x(LENGTH - 1), place.y(value));
        context.stroke();
        context.fillText(words.diagnostics.figure(value), LEFT - 6, place.y(value));
    }
}

function times(context, place, all) {
    context.textBaseline = "bottom";
    for (const minutes of all) {
        context.textAlign = { 0: "right", 10: "left" }[minutes] ?? "center";
        const text = minutes === 0 ? words.diagnostics.now : words.diagnostics.minutesAgo(minutes);
        context.fillText(text, place.x(LENGTH - 1 - (minutes * 60) / PERIOD_S + (minutes === 10 ? 1 : 0)), HEIGHT);
    }
}

/** A gap where nothing is known; a value alone is a dot. */
function line(context, colour, dash, values, place) {
    context.strokeStyle = colour;
    context.fillStyle = colour;
    context.lineWidth = 1.75;
    context.setLineDash(dash);
    context.beginPath();
    values.forEach((value, i) => {
        if (!Number.isFinite(value)) return;
        const before = Number.isFinite(values[i - 1]);
        if (before) context.lineTo(place.x(i), place.y(value));
        else context.moveTo(place.x(i), place.y(value));
        if (!before && !Number.isFinite(values[i + 1])) context.fillRect(place.x(i) - 1, place.y(value) - 1, 2, 2);
    });
    context.stroke();
    context.setLineDash([]);
}
