//! What the appliance is doing: one snapshot for the API, health and metrics.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::process::ProcessStatus;
use super::refusals::RefusedStatus;
use crate::camera::{self, Camera, Encoding, Form};
use crate::recognition;
use crate::sessions;

/// Everything the status page shows.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Status {
    /// Of the program.
    pub version: &'static str,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// Whether a login is asked for.
    pub login: bool,
    /// Seconds that a page waits before each attempt to have a lost picture again; after
    /// as many attempts it leaves the next one to a person.
    pub reconnect_waits_s: Vec<f64>,
    /// Why not everything works; empty when it does.
    pub degraded: Vec<String>,
    /// In the order of the configuration, the default first.
    pub cameras: Vec<CameraStatus>,
    /// What recognition does.
    pub recognition: RecognitionStatus,
    /// Viewers and their connections.
    pub sessions: sessions::Status,
    /// Refused at limits before a session was asked for.
    pub refused: RefusedStatus,
    /// What the program takes of the device; absent where it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessStatus>,
}

/// One camera.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct CameraStatus {
    /// As configured.
    pub name: String,
    /// starting, live, failed or stopped.
    pub state: &'static str,
    /// Why it failed and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Seconds since its pictures stopped, present while it has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub away_s: Option<u64>,
    /// Pictures encoded since the start.
    pub encoded: u64,
    /// Pictures since the start that viewers missed because their queue was full.
    pub viewers_dropped: u64,
    /// Its encoded forms: full, low (smaller, for slow networks) and vp8 (for browsers
    /// without H.264), each encoded only while somebody looks.
    #[schema(value_type = HashMap<String, RenditionStatus>)]
    pub renditions: BTreeMap<&'static str, RenditionStatus>,
    /// What it shows, present while it is live.
    #[serde(flatten)]
    pub live: Option<LiveStatus>,
}

/// What a live camera shows.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct LiveStatus {
    /// In words: "demo clip", "camera /dev/video0".
    pub source: String,
    /// The encoder's element.
    pub encoder: String,
    /// Why this encoder.
    pub encoder_reason: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames a second.
    pub framerate: f32,
}

/// One encoded form of a camera's picture.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct RenditionStatus {
    /// For whom it is encoded now.
    pub viewers: usize,
    /// Pictures encoded since the start.
    pub encoded: u64,
    /// Pictures since the start that viewers missed because their queue was full.
    pub dropped: u64,
    /// Why it cannot be had now, present while it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// How it is encoded, present while it is.
    #[serde(flatten)]
    #[schema(value_type = EncodingStatus)]
    pub encoding: Option<EncodingStatus>,
}

/// How a form is encoded.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct EncodingStatus {
    /// What the encoder aims at, which follows the viewers' networks.
    #[schema(required = false)]
    pub bitrate_kbps: u32,
    /// Pixels.
    #[schema(required = false)]
    pub width: u32,
    /// Pixels.
    #[schema(required = false)]
    pub height: u32,
    /// Frames a second.
    #[schema(required = false)]
    pub framerate: f32,
}

/// What recognition does.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct RecognitionStatus {
    /// starting, running or failed.
    pub state: &'static str,
    /// Why it failed and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Name and version of the model bundle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What it does: classify, classify-window, detect, hand-landmarks or hand-sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<&'static str>,
    /// Why results are fewer or worse than they should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub degraded: Option<String>,
    /// Frames that the model has answered for since the start.
    pub results: u64,
    /// Frames since the start that gave an error in place of a result.
    pub failed: u64,
    /// Results a second, over the last five seconds.
    pub results_per_s: f64,
    /// Frames skipped since the start because recognition was busy.
    pub dropped: u64,
}

impl App {
    /// The present state of everything.
    #[must_use]
    pub(super) fn status(&self) -> Status {
        let recognition = self.recognition.borrow().clone();
        let settled = self.settled.borrow().now.clone();
        let waits = &settled.sessions.reconnect_waits;
        Status {
            version: env!("CARGO_PKG_VERSION"),
            uptime_s: self.started.elapsed().as_secs(),
            login: self.access.entry() == super::Entry::Password,
            reconnect_waits_s: waits.iter().map(Duration::as_secs_f64).collect(),
            degraded: self.degraded(),
            cameras: self.cameras.iter().map(camera).collect(),
            recognition: self.recognition_status(recognition),
            sessions: self.sessions.status().borrow().clone(),
            refused: self.refusals.status(),
            process: ProcessStatus::read(),
        }
    }

