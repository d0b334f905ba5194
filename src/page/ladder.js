// When to connect again, and when to leave it to a person. Pure: time is a parameter.

/**
 * Before the attempts that follow the first; that one is made at once. The device's
 * own word is in its status (sessions.reconnect_waits_s); this is for a page that has
 * not heard it yet.
 */
export const WAITS_MS = [1000, 2000, 4000, 8000, 10000];
/** The device counts offers over a minute: what it asks for beyond that is not its own word. */
const LONGEST_WAIT_MS = 60_000;
/** From the offer to the picture: 0.3 s on a LAN, a few over a relay; later it does not come. */
export const ATTEMPT_LIMIT_MS = 5000;
/**
 * A picture that flowed for this long is a success, and the count starts again. A
 * link that breaks sooner is no better than one over which an attempt fails.
 */
export const STEADY_MS = 5000;

/**
 * Nothing is to be done. The other states: `attempt` (`step` 0 is the first one),
 * `waiting` for the attempt `step`, `trial` of a picture that has just come, and
 * `over` (`final`: another attempt would end in the same way). Where there is a
 * time limit it is `until`; a waiting's is `wait_ms` after its beginning. `deaf`:
 * the device did not answer when it was last asked, so its next answer is news.
 * `hoped`: that an attempt went unanswered was once taken for such a silence, and
 * is not again until a question goes unanswered too: a device that answers
 * questions and no offers would use up all attempts at once, and never be left alone.
 */
export const RESTING = { name: "resting" };

/**
 * What follows from an event: `{ state, todo }`, where `todo` is `attempt` (make a
 * connection), `drop` (end the attempt), `stop` (end everything) or undefined.
 *
 * Events: `lost` (no picture any more, or none yet), `asked` (the offer is on its
 * way), `arrived` (the attempt's picture is there), `revived` (the old connection
 * is back by itself), `failed` (the attempt; `deaf` if nobody answered, `after_ms`
 * if the device said when to come again), `refused` (and will be again), `answered`
 * and `unanswered` (a question whether the device is there), `hurry` (something
 * says that now is a good moment) and `tick`. `waits_ms`: before each further attempt.
 */
export function climb(state, event, now, waits_ms = WAITS_MS) {
    const todo = MOVES[state.name][event.type];
    return todo ? todo(state, now, { ...event, waits_ms }) : { state };
}

const attempt = (step, now, hoped = false) => ({
    state: { name: "attempt", step, until: now + ATTEMPT_LIMIT_MS, hoped },
    todo: "attempt",
});

const refused = () => ({ state: { name: "over", final: true }, todo: "stop" });

/** The attempt after `step`, if there is one; `after_ms`: the device wants no question earlier. */
function retreat({ step, hoped: before = false }, now, { waits_ms, deaf: unheard = false, after_ms = 0 }, todo) {
    const [deaf, hoped] = [unheard && !before, before || unheard];
    const wait_ms = Math.max(waits_ms[step], Math.min(after_ms, LONGEST_WAIT_MS));
    if (step >= waits_ms.length) return { state: { name: "over", final: false, deaf, hoped }, todo: "stop" };
    return { state: { name: "waiting", step: step + 1, until: now + wait_ms, wait_ms, deaf, hoped }, todo };
}

/** A question went unanswered: this is a silence, and no mere guess. */
const silent = (state) => ({ state: { ...state, deaf: true, hoped: false } });

const trial = (step, now) => ({ name: "trial", step, until: now + STEADY_MS });

const MOVES = {
    resting: {
        lost: (_, now) => attempt(0, now),
        refused,
    },
    attempt: {
        asked: (state, now) => ({ state: { ...state, until: now + ATTEMPT_LIMIT_MS } }),
        arrived: ({ step }, now) => ({ state: trial(step, now) }),
        // The first attempt is a precaution: if it was not needed, nothing has happened.
        revived: ({ step }, now) => ({ state: step === 0 ? RESTING : trial(step, now), todo: "drop" }),
        failed: (state, now, event) => retreat(state, now, event, "drop"),
        refused,
        tick: (state, now, event) => (now < state.until ? { state } : retreat(state, now, event, "drop")),
    },
    waiting: {
        answered: (state, now) => (state.deaf ? attempt(state.step, now, state.hoped) : { state }),
        unanswered: silent,
        hurry: ({ step, hoped }, now) => attempt(step, now, hoped),
        revived: ({ step }, now) => ({ state: trial(step, now) }),
        refused,
        tick: (state, now) => (now < state.until ? { state } : attempt(state.step, now, state.hoped)),
    },
    trial: {
        lost: (state, now, event) => retreat(state, now, event),
        refused,
        tick: (state, now) => ({ state: now < state.until ? state : RESTING }),
    },
    over: {
        // A device that is back after a long silence: as if a person had pressed the button.
        answered: (state, now) => (state.deaf ? attempt(0, now, state.hoped) : { state }),
        unanswered: (state) => (state.final ? { state } : silent(state)),
        hurry: (_, now) => attempt(0, now),
    },
};
