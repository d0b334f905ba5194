//! The one owner of a camera's pipeline: starts it, feeds its demand to the
//! encoder, rewinds clips, and tries again after a failure. While there is no picture,
//! viewers are shown why in its place.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer_video::VideoInfo;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, sleep_until};

use super::absences::Absences;
use super::adjust::Adjust;
use super::devices::{self, Devices};
use super::encoder::{Encoder, vp8_missing};
use super::error::gave_up;
use super::follower::Follower;
use super::notice::{Notice, Title};
use super::outage::Outage;
use super::pipeline::{Event, Outlets, Pipeline};
use super::placeholder::{Parts, Placeholder};
use super::reach::reach;
use super::renditions::Demand;
use super::requests::{Capture, Requests};
use super::silence::{LOOK, Silence};
use super::source::{self, Chosen, Pace};
use super::{Away, Encoding, Error, Form, Live, PerForm, Status, barcode};
use crate::clock::{Clock, Mark};
use crate::config;

/// How long a pipeline may take to stop before its device is called stuck.
pub(super) const TEARDOWN: Duration = Duration::from_secs(3);

/// Listing the connected cameras takes 0.1 s; one that hangs must not keep the others, nor
/// the end of the program.
const LISTING: Duration = Duration::from_secs(5);

/// A host that is off is looked for so soon again: to knock at it is cheap.
const KNOCK: Duration = Duration::from_millis(500);

/// A camera that has no picture by then is shown to be starting.
const SLOW_START: Duration = Duration::from_millis(700);

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
    /// The connected cameras, for sources that one of them may be.
    pub devices: Option<Devices>,
}

pub(super) struct Owner {
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    pub(super) outlets: Outlets,
    pub(super) demand: Demand,
    pub(super) status: watch::Sender<Status>,
    pub(super) requests: watch::Receiver<Requests>,
    pub(super) adjusted: watch::Receiver<Adjust>,
    pub(super) encodings: watch::Sender<PerForm<Option<Encoding>>>,
    pub(super) absences: Absences,
    pub(super) had_camera: bool,
    pub(super) ticked: Mark,
    pub(super) stop: watch::Receiver<()>,
}

