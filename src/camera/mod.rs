//! Where pictures come from: one pipeline that captures, and encodes each form once.

mod absences;
mod adjust;
mod barcode;
mod branch;
pub mod controls;
pub mod devices;
mod encoder;
mod error;
mod feed;
mod flow;
mod follower;
mod form;
pub mod handover;
mod key_units;
pub mod lags;
mod modes;
mod notice;
mod outage;
mod owner;
mod picture;
mod pipeline;
mod placeholder;
mod press;
mod reach;
mod renditions;
mod requests;
mod silence;
mod source;
mod stills;
mod template;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use gstreamer as gst;
use gstreamer_video as gst_video;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use adjust::Adjust;
pub use devices::Found;
pub use encoder::Encoder;
pub use error::Error;
pub use feed::{Feed, KeyUnits, WantError};
pub use form::{Codec, Form, PerForm};
pub use modes::Mode;
pub use owner::Settings;
pub use picture::Limit;
pub use press::StillError;
pub use renditions::{NoForm, Renditions};
pub use requests::{LEAST_LOW_KBPS, LOW_KBPS};
pub use stills::{Gallery, SMALL_BYTES, SMALL_WIDTH, Still, Stills};

use crate::clock::{Clock, Mark};
use crate::config;
use absences::Absences;
pub use absences::WAIT as ABSENCE;
use branch::Spec;
use lags::Lags;
use owner::Owner;
use pipeline::Outlets;
use requests::{Bounds, Capture, Requests};

/// Raw frames that come while recognition reads one: a quarter of a second at 30 a
/// second, and at most 25 MB in 1080p.
const WAITING_FRAMES: usize = 8;

/// A handle on a camera's owner: its encoded pictures and its published state.
#[derive(Clone, Debug)]
pub struct Camera {
    name: String,
    renditions: Renditions,
    status: watch::Receiver<Status>,
    newest: watch::Receiver<Option<gst::ClockTime>>,
    gallery: Gallery,
    requests: Arc<watch::Sender<Requests>>,
    adjust: Arc<watch::Sender<Adjust>>,
    devices: Option<devices::Devices>,
    encodings: watch::Receiver<PerForm<Option<Encoding>>>,
    pictures: Arc<AtomicU64>,
    lags: Lags,
    started: gst::ClockTime,
    moved: Mark,
    ticked: Mark,
}

/// Whether both name one device: udev's names are links.
fn is_same(listed: &str, device: &Path) -> bool {
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    whole(Path::new(listed)) == whole(device)
}

/// How a form is encoded at present.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Encoding {
    /// What the encoder aims at.
    pub bitrate_kbps: u32,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames a second.
    pub framerate: f32,
}

impl Encoding {
    fn new(spec: Spec, video: &gst_video::VideoInfo) -> Self {
        let own = (video.width(), video.height(), video.fps());
        let (width, height, rate) = spec.picture.map_or(own, |picture| {
            (picture.size.width(), picture.size.height(), picture.framerate)
        });
        let framerate = rate.numer() as f32 / rate.denom().max(1) as f32;
        Self { bitrate_kbps: spec.bitrate_kbps, width, height, framerate }
    }
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
    /// No frames of the camera; viewers are shown why.
    Failed(Away),
    /// Stopped on request.
    Stopped,
}

/// Why a camera has no picture.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Away {
    /// Why, and what to do, in the operator's words.
    pub reason: String,
    /// When its pictures stopped, or it was first tried.
    pub since: Instant,
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
    /// The device that it comes from, if that has a name.
    pub device: Option<PathBuf>,
}

/// A started camera: its handle, its raw frames, and its owner's task.
#[derive(Debug)]
pub struct Started {
    /// For sessions, status and pages.
    pub camera: Camera,
    /// For recognition: those that it has not taken yet, the last few at most.
    pub frames: handover::Receiver<RawFrame>,
    /// Ends after the sender of `stop` was dropped and the pipeline is down.
    pub owner: JoinHandle<()>,
}

impl Camera {
    /// Starts the owner of a camera. It runs until the sender of `stop` is
    /// dropped, and tries again by itself when the camera fails.
    #[must_use]
    pub fn start(settings: Settings, clock: Clock, stop: watch::Receiver<()>) -> Started {
        let (renditions, demand) = Renditions::new(owner::missing(&settings.encoding));
        let (captured, newest) = watch::channel(None);
        let (frames, waiting) = handover::channel(WAITING_FRAMES);
        let (status, published) = watch::channel(Status::Starting);
        let name = settings.camera.name.clone();
        let (asked, requests) = watch::channel(Requests::new(&settings.encoding));
        let (told, encodings) = watch::channel(PerForm::default());
        let (adjust, adjusted) = watch::channel(Adjust::of(&settings.camera));
        let (gallery, shutter) = Gallery::start();
        let (moved, ticked) = (clock.mark(), clock.mark());
        let (pictures, lags) = (Arc::<AtomicU64>::default(), Lags::default());
        let camera = Self {
            name,
            renditions: renditions.clone(),
            status: published,
            newest,
            gallery,
            requests: Arc::new(asked),
            adjust: Arc::new(adjust),
            devices: settings.devices.clone(),
            encodings,
            pictures: pictures.clone(),
            lags: lags.clone(),
            started: moved.last(),
            moved: moved.clone(),
            ticked: ticked.clone(),
        };
        let newest = captured;
        let outlets = Outlets { renditions, newest, frames, pictures, lags, shutter, moved };
        let owner = Owner {
            settings,
            clock,
            outlets,
            demand,
            status,
            requests,
            adjusted,
            encodings: told,
            absences: Absences::new(absences::WAIT),
            had_camera: false,
            ticked,
            stop,
        };
        Started { camera, frames: waiting, owner: tokio::spawn(owner.run()) }
    }

