// How long the picture is held so that lost packets are there again in time. Pure.
//
// A browser that holds it shorter decodes what is repaired in bursts, and shows the
// last picture of each: at 5 % loss and 100 ms, 30 decoded and 19 shown a second
// (Chromium 156). It does not lengthen its playout delay for this by itself.

/** A loss is noticed when the next packet comes, at the latest with the next frame. */
const NOTICED_MS = 40;
/** Longer, and a frozen moment is the lesser evil. */
const LONGEST_MS = 300;
/** Where the browser does not tell: a relay or a bad wireless link, for which the hold is made. */
const UNKNOWN_ROUND_TRIP_MS = 100;
/** A network that lost nothing for so long is thought to be good again. */
const FORGOTTEN_MS = 10000;
/** The delay follows the round trip in steps: each change takes Chromium a second. */
const STEP_MS = 20;

export class Repair {
    #asked;
    #until = 0;
    #hold_ms = 0;

    /** The figures of link.js at `now` (ms of the page's clock). */
    observe({ asked, roundTrip_ms = UNKNOWN_ROUND_TRIP_MS }, now) {
        const more = asked > this.#asked;
        this.#asked = asked ?? this.#asked;
        if (!more) return;
        const wanted = Math.min(LONGEST_MS, Math.ceil((roundTrip_ms + NOTICED_MS) / STEP_MS) * STEP_MS);
        this.#hold_ms = now < this.#until ? Math.max(this.#hold_ms, wanted) : wanted;
        this.#until = now + FORGOTTEN_MS;
    }

    /** The playout delay that repairs need at `now`. */
    hold_ms(now) {
        return now < this.#until ? this.#hold_ms : 0;
    }
}
