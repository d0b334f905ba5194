//! The one owner of a camera's pipeline: starts it, feeds its demand to the
//! encoder, rewinds clips, and tries again after a failure.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::encoder::Encoder;
use super::pipeline::{Event, Gate, Outlets, Pipeline};
use super::rendition::{Demand, KeyUnitLimit};
use super::silence::{LOOK, Silence};
use super::source::{self, Chosen, Pace};
use super::{Error, Live, Status};
use crate::clock::Clock;
use crate::config;

/// How long a pipeline may take to stop before its device is called stuck.
const TEARDOWN: Duration = Duration::from_secs(3);

/// Waits between tries; the last one repeats.
const BACKOFF: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(10),
];

/// What a camera's owner needs.
#[derive(Debug)]
pub struct Settings {
    /// The configured camera.
    pub camera: config::Camera,
    /// Bits a second that the encoder aims at, in kbit/s.
    pub bitrate_kbps: u32,
    /// The encoder found by probing.
    pub encoder: Encoder,
    /// The clip that is shown where there is no camera, if the model brings one.
    pub demo_clip: Option<PathBuf>,
}

pub(super) struct Owner {
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    pub(super) outlets: Outlets,
    pub(super) demand: Demand,
    pub(super) status: watch::Sender<Status>,
    pub(super) stop: watch::Receiver<()>,
}

impl Owner {
    /// Runs until the sender of `stop` is dropped.
    pub(super) async fn run(mut self) {
        let mut failures = 0;
        while let Err(error) = self.attempt().await {
            if matches!(*self.status.borrow(), Status::Live(_)) {
                failures = 0;
            }
            let wait = BACKOFF[failures.min(BACKOFF.len() - 1)];
            failures += 1;
            log::warn!(camera = self.name(); "{error}; next try in {} s", wait.as_secs());
            self.status.send_replace(Status::Failed(error.to_string()));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = self.stop.changed() => break,
            }
        }
        self.status.send_replace(Status::Stopped);
    }

    fn name(&self) -> &str {
        &self.settings.camera.name
    }

    /// One life of a pipeline: `Ok` if it was told to stop.
    async fn attempt(&mut self) -> Result<(), Error> {
        let (camera, demo) = (self.settings.camera.clone(), self.settings.demo_clip.clone());
        let chosen = blocking(move || source::choose(&camera, demo.as_deref())).await?;
        // Viewers' pictures do not continue those of the pipeline before.
        self.outlets.rendition.interrupt();
        let encoder = self.settings.encoder.description(self.settings.bitrate_kbps);
        let flip = direction(self.settings.camera.flip);
        let (pipeline, events) =
            Pipeline::start(&chosen, flip, &encoder, &self.clock, &self.outlets)?;
        let ended = self.drive(&pipeline, events, &chosen).await;
        self.let_go(pipeline.stop(), &chosen).await;
        ended
    }

    async fn drive(
        &mut self,
        pipeline: &Pipeline,
        mut events: mpsc::Receiver<Event>,
        chosen: &Chosen,
    ) -> Result<(), Error> {
        pipeline.encode(self.gate());
        let mut looks = tokio::time::interval_at(tokio::time::Instant::now() + LOOK, LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut silence = Silence::new(self.pictures());
        let mut limit = KeyUnitLimit::default();
        let mut key_unit_due: Option<Instant> = None;
        loop {
            let due = key_unit_due.unwrap_or_else(Instant::now);
            tokio::select! {
                _ = self.stop.changed() => return Ok(()),
                Some(event) = events.recv() => self.on(event, pipeline, chosen)?,
                Ok(()) = self.demand.viewers.changed() => pipeline.encode(self.gate()),
                Some(()) = self.demand.key_units.recv(), if key_unit_due.is_none() => {
                    key_unit_due = ask(pipeline, &mut limit);
                }
                () = tokio::time::sleep_until(due.into()), if key_unit_due.is_some() => {
                    key_unit_due = ask(pipeline, &mut limit);
                }
                _ = looks.tick() => {
                    if let Some(seconds) = silence.look(self.pictures()) {
                        return Err(Error::silent(chosen, seconds));
                    }
                }
            }
        }
    }

    fn on(&self, event: Event, pipeline: &Pipeline, chosen: &Chosen) -> Result<(), Error> {
        match (event, chosen.pace) {
            (Event::Picture(video), _) => self.publish(&video, chosen),
            (Event::Ended, Pace::Clip) => pipeline.rewind(),
            (Event::Ended, Pace::Device) => return Err(Error::ended(chosen)),
            (Event::NotRewound(problem), _) => return Err(Error::not_rewound(chosen, &problem)),
            (Event::Failed(error), _) => return Err(Error::stopped(chosen, &error)),
        }
        Ok(())
    }

    /// Waits until a pipeline is down: the next one would meet its pictures, and
    /// cost further threads at every try.
    pub(super) async fn let_go(&mut self, mut down: JoinHandle<()>, chosen: &Chosen) {
        if tokio::time::timeout(TEARDOWN, &mut down).await.is_ok() {
            return;
        }
        let error = Error::Stuck { words: chosen.words.clone() };
        log::error!(camera = self.name(); "{error}");
        self.status.send_replace(Status::Failed(error.to_string()));
        tokio::select! {
            _ = down => log::info!(camera = self.name(); "{} was let go", chosen.words),
            _ = self.stop.changed() => {}
        }
    }

    fn gate(&mut self) -> Gate {
        if *self.demand.viewers.borrow_and_update() > 0 { Gate::Open } else { Gate::Shut }
    }

    fn pictures(&self) -> u64 {
        self.outlets.pictures.load(Ordering::Relaxed)
    }

    fn publish(&self, video: &gstreamer_video::VideoInfo, chosen: &Chosen) {
        let rate = video.fps();
        let live = Live {
            source: chosen.words.clone(),
            encoder: self.settings.encoder.element.into(),
            encoder_reason: self.settings.encoder.reason.clone(),
            width: video.width(),
            height: video.height(),
            framerate: rate.numer() as f32 / rate.denom().max(1) as f32,
        };
        log::info!(
            camera = self.name();
            "showing {}, {} x {} at {:.4} fps, encoder {}",
            live.source, live.width, live.height, live.framerate, live.encoder
        );
        self.status.send_replace(Status::Live(live));
    }
}

/// The word of GstVideoOrientationMethod.
pub(super) fn direction(flip: config::Flip) -> &'static str {
    match flip {
        config::Flip::None => "identity",
        config::Flip::Horizontal => "horiz",
        config::Flip::Vertical => "vert",
        config::Flip::Rotate180 => "180",
    }
}

/// Asks for a key unit now, or says when it may be asked for.
fn ask(pipeline: &Pipeline, limit: &mut KeyUnitLimit) -> Option<Instant> {
    let now = Instant::now();
    let wait = limit.ask(now);
    if wait.is_zero() {
        pipeline.force_key_unit();
        return None;
    }
    Some(now + wait)
}

/// Runs `work` on a thread that may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}
