// The one way to send on a data channel. Pure but for the channel itself: time is
// a parameter.

/** A command that waits longer was meant for another moment. */
export const WAITING_LIMIT_MS = 2000;
/** More than a person can cause in two seconds. */
export const WAITING_LIMIT = 64;
/** The server's own limit (sessions.buffer_limit_bytes): more lies on a link that takes nothing. */
export const BUFFER_LIMIT_BYTES = 4 * 1024 * 1024;

export class Channel {
    /** Messages that were not sent, by the reason: the channel's state, `full` or `expired`. */
    refusals = {};
    sent = 0;
    #channel;
    #waiting = [];

    /** `channel`: an RTCDataChannel, or undefined as long as there is none. */
    constructor(channel) {
        this.#channel = channel;
    }

    get state() {
        return this.#channel?.readyState ?? "absent";
    }

    get bufferedAmount() {
        return this.#channel?.bufferedAmount ?? 0;
    }

    /** Sends text or bytes; never throws. Returns `sent`, `waiting` or `refused`. */
    send(data, now) {
        const { state } = this;
        if (state === "open") return this.#pass(data);
        this.#expire(now);
        if (state !== "connecting" || this.#waiting.length >= WAITING_LIMIT) return this.#refuse(state);
        this.#waiting.push({ data, at: now });
        return "waiting";
    }

    /** The channel has opened: what waited and is not too old goes out, in order. */
    opened(now) {
        this.#expire(now);
        for (const { data } of this.#waiting.splice(0)) this.#pass(data);
    }

    #pass(data) {
        if (this.bufferedAmount > BUFFER_LIMIT_BYTES) return this.#refuse("full");
        try {
            this.#channel.send(data);
        } catch {
            // The transport went away between the look at the state and the send.
            return this.#refuse(this.state);
        }
        this.sent += 1;
        return "sent";
    }

    #expire(now) {
        while (this.#waiting.length > 0 && now - this.#waiting[0].at > WAITING_LIMIT_MS) {
            this.#waiting.shift();
            this.#refuse("expired");
        }
    }

    #refuse(reason) {
        this.refusals[reason] = (this.refusals[reason] ?? 0) + 1;
        return "refused";
    }
}
