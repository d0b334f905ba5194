// What has been signed, and the sign of this moment.

import { words } from "./words.js";

/** More is history for another tool; the device itself sends the last 64. */
const KEPT_CHARACTERS = 2000;
/** Words in the region that screen readers follow. */
const KEPT_WORDS = 20;
/** A word is read out when nothing was added to it for this long. */
const PAUSE_MS = 2500;
/** Tasks of models that see hands. */
const OF_HANDS = /^hand/;
/** Without a result for this long, the last sign is no longer the present one. */
const SILENCE_MS = 2000;

/**
 * What the device's last characters add to what is known, or undefined if they
 * do not go on from there. Predictions may be lost, so nothing is counted: the
 * longest overlap tells what is new.
 */
export function addition(known, latest) {
    for (let overlap = Math.min(known.length, latest.length); overlap > 0; overlap -= 1) {
        if (known.endsWith(latest.slice(0, overlap))) return latest.slice(overlap);
    }
    return undefined;
}

export class Transcript {
    #task;
    #text = "";
    #untold = "";
    #lastChange = 0;
    #lastResult = 0;
    #seq = -1;
    #shown = {};
    #elements;

    /** `elements`: text, spoken, sign, score, bar, alternatives. */
    constructor(elements) {
        this.#elements = elements;
        setInterval(() => this.#tick(performance.now()), 500);
        this.#showText();
        this.#showSign(undefined);
    }

    /** What the device's model does; see models/README.md. */
    set task(task) {
        if (task === this.#task) return;
        this.#task = task;
        this.#showText();
    }

    get text() {
        return this.#text;
    }

    /** A new connection may lead to a device that counts anew. */
    restart() {
        this.#seq = -1;
    }

    clear() {
        this.#text = "";
        this.#untold = "";
        this.#showText();
    }

    prediction(message) {
        if (message.seq <= this.#seq) return; // The channel is unordered.
        this.#seq = message.seq;
        const now = performance.now();
        this.#lastResult = now;
        this.#take(message.transcript, now);
        this.#showSign(message);
    }

    #take(latest, now) {
        const added = addition(this.#text, latest);
        if (added === "" || latest === this.#text) return;
        this.#text = added === undefined ? latest : (this.#text + added).slice(-KEPT_CHARACTERS);
        this.#untold = added === undefined ? latest : this.#untold + added;
        this.#lastChange = now;
        this.#showText();
        if (latest.endsWith(" ")) this.#tell();
    }

    #tick(now) {
        if (now - this.#lastChange > PAUSE_MS) this.#tell();
        if (now - this.#lastResult > SILENCE_MS) this.#showSign(undefined);
    }

    #showText() {
        const { text } = this.#elements;
        text.textContent = this.#text || (OF_HANDS.test(this.#task ?? "hand") ? words.transcriptEmpty : words.transcriptEmptyOther);
        text.classList.toggle("empty", this.#text === "");
        text.scrollTop = text.scrollHeight;
    }

    /** Adds what is new to the live region, word by word: letter by letter nobody can follow. */
    #tell() {
        const { spoken } = this.#elements;
        for (const word of this.#untold.split(" ").filter(Boolean)) {
            const line = document.createElement("p");
            line.textContent = word;
            spoken.append(line);
            while (spoken.children.length > KEPT_WORDS) spoken.firstChild.remove();
        }
        this.#untold = "";
    }

    #showSign(message) {
        const { sign, score, bar, alternatives } = this.#elements;
        const label = message?.label ?? "";
        this.#put(sign, "sign", label || "–");
        sign.classList.toggle("none", !label);
        sign.classList.toggle("long", label.length > 2);
        this.#put(score, "score", describe(message, this.#task));
        const share = label ? Math.round(message.score * 100) : 0;
        bar.setAttribute("aria-valuenow", share);
        bar.firstElementChild.style.transform = `translateX(${share - 100}%)`;
        const others = (message?.top ?? []).filter(([name]) => name !== label && name.toLowerCase() !== "none").slice(0, 3);
        this.#put(alternatives, "others", label ? others.map(([name, p]) => `${name} ${words.percent(p)}`).join("   ") : "");
    }

    /** Thirty times a second: only what differs touches the document. */
    #put(element, key, value) {
        if (this.#shown[key] === value) return;
        this.#shown[key] = value;
        element.textContent = value;
    }
}

function describe(message, task = "hand-sign") {
    if (!message) return words.noResults;
    if (message.label) return words.percent(message.score);
    if (!OF_HANDS.test(task)) return words.nothing;
    return message.hands.length > 0 ? words.noSign : words.noHand;
}
