// Whether a connection is alive, by what arrives on it. Pure: time is a parameter.
//
// The browser's own states do not tell: after a change of address both ends say
// "connected" while nothing arrives.

/** At 15 frames a second 45 frames: an outage of 2 s is still bridged by the connection itself. */
export const SILENCE_LIMIT_MS = 3000;
/** Time enough to ask the device for its camera before the silence counts. */
const SUSPICION_MS = 1000;
/** Between two of the device's keepalives, until its hello says otherwise. */
const KEEPALIVE_MS = 5000;
/** So many keepalives that did not come mean that none will. */
const KEEPALIVES = 3;
/** With keepalives every second, too: the picture's silence is found sooner than the channel's. */
export const DEAF_LIMIT_MS = 15000;
/** Timers that come this late were held back: the page slept, and so did its ears. */
const SLEEP_MS = 2000;
/** Who wakes up hears the picture at once, or never. */
const AFTER_SLEEP_MS = 1000;
/** And a keepalive with the next one, which may be this late. */
const LATE_KEEPALIVE_MS = 1000;

export class Pulse {
    #packets;
    #movedAt;
    #heardAt;
    #lookedAt;
    #hidden = false;
    #keepalive_ms = KEEPALIVE_MS;

    constructor(now) {
        this.begin(now);
    }

    /** What was or was not heard before `now` does not count any more. */
    begin(now) {
        this.#packets = undefined;
        this.#movedAt = now;
        this.#heardAt = now;
        this.#lookedAt = now;
        this.#hidden = false;
    }

    /** The device's own word for how often its keepalives come. */
    set keepalive_s(seconds) {
        if (seconds > 0) this.#keepalive_ms = seconds * 1000;
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
        const before = this.#lookedAt;
        this.#lookedAt = now;
        this.#hidden = hidden;
        // A fault from before stays until something arrives: a device that starts says that its
        // camera shows nothing yet, and that nobody looks is no sign of life either.
        if (away && !this.#silent(before)) this.#movedAt = now;
        if (slept && !this.#silent(before)) {
            this.#movedAt = Math.max(this.#movedAt, now - SILENCE_LIMIT_MS + AFTER_SLEEP_MS);
        }
        if (slept && !this.#deaf(before)) {
            this.#heardAt = Math.max(this.#heardAt, now - this.#deafLimit_ms + this.#keepalive_ms + LATE_KEEPALIVE_MS);
        }
    }

    /** Whether nothing moves, so that it is worth while to count packets. */
    suspicious(now) {
        return now - this.#movedAt > SUSPICION_MS;
    }

    /** `silent` (no RTP), `deaf` (no keepalive), or undefined. */
    fault(now) {
        if (this.#silent(now)) return "silent";
        return this.#deaf(now) ? "deaf" : undefined;
    }

    #silent(now) {
        return now - this.#movedAt > SILENCE_LIMIT_MS;
    }

    #deaf(now) {
        return now - this.#heardAt > this.#deafLimit_ms;
    }

    get #deafLimit_ms() {
        return Math.max(DEAF_LIMIT_MS, KEEPALIVES * this.#keepalive_ms);
    }
}
