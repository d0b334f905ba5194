// What a check has found, step by step, in words that say what to do.

import { make } from "./dom.js";
import { words } from "./words.js";

const said = words.diagnostics;

/** A list of the steps of a check, the device's or ours; see verdict.js for their form. */
export function report(steps) {
    return make("ol", { class: "steps" }, steps.map(({ name, verdict, took_ms: took, detail, hint }) =>
        make("li", { data: { verdict } },
            make("strong", { textContent: name }), " ",
            make("span", { class: "verdict", textContent: said.verdicts[verdict] ?? verdict }), " ",
            took > 0 && make("span", { class: "help", textContent: words.milliseconds(took) }),
            make("p", { textContent: detail }),
            hint && make("p", { class: "help", textContent: hint }))));
}
