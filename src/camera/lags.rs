//! How old a camera's pictures are when they come, and how long encoding them takes.
//!
//! Counted for every picture on its streaming thread: a handful of atomic operations.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use gstreamer as gst;

use crate::spread::{Spread, Summary};

/// Pictures whose age is remembered until they are encoded and read: half a second at 60 a
/// second, and longer nobody has one in hand.
const REMEMBERED: usize = 32;

/// Ages of one camera's pictures. A clone counts into the same.
#[derive(Clone, Debug, Default)]
pub struct Lags {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    capture: Spread,
    encode: Spread,
    /// The low halves of a picture's time of capture and of its age then, in microseconds, in
    /// one word so that both are of the same picture; zero at first.
    slots: [AtomicU64; REMEMBERED],
    next: AtomicUsize,
}

impl Lags {
    /// A picture came.
    pub fn came(&self, captured_at: gst::ClockTime, now: gst::ClockTime) {
        // A camera whose clock is ahead says nothing about its age.
        let Some(age) = now.checked_sub(captured_at) else { return };
        self.inner.capture.note(age.into());
        let slot = self.inner.next.fetch_add(1, Ordering::Relaxed) % REMEMBERED;
        let word = u64::from(low_us(captured_at)) << 32 | u64::from(low_us(age));
        self.inner.slots[slot].store(word, Ordering::Relaxed);
    }

    /// A picture was encoded. One that is not remembered, or whose time an element changed,
    /// is not counted.
    pub(super) fn encoded(&self, captured_at: gst::ClockTime, now: gst::ClockTime) {
        let came = self.capture(captured_at);
        let age = now.checked_sub(captured_at).map(Duration::from);
        if let (Some(came), Some(age)) = (came, age) {
            self.inner.encode.note(age.saturating_sub(came));
        }
    }

    /// How old the picture of that time was when it came, if it is remembered.
    #[must_use]
    pub fn capture(&self, captured_at: gst::ClockTime) -> Option<Duration> {
        let wanted = low_us(captured_at);
        let words = self.inner.slots.iter().map(|slot| slot.load(Ordering::Relaxed));
        let found = words.filter(|word| *word != 0).find(|word| (word >> 32) as u32 == wanted)?;
        Some(Duration::from_micros(found & u64::from(u32::MAX)))
    }

    /// Ages on coming since the last look, which are forgotten.
    #[must_use]
    pub fn take_capture(&self) -> Option<Summary> {
        self.inner.capture.take()
    }

    /// Times of encoding since the last look, which are forgotten.
    #[must_use]
    pub fn take_encode(&self) -> Option<Summary> {
        self.inner.encode.take()
    }
}

/// Repeats after 71 minutes, by when nobody remembers.
fn low_us(time: gst::ClockTime) -> u32 {
    (time.useconds() & u64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn encoding_takes_what_lies_between_coming_and_being_encoded() {
        let (lags, ms) = (Lags::default(), gst::ClockTime::from_mseconds);
        // Over the end of 32 bits too.
        for captured in [1000, 4_294_960, 4_294_980, 4_300_000] {
            lags.came(ms(captured), ms(captured + 30));
            assert_eq!(lags.capture(ms(captured)), Some(Duration::from_millis(30)));
            lags.encoded(ms(captured), ms(captured + 42));
            assert_eq!(lags.take_encode().unwrap().max_ms, 12.0);
        }
        assert_eq!(lags.take_capture().unwrap().max_ms, 30.0);
        lags.encoded(ms(77), ms(80));
        assert_eq!(lags.take_encode(), None, "nobody knows when it came");
        lags.came(ms(900), ms(800));
        assert_eq!(lags.take_capture(), None, "from the future");
    }

    #[test]
    fn the_oldest_is_forgotten() {
        let (lags, ms) = (Lags::default(), gst::ClockTime::from_mseconds);
        (1..=REMEMBERED as u64 + 1).for_each(|time| lags.came(ms(time), ms(time + 1)));
        assert_eq!(lags.capture(ms(1)), None);
        assert!(lags.capture(ms(2)).is_some());
    }
}
