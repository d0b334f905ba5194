//! What a viewer's streaming threads count, and the owner reads at its ticks.
//!
//! A peer feeds back sixteen times a second and more: too often to be posted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// One connection's counts. A clone counts into the same.
#[derive(Clone, Debug)]
pub(super) struct Meter {
    started: Instant,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    heard_ms: AtomicU64,
    fresh_until_ms: AtomicU64,
    estimate_bps: AtomicU32,
    sent_bytes: AtomicU64,
    repeats: AtomicU64,
    arrived: AtomicU64,
    lost: AtomicU64,
    wishes: AtomicU64,
    muted_until_ms: AtomicU64,
}

/// All counts since the connection began.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Counted {
    /// RTP bytes, repeats included.
    pub sent_bytes: u64,
    /// Packets that were sent again.
    pub repeats: u64,
    /// Packets that the peer says it received, and those it says it did not.
    pub arrived: u64,
    pub lost: u64,
    /// Key units that it asked for.
    pub wishes: u64,
}

impl Meter {
    /// `started`: when the owner's time began.
    pub fn new(started: Instant) -> Self {
        Self { started, counts: Arc::default() }
    }

    /// The owner's time.
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// The peer sent RTCP.
    pub fn heard(&self) {
        self.counts.heard_ms.store(in_ms(self.now()), Ordering::Relaxed);
    }

    /// The peer told how many packets arrived, which says something about its network
    /// until then.
    pub fn fed_back(&self, arrived: u64, lost: u64, fresh_until: Duration) {
        self.heard();
        self.counts.fresh_until_ms.store(in_ms(fresh_until), Ordering::Relaxed);
        self.arrived(arrived, lost);
    }

    /// So many packets more have arrived and were lost, by all that is known.
    pub fn arrived(&self, arrived: u64, lost: u64) {
        self.counts.arrived.fetch_add(arrived, Ordering::Relaxed);
        self.counts.lost.fetch_add(lost, Ordering::Relaxed);
    }

    /// The estimator's word, in bit/s.
    pub fn estimated(&self, bps: u32) {
        self.counts.estimate_bps.store(bps, Ordering::Relaxed);
    }

    /// RTP bytes on their way.
    pub fn sent(&self, bytes: u64) {
        self.counts.sent_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A packet is sent again.
    pub fn repeated(&self) {
        self.counts.repeats.fetch_add(1, Ordering::Relaxed);
    }

    /// The peer asks for a key unit.
    pub fn wished(&self) {
        self.counts.wishes.fetch_add(1, Ordering::Relaxed);
    }

    /// Nothing is sent again until then.
    pub fn mute(&self, until: Duration) {
        self.counts.muted_until_ms.store(in_ms(until), Ordering::Relaxed);
    }

    /// Whether nothing is to be sent again at `now`.
    pub fn is_muted(&self, now: Duration) -> bool {
        in_ms(now) < self.counts.muted_until_ms.load(Ordering::Relaxed)
    }

    /// When the peer was last heard; zero before.
    pub fn last_heard(&self) -> Duration {
        Duration::from_millis(self.counts.heard_ms.load(Ordering::Relaxed))
    }

    /// Whether what the peer fed back last still says something at `now`.
    pub fn is_fresh(&self, now: Duration) -> bool {
        in_ms(now) <= self.counts.fresh_until_ms.load(Ordering::Relaxed)
    }

    /// Whether the peer has fed back at all.
    pub fn fed_back_ever(&self) -> bool {
        self.counts.fresh_until_ms.load(Ordering::Relaxed) > 0
    }

    /// What the estimator said last, in kbit/s; zero before.
    pub fn estimate_kbps(&self) -> u32 {
        self.counts.estimate_bps.load(Ordering::Relaxed) / 1000
    }

    /// All counts now.
    pub fn counted(&self) -> Counted {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counts { sent_bytes, repeats, arrived, lost, wishes, .. } = &*self.counts;
        Counted {
            sent_bytes: of(sent_bytes),
            repeats: of(repeats),
            arrived: of(arrived),
            lost: of(lost),
            wishes: of(wishes),
        }
    }
}

fn in_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_clone_counts_is_counted() {
        let meter = Meter::new(Instant::now());
        let clone = meter.clone();
        assert!(!meter.fed_back_ever());
        clone.fed_back(3, 1, Duration::from_secs(1));
        clone.fed_back(2, 0, Duration::from_secs(2));
        clone.sent(1200);
        clone.wished();
        clone.repeated();
        let expected = Counted { sent_bytes: 1200, repeats: 1, arrived: 5, lost: 1, wishes: 1 };
        assert_eq!(meter.counted(), expected);
        assert!(meter.fed_back_ever());
        assert!(meter.is_fresh(Duration::from_secs(2)));
        assert!(!meter.is_fresh(Duration::from_millis(2001)));
    }

    #[test]
    fn a_mute_ends_at_its_time() {
        let meter = Meter::new(Instant::now());
        assert!(!meter.is_muted(Duration::ZERO));
        meter.mute(Duration::from_millis(500));
        assert!(meter.is_muted(Duration::from_millis(499)));
        assert!(!meter.is_muted(Duration::from_millis(500)));
    }
}
