//! The life of one connection, from its offer to its end.

use std::time::Duration;

/// Where a connection stands. Times are those of the owner's clock, which only
/// rises.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// Its pipeline is being built and the peer waits for the answer.
    Building { deadline: Duration },
    /// Given up while its pipeline was being built.
    Abandoned,
    /// The peer has the answer; ICE and DTLS are on their way.
    Answered { deadline: Duration },
    /// Pictures flow.
    Connected,
    /// Its pipeline is being torn down.
    Ending,
    /// Nothing of it is left.
    Ended,
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Event {
    /// The pipeline is built and its answer is ready.
    Answered,
    /// The pipeline could not be built; nothing of it is left.
    NotAnswered,
    /// ICE and DTLS are up.
    Up,
    /// ICE failed, the peer closed, or the pipeline gave up.
    Lost,
    /// Somebody asked for its end.
    Close,
    /// Time has passed.
    Tick,
    /// The pipeline is torn down.
    Gone,
}

/// What the owner does about it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Action {
    /// Send the answer, or why there is none.
    Reply,
    /// Let pictures flow.
    Show,
    /// Tear the pipeline down.
    TearDown,
    /// Forget the connection.
    Forget,
}

impl State {
    /// The next state and what is to be done.
    pub fn on(self, event: Event, now: Duration) -> (Self, &'static [Action]) {
        use Action::{Forget, Reply, Show, TearDown};
        match (self, event) {
            (Self::Building { deadline }, Event::Answered) => {
                (Self::Answered { deadline }, &[Reply])
            }
            (Self::Building { .. }, Event::NotAnswered) => (Self::Ended, &[Reply, Forget]),
            (Self::Building { .. }, Event::Close) => (Self::Abandoned, &[Reply]),
            (Self::Building { deadline }, Event::Tick) if now >= deadline => {
                (Self::Abandoned, &[Reply])
            }
            (Self::Abandoned, Event::Answered) => (Self::Ending, &[TearDown]),
            (Self::Abandoned, Event::NotAnswered) => (Self::Ended, &[Forget]),
            (Self::Answered { .. }, Event::Up) => (Self::Connected, &[Show]),
            (Self::Answered { deadline }, Event::Tick) if now >= deadline => {
                (Self::Ending, &[TearDown])
            }
            (Self::Answered { .. } | Self::Connected, Event::Lost | Event::Close) => {
                (Self::Ending, &[TearDown])
            }
            (Self::Ending, Event::Gone) => (Self::Ended, &[Forget]),
            (same, _) => (same, &[]),
        }
    }

    /// Whether its session takes a viewer's place because of it.
    pub fn holds_place(self) -> bool {
        matches!(self, Self::Building { .. } | Self::Answered { .. } | Self::Connected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DEADLINE: Duration = Duration::from_secs(10);
    const BUILDING: State = State::Building { deadline: DEADLINE };
    const ANSWERED: State = State::Answered { deadline: DEADLINE };
    const STATES: [State; 6] =
        [BUILDING, State::Abandoned, ANSWERED, State::Connected, State::Ending, State::Ended];
    const EVENTS: [Event; 7] = [
        Event::Answered,
        Event::NotAnswered,
        Event::Up,
        Event::Lost,
        Event::Close,
        Event::Tick,
        Event::Gone,
    ];

    #[test]
    fn every_state_meets_every_event() {
        use State::{Abandoned, Connected, Ended, Ending};
        // One row a state, one column an event, in the order above, before the deadline.
        let next = [
            [ANSWERED, Ended, BUILDING, BUILDING, Abandoned, BUILDING, BUILDING],
            [Ending, Ended, Abandoned, Abandoned, Abandoned, Abandoned, Abandoned],
            [ANSWERED, ANSWERED, Connected, Ending, Ending, ANSWERED, ANSWERED],
            [Connected, Connected, Connected, Ending, Ending, Connected, Connected],
            [Ending, Ending, Ending, Ending, Ending, Ending, Ended],
            [Ended; 7],
        ];
        for (state, row) in STATES.iter().zip(next) {
            for (event, expected) in EVENTS.iter().zip(row) {
                let (reached, actions) = state.on(*event, Duration::ZERO);
                assert_eq!(reached, expected, "{state:?} on {event:?}");
                assert_eq!(actions.is_empty(), reached == *state, "{state:?} on {event:?}");
            }
        }
    }

    #[test]
    fn the_deadline_ends_what_is_not_connected() {
        let after = |state: State| state.on(Event::Tick, DEADLINE);
        assert_eq!(after(BUILDING), (State::Abandoned, &[Action::Reply][..]));
        assert_eq!(after(ANSWERED), (State::Ending, &[Action::TearDown][..]));
        assert_eq!(after(State::Connected), (State::Connected, &[][..]));
    }

    proptest! {
        #[test]
        fn whatever_happens_reply_and_teardown_come_once_and_nothing_is_left(
            events in prop::collection::vec((0_usize..EVENTS.len(), 0_u64..20), 0..40),
        ) {
            let (mut state, mut done) = (BUILDING, Vec::new());
            let mut step = |state: State, event, at| {
                let (next, actions) = state.on(event, Duration::from_secs(at));
                done.extend_from_slice(actions);
                next
            };
            for (event, at) in events {
                state = step(state, EVENTS[event], at);
            }
            // A build ends one way, a close is asked for, a teardown ends.
            for event in [Event::Close, Event::Answered, Event::Close, Event::Gone] {
                state = step(state, event, 20);
            }
            prop_assert_eq!(state, State::Ended);
            let count = |action| done.iter().filter(|a| **a == action).count();
            prop_assert_eq!(count(Action::Reply), 1);
            prop_assert_eq!(count(Action::Forget), 1);
            prop_assert!(count(Action::TearDown) <= 1);
        }
    }
}
