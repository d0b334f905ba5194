//! RTP time of one connection's stream.

use gstreamer as gst;

/// H.264's clock (RFC 6184).
const RATE: u128 = 90_000;

/// The payloader's timestamp offset: RTP time at running time zero.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct StampOffset(u32);

impl StampOffset {
    /// An offset from random bits.
    pub fn new(bits: u32) -> Self {
        // All ones tell the payloader to choose for itself, and we would not know what.
        Self(bits & !1)
    }

    /// The value for the payloader's `timestamp-offset`.
    pub fn get(self) -> u32 {
        self.0
    }

    /// RTP timestamp of a picture captured at `running_time`: the payloader's
    /// own arithmetic, rounding down, so that both agree to the tick.
    pub fn stamp(self, running_time: gst::ClockTime) -> u32 {
        let ticks = u128::from(running_time.nseconds()) * RATE / 1_000_000_000;
        // RTP time wraps at 32 bits (RFC 3550).
        self.0.wrapping_add(ticks as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_second_is_90000_ticks_and_time_wraps() {
        assert_eq!(StampOffset::new(100).stamp(gst::ClockTime::SECOND), 90_100);
        let near_end = StampOffset::new(u32::MAX - 1);
        assert_eq!(near_end.stamp(gst::ClockTime::SECOND), 89_998);
        assert_ne!(StampOffset::new(u32::MAX).get(), u32::MAX);
    }

    proptest! {
        #[test]
        fn later_pictures_are_ahead_by_their_distance(
            bits in any::<u32>(), at in 0_u64..10_000_000_000_000_000, step in 0_u64..10_000_000_000,
        ) {
            let offset = StampOffset::new(bits);
            let at = gst::ClockTime::from_nseconds(at);
            let ahead = offset
                .stamp(at + gst::ClockTime::from_nseconds(step))
                .wrapping_sub(offset.stamp(at));
            let exact = step as f64 * 90e3 / 1e9;
            prop_assert!((f64::from(ahead) - exact).abs() <= 1.0);
        }
    }
}
