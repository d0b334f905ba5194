//! The one owner of a camera's pipeline: starts it, feeds its demand to the
//! encoder, rewinds clips, and tries again after a failure.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::encoder::Encoder;
use super::pipeline::{Event, Outlets, Pipeline};
use super::rendition::{Demand, KeyUnitLimit};
use super::source::{self, Chosen};
use super::{Error, Live, Status};
use crate::clock::Clock;
use crate::config;

/// A camera that gives no first picture for this long is a failure; an RTSP
/// camera may need several seconds to its first key picture.
const FIRST_PICTURE: Duration = Duration::from_secs(10);

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
        loop {
            let Err(error) = self.attempt().await else { return };
            if matches!(*self.status.borrow(), Status::Live(_)) {
                failures = 0;
            }
            let wait = BACKOFF[failures.min(BACKOFF.len() - 1)];
            failures += 1;
            log::warn!(camera = self.name(); "{error}; next try in {} s", wait.as_secs());
            self.status.send_replace(Status::Failed(error.to_string()));
            self.outlets.rendition.interrupt();
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = self.stop.changed() => return,
            }
        }
    }

    fn name(&self) -> &str {
        &self.settings.camera.name
    }

    /// One life of a pipeline: `Ok` if it was told to stop.
    async fn attempt(&mut self) -> Result<(), Error> {
        let (camera, demo) = (self.settings.camera.clone(), self.settings.demo_clip.clone());
        let chosen = blocking(move || source::choose(&camera, demo.as_deref())).await?;
        let encoder = self.settings.encoder.description(self.settings.bitrate_kbps);
        let flip = direction(self.settings.camera.flip);
        let (pipeline, events) =
            Pipeline::build(&chosen, flip, &encoder, &self.clock, &self.outlets)?;
        let ended = self.drive(&pipeline, events, &chosen).await;
        pipeline.stop(self.name()).await;
        ended
    }

    async fn drive(
        &mut self,
        pipeline: &Pipeline,
        mut events: mpsc::Receiver<Event>,
        chosen: &Chosen,
    ) -> Result<(), Error> {
        pipeline.encode(*self.demand.viewers.borrow_and_update() > 0);
        let player = pipeline.clone();
        // The outcome comes as an event; a failed start posts its error first.
        drop(tokio::task::spawn_blocking(move || player.play()));
        let deadline = tokio::time::sleep(FIRST_PICTURE);
        tokio::pin!(deadline);
        let mut live = false;
        let mut limit = KeyUnitLimit::default();
        let mut key_unit_due: Option<Instant> = None;
        loop {
            let due = key_unit_due.unwrap_or_else(Instant::now);
            tokio::select! {
                _ = self.stop.changed() => return Ok(()),
                Some(event) = events.recv() => match event {
                    Event::Picture(video) => {
                        live = true;
                        self.publish(&video, chosen);
                    }
                    Event::Ended => rewind(pipeline, chosen).await?,
                    Event::Failed(error) => return Err(Error::stopped(&chosen.words, &error)),
                },
                Ok(()) = self.demand.viewers.changed() => {
                    pipeline.encode(*self.demand.viewers.borrow_and_update() > 0);
                }
                Some(()) = self.demand.key_units.recv(), if key_unit_due.is_none() => {
                    key_unit_due = ask(pipeline, &mut limit);
                }
                () = tokio::time::sleep_until(due.into()), if key_unit_due.is_some() => {
                    key_unit_due = ask(pipeline, &mut limit);
                }
                () = &mut deadline, if !live => {
                    return Err(Error::Silent {
                        words: chosen.words.clone(),
                        seconds: FIRST_PICTURE.as_secs(),
                    });
                }
            }
        }
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
fn direction(flip: config::Flip) -> &'static str {
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

async fn rewind(pipeline: &Pipeline, chosen: &Chosen) -> Result<(), Error> {
    let player = pipeline.clone();
    blocking(move || player.rewind()).await.map_err(|error| Error::Stopped {
        words: chosen.words.clone(),
        problem: format!("cannot be played again from its start: {error}"),
        hint: "",
    })
}

/// Runs `work` on a thread that may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}
