//! The one clock that every pipeline runs on.
//!
//! Running time, and with it RTP time, must only rise, over camera restarts and
//! file loops too. So every pipeline gets the same monotonic system clock, the
//! same base time, and start time NONE, which keeps GStreamer from choosing a
//! new base time when a pipeline goes to PLAYING.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gstreamer as gst;
use gstreamer::prelude::*;

/// Monotonic system clock and the base time fixed at program start.
#[derive(Clone, Debug)]
pub struct Clock {
    clock: gst::Clock,
    base_time: gst::ClockTime,
}

impl Clock {
    /// Fixes the base time. Call once, after `gst::init`.
    #[must_use]
    pub fn start() -> Self {
        let clock = gst::SystemClock::obtain();
        let base_time = clock.time();
        Self { clock, base_time }
    }

    /// Time since the base time, in nanoseconds: what a buffer captured now
    /// would carry as running time.
    #[must_use]
    pub fn running_time(&self) -> gst::ClockTime {
        self.clock.time().saturating_sub(self.base_time)
    }

    /// A mark, set now.
    #[must_use]
    pub fn mark(&self) -> Mark {
        let mark = Mark { clock: self.clone(), last: Arc::default() };
        mark.set();
        mark
    }

    /// Puts `pipeline` on this clock. Call before it leaves NULL.
    pub fn drive(&self, pipeline: &gst::Pipeline) {
        pipeline.use_clock(Some(&self.clock));
        pipeline.set_start_time(gst::ClockTime::NONE);
        pipeline.set_base_time(self.base_time);
    }
}

/// When something last happened, in running time; shared by all its clones.
#[derive(Clone, Debug)]
pub struct Mark {
    clock: Clock,
    last: Arc<AtomicU64>,
}

impl Mark {
    /// It happens now.
    pub fn set(&self) {
        self.last.fetch_max(self.clock.running_time().nseconds(), Ordering::Relaxed);
    }

    /// It happens at `time`, which may be to come.
    #[cfg(test)]
    pub fn set_at(&self, time: gst::ClockTime) {
        self.last.store(time.nseconds(), Ordering::Relaxed);
    }

    /// When it happened last.
    #[must_use]
    pub fn last(&self) -> gst::ClockTime {
        gst::ClockTime::from_nseconds(self.last.load(Ordering::Relaxed))
    }
}
