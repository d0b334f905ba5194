//! The life of one session: what a viewer is to us, over all of its connections.

use std::time::Duration;

use serde::Serialize;

/// A session without a live connection is kept so long: a phone in a pocket comes
/// back to its transcript (decision 5 of the design).
pub(super) const KEPT: Duration = Duration::from_secs(120);

/// Where a session stands. Times are those of the owner's clock, which only rises.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// Its first offer is being answered.
    Negotiating,
    /// ICE and DTLS of its first connections are on their way.
    Connecting,
    /// At least one connection shows pictures.
    Live,
    /// It was live, and a further connection is awaited or on its way.
    Restarting { until: Duration },
    /// It has ended; what is left of its connections is being torn down.
    Closing,
}

/// What happens to a session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Event {
    /// A further connection is offered.
    Offered,
    /// A connection's answer is out.
    Answered,
    /// A connection shows pictures.
    Up,
    /// No connection shows pictures any more.
    Down,
    /// No connection is left, not even on its way.
    Deserted,
    /// Somebody asked for its end.
    Close,
    /// Time has passed.
    Tick,
}

/// A session's state as the status names it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Its first offer is being answered.
    Negotiating,
    /// ICE and DTLS are on their way.
    Connecting,
    /// It sees pictures.
    Live,
    /// It was live, and a further connection is awaited.
    Restarting,
    /// It has ended.
    Closing,
}

impl State {
    /// The next state.
    pub fn on(self, event: Event, now: Duration) -> Self {
        match (self, event) {
            (Self::Closing, _) | (_, Event::Close) => Self::Closing,
            (Self::Negotiating, Event::Answered) => Self::Connecting,
            // Who was never shown anything has nothing to come back to.
            (Self::Negotiating | Self::Connecting, Event::Deserted) => Self::Closing,
            (_, Event::Up) => Self::Live,
            (Self::Live, Event::Down | Event::Deserted) => Self::Restarting { until: now + KEPT },
            (Self::Restarting { .. }, Event::Offered) => Self::Restarting { until: now + KEPT },
            (Self::Restarting { until }, Event::Tick) if now >= until => Self::Closing,
            (same, _) => same,
        }
    }

    /// How the status names it.
    pub fn phase(self) -> Phase {
        match self {
            Self::Negotiating => Phase::Negotiating,
            Self::Connecting => Phase::Connecting,
            Self::Live => Phase::Live,
            Self::Restarting { .. } => Phase::Restarting,
            Self::Closing => Phase::Closing,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Duration = Duration::from_secs(1000);
    const UNTIL: State = State::Restarting { until: Duration::from_secs(1060) };
    const AGAIN: State = State::Restarting { until: Duration::from_secs(1120) };
    const STATES: [State; 5] =
        [State::Negotiating, State::Connecting, State::Live, UNTIL, State::Closing];
    const EVENTS: [Event; 7] = [
        Event::Offered,
        Event::Answered,
        Event::Up,
        Event::Down,
        Event::Deserted,
        Event::Close,
        Event::Tick,
    ];

    #[test]
    fn every_state_meets_every_event() {
        use State::{Closing, Connecting, Live, Negotiating};
        // One row a state, one column an event, in the order above.
        let next = [
            [Negotiating, Connecting, Live, Negotiating, Closing, Closing, Negotiating],
            [Connecting, Connecting, Live, Connecting, Closing, Closing, Connecting],
            [Live, Live, Live, AGAIN, AGAIN, Closing, Live],
            [AGAIN, UNTIL, Live, UNTIL, UNTIL, Closing, UNTIL],
            [Closing; 7],
        ];
        for (state, row) in STATES.iter().zip(next) {
            for (event, expected) in EVENTS.iter().zip(row) {
                assert_eq!(state.on(*event, NOW), expected, "{state:?} on {event:?}");
            }
        }
    }

    #[test]
    fn a_session_is_kept_for_two_minutes_from_its_last_sign_of_life() {
        let seconds = Duration::from_secs;
        let lost = State::Live.on(Event::Down, seconds(10));
        assert_eq!(lost.on(Event::Tick, seconds(129)), lost);
        assert_eq!(lost.on(Event::Tick, seconds(130)), State::Closing);
        let tried = lost.on(Event::Offered, seconds(129));
        assert_eq!(tried.on(Event::Tick, seconds(248)), tried);
        assert_eq!(tried.on(Event::Up, seconds(249)), State::Live);
    }

    proptest! {
        #[test]
        fn closing_is_final_and_only_who_was_live_restarts(
            events in prop::collection::vec((0_usize..EVENTS.len(), 0_u64..60), 0..60),
        ) {
            let (mut state, mut now, mut was_live) = (State::Negotiating, Duration::ZERO, false);
            for (event, wait) in events {
                now += Duration::from_secs(wait);
                let next = state.on(EVENTS[event], now);
                prop_assert!(state != State::Closing || next == State::Closing);
                was_live |= next == State::Live;
                let restarts = matches!(next, State::Restarting { .. });
                prop_assert!(was_live || !restarts);
                state = next;
            }
            prop_assert_eq!(state.on(Event::Close, now), State::Closing);
        }
    }
}
