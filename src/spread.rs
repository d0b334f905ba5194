//! How long something takes, counted on streaming threads and read by one owner.
//!
//! Counting is two atomic additions: no lock, no memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

/// Bounds of the first bucket, and each bucket's upper bound over its lower: medians are
/// within 4 % of the truth, and the last bucket begins at 20 s, longer than any stage lasts
/// before somebody gives up.
const FIRST_US: f64 = 50.0;
const STEP: f64 = 1.08;
const BUCKETS: usize = 170;

/// Times of one stage. A clone counts into the same.
#[derive(Clone, Debug)]
pub struct Spread {
    counts: Arc<Counts>,
}

#[derive(Debug)]
struct Counts {
    buckets: [AtomicU32; BUCKETS],
    most_us: AtomicU64,
}

/// Of the times since the last look, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct Summary {
    /// Half of them took no longer.
    pub median_ms: f64,
    /// None took longer.
    pub max_ms: f64,
}

impl Default for Spread {
    fn default() -> Self {
        let buckets = std::array::from_fn(|_| AtomicU32::new(0));
        Self { counts: Arc::new(Counts { buckets, most_us: AtomicU64::new(0) }) }
    }
}

impl Spread {
    /// It took so long, this time.
    pub fn note(&self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.counts.buckets[bucket(us)].fetch_add(1, Ordering::Relaxed);
        self.counts.most_us.fetch_max(us, Ordering::Relaxed);
    }

    /// What was noted since the last look, which is forgotten; `None`: nothing.
    #[must_use]
    pub fn take(&self) -> Option<Summary> {
        let taken = self.counts.buckets.each_ref().map(|count| count.swap(0, Ordering::Relaxed));
        let max = self.counts.most_us.swap(0, Ordering::Relaxed) as f64;
        let all: u64 = taken.iter().map(|count| u64::from(*count)).sum();
        let mut below = 0;
        let half = taken.iter().position(|count| {
            below += u64::from(*count);
            below * 2 >= all && all > 0
        })?;
        // What is noted at this very moment may be in one of both and not in the other.
        let max = max.max(lower(half));
        let median = middle(half).min(max);
        Some(Summary { median_ms: in_ms(median), max_ms: in_ms(max) })
    }
}

fn bucket(us: u64) -> usize {
    let steps = ((us as f64).max(1.0) / FIRST_US).ln() / STEP.ln();
    (steps.ceil().max(0.0) as usize).min(BUCKETS - 1)
}

/// A bucket's lower bound, in microseconds.
fn lower(bucket: usize) -> f64 {
    if bucket == 0 { 0.0 } else { FIRST_US * STEP.powi(bucket as i32 - 1) }
}

fn middle(bucket: usize) -> f64 {
    if bucket == 0 { FIRST_US / 2.0 } else { lower(bucket) * STEP.sqrt() }
}

/// To hundredths of a millisecond.
fn in_ms(us: f64) -> f64 {
    (us / 10.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_looked_at_is_forgotten() {
        let spread = Spread::default();
        assert_eq!(spread.take(), None);
        let clone = spread.clone();
        [10, 20, 30].into_iter().for_each(|ms| clone.note(Duration::from_millis(ms)));
        let summary = spread.take().unwrap();
        assert!((summary.median_ms - 20.0).abs() < 0.9, "{summary:?}");
        assert_eq!(summary.max_ms, 30.0);
        assert_eq!(spread.take(), None);
        spread.note(Duration::MAX);
        assert!(spread.take().unwrap().max_ms > 1e9);
    }

    proptest! {
        #[test]
        fn the_median_is_within_a_bucket_of_the_truth(
            mut times in prop::collection::vec(100_u64..15_000_000, 1..200),
        ) {
            let spread = Spread::default();
            times.iter().for_each(|us| spread.note(Duration::from_micros(*us)));
            let summary = spread.take().unwrap();
            times.sort_unstable();
            let truth = times[(times.len() - 1) / 2] as f64 / 1e3;
            let most = *times.last().unwrap() as f64 / 1e3;
            prop_assert!((summary.max_ms - most).abs() <= 0.01, "{:?} of {}", summary, most);
            prop_assert!(summary.median_ms <= summary.max_ms);
            let ratio = summary.median_ms / truth;
            prop_assert!((1.0 / STEP..=STEP).contains(&ratio), "{:?} of {}", summary, truth);
        }
    }
}
