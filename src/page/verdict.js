// What a connection test has found, in plain words, in the form of the device's own checks. Pure.

import { words } from "./words.js";

/** What each mark of a probe (probe.js) means, and which of words.problems it is when it does not come. */
const STEPS = [
    { mark: "answered", problem: "unreachable" },
    { mark: "path", problem: "checking" },
    { mark: "secured", problem: "securing" },
    { mark: "picture", problem: "noPicture" },
    { mark: "channel" },
    { mark: "echo" },
    { mark: "prediction" },
];

/**
 * The steps `{ name, verdict, took_ms, detail, hint }`. `marks`: ms since the beginning of what
 * came; `refusal`: what the device or the browser said against it; `camera`: the state of the
 * device's camera; `recognises`: whether a prediction can be expected.
 */
export function steps({ marks, refusal, camera, recognises }) {
    const said = words.diagnostics.steps;
    let failed = false;
    let before_ms = 0;
    return STEPS.map(({ mark, problem }) => {
        const step = { name: said[mark].name, took_ms: 0 };
        const at_ms = marks[mark];
        if (at_ms !== undefined) {
            const took_ms = mark === "echo" ? at_ms : Math.max(0, at_ms - before_ms);
            if (mark !== "echo") before_ms = Math.max(before_ms, at_ms);
            return { ...step, verdict: "pass", took_ms: Math.round(took_ms), detail: said[mark].good };
        }
        if (failed) return { ...step, verdict: "skipped", detail: said.afterFailure };
        if (mark === "prediction" && !recognises) return { ...step, verdict: "skipped", detail: said.noRecognition };
        if (mark === "picture" && camera && camera !== "live") return { ...step, verdict: "skipped", detail: said.noCamera };
        // A silent channel says nothing against what comes after it, but all before is needed.
        failed = mark !== "prediction";
        if (mark === "answered" && refusal) return { ...step, verdict: "fail", detail: refusal.detail, hint: refusal.hint };
        const told = problem ? { detail: words.problems[problem].title, hint: words.problems[problem].detail } : { detail: said[mark].bad, hint: said[mark].todo };
        return { ...step, verdict: "fail", ...told };
    });
}

/** All of it in one sentence. */
export function verdict(list) {
    const failed = list.find((step) => step.verdict === "fail");
    return failed ? words.diagnostics.bad(failed.detail) : words.diagnostics.good;
}
