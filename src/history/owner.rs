//! Who takes the samples.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::columns::{Columns, columns};
use super::ring::{CameraSample, ConnectionSample, RecognitionSample, Ring, SAMPLE_S, Sample};
use crate::camera::{self, Camera, Form};
use crate::recognition::Prediction;
use crate::sessions;
use crate::spread::Spread;

/// Whose figures are taken.
#[derive(Debug)]
pub struct Followed {
    /// As configured, the default first.
    pub cameras: Vec<Camera>,
    /// Results on the first one's pictures.
    pub predictions: broadcast::Receiver<Arc<Prediction>>,
    /// Who looks.
    pub sessions: watch::Receiver<sessions::Status>,
}

/// A handle on what was sampled.
#[derive(Clone, Debug)]
pub struct History {
    ring: Arc<Mutex<Ring>>,
    cameras: Arc<[String]>,
}

impl History {
    /// All samples from the one of this number on.
    #[must_use]
    pub fn since(&self, from: u64) -> Columns {
        // Copied under the lock, which the owner needs for a moment only every two seconds.
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, samples) = ring.since(from);
        columns(first, &samples, &self.cameras)
    }
}

/// Samples until the last sender of predictions is gone. Needs tokio.
#[must_use]
pub fn start(followed: Followed) -> History {
    let cameras = followed.cameras.iter().map(|camera| camera.name().to_owned()).collect();
    let history = History { ring: Arc::default(), cameras };
    tokio::spawn(sample(followed, history.ring.clone()));
    history
}

async fn sample(followed: Followed, ring: Arc<Mutex<Ring>>) {
    let Followed { cameras, mut predictions, sessions } = followed;
    let mut reading = Reading::default();
    let mut counted: Vec<Counted> = cameras.iter().map(Counted::of).collect();
    let mut last = Instant::now();
    let mut tick = tokio::time::interval(Duration::from_secs(SAMPLE_S));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick is at once, when there is nothing to measure.
    tick.tick().await;
    loop {
        tokio::select! {
            _ = tick.tick() => {
                let seconds = last.elapsed().as_secs_f64().max(0.001);
                last = Instant::now();
                let per_camera = cameras.iter().zip(&mut counted);
                let sample = Sample {
                    at_s: now_s(),
                    cameras: per_camera.map(|(camera, before)| of_camera(camera, before, seconds)).collect(),
                    recognition: reading.take(seconds),
                    connections: of_viewers(&sessions.borrow()),
                };
                ring.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
            }
            received = predictions.recv() => match received {
                Ok(prediction) => reading.note(&prediction, cameras.first()),
                Err(RecvError::Lagged(missed)) => reading.results += missed,
                Err(RecvError::Closed) => return,
            },
        }
    }
}

fn now_s() -> f64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    (now.as_secs_f64() * 1e3).round() / 1e3
}

/// A camera's counts at the last sample.
#[derive(Clone, Copy, Debug)]
struct Counted {
    pictures: u64,
    bytes: [u64; 3],
}

impl Counted {
    fn of(camera: &Camera) -> Self {
        let bytes = Form::ALL.map(|form| camera.renditions().encoded_bytes(form));
        Self { pictures: camera.pictures(), bytes }
    }
}

fn of_camera(camera: &Camera, before: &mut Counted, seconds: f64) -> CameraSample {
    let now = Counted::of(camera);
    let before = std::mem::replace(before, now);
    let live = matches!(*camera.status().borrow(), camera::Status::Live(_));
    let pictures = now.pictures.saturating_sub(before.pictures);
    let kbps = [0, 1, 2].map(|form: usize| {
        let bytes = now.bytes[form].saturating_sub(before.bytes[form]);
        (bytes > 0).then(|| (bytes as f64 * 8e-3 / seconds).round() as u32)
    });
    CameraSample {
        fps: (live || pictures > 0).then(|| tenths(pictures as f64 / seconds)),
        kbps,
        capture: camera.lags().take_capture(),
        encode: camera.lags().take_encode(),
    }
}

/// Recognition since the last sample.
#[derive(Debug, Default)]
struct Reading {
    results: u64,
    queue: Spread,
    detect: Spread,
    landmarks: Spread,
    classify: Spread,
    capture_to_result: Spread,
}

