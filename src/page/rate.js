// How often something happens, and how much of it. Pure: time is a parameter.

/** Figures are means over this time, so that they can be read. */
export const WINDOW_MS = 2000;
/** Over less, a few events say nothing. */
const LEAST_MS = 300;

/** Amounts a second over the last two seconds, or since they began to come. */
export class Rate {
    /** `{ at, amount }`; the first of a series only says when it began. */
    #events = [];
    #since;

    count(now, amount = 1) {
        this.#forget(now);
        if (this.#events.length === 0) this.#since = now;
        this.#events.push({ at: now, amount });
    }

    perSecond(now) {
        this.#forget(now);
        if (this.#events.length === 0) return 0;
        const span_ms = Math.min(WINDOW_MS, now - this.#since);
        if (span_ms < LEAST_MS) return 0;
        const began = this.#since > now - WINDOW_MS ? this.#events[0].amount : 0;
        const all = this.#events.reduce((sum, { amount }) => sum + amount, 0);
        return ((all - began) * 1000) / span_ms;
    }

    #forget(now) {
        while (this.#events[0]?.at < now - WINDOW_MS) this.#events.shift();
    }
}
