//! One camera pipeline: built from its description, wired to the hand-overs.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::adjust::Adjust;
use super::branch::{Branch, Spec};
use super::controls::Wanted;
use super::lags::Lags;
use super::source::{Chosen, Pace};
use super::stills::Shutter;
use super::template::fill;
use super::{Encoder, Error, Form, PerForm, RawFrame, Renditions, handover};
use crate::clock::{Clock, Mark};

/// Events that wait for the owner: it handles each within milliseconds, and only
/// errors come in bursts, of which the first is the cause.
const EVENTS: usize = 32;

/// What the pipeline's threads tell its owner.
#[derive(Debug)]
pub(super) enum Event {
    /// The first raw frame, or the first of another size.
    Picture(Box<gst_video::VideoInfo>),
    /// The clip, or the camera's stream, has ended.
    Ended,
    /// The clip cannot be played again, in GStreamer's words.
    NotRewound(String),
    /// An element failed.
    Failed(gst::glib::Error),
    /// A form cannot be encoded, or no longer; the others go on.
    BranchFailed(Form, gst::glib::Error),
}

/// A camera pipeline, played by a thread of its own until this is dropped.
///
/// All calls that may block are made there, one after the other: a device that
/// hangs in one of them holds one thread and never the owner.
#[derive(Debug)]
pub(super) struct Pipeline {
    outlets: Outlets,
    stopped: Arc<AtomicBool>,
    orders: watch::Sender<Orders>,
    thread: JoinHandle<()>,
}

/// What the owner wants of the pipeline's thread: the newest says all.
#[derive(Clone, Debug, Default)]
struct Orders {
    /// Rewinds so far.
    rewinds: u64,
    /// The forms to encode.
    branches: PerForm<Option<Spec>>,
    /// Key units asked for so far.
    key_units: PerForm<u64>,
    /// How the picture is turned and the camera set.
    adjust: Adjust,
}

/// Where a camera's pictures go, whichever of its pipelines they come from.
#[derive(Clone, Debug)]
pub(super) struct Outlets {
    /// Encoded pictures.
    pub renditions: Renditions,
    /// When the newest raw frame was captured; none while no pipeline plays.
    pub newest: watch::Sender<Option<gst::ClockTime>>,
    /// Raw frames for recognition; the oldest give way.
    pub frames: handover::Sender<RawFrame>,
    /// Raw frames so far.
    pub pictures: Arc<AtomicU64>,
    /// How old they are, and how long encoding them takes.
    pub lags: Lags,
    /// Copies for JPEGs, when one is wanted.
    pub shutter: Shutter,
    /// When the newest picture was shown, of the camera or in its place.
    pub moved: Mark,
}

impl Pipeline {
    /// Builds the pipeline and starts it; what keeps it from playing comes as
    /// [`Event::Failed`]. `dress` is given the pipeline before. Needs tokio.
    ///
    /// # Errors
    /// [`Error::Build`] with the element or link that is wrong.
    pub(super) fn start(
        chosen: &Chosen,
        adjust: Adjust,
        encoder: &Encoder,
        clock: &Clock,
        outlets: &Outlets,
        dress: impl FnOnce(&gst::Pipeline),
    ) -> Result<(Self, mpsc::Receiver<Event>), Error> {
        let values = [("source", chosen.description.as_str()), ("flip", adjust.direction())];
        let text = fill(include_str!("../../pipelines/camera.launch"), &values);
        let element = gst::parse::launch(&text).map_err(|e| Error::build(&chosen.words, &e))?;
        let pipeline = element.downcast::<gst::Pipeline>().map_err(|_| Error::Build {
            words: chosen.words.clone(),
            problem: "the description is one element, not a pipeline".into(),
        })?;
        clock.drive(&pipeline);
        let named = |name: &str| {
            pipeline.by_name(name).ok_or_else(|| Error::Build {
                words: chosen.words.clone(),
                problem: format!("pipelines/camera.launch: no element named \"{name}\""),
            })
        };
        let frames = named("frames")?;
        let (events, inbox) = mpsc::channel(EVENTS);
        let (stamp, stopped) = (Stamp::new(), Arc::new(AtomicBool::new(false)));
        keep_queries_out(&named("raw")?);
        watch_bus(&pipeline, events.clone());
        let (told, over) = (events.clone(), stopped.clone());
        let timed =
            Timed { stamp: stamp.clone(), clock: clock.clone(), lags: outlets.lags.clone() };
        hand_over_frames(&frames, timed.clone(), outlets.clone(), told, over);
        dress(&pipeline);
        if chosen.pace == Pace::Clip {
            align_clip(&named("pace")?, stamp.clone(), clock.clone());
            decode_on_one_thread(&pipeline);
        }
        let (orders, given) = watch::channel(Orders { adjust, ..Orders::default() });
        let (encoder, renditions) = (encoder.clone(), outlets.renditions.clone());
        let device = chosen.device.clone();
        let (branches, ends) = (PerForm::default(), stopped.clone());
        let stage =
            Stage { pipeline, device, encoder, renditions, timed, events, branches, stopped: ends };
        let (outlets, runtime) = (outlets.clone(), Handle::current());
        let thread = tokio::task::spawn_blocking(move || stage.play(given, &runtime));
        Ok((Self { outlets, stopped, orders, thread }, inbox))
    }

