//! The one owner of the recognition chain: a thread that takes the camera's frames,
//! reads them, and publishes what they say. It never holds up video: frames that
//! come while it is busy wait for a moment, are passed over, and are counted.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer_video as gst_video;
use tokio::runtime::Handle;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::backlog::Backlog;
use super::chain::Chain;
use super::pace::{Limit, Progress};
use super::picture::{self, PictureError};
use super::prediction::{Thing, rounded};
use super::{Prediction, Status};
use crate::camera::RawFrame;
use crate::camera::handover::{self, Missed};
use crate::clock::Clock;
use crate::config::Settled;
use crate::errors;
use crate::runtime::RuntimeError;

/// Results that wait for a slow subscriber; then it misses the oldest.
pub const PREDICTIONS: usize = 32;

/// One line on failing predictions in this time; it says how many there were.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// How a line of the log begins that says what was signed; who shows the log finds it by that.
pub const SIGNED: &str = "signed ";
/// ... and one that says which sign is seen.
pub const SEES: &str = "sees ";

/// A model that is ready to read, and its name and version.
pub struct Loaded {
    /// The chain.
    pub chain: Chain,
    /// Such as "fingerspelling 1".
    pub name: String,
}

/// What the worker needs of others. They may be given to another one after it.
#[derive(Clone)]
pub struct Wiring {
    /// The camera's.
    pub frames: handover::Receiver<RawFrame>,
    /// Where results go.
    pub predictions: broadcast::Sender<Arc<Prediction>>,
    /// What frames are stamped by.
    pub clock: Clock,
    /// Says whether signs may be logged.
    pub config: watch::Receiver<Settled>,
    /// What recognition is doing.
    pub status: watch::Sender<Status>,
    /// Counts the frames that gave no result because of an error.
    pub failed: watch::Sender<u64>,
}

/// How a model does, for those who judge it.
#[derive(Clone, Debug, Default)]
pub struct Pulse {
    /// Frames since the program's start about which the model was asked, or that gave nothing
    /// to ask it about.
    pub results: u64,
    /// Frames that gave none because of an error, or because frames come too slowly, since then.
    pub failures: u64,
    /// The last of these reasons.
    pub fault: Option<String>,
    /// Whether the program failed while it read, and has let go of the model.
    pub broken: bool,
    /// Since when it is busy with one frame.
    pub busy: Option<Instant>,
    /// For the worker that may have to go on in its place.
    progress: Progress,
}

/// A model in, or none, unless it is taken back before; the one before comes out.
struct Swap {
    next: Arc<Mutex<Option<Option<Loaded>>>>,
    before: oneshot::Sender<Option<Loaded>>,
}

/// A thread that reads the camera's frames with one model at a time. Dropping it ends the
/// thread, as soon as it is done with its frame; what it reads until then is told to nobody.
#[derive(Debug)]
pub struct Worker {
    swaps: mpsc::Sender<Swap>,
    pulse: watch::Receiver<Pulse>,
    thread: JoinHandle<()>,
    in_order: Arc<AtomicBool>,
}

impl Worker {
    /// Starts the thread without a model; it goes on counting where `before` ends. It ends
    /// when the camera's owner has ended. Needs tokio.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(wiring: Wiring, before: Pulse) -> std::io::Result<Self> {
        let progress = before.progress;
        let (pulse, published) = watch::channel(Pulse { busy: None, broken: false, ..before });
        let (swaps, wanted) = mpsc::channel(1);
        let (runtime, in_order) = (Handle::current(), Arc::<AtomicBool>::default());
        let ends = Arc::clone(&in_order);
        let thread = thread::Builder::new().name("recognition".into()).spawn(move || {
            let Wiring { frames, predictions, clock, config, status, failed } = wiring;
            let (faults, seen) = (Faults::default(), String::new());
            let mut tell =
                Tell { predictions, clock, config, status, failed, pulse, progress, faults, seen };
            let mut wanted = wanted;
            run(&runtime, &mut tell, &frames, &mut wanted);
            ends.store(true, Ordering::Release);
        })?;
        Ok(Self { swaps, pulse: published, thread, in_order })
    }

    /// How the model does.
    #[must_use]
    pub fn pulse(&self) -> &watch::Receiver<Pulse> {
        &self.pulse
    }

    /// Resolves when the thread has ended, because the camera's owner has.
    pub async fn ended(&self) {
        self.swaps.closed().await;
    }

    /// Whether the thread has ended as it should.
    #[must_use]
    pub fn in_order(&self) -> bool {
        self.in_order.load(Ordering::Acquire)
    }

    /// Lets go of a worker that is stuck; its thread, which may end at some time.
    #[must_use]
    pub fn give_up(self) -> JoinHandle<()> {
        self.thread
    }

    /// Changes the model between two frames; the one before is the caller's to free. The
    /// transcript goes on.
    ///
    /// # Errors
    /// The model that was not taken, if the worker does not get to it within `patience`, or
    /// has ended.
    pub async fn swap(
        &self,
        model: Option<Loaded>,
        patience: Duration,
    ) -> Result<Option<Loaded>, Option<Loaded>> {
        let next = Arc::new(Mutex::new(Some(model)));
        let (before, mut out) = oneshot::channel();
        let swap = Swap { next: next.clone(), before };
        let swapped = async {
            self.swaps.send(swap).await.ok()?;
            (&mut out).await.ok()
        };
        if let Ok(Some(before)) = tokio::time::timeout(patience, swapped).await {
            return Ok(before);
        }
        let taken_back = next.lock().unwrap_or_else(PoisonError::into_inner).take();
        match taken_back {
            Some(model) => Err(model),
            // It was taken in this very moment.
            None => out.await.map_err(|_| None),
        }
    }
}

