//! The one owner of a camera's pipeline: starts it, feeds its demand to the
//! encoder, rewinds clips, and tries again after a failure.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gstreamer::glib;
use gstreamer_video::VideoInfo;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::absences::Absences;
use super::branch::Spec;
use super::encoder::{Encoder, vp8_missing};
use super::error::gave_up;
use super::key_units::Wishes;
use super::picture::{Limit, Picture};
use super::pipeline::{Event, Outlets, Pipeline};
use super::renditions::Demand;
use super::requests::{Capture, Requests};
use super::silence::{LOOK, Silence};
use super::source::{self, Chosen, Pace};
use super::{Encoding, Error, Form, Live, PerForm, Status};
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

/// The small picture, for a viewer whose link carries no more.
const LOW: Limit = Limit { width: 640, framerate: 30, ..Limit::NONE };

/// What a camera's owner needs.
#[derive(Debug)]
pub struct Settings {
    /// The configured camera.
    pub camera: config::Camera,
    /// Bit rates, and whether there is a small picture.
    pub encoding: config::Encoder,
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
    pub(super) requests: watch::Receiver<Requests>,
    pub(super) encodings: watch::Sender<PerForm<Option<Encoding>>>,
    pub(super) absences: Absences,
    pub(super) stop: watch::Receiver<()>,
}

