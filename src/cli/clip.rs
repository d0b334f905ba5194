//! A video file, decoded as fast as its reader takes the frames.
//!
//! `filesrc ! decodebin ! videoconvert ! [videorate !] appsink`: videoconvert passes I420 and
//! NV12 through and is there for everything else. The reader pulls on its own thread; nothing
//! is called back.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use crate::cascade::Frame;
use crate::recognition::picture::{self, FORMATS, PictureError};

/// Decoded frames that wait for the reader: enough to keep a decoder's threads busy, and
/// 25 MB at 1080p. A full queue holds the decoder back, which is what a file is for.
const MAX_WAITING: u32 = 8;
/// A decoder that gives nothing for so long is stuck. A key frame of 4K video on a slow board
/// takes under a second.
const MAX_SILENCE: Duration = Duration::from_secs(10);
/// How often the bus is looked at while no frame comes.
const POLL: gst::ClockTime = gst::ClockTime::from_mseconds(100);
/// A clip may end this much before its container says, or one part in so many of its length:
/// sound is often longer than the picture.
const SHORTER: Duration = Duration::from_millis(500);
const SHORTER_ONE_IN: u32 = 20;

/// Why a clip cannot be read, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    /// No such file, or no right to read it.
    #[error("clip {}: cannot be opened ({reason}); check the path", path.display())]
    Open {
        /// The clip.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// A pipeline element is not installed.
    #[error("clip decoder: {reason}; install gstreamer1.0-plugins-base and -good")]
    Element {
        /// GStreamer's words.
        reason: String,
    },
    /// Not one frame could be decoded.
    #[error(
        "clip {}: no video in it that can be decoded ({reason}); is it a video file, complete, and is gstreamer1.0-libav installed?",
        path.display()
    )]
    NoVideo {
        /// The clip.
        path: PathBuf,
        /// GStreamer's words.
        reason: String,
    },
    /// The clip ends before it should.
    #[error(
        "clip {}: cut off or damaged after {:.1} s ({reason}); what was read up to there is printed, copy the file again for the rest",
        path.display(), read.as_secs_f64()
    )]
    CutOff {
        /// The clip.
        path: PathBuf,
        /// Position of the last frame.
        read: Duration,
        /// GStreamer's words, or the length it should have.
        reason: String,
    },
    /// The decoder stopped without a word.
    #[error(
        "clip {}: the decoder gave nothing for {} s after {:.1} s; the file may be damaged",
        path.display(), MAX_SILENCE.as_secs(), read.as_secs_f64()
    )]
    Stuck {
        /// The clip.
        path: PathBuf,
        /// Position of the last frame.
        read: Duration,
    },
    /// A decoded frame cannot be looked at.
    #[error("clip {}: {source}", path.display())]
    Picture {
        /// The clip.
        path: PathBuf,
        /// What is wrong with it.
        source: PictureError,
    },
}

/// A clip that is being decoded. Dropping it stops the decoder.
pub struct Clip {
    path: PathBuf,
    pipeline: gst::Pipeline,
    sink: gst_app::AppSink,
    bus: gst::Bus,
    last: Duration,
    frames: u64,
    longest: Duration,
}

/// A decoded frame.
pub struct Picture {
    sample: gst::Sample,
    /// Position in the clip.
    pub at: Duration,
}