/// Reads frames until there are none to come, or nobody wants it any more.
fn run(
    runtime: &Handle,
    tell: &mut Tell,
    frames: &handover::Receiver<RawFrame>,
    swaps: &mut mpsc::Receiver<Swap>,
) {
    let mut model: Option<Loaded> = None;
    let mut backlog = Backlog::new(None);
    loop {
        let event = runtime.block_on(async {
            tokio::select! {
                biased;
                swap = swaps.recv() => swap.map(Event::Swap),
                frame = next(&mut backlog, frames) => frame.map(Event::Frame),
            }
        });
        match (event, &mut model) {
            (None, _) => return,
            (Some(Event::Swap(swap)), _) => {
                let next = swap.next.lock().unwrap_or_else(PoisonError::into_inner).take();
                // None: nobody waits for it any more.
                let Some(next) = next else { continue };
                let mut before = std::mem::replace(&mut model, next);
                tell.pulse.send_modify(|pulse| pulse.broken = false);
                if let Some(next) = &mut model {
                    tell.take_over(next, before.as_mut());
                    backlog = Backlog::new(next.chain.spacing());
                }
                let _ = swap.before.send(before);
            }
            // Passed over on purpose, and not counted.
            (Some(Event::Frame(frame)), None) => {
                tell.progress.pass(frame.index, frame.captured_at);
            }
            (Some(Event::Frame(frame)), Some(reads)) => {
                if !tell.progress.takes(frame.index, frame.captured_at) {
                    continue;
                }
                let begun = Instant::now();
                tell.pulse.send_modify(|pulse| pulse.busy = Some(begun));
                let read = unbroken(|| read(&mut reads.chain, &frame));
                // Who gave this worker up has another one in its place.
                if swaps.is_closed() {
                    return;
                }
                tell.progress.took(begun.elapsed());
                match read {
                    Ok(too_slow) => tell.publish(reads, frame.captured_at, too_slow),
                    Err(fault) => {
                        tell.tell(&reads.name, &fault);
                        if matches!(fault, FrameFault::Broken) {
                            let _ = unbroken(|| {
                                drop(model.take());
                                Ok(())
                            });
                            tell.pulse.send_modify(|pulse| pulse.broken = true);
                        }
                    }
                }
            }
        }
    }
}

enum Event {
    Swap(Swap),
    Frame(RawFrame),
}

/// Who is told of results and failures.
struct Tell {
    predictions: broadcast::Sender<Arc<Prediction>>,
    clock: Clock,
    config: watch::Receiver<Settled>,
    status: watch::Sender<Status>,
    failed: watch::Sender<u64>,
    pulse: watch::Sender<Pulse>,
    progress: Progress,
    faults: Faults,
    /// The label of the last frame; empty for none.
    seen: String,
}

/// Failures since the last line about them.
#[derive(Debug, Default)]
struct Faults {
    unsaid: u64,
    said: Option<Instant>,
}

/// Keeps a panic from ending the thread, whose end looks like the camera's: the model may be
/// put back, and video goes on. Whatever `work` was changing is not used again.
fn unbroken<T>(work: impl FnOnce() -> Result<T, FrameFault>) -> Result<T, FrameFault> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(FrameFault::Broken))
}

/// Why one frame gave no result.
#[derive(Debug, thiserror::Error)]
enum FrameFault {
    #[error("the program failed while it read; its log says where")]
    Broken,
    #[error("a frame's memory cannot be read")]
    Map,
    #[error(transparent)]
    Picture(#[from] PictureError),
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
}

impl Tell {
    /// Another model reads from now on.
    fn take_over(&mut self, next: &mut Loaded, before: Option<&mut Loaded>) {
        if let Some(before) = before {
            next.chain.go_on(&mut before.chain);
        }
        self.progress.pace(next.chain.spacing());
        self.faults = Faults::default();
        let running = Status::Running { model: next.name.clone(), degraded: None };
        self.status.send_replace(running);
    }

