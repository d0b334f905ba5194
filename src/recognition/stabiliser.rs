//! From labels that flicker to signs that were meant.
//!
//! A pure state machine over labels of any kind: each prediction goes in, now and
//! then a committed label or space comes out. Within a word the hand never leaves the picture,
//! so a label is committed once it was held for a moment, and the same label
//! again only after it was let go (no hand, or no such sign, for a moment) or
//! after the hand slid aside with it. A label that begins another one (I
//! begins J, D begins Z) waits a little longer, to see whether it moves.
//!
//! ```text
//!             hand seen            label          held long enough
//!   Away ------------------> Open --------> Candidate ------------> Held
//!    ^ (space after 0.6 s)    ^  <----------   | began a motion       |
//!    |                        |    faded       v label, and faded    |
//!    |                        +------------- Armed                    |
//!    +----------- no hand, from everywhere     +------ faded ---------+
//! ```

use std::collections::VecDeque;
use std::time::Duration;

/// How patient the machine is, with labels `L`. The values come from the bundle's manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings<L> {
    /// Score from which a label is a candidate, 0 to 1.
    pub enter: f32,
    /// Score under which a candidate or held label is lost; below `enter`.
    pub leave: f32,
    /// Time for which a label is seen before it is committed.
    pub hold: Duration,
    /// The same for a label that begins a motion label.
    pub hold_starter: Duration,
    /// Time without the label after which it counts as signed anew.
    pub release: Duration,
    /// Time without a hand that makes a space.
    pub space: Duration,
    /// Distance of a slide that doubles a label, in palm lengths.
    pub slide: f32,
    /// Speed under which a hand is at rest, in palm lengths a second.
    pub rest: f32,
    /// Pairs (starter, motion label): the first may turn into the second.
    pub motions: Vec<(L, L)>,
}

impl<L> Default for Settings<L> {
    fn default() -> Self {
        Self {
            enter: 0.5,
            leave: 0.3,
            hold: Duration::from_millis(120),
            hold_starter: Duration::from_millis(450),
            release: Duration::from_millis(170),
            space: Duration::from_millis(600),
            slide: 0.3,
            rest: 1.3,
            motions: Vec::new(),
        }
    }
}

impl<L: Copy + PartialEq> Settings<L> {
    fn starts_motion(&self, label: L) -> bool {
        self.motions.iter().any(|(starter, _)| *starter == label)
    }

    fn ends_motion(&self, label: L) -> bool {
        self.motions.iter().any(|(_, done)| *done == label)
    }

    fn turns_into(&self, from: L, to: L) -> bool {
        self.motions.contains(&(from, to))
    }

    fn hold_of(&self, label: L) -> Duration {
        if self.starts_motion(label) { self.hold_starter } else { self.hold }
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
pub struct Observation<'a, L> {
    /// When the window's newest frame was taken (running time).
    pub at: Duration,
    /// The newest frame's hand; `None` if it shows none.
    pub hand: Option<Grip>,
    /// What the hand may sign.
    pub scores: Scores<'a, L>,
}

/// What the classifier says about a window that ends with a hand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scores<'a, L> {
    /// Nothing: there was no whole window, as after a hole in the frames. That is
    /// not "no label", and what is being signed must neither end nor begin by it.
    Unknown,
    /// Labels with their scores, in any order; "none" is not among them.
    Known(&'a [(L, f32)]),
}

impl<L: Copy + PartialEq> Observation<'_, L> {
    fn known(&self) -> &[(L, f32)] {
        match self.scores {
            Scores::Known(scores) => scores,
            Scores::Unknown => &[],
        }
    }

    fn score(&self, label: L) -> f32 {
        let found = self.known().iter().find(|(l, _)| *l == label);
        found.map_or(0.0, |(_, score)| *score)
    }

    /// The best label, if its score is at least `enter`.
    fn label(&self, enter: f32) -> Option<L> {
        let best = self.known().iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
        (best.1 >= enter).then_some(best.0)
    }
}

/// What is added to the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed<L> {
    /// A label that was meant.
    Sign(L),
    /// The hand was away.
    Space,
}

impl Committed<usize> {
    /// With the label's name in place of its place.
    #[must_use]
    pub fn named(self, names: &[String]) -> Committed<&str> {
        match self {
            Self::Sign(label) => Committed::Sign(&names[label]),
            Self::Space => Committed::Space,
        }
    }
}

