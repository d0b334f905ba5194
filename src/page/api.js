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

/** Whether the device answers anything at all. `ended` as above. */
export async function answers(ended) {
    try {
        await limited(QUESTION_LIMIT_MS, ended, (signal) => fetch("/healthz", { cache: "no-store", signal }));
        return true;
    } catch {
        return false;
    }
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
