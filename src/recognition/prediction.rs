//! What recognition says about one frame.

use gstreamer as gst;
use serde::Serialize;

use super::boxes::Found;
use crate::cascade::{self, Handedness, LANDMARKS};

/// The result for one camera frame, before a viewer's RTP time is put to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Rises by one with every result of a camera.
    pub seq: u64,
    /// Running time of the frame (see [`crate::clock::Clock`]).
    pub captured_at: gst::ClockTime,
    /// Present label in upper case, or `None` for no sign.
    pub label: Option<String>,
    /// Probability of `label` (of "none" if there is no label), 0..1.
    pub score: f32,
    /// Text that this frame committed: a sign or a space.
    pub committed: Option<String>,
    /// The last 64 characters committed by this camera.
    pub transcript: String,
    /// Characters committed by this camera since start, those that have left
    /// `transcript` included: for viewers that cleared their view.
    pub committed_total: u64,
    /// The most probable labels, best first, at most five.
    pub top: Vec<(String, f32)>,
    /// Hands in the picture, at most two.
    pub hands: Vec<Hand>,
    /// Labelled boxes in the picture, best first, at most twenty.
    pub boxes: Vec<Thing>,
    /// Where the time went.
    pub timing_ms: Timing,
    /// Frames skipped since start because recognition was busy.
    pub dropped: u64,
    /// Whether the model says this of this very frame, see [`super::Reading::answered`].
    pub answered: bool,
}

/// One hand in the picture, as viewers and `signpost read` are told of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hand {
    /// The signer's own hand, in an unmirrored picture.
    pub handedness: Handedness,
    /// Presence of a hand, 0..1 (output `Identity_1` of `hand_landmark_full`).
    pub score: f32,
    /// x and y as fractions of the picture's width and height, z as fraction of
    /// its width with the wrist at 0, negative towards the camera.
    pub landmarks: [[f32; 3]; LANDMARKS],
}

/// A labelled box, as viewers and `signpost read` are told of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Thing {
    /// What it is.
    pub label: String,
    /// Probability of that, 0..1.
    pub score: f32,
    /// Left, top, right and bottom as fractions of the picture.
    #[serde(rename = "box")]
    pub edges: [f32; 4],
}

impl Thing {
    /// With the label's name.
    pub fn new(found: &Found, names: &[String]) -> Self {
        Self { label: names[found.label].clone(), score: found.score, edges: found.edges }
    }
}

impl From<&cascade::Hand> for Hand {
    fn from(hand: &cascade::Hand) -> Self {
        Self {
            handedness: hand.handedness,
            score: rounded(hand.presence),
            landmarks: hand.landmarks.map(|point| point.map(rounded)),
        }
    }
}

/// To four decimals: a twentieth of a pixel at 640, and short in JSON.
pub(super) fn rounded(value: f32) -> f32 {
    (value * 1e4).round() / 1e4
}

/// Times in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Timing {
    /// From the frame's capture to this result.
    pub capture_to_result: f32,
    /// Palm detection, 0 where it did not run.
    pub detect: f32,
    /// Hand landmarks of all hands.
    pub landmarks: f32,
    /// The picture as a model's input, where it is one.
    pub prepare: f32,
    /// Window and model.
    pub classify: f32,
}
