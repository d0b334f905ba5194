// The one line over the picture: what is going on, the most important first. Pure.

import { words } from "./words.js";

/** Long enough to read two sentences. */
const NOTICE_MS = 8000;
/** A longer wait is told in seconds. */
const MOMENT_MS = 10_000;
/** A notice of the device's, cut to what fits on a phone. */
const NOTICE_CHARACTERS = 200;

export class Line {
    /** What is wrong with the link: `{ kind, value }` as Trouble gives it, or undefined. */
    trouble;
    #notice;

    notice(text, now) {
        this.#notice = { text: String(text).slice(0, NOTICE_CHARACTERS), until: now + NOTICE_MS };
    }

    /** The text of this moment. `ladder`, `most`, `reason` and `again` (whether there was a picture) as in Viewing. */
    text({ ladder, most, reason, again }, now) {
        if (this.#notice && now >= this.#notice.until) this.#notice = undefined;
        // A notice may be about the very loss that is told, so it hides neither the loss nor itself.
        const texts = [reconnecting(ladder, most, reason, again), this.#notice?.text].filter(Boolean);
        return texts.length > 0 ? texts.join(" ") : this.#troubleInWords(ladder);
    }

    #troubleInWords({ name }) {
        const live = name === "resting" || name === "trial";
        return live && this.trouble ? words.troubles[this.trouble.kind](this.trouble.value) : "";
    }
}

/** For a screen reader's sake it changes with each attempt and not with each of its phases. */
function reconnecting({ name, step, deaf, wait_ms }, most, reason, again) {
    if (name === "attempt") {
        if (step > 0) return words.attemptOf(step, most);
        return again ? words.connectingAgain : undefined;
    }
    if (name !== "waiting") return undefined;
    const why = words.problems[reason?.kind ?? "lost"].title;
    const later = wait_ms > MOMENT_MS ? words.inSeconds(wait_ms / 1000) : words.shortly;
    return words.attemptFollows(why, step, most, deaf ? words.onceItAnswers : later);
}
