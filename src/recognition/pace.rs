//! The pace of results: which frames are read, how many were passed over, and who is too slow.
//! No clock and no lock.

use std::time::Duration;

use gstreamer as gst;

/// Results are made at most this often: a faster camera adds cost and nothing that
/// the page could show. A little under 1/30 s, so that a camera of 30 fps with some
/// jitter loses no frame.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(25);

/// A window has to be filled; without one, what moves is not followed by fewer than ten
/// results a second.
const LATE: Duration = Duration::from_millis(100);
/// So many in a row are the device's measure, and not something else that it did.
const LATE_IN_A_ROW: u32 = 5;

/// Which frame was read last, and how many were passed over.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    shortest: gst::ClockTime,
    /// Results so far.
    pub seq: u64,
    /// Frames that were passed over so far, because recognition was busy.
    pub dropped: u64,
    last: Option<(u64, gst::ClockTime)>,
    /// What set the pace of the last frame.
    pub limit: Limit,
    /// A frame that takes longer is late.
    late_after: Duration,
    /// Frames in a row that took too long.
    late: u32,
}

impl Default for Progress {
    fn default() -> Self {
        Self::new(None)
    }
}

/// What sets the pace of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Every frame of the camera is read.
    Camera,
    /// Frames were passed over before this one, because recognition was busy.
    Recognition,
}

/// Twice a bundle's rate and some more must pass, or its windows cannot be filled.
fn shortest_interval(spacing: Option<Duration>) -> gst::ClockTime {
    let interval =
        spacing.map_or(SHORTEST_INTERVAL, |period| SHORTEST_INTERVAL.min(period * 3 / 8));
    gst::ClockTime::from_nseconds(u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX))
}

impl Progress {
    /// For frames that a window wants so far apart.
    pub fn new(spacing: Option<Duration>) -> Self {
        let mut progress = Self {
            shortest: gst::ClockTime::ZERO,
            seq: 0,
            dropped: 0,
            last: None,
            limit: Limit::Camera,
            late_after: LATE,
            late: 0,
        };
        progress.pace(spacing);
        progress
    }

    /// Another model wants them so far apart.
    pub fn pace(&mut self, spacing: Option<Duration>) {
        self.shortest = shortest_interval(spacing);
        self.late_after = spacing.unwrap_or(LATE);
        self.late = 0;
    }

    /// Nothing reads this frame.
    pub fn pass(&mut self, index: u64, captured_at: gst::ClockTime) {
        self.last = Some((index, captured_at));
    }

    /// A frame took so long to read.
    pub fn took(&mut self, time: Duration) {
        self.late = if time > self.late_after { (self.late + 1).min(LATE_IN_A_ROW) } else { 0 };
    }

    /// Whether results come so late that nobody can follow them.
    pub fn is_late(&self) -> bool {
        self.late == LATE_IN_A_ROW
    }

    /// Whether to read this frame; those between it and the last one are counted.
    pub fn takes(&mut self, index: u64, captured_at: gst::ClockTime) -> bool {
        if let Some((last_index, last_at)) = self.last {
            if captured_at > last_at && captured_at - last_at < self.shortest {
                // Passed over on purpose, and not counted with those that follow.
                self.last = Some((index, last_at));
                return false;
            }
            let passed_over = index.saturating_sub(last_index + 1);
            self.dropped += passed_over;
            self.limit = if passed_over == 0 { Limit::Camera } else { Limit::Recognition };
        }
        self.last = Some((index, captured_at));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> gst::ClockTime {
        gst::ClockTime::from_mseconds(milliseconds)
    }

    /// At 15 Hz.
    fn progress() -> Progress {
        Progress::new(Some(Duration::from_secs(1) / 15))
    }

    #[test]
    fn a_fast_bundle_gets_every_frame_of_a_fast_camera() {
        let mut progress = Progress::new(Some(Duration::from_secs(1) / 60));
        let taken = (0..60).filter(|index| progress.takes(*index, at(index * 1000 / 60))).count();
        assert_eq!(taken, 60);
    }

    #[test]
    fn who_is_late_depends_on_the_model() {
        let late = |spacing: Option<u64>, took: u64| {
            let mut progress = Progress::new(spacing.map(Duration::from_millis));
            (0..LATE_IN_A_ROW).for_each(|_| progress.took(Duration::from_millis(took)));
            progress.is_late()
        };
        assert!(late(Some(66), 70) && !late(Some(66), 60) && !late(Some(200), 150));
        assert!(late(None, 150) && !late(None, 80));
    }

    #[test]
    fn it_is_told_who_is_too_slow() {
        let mut progress = progress();
        assert!(progress.takes(1, at(0)) && progress.takes(2, at(100)));
        assert_eq!(progress.limit, Limit::Camera);
        assert!(progress.takes(5, at(200)));
        assert_eq!(progress.limit, Limit::Recognition);
    }

    #[test]
    fn frames_that_were_overwritten_are_counted() {
        let mut progress = progress();
        assert!(progress.takes(1, at(0)));
        assert!(progress.takes(2, at(33)));
        assert!(progress.takes(5, at(133)));
        assert_eq!(progress.dropped, 2);
    }

    #[test]
    fn frames_of_a_fast_camera_are_passed_over_and_not_counted() {
        let mut progress = progress();
        let taken = (0..60).filter(|index| progress.takes(*index, at(index * 1000 / 60))).count();
        assert_eq!(taken, 30);
        assert_eq!(progress.dropped, 0);
    }

    #[test]
    fn a_camera_whose_time_starts_anew_is_read_on() {
        let mut progress = progress();
        assert!(progress.takes(7, at(5000)));
        assert!(progress.takes(8, at(10)));
    }
}
