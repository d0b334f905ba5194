//! The one owner of the recognition chain: a thread that takes the camera's frames,
//! reads them, and publishes what they say. It never holds up video: frames that
//! come while it is busy wait for a moment, are passed over, and are counted.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer_video as gst_video;
use tokio::runtime::Handle;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

use super::backlog::Backlog;
use super::chain::{Chain, Reading};
use super::picture::{self, PictureError};
use super::{Prediction, Status};
use crate::camera::RawFrame;
use crate::clock::Clock;
use crate::config::Settled;
use crate::errors;
use crate::model::ModelError;
use crate::runtime::RuntimeError;

/// Results are made at most this often: a faster camera adds cost and nothing that
/// the page could show. A little under 1/30 s, so that a camera of 30 fps with some
/// jitter loses no frame.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(25);

/// Results that wait for a slow subscriber; then it misses the oldest.
pub const PREDICTIONS: usize = 32;

/// One line on failing predictions in this time; it says how many there were.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// A model that is ready to read, and its name and version.
pub struct Loaded {
    /// The chain.
    pub chain: Chain,
    /// Such as "fingerspelling 1".
    pub name: String,
}

/// A started worker.
#[derive(Debug)]
pub struct Started {
    /// What recognition is doing.
    pub status: watch::Receiver<Status>,
    /// Ends when the camera's owner has ended.
    pub thread: JoinHandle<()>,
}

/// Starts the worker on a thread of its own; `load` runs there too, so that a slow
/// disk delays no picture. `config` says whether signs may be logged. Needs tokio.
///
/// # Errors
/// The system gives no thread.
pub fn start(
    load: impl FnOnce() -> Result<Loaded, ModelError> + Send + 'static,
    frames: broadcast::Receiver<RawFrame>,
    predictions: broadcast::Sender<Arc<Prediction>>,
    clock: Clock,
    config: watch::Receiver<Settled>,
) -> std::io::Result<Started> {
    let (status, published) = watch::channel(Status::Starting);
    let runtime = Handle::current();
    let thread = thread::Builder::new().name("recognition".into()).spawn(move || {
        let Loaded { chain, name } = match load() {
            Ok(loaded) => loaded,
            Err(error) => return idle(&runtime, frames, &status, &error),
        };
        log::info!(model = name.as_str(); "model {name} reads");
        let running = Status::Running { model: name.clone(), degraded: None };
        status.send_replace(running);
        let progress = Progress::new(shortest_interval(chain.period()));
        let faults = Faults::default();
        Worker { chain, name, predictions, clock, config, status, progress, faults }
            .run(&runtime, frames);
    })?;
    Ok(Started { status: published, thread })
}

/// Without a model video goes on, and the reason stays published until the end.
fn idle(
    runtime: &Handle,
    mut frames: broadcast::Receiver<RawFrame>,
    status: &watch::Sender<Status>,
    error: &ModelError,
) {
    let reason = errors::chain(error);
    log::error!("recognition is off: {reason}");
    status.send_replace(Status::Failed(reason));
    while !matches!(runtime.block_on(frames.recv()), Err(RecvError::Closed)) {}
}

struct Worker {
    chain: Chain,
    name: String,
    predictions: broadcast::Sender<Arc<Prediction>>,
    clock: Clock,
    /// What is in force; it may change.
    config: watch::Receiver<Settled>,
    status: watch::Sender<Status>,
    progress: Progress,
    faults: Faults,
}

/// Which frame was read last, and how many were passed over.
#[derive(Debug)]
struct Progress {
    shortest: gst::ClockTime,
    seq: u64,
    dropped: u64,
    last: Option<(u64, gst::ClockTime)>,
    limit: Limit,
}

/// What sets the pace of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    /// Every frame of the camera is read.
    Camera,
    /// Frames were passed over before this one, because recognition was busy.
    Recognition,
}

/// Twice a bundle's rate and some more must pass, or its windows cannot be filled.
fn shortest_interval(period: Duration) -> gst::ClockTime {
    let interval = (period * 3 / 8).min(SHORTEST_INTERVAL);
    gst::ClockTime::from_nseconds(u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX))
}

impl Progress {
    fn new(shortest: gst::ClockTime) -> Self {
        Self { shortest, seq: 0, dropped: 0, last: None, limit: Limit::Camera }
    }