    fn publish(&mut self, model: &Loaded, captured_at: gst::ClockTime, too_slow: Option<Duration>) {
        let Loaded { chain, name: model } = model;
        let late = self.progress.is_late().then_some(Limit::Recognition);
        let limit = too_slow.map(|_| self.progress.limit).or(late);
        let slow = limit.map(self::too_slow);
        self.degrade(model, slow.clone());
        let (reading, names) = (chain.reading(), chain.names());
        let name = |label: usize| names[label].clone();
        let committed = reading.committed.map(|it| it.named(names).text().to_owned());
        self.write_down(
            committed.as_deref(),
            reading.label.map(|label| &*names[label]),
            reading.score,
        );
        self.progress.seq += 1;
        let mut timing_ms = reading.timing_ms;
        let age = self.clock.running_time().saturating_sub(captured_at);
        timing_ms.capture_to_result = age.nseconds() as f32 / 1e6;
        let transcript = chain.transcript();
        let prediction = Prediction {
            seq: self.progress.seq,
            captured_at,
            label: reading.label.map(name),
            score: reading.score,
            committed,
            transcript: transcript.text(),
            committed_total: transcript.total(),
            top: reading.top.iter().map(|(label, score)| (name(*label), rounded(*score))).collect(),
            hands: reading.hands.clone(),
            boxes: reading.boxes.iter().map(|found| Thing::new(found, names)).collect(),
            timing_ms,
            dropped: self.progress.dropped,
            answered: reading.answered,
        };
        // Nobody listens while there is no viewer.
        let _ = self.predictions.send(Arc::new(prediction));
        let (progress, answered) = (self.progress, reading.answered);
        self.pulse.send_modify(|pulse| {
            (pulse.busy, pulse.progress) = (None, progress);
            pulse.results += u64::from(answered);
            if too_slow.is_some() {
                pulse.failures += 1;
                pulse.fault = slow;
            }
        });
    }

    /// Logs what was signed, and a label when it begins, where that is switched on: what people
    /// sign is their own. The log takes no more than five such lines a second.
    fn write_down(&mut self, committed: Option<&str>, label: Option<&str>, score: f32) {
        let new = label.filter(|label| *label != self.seen);
        if new.is_some() || label.is_none() {
            self.seen.clear();
            self.seen.push_str(label.unwrap_or_default());
        }
        if !self.config.borrow().now.log.signs {
            return;
        }
        if let Some(sign) = committed {
            log::info!("{SIGNED}{sign:?}");
        }
        if let Some(label) = new {
            log::info!("{SEES}{label:?} ({score:.2})");
        }
    }

    /// Publishes a reason why results are fewer than they should be, or its end.
    fn degrade(&self, model: &str, reason: Option<String>) {
        self.status.send_if_modified(|status| {
            let same = matches!(status, Status::Running { degraded, .. } if *degraded == reason);
            if !same {
                *status = Status::Running { model: model.to_owned(), degraded: reason };
            }
            !same
        });
    }

    fn tell(&mut self, model: &str, fault: &FrameFault) {
        let (words, progress) = (errors::chain(fault), self.progress);
        self.degrade(model, Some(words.clone()));
        self.failed.send_modify(|failed| *failed += 1);
        self.pulse.send_modify(|pulse| {
            (pulse.failures, pulse.busy, pulse.progress) = (pulse.failures + 1, None, progress);
            pulse.fault = Some(words);
        });
        self.faults.unsaid += 1;
        if self.faults.said.is_some_and(|said| said.elapsed() < LOG_EVERY) {
            return;
        }
        let reason = errors::chain(fault);
        log::warn!("recognition failed on {} frames: {reason}", self.faults.unsaid);
        self.faults = Faults { unsaid: 0, said: Some(Instant::now()) };
    }
}

/// Reads a frame; how far apart frames come where that is too slow for the model.
fn read(chain: &mut Chain, frame: &RawFrame) -> Result<Option<Duration>, FrameFault> {
    let video = gst_video::VideoFrameRef::from_buffer_ref_readable(&frame.buffer, &frame.info)
        .map_err(|_| FrameFault::Map)?;
    let at = Duration::from_nanos(frame.captured_at.nseconds());
    Ok(chain.read(&picture::view(&video)?, at)?.too_slow)
}

/// The next frame to read, as soon as there is one; `None` when the camera's owner has
/// ended.
async fn next(
    backlog: &mut Backlog<RawFrame>,
    frames: &handover::Receiver<RawFrame>,
) -> Option<RawFrame> {
    while backlog.is_empty() || !frames.is_empty() {
        match frames.recv().await {
            Ok(frame) => {
                let frame = if backlog.is_empty() { Some(frame) } else { frame.detach() };
                // What cannot be read is passed over.
                let Some(frame) = frame else { continue };
                backlog.push(frame.captured_at.into(), frame);
            }
            Err(Missed::Lost(_)) => backlog.lost(),
            Err(Missed::Closed) => return None,
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

    #[test]
    fn a_panic_is_a_fault_of_its_frame() {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| ()));
        let broken = unbroken(|| -> Result<(), FrameFault> { panic!("as the test wants") });
        std::panic::set_hook(hook);
        assert!(matches!(broken, Err(FrameFault::Broken)));
        assert!(matches!(unbroken(|| Err::<(), _>(FrameFault::Map)), Err(FrameFault::Map)));
        assert!(matches!(unbroken(|| Ok(1)), Ok(1)));
    }
}
