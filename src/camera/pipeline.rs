//! One camera pipeline: built from its description, wired to the hand-overs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use tokio::sync::{mpsc, watch};

use super::source::{Chosen, Pace};
use super::template::fill;
use super::{Error, RawFrame, Rendition, barcode};
use crate::clock::Clock;

/// Events that wait for the owner: it handles each within milliseconds, and only
/// errors come in bursts, of which the first is the cause.
const EVENTS: usize = 32;

/// How long a pipeline may take to stop before it is left to its own threads.
const TEARDOWN: Duration = Duration::from_secs(3);

/// What the pipeline's threads tell its owner.
#[derive(Debug)]
pub(super) enum Event {
    /// The first raw frame, or the first of another size.
    Picture(Box<gst_video::VideoInfo>),
    /// The clip has ended.
    Ended,
    /// An element failed.
    Failed(gst::glib::Error),
}

/// A running camera pipeline. Clones are the same pipeline, for calls that block
/// and so run on another thread.
#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    pipeline: gst::Pipeline,
    gate: gst::Element,
    encoded: gst::Pad,
    stamp: Stamp,
}

/// Where a pipeline's pictures go.
#[derive(Clone, Debug)]
pub(super) struct Outlets {
    /// Encoded pictures.
    pub rendition: Rendition,
    /// The newest raw frame.
    pub frames: watch::Sender<Option<RawFrame>>,
}

impl Pipeline {
    /// Builds the pipeline; it does not run yet.
    ///
    /// # Errors
    /// [`Error::Build`] with the element or link that is wrong.
    pub(super) fn build(
        chosen: &Chosen,
        flip: &str,
        encoder: &str,
        clock: &Clock,
        outlets: &Outlets,
    ) -> Result<(Self, mpsc::Receiver<Event>), Error> {
        let values =
            [("source", chosen.description.as_str()), ("flip", flip), ("encoder", encoder)];
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
        let (gate, encoded, frames) = (named("gate")?, named("encoded")?, named("frames")?);
        let (events, inbox) = mpsc::channel(EVENTS);
        let stamp = Stamp::new();
        keep_queries_out(&named("raw")?);
        watch_bus(&pipeline, events.clone());
        hand_over_encoded(&encoded, stamp.clone(), outlets.rendition.clone());
        hand_over_frames(&frames, stamp.clone(), outlets.frames.clone(), events);
        if let Some(element) = pipeline.by_name("barcode") {
            barcode::stamp(&element);
        }
        let encoded = encoded.static_pad("sink").expect("an appsink has a sink pad");
        if chosen.pace == Pace::Clip {
            align_clip(&named("pace")?, stamp.clone(), clock.clone());
        }
        Ok((Self { pipeline, gate, encoded, stamp }, inbox))
    }

    /// Starts to play. Blocks while devices are opened.
    ///
    /// # Errors
    /// What the bus tells follows as [`Event::Failed`]; here only that it failed.
    pub(super) fn play(&self) -> Result<(), gst::StateChangeError> {
        self.pipeline.set_state(gst::State::Playing).map(drop)
    }

    /// Plays a clip again from its start. Blocks until its threads have let go.
    pub(super) fn rewind(&self) -> Result<(), gst::glib::BoolError> {
        self.stamp.starts.store(true, Ordering::Relaxed);
        self.pipeline.seek_simple(gst::SeekFlags::FLUSH, gst::ClockTime::ZERO)
    }

    /// Opens or shuts the way to the encoder.
    pub(super) fn encode(&self, wanted: bool) {
        self.gate.set_property("drop", !wanted);
    }

    /// Asks the encoder for a key unit with its parameter sets.
    pub(super) fn force_key_unit(&self) {
        let event = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
        // Refused before the encoder runs; its first picture is a key unit anyway.
        let _ = self.encoded.push_event(event);
    }

    /// Stops on a blocking thread, so that a stuck element never holds the owner.
    pub(super) async fn stop(self, name: &str) {
        let pipeline = self.pipeline.clone();
        let stopped = tokio::task::spawn_blocking(move || pipeline.set_state(gst::State::Null));
        if tokio::time::timeout(TEARDOWN, stopped).await.is_err() {
            log::error!(camera = name; "pipeline did not stop within {TEARDOWN:?}; left behind");
        }
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

fn watch_bus(pipeline: &gst::Pipeline, events: mpsc::Sender<Event>) {
    let bus = pipeline.bus().expect("a pipeline has a bus");
    bus.set_sync_handler(move |_, message| {
        if let gst::MessageView::Error(error) = message.view() {
            // A full queue already holds the error that came first.
            let _ = events.try_send(Event::Failed(error.error()));
        }
        gst::BusSyncReply::Drop
    });
}

fn hand_over_encoded(sink: &gst::Element, stamp: Stamp, rendition: Rendition) {
    let mut last = gst::ClockTime::ZERO;
    let callbacks = gst_app::AppSinkCallbacks::builder();
    on_sample(sink, callbacks, move |sample| {
        let (Some(time), Some(caps)) = (stamp.running_time(sample), sample.caps()) else { return };
        let Some(mut buffer) = sample.buffer_owned() else { return };
        last = time.max(last + gst::ClockTime::from_nseconds(1));
        let stamped = buffer.make_mut();
        stamped.set_pts(last);
        stamped.set_dts(None);
        rendition.push(&buffer, &caps.to_owned());
    });
}

fn hand_over_frames(
    sink: &gst::Element,
    stamp: Stamp,
    frames: watch::Sender<Option<RawFrame>>,
    events: mpsc::Sender<Event>,
) {
    let mut video: Option<(gst::Caps, gst_video::VideoInfo)> = None;
    let mut index = frames.borrow().as_ref().map_or(0, |frame| frame.index);
    // Here and not from the bus: a shut gate keeps the other sink from its end.
    let ended = events.clone();
    let callbacks = gst_app::AppSinkCallbacks::builder().eos(move |_| {
        // A full queue means an error came first, and the owner is leaving.
        let _ = ended.try_send(Event::Ended);
    });
    on_sample(sink, callbacks, move |sample| {
        let (Some(time), Some(caps)) = (stamp.running_time(sample), sample.caps()) else { return };
        if video.as_ref().is_none_or(|(known, _)| known.as_ref() != caps) {
            let Ok(info) = gst_video::VideoInfo::from_caps(caps) else { return };
            let _ = events.try_send(Event::Picture(Box::new(info.clone())));
            video = Some((caps.to_owned(), info));
        }
        let (Some((_, info)), Some(buffer)) = (&video, sample.buffer_owned()) else { return };
        index += 1;
        frames.send_replace(Some(RawFrame {
            index,
            captured_at: time,
            info: info.clone(),
            buffer,
        }));
    });
}

/// Calls `post` with every sample of an appsink, on its streaming thread.
fn on_sample(
    sink: &gst::Element,
    callbacks: gst_app::app_sink::AppSinkCallbacksBuilder,
    mut post: impl FnMut(&gst::SampleRef) + Send + 'static,
) {
    let sink = sink.downcast_ref::<gst_app::AppSink>().expect("camera.launch ends in appsinks");
    let pull = move |sink: &gst_app::AppSink| {
        post(&*sink.pull_sample().map_err(|_| gst::FlowError::Eos)?);
        Ok(gst::FlowSuccess::Ok)
    };
    sink.set_callbacks(callbacks.new_sample(pull).build());
}
