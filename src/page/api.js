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

/** Since the device answered last: questions, and when one was last put without a knock. */
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
 * with Refused or Unreachable. `ended`: an AbortSignal of whoever asks; `limit_ms`: where
 * the device may take longer.
 */
export async function request(method, path, body, { ended, limit_ms = REQUEST_LIMIT_MS } = {}) {
    let response;
    let answer;
    try {
        [response, answer] = await limited(limit_ms, ended, async (signal) => {
            response = await fetch(path, {
                method,
                headers: body === undefined ? {} : { "Content-Type": "application/json" },
                body: body === undefined ? undefined : JSON.stringify(body),
                cache: "no-store",
                // Without TLS the device leads to HTTPS, where the page's policy lets no request go.
                redirect: "manual",
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
 * with it, so that the next one tries at once: the page knocks. In a long silence a knock is
 * held back; so requests are made, too, at first and then seldom. They carry no login, for which
 * Chromium has another six connections than for what the page asks for as soon as it is answered.
 */
export async function answers(ended) {
    silence ??= { questions: 0, askedAt: performance.now() };
    silence.questions += 1;
    // A proxy that sends who has no login elsewhere is an answer, too.
    const options = { cache: "no-store", credentials: "omit", redirect: "manual" };
    const ask = () => limited(QUESTION_LIMIT_MS, ended, (signal) => fetch("/healthz", { ...options, signal }));
    const asked = [];
    if (knocks()) {
        const limit_ms = silence.questions > KNOCKS_AT_ONCE ? HELD_KNOCK_LIMIT_MS : QUESTION_LIMIT_MS;
        // What does not open may be a device without its program.
        asked.push(limited(limit_ms, ended, knock).then((opened) => opened || ask()));
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

/** Resolves when anything answers a WebSocket: to whether it opened one. */
function knock(signal) {
    return new Promise((resolve, reject) => {
        const socket = new WebSocket(new URL("/api/v1/knock", location.href.replace(/^http/, "ws")));
        socket.onopen = () => {
            resolve(true);
            socket.close();
        };
        socket.onclose = () => resolve(false);
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