    /// Plays a clip again from its start; [`Event::NotRewound`] if it cannot be.
    pub(super) fn rewind(&self) {
        self.orders.send_modify(|orders| orders.rewinds += 1);
    }

    /// Encodes these forms, so, and no others.
    pub(super) fn encode(&self, branches: PerForm<Option<Spec>>) {
        self.orders.send_if_modified(|orders| {
            std::mem::replace(&mut orders.branches, branches) != branches
        });
    }

    /// Turns the picture so, and sets the camera's controls so.
    pub(super) fn adjust(&self, wish: Adjust) {
        self.orders.send_modify(|orders| orders.adjust = wish);
    }

    /// Asks the encoder of `form` for a key unit with its parameter sets.
    pub(super) fn force_key_unit(&self, form: Form) {
        self.orders.send_modify(|orders| orders.key_units[form] += 1);
    }

    /// Lets no raw frame out any more and stops the pipeline. What is returned ends
    /// when it is down, which a stuck device can delay for ever.
    pub(super) fn stop(self) -> JoinHandle<()> {
        // First, so that no frame follows the last word.
        self.stopped.store(true, Ordering::Relaxed);
        self.outlets.newest.send_replace(None);
        self.thread
    }
}

/// The pipeline on its thread.
struct Stage {
    pipeline: gst::Pipeline,
    device: Option<PathBuf>,
    encoder: Encoder,
    renditions: Renditions,
    timed: Timed,
    events: mpsc::Sender<Event>,
    branches: PerForm<Option<Branch>>,
    stopped: Arc<AtomicBool>,
}

impl Stage {
    /// Plays, and follows orders until nobody can give any more.
    fn play(mut self, mut orders: watch::Receiver<Orders>, runtime: &Handle) {
        // Before the first picture, which would be one of before.
        let adjust = orders.borrow().adjust.clone();
        let untouched = Adjust { controls: Wanted::new(), ..adjust.clone() };
        adjust.apply(&self.pipeline, self.device.as_deref(), &untouched);
        let mut done = Orders { adjust, ..Orders::default() };
        // An element that fails tells its reason on the bus.
        let _ = self.pipeline.set_state(gst::State::Playing);
        while runtime.block_on(orders.changed()).is_ok() {
            let now = orders.borrow_and_update().clone();
            self.follow(&done, &now);
            done = now;
        }
        // Elements do not refuse to stop; one that hangs keeps this thread.
        let _ = self.pipeline.set_state(gst::State::Null);
    }

    fn follow(&mut self, done: &Orders, now: &Orders) {
        for (form, spec) in now.branches.iter() {
            if let Err(error) = self.encode(form, *spec) {
                self.tell(Event::BranchFailed(form, error));
            }
        }
        for (form, branch) in self.branches.iter() {
            if let Some(branch) = branch
                && now.key_units[form] != done.key_units[form]
            {
                branch.force_key_unit();
            }
        }
        if now.adjust != done.adjust {
            now.adjust.apply(&self.pipeline, self.device.as_deref(), &done.adjust);
        }
        if now.rewinds != done.rewinds {
            self.rewind();
        }
    }

