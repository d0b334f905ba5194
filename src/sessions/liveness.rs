//! Whether a peer is still there: found by silence, not by webrtcbin's states.
//!
//! After a SIGKILL of the browser webrtcbin says "connected" for 40 s and more
//! (GStreamer 1.22). A peer that is there sends RTCP: a browser each second, a
//! webrtcbin each few seconds, and more seldom the fewer bytes the stream has
//! (RFC 3550, 6.2), so that the limit follows the peer's own longest interval.
//! The longest of the RFC's random intervals is three times the shortest, but the
//! first of all is halved and says nothing yet.

use std::time::Duration;

/// A peer that is heard often is not given up before.
const SHORTEST: Duration = Duration::from_secs(7);

/// The same for one that is heard seldom, or not yet long enough to tell: a
/// webrtcbin that receives few bytes reports every 2 to 6.2 s by chance (RFC 3550,
/// 6.3.1), and 7.4 s were seen on a busy machine.
const SHORTEST_OF_SELDOM: Duration = Duration::from_secs(12);

/// Who was heard so often without an interval of [`SELDOM`] is heard often: at such
/// a webrtcbin's third report at the latest there was one.
const OFTEN: u32 = 8;

/// The shortest of that webrtcbin's intervals, but for its first.
const SELDOM: Duration = Duration::from_secs(2);

/// Intervals that are remembered: an outage is no habit.
const REMEMBERED: usize = OFTEN as usize;

/// So many of its own longest intervals may pass.
const INTERVALS: u32 = 3;

/// An interval longer than this is an outage and no habit.
const LONGEST_INTERVAL: Duration = Duration::from_secs(10);

/// When a peer was heard, from the moment on when it was first to be heard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Liveness {
    heard: Duration,
    /// The last ones, a ring.
    intervals: [Duration; REMEMBERED],
    next: usize,
    /// How often, up to [`OFTEN`].
    count: u32,
}

impl Liveness {
    /// A connection that is up since `now`.
    pub fn new(now: Duration) -> Self {
        Self { heard: now, intervals: [Duration::ZERO; REMEMBERED], next: 0, count: 0 }
    }

    /// The peer was heard at `at`: RTCP or a message. An earlier time says nothing.
    pub fn heard(&mut self, at: Duration) {
        let interval = at.saturating_sub(self.heard);
        if interval.is_zero() {
            return;
        }
        self.intervals[self.next] = interval.min(LONGEST_INTERVAL);
        self.next = (self.next + 1) % REMEMBERED;
        self.count = (self.count + 1).min(OFTEN);
        self.heard = at;
    }

    /// Whether the peer has been silent for too long.
    pub fn is_lost(&self, now: Duration) -> bool {
        let longest = self.intervals.into_iter().max().unwrap_or_default();
        let often = self.count >= OFTEN && longest < SELDOM;
        let shortest = if often { SHORTEST } else { SHORTEST_OF_SELDOM };
        now.saturating_sub(self.heard) > shortest.max(longest * INTERVALS)
    }

    /// When it was last heard.
    pub fn last(&self) -> Duration {
        self.heard
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_killed_browser_is_lost_after_seven_seconds() {
        let mut peer = Liveness::new(ms(0));
        (1..10).for_each(|second| peer.heard(ms(second * 1000)));
        assert!(!peer.is_lost(ms(16_000)));
        assert!(peer.is_lost(ms(16_001)));
    }

    #[test]
    fn a_peer_that_speaks_seldom_is_given_three_of_its_intervals() {
        let mut peer = Liveness::new(ms(0));
        for at in [5_500, 10_000] {
            peer.heard(ms(at));
        }
        assert!(!peer.is_lost(ms(26_500)));
        assert!(peer.is_lost(ms(26_501)));
    }

    #[test]
    fn an_outage_is_forgotten() {
        let mut peer = Liveness::new(ms(0));
        for at in [1000, 7000, 8000, 9000, 10_000, 11_000, 12_000, 13_000, 14_000] {
            peer.heard(ms(at));
        }
        assert!(!peer.is_lost(ms(31_999)));
        peer.heard(ms(15_000));
        assert!(peer.is_lost(ms(22_001)));
    }

    proptest! {
        #[test]
        fn a_webrtcbin_s_random_intervals_are_no_silence(
            first in 1_u64..3_078, later in prop::collection::vec(2_052_u64..6_157, 1..40),
        ) {
            // It may be looked at late, and the report be on its way.
            let late = ms(2_000);
            let (mut peer, mut now) = (Liveness::new(ms(0)), 0);
            for interval in [first].into_iter().chain(later) {
                now += interval;
                prop_assert!(!peer.is_lost(ms(now) + late));
                peer.heard(ms(now));
            }
        }

        #[test]
        fn who_keeps_its_own_pace_is_never_lost_and_who_is_silent_is_within_half_a_minute(
            intervals in prop::collection::vec(1_u64..10_000, 1..40), first in 1_u64..6_000,
        ) {
            let mut peer = Liveness::new(ms(0));
            let mut now = first;
            let mut past = vec![first];
            peer.heard(ms(now));
            for interval in intervals {
                let longest = past.iter().rev().take(REMEMBERED).max().copied().unwrap_or(first);
                let next = now + interval.min(3 * longest);
                prop_assert!(!peer.is_lost(ms(next)));
                past.push(next - now);
                now = next;
                peer.heard(ms(now));
            }
            prop_assert!(peer.is_lost(ms(now + 30_001)));
        }
    }
}
