// Requests to the device. Every one is aborted after a limit.

/** An answer to a request comes at once on a LAN; later than this it is lost. */
export const REQUEST_LIMIT_MS = 2000;
/** The question whether the device is there is asked often, so the next one may be luckier. */
const QUESTION_LIMIT_MS = 1000;

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
    if (!response.ok) {
        throw new Refused(response.status, answer, Number(response.headers.get("Retry-After")) || undefined);
    }
    return answer;
}

/**
 * Whether the device answers anything at all. `nth`: how often it was asked in this silence,
 * from 1 on; `ended` as above.
 *
 * A connection that is not made yet outlives the request that it was for (Chromium 156), there
 * are six at most, and the kernel knocks for each after 1, 3, 7, 15 s only. In an outage all six
 * soon wait long, and every request waits for one of them. A WebSocket's connection ends with
 * it, so that the next one knocks at once. Requests are made beside it, but fewer and fewer,
 * because browsers hold back a WebSocket that follows others which failed (RFC 6455, 7.2.3).
 */
export function answers(nth, ended) {
    const ask = () => limited(QUESTION_LIMIT_MS, ended, (signal) => fetch("/healthz", { cache: "no-store", signal }));
    // What answers a knock may be a device without its program.
    const asked = [limited(QUESTION_LIMIT_MS, ended, knock).then(ask)];
    if (Number.isInteger(Math.log2(nth))) asked.push(ask());
    return Promise.any(asked).then(
        () => true,
        () => false,
    );
}

/** Resolves when anything answers a WebSocket; that there is none here is an answer. */
function knock(signal) {
    return new Promise((resolve, reject) => {
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
