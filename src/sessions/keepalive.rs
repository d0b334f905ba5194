//! Keepalives that we send and the page answers.

use std::time::Duration;

/// What we send, as a binary message.
pub(super) const PING: &[u8] = b"\0PING";

/// What the page answers, as a binary message.
pub(super) const PONG: &[u8] = b"\0PONG";

/// So many in a row without an answer, and the channel is deaf: its SCTP
/// association can die while the picture runs (decision 4 of the design).
const UNANSWERED_LIMIT: u32 = 3;

/// One connection's keepalives, from the opening of its `commands` channel on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keepalive {
    interval: Duration,
    due: Duration,
    unanswered: u32,
    answers: bool,
}

impl Keepalive {
    /// The first one is due at once.
    pub fn new(interval: Duration, now: Duration) -> Self {
        Self { interval, due: now, unanswered: 0, answers: false }
    }

    /// Whether one is to be sent at `now`; then it counts as sent.
    pub fn due(&mut self, now: Duration) -> bool {
        if now < self.due {
            return false;
        }
        // A late tick does not bring the next one forward.
        self.due = now + self.interval;
        self.unanswered = self.unanswered.saturating_add(1);
        true
    }

    /// The page answered; whether to something. An answer to nothing does not count.
    pub fn answer(&mut self) -> bool {
        let asked = self.unanswered > 0;
        self.unanswered = 0;
        self.answers |= asked;
        asked
    }

    /// Whether a channel that has answered before does so no more. Ask before
    /// [`Self::due`]: the last one has then had its whole interval.
    pub fn is_deaf(&self, now: Duration) -> bool {
        self.answers && self.unanswered >= UNANSWERED_LIMIT && now >= self.due
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

    #[test]
    fn three_without_an_answer_make_a_channel_deaf_that_answered_before() {
        let seconds = Duration::from_secs;
        let deaf_at = |answers: &[u64]| {
            let mut keepalive = Keepalive::new(seconds(5), seconds(0));
            (0..100).find(|s| {
                if keepalive.is_deaf(seconds(*s)) {
                    return true;
                }
                keepalive.due(seconds(*s));
                if answers.contains(s) {
                    keepalive.answer();
                }
                false
            })
        };
        assert_eq!(deaf_at(&[]), None, "a player that knows no keepalives");
        assert_eq!(deaf_at(&[0]), Some(20));
        assert_eq!(deaf_at(&[0, 6, 19]), Some(35));
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