impl Owner {
    /// Runs until the sender of `stop` is dropped.
    pub(super) async fn run(mut self) {
        let mut placeholder = self.placeholder();
        let mut outage = Outage::default();
        while self.captures(&placeholder, &mut outage).await {
            let Err(error) = self.attempt(&mut placeholder, &mut outage).await else { continue };
            let reason = error.to_string();
            let verdict = outage.failed(&reason, Instant::now());
            if verdict.news {
                log::warn!(camera = self.name(); "{reason}; it is tried again by itself");
            } else {
                log::debug!(camera = self.name(); "{reason}; it is tried again soon");
            }
            self.is_away(&placeholder, &error, verdict.since);
            let off = matches!(error, Error::Unreachable { .. });
            let pause = if off { verdict.wait.min(KNOCK) } else { verdict.wait };
            let wait = async {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = devices::change(&mut self.settings.devices) => {}
                    () = switched_off(&mut self.requests) => {}
                    _ = self.stop.changed() => {}
                }
            };
            meanwhile(&self.ticked, wait).await;
        }
        placeholder.hide().await;
        self.status.send_replace(Status::Stopped);
    }

    pub(super) fn placeholder(&self) -> Placeholder {
        let parts = Parts {
            clock: self.clock.clone(),
            encoder: self.settings.encoder.clone(),
            demand: self.demand.clone(),
            requests: self.requests.clone(),
            renditions: self.outlets.renditions.clone(),
            shutter: self.outlets.shutter.clone(),
            encodings: self.encodings.clone(),
            moved: self.outlets.moved.clone(),
        };
        Placeholder::start(&self.settings.camera, parts)
    }

    /// What viewers are shown while there is no picture.
    fn absent(&self, reason: &str, since: Instant) -> Notice {
        let what = match self.settings.camera.source {
            config::Source::File(_) | config::Source::Demo => "No picture",
            _ => "No camera",
        };
        Notice { title: Title::Since(what, since), text: reason.to_owned() }
    }

    /// Waits while capture is stopped on request; false when the program ends.
    async fn captures(&mut self, placeholder: &Placeholder, outage: &mut Outage) -> bool {
        if self.stop.has_changed().is_err() {
            return false;
        }
        if self.requests.borrow().capture == Capture::On {
            return true;
        }
        log::info!(camera = self.name(); "stopped on request");
        show_stop(placeholder);
        self.status.send_replace(Status::Stopped);
        let wait = async {
            tokio::select! {
                Ok(_) = self.requests.wait_for(|asked| asked.capture == Capture::On) => true,
                _ = self.stop.changed() => false,
            }
        };
        if !meanwhile(&self.ticked, wait).await {
            return false;
        }
        outage.begins_anew();
        show_start(placeholder);
        self.status.send_replace(Status::Starting);
        true
    }

    fn name(&self) -> &str {
        &self.settings.camera.name
    }

    /// One life of a pipeline: `Ok` if it was told to stop, for a while or for good.
    async fn attempt(
        &mut self,
        placeholder: &mut Placeholder,
        outage: &mut Outage,
    ) -> Result<(), Error> {
        let slow = Instant::now() + SLOW_START;
        let ticked = self.ticked.clone();
        let begun = meanwhile(&ticked, self.begin(placeholder, slow)).await?;
        let Some(chosen) = begun else { return Ok(()) };
        let encoder = &self.settings.encoder;
        let adjust = self.adjusted.borrow_and_update().clone();
        let silence = Silence::new(chosen.pace, self.pictures());
        let (pipeline, events) =
            Pipeline::start(&chosen, adjust, encoder, &self.clock, &self.outlets, dress)?;
        let mut show = Show { chosen: &chosen, placeholder, outage, slow, silence };
        let ended = self.drive(&pipeline, events, &mut show).await;
        let down = pipeline.stop();
        // At once: to stop may take long, and for ever.
        let since = outage.stopped(Instant::now());
        if let Err(error) = &ended {
            self.is_away(placeholder, error, since);
        } else if self.requests.borrow().capture == Capture::Off {
            show_stop(placeholder);
        }
        self.let_go(down, &chosen, placeholder, since).await;
        ended
    }

    /// Says why there is no picture, to those who look and to those who ask.
    fn is_away(&self, placeholder: &Placeholder, error: &Error, since: Instant) {
        let reason = error.to_string();
        placeholder.show(self.absent(&reason, since));
        self.status.send_replace(Status::Failed(Away { reason, since }));
    }

    /// What to show, once it can be opened; nothing if it is no longer wanted. From `slow` on
    /// it is shown that the camera starts.
    async fn begin(
        &mut self,
        placeholder: &Placeholder,
        slow: Instant,
    ) -> Result<Option<Chosen>, Error> {
        let begin = async {
            let chosen = self.choose().await?;
            Ok(self.reach(&chosen).await?.then_some(chosen))
        };
        tokio::pin!(begin);
        tokio::select! {
            begun = &mut begin => return begun,
            () = sleep_until(slow.into()) => {}
        }
        if !placeholder.is_shown() {
            show_start(placeholder);
        }
        begin.await
    }

    /// Decides what to show. Where any camera will do, the list of cameras is waited for, and
    /// not for ever: a device that hangs is listed late.
    async fn choose(&mut self) -> Result<Chosen, Error> {
        let any = self.settings.camera.source == config::Source::Auto;
        let listed = async {
            let devices = self.settings.devices.as_mut().filter(|_| any)?;
            // An error: nobody lists devices any more, and there are none.
            devices.wait_for(Option::is_some).await.ok().and_then(|list| list.clone())
        };
        let listed = tokio::time::timeout(LISTING, listed).await;
        let devices = listed.ok().flatten().unwrap_or_default();
        let demo = match &self.settings.demo_clip {
            // Who has once had a camera is not shown a clip in its place.
            _ if self.had_camera => source::Demo::Unwanted,
            Some(clip) => source::Demo::Clip(clip),
            None => source::Demo::Absent,
        };
        let chosen = source::choose(&self.settings.camera, demo, &devices)?;
        self.had_camera |= chosen.pace == Pace::Device;
        Ok(chosen)
    }

    /// Whether to go on, now that somebody is at a network camera's address.
    async fn reach(&mut self, chosen: &Chosen) -> Result<bool, Error> {
        let config::Source::Rtsp(address) = &self.settings.camera.source else { return Ok(true) };
        let reached = tokio::select! {
            reached = reach(address) => reached,
            () = switched_off(&mut self.requests) => return Ok(false),
            _ = self.stop.changed() => return Ok(false),
        };
        let off = |problem| Error::Unreachable { words: chosen.words.clone(), problem };
        reached.map(|()| true).map_err(off)
    }

    async fn drive(
        &mut self,
        pipeline: &Pipeline,
        mut events: mpsc::Receiver<Event>,
        show: &mut Show<'_>,
    ) -> Result<(), Error> {
        let chosen = show.chosen;
        let mut looks = tokio::time::interval_at(tokio::time::Instant::now() + LOOK, LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let outlets = &self.outlets;
        let mut follower =
            Follower::new(&self.demand, &self.requests, &outlets.renditions, &self.encodings);
        loop {
            let absent = self.absences.due();
            let starts = !follower.has_begun() && !show.placeholder.is_shown();
            tokio::select! {
                _ = self.stop.changed() => return Ok(()),
                Some(event) = events.recv() => {
                    if let Event::Picture(video) = &event {
                        if !follower.has_begun() {
                            show.placeholder.hide().await;
                            // Viewers' pictures do not continue those before.
                            self.outlets.renditions.interrupt();
                            show.outage.ended(Instant::now());
                        }
                        follower.picture((**video).clone());
                    }
                    let clip_ended = chosen.pace == Pace::Clip && matches!(event, Event::Ended);
                    if clip_ended && show.silence.is_without_picture(self.pictures()) {
                        return Err(Error::empty(chosen));
                    }
                    self.on(event, pipeline, chosen)?;
                }
                () = follower.changed() => {}
                Ok(()) = self.adjusted.changed() => {
                    let now = self.adjusted.borrow_and_update().clone();
                    pipeline.adjust(now);
                }
                () = switched_off(&mut self.requests) => return Ok(()),
                () = sleep_until(absent.unwrap_or_else(Instant::now).into()),
                    if absent.is_some() => {}
                () = sleep_until(show.slow.into()), if starts => show_start(show.placeholder),
                () = devices::change(&mut self.settings.devices) => {
                    if self.on_devices(chosen, follower.has_begun())? == Plugged::Camera {
                        return Ok(());
                    }
                }
                _ = looks.tick() => {
                    self.ticked.set();
                    if let Some(seconds) = show.silence.look(self.pictures()) {
                        return Err(Error::silent(chosen, seconds));
                    }
                }
            }
            self.try_again();
            follower.follow(pipeline);
        }
    }

    /// What a change of the connected devices means for what plays. A device that has shown
    /// nothing yet may never have been there, which its own element says.
    fn on_devices(&self, chosen: &Chosen, has_begun: bool) -> Result<Plugged, Error> {
        if has_begun && chosen.is_pulled_out() {
            return Err(Error::unplugged(chosen));
        }
        let listed = self.settings.devices.as_ref().and_then(|list| list.borrow().clone());
        let waits = self.settings.camera.source == config::Source::Auto
            && chosen.pace == Pace::Clip
            && source::find_camera(&listed.unwrap_or_default()).is_some();
        Ok(if waits { Plugged::Camera } else { Plugged::Other })
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
    /// cost further threads at every try. There have been no pictures `since` then.
    pub(super) async fn let_go(
        &mut self,
        mut down: JoinHandle<()>,
        chosen: &Chosen,
        placeholder: &Placeholder,
        since: Instant,
    ) {
        let ticked = self.ticked.clone();
        let soon = tokio::time::timeout(TEARDOWN, &mut down);
        if meanwhile(&ticked, soon).await.is_ok() {
            return;
        }
        let error = Error::Stuck { words: chosen.words.clone() };
        log::error!(camera = self.name(); "{error}");
        self.is_away(placeholder, &error, since);
        let wait = async {
            tokio::select! {
                _ = down => log::info!(camera = self.name(); "{} was let go", chosen.words),
                _ = self.stop.changed() => {}
            }
        };
        meanwhile(&ticked, wait).await;
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
            device: chosen.device.clone(),
        };
        log::info!(
            camera = self.name();
            "showing {}, {} x {} at {:.4} fps, encoder {}",
            live.source, live.width, live.height, live.framerate, live.encoder
        );
        self.status.send_replace(Status::Live(live));
    }
}

