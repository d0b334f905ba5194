//! The life of one connection, from its offer to its end.

use std::time::Duration;

use serde::Serialize;

/// Where a connection stands. Times are those of the owner's clock, which only
/// rises.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// Its pipeline is being built and the peer waits for the answer.
    Negotiating { deadline: Duration },
    /// Given up while its pipeline was being built.
    Abandoned,
    /// The peer has the answer; ICE and DTLS are on their way.
    Connecting { deadline: Duration },
    /// Pictures flow.
    Live,
    /// Its pipeline is being torn down.
    Closing,
    /// Nothing of it is left.
    Closed,
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
    /// It cannot go on.
    Lost(Loss),
    /// Somebody asked for its end.
    Close,
    /// Time has passed.
    Tick,
    /// The pipeline is torn down.
    Gone,
}

/// Why a connection cannot go on.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// It was not up within sessions.negotiation_timeout_s.
    NegotiationTimeout,
    /// ICE found no path, or the path broke.
    IceFailed,
    /// A path was found, and encryption was not agreed on.
    DtlsFailed,
    /// The peer closed it.
    ClosedByPeer,
    /// Nothing has been heard of the peer for too long.
    Silent,
    /// Its data channels do not answer any more.
    Deaf,
    /// The peer does not take what it is sent on `commands`.
    Overrun,
    /// The peer sends more than a page would.
    Flooded,
    /// An element of its pipeline gave up.
    Pipeline,
}

impl Loss {
    /// For the log.
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::NegotiationTimeout => "it was not connected in time",
            Self::IceFailed => "the path to it broke",
            Self::DtlsFailed => "the encryption was not agreed on",
            Self::ClosedByPeer => "it closed the connection",
            Self::Silent => "it was not heard of any more",
            Self::Deaf => "its data channels did not answer any more",
            Self::Overrun => "it did not take what it was sent",
            Self::Flooded => "it sent more than a page would",
            Self::Pipeline => "an element of its pipeline gave up",
        }
    }
}

/// What the owner does about it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Action {
    /// Send the answer, or why there is none.
    Reply,
    /// Let pictures flow.
    Show,
    /// Tear the pipeline down; why, unless it was asked for.
    TearDown(Option<Loss>),
    /// Forget the connection.
    Forget,
}

/// At most two actions follow from an event.
type Actions = [Option<Action>; 2];

const NONE: Actions = [None; 2];

const fn one(action: Action) -> Actions {
    [Some(action), None]
}

const fn two(first: Action, second: Action) -> Actions {
    [Some(first), Some(second)]
}

impl State {
    /// The next state and what is to be done.
    pub fn on(self, event: Event, now: Duration) -> (Self, impl Iterator<Item = Action>) {
        let (next, actions) = self.step(event, now);
        (next, actions.into_iter().flatten())
    }

    fn step(self, event: Event, now: Duration) -> (Self, Actions) {
        use Action::{Forget, Reply, Show, TearDown};
        match (self, event) {
            (Self::Negotiating { deadline }, Event::Answered) => {
                (Self::Connecting { deadline }, one(Reply))
            }
            (Self::Negotiating { .. }, Event::NotAnswered) => (Self::Closed, two(Reply, Forget)),
            (Self::Negotiating { .. }, Event::Close) => (Self::Abandoned, one(Reply)),
            (Self::Negotiating { deadline }, Event::Tick) if now >= deadline => {
                (Self::Abandoned, one(Reply))
            }
            (Self::Abandoned, Event::Answered) => (Self::Closing, one(TearDown(None))),
            (Self::Abandoned, Event::NotAnswered) => (Self::Closed, one(Forget)),
            (Self::Connecting { .. }, Event::Up) => (Self::Live, one(Show)),
            (Self::Connecting { deadline }, Event::Tick) if now >= deadline => {
                (Self::Closing, one(TearDown(Some(Loss::NegotiationTimeout))))
            }
            (Self::Connecting { .. } | Self::Live, Event::Lost(loss)) => {
                (Self::Closing, one(TearDown(Some(loss))))
            }
            (Self::Connecting { .. } | Self::Live, Event::Close) => {
                (Self::Closing, one(TearDown(None)))
            }
            (Self::Closing, Event::Gone) => (Self::Closed, one(Forget)),
            (same, _) => (same, NONE),
        }
    }