    /// One without an owner; with the sender of its state, and when it last showed a picture
    /// and last ticked.
    #[cfg(test)]
    pub fn without_owner(name: &str, clock: &Clock) -> (Self, watch::Sender<Status>, [Mark; 2]) {
        let (status, published) = watch::channel(Status::Starting);
        let (moved, ticked) = (clock.mark(), clock.mark());
        let encoding = config::Encoder {
            prefer: None,
            bitrate_kbps: 500,
            min_bitrate_kbps: 100,
            low_rendition: true,
        };
        let camera = Self {
            name: name.to_owned(),
            renditions: Renditions::new(PerForm::default()).0,
            status: published,
            newest: watch::channel(None).1,
            gallery: Gallery::start().0,
            requests: Arc::new(watch::Sender::new(Requests::new(&encoding))),
            adjust: Arc::new(watch::Sender::new(Adjust::default())),
            devices: None,
            encodings: watch::channel(PerForm::default()).1,
            pictures: Arc::default(),
            lags: Lags::default(),
            started: moved.last(),
            moved: moved.clone(),
            ticked: ticked.clone(),
        };
        (camera, status, [moved, ticked])
    }

    /// The configured name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The encoded pictures that viewers see.
    #[must_use]
    pub fn renditions(&self) -> &Renditions {
        &self.renditions
    }

    /// Running time of the newest picture's capture; none before the first one and
    /// while the camera restarts.
    #[must_use]
    pub fn newest_picture(&self) -> Option<gst::ClockTime> {
        *self.newest.borrow()
    }

    /// Pictures captured since the start.
    #[must_use]
    pub fn pictures(&self) -> u64 {
        self.pictures.load(Ordering::Relaxed)
    }

    /// How old its pictures are when they come, and how long encoding them takes.
    #[must_use]
    pub fn lags(&self) -> &Lags {
        &self.lags
    }

    /// Running time at which a picture was last shown, of the camera or in its place; at
    /// first, of the start.
    #[must_use]
    pub fn moved(&self) -> gst::ClockTime {
        self.moved.last()
    }

    /// Whether a picture was shown, of the camera or in its place.
    #[must_use]
    pub fn has_shown(&self) -> bool {
        self.moved.last() > self.started
    }

    /// Running time at which its owner was last seen at work.
    #[must_use]
    pub fn ticked(&self) -> gst::ClockTime {
        self.ticked.last()
    }

    /// JPEGs of its pictures.
    #[must_use]
    pub fn gallery(&self) -> &Gallery {
        &self.gallery
    }

    /// The published state.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Lets the encoder of `form` aim at `kbps`, or at the nearest that the configuration
    /// allows; without a key unit, and over restarts of the camera.
    pub fn set_bitrate(&self, form: Form, kbps: u32) {
        self.requests.send_if_modified(|requests| {
            std::mem::replace(&mut requests.wanted_kbps[form], kbps) != kbps
        });
    }

    /// Follows other limits of the bit rate; nothing else of `encoding` changes while a
    /// camera runs. What was set before is as near to it as the new ones allow.
    pub fn set_bounds(&self, encoding: &config::Encoder) {
        let bounds = Bounds::of(encoding);
        self.requests
            .send_if_modified(|requests| std::mem::replace(&mut requests.bounds, bounds) != bounds);
    }

    /// Shows at most this of the whole picture, in its own shape and even sizes;
    /// [`Limit::NONE`] is the source's own. Viewers go on with a key unit. Raw frames
    /// stay as captured.
    pub fn set_picture(&self, most: Limit) {
        self.requests
            .send_if_modified(|requests| std::mem::replace(&mut requests.most, most) != most);
    }

    /// Turns the picture so and sets the camera's controls so from now on, and whenever it comes
    /// back.
    pub fn adjust(&self, wish: Adjust) {
        self.adjust.send_if_modified(|now| {
            let changes = *now != wish;
            if changes {
                *now = wish;
            }
            changes
        });
    }

    /// The device that it shows, if that has a name.
    #[must_use]
    pub fn device(&self) -> Option<PathBuf> {
        match &*self.status.borrow() {
            Status::Live(live) => live.device.clone(),
            _ => None,
        }
    }

    /// The sizes that the device of that name offers, as far as it was listed.
    #[must_use]
    pub fn modes(&self, device: &Path) -> Vec<Mode> {
        let listed = self.devices.as_ref().and_then(|devices| devices.borrow().clone());
        let is_it =
            |found: &&Found| found.path.as_deref().is_some_and(|path| is_same(path, device));
        listed.iter().flatten().find(is_it).map(|found| found.modes.clone()).unwrap_or_default()
    }

    /// Takes the pipeline down until [`Camera::start_capture`]; viewers stay attached.
    pub fn stop_capture(&self) {
        self.capture(Capture::Off);
    }

    /// Takes pictures again.
    pub fn start_capture(&self) {
        self.capture(Capture::On);
    }

    fn capture(&self, wish: Capture) {
        self.requests
            .send_if_modified(|requests| std::mem::replace(&mut requests.capture, wish) != wish);
    }

    /// How each form is encoded, none while it is not.
    #[must_use]
    pub fn encodings(&self) -> watch::Receiver<PerForm<Option<Encoding>>> {
        self.encodings.clone()
    }
}
