// Whether the picture comes by WebRTC or as single pictures (MJPEG). Pure: time is a parameter.
//
// Automatic must not flap: it leaves WebRTC only when the ladder has used up its attempts, or
// the device has said that no attempt can succeed; and it comes back only when it was calm for
// long and a connection in the background has shown a picture.

/** Single pictures stay for so long before WebRTC is tried in the background. */
export const CALM_MS = 5 * 60_000;
/** Each further fall doubles it, up to this. */
export const LONGEST_CALM_MS = 60 * 60_000;
/** From the offer to a picture: what the ladder gives an attempt, twice. */
export const TRIAL_LIMIT_MS = 10_000;
/** A WebRTC picture that stayed so long has made up for all falls before. */
export const SOUND_MS = 10 * 60_000;

/** Reasons that are WebRTC's own: pictures by HTTP may come all the same. */
const PATHS = ["noCodec", "noWebRtc", "failed", "checking", "stalled", "securing", "noPicture", "unfit"];

/**
 * How it begins. `choice` is auto, webrtc or mjpeg. States: `webrtc` with `falls` so far,
 * `mjpeg` (`until`: when WebRTC is tried, Infinity where only a person changes it; `reason`:
 * why it is not WebRTC), and `trial` of a connection behind the single pictures.
 */
export function begin(choice) {
    return choice === "mjpeg" ? { name: "mjpeg", choice, until: Infinity } : { name: "webrtc", choice, falls: 0 };
}

/**
 * What follows from an event: `{ state, todo }`; `todo` is `mjpeg` or `webrtc` (change to
 * it), `try` (make a connection in the background), `drop` (end that), or undefined.
 *
 * Events: `chosen` (`choice`), `over` (`kind` of words.problems: no attempt is left),
 * `steady` (a WebRTC picture flows), `broken` (no single pictures come), `tried` (`good`), `tick`.
 */
export function change(state, event, now) {
    if (event.type === "chosen") return chosen(state, event.choice);
    const move = MOVES[state.name][event.type];
    return move ? move(state, event, now) : { state };
}

function chosen(state, choice) {
    const next = begin(choice);
    const todo = next.name === state.name ? undefined : next.name;
    // A trial is of single pictures, too: where these are wanted only the trial ends.
    if (state.name === "trial") return { state: next, todo: choice === "mjpeg" ? "drop" : "webrtc" };
    return { state: next, todo };
}

const calm_ms = (falls) => Math.min(LONGEST_CALM_MS, CALM_MS * 2 ** (falls - 1));

function fall({ choice, falls = 0 }, { kind }, now) {
    // A browser that cannot will not learn it while the page is open.
    const never = kind === "noWebRtc";
    const until = never ? Infinity : now + calm_ms(falls + 1);
    return { name: "mjpeg", choice, falls: falls + 1, reason: kind, until };
}

/** Back among single pictures, for twice as long as before. */
const rest = (state, now) => fall(state, { kind: state.reason }, now);

const MOVES = {
    webrtc: {
        over: (state, event, now) => {
            if (state.choice !== "auto" || !PATHS.includes(event.kind)) return { state };
            return { state: fall(state, event, now), todo: "mjpeg" };
        },
        steady: (state, _, now) => {
            const steadySince = state.steadySince ?? now;
            const falls = now - steadySince >= SOUND_MS ? 0 : state.falls;
            return { state: { ...state, falls, steadySince } };
        },
        broken: (state) => ({ state: { ...state, steadySince: undefined } }),
    },
    mjpeg: {
        broken: (state, _, now) => ({ state: { ...state, until: Math.max(state.until, now + calm_ms(state.falls ?? 1)) } }),
        tick: (state, _, now) => {
            if (now < state.until) return { state };
            return { state: { ...state, name: "trial", until: now + TRIAL_LIMIT_MS }, todo: "try" };
        },
    },
    trial: {
        tried: (state, { good }, now) => {
            if (!good) return { state: rest(state, now), todo: "drop" };
            return { state: { name: "webrtc", choice: state.choice, falls: state.falls }, todo: "webrtc" };
        },
        broken: (state, _, now) => ({ state: rest(state, now), todo: "drop" }),
        tick: (state, _, now) => (now < state.until ? { state } : { state: rest(state, now), todo: "drop" }),
    },
};
