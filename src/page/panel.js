// The panel over the picture: what is wrong, and what can be done about it from here.

import { Ending } from "./connection.js";
import { at } from "./dom.js";
import { words } from "./words.js";

/** The device's reason begins with what it wanted to show. */
const CLIP = /^(demo )?clip\b/;
/** What the device itself said is told at once; that it is silent, by the line. */
const TOLD_AT_ONCE = ["capacity", "refused", "unfit"];

/**
 * What the panel has to say, if anything. `camera` with its `state` and `reason`; `awaySince`
 * (ms since 1970); `unstarted`: why the camera did not start; `unplayed`: the browser waits.
 */
export function problem({ ladder, reason, camera, awaySince, unstarted, unplayed }) {
    // A stopped camera is why offers are refused, and it can be started from here.
    const over = ladder.name === "over";
    if (camera?.state === "stopped" && (!over || reason?.kind === "refused")) {
        return new Ending("cameraStopped", unstarted);
    }
    if (over) return reason;
    if (camera?.state === "failed") {
        const kind = CLIP.test(camera.reason) ? "clipFailed" : "cameraFailed";
        const title = words.since(words.problems[kind].title, awaySince);
        return Object.assign(new Ending(kind, { detail: camera.reason }), { title, passing: true });
    }
    if (unplayed) return new Ending("notPlayed");
    const trying = ladder.name === "waiting" || (ladder.name === "attempt" && ladder.step > 0);
    return trying && TOLD_AT_ONCE.includes(reason?.kind) ? reason : undefined;
}

export class Panel {
    /** What stands there: a screen reader says it again whenever it is written. */
    #told;
    #remedies;

    /** `remedies`: by kind of problem `{ words, apply }`; `other` is for all without one. */
    constructor(remedies) {
        this.#remedies = remedies;
        at("remedy").addEventListener("click", () => this.#remedy(this.#told.kind).apply());
    }

    show(ending) {
        const panel = at("problem");
        // With its button hidden, the focus would fall back to the top of the page.
        if (!ending && panel.contains(document.activeElement)) at("stage").focus();
        panel.hidden = !ending;
        const parts = ["kind", "title", "detail", "hint"];
        if (!ending || parts.every((part) => ending[part] === this.#told?.[part])) return;
        this.#told = ending;
        const { title, detail } = words.problems[ending.kind];
        panel.dataset.kind = ending.kind;
        at("problem-title").textContent = ending.title ?? title;
        at("problem-detail").textContent = ending.detail ?? detail;
        at("problem-hint").textContent = ending.hint ?? "";
        at("remedy").textContent = this.#remedy(ending.kind).words;
        at("remedy").hidden = Boolean(ending.passing);
    }

    #remedy(kind) {
        return this.#remedies[kind] ?? this.#remedies.other;
    }
}
