//! Renders a performance into an MP4 file with its ground truth beside it.

use std::path::{Path, PathBuf};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::body::Body;
use crate::hand::PICTURE;
use crate::plan::Sign;
use crate::render::Stage;
use crate::script::{Script, TextError};
use crate::timeline::{FPS, Performance};

/// Frames rendered at a time: a few for each core, 0.9 MB each.
const BATCH: usize = 24;
/// Bytes that wait for the encoder: eight frames, so that rendering goes on.
const QUEUE: u64 = (8 * PICTURE.0 * PICTURE.1 * 3) as u64;
/// x264's constant quality: 19 shows no blocks and keeps a clip of 10 s under 1 MB.
const QUALITY: u32 = 19;

/// Why a clip could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    /// The text.
    #[error(transparent)]
    Text(#[from] TextError),
    /// GStreamer or one of its plugins.
    #[error("encoder of the clip: {0}; install gstreamer1.0-plugins-base, -good, -bad and -ugly")]
    Encoder(String),
    /// A file.
    #[error("writing {path}")]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Ground truth of a clip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// The text, upper case.
    pub text: String,
    /// Frames a second.
    pub fps: usize,
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// The seed of signer, room and pace.
    pub seed: u64,
    /// Every signed letter; spaces are left out.
    pub signs: Vec<Sign>,
}

impl Truth {
    /// The truth of a performance.
    #[must_use]
    pub fn new(script: &Script, performance: &Performance) -> Self {
        Self {
            text: script.shown(),
            fps: FPS,
            width: PICTURE.0,
            height: PICTURE.1,
            seed: script.seed,
            signs: performance.signs().to_vec(),
        }
    }
}

/// Renders a script to `path` (MP4, H.264 without B-frames) and its truth to
/// the same name with `.json`. Blocks until both are on disk and gives the
/// truth; uses every core.
///
/// # Errors
/// A text that cannot be signed, a missing GStreamer plugin, a file that
/// cannot be written.
pub fn write(script: &Script, path: &Path) -> Result<Truth, ClipError> {
    let performance = Performance::new(script)?;
    let truth = Truth::new(script, &performance);
    write_truth(&truth, path)?;
    let encoder = Encoder::start(path)?;
    frames(script, &performance, |rgb| encoder.push(rgb))?;
    encoder.finish()?;
    Ok(truth)
}

/// Writes the truth beside `path`, with `.json` for its ending.
///
/// # Errors
/// A file that cannot be written.
pub fn write_truth(truth: &Truth, path: &Path) -> Result<(), ClipError> {
    let path = path.with_extension("json");
    let text = serde_json::to_string_pretty(truth).expect("a truth holds numbers and strings");
    std::fs::write(&path, text + "\n").map_err(|source| ClipError::Write { path, source })
}

/// Renders every frame in order: 8-bit RGB rows of [`PICTURE`].
///
/// # Errors
/// What `take` gives; rendering ends there.
pub fn frames<E>(
    script: &Script,
    performance: &Performance,
    mut take: impl FnMut(Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let stage = Stage::new(script.seed);
    for first in (0..performance.frames()).step_by(BATCH) {
        let last = (first + BATCH).min(performance.frames());
        let batch: Vec<Vec<u8>> =
            (first..last).into_par_iter().map(|i| frame(&stage, performance, i)).collect();
        batch.into_iter().try_for_each(&mut take)?;
    }
    Ok(())
}

/// Renders one frame.
#[must_use]
pub fn frame(stage: &Stage, performance: &Performance, frame: usize) -> Vec<u8> {
    let body = performance
        .skeleton(frame)
        .map(|(skeleton, view)| Body::new(performance.build(), &skeleton, &view));
    stage.frame(body.as_ref(), frame as u32)
}

/// Encodes frames into a file; dropping it unfinished leaves a broken file.
struct Encoder {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    pushed: std::cell::Cell<u64>,
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // Going to Null cannot fail in a way that matters here.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

fn broken(e: impl std::fmt::Display) -> ClipError {
    ClipError::Encoder(e.to_string())
}

impl Encoder {
    fn start(path: &Path) -> Result<Self, ClipError> {
        gst::init().map_err(broken)?;
        let text = format!(
            "appsrc name=frames ! videoconvert ! video/x-raw,format=I420,colorimetry=bt601 \
             ! x264enc bframes=0 b-adapt=false threads=2 key-int-max={FPS} pass=qual \
             quantizer={QUALITY} speed-preset=veryfast ! video/x-h264,profile=main \
             ! mp4mux faststart=true ! filesink name=file"
        );
        let element = gst::parse::launch(&text).map_err(broken)?;
        let Ok(pipeline) = element.downcast::<gst::Pipeline>() else {
            return Err(broken("its description is no pipeline"));
        };
        let by_name = |name| pipeline.by_name(name).ok_or_else(|| broken("an element is missing"));
        by_name("file")?.set_property("location", path.to_string_lossy().as_ref());
        let Ok(source) = by_name("frames")?.downcast::<gst_app::AppSrc>() else {
            return Err(broken("its source is no appsrc"));
        };
        let caps = gst::Caps::builder("video/x-raw")
            .field("format", "RGB")
            .field("width", PICTURE.0 as i32)
            .field("height", PICTURE.1 as i32)
            .field("framerate", gst::Fraction::new(FPS as i32, 1))
            .build();
        source.set_caps(Some(&caps));
        source.set_format(gst::Format::Time);
        source.set_block(true);
        source.set_max_bytes(QUEUE);
        let encoder = Self { pipeline, source, pushed: std::cell::Cell::new(0) };
        let started = encoder.pipeline.set_state(gst::State::Playing);
        started.map_err(|e| encoder.problem().unwrap_or_else(|| broken(e)))?;
        Ok(encoder)
    }

    /// The first error on the bus, if there is one.
    fn problem(&self) -> Option<ClipError> {
        let message = self.pipeline.bus()?.pop_filtered(&[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(e) => Some(broken(e.error())),
            _ => None,
        }
    }

    fn push(&self, rgb: Vec<u8>) -> Result<(), ClipError> {
        let at = |frame: u64| gst::ClockTime::from_nseconds(frame * 1_000_000_000 / FPS as u64);
        let frame = self.pushed.replace(self.pushed.get() + 1);
        let mut buffer = gst::Buffer::from_slice(rgb);
        if let Some(b) = buffer.get_mut() {
            b.set_pts(at(frame));
            b.set_duration(at(frame + 1) - at(frame));
        }
        let pushed = self.source.push_buffer(buffer);
        pushed.map_err(|e| self.problem().unwrap_or_else(|| broken(e)))?;
        Ok(())
    }

    /// Waits until the file is complete.
    fn finish(self) -> Result<(), ClipError> {
        self.source.end_of_stream().map_err(broken)?;
        let bus = self.pipeline.bus().ok_or_else(|| broken("the pipeline has no bus"))?;
        let ends = [gst::MessageType::Eos, gst::MessageType::Error];
        match bus.timed_pop_filtered(None, &ends).as_ref().map(|m| m.view()) {
            Some(gst::MessageView::Error(e)) => Err(broken(e.error())),
            _ => Ok(()),
        }
    }
}
