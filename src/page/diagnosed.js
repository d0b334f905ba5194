// The connection that the page makes to be looked at: its states as they come, and its paths.

import { action, card, outcome, reason } from "./card.js";
import { make, put, table } from "./dom.js";
import { pairs } from "./link.js";
import { Probe } from "./probe.js";
import { words } from "./words.js";

const PAIRS_EVERY_MS = 2000;

const said = words.diagnostics;

/** `{ card, probe() }`: the card, and the connection of this moment. */
export function diagnosedConnection() {
    const told = outcome();
    const now = make("dl", { class: "states" });
    const line = make("ol", { class: "timeline", tabIndex: 0, "aria-label": said.timeline });
    const paths = make("div", { class: "scroll", tabIndex: 0, role: "group", "aria-label": said.pairs });
    let probe;
    const connect = async () => {
        probe?.close();
        line.replaceChildren();
        probe = new Probe({ changed: () => show(probe, now, line) });
        show(probe, now, line);
        await probe.open();
        return "";
    };
    const again = action(said.connectAnew, told, connect);
    connect().catch((error) => told.bad(reason(error)));
    setInterval(async () => showPairs(probe, paths), PAIRS_EVERY_MS);
    addEventListener("pagehide", () => probe?.close());
    addEventListener("pageshow", ({ persisted }) => persisted && connect().catch((error) => told.bad(reason(error))));
    const element = card("connection", said.sections.connection, now,
        make("h3", { textContent: said.timeline }), line,
        make("h3", { textContent: said.pairs }), paths,
        make("p", { class: "row end" }, told.line, again));
    return { card: element, probe: () => (probe?.closed ? undefined : probe) };
}

/** The newest state of each, and all as they came. */
function show({ timeline }, now, line) {
    const newest = Object.fromEntries(timeline.map(({ what, state }) => [what, state]));
    now.replaceChildren(...Object.entries(said.parts).flatMap(([what, name]) => [
        make("dt", { textContent: name }),
        make("dd", { data: { state: newest[what] ?? "none" }, textContent: stateInWords(newest[what]) }),
    ]));
    // Only what is new is added: the list can be read and scrolled meanwhile.
    timeline.slice(line.children.length).forEach(({ at_ms, what, state }) => line.append(make("li", {},
        make("span", { class: "time", textContent: words.milliseconds(at_ms) }),
        make("span", { textContent: said.parts[what] ?? what }),
        make("strong", { data: { state }, textContent: stateInWords(state) }))));
}

/** In the words of the specification, which a search finds. */
const stateInWords = (state) => state ?? said.notYet;

/** Browsers hide an address of their own from pages. */
function address({ candidateType: type = "?", address: shown, port } = {}) {
    const place = shown ? (shown.includes(":") ? `[${shown}]:${port}` : `${shown}:${port}`) : said.hiddenAddress(port);
    return `${words.addresses[type] ?? type}, ${place}`;
}

async function showPairs(probe, element) {
    if (!probe?.peer || probe.closed) return;
    const list = pairs(await probe.peer.getStats());
    const rows = list.map(({ local, remote, protocol, state, used, roundTrip_ms: ms, bytes }) => [
        address(local), address(remote), protocol ?? "?", used ? said.used : state,
        ms === undefined ? "–" : words.milliseconds(ms), said.kilobytes(bytes),
    ]);
    if (rows.length > 0) element.replaceChildren(table(said.pairs, said.pairColumns, rows));
    else put(element, said.noPairs);
}