impl Owner {
    /// Runs until the sender of `stop` is dropped.
    pub(super) async fn run(mut self) {
        let mut failures = 0;
        while self.captures().await {
            let Err(error) = self.attempt().await else { continue };
            if matches!(*self.status.borrow(), Status::Live(_)) {
                failures = 0;
            }
            let wait = BACKOFF[failures.min(BACKOFF.len() - 1)];
            failures += 1;
            log::warn!(camera = self.name(); "{error}; next try in {} s", wait.as_secs());
            self.status.send_replace(Status::Failed(error.to_string()));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                Ok(_) = self.requests.wait_for(|asked| asked.capture == Capture::Off) => {}
                _ = self.stop.changed() => {}
            }
        }
        self.status.send_replace(Status::Stopped);
    }

    /// Waits while capture is stopped on request; false when the program ends.
    async fn captures(&mut self) -> bool {
        if self.stop.has_changed().is_err() {
            return false;
        }
        if self.requests.borrow().capture == Capture::On {
            return true;
        }
        log::info!(camera = self.name(); "stopped on request");
        self.status.send_replace(Status::Stopped);
        tokio::select! {
            Ok(_) = self.requests.wait_for(|asked| asked.capture == Capture::On) => {}
            _ = self.stop.changed() => return false,
        }
        self.status.send_replace(Status::Starting);
        true
    }

    fn name(&self) -> &str {
        &self.settings.camera.name
    }

    /// One life of a pipeline: `Ok` if it was told to stop, for a while or for good.
    async fn attempt(&mut self) -> Result<(), Error> {
        let (camera, demo) = (self.settings.camera.clone(), self.settings.demo_clip.clone());
        let chosen = blocking(move || source::choose(&camera, demo.as_deref())).await?;
        // Viewers' pictures do not continue those of the pipeline before.
        self.outlets.renditions.interrupt();
        let (encoder, flip) = (&self.settings.encoder, direction(self.settings.camera.flip));
        let (pipeline, events) =
            Pipeline::start(&chosen, flip, encoder, &self.clock, &self.outlets)?;
        let ended = self.drive(&pipeline, events, &chosen).await;
        self.encodings.send_replace(PerForm::default());
        self.let_go(pipeline.stop(), &chosen).await;
        ended
    }

    async fn drive(
        &mut self,
        pipeline: &Pipeline,
        mut events: mpsc::Receiver<Event>,
        chosen: &Chosen,
    ) -> Result<(), Error> {
        let mut looks = tokio::time::interval_at(tokio::time::Instant::now() + LOOK, LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut silence = Silence::new(self.pictures());
        let mut video = None;
        let mut wishes = Wishes::new(*self.demand.key_units.borrow_and_update());
        loop {
            let due = wishes.due().into_iter().chain(self.absences.due()).min();
            tokio::select! {
                _ = self.stop.changed() => return Ok(()),
                Some(event) = events.recv() => {
                    if let Event::Picture(info) = &event {
                        video = Some(info.clone());
                    }
                    self.on(event, pipeline, chosen)?;
                }
                Ok(()) = self.demand.viewers.changed() => {}
                Ok(()) = self.requests.changed() => {
                    if self.requests.borrow_and_update().capture == Capture::Off {
                        return Ok(());
                    }
                }
                Ok(()) = self.demand.key_units.changed() => {
                    wishes.wish(*self.demand.key_units.borrow_and_update(), Instant::now());
                }
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now).into()),
                    if due.is_some() => {}
                _ = looks.tick() => {
                    if let Some(seconds) = silence.look(self.pictures()) {
                        return Err(Error::silent(chosen, seconds));
                    }
                }
            }
            self.try_again();
            if let Some(video) = &video {
                let branches = self.branches(video);
                pipeline.encode(branches);
                self.tell(branches, video);
            }
            wishes.take(Instant::now()).for_each(|form| pipeline.force_key_unit(form));
        }
    }

    /// What is to be encoded of `video` now.
    fn branches(&mut self, video: &VideoInfo) -> PerForm<Option<Spec>> {
        let viewers = *self.demand.viewers.borrow_and_update();
        let requests = *self.requests.borrow();
        PerForm::from_fn(|form| {
            let limit = if form == Form::Low { LOW.and(requests.most) } else { requests.most };
            let picture = Picture::within(limit, video);
            let bitrate_kbps = requests.bitrate_kbps(form);
            let encoded = viewers[form] > 0 && self.outlets.renditions.has(form).is_ok();
            encoded.then_some(Spec { picture, bitrate_kbps })
        })
    }

    /// Publishes what is encoded.
    fn tell(&self, branches: PerForm<Option<Spec>>, video: &VideoInfo) {
        let told = PerForm::from_fn(|form| branches[form].map(|spec| Encoding::new(spec, video)));
        self.encodings.send_if_modified(|published| std::mem::replace(published, told) != told);
    }

    fn on(&mut self, event: Event, pipeline: &Pipeline, chosen: &Chosen) -> Result<(), Error> {
        match (event, chosen.pace) {
            (Event::Picture(video), _) => self.publish(&video, chosen),
            (Event::Ended, Pace::Clip) => pipeline.rewind(),
            (Event::Ended, Pace::Device) => return Err(Error::ended(chosen)),
            (Event::NotRewound(problem), _) => return Err(Error::not_rewound(chosen, &problem)),
            (Event::Failed(error), _) => return Err(Error::stopped(chosen, &error)),
            // Of a branch that was shut meanwhile.
            (Event::BranchFailed(form, _), _) if self.encodings.borrow()[form].is_none() => {}
            // Without it there is little left to go on with.
            (Event::BranchFailed(form @ Form::Full, error), _) => {
                let element = self.settings.encoder.element(form);
                return Err(Error::encoder(chosen, element, &error));
            }
            (Event::BranchFailed(form @ (Form::Low | Form::Vp8), error), _) => {
                self.lose(form, &error);
            }
        }
        Ok(())
    }

    /// Goes on without `form` for a while.
    fn lose(&mut self, form: Form, error: &glib::Error) {
        if !self.absences.begin(form, Instant::now()) {
            // Further words of the same failure.
            return;
        }
        let instead = match form {
            Form::Low => "its viewers are shown the full one",
            Form::Full | Form::Vp8 => "its viewers wait, the others go on",
        };
        let reason = gave_up(self.settings.encoder.element(form), error);
        let wait = self.absences.wait().as_secs();
        log::warn!(
            camera = self.name();
            "the {form} picture is missing for {wait} s: {reason}; {instead}"
        );
        self.outlets.renditions.set_missing(form, Some(reason));
    }

    /// Lets forms be encoded again that have been missing for long enough.
    fn try_again(&mut self) {
        for form in self.absences.take(Instant::now()) {
            self.outlets.renditions.set_missing(form, None);
        }
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

    fn pictures(&self) -> u64 {
        self.outlets.pictures.load(Ordering::Relaxed)
    }

    fn publish(&self, video: &VideoInfo, chosen: &Chosen) {
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

/// Why a form is not there, if so.
pub(super) fn missing(encoding: &config::Encoder) -> PerForm<Option<String>> {
    PerForm::from_fn(|form| match form {
        Form::Low if !encoding.low_rendition => Some("encoder.low_rendition is false".to_owned()),
        Form::Full | Form::Low => None,
        Form::Vp8 => vp8_missing(),
    })
}

/// Runs `work` on a thread that may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}