    /// Whether to read this frame; those between it and the last one are counted.
    fn takes(&mut self, index: u64, captured_at: gst::ClockTime) -> bool {
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

/// Failures since the last line about them.
#[derive(Debug, Default)]
struct Faults {
    unsaid: u64,
    said: Option<Instant>,
}

/// Why one frame gave no result.
#[derive(Debug, thiserror::Error)]
enum FrameFault {
    #[error("a frame's memory cannot be read")]
    Map,
    #[error(transparent)]
    Picture(#[from] PictureError),
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
}

impl Worker {
    fn run(mut self, runtime: &Handle, mut frames: broadcast::Receiver<RawFrame>) {
        let mut backlog = Backlog::new(self.chain.spacing());
        while let Some(frame) = runtime.block_on(next(&mut backlog, &mut frames)) {
            if !self.progress.takes(frame.index, frame.captured_at) {
                continue;
            }
            match self.read(&frame) {
                Ok(reading) => self.publish(frame.captured_at, reading),
                Err(fault) => self.tell(&fault),
            }
        }
    }

    fn read(&mut self, frame: &RawFrame) -> Result<Reading, FrameFault> {
        let video = gst_video::VideoFrameRef::from_buffer_ref_readable(&frame.buffer, &frame.info)
            .map_err(|_| FrameFault::Map)?;
        let at = Duration::from_nanos(frame.captured_at.nseconds());
        Ok(self.chain.read(&picture::view(&video)?, at)?)
    }

    fn publish(&mut self, captured_at: gst::ClockTime, reading: Reading) {
        self.degrade(reading.too_slow.map(|_| too_slow(self.progress.limit)));
        if let Some(sign) = reading.committed {
            self.write_down(sign);
        }
        self.progress.seq += 1;
        let mut timing_ms = reading.timing_ms;
        let age = self.clock.running_time().saturating_sub(captured_at);
        timing_ms.capture_to_result = age.nseconds() as f32 / 1e6;
        let transcript = self.chain.transcript();
        let prediction = Prediction {
            seq: self.progress.seq,
            captured_at,
            label: reading.label.map(String::from),
            score: reading.score,
            committed: reading.committed.map(String::from),
            transcript: transcript.text(),
            committed_total: transcript.total(),
            top: reading.top,
            hands: reading.hands,
            timing_ms,
            dropped: self.progress.dropped,
        };
        // Nobody listens while there is no viewer.
        let _ = self.predictions.send(Arc::new(prediction));
    }

    /// Logs a sign where that is switched on: what people sign is their own.
    fn write_down(&self, sign: char) {
        if self.config.borrow().now.log.signs {
            log::info!("signed {sign:?}");
        }
    }

    /// Publishes a reason why results are fewer than they should be, or its end.
    fn degrade(&self, reason: Option<String>) {
        self.status.send_if_modified(|status| {
            let next = Status::Running { model: self.name.clone(), degraded: reason };
            let changed = *status != next;
            if changed {
                *status = next;
            }
            changed
        });
    }

    fn tell(&mut self, fault: &FrameFault) {
        self.faults.unsaid += 1;
        if self.faults.said.is_some_and(|said| said.elapsed() < LOG_EVERY) {
            return;
        }
        let reason = errors::chain(fault);
        log::warn!("recognition failed on {} frames: {reason}", self.faults.unsaid);
        self.degrade(Some(reason));
        self.faults = Faults { unsaid: 0, said: Some(Instant::now()) };
    }
}

/// The next frame to read, as soon as there is one; `None` when the camera's owner has
/// ended.
async fn next(
    backlog: &mut Backlog<RawFrame>,
    frames: &mut broadcast::Receiver<RawFrame>,
) -> Option<RawFrame> {
    while backlog.is_empty() || !frames.is_empty() {
        match frames.recv().await {
            Ok(frame) => {
                let frame = if backlog.is_empty() { Some(frame) } else { frame.detach() };
                // What cannot be read is passed over.
                let Some(frame) = frame else { continue };
                backlog.push(frame.captured_at.into(), frame);
            }
            Err(RecvError::Lagged(_)) => backlog.lost(),
            Err(RecvError::Closed) => return None,
        }
    }
    backlog.take()
}

/// Without the measured time: the text would change with every result.
fn too_slow(limit: Limit) -> String {
    match limit {
        Limit::Camera => "camera too slow: it gives fewer pictures a second than the model needs",
        Limit::Recognition => {
            "this device is too slow for the model: take a smaller one, or raise model.threads"
        }
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> gst::ClockTime {
        gst::ClockTime::from_mseconds(milliseconds)
    }

    /// At 15 Hz.
    fn progress() -> Progress {
        Progress::new(shortest_interval(Duration::from_secs(1) / 15))
    }

    #[test]
    fn a_fast_bundle_gets_every_frame_of_a_fast_camera() {
        let mut progress = Progress::new(shortest_interval(Duration::from_secs(1) / 60));
        let taken = (0..60).filter(|index| progress.takes(*index, at(index * 1000 / 60))).count();
        assert_eq!(taken, 60);
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
