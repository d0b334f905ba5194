//! How many lost packets a viewer is sent again.
//!
//! webrtcbin answers every request. At a bottleneck Chromium asks again every
//! few milliseconds, and 10 to 29 Mbit/s of repeats were measured at 0.2 to
//! 0.9 Mbit/s of video: the repeats become the congestion. So the same packet is
//! repeated once per round trip or so, and all repeats together are a share of what is sent.

use std::time::Duration;

/// One over the share of the bytes sent that repeats may have.
const SHARE: u64 = 5;

/// Bytes that may be repeated at once: a lost key unit of 720p.
const BURST_BYTES: u64 = 64 * 1024;

/// What a repeat costs: packets are filled up to the payloader's size.
const REPEAT_BYTES: u64 = 1200;

/// The same packet again only after this long, where the round trip is not known: the first
/// repeat needs one.
const SAME_PACKET: Duration = Duration::from_millis(150);

/// And never sooner than this: a queue that has just begun to grow makes the round trip longer
/// than it was measured.
const SOONEST: Duration = Duration::from_millis(70);

/// Share of the round trip after which a repeat that was lost, too, is asked for again. With
/// 150 ms at a round trip of 100 the second request was refused, and every packet that was
/// lost twice came 100 ms later.
const ROUND_TRIP_SHARE: f64 = 0.8;

/// Repeats remembered; more than [`BURST_BYTES`] can hold within [`SAME_PACKET`].
const REMEMBERED: usize = 64;

/// A viewer's allowance of repeats.
#[derive(Debug)]
pub(super) struct Repeats {
    budget: u64,
    again_after: Duration,
    /// Packet number and the time of its last repeat, a ring.
    recent: [Option<(u16, Duration)>; REMEMBERED],
    next: usize,
}

impl Default for Repeats {
    fn default() -> Self {
        Self { budget: BURST_BYTES, again_after: SAME_PACKET, recent: [None; REMEMBERED], next: 0 }
    }
}

impl Repeats {
    /// Counts bytes on their way to the viewer.
    pub fn sent(&mut self, bytes: u64) {
        self.budget = (self.budget + bytes / SHARE).min(BURST_BYTES);
    }

    /// How long a packet takes there, and its answer back.
    pub fn round_trip(&mut self, round_trip: Duration) {
        self.again_after = round_trip.mul_f64(ROUND_TRIP_SHARE).clamp(SOONEST, SAME_PACKET);
    }

    /// Whether packet `number` is repeated at `now`, a time that only rises.
    pub fn allow(&mut self, number: u16, now: Duration) -> bool {
        let again = |(repeated, at): &(u16, Duration)| {
            *repeated == number && now.saturating_sub(*at) < self.again_after
        };
        if self.budget < REPEAT_BYTES || self.recent.iter().flatten().any(again) {
            return false;
        }
        self.budget -= REPEAT_BYTES;
        self.recent[self.next] = Some((number, now));
        self.next = (self.next + 1) % REMEMBERED;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_same_packet_is_repeated_once_per_150_ms() {
        let mut repeats = Repeats::default();
        assert!(repeats.allow(7, ms(0)));
        assert!(!repeats.allow(7, ms(149)));
        assert!(repeats.allow(8, ms(149)));
        assert!(repeats.allow(7, ms(150)));
    }

    #[test]
    fn a_packet_that_was_lost_twice_is_repeated_after_a_round_trip() {
        for (round_trip, again_after) in [(1, 70), (100, 80), (180, 144), (5000, 150)] {
            let mut repeats = Repeats::default();
            repeats.round_trip(ms(round_trip));
            assert!(repeats.allow(7, ms(0)));
            assert!(!repeats.allow(7, ms(again_after - 1)));
            assert!(repeats.allow(7, ms(again_after)));
        }
    }

    #[test]
    fn without_media_the_allowance_ends() {
        let mut repeats = Repeats::default();
        let allowed = (0..1000).filter(|n| repeats.allow(*n, ms(0))).count();
        assert_eq!(allowed as u64, BURST_BYTES / REPEAT_BYTES);
    }

    #[test]
    fn media_earns_repeats() {
        let mut repeats = Repeats::default();
        while repeats.allow(repeats.next as u16, ms(0)) {}
        repeats.sent(5 * REPEAT_BYTES);
        assert!(repeats.allow(900, ms(1)));
        assert!(!repeats.allow(901, ms(1)));
    }

    proptest! {
        #[test]
        fn repeats_never_exceed_their_share_and_one_burst(
            steps in prop::collection::vec((0_u64..20_000, any::<u16>(), 0_u64..50), 0..400),
        ) {
            let (mut repeats, mut now, mut sent, mut repeated) = (Repeats::default(), 0, 0, 0);
            for (bytes, number, wait) in steps {
                now += wait;
                sent += bytes;
                repeats.sent(bytes);
                repeated += u64::from(repeats.allow(number, ms(now))) * REPEAT_BYTES;
                prop_assert!(repeated <= BURST_BYTES + sent / SHARE);
            }
        }
    }
}