impl<'a> Committed<&'a str> {
    /// As viewers are told of it.
    #[must_use]
    pub fn text(self) -> &'a str {
        match self {
            Self::Sign(label) => label,
            Self::Space => " ",
        }
    }
}

/// What was committed before, as far as the next decision needs it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Past<L> {
    /// The last committed label, until a space follows it.
    label: Option<L>,
    /// When that label was last seen.
    seen: Duration,
    /// A space may follow: something was committed, and no space since.
    space_due: bool,
}

/// Whether the hand moves as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Slower than [`Settings::rest`].
    Rest,
    /// At that speed or faster.
    Moving,
}

/// What the hand is doing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum State<L> {
    /// No hand. `back` is when one was first seen again: a single frame with a
    /// hand that is none must not restart the wait for a space.
    Away {
        /// First frame without a hand.
        since: Duration,
        /// First frame of the hand that is now seen.
        back: Option<Duration>,
        /// What came before.
        past: Past<L>,
    },
    /// A hand, but no label: on its way from one to the next.
    Open {
        /// What came before.
        past: Past<L>,
    },
    /// A label that may be meant.
    Candidate {
        /// The label.
        label: L,
        /// First frame that showed it.
        since: Duration,
        /// What came before.
        past: Past<L>,
    },
    /// A motion's starter that was held, but moves or fades before it is sure
    /// that no motion follows.
    Armed {
        /// The starter.
        label: L,
        /// First frame that showed it at rest.
        since: Duration,
        /// When it was last seen.
        faded: Duration,
        /// Another label that is now seen, and since when.
        next: Option<(L, Duration)>,
        /// What came before.
        past: Past<L>,
    },
    /// A committed label that is still shown.
    Held {
        /// The label.
        label: L,
        /// When it was last seen.
        seen: Duration,
        /// Where the hand last rested since the commit.
        rest: Option<Grip>,
    },
}

/// A hand must be seen for this long to end an absence: two frames at 30 Hz.
const BACK: Duration = Duration::from_millis(30);

impl<L: Copy + PartialEq> State<L> {
    /// The state before anything was seen.
    #[must_use]
    pub fn start() -> Self {
        let past = Past { label: None, seen: Duration::ZERO, space_due: false };
        Self::Away { since: Duration::ZERO, back: None, past }
    }

    /// The next state, and what is committed: a label or a space.
    #[must_use]
    pub fn on(
        self,
        seen: &Observation<'_, L>,
        pace: Pace,
        set: &Settings<L>,
    ) -> (Self, Option<Committed<L>>) {
        let Some(grip) = seen.hand else {
            return self.without_hand(seen.at, set);
        };
        let now = Now { seen, grip, pace, set };
        match self {
            Self::Away { since, back, past } => {
                let first = back.unwrap_or(seen.at);
                if seen.at.saturating_sub(first) < BACK {
                    let back = Some(first);
                    return (Self::Away { since, back, past }, None);
                }
                now.look(past)
            }
            Self::Open { past } => now.look(past),
            waiting if seen.scores == Scores::Unknown => (waiting, None),
            Self::Candidate { label, since, past } => now.candidate(label, since, past),
            Self::Armed { label, since, faded, next, past } => {
                now.armed(label, since, faded, next, past)
            }
            Self::Held { label, seen: last_seen, rest } => now.held(label, last_seen, rest),
        }
    }

    /// The same state `by` later: time in which nothing is known does not count. An
    /// absence is known.
    fn paused(mut self, by: Duration) -> Self {
        match &mut self {
            Self::Away { .. } => {}
            Self::Open { past } => past.seen += by,
            Self::Candidate { since, past, .. } => {
                *since += by;
                past.seen += by;
            }
            Self::Armed { since, faded, next, past, .. } => {
                *since += by;
                *faded += by;
                past.seen += by;
                if let Some((_, first)) = next {
                    *first += by;
                }
            }
            Self::Held { seen, .. } => *seen += by,
        }
        self
    }

