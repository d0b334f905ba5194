// The device's log, filtered, and the archive for whoever helps from afar.

import { request } from "./api.js";
import { action, card, outcome } from "./card.js";
import { choice, make, table } from "./dom.js";
import { words } from "./words.js";

/** As in syslog (RFC 5424, 6.2.1). */
const LEVELS = { error: 3, warn: 4, info: 6, debug: 7 };
const LINES = 300;
const SLOW_LIMIT_MS = 15_000;
/** The device gathers journal and status first. */
const BUNDLE_LIMIT_MS = 65_000;
const TYPED_MS = 400;

const said = words.diagnostics;

export function logCard() {
    const told = outcome();
    const list = make("ol", { class: "log", tabIndex: 0, "aria-label": said.sections.log });
    const of = choice("log-of", Object.entries(said.logs), "signpost");
    const level = choice("log-level", Object.entries(said.levels), "info");
    const text = make("input", { id: "log-text", type: "search", maxLength: 200, spellcheck: false });
    const save = make("a", { class: "button quiet", download: "", textContent: said.saveLog });
    const show = async () => {
        const query = new URLSearchParams({ of: of.value, lines: LINES });
        const filtered = new URLSearchParams({ of: of.value, lines: 1000, format: "jsonl" });
        for (const each of [query, filtered]) {
            // What is asked for anyhow need not be said.
            if (level.value !== "info") each.set("level", level.value);
            if (text.value.trim()) each.set("text", text.value.trim());
        }
        save.href = `/api/v1/log?${filtered}`;
        const lines = kept(await logLines(query), LEVELS[level.value], text.value.trim());
        list.replaceChildren(...lines.map(line));
        list.scrollTop = list.scrollHeight;
        return said.lineCount(lines.length);
    };
    const ask = () => show().then(told.good, told.bad);
    let typed;
    text.addEventListener("input", () => {
        clearTimeout(typed);
        typed = setTimeout(ask, TYPED_MS);
    });
    [of, level].forEach((each) => each.addEventListener("change", ask));
    ask();
    const entry = (label, input) => make("div", { class: "entry" }, make("label", { htmlFor: input.id, textContent: label }), input);
    return card("log", said.sections.log,
        make("div", { class: "filter" }, entry(said.logOf, of), entry(said.level, level), entry(said.contains, text)),
        list, make("p", { class: "row end" }, told.line, action(said.refresh, told, show), save));
}

/** A device that filters nothing yet is asked without. */
async function logLines(query) {
    try {
        return (await request("GET", `/api/v1/log?${query}`, undefined, { limit_ms: SLOW_LIMIT_MS })).lines;
    } catch (error) {
        if (error.status !== 400) throw error;
        const plain = new URLSearchParams({ of: query.get("of"), lines: query.get("lines") });
        return (await request("GET", `/api/v1/log?${plain}`, undefined, { limit_ms: SLOW_LIMIT_MS })).lines;
    }
}

/** Lines at least as serious, which contain the text. */
export function kept(lines, priority, text) {
    const wanted = text.toLowerCase();
    const holds = ({ message, part, fields = {} }) => [message, part, ...Object.values(fields)].join(" ").toLowerCase().includes(wanted);
    return lines.filter((line) => line.priority <= priority && holds(line));
}

function line({ time, priority, part, message, fields = {} }) {
    const kind = priority <= LEVELS.error ? "error" : priority <= LEVELS.warn ? "warn" : "info";
    const about = Object.entries(fields).map(([name, value]) => `${name.toLowerCase()}=${value}`).join(" ");
    return make("li", { data: { kind } },
        make("time", { dateTime: new Date(time * 1000).toISOString(), textContent: words.exact(time) }), " ",
        kind !== "info" && make("strong", { textContent: said.levels[kind] }), " ",
        part && make("span", { class: "part", textContent: part }), " ",
        make("span", { textContent: message }), " ",
        about && make("span", { class: "help", textContent: about }));
}

export function bundleCard() {
    const told = outcome();
    const list = make("div", { class: "scroll", tabIndex: 0, role: "group", "aria-label": said.bundleCaption });
    const load = make("a", { class: "button", href: "/api/v1/support-bundle", download: "", textContent: said.loadBundle, hidden: true });
    const look = action(said.listBundle, told, async () => {
        const { entries } = await request("GET", "/api/v1/support-bundle/contents", undefined, { limit_ms: BUNDLE_LIMIT_MS });
        list.replaceChildren(table(said.bundleCaption, said.bundleColumns, entries.map(({ path, what, bytes, absent }) => [
            path, what, absent ? said.absent(absent) : bytes === undefined ? "" : said.kilobytes(bytes),
        ])));
        load.hidden = false;
    });
    return card("bundle", said.sections.bundle, make("p", { class: "help", textContent: said.bundleHelp }),
        make("p", { class: "actions" }, look, load), make("p", {}, told.line), list);
}