impl Reading {
    fn note(&mut self, prediction: &Prediction, camera: Option<&Camera>) {
        let timing = prediction.timing_ms;
        self.results += u64::from(prediction.answered);
        let worked = timing.detect + timing.landmarks + timing.prepare + timing.classify;
        let captured = camera.and_then(|of| of.lags().capture(prediction.captured_at));
        if let Some(captured) = captured {
            let waited = timing.capture_to_result - worked - captured.as_secs_f32() * 1e3;
            self.queue.note(millis(waited.max(0.0)));
        }
        self.capture_to_result.note(millis(timing.capture_to_result));
        let stages = [
            (&self.detect, timing.detect),
            (&self.landmarks, timing.landmarks),
            (&self.classify, timing.classify),
        ];
        // Zero: it did not run.
        let ran = stages.into_iter().filter(|(_, ms)| *ms > 0.0);
        ran.for_each(|(stage, ms)| stage.note(millis(ms)));
    }

    fn take(&mut self, seconds: f64) -> RecognitionSample {
        let results = std::mem::take(&mut self.results);
        let capture_to_result = self.capture_to_result.take();
        RecognitionSample {
            // No word of it at all is no rate.
            results_per_s: capture_to_result.map(|_| tenths(results as f64 / seconds)),
            queue: self.queue.take(),
            detect: self.detect.take(),
            landmarks: self.landmarks.take(),
            classify: self.classify.take(),
            capture_to_result,
        }
    }
}

fn millis(ms: f32) -> Duration {
    Duration::try_from_secs_f32(ms / 1e3).unwrap_or_default()
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn of_viewers(status: &sessions::Status) -> Vec<ConnectionSample> {
    let of_session = |session: &sessions::SessionReport| {
        let id = session.id.clone();
        let one = move |one: &sessions::ConnectionReport| ConnectionSample {
            session: id.clone(),
            connection: one.id.clone(),
            rendition: one.rendition,
            sent_kbps: one.sent_kbps,
            loss: one.loss,
            rtt_ms: one.rtt_ms,
            fps: one.fps,
        };
        session.connections.iter().map(one).collect::<Vec<_>>()
    };
    status.sessions.iter().flat_map(of_session).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use gstreamer::ClockTime;

    use super::*;
    use crate::clock::Clock;
    use crate::recognition::Timing;

    fn prediction(timing_ms: Timing, captured_at: ClockTime) -> Prediction {
        Prediction {
            seq: 1,
            captured_at,
            label: None,
            score: 0.0,
            committed: None,
            transcript: String::new(),
            committed_total: 0,
            top: Vec::new(),
            hands: Vec::new(),
            boxes: Vec::new(),
            timing_ms,
            dropped: 0,
            answered: true,
        }
    }

    #[tokio::test]
    async fn a_wait_is_what_is_left_of_the_whole_and_a_stage_that_did_not_run_has_no_time() {
        gstreamer::init().unwrap();
        let (camera, _, _) = Camera::without_owner("door", &Clock::start());
        let captured_at = ClockTime::from_seconds(5);
        camera.lags().came(captured_at, captured_at + ClockTime::from_mseconds(30));
        let mut reading = Reading::default();
        let mut timing = Timing { capture_to_result: 100.0, detect: 0.0, ..Timing::default() };
        (timing.landmarks, timing.classify) = (20.0, 10.0);
        reading.note(&prediction(timing, captured_at), Some(&camera));
        let told = reading.take(2.0);
        assert_eq!(told.results_per_s, Some(0.5));
        assert_eq!(told.queue.unwrap().max_ms, 40.0);
        assert_eq!((told.detect, told.classify.unwrap().max_ms), (None, 10.0));
        assert_eq!(reading.take(2.0), RecognitionSample::default());
    }

    #[tokio::test(start_paused = true)]
    async fn every_two_seconds_there_is_a_sample_more() {
        gstreamer::init().unwrap();
        let (camera, status, _) = Camera::without_owner("door", &Clock::start());
        let (predictions, received) = broadcast::channel(4);
        let (publish, sessions) = watch::channel(sessions::Status::default());
        let followed = Followed { cameras: vec![camera], predictions: received, sessions };
        let history = start(followed);
        assert_eq!(history.since(0).next, 0);
        tokio::time::sleep(Duration::from_millis(4100)).await;
        let told = history.since(0);
        assert_eq!((told.first, told.next, told.cameras[0].fps.len()), (0, 2, 2));
        assert_eq!(history.since(1).cameras[0].fps, [None]);
        drop((status, predictions, publish));
    }
}
