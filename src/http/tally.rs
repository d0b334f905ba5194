//! How many results recognition gives.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gstreamer::ClockTime;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::camera::Camera;
use crate::recognition::{self, Prediction};

/// The rate is a mean over this many seconds.
const SECONDS: usize = 5;

/// How often is looked.
const TICK: Duration = Duration::from_secs(1);

/// Results since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Frames that the model has answered for.
    pub results: u64,
    /// Frames that gave no result because of an error.
    pub failed: u64,
    /// Frames that recognition skipped because it was busy.
    pub dropped: u64,
    /// Results a second, over the last five seconds.
    pub per_second: f64,
    /// How long recognition has been running beside moving pictures without a word,
    /// be it an error; whole seconds.
    pub silent: Duration,
}

/// What recognition has to work with.
#[derive(Debug)]
pub struct Work {
    /// What it is doing.
    pub recognition: watch::Receiver<recognition::Status>,
    /// Its errors since the start.
    pub failed: watch::Receiver<u64>,
    /// Whose pictures it reads.
    pub camera: Option<Camera>,
}

/// Counts until the last sender is gone.
pub fn start(
    predictions: broadcast::Receiver<Arc<Prediction>>,
    work: Work,
) -> watch::Receiver<Tally> {
    let (publish, tally) = watch::channel(Tally::default());
    tokio::spawn(count(predictions, work, publish));
    tally
}

async fn count(
    mut predictions: broadcast::Receiver<Arc<Prediction>>,
    work: Work,
    publish: watch::Sender<Tally>,
) {
    let (mut now, mut heard) = (Tally::default(), 0_u64);
    let (mut rate, mut silence) = (Rate::default(), Silence::default());
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {
                now.per_second = rate.mark(now.results, Instant::now());
                let running =
                    matches!(*work.recognition.borrow(), recognition::Status::Running { .. });
                let picture = work.camera.as_ref().and_then(Camera::newest_picture);
                now.failed = *work.failed.borrow();
                now.silent = silence.mark(heard + now.failed, picture.filter(|_| running));
                publish.send_replace(now);
            }
            received = predictions.recv() => {
                match received {
                    Ok(prediction) => {
                        heard += 1;
                        now.results += u64::from(prediction.answered);
                        now.dropped = prediction.dropped;
                    }
                    Err(RecvError::Lagged(missed)) => {
                        heard += missed;
                        now.results += missed;
                    }
                    Err(RecvError::Closed) => return,
                }
                publish.send_modify(|tally| {
                    (tally.results, tally.dropped) = (now.results, now.dropped);
                });
            }
        }
    }
}

/// How long there has been work and no word of it.
#[derive(Debug, Default)]
struct Silence {
    words: u64,
    picture: Option<ClockTime>,
    lasts: Duration,
}

impl Silence {
    /// Marks the present count and the newest picture that should be read, at
    /// every [`TICK`].
    fn mark(&mut self, words: u64, picture: Option<ClockTime>) -> Duration {
        let worked = words > self.words;
        let moved = picture.is_some() && self.picture.is_some() && picture != self.picture;
        self.lasts = if moved && !worked { self.lasts + TICK } else { Duration::ZERO };
        (self.words, self.picture) = (words, picture);
        self.lasts
    }
}

/// Marks of a rising count, of which the oldest is about [`SECONDS`] old.
#[derive(Debug, Default)]
struct Rate {
    marks: VecDeque<(Instant, u64)>,
}

impl Rate {
    /// Adds a mark; returns the mean rise a second since the oldest one.
    fn mark(&mut self, count: u64, now: Instant) -> f64 {
        self.marks.push_back((now, count));
        if self.marks.len() > SECONDS + 1 {
            self.marks.pop_front();
        }
        let (since, before) = self.marks[0];
        let seconds = now.saturating_duration_since(since).as_secs_f64();
        if seconds > 0.0 { (count - before) as f64 / seconds } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rate_forgets_what_is_older_than_its_window() {
        let (mut rate, start) = (Rate::default(), Instant::now());
        let at = |second: u64| start + Duration::from_secs(second);
        assert_eq!(rate.mark(0, at(0)), 0.0);
        assert_eq!(rate.mark(15, at(1)), 15.0);
        let rates: Vec<f64> = (2..10).map(|second| rate.mark(15, at(second))).collect();
        assert_eq!(rates.last(), Some(&0.0));
    }

    #[test]
    fn silence_lasts_while_pictures_move_and_nothing_comes_of_them() {
        let picture = |seconds| Some(ClockTime::from_seconds(seconds));
        let mut silence = Silence::default();
        // What is loading has no work yet.
        assert_eq!([None, None].map(|none| silence.mark(0, none)), [Duration::ZERO; 2]);
        assert_eq!(silence.mark(0, picture(1)), Duration::ZERO);
        assert_eq!(silence.mark(0, picture(2)), TICK);
        assert_eq!(silence.mark(0, picture(3)), 2 * TICK);
        assert_eq!(silence.mark(1, picture(4)), Duration::ZERO);
        assert_eq!(silence.mark(1, picture(5)), TICK);
        assert_eq!(silence.mark(1, picture(5)), Duration::ZERO, "the camera stands still");
        assert_eq!(silence.mark(1, picture(5000)), TICK);
    }

    proptest! {
        #[test]
        fn rate_stays_within_its_steps(steps in prop::collection::vec(0_u64..60, 1..40)) {
            let (mut rate, start) = (Rate::default(), Instant::now());
            let mut count = 0;
            let highest = *steps.iter().max().unwrap_or(&0);
            for (second, step) in (0_u64..).zip(&steps) {
                count += step;
                let mean = rate.mark(count, start + Duration::from_secs(second));
                prop_assert!(mean >= 0.0 && mean <= highest as f64);
                prop_assert!(rate.marks.len() <= SECONDS + 1);
            }
        }
    }
}