    fn encode(&mut self, form: Form, wanted: Option<Spec>) -> Result<(), gst::glib::Error> {
        if self.branches[form].as_ref().map(Branch::spec) == wanted {
            return Ok(());
        }
        if let (Some(branch), Some(wanted)) = (&mut self.branches[form], wanted)
            && branch.spec().picture == wanted.picture
        {
            branch.set_bitrate(wanted.bitrate_kbps);
            return Ok(());
        }
        if let Some(branch) = self.branches[form].take() {
            branch.shut(&self.pipeline);
        }
        if let Some(spec) = wanted {
            let hand_over = |sink: &gst::Element| {
                let (timed, stopped) = (self.timed.clone(), self.stopped.clone());
                hand_over_encoded(sink, form, timed, self.renditions.clone(), stopped);
            };
            let events = self.events.clone();
            let refused = move |error| {
                // A full queue already holds the error that came first.
                let _ = events.try_send(Event::BranchFailed(form, error));
            };
            let (pipeline, encoder) = (&self.pipeline, &self.encoder);
            let branch = Branch::open(pipeline, form, spec, encoder, hand_over, refused)?;
            self.branches[form] = Some(branch);
        }
        Ok(())
    }

    fn rewind(&self) {
        self.timed.stamp.starts.store(true, Ordering::Relaxed);
        if let Err(error) = self.pipeline.seek_simple(gst::SeekFlags::FLUSH, gst::ClockTime::ZERO) {
            self.tell(Event::NotRewound(error.to_string()));
        }
    }

    fn tell(&self, event: Event) {
        // A full queue means an error came first, and the owner is leaving.
        let _ = self.events.try_send(event);
    }
}

/// From a buffer's own time to running time on the one clock, ever rising.
#[derive(Clone, Debug)]
struct Stamp {
    /// Added to a clip's time, nanoseconds.
    offset: Arc<AtomicU64>,
    /// Whether the next picture is a clip's first.
    starts: Arc<AtomicBool>,
}

impl Stamp {
    fn new() -> Self {
        Self { offset: Arc::default(), starts: Arc::new(AtomicBool::new(true)) }
    }

    /// Running time of the sample's buffer: the segment maps its PTS (x264enc's
    /// starts at 1000 h).
    fn running_time(&self, sample: &gst::SampleRef) -> Option<gst::ClockTime> {
        let pts = sample.buffer()?.pts()?;
        let running = sample.segment()?.downcast_ref::<gst::ClockTime>()?.to_running_time(pts)?;
        Some(running + gst::ClockTime::from_nseconds(self.offset.load(Ordering::Relaxed)))
    }
}

/// When a picture was captured, and how long ago that is.
#[derive(Clone, Debug)]
struct Timed {
    stamp: Stamp,
    clock: Clock,
    lags: Lags,
}

/// A clip's own time starts at 0: its first picture is due when it gets here,
/// however long the decoder took to start.
fn align_clip(pace: &gst::Element, stamp: Stamp, clock: Clock) {
    let weak = pace.downgrade();
    let pad = pace.static_pad("sink").expect("clocksync has a sink pad");
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        if stamp.starts.swap(false, Ordering::Relaxed)
            && let Some(pace) = weak.upgrade()
        {
            let start = clock.running_time().nseconds();
            stamp.offset.store(start, Ordering::Relaxed);
            pace.set_property("ts-offset", i64::try_from(start).unwrap_or(i64::MAX));
        }
        gst::PadProbeReturn::Ok
    });
}

/// Answers allocation queries before the queues behind `tee` see them.
///
/// A serialised query waits in a queue until the queue's thread has passed it on, and these
/// queues leak what is old. Twice in some hundred viewers (GStreamer 1.22) pictures stopped for
/// good, with the decoder's thread waiting for such a query and both queues' threads for
/// pictures. That the queue had leaked the query is inferred, not seen.
fn keep_queries_out(tee: &gst::Element) {
    let pad = tee.static_pad("sink").expect("a tee has a sink pad");
    pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, |_, info| {
        let query = info.query().map(gst::QueryRef::view);
        match query {
            // Refused: each element allocates by itself.
            Some(gst::QueryView::Allocation(_)) => gst::PadProbeReturn::Drop,
            _ => gst::PadProbeReturn::Ok,
        }
    });
}

/// A clip at its own pace needs no more, and libav's further threads hold a few
/// pictures each: 10 MB in 720p (gst-libav 1.22, two threads).
fn decode_on_one_thread(pipeline: &gst::Pipeline) {
    pipeline.connect_deep_element_added(|_, _, element| {
        if element.has_property_with_type("max-threads", i32::static_type()) {
            element.set_property("max-threads", 1);
        }
    });
}

