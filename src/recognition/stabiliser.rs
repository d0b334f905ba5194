//! From labels that flicker to signs that were meant.
//!
//! A pure state machine: each prediction goes in, now and then a committed
//! letter or space comes out. Within a word the hand never leaves the picture,
//! so a letter is committed once it was held for a moment, and the same letter
//! again only after it was let go (no hand, or no such sign, for a moment) or
//! after the hand slid aside with it. A letter that begins another one (I
//! begins J, D begins Z) waits a little longer, to see whether it moves.
//!
//! ```text
//!             hand seen            letter          held long enough
//!   Away ------------------> Open --------> Candidate ------------> Held
//!    ^ (space after 0.6 s)    ^  <----------   | began a motion       |
//!    |                        |    faded       v letter, and faded    |
//!    |                        +------------- Armed                    |
//!    +----------- no hand, from everywhere     +------ faded ---------+
//! ```

use std::time::Duration;

/// How patient the machine is. The values come from the bundle's manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Score from which a letter is a candidate, 0 to 1.
    pub enter: f32,
    /// Score under which a candidate or held letter is lost; below `enter`.
    pub leave: f32,
    /// Time for which a letter is seen before it is committed.
    pub hold: Duration,
    /// The same for a letter that begins a motion letter.
    pub hold_starter: Duration,
    /// Time without the letter after which it counts as signed anew.
    pub release: Duration,
    /// Time without a hand that makes a space.
    pub space: Duration,
    /// Distance of a slide that doubles a letter, in palm lengths.
    pub slide: f32,
    /// Speed under which a hand is at rest, in palm lengths a second.
    pub rest: f32,
    /// Pairs (starter, motion letter): the first may turn into the second.
    pub motions: Vec<(char, char)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enter: 0.5,
            leave: 0.3,
            hold: Duration::from_millis(120),
            hold_starter: Duration::from_millis(450),
            release: Duration::from_millis(200),
            space: Duration::from_millis(600),
            slide: 0.4,
            rest: 1.0,
            motions: vec![('I', 'J'), ('D', 'Z')],
        }
    }
}

impl Settings {
    fn starts_motion(&self, letter: char) -> bool {
        self.motions.iter().any(|(starter, _)| *starter == letter)
    }

    fn turns_into(&self, from: char, to: char) -> bool {
        self.motions.contains(&(from, to))
    }

    fn hold_of(&self, letter: char) -> Duration {
        if self.starts_motion(letter) { self.hold_starter } else { self.hold }
    }
}

/// Where the signing hand is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grip {
    /// Wrist, both axes in the same unit (picture widths).
    pub wrist: [f32; 2],
    /// Palm length in that unit, above 0.
    pub palm: f32,
}

/// One prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation<'a> {
    /// When the window's newest frame was taken (running time).
    pub at: Duration,
    /// The newest frame's hand; `None` if it shows none.
    pub hand: Option<Grip>,
    /// Letters with their scores, in any order; "none" is not among them.
    pub scores: &'a [(char, f32)],
}

impl Observation<'_> {
    fn score(&self, letter: char) -> f32 {
        let found = self.scores.iter().find(|(l, _)| *l == letter);
        found.map_or(0.0, |(_, score)| *score)
    }

    /// The best letter, if its score is at least `enter`.
    fn letter(&self, enter: f32) -> Option<char> {
        let best = self.scores.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
        (best.1 >= enter).then_some(best.0)
    }
}

/// What was committed before, as far as the next decision needs it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Past {
    /// The last committed letter, until a space follows it.
    letter: Option<char>,
    /// When that letter was last seen.
    seen: Duration,
    /// A space may follow: something was committed, and no space since.
    space_due: bool,
}