    /// Why not everything works; empty when it does.
    pub(super) fn degraded(&self) -> Vec<String> {
        let failed = self.cameras.iter().filter_map(|camera| match &*camera.status().borrow() {
            camera::Status::Failed(away) => {
                Some(format!("camera {}: {}", camera.name(), away.reason))
            }
            _ => None,
        });
        let mut degraded: Vec<String> = failed.collect();
        degraded.extend(match &*self.recognition.borrow() {
            recognition::Status::Starting => None,
            recognition::Status::Running { degraded, .. } => degraded.clone(),
            recognition::Status::Failed(reason) => Some(format!("recognition: {reason}")),
        });
        for camera in &self.cameras {
            let missing =
                Form::ALL.into_iter().filter_map(|form| camera.renditions().has(form).err());
            let lost = missing.filter(|missing| missing.for_now);
            degraded.extend(lost.map(|missing| format!("camera {}: {missing}", camera.name())));
        }
        let settled = self.settled.borrow().clone();
        degraded.extend(settled.remarks.iter().map(|remark| format!("configuration: {remark}")));
        let warnings = self.known.borrow().warnings.clone();
        degraded.extend(warnings.iter().map(|warning| format!("device: {}", warning.line())));
        degraded.extend(self.left.iter().cloned());
        let parked = self.sessions.status().borrow().parked;
        if parked > 0 {
            degraded.push(format!("sessions: {parked} pipelines of former viewers do not stop"));
        }
        degraded
    }

    /// Whether recognition has no model that works.
    pub(super) fn lacks_model(&self) -> bool {
        matches!(*self.recognition.borrow(), recognition::Status::Failed(_))
    }

    fn recognition_status(&self, status: recognition::Status) -> RecognitionStatus {
        let tally = *self.tally.borrow();
        let (state, reason, model, degraded) = match status {
            recognition::Status::Starting => ("starting", None, None, None),
            recognition::Status::Running { model, degraded } => {
                ("running", None, Some(model), degraded)
            }
            recognition::Status::Failed(reason) => ("failed", Some(reason), None, None),
        };
        let task = model.as_ref().and_then(|_| self.bundles.listing().borrow().task());
        RecognitionStatus {
            state,
            reason,
            model,
            task,
            degraded,
            results: tally.results,
            failed: tally.failed,
            results_per_s: (tally.per_second * 10.0).round() / 10.0,
            dropped: tally.dropped,
        }
    }

    /// Whether the first camera, or something in its place, has been shown.
    #[must_use]
    pub fn shows_pictures(&self) -> bool {
        self.cameras.first().is_some_and(Camera::has_shown)
    }

    /// What an operator wants to know first, on one line.
    #[must_use]
    pub fn in_words(&self) -> String {
        let cameras = self.cameras.iter().map(|camera| {
            let what = match &*camera.status().borrow() {
                camera::Status::Starting => "starting".to_owned(),
                camera::Status::Live(live) => live.source.clone(),
                camera::Status::Failed(away) => format!("no picture: {}", away.reason),
                camera::Status::Stopped => "stopped on request".to_owned(),
            };
            format!("{}: {what}", camera.name())
        });
        let cameras: Vec<String> = cameras.collect();
        let recognition = match &*self.recognition.borrow() {
            recognition::Status::Starting => "recognition starts".to_owned(),
            recognition::Status::Running { model, .. } => format!("{model} reads"),
            recognition::Status::Failed(_) => "recognition is off".to_owned(),
        };
        let viewers = self.sessions.status().borrow().viewers;
        format!("{}; {recognition}; {viewers} viewers", cameras.join("; "))
    }
}

/// What one camera is doing.
pub fn camera(camera: &Camera) -> CameraStatus {
    let (state, away, live) = match camera.status().borrow().clone() {
        camera::Status::Starting => ("starting", None, None),
        camera::Status::Live(live) => ("live", None, Some(live)),
        camera::Status::Failed(away) => ("failed", Some(away), None),
        camera::Status::Stopped => ("stopped", None, None),
    };
    let away_s = away.as_ref().map(|away| away.since.elapsed().as_secs());
    let live = live.map(|live| LiveStatus {
        source: live.source,
        encoder: live.encoder,
        encoder_reason: live.encoder_reason,
        width: live.width,
        height: live.height,
        framerate: live.framerate,
    });
    let renditions: BTreeMap<&str, RenditionStatus> =
        Form::ALL.into_iter().map(|form| (form.as_str(), rendition(camera, form))).collect();
    CameraStatus {
        name: camera.name().to_owned(),
        state,
        reason: away.map(|away| away.reason),
        away_s,
        encoded: renditions.values().map(|rendition| rendition.encoded).sum(),
        viewers_dropped: renditions.values().map(|rendition| rendition.dropped).sum(),
        renditions,
        live,
    }
}

fn rendition(camera: &Camera, form: Form) -> RenditionStatus {
    let encoding = camera.encodings().borrow()[form];
    let renditions = camera.renditions();
    RenditionStatus {
        viewers: renditions.viewers(form),
        encoded: renditions.encoded(form),
        dropped: renditions.dropped(form),
        missing: renditions.has(form).err().map(|missing| missing.reason),
        encoding: encoding.map(|Encoding { bitrate_kbps, width, height, framerate }| {
            EncodingStatus { bitrate_kbps, width, height, framerate }
        }),
    }
}
