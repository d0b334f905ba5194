//! Where pictures come from: one pipeline that captures and encodes once.

mod barcode;
mod encoder;
mod error;
mod owner;
mod pipeline;
mod rendition;
mod silence;
mod source;
mod template;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use gstreamer as gst;
use gstreamer_video as gst_video;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

pub use encoder::Encoder;
pub use error::Error;
pub use owner::Settings;
pub use rendition::{Attachment, Rendition};

use crate::clock::Clock;
use owner::Owner;
use pipeline::Outlets;

/// Raw frames that come while recognition reads one: a quarter of a second at 30 a
/// second, and at most 25 MB in 1080p. A power of two, as the channel has it.
const WAITING_FRAMES: usize = 8;

/// A handle on a camera's owner: its encoded pictures and its published state.
#[derive(Clone, Debug)]
pub struct Camera {
    name: String,
    rendition: Rendition,
    status: watch::Receiver<Status>,
    newest: watch::Receiver<Option<gst::ClockTime>>,
}

/// A raw picture on its way to recognition, I420 or NV12.
#[derive(Clone, Debug)]
pub struct RawFrame {
    /// Counts the camera's pictures from 1, over restarts too.
    pub index: u64,
    /// Running time of its capture.
    pub captured_at: gst::ClockTime,
    /// Size, strides and colorimetry.
    pub info: gst_video::VideoInfo,
    /// The picture itself.
    pub buffer: gst::Buffer,
    /// Whether the picture has memory of its own, and not the source's.
    pub detached: bool,
}

impl RawFrame {
    /// The same picture in memory of its own: a device has few buffers and stops without
    /// them, so that none may wait for long. `None` if the memory cannot be read.
    #[must_use]
    pub fn detach(self) -> Option<Self> {
        if self.detached {
            return Some(self);
        }
        Some(Self { buffer: self.buffer.copy_deep().ok()?, detached: true, ..self })
    }
}

/// What a camera is doing, published by its owner.
#[derive(Clone, Debug, PartialEq)]
pub enum Status {
    /// The pipeline is being built and no frame has come yet.
    Starting,
    /// Frames flow.
    Live(Live),
    /// No frames: why, and what to do, in the operator's words.
    Failed(String),
    /// Stopped on request.
    Stopped,
}

/// What a camera shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    /// In the operator's words: "demo clip", "camera /dev/video0".
    pub source: String,
    /// Element that encodes, such as `x264enc`.
    pub encoder: String,
    /// Why this encoder and no other.
    pub encoder_reason: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames a second, as negotiated.
    pub framerate: f32,
}

/// A started camera: its handle, its raw frames, and its owner's task.
#[derive(Debug)]
pub struct Started {
    /// For sessions, status and pages.
    pub camera: Camera,
    /// For recognition: those that it has not taken yet, the last few at most.
    pub frames: broadcast::Receiver<RawFrame>,
    /// Ends after the sender of `stop` was dropped and the pipeline is down.
    pub owner: JoinHandle<()>,
}

impl Camera {
    /// Starts the owner of a camera. It runs until the sender of `stop` is
    /// dropped, and tries again by itself when the camera fails.
    #[must_use]
    pub fn start(settings: Settings, clock: Clock, stop: watch::Receiver<()>) -> Started {
        let (rendition, demand) = Rendition::new();
        let (captured, newest) = watch::channel(None);
        let (frames, waiting) = broadcast::channel(WAITING_FRAMES);
        let (status, published) = watch::channel(Status::Starting);
        let name = settings.camera.name.clone();
        let camera = Self { name, rendition: rendition.clone(), status: published, newest };
        let outlets = Outlets { rendition, newest: captured, frames, pictures: Arc::default() };
        let owner = Owner { settings, clock, outlets, demand, status, stop };
        Started { camera, frames: waiting, owner: tokio::spawn(owner.run()) }
    }

    /// The configured name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The encoded picture that viewers attach to.
    #[must_use]
    pub fn rendition(&self) -> &Rendition {
        &self.rendition
    }

    /// Running time of the newest picture's capture; none before the first one and
    /// while the camera restarts.
    #[must_use]
    pub fn newest_picture(&self) -> Option<gst::ClockTime> {
        *self.newest.borrow()
    }

    /// The published state.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }
}
