//! Where pictures come from: one pipeline that captures and encodes once.

mod rendition;

use tokio::sync::watch;

pub use rendition::{Attachment, Rendition};

/// A handle on a camera's owner: its encoded pictures and its published state.
#[derive(Clone, Debug)]
pub struct Camera {
    name: String,
    rendition: Rendition,
    status: watch::Receiver<Status>,
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

impl Camera {
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

    /// The published state.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }
}
