//! How long a camera has been away, and when it is tried again.

use std::time::{Duration, Instant};

/// Waits between tries; the last one repeats. A camera that is back is shown within
/// 3 s of it, also where the processor is busy with other work.
const BACKOFF: [Duration; 3] =
    [Duration::from_millis(250), Duration::from_millis(500), Duration::from_secs(1)];

/// A camera that has shown pictures for so long was well: what fails then is new.
const WELL: Duration = Duration::from_secs(10);

/// From the first failure on, until pictures have come for a while.
#[derive(Clone, Debug, Default)]
pub(super) struct Outage {
    failures: usize,
    said: Option<String>,
    since: Option<Instant>,
    live: Option<Instant>,
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Verdict {
    /// Until the next try.
    pub wait: Duration,
    /// When pictures stopped.
    pub since: Instant,
    /// Whether the log has not said this.
    pub news: bool,
}

impl Outage {
    /// A try has failed, or pictures have stopped.
    pub(super) fn failed(&mut self, reason: &str, now: Instant) -> Verdict {
        let since = self.stopped(now);
        let wait = BACKOFF[self.failures.min(BACKOFF.len() - 1)];
        self.failures += 1;
        let news = self.said.as_deref() != Some(reason);
        if news {
            self.said = Some(reason.to_owned());
        }
        Verdict { wait, since, news }
    }

    /// There are no pictures now; since when.
    pub(super) fn stopped(&mut self, now: Instant) -> Instant {
        if let Some(live) = self.live.take() {
            self.since = Some(now);
            if now.saturating_duration_since(live) >= WELL {
                (self.failures, self.said) = (0, None);
            }
        }
        *self.since.get_or_insert(now)
    }

    /// Nobody wanted pictures until now.
    pub(super) fn begins_anew(&mut self) {
        (self.since, self.live) = (None, None);
    }

    /// Pictures come.
    pub(super) fn ended(&mut self, now: Instant) {
        self.since = None;
        self.live = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_outage_lasts_from_its_first_failure_and_is_told_once() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut outage = Outage::default();
        let first = outage.failed("gone", at(5));
        assert_eq!((first.since, first.news), (at(5), true));
        let second = outage.failed("gone", at(6));
        assert_eq!((second.since, second.news), (at(5), false));
        assert!(second.wait > first.wait);
        assert!(outage.failed("busy", at(7)).news, "another reason is told");
        outage.ended(at(8));
        let again = outage.failed("busy", at(9));
        assert_eq!((again.since, again.news), (at(9), false), "it flaps");
        outage.ended(at(10));
        assert_eq!(outage.stopped(at(60)), at(60));
        // It took long to let go.
        let later = outage.failed("busy", at(70));
        assert_eq!(later, Verdict { wait: BACKOFF[0], since: at(60), news: true });
        outage.ended(at(80));
        assert_eq!(outage.stopped(at(90)), at(90));
        outage.begins_anew();
        assert_eq!(outage.failed("gone", at(900)).since, at(900), "it was switched off before");
    }

    proptest! {
        #[test]
        fn waits_grow_up_to_their_last_and_a_flapping_camera_is_not_told_of_each_time(
            steps in prop::collection::vec((0_u64..8, any::<bool>()), 1..60),
        ) {
            let (mut outage, mut now) = (Outage::default(), Instant::now());
            let (mut before, mut told) = (Duration::ZERO, 0);
            for (seconds, comes) in steps {
                now += Duration::from_secs(seconds);
                if comes {
                    outage.ended(now);
                    now += Duration::from_secs(1);
                }
                let verdict = outage.failed("gone", now);
                prop_assert!(verdict.wait >= before && verdict.wait <= BACKOFF[2]);
                prop_assert!(verdict.since <= now);
                before = verdict.wait;
                told += u32::from(verdict.news);
            }
            prop_assert_eq!(told, 1);
        }
    }
}
