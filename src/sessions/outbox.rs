//! Predictions that wait until SCTP has room.
//!
//! What SCTP has taken cannot be taken back, and an old prediction is worth
//! nothing: so it waits here, where a newer one can take its place.

use std::collections::VecDeque;
use std::time::Duration;

/// Bytes held for one viewer: some fifteen predictions with two hands.
pub const OUTBOX_BYTES: usize = 32 * 1024;

/// A prediction that is older than this belongs to a frame that is gone.
pub const OUTBOX_TIME: Duration = Duration::from_millis(300);

/// One viewer's waiting predictions.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    held: VecDeque<(Duration, String)>,
    bytes: usize,
    dropped: u64,
}

impl Outbox {
    /// Adds a message at `now`, a time that only rises; older ones make room.
    pub fn push(&mut self, message: String, now: Duration) {
        if message.len() > OUTBOX_BYTES {
            self.dropped += 1;
        } else {
            self.bytes += message.len();
            self.held.push_back((now, message));
        }
        self.expire(now);
    }

    /// The oldest message that is still worth sending.
    pub fn take(&mut self, now: Duration) -> Option<String> {
        self.expire(now);
        let (_, message) = self.held.pop_front()?;
        self.bytes -= message.len();
        Some(message)
    }

    /// Messages that were never sent.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn expire(&mut self, now: Duration) {
        while let Some((since, message)) = self.held.front() {
            if self.bytes <= OUTBOX_BYTES && now.saturating_sub(*since) <= OUTBOX_TIME {
                return;
            }
            self.bytes -= message.len();
            self.dropped += 1;
            self.held.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use proptest::prelude::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn messages_come_out_in_order_while_they_are_young() {
        let mut outbox = Outbox::default();
        outbox.push("a".into(), ms(0));
        outbox.push("b".into(), ms(200));
        assert_eq!(outbox.take(ms(301)), Some("b".into()));
        assert_eq!((outbox.take(ms(301)), outbox.dropped()), (None, 1));
    }

    #[test]
    fn the_newest_wins_when_there_is_no_room() {
        let mut outbox = Outbox::default();
        outbox.push("x".repeat(OUTBOX_BYTES), ms(0));
        outbox.push("new".into(), ms(1));
        outbox.push("y".repeat(OUTBOX_BYTES + 1), ms(1));
        assert_eq!(outbox.take(ms(1)), Some("new".into()));
        assert_eq!(outbox.dropped(), 2);
    }

    proptest! {
        #[test]
        fn the_outbox_never_exceeds_its_budget_and_loses_nothing_uncounted(
            steps in prop::collection::vec((0_usize..40_000, 0_u64..400, any::<bool>()), 0..100),
        ) {
            let (mut outbox, mut now, mut pushed, mut taken) = (Outbox::default(), 0, 0, 0);
            for (size, wait, take) in steps {
                now += wait;
                outbox.push("x".repeat(size), ms(now));
                pushed += 1;
                if take {
                    taken += u64::from(outbox.take(ms(now)).is_some());
                }
                let bytes: usize = outbox.held.iter().map(|(_, message)| message.len()).sum();
                prop_assert_eq!(bytes, outbox.bytes);
                prop_assert!(bytes <= OUTBOX_BYTES);
                prop_assert!(outbox.held.iter().all(|(at, _)| ms(now) - *at <= OUTBOX_TIME));
                prop_assert_eq!(outbox.held.len() as u64 + outbox.dropped() + taken, pushed);
            }
        }
    }
}
