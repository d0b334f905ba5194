// Requests to the device. Every one is aborted after a limit.

/** An answer to a request comes at once on a LAN; later than this it is lost. */
export const REQUEST_LIMIT_MS = 2000;

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

/** Sends a request; resolves to the JSON answer, rejects with Refused or Unreachable. */
export async function request(method, path, body) {
    let response;
    let answer;
    try {
        response = await fetch(path, {
            method,
            headers: body === undefined ? {} : { "Content-Type": "application/json" },
            body: body === undefined ? undefined : JSON.stringify(body),
            cache: "no-store",
            signal: AbortSignal.timeout(REQUEST_LIMIT_MS),
        });
        answer = await response.json();
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