    /// Whether its session takes a viewer's place because of it.
    pub fn holds_place(self) -> bool {
        matches!(self, Self::Negotiating { .. } | Self::Connecting { .. } | Self::Live)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DEADLINE: Duration = Duration::from_secs(10);
    const NEGOTIATING: State = State::Negotiating { deadline: DEADLINE };
    const CONNECTING: State = State::Connecting { deadline: DEADLINE };
    const STATES: [State; 6] =
        [NEGOTIATING, State::Abandoned, CONNECTING, State::Live, State::Closing, State::Closed];
    const EVENTS: [Event; 7] = [
        Event::Answered,
        Event::NotAnswered,
        Event::Up,
        Event::Lost(Loss::IceFailed),
        Event::Close,
        Event::Tick,
        Event::Gone,
    ];

    #[test]
    fn every_state_meets_every_event() {
        use State::{Abandoned, Closed, Closing, Live};
        // One row a state, one column an event, in the order above, before the deadline.
        let next = [
            [CONNECTING, Closed, NEGOTIATING, NEGOTIATING, Abandoned, NEGOTIATING, NEGOTIATING],
            [Closing, Closed, Abandoned, Abandoned, Abandoned, Abandoned, Abandoned],
            [CONNECTING, CONNECTING, Live, Closing, Closing, CONNECTING, CONNECTING],
            [Live, Live, Live, Closing, Closing, Live, Live],
            [Closing, Closing, Closing, Closing, Closing, Closing, Closed],
            [Closed; 7],
        ];
        for (state, row) in STATES.iter().zip(next) {
            for (event, expected) in EVENTS.iter().zip(row) {
                let (reached, mut actions) = state.on(*event, Duration::ZERO);
                assert_eq!(reached, expected, "{state:?} on {event:?}");
                assert_eq!(actions.next().is_none(), reached == *state, "{state:?} on {event:?}");
            }
        }
    }

    #[test]
    fn the_deadline_ends_what_is_not_live() {
        let after = |state: State| {
            let (next, actions) = state.on(Event::Tick, DEADLINE);
            (next, actions.collect::<Vec<_>>())
        };
        assert_eq!(after(NEGOTIATING), (State::Abandoned, vec![Action::Reply]));
        let late = Action::TearDown(Some(Loss::NegotiationTimeout));
        assert_eq!(after(CONNECTING), (State::Closing, vec![late]));
        assert_eq!(after(State::Live), (State::Live, vec![]));
    }

    #[test]
    fn what_is_lost_says_why_and_what_is_closed_does_not() {
        let down = |event| State::Live.on(event, Duration::ZERO).1.collect::<Vec<_>>();
        assert_eq!(down(Event::Lost(Loss::Deaf)), [Action::TearDown(Some(Loss::Deaf))]);
        assert_eq!(down(Event::Close), [Action::TearDown(None)]);
    }

    proptest! {
        #[test]
        fn whatever_happens_reply_and_teardown_come_once_and_nothing_is_left(
            events in prop::collection::vec((0_usize..EVENTS.len(), 0_u64..20), 0..40),
        ) {
            let (mut state, mut done) = (NEGOTIATING, Vec::new());
            let mut step = |state: State, event, at| {
                let (next, actions) = state.on(event, Duration::from_secs(at));
                done.extend(actions);
                next
            };
            for (event, at) in events {
                state = step(state, EVENTS[event], at);
            }
            // A build ends one way, a close is asked for, a teardown ends.
            for event in [Event::Close, Event::Answered, Event::Close, Event::Gone] {
                state = step(state, event, 20);
            }
            prop_assert_eq!(state, State::Closed);
            let count = |wanted: fn(&Action) -> bool| done.iter().filter(|a| wanted(a)).count();
            prop_assert_eq!(count(|action| *action == Action::Reply), 1);
            prop_assert_eq!(count(|action| *action == Action::Forget), 1);
            prop_assert!(count(|action| matches!(action, Action::TearDown(_))) <= 1);
        }
    }
}
