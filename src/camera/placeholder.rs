//! The picture that viewers see while the camera shows none: the owner of its pipeline.

use std::sync::Arc;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;
use tokio::sync::{mpsc, watch};

use super::Error;
use super::adjust::Adjust;
use super::encoder::Encoder;
use super::follower::Follower;
use super::lags::Lags;
use super::notice::{self, Notice};
use super::owner::TEARDOWN;
use super::pipeline::{Event, Outlets, Pipeline};
use super::renditions::{Demand, Renditions};
use super::requests::Requests;
use super::source::{Chosen, Pace};
use super::stills::Shutter;
use super::template::fill;
use super::{Encoding, Form, PerForm, handover};
use crate::clock::{Clock, Mark};
use crate::config;

/// After a failure of its own it is tried again; it has nobody else to take its place.
const PAUSE: Duration = Duration::from_secs(2);

/// Says what is to be shown; whoever drops it hides it for good.
#[derive(Debug)]
pub(super) struct Placeholder {
    notice: watch::Sender<Option<Notice>>,
    playing: watch::Receiver<bool>,
}

/// What its pipeline needs.
pub(super) struct Parts {
    pub clock: Clock,
    pub encoder: Encoder,
    pub demand: Demand,
    pub requests: watch::Receiver<Requests>,
    pub renditions: Renditions,
    pub shutter: Shutter,
    pub encodings: watch::Sender<PerForm<Option<Encoding>>>,
    pub moved: Mark,
}

impl Placeholder {
    /// Hidden at first. As large as `camera`. Needs tokio.
    pub(super) fn start(camera: &config::Camera, parts: Parts) -> Self {
        let (notice, wanted) = watch::channel(None);
        let (told, playing) = watch::channel(false);
        let size = (camera.width, camera.height);
        let owner = Owner { name: camera.name.clone(), size, parts, wanted, told };
        tokio::spawn(owner.run());
        Self { notice, playing }
    }

    /// Shows `notice` from now on.
    pub(super) fn show(&self, notice: Notice) {
        let notice = Some(notice);
        self.notice.send_if_modified(|now| std::mem::replace(now, notice.clone()) != notice);
    }

    /// Whether there is something to show.
    pub(super) fn is_shown(&self) -> bool {
        self.notice.borrow().is_some()
    }

    /// Resolves when nothing of it is encoded any more.
    pub(super) async fn hide(&mut self) {
        self.notice.send_replace(None);
        // Its owner is gone only where the program ends.
        let _ = self.playing.wait_for(|playing| !playing).await;
    }
}

struct Owner {
    name: String,
    size: (u32, u32),
    parts: Parts,
    wanted: watch::Receiver<Option<Notice>>,
    told: watch::Sender<bool>,
}

impl Owner {
    /// Runs until the [`Placeholder`] is dropped.
    async fn run(mut self) {
        let mut said = None;
        while self.wanted.wait_for(Option::is_some).await.is_ok() {
            self.told.send_replace(true);
            let shown = self.show().await;
            self.told.send_replace(false);
            let Err(error) = shown else { continue };
            if said.as_ref() != Some(&error) {
                log::error!(camera = self.name.as_str(); "{error}");
                said = Some(error);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// One life of its pipeline; ends when there is nothing to show any more.
    async fn show(&mut self) -> Result<(), Error> {
        let chosen = self.chosen();
        // Viewers' pictures do not continue the camera's.
        self.parts.renditions.interrupt();
        let outlets = self.outlets();
        let notice = self.wanted.clone();
        let dress = |pipeline: &gst::Pipeline| {
            let element = pipeline.by_name("placeholder");
            stamp(&element.expect("placeholder.launch ends in this element"), notice);
        };
        let Parts { encoder, clock, .. } = &self.parts;
        let (pipeline, events) =
            Pipeline::start(&chosen, Adjust::default(), encoder, clock, &outlets, dress)?;
        let ended = self.drive(&pipeline, events, &chosen).await;
        let down = pipeline.stop();
        if tokio::time::timeout(TEARDOWN, down).await.is_err() {
            let name = self.name.as_str();
            log::error!(camera = name; "the pipeline in the camera's place does not stop");
        }
        ended
    }

    async fn drive(
        &mut self,
        pipeline: &Pipeline,
        mut events: mpsc::Receiver<Event>,
        chosen: &Chosen,
    ) -> Result<(), Error> {
        let Parts { demand, requests, renditions, encodings, .. } = &self.parts;
        let mut follower = Follower::new(demand, requests, renditions, encodings);
        loop {
            tokio::select! {
                hidden = self.wanted.wait_for(Option::is_none) => {
                    // An error: nobody shows or hides any more.
                    drop(hidden);
                    return Ok(());
                }
                Some(event) = events.recv() => match event {
                    Event::Picture(video) => follower.picture(*video),
                    Event::Failed(error) => return Err(Error::stopped(chosen, &error)),
                    // Of a branch that was shut meanwhile.
                    Event::BranchFailed(form, _) if encodings.borrow()[form].is_none() => {}
                    Event::BranchFailed(Form::Full, error) => {
                        let element = self.parts.encoder.element(Form::Full);
                        return Err(Error::encoder(chosen, element, &error));
                    }
                    Event::BranchFailed(form, _) => follower.leave_out(form),
                    Event::Ended | Event::NotRewound(_) => return Err(Error::ended(chosen)),
                },
                () = follower.changed() => {}
            }
            follower.follow(pipeline);
        }
    }

    fn chosen(&self) -> Chosen {
        let (width, height) = self.size;
        let values = [("width", &*width.to_string()), ("height", &*height.to_string())];
        let description = fill(include_str!("../../pipelines/placeholder.launch"), &values);
        let words = "the picture in the camera's place".into();
        Chosen { words, description, pace: Pace::Device, device: None }
    }

    /// Viewers and stills get it. It is no picture of the camera: recognition does not.
    fn outlets(&self) -> Outlets {
        let Parts { renditions, shutter, moved, .. } = &self.parts;
        Outlets {
            renditions: renditions.clone(),
            newest: watch::Sender::new(None),
            frames: handover::channel(1).0,
            pictures: Arc::default(),
            lags: Lags::default(),
            shutter: shutter.clone(),
            moved: moved.clone(),
        }
    }
}

/// Writes the notice into every picture that leaves `element`, which sends I420.
fn stamp(element: &gst::Element, notice: watch::Receiver<Option<Notice>>) {
    let Some(pad) = element.static_pad("src") else { return };
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let (caps, notice) = (pad.current_caps(), notice.borrow().clone());
        if let (Some(buffer), Some(caps), Some(notice)) = (info.buffer_mut(), caps, notice)
            && let Ok(video) = gst_video::VideoInfo::from_caps(&caps)
        {
            draw_into(buffer.make_mut(), &video, &notice);
        }
        gst::PadProbeReturn::Ok
    });
}

fn draw_into(buffer: &mut gst::BufferRef, video: &gst_video::VideoInfo, notice: &Notice) {
    let Ok(mut frame) = gst_video::VideoFrameRef::from_buffer_ref_writable(buffer, video) else {
        return;
    };
    let (width, height) = (video.width() as usize, video.height() as usize);
    let stride = frame.plane_stride()[0] as usize;
    if let Ok(luma) = frame.plane_data_mut(0) {
        let words = [&*notice.title.in_words(), &*notice.text];
        notice::draw(words, luma, (width, height), stride);
    }
}