    fn without_hand(self, at: Duration, set: &Settings<L>) -> (Self, Option<Committed<L>>) {
        let away = |past| Self::Away { since: at, back: None, past };
        match self {
            Self::Away { since, mut past, .. } => {
                let space = past.space_due && at.saturating_sub(since) >= set.space;
                if space {
                    past.space_due = false;
                    past.label = None;
                }
                let back = None;
                (Self::Away { since, back, past }, space.then_some(Committed::Space))
            }
            Self::Open { past } => (away(past), None),
            Self::Candidate { label, since, past } => {
                // Held long enough to be meant, and no motion can follow now.
                if at.saturating_sub(since) >= set.hold {
                    (away(after(label, at)), sign(label))
                } else {
                    (away(past), None)
                }
            }
            Self::Armed { label, faded, .. } => (away(after(label, faded)), sign(label)),
            Self::Held { label, seen, .. } => (away(after(label, seen)), None),
        }
    }
}

fn sign<L>(label: L) -> Option<Committed<L>> {
    Some(Committed::Sign(label))
}

fn after<L>(label: L, seen: Duration) -> Past<L> {
    Past { label: Some(label), seen, space_due: true }
}

/// A frame with a hand, and what it is judged by.
struct Now<'a, L> {
    seen: &'a Observation<'a, L>,
    grip: Grip,
    pace: Pace,
    set: &'a Settings<L>,
}

impl<L: Copy + PartialEq> Now<'_, L> {
    fn since(&self, earlier: Duration) -> Duration {
        self.seen.at.saturating_sub(earlier)
    }

    /// A hand, and nothing held: is there a label?
    fn look(&self, past: Past<L>) -> (State<L>, Option<Committed<L>>) {
        let Some(label) = self.seen.label(self.set.enter) else {
            return (State::Open { past }, None);
        };
        let ago = self.since(past.seen);
        if past.label == Some(label) && ago < self.set.release {
            // It flickered; it was not let go.
            return (State::Held { label, seen: self.seen.at, rest: None }, None);
        }
        let drawn = past.label.is_some_and(|done| self.set.turns_into(label, done));
        if drawn && ago < self.set.release + self.set.hold {
            // The hand that has drawn a J is an I again while it stops: no sign of its own.
            return (State::Open { past }, None);
        }
        let since = self.seen.at;
        (State::Candidate { label, since, past }, None)
    }

    fn at_rest(&self) -> Option<Grip> {
        (self.pace == Pace::Rest).then_some(self.grip)
    }

    fn commit(&self, label: L) -> (State<L>, Option<Committed<L>>) {
        (State::Held { label, seen: self.seen.at, rest: self.at_rest() }, sign(label))
    }

    fn candidate(
        &self,
        label: L,
        since: Duration,
        past: Past<L>,
    ) -> (State<L>, Option<Committed<L>>) {
        let (seen, set) = (self.seen, self.set);
        let best = seen.label(set.enter);
        if best == Some(label) || (best.is_none() && seen.score(label) >= set.leave) {
            let moves = self.pace == Pace::Moving && set.starts_motion(label);
            if moves && self.since(since) < set.hold {
                // A starter counts only at rest: it may be on its way to its stroke.
                return (State::Candidate { label, since: seen.at, past }, None);
            }
            if !moves {
                return match self.since(since) >= set.hold_of(label) {
                    true => self.commit(label),
                    false => (State::Candidate { label, since, past }, None),
                };
            }
        }
        if set.starts_motion(label) && self.since(since) >= set.hold {
            let next = best.filter(|l| *l != label).map(|l| (l, seen.at));
            let faded = seen.at;
            return (State::Armed { label, since, faded, next, past }, None);
        }
        self.look(past)
    }

    fn armed(
        &self,
        label: L,
        since: Duration,
        faded: Duration,
        next: Option<(L, Duration)>,
        past: Past<L>,
    ) -> (State<L>, Option<Committed<L>>) {
        let (seen, set) = (self.seen, self.set);
        let best = seen.label(set.enter);
        if best == Some(label) && self.pace == Pace::Rest {
            return self.candidate(label, since, past);
        }
        let best = best.filter(|l| *l != label);
        if best.is_none() && self.since(faded) >= set.hold_starter {
            // Nothing followed: it was meant.
            return (State::Open { past: after(label, faded) }, sign(label));
        }
        let next = match (best, next) {
            (Some(l), Some((old, first))) if l == old => Some((l, first)),
            (Some(l), _) => Some((l, seen.at)),
            (None, kept) => kept.filter(|(l, _)| seen.score(*l) >= set.leave),
        };
        if let Some((follower, first)) = next
            && self.since(first) >= set.hold
        {
            if set.turns_into(label, follower) {
                return self.commit(follower);
            }
            let past = after(label, faded);
            let follows = State::Candidate { label: follower, since: first, past };
            return (follows, sign(label));
        }
        (State::Armed { label, since, faded, next, past }, None)
    }

    fn held(
        &self,
        label: L,
        last_seen: Duration,
        rest: Option<Grip>,
    ) -> (State<L>, Option<Committed<L>>) {
        let (seen, set) = (self.seen, self.set);
        let best = seen.label(set.enter);
        let same = best == Some(label) || (best.is_none() && seen.score(label) >= set.leave);
        if !same {
            return self.look(after(label, last_seen));
        }
        // A stroke moves the hand by itself: it is no slide.
        let slid = |from, to| !set.ends_motion(label) && distance(from, to) >= set.slide;
        if let (Some(from), Some(to)) = (rest, self.at_rest())
            && slid(from, to)
        {
            let past = Past { label: None, ..after(label, seen.at) };
            return (State::Candidate { label, since: seen.at, past }, None);
        }
        let rest = self.at_rest().or(rest);
        (State::Held { label, seen: seen.at, rest }, None)
    }
}

