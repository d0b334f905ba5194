// Which prediction belongs to the frame that is shown, and how long the picture
// must be held so that it has arrived by then. Pure: time is a parameter.

/** Two seconds of results at 30 a second; the picture is held 150 ms at most. */
const HELD_PREDICTIONS = 64;
/** Frames that were shown, to know how late a late prediction was. */
const SHOWN_FRAMES = 64;
/** Eight seconds at 15 results a second: long enough for a percentile, short enough to follow. */
const SAMPLES = 120;
/** Fewer say nothing about a percentile. */
const FIRST_SAMPLES = 8;
/** The share of predictions that shall be there when their frame is. */
const IN_TIME = 0.95;
/** Above that percentile, for the unevenness that it has not seen. */
const MARGIN_MS = 4;
/** Longer, and a person notices that the picture is late. */
const LONGEST_DELAY_MS = 150;
/** A longer delay is asked for at once; a shorter one only if it gains this much. */
const WORTH_FALLING_MS = 8;
/** Chromium moves its playout delay by 100 ms a second: until then nothing is learnt. */
const SETTLING_MS = 1500;
/** A prediction is drawn on later frames until it is this old: then the hand has moved on. */
export const STALE_MS = 250;
const TICKS_PER_MS = 90;

/** Ticks by which RTP time `a` is ahead of `b`, right across the wrap of 32 bits. */
export function ahead(a, b) {
    return (a - b) | 0;
}

export class InStep {
    /** Predictions drawn on their own frame, and those that came too late for it. */
    counts = { hits: 0, misses: 0 };
    #predictions = [];
    #newest;
    #shown = [];
    /** Playout delays that would just have brought frame and prediction together. */
    #needs = [];
    #holding = true;
    #delay_ms = 0;
    #floor_ms = 0;
    #settledAt;

    /** A prediction has arrived at `now` (ms of the page's clock). */
    arrive(prediction, now) {
        const entry = { prediction, rtp: prediction.rtp_timestamp, at: now };
        this.#predictions.push(entry);
        if (this.#predictions.length > HELD_PREDICTIONS) this.#predictions.shift();
        if (!this.#newest || ahead(entry.rtp, this.#newest.rtp) > 0) this.#newest = entry;
        if (this.#holding && this.#settledAt === undefined) this.#begin(prediction, now);
        const last = this.#shown.at(-1);
        if (last === undefined || ahead(entry.rtp, last.rtp) > 1) return;
        this.counts.misses += 1;
        const own = this.#shown.find((frame) => near(frame.rtp, entry.rtp));
        if (own) this.#learn(now - own.at, now);
    }

    /**
     * A frame is shown at `now`: the prediction to draw on it, with its age in ms
     * of RTP time (0 if it is the frame's own), or undefined.
     */
    show(rtp, now) {
        const own = this.#predictions.find((entry) => near(entry.rtp, rtp));
        if (this.#shown.at(-1)?.rtp !== rtp) {
            this.#shown.push({ rtp, at: now });
            if (this.#shown.length > SHOWN_FRAMES) this.#shown.shift();
            if (own) {
                this.counts.hits += 1;
                this.#learn(own.at - now, now);
            }
        }
        const drawn = own ?? this.#lastBefore(rtp);
        if (!drawn) return undefined;
        const age_ms = own ? 0 : ahead(rtp, drawn.rtp) / TICKS_PER_MS;
        return age_ms > STALE_MS ? undefined : { prediction: drawn.prediction, age_ms };
    }

    /** The newest prediction, and how far behind the last shown frame it is. */
    newest(now) {
        if (!this.#newest) return undefined;
        const { prediction, rtp, at } = this.#newest;
        const last = this.#shown.at(-1);
        const age_ms = last
            ? ahead(last.rtp, rtp) / TICKS_PER_MS
            : now - at + (prediction.timing_ms?.capture_to_result ?? 0);
        return now - at > STALE_MS ? undefined : { prediction, age_ms: Math.max(0, age_ms) };
    }

    /** The playout delay to ask for, in ms. */
    get delay_ms() {
        return this.#holding ? Math.max(this.#delay_ms, this.#floor_ms) : 0;
    }

    /** The part of it that has nothing to do with predictions: where frames are not named, it is all. */
    get floor_ms() {
        return this.#holding ? this.#floor_ms : 0;
    }

    /** What the picture is held in any case, at `now`: for another reason than ours. */
    holdAtLeast(floor_ms, now) {
        if (floor_ms === this.#floor_ms) return;
        this.#floor_ms = floor_ms;
        if (this.#settledAt !== undefined) this.#settledAt = now + SETTLING_MS;
    }

    /** Whether the picture is held at all. What was learnt before is forgotten. */
    set holding(on) {
        this.#holding = on;
        this.#needs = [];
        this.#settledAt = undefined;
    }

    /** The device's own figure is the first guess: the frame, too, was a while on its way. */
    #begin(prediction, now) {
        this.#ask(prediction.timing_ms?.capture_to_result ?? 0, now);
    }

    /** `late_ms`: how much later than its frame a prediction came, at the delay asked for. */
    #learn(late_ms, now) {
        if (this.#settledAt === undefined || now < this.#settledAt) return;
        this.#needs.push(this.delay_ms + late_ms);
        if (this.#needs.length > SAMPLES) this.#needs.shift();
        if (this.#needs.length < FIRST_SAMPLES) return;
        const sorted = [...this.#needs].sort((a, b) => a - b);
        const wanted = sorted[Math.floor((sorted.length - 1) * IN_TIME)] + MARGIN_MS;
        if (wanted > this.#delay_ms + 1 || wanted < this.#delay_ms - WORTH_FALLING_MS) this.#ask(wanted, now);
    }

    #ask(delay_ms, now) {
        const bounded = Math.round(Math.min(LONGEST_DELAY_MS, Math.max(0, delay_ms)));
        if (bounded !== this.#delay_ms || this.#settledAt === undefined) this.#settledAt = now + SETTLING_MS;
        this.#delay_ms = bounded;
    }

    #lastBefore(rtp) {
        let best;
        for (const entry of this.#predictions) {
            if (ahead(rtp, entry.rtp) >= 0 && (!best || ahead(entry.rtp, best.rtp) > 0)) best = entry;
        }
        return best;
    }
}

/** The two ends round running time to 90 kHz each in its own way: one tick apart is the same frame. */
function near(a, b) {
    return Math.abs(ahead(a, b)) <= 1;
}
