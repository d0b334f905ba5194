// Requests to the device. Every one is aborted after a limit.

/** An answer to a request comes at once on a LAN; later than this it is lost. */
export const REQUEST_LIMIT_MS = 2000;
/** The question whether the device is there is asked often, so the next one may be luckier. */
const QUESTION_LIMIT_MS = 1000;
/** Chromium holds each further WebSocket back after some twenty that failed, for 5 s at most. */
const KNOCKS_AT_ONCE = 12;
const HELD_KNOCK_LIMIT_MS = 7000;
/** At first the kernel tries soon again; later a request takes one of six connections for two minutes. */
const ASKED_WITH_KNOCKS = [1, 2, 4, 8];
const ASKED_EVERY_MS = 30_000;

/** Since the device answered last: questions, and when it was asked without one. */
let silence;

/** The device answered with a problem (application/problem+json). */
export class Refused extends Error {
    constructor(status, problem, retryAfter_s) {
        super(problem.title ?? `HTTP ${status}`);
        this.status = status;
        this.title = problem.title;
        this.detail = problem.detail;
        this.hint = problem.hint;
        this.retryAfter_s = retryAfter_s;
    }
}

/** No answer came, or none within the limit. */
export class Unreachable extends Error {}

/**
 * Sends a request; resolves to the JSON answer (undefined if it has none), rejects
 * with Refused or Unreachable. `ended`: an AbortSignal of whoever asks.
 */
export async function request(method, path, body, { ended } = {}) {
    let response;
    let answer;
    try {
        [response, answer] = await limited(REQUEST_LIMIT_MS, ended, async (signal) => {
            response = await fetch(path, {
                method,
                headers: body === undefined ? {} : { "Content-Type": "application/json" },
                body: body === undefined ? undefined : JSON.stringify(body),
                cache: "no-store",
                signal,
            });
            return [response, response.status === 204 ? undefined : await response.json()];
        });
    } catch (error) {
        // An error page of a proxy is no JSON, but an answer; half of one is none.
        if (!response || response.ok) throw new Unreachable(error.message);
        answer = {};
    }
    silence = undefined;
    if (!response.ok) {
        throw new Refused(response.status, answer, Number(response.headers.get("Retry-After")) || undefined);
    }
    return answer;
}

/**
 * Whether the device answers anything at all. `ended` as above.
 *
 * In Chromium (156) a connection that is not made yet outlives the request that it was for,
 * there are six at most, and the kernel tries each again after 1, 3, 7, 15 s only. In an outage
 * all six soon wait long, and every request waits for one of them. A WebSocket's connection ends
 * with it, so that the next one tries at once: it knocks, and who is heard asks. After several
 * outages it is held back; so requests are made without it, too, at first and then seldom.
 */
export async function answers(ended) {
    silence ??= { questions: 0, askedAt: performance.now() };
    silence.questions += 1;
    const ask = () => limited(QUESTION_LIMIT_MS, ended, (signal) => fetch("/healthz", { cache: "no-store", signal }));
    const asked = [];
    if (knocks()) {
        const limit_ms = silence.questions > KNOCKS_AT_ONCE ? HELD_KNOCK_LIMIT_MS : QUESTION_LIMIT_MS;
        // What hears a knock may be a device without its program.
        asked.push(limited(limit_ms, ended, knock).then(ask));
    }
    const due = ASKED_WITH_KNOCKS.includes(silence.questions) || performance.now() - silence.askedAt >= ASKED_EVERY_MS;
    if (!knocks() || due) {
        silence.askedAt = performance.now();
        asked.push(ask());
    }
    try {
        await Promise.any(asked);
        silence = undefined;
        return true;
    } catch {
        return false;
    }
}

/** Whether this is a Chromium. Others hold WebSockets back sooner and for longer. */
const knocks = () => /Chrom(e|ium)\//.test(navigator.userAgent);

/** Resolves when anything answers a WebSocket; that there is none here is an answer. */
function knock(signal) {
    return new Promise((resolve, reject) => {
        // A page that may not make one throws here, which is no answer.
        const socket = new WebSocket(new URL("/healthz", location.href.replace(/^http/, "ws")));
        socket.onopen = () => socket.close();
        socket.onclose = resolve;
        const end = () => {
            reject(new Unreachable("no answer to a knock"));
            socket.close();
        };
        if (signal.aborted) end();
        signal.addEventListener("abort", end);
    });
}

/** Aborts what `ask(signal)` does after a limit or with `ended`, and leaves no timer behind. */
async function limited(limit_ms, ended, ask) {
    const aborter = new AbortController();
    const abort = () => aborter.abort();
    if (ended?.aborted) abort();
    ended?.addEventListener("abort", abort);
    const limit = setTimeout(abort, limit_ms);
    try {
        return await ask(aborter.signal);
    } finally {
        clearTimeout(limit);
        ended?.removeEventListener("abort", abort);
    }
}
