//! When a camera counts as silent: a driver or a network can stop without an error.
//!
//! So can a clip that is broken: on a busy machine a decodebin (GStreamer 1.22) was
//! seen to stop for good without passing its demuxer's error on.

use std::time::Duration;

/// Time between two looks for a new picture.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// Looks until the first picture: an RTSP camera may need several seconds to its
/// first key picture.
const FIRST_PICTURE: u32 = 10;

/// Looks between two pictures. The slowest camera gives one a second, and a clip
/// is back at its start at once.
const NEXT_PICTURE: u32 = 5;

/// Looks without a new picture. Looks and not time, so that a program that was
/// itself stopped for a while blames no camera. Raw pictures flow whether or not
/// somebody watches, so no viewer is no silence.
#[derive(Debug)]
pub(super) struct Silence {
    /// Pictures of all lives of the pipeline, when this one began.
    before: u64,
    newest: u64,
    looks: u32,
}

impl Silence {
    /// `pictures`: how many there were before this pipeline.
    pub(super) fn new(pictures: u64) -> Self {
        Self { before: pictures, newest: pictures, looks: 0 }
    }

    /// One look at the number of pictures; seconds of silence if it is too long.
    pub(super) fn look(&mut self, pictures: u64) -> Option<u64> {
        if pictures != self.newest {
            (self.newest, self.looks) = (pictures, 0);
            return None;
        }
        self.looks += 1;
        let limit = if pictures == self.before { FIRST_PICTURE } else { NEXT_PICTURE };
        (self.looks >= limit).then(|| u64::from(self.looks) * LOOK.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_picture_may_take_ten_seconds() {
        let mut silence = Silence::new(7);
        assert!((1..10).all(|_| silence.look(7).is_none()));
        assert_eq!(silence.look(7), Some(10));
    }

    #[test]
    fn a_live_camera_may_be_silent_for_less_than_five_seconds() {
        let mut silence = Silence::new(7);
        for pictures in 8..20 {
            assert_eq!(silence.look(pictures), None);
            assert!((1..5).all(|_| silence.look(pictures).is_none()));
        }
        assert_eq!(silence.look(19), Some(5));
    }
}
