//! Keepalives that we send and the page answers.

use std::time::Duration;

/// What we send, as a binary message.
pub(super) const PING: &[u8] = b"\0PING";

/// What the page answers, as a binary message.
pub(super) const PONG: &[u8] = b"\0PONG";

/// One connection's keepalives, from the opening of its `commands` channel on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keepalive {
    interval: Duration,
    due: Duration,
    sent: u64,
    answered: u64,
}

impl Keepalive {
    /// The first one is due at once.
    pub fn new(interval: Duration, now: Duration) -> Self {
        Self { interval, due: now, sent: 0, answered: 0 }
    }

    /// Whether one is to be sent at `now`; then it counts as sent.
    pub fn due(&mut self, now: Duration) -> bool {
        if now < self.due {
            return false;
        }
        // A late tick does not bring the next one forward.
        self.due = now + self.interval;
        self.sent += 1;
        true
    }

    /// The page answered; whether to something. An answer to nothing does not count.
    pub fn answer(&mut self) -> bool {
        let asked = self.answered < self.sent;
        self.answered += u64::from(asked);
        asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_comes_at_once_and_then_one_an_interval() {
        let seconds = Duration::from_secs;
        let mut keepalive = Keepalive::new(seconds(5), seconds(100));
        let at = |keepalive: &mut Keepalive, s| keepalive.due(seconds(s));
        assert!(at(&mut keepalive, 100));
        assert!(!at(&mut keepalive, 104));
        assert!(at(&mut keepalive, 107));
        assert!(!at(&mut keepalive, 111));
        assert!(at(&mut keepalive, 112));
    }

    proptest! {
        #[test]
        fn never_more_answers_than_questions(
            steps in prop::collection::vec((0_u64..9, any::<bool>()), 0..50),
        ) {
            let mut keepalive = Keepalive::new(Duration::from_secs(5), Duration::ZERO);
            let (mut now, mut sent, mut answered) = (0, 0, 0);
            for (wait, answer) in steps {
                now += wait;
                sent += u64::from(keepalive.due(Duration::from_secs(now)));
                answered += u64::from(answer && keepalive.answer());
                prop_assert!(answered <= sent);
                prop_assert!(sent <= now / 5 + 1);
            }
        }
    }
}