fn watch_bus(pipeline: &gst::Pipeline, events: mpsc::Sender<Event>) {
    let bus = pipeline.bus().expect("a pipeline has a bus");
    bus.set_sync_handler(move |_, message| {
        if let gst::MessageView::Error(error) = message.view() {
            let event = match message.src().and_then(Branch::of) {
                Some(form) => Event::BranchFailed(form, error.error()),
                None => Event::Failed(error.error()),
            };
            // A full queue already holds the error that came first.
            let _ = events.try_send(event);
        }
        gst::BusSyncReply::Drop
    });
}

/// Nothing of a pipeline that stops reaches viewers: a device that hangs may go on in the
/// middle of what is shown in its place.
fn hand_over_encoded(
    sink: &gst::Element,
    form: Form,
    timed: Timed,
    renditions: Renditions,
    stopped: Arc<AtomicBool>,
) {
    let mut last = gst::ClockTime::ZERO;
    let callbacks = gst_app::AppSinkCallbacks::builder();
    on_sample(sink, callbacks, move |sample| {
        let time = timed.stamp.running_time(sample);
        let (Some(time), Some(caps)) = (time, sample.caps()) else { return };
        timed.lags.encoded(time, timed.clock.running_time());
        let Some(mut buffer) = sample.buffer_owned() else { return };
        last = time.max(last + gst::ClockTime::from_nseconds(1));
        let stamped = buffer.make_mut();
        stamped.set_pts(last);
        stamped.set_dts(None);
        if !stopped.load(Ordering::Relaxed) {
            renditions.push(form, &buffer, &caps.to_owned());
        }
    });
}

fn hand_over_frames(
    sink: &gst::Element,
    timed: Timed,
    outlets: Outlets,
    events: mpsc::Sender<Event>,
    stopped: Arc<AtomicBool>,
) {
    let mut video: Option<(gst::Caps, gst_video::VideoInfo)> = None;
    // Here and not from the bus: a branch that is just opened has not ended.
    let ended = events.clone();
    let callbacks = gst_app::AppSinkCallbacks::builder().eos(move |_| {
        // A full queue means an error came first, and the owner is leaving.
        let _ = ended.try_send(Event::Ended);
    });
    on_sample(sink, callbacks, move |sample| {
        let time = timed.stamp.running_time(sample);
        let (Some(time), Some(caps)) = (time, sample.caps()) else { return };
        timed.lags.came(time, timed.clock.running_time());
        if video.as_ref().is_none_or(|(known, _)| known.as_ref() != caps) {
            let Ok(info) = gst_video::VideoInfo::from_caps(caps) else { return };
            let _ = events.try_send(Event::Picture(Box::new(info.clone())));
            video = Some((caps.to_owned(), info));
        }
        let (Some((_, info)), Some(buffer)) = (&video, sample.buffer_owned()) else { return };
        if stopped.load(Ordering::Relaxed) {
            return;
        }
        let index = outlets.pictures.fetch_add(1, Ordering::Relaxed) + 1;
        let info = info.clone();
        let frame = RawFrame { index, captured_at: time, info, buffer, detached: false };
        outlets.shutter.offer(&frame);
        // One that must wait is copied here, where nothing but recognition waits behind it:
        // the worker, which could, is busy, and until then the device would lack its buffer.
        let frame = if outlets.frames.is_empty() { Some(frame) } else { frame.detach() };
        // Asked under the channel's lock: what was let out before `stop` is overwritten there.
        outlets.newest.send_if_modified(|newest| {
            let flows = !stopped.load(Ordering::Relaxed);
            if flows {
                *newest = Some(time);
                // When it came: a camera's own time may be wrong.
                outlets.moved.set();
                frame.into_iter().for_each(|frame| outlets.frames.send(frame));
            }
            flows
        });
    });
}

/// Calls `post` with every sample of an appsink, on its streaming thread.
fn on_sample(
    sink: &gst::Element,
    callbacks: gst_app::app_sink::AppSinkCallbacksBuilder,
    mut post: impl FnMut(&gst::SampleRef) + Send + 'static,
) {
    let sink = sink.downcast_ref::<gst_app::AppSink>().expect("pipelines end in appsinks");
    let pull = move |sink: &gst_app::AppSink| {
        post(&*sink.pull_sample().map_err(|_| gst::FlowError::Eos)?);
        Ok(gst::FlowSuccess::Ok)
    };
    sink.set_callbacks(callbacks.new_sample(pull).build());
}