/// Between two wrists, in palm lengths.
fn distance(a: Grip, b: Grip) -> f32 {
    let [dx, dy] = [b.wrist[0] - a.wrist[0], b.wrist[1] - a.wrist[1]];
    dx.hypot(dy) / b.palm
}

/// Wrists of the last moments, for the hand's speed over [`Trail::TIME`].
#[derive(Debug, Clone, Default)]
struct Trail(VecDeque<(Duration, Grip)>);

impl Trail {
    /// A moment longer than landmarks tremble and shorter than any stroke.
    const TIME: Duration = Duration::from_millis(100);
    /// Frames kept: the time at 60 Hz, and some more.
    const FRAMES: usize = 8;

    fn pace(&mut self, at: Duration, hand: Option<Grip>, rest: f32) -> Pace {
        let Some(grip) = hand else {
            self.0.clear();
            return Pace::Rest;
        };
        let old = |(then, _): &(Duration, Grip)| at.saturating_sub(*then) > Self::TIME;
        while self.0.len() == Self::FRAMES || self.0.front().is_some_and(old) {
            self.0.pop_front();
        }
        self.0.push_back((at, grip));
        let (then, first) = self.0[0];
        let time = at.saturating_sub(then).as_secs_f32().max(1e-3);
        if distance(first, grip) / time < rest { Pace::Rest } else { Pace::Moving }
    }
}

/// The state machine with its settings, for its one owner.
#[derive(Debug, Clone)]
pub struct Stabiliser<L> {
    settings: Settings<L>,
    state: State<L>,
    trail: Trail,
    /// Time of the last prediction.
    last: Duration,
}

impl<L: Copy + PartialEq> Stabiliser<L> {
    /// A machine that has seen nothing.
    #[must_use]
    pub fn new(settings: Settings<L>) -> Self {
        Self { settings, state: State::start(), trail: Trail::default(), last: Duration::ZERO }
    }

    /// Takes where the hand is in a frame between two predictions.
    pub fn follow(&mut self, at: Duration, hand: Option<Grip>) {
        self.trail.pace(at, hand, self.settings.rest);
    }

    /// Takes one prediction; gives the label or space that it commits.
    /// Times must not fall.
    pub fn on(&mut self, seen: &Observation<'_, L>) -> Option<Committed<L>> {
        let pace = self.trail.pace(seen.at, seen.hand, self.settings.rest);
        let passed = seen.at.saturating_sub(self.last);
        self.last = seen.at;
        if seen.hand.is_some() && seen.scores == Scores::Unknown {
            self.state = self.state.paused(passed);
        }
        let (state, committed) = self.state.on(seen, pace, &self.settings);
        self.state = state;
        committed
    }
}

#[cfg(test)]
#[path = "stabiliser_tests.rs"]
mod tests;
