// What of the link's figures is worth a word to a person, without flapping. Pure.

/** A look is 5 s. A single one may have met a short outage, which is over when it is told. */
const TROUBLED_LOOKS = 2;
/** A trouble that is gone has to stay away for so many looks. */
const CALM_LOOKS = 2;
/** A figure that is told is told anew when it has changed by this share. */
const WORTH_TELLING = 0.5;
/** Shares of fewer packets or frames than that say nothing. */
const FEWEST = 20;

/**
 * The most important first. A trouble is told from `appears` on and until its figure
 * has fallen below `vanishes`; between the two it stays as it is.
 */
const TROUBLES = [
    // Packets without pictures: key frames are lost, or the decoder has given up.
    { kind: "undecoded", appears: 1, vanishes: 1, of: (link) => (link.packets >= FEWEST && link.decoded === 0 ? 1 : 0) },
    // Retransmission makes up for some per cent; 10 % cost half of the frames (measured).
    { kind: "loss", appears: 0.05, vanishes: 0.02, of: (link) => (link.packets >= FEWEST ? link.loss : 0) },
    { kind: "buffered", appears: 65536, vanishes: 16384, of: (link) => link.buffered_bytes ?? 0 },
    // From here on a person who signs to the camera notices that the picture is late.
    { kind: "roundTrip", appears: 300, vanishes: 200, of: (link) => link.roundTrip_ms ?? 0 },
    { kind: "dropped", appears: 0.3, vanishes: 0.15, of: (link) => (link.received >= FEWEST ? link.dropped / link.received : 0) },
];

export class Trouble {
    /** By kind: `{ value, looks, calm }` of those that were seen; they are present after some looks. */
    #seen = new Map();

    /** A look at the link, as `between` of link.js gives it. Returns `{ kind, value }` or undefined. */
    observe(link) {
        for (const trouble of TROUBLES) this.#judge(trouble, trouble.of(link));
        const present = ({ kind }) => this.#seen.get(kind)?.looks >= TROUBLED_LOOKS;
        const first = TROUBLES.find(present);
        return first && { kind: first.kind, value: this.#seen.get(first.kind).value };
    }

    /** A new connection starts with a clean slate. */
    forget() {
        this.#seen.clear();
    }

    #judge({ kind, appears, vanishes }, value) {
        const seen = this.#seen.get(kind) ?? { looks: 0, calm: 0 };
        const present = seen.looks >= TROUBLED_LOOKS;
        if (value >= appears) {
            const keep = present && Math.abs(value - seen.value) < WORTH_TELLING * seen.value;
            this.#seen.set(kind, { value: keep ? seen.value : value, looks: seen.looks + 1, calm: 0 });
        } else if (present) {
            seen.calm = value < vanishes ? seen.calm + 1 : 0;
            if (seen.calm >= CALM_LOOKS) this.#seen.delete(kind);
        } else {
            this.#seen.delete(kind);
        }
    }
}
