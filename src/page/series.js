// Figures of the last ten minutes, a value every two seconds. Pure.

export const PERIOD_S = 2;
/** Ten minutes. */
export const LENGTH = 300;

const NOTHING = Object.freeze(Array(LENGTH).fill(null));

/** The newest values at the end of a list of fixed length, with null before them. */
export function aligned(values = []) {
    return [...NOTHING, ...values].slice(-LENGTH);
}

/** Values that begin at `from` of an answer with `count` samples, put in their place. */
export function placed(values, from, count) {
    const all = Array(count).fill(null);
    values.forEach((value, i) => (all[from + i] = value));
    return aligned(all);
}

/** The largest of several lists, at each place. */
export function largest(lists) {
    return NOTHING.map((_, i) => {
        const known = lists.map((list) => list[i]).filter((value) => value !== null && value !== undefined);
        return known.length > 0 ? Math.max(...known) : null;
    });
}

/** `{ now, least, mean, most }` of what is known, or undefined where nothing is. */
export function summary(values) {
    const known = values.filter((value) => Number.isFinite(value));
    if (known.length === 0) return undefined;
    const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
    return { now: known.at(-1), least: Math.min(...known), mean, most: Math.max(...known) };
}

/** A step of 1, 2 or 5 times a power of ten, of which at most `steps` make up `most`. */
export function stepFor(most, steps = 4) {
    const rough = Math.max(most, 1e-9) / steps;
    const power = 10 ** Math.floor(Math.log10(rough));
    return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough * (1 - 1e-9));
}

/**
 * What this browser sees between two looks at its statistics: rates a second, means in ms.
 * Missing counters of a browser are null.
 */
export function seen(before, after, elapsed_ms) {
    const more = (key) => (after[key] === undefined || before[key] === undefined ? undefined : Math.max(0, after[key] - before[key]));
    const over = (sum, count) => (sum === undefined || !count ? null : (sum / count) * 1000);
    const [packets, lost, frames] = [more("packets"), more("lost"), more("decoded")];
    return {
        kbps: more("bytes") === undefined ? null : (more("bytes") * 8) / elapsed_ms,
        loss: packets === undefined || packets + (lost ?? 0) === 0 ? null : ((lost ?? 0) / (packets + (lost ?? 0))) * 100,
        fps: frames === undefined ? null : (frames * 1000) / elapsed_ms,
        rtt_ms: after.roundTrip_ms ?? null,
        decode_ms: over(more("decode_s"), frames),
        network_ms: network(over(more("held_s"), more("emitted")), after.roundTrip_ms),
    };
}

/** Half of the way there and back, and the time for which the browser holds a picture. */
function network(held_ms, roundTrip_ms) {
    return held_ms === null || roundTrip_ms === undefined ? null : held_ms + roundTrip_ms / 2;
}

/** The device's part, by our names; each is absent where the device does not tell it. */
export function ofDevice(history) {
    if (!history) return {};
    const camera = history.cameras?.[0] ?? {};
    const { recognition = {}, connections = [] } = history;
    const count = (history.next ?? 0) - (history.first ?? 0) || camera.fps?.length || 0;
    const middle = (stage) => (stage ? aligned(stage.median ?? stage) : undefined);
    const whole = (values) => (values ? aligned(values) : undefined);
    const worst = (key) => largest(connections.map((each) => placed(each[key] ?? [], each.from ?? 0, count)));
    const share = (values) => values.map((value) => (value === null ? null : value * 100));
    return {
        captured: whole(camera.fps),
        results: whole(recognition.results_per_s),
        full: whole(camera.full_kbps),
        low: whole(camera.low_kbps),
        vp8: whole(camera.vp8_kbps),
        capture: middle(camera.capture_ms),
        encode: middle(camera.encode_ms),
        queue: middle(recognition.queue_ms),
        detect: middle(recognition.detect_ms),
        landmarks: middle(recognition.landmarks_ms),
        classify: middle(recognition.classify_ms),
        lost: connections.length > 0 ? share(worst("loss")) : undefined,
        roundTrip: connections.length > 0 ? worst("rtt_ms") : undefined,
    };
}