/// What the hand is doing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum State {
    /// No hand. `back` is when one was first seen again: a single frame with a
    /// hand that is none must not restart the wait for a space.
    Away {
        /// First frame without a hand.
        since: Duration,
        /// First frame of the hand that is now seen.
        back: Option<Duration>,
        /// What came before.
        past: Past,
    },
    /// A hand, but no letter: on its way from one to the next.
    Open {
        /// What came before.
        past: Past,
    },
    /// A letter that may be meant.
    Candidate {
        /// The letter.
        letter: char,
        /// First frame that showed it.
        since: Duration,
        /// What came before.
        past: Past,
    },
    /// A motion's starter that was held, but not for long enough to be sure
    /// that no motion follows.
    Armed {
        /// The starter.
        letter: char,
        /// When it was last seen.
        faded: Duration,
        /// Another letter that is now seen, and since when.
        next: Option<(char, Duration)>,
        /// What came before.
        past: Past,
    },
    /// A committed letter that is still shown.
    Held {
        /// The letter.
        letter: char,
        /// When it was last seen.
        seen: Duration,
        /// Where the hand last was, for its speed.
        last: Grip,
        /// Where the hand last rested.
        rest: Grip,
    },
}

/// A hand must be seen for this long to end an absence: two frames at 30 Hz.
const BACK: Duration = Duration::from_millis(30);

impl State {
    /// The state before anything was seen.
    #[must_use]
    pub fn start() -> Self {
        let past = Past { letter: None, seen: Duration::ZERO, space_due: false };
        Self::Away { since: Duration::ZERO, back: None, past }
    }

    /// The next state, and what is committed: a letter or a space.
    #[must_use]
    pub fn on(self, seen: &Observation, set: &Settings) -> (Self, Option<char>) {
        let Some(grip) = seen.hand else {
            return self.without_hand(seen.at, set);
        };
        match self {
            Self::Away { since, back, past } => {
                let first = back.unwrap_or(seen.at);
                if seen.at.saturating_sub(first) < BACK {
                    let back = Some(first);
                    return (Self::Away { since, back, past }, None);
                }
                look(seen, grip, past, set)
            }
            Self::Open { past } => look(seen, grip, past, set),
            Self::Candidate { letter, since, past } => {
                candidate(letter, since, past, seen, grip, set)
            }
            Self::Armed { letter, faded, next, past } => {
                armed(letter, faded, next, past, seen, grip, set)
            }
            Self::Held { letter, seen: last_seen, last, rest } => {
                held(letter, last_seen, last, rest, seen, grip, set)
            }
        }
    }

    fn without_hand(self, at: Duration, set: &Settings) -> (Self, Option<char>) {
        let away = |past| Self::Away { since: at, back: None, past };
        match self {
            Self::Away { since, mut past, .. } => {
                let space = past.space_due && at.saturating_sub(since) >= set.space;
                if space {
                    past.space_due = false;
                    past.letter = None;
                }
                let back = None;
                (Self::Away { since, back, past }, space.then_some(' '))
            }
            Self::Open { past } => (away(past), None),
            Self::Candidate { letter, since, past } => {
                // Held long enough to be meant, and no motion can follow now.
                if at.saturating_sub(since) >= set.hold {
                    (away(after(letter, at)), Some(letter))
                } else {
                    (away(past), None)
                }
            }
            Self::Armed { letter, faded, .. } => (away(after(letter, faded)), Some(letter)),
            Self::Held { letter, seen, .. } => (away(after(letter, seen)), None),
        }
    }
}

fn after(letter: char, seen: Duration) -> Past {
    Past { letter: Some(letter), seen, space_due: true }
}

/// A hand, and nothing held: is there a letter?
fn look(seen: &Observation, grip: Grip, past: Past, set: &Settings) -> (State, Option<char>) {
    let Some(letter) = seen.letter(set.enter) else {
        return (State::Open { past }, None);
    };
    let again = past.letter == Some(letter) || after_motion(past, letter, set);
    if again && seen.at.saturating_sub(past.seen) < set.release {
        // It flickered; it was not let go.
        return (held_again(past, seen, grip), None);
    }
    let since = seen.at;
    (State::Candidate { letter, since, past }, None)
}

/// The hand that has drawn a J is an I again when it stops.
fn after_motion(past: Past, letter: char, set: &Settings) -> bool {
    past.letter.is_some_and(|done| set.turns_into(letter, done))
}

fn held_again(past: Past, seen: &Observation, grip: Grip) -> State {
    State::Held {
        letter: past.letter.expect("only a committed letter is held again"),
        seen: seen.at,
        last: grip,
        rest: grip,
    }
}

