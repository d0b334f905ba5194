// Whether a connection is alive, by what arrives on it. Pure: time is a parameter.
//
// The browser's own states do not tell: after a change of address both ends say
// "connected" while nothing arrives.

/** At 15 frames a second 45 frames: an outage of 2 s is still bridged by the connection itself. */
export const SILENCE_LIMIT_MS = 3000;
/** Time enough to ask the device for its camera before the silence counts. */
const SUSPICION_MS = 1000;
/** Three of the server's keepalives, which come every 5 s. */
export const DEAF_LIMIT_MS = 15000;
/** Timers that come this late were held back: the page slept, and so did its ears. */
const SLEEP_MS = 2000;
/** Who wakes up hears the picture at once, or never. */
const AFTER_SLEEP_MS = 1000;
/** And a keepalive with the next one. */
const NEXT_KEEPALIVE_MS = 6000;

export class Pulse {
    #packets;
    #movedAt;
    #heardAt;
    #lookedAt;
    #hidden = false;

    constructor(now) {
        this.#movedAt = now;
        this.#heardAt = now;
        this.#lookedAt = now;
    }

    /** A frame was shown. */
    frame(now) {
        this.#movedAt = now;
        // Packets are counted only in a silence; a count of the last one says nothing of this one.
        this.#packets = undefined;
    }

    /** So many RTP packets have arrived in all. */
    packets(total, now) {
        if (this.#packets !== undefined && total > this.#packets) this.#movedAt = now;
        this.#packets = total;
    }

    /** Something came on the channel with the keepalives. */
    heard(now) {
        this.#heardAt = now;
    }

    /**
     * Has to be called a few times a second. `hidden`: the tab is not seen;
     * `away`: the device says that its camera shows nothing.
     */
    look(now, { hidden, away }) {
        const slept = this.#hidden || hidden || now - this.#lookedAt > SLEEP_MS;
        this.#lookedAt = now;
        this.#hidden = hidden;
        if (away) this.#movedAt = now;
        if (!slept) return;
        this.#movedAt = Math.max(this.#movedAt, now - SILENCE_LIMIT_MS + AFTER_SLEEP_MS);
        this.#heardAt = Math.max(this.#heardAt, now - DEAF_LIMIT_MS + NEXT_KEEPALIVE_MS);
    }

    /** Whether nothing moves, so that it is worth while to count packets. */
    suspicious(now) {
        return now - this.#movedAt > SUSPICION_MS;
    }

    /** `silent` (no RTP), `deaf` (no keepalive), or undefined. */
    fault(now) {
        if (this.#hidden) return undefined;
        if (now - this.#movedAt > SILENCE_LIMIT_MS) return "silent";
        return now - this.#heardAt > DEAF_LIMIT_MS ? "deaf" : undefined;
    }
}