impl Clip {
    /// Starts decoding `path`, resampled to `fps` frames a second if that is given.
    ///
    /// # Errors
    /// [`ClipError::Open`], [`ClipError::Element`]; what the file holds is found out by
    /// [`Clip::next_picture`].
    pub fn open(path: &Path, fps: Option<f64>) -> Result<Self, ClipError> {
        let open = |reason: String| ClipError::Open { path: path.to_owned(), reason };
        let file = std::fs::File::open(path).map_err(|error| open(error.to_string()))?;
        if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Err(open("not a file".to_owned()));
        }
        let element =
            |error: gst::glib::BoolError| ClipError::Element { reason: error.to_string() };
        let (pipeline, sink) = build(path, fps).map_err(element)?;
        let bus = pipeline.bus().expect("a pipeline has a bus");
        let path = path.to_owned();
        let zero = Duration::ZERO;
        let clip = Self { path, pipeline, sink, bus, last: zero, frames: 0, longest: zero };
        // A failing change of state posts its reason on the bus, where `next_picture` finds it.
        let _ = clip.pipeline.set_state(gst::State::Playing);
        Ok(clip)
    }

    /// The next frame; `None` at the clip's proper end. After an error there are no more.
    ///
    /// # Errors
    /// [`ClipError::NoVideo`] if there never was a frame, [`ClipError::CutOff`] or
    /// [`ClipError::Stuck`] after some.
    pub fn next_picture(&mut self) -> Result<Option<Picture>, ClipError> {
        let deadline = Instant::now() + MAX_SILENCE;
        loop {
            if let Some(sample) = self.sink.try_pull_sample(POLL) {
                return Ok(Some(self.picture(sample)));
            }
            if let Some(reason) = self.error() {
                return Err(self.ended_by(reason));
            }
            if self.sink.is_eos() {
                return self.end().map(|()| None);
            }
            if Instant::now() >= deadline {
                let (path, read) = (self.path.clone(), self.last);
                return Err(ClipError::Stuck { path, read });
            }
        }
    }

    /// Lets `look` see a frame's memory.
    ///
    /// # Errors
    /// [`ClipError::Picture`] if it is not the memory of a frame.
    pub fn view<T>(
        &self,
        picture: &Picture,
        look: impl FnOnce(&Frame<'_>) -> T,
    ) -> Result<T, ClipError> {
        let refuse = |source| ClipError::Picture { path: self.path.clone(), source };
        let missing = || refuse(PictureError::Plane(0));
        let caps = picture.sample.caps().ok_or_else(missing)?;
        let info = gst_video::VideoInfo::from_caps(caps).map_err(|_| missing())?;
        let buffer = picture.sample.buffer().ok_or_else(missing)?;
        let video = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info)
            .map_err(|_| missing())?;
        let frame = picture::view(&video).map_err(refuse)?;
        Ok(look(&frame))
    }

    /// Frames decoded so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    fn picture(&mut self, sample: gst::Sample) -> Picture {
        let position = sample.buffer().and_then(|buffer| {
            let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
            segment.to_stream_time(buffer.pts()?)
        });
        // A frame without a time of its own follows the one before at once.
        self.last = position.map_or(self.last, Duration::from);
        self.frames += 1;
        let told = self.pipeline.query_duration::<gst::ClockTime>().map(Duration::from);
        self.longest = self.longest.max(told.unwrap_or_default());
        Picture { sample, at: self.last }
    }

    /// The first error on the bus, in GStreamer's words.
    fn error(&self) -> Option<String> {
        let message = self.bus.pop_filtered(&[gst::MessageType::Error])?;
        let gst::MessageView::Error(error) = message.view() else { return None };
        Some(error.error().to_string())
    }

    fn ended_by(&self, reason: String) -> ClipError {
        let path = self.path.clone();
        match self.frames {
            0 => ClipError::NoVideo { path, reason },
            _ => ClipError::CutOff { path, read: self.last, reason },
        }
    }

    /// Demuxers take a file that stops short for one that ends there, so the end is compared
    /// with the length that the container promised.
    fn end(&self) -> Result<(), ClipError> {
        if self.frames == 0 {
            return Err(self.ended_by("it ends without a frame".to_owned()));
        }
        let slack = SHORTER.max(self.longest / SHORTER_ONE_IN);
        match self.last + slack < self.longest {
            true => {
                Err(self.ended_by(format!("it should last {:.1} s", self.longest.as_secs_f64())))
            }
            false => Ok(()),
        }
    }
}

impl Drop for Clip {
    fn drop(&mut self) {
        // Nothing is left to do for a decoder that does not stop: the process ends soon.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

fn build(
    path: &Path,
    fps: Option<f64>,
) -> Result<(gst::Pipeline, gst_app::AppSink), gst::glib::BoolError> {
    let make = |name: &'static str| gst::ElementFactory::make(name);
    let source = make("filesrc").property("location", path).build()?;
    let video = gst::Caps::builder("video/x-raw").any_features().build();
    let decoder =
        make("decodebin").property("caps", &video).property("expose-all-streams", false).build()?;
    let convert = make("videoconvert").build()?;
    let formats = FORMATS.map(gst_video::VideoFormat::to_str);
    let caps = gst::Caps::builder("video/x-raw").field("format", gst::List::new(formats));
    let rate = fps.and_then(gst::Fraction::approximate_f64);
    let caps = match rate {
        Some(rate) => caps.field("framerate", rate).build(),
        None => caps.build(),
    };
    let sink = gst_app::AppSink::builder().caps(&caps).sync(false).max_buffers(MAX_WAITING).build();
    let pipeline = gst::Pipeline::new();
    pipeline.add_many([&source, &decoder, &convert, sink.upcast_ref()])?;
    source.link(&decoder)?;
    match rate {
        Some(_) => {
            let videorate = make("videorate").build()?;
            pipeline.add(&videorate)?;
            gst::Element::link_many([&convert, &videorate, sink.upcast_ref()])?;
        }
        None => convert.link(&sink)?,
    }
    let entry = convert.static_pad("sink").expect("videoconvert has a sink pad");
    decoder.connect_pad_added(move |_, pad| {
        // The first video stream; a pad that does not fit ends as "not linked" on the bus.
        if !entry.is_linked() {
            let _ = pad.link(&entry);
        }
    });
    Ok((pipeline, sink))
}
