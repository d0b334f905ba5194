//! When a camera counts as silent: a driver or a network can stop without an error.
//!
//! So can a clip that is broken: on a busy machine a decodebin (GStreamer 1.22) was
//! seen to stop for good without passing its demuxer's error on. One that is overwritten
//! while it plays can end without a picture, again and again.

use std::time::Duration;

use super::source::Pace;

/// Time between two looks for a new picture.
pub(super) const LOOK: Duration = Duration::from_millis(500);

/// Looks until the first picture: an RTSP camera may need several seconds to its
/// first key picture.
const FIRST_PICTURE: u32 = 20;

/// Looks between two pictures of a device. The slowest camera gives one a second.
const NEXT_PICTURE: u32 = 4;

/// Looks between two pictures of a clip: that one comes late is the processor's doing, and
/// to begin anew takes the processor longer.
const NEXT_OF_CLIP: u32 = 10;

/// Looks without a new picture. Looks and not time, so that a program that was
/// itself stopped for a while blames no camera. Raw pictures flow whether or not
/// somebody watches, so no viewer is no silence.
#[derive(Debug)]
pub(super) struct Silence {
    /// Pictures of all lives of the pipeline, when this one began.
    before: u64,
    newest: u64,
    /// How many there were when a clip last came to its end, or began.
    at_end: u64,
    looks: u32,
    most: u32,
}

impl Silence {
    /// `pictures`: how many there were before this pipeline.
    pub(super) fn new(pace: Pace, pictures: u64) -> Self {
        let most = match pace {
            Pace::Device => NEXT_PICTURE,
            Pace::Clip => NEXT_OF_CLIP,
        };
        Self { before: pictures, newest: pictures, at_end: pictures, looks: 0, most }
    }

    /// The clip has come to its end; whether it showed no picture since it last did, or began.
    pub(super) fn is_without_picture(&mut self, pictures: u64) -> bool {
        std::mem::replace(&mut self.at_end, pictures) == pictures
    }

    /// One look at the number of pictures; seconds of silence if it is too long.
    pub(super) fn look(&mut self, pictures: u64) -> Option<u64> {
        if pictures != self.newest {
            (self.newest, self.looks) = (pictures, 0);
            return None;
        }
        self.looks += 1;
        let limit = if pictures == self.before { FIRST_PICTURE } else { self.most };
        (self.looks >= limit).then(|| (LOOK * self.looks).as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_picture_may_take_ten_seconds() {
        let mut silence = Silence::new(Pace::Device, 7);
        assert!((1..20).all(|_| silence.look(7).is_none()));
        assert_eq!(silence.look(7), Some(10));
    }

    #[test]
    fn a_clip_that_ends_without_a_picture_is_found_at_its_first_or_any_later_end() {
        assert!(Silence::new(Pace::Clip, 7).is_without_picture(7));
        let mut silence = Silence::new(Pace::Clip, 7);
        assert!(!silence.is_without_picture(8));
        assert!(!silence.is_without_picture(9));
        assert!(silence.is_without_picture(9));
    }

    #[test]
    fn a_live_camera_may_be_silent_for_less_than_two_seconds_and_a_clip_for_five() {
        for (pace, looks, seconds) in [(Pace::Device, 4, 2), (Pace::Clip, 10, 5)] {
            let mut silence = Silence::new(pace, 7);
            for pictures in 8..20 {
                assert_eq!(silence.look(pictures), None);
                assert!((1..looks).all(|_| silence.look(pictures).is_none()));
            }
            assert_eq!(silence.look(19), Some(seconds));
        }
    }
}
