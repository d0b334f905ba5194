//! The states that a connection went through, for who looks for what is wrong. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use super::channel::Label;

/// Entries that are kept: a connection that comes up has a dozen, and of one that wavers the
/// newest say most.
pub const ENTRIES: usize = 32;

/// What changed its state.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Looking for our own addresses.
    Gathering,
    /// The path between both (RFC 8445).
    Ice,
    /// The encryption (RFC 6347).
    Dtls,
    /// Both together, as RTCPeerConnection counts them.
    Peer,
    /// What the device makes of it: negotiating, connecting, live, closing.
    Connection,
    /// Data channel `commands`.
    Commands,
    /// Data channel `predictions`.
    Predictions,
    /// Data channel `frames`.
    Frames,
}

impl From<Label> for Part {
    fn from(label: Label) -> Self {
        match label {
            Label::Commands => Self::Commands,
            Label::Predictions => Self::Predictions,
            Label::Frames => Self::Frames,
        }
    }
}

/// A state that was entered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Entry {
    pub part: Part,
    pub state: &'static str,
    /// By the owner's clock.
    pub at: Duration,
}

/// The newest [`ENTRIES`] of one connection, the oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline {
    entries: VecDeque<Entry>,
}

impl Timeline {
    /// `part` is in this state now; nothing if it was already.
    pub fn note(&mut self, part: Part, state: &'static str, at: Duration) {
        let last = self.entries.iter().rev().find(|entry| entry.part == part);
        if last.is_some_and(|entry| entry.state == state) {
            return;
        }
        if self.entries.len() >= ENTRIES {
            self.entries.pop_front();
        }
        self.entries.push_back(Entry { part, state, at });
    }

    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_state_that_is_told_twice_is_noted_once() {
        let mut timeline = Timeline::default();
        for (part, state) in
            [(Part::Ice, "new"), (Part::Peer, "new"), (Part::Ice, "new"), (Part::Ice, "connected")]
        {
            timeline.note(part, state, Duration::ZERO);
        }
        let told: Vec<_> = timeline.entries().map(|entry| (entry.part, entry.state)).collect();
        let expected = [(Part::Ice, "new"), (Part::Peer, "new"), (Part::Ice, "connected")];
        assert_eq!(told, expected);
    }

    proptest! {
        #[test]
        fn the_newest_are_kept_in_order(steps in prop::collection::vec((0..3_usize, 0..4_usize), 0..200)) {
            const PARTS: [Part; 3] = [Part::Ice, Part::Dtls, Part::Commands];
            const STATES: [&str; 4] = ["new", "connecting", "connected", "failed"];
            let mut timeline = Timeline::default();
            for (at, (part, state)) in (0..).zip(&steps) {
                timeline.note(PARTS[*part], STATES[*state], Duration::from_secs(at));
                let newest = timeline.entries().rev().find(|entry| entry.part == PARTS[*part]);
                prop_assert_eq!(newest.map(|entry| entry.state), Some(STATES[*state]));
            }
            let times: Vec<_> = timeline.entries().map(|entry| entry.at).collect();
            prop_assert!(times.len() <= ENTRIES && times.is_sorted());
        }
    }
}