/// What was plugged in or pulled out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Plugged {
    /// A camera, in whose place a clip is shown.
    Camera,
    /// Nothing that this camera waits for.
    Other,
}

/// What an attempt shows, and what it knows of those before.
struct Show<'a> {
    chosen: &'a Chosen,
    placeholder: &'a mut Placeholder,
    outage: &'a mut Outage,
    /// From then on it is shown that the camera starts.
    slow: Instant,
    silence: Silence,
}

/// Does what may take long and is no sign that the owner hangs.
async fn meanwhile<T>(ticked: &Mark, wait: impl Future<Output = T>) -> T {
    let ticks = async {
        loop {
            ticked.set();
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        done = wait => done,
        never = ticks => never,
    }
}

/// Resolves when capture is to stop.
async fn switched_off(requests: &mut watch::Receiver<Requests>) {
    if requests.wait_for(|asked| asked.capture == Capture::Off).await.is_err() {
        // Nobody asks for anything any more.
        std::future::pending().await
    }
}

fn show_stop(placeholder: &Placeholder) {
    let title = Title::Since("Camera stopped", Instant::now());
    placeholder.show(Notice { title, text: "Somebody has switched it off.".to_owned() });
}

fn show_start(placeholder: &Placeholder) {
    let text = "Its first picture has not come yet.".to_owned();
    placeholder.show(Notice { title: Title::Only("The camera is starting"), text });
}

/// Gives the elements of a source what only this program can.
fn dress(pipeline: &gst::Pipeline) {
    if let Some(element) = pipeline.by_name("barcode") {
        barcode::stamp(&element);
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