fn commit(letter: char, at: Duration, grip: Grip) -> (State, Option<char>) {
    let held = State::Held { letter, seen: at, last: grip, rest: grip };
    (held, Some(letter))
}

fn candidate(
    letter: char,
    since: Duration,
    past: Past,
    seen: &Observation,
    grip: Grip,
    set: &Settings,
) -> (State, Option<char>) {
    let held_for = seen.at.saturating_sub(since);
    let best = seen.letter(set.enter);
    if best == Some(letter) || (best.is_none() && seen.score(letter) >= set.leave) {
        if held_for >= set.hold_of(letter) {
            return commit(letter, seen.at, grip);
        }
        let same = State::Candidate { letter, since, past };
        return (same, None);
    }
    if set.starts_motion(letter) && held_for >= set.hold {
        let next = best.map(|l| (l, seen.at));
        let faded = seen.at;
        let armed = State::Armed { letter, faded, next, past };
        return (armed, None);
    }
    look(seen, grip, past, set)
}

fn armed(
    letter: char,
    faded: Duration,
    next: Option<(char, Duration)>,
    past: Past,
    seen: &Observation,
    grip: Grip,
    set: &Settings,
) -> (State, Option<char>) {
    let best = seen.letter(set.enter);
    if best == Some(letter) || (best.is_none() && seen.at.saturating_sub(faded) >= set.hold_starter)
    {
        // It came back, or nothing followed: it was meant.
        return commit(letter, seen.at, grip);
    }
    let next = match (best, next) {
        (Some(l), Some((old, since))) if l == old => Some((l, since)),
        (Some(l), _) => Some((l, seen.at)),
        (None, kept) => kept.filter(|(l, _)| seen.score(*l) >= set.leave),
    };
    if let Some((follower, since)) = next
        && seen.at.saturating_sub(since) >= set.hold
    {
        if set.turns_into(letter, follower) {
            return commit(follower, seen.at, grip);
        }
        let past = after(letter, faded);
        let follows = State::Candidate { letter: follower, since, past };
        return (follows, Some(letter));
    }
    let waits = State::Armed { letter, faded, next, past };
    (waits, None)
}

fn held(
    letter: char,
    last_seen: Duration,
    last: Grip,
    rest: Grip,
    seen: &Observation,
    grip: Grip,
    set: &Settings,
) -> (State, Option<char>) {
    let best = seen.letter(set.enter);
    let same = best.is_some_and(|b| b == letter || set.turns_into(b, letter));
    if !same && (best.is_some() || seen.score(letter) < set.leave) {
        return look(seen, grip, after(letter, last_seen), set);
    }
    let at_rest = speed(last, grip, seen.at.saturating_sub(last_seen)) < set.rest;
    if at_rest && distance(rest, grip) >= set.slide {
        let candidate = State::Candidate {
            letter,
            since: seen.at,
            past: Past { letter: None, ..after(letter, seen.at) },
        };
        return (candidate, None);
    }
    let held =
        State::Held { letter, seen: seen.at, last: grip, rest: if at_rest { grip } else { rest } };
    (held, None)
}

/// Between two wrists, in palm lengths.
fn distance(a: Grip, b: Grip) -> f32 {
    let [dx, dy] = [b.wrist[0] - a.wrist[0], b.wrist[1] - a.wrist[1]];
    dx.hypot(dy) / b.palm
}

fn speed(a: Grip, b: Grip, time: Duration) -> f32 {
    distance(a, b) / time.as_secs_f32().max(1e-3)
}

/// The state machine with its settings, for its one owner.
#[derive(Debug, Clone)]
pub struct Stabiliser {
    settings: Settings,
    state: State,
}

impl Stabiliser {
    /// A machine that has seen nothing.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let state = State::start();
        Self { settings, state }
    }

    /// Takes one prediction; gives the letter or space that it commits.
    /// Times must not fall.
    pub fn on(&mut self, seen: &Observation) -> Option<char> {
        let (state, committed) = self.state.on(seen, &self.settings);
        self.state = state;
        committed
    }

    /// What the hand is doing now.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }
}

#[cfg(test)]
#[path = "stabiliser_tests.rs"]
mod tests;
