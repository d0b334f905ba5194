//! Size and rate of an encoded picture, as arithmetic on those of the source.

use gstreamer as gst;
use gstreamer_video as gst_video;

/// Width and height in pixels, even: chroma has half as many.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Size {
    width: u32,
    height: u32,
}

/// What an encoder is given, where that is not the source's own picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Picture {
    /// Pixels.
    pub size: Size,
    /// Frames a second.
    pub framerate: gst::Fraction,
    /// Of a pixel; the source's own.
    pub(super) pixel_aspect: gst::Fraction,
}

/// The most that a form shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limit {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames a second.
    pub framerate: u32,
}

/// The smallest width or height that encoders are asked for.
const LEAST: u32 = 16;

/// Frames a second that no camera has, and that arithmetic bears.
const FASTEST: u32 = 1000;

impl Limit {
    /// The source's own picture, whatever it is.
    pub const NONE: Self = Self { width: u32::MAX, height: u32::MAX, framerate: u32::MAX };

    /// The most that both allow.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            width: self.width.min(other.width),
            height: self.height.min(other.height),
            framerate: self.framerate.min(other.framerate),
        }
    }
}

impl Size {
    /// Pixels.
    #[must_use]
    pub fn width(self) -> u32 {
        self.width
    }

    /// Pixels.
    #[must_use]
    pub fn height(self) -> u32 {
        self.height
    }

    /// The largest even size of the same shape as `width` x `height` that is at most as
    /// wide and as high as `limit`.
    fn within(limit: Limit, width: u32, height: u32) -> Self {
        let of_height = u64::from(limit.height) * u64::from(width) / u64::from(height.max(1));
        let most = u32::try_from(of_height).unwrap_or(u32::MAX).min(limit.width).min(width);
        let fitting = u64::from(most.max(LEAST) & !1);
        let high = (fitting * u64::from(height) + u64::from(width) / 2) / u64::from(width.max(1));
        let even = |pixels: u64| u32::try_from(pixels).unwrap_or(u32::MAX).max(LEAST) & !1;
        Self { width: even(fitting), height: even(high) }
    }
}

impl Picture {
    /// `video` made as small and as slow as `limit` says; `None` if it is so already.
    /// Pictures are left out at even distances: every second, every third.
    pub(super) fn within(limit: Limit, video: &gst_video::VideoInfo) -> Option<Self> {
        let size = Size::within(limit, video.width(), video.height());
        let framerate = thinned(video.fps(), limit.framerate);
        let own = (video.width(), video.height()) == (size.width, size.height)
            && framerate == video.fps();
        (!own).then(|| Self { size, framerate, pixel_aspect: video.par() })
    }
}

/// The highest rate of at most `limit` that every n-th picture of `rate` has. Where
/// the source does not say its rate (0/1), the limit.
fn thinned(rate: gst::Fraction, limit: u32) -> gst::Fraction {
    let (numer, denom) = (i64::from(rate.numer()), i64::from(rate.denom().max(1)));
    let limit = i64::from(limit.clamp(1, FASTEST));
    let every = match numer {
        1.. => (numer + denom * limit - 1) / (denom * limit),
        _ => return gst::Fraction::new(limit as i32, 1),
    };
    // A denominator out of range is of a picture in many days.
    gst::Fraction::new(rate.numer(), i32::try_from(denom * every).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(numer: i32, denom: i32) -> gst::Fraction {
        gst::Fraction::new(numer, denom)
    }

    #[test]
    fn pictures_are_left_out_at_even_distances() {
        assert_eq!(thinned(rate(30, 1), 15), rate(15, 1));
        assert_eq!(thinned(rate(25, 1), 15), rate(25, 2));
        assert_eq!(thinned(rate(60, 1), 15), rate(15, 1));
        assert_eq!(thinned(rate(30_000, 1001), 15), rate(15_000, 1001));
        assert_eq!(thinned(rate(15, 1), 15), rate(15, 1));
        assert_eq!(thinned(rate(1, 2), 15), rate(1, 2));
        assert_eq!(thinned(rate(0, 1), 15), rate(15, 1));
    }

    #[test]
    fn a_picture_that_is_small_and_slow_stays_the_sources_own() {
        gst::init().expect("GStreamer starts");
        let video = |width, height, fps| {
            gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, width, height)
                .fps(rate(fps, 1))
                .build()
                .expect("a picture")
        };
        let limit = Limit { width: 640, framerate: 15, ..Limit::NONE };
        let size = |info| Picture::within(limit, &info).map(|picture| picture.size);
        assert_eq!(size(video(1280, 720, 30)), Some(Size { width: 640, height: 360 }));
        assert_eq!(size(video(640, 480, 30)), Some(Size { width: 640, height: 480 }));
        assert_eq!(size(video(640, 480, 15)), None);
        assert_eq!(Picture::within(Limit::NONE, &video(1280, 720, 30)), None);
        let low = Limit { height: 240, ..Limit::NONE }.and(limit);
        let size = |info| Picture::within(low, &info).map(|picture| picture.size);
        assert_eq!(size(video(1280, 720, 30)), Some(Size { width: 426, height: 240 }));
        assert_eq!(size(video(640, 480, 15)), Some(Size { width: 320, height: 240 }));
    }

    proptest! {
        #[test]
        fn sizes_are_even_and_keep_their_shape(
            most in (160_u32..4000, 120_u32..3000), width in 80_u32..2000, height in 80_u32..1200,
        ) {
            let (width, height) = (2 * width, 2 * height);
            let limit = Limit { width: most.0, height: most.1, ..Limit::NONE };
            let size = Size::within(limit, width, height);
            prop_assert!(size.width & 1 == 0 && size.height & 1 == 0);
            prop_assert!(size.width <= limit.width && size.width <= width);
            // A ribbon stays as wide as encoders want it.
            prop_assert!(size.height <= limit.height || size.width == LEAST);
            prop_assert!(size.height <= height);
            let exact = f64::from(size.width) * f64::from(height) / f64::from(width);
            prop_assert!((f64::from(size.height) - exact).abs() <= 2.0 || size.height == LEAST);
            let whole = limit.width >= width && limit.height >= height;
            prop_assert_eq!(size == Size { width, height }, whole);
        }

        #[test]
        fn a_rate_is_a_part_of_the_sources_and_within_the_limit(
            numer in 1_i32..200_000, denom in 1_i32..2000, limit in 1_u32..120,
        ) {
            let source = rate(numer, denom);
            let thinned = thinned(source, limit);
            prop_assert!(thinned <= rate(limit as i32, 1) && thinned <= source);
            let every = source.numer() as f64 / source.denom() as f64
                * thinned.denom() as f64 / thinned.numer() as f64;
            prop_assert!((every - every.round()).abs() < 1e-6);
            let faster = every - 1.0;
            prop_assert!(
                faster < 0.5
                    || source.numer() as f64 / source.denom() as f64 / faster > f64::from(limit)
            );
        }
    }
}
