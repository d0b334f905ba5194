// The wish to clear the transcript, until the device has surely heard it. Pure.
//
// What was sent on a connection that is dead already is lost, and the text would be
// back with the next sign. The channel is ordered, so an echo that comes back says
// that what was sent before it has been heard.

export class Clearing {
    /** Number of the wish, which its echo carries. */
    #wishes = 0;
    #open = false;

    /** Whether a wish has not been heard yet. */
    get open() {
        return this.#open;
    }

    wish() {
        this.#wishes += 1;
        this.#open = true;
    }

    /** Sends the open wish, as `send(message)` of a connection does; returns what that returned last. */
    send(send) {
        send({ type: "transcript.clear" });
        return send({ type: "echo", id: `clear ${this.#wishes}` });
    }

    /** A command has come from the device. */
    heard({ type, id }) {
        if (type === "echo" && id === `clear ${this.#wishes}`) this.#open = false;
    }

    /** Nothing will come of it. */
    giveUp() {
        this.#open = false;
    }
}
