//! The hand in one region: the region through the second model, its points put back into the
//! frame.
//!
//! Source: MediaPipe 0.10.21 `hand_landmark_cpu.pbtxt`, `landmark_projection_calculator.cc`.

use super::frame::Frame;
use super::roi::{LANDMARKS, Point, Roi};
use super::sampling::{Border, sample};
use crate::model::hands::{HAND_SIDE, HAND_VALUES};
use crate::runtime::{Interpreter, RuntimeError};

/// A hand exists if the model's presence is above this: MediaPipe's `min_tracking_confidence`,
/// which holds right after detection too.
const MIN_PRESENCE: f32 = 0.5;
/// MediaPipe's `normalize_z`.
const Z_SCALE: f64 = 0.4;

/// Which hand of the signer it is, in a picture that is not mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Handedness {
    /// The signer's own left hand.
    Left,
    /// The signer's own right hand.
    Right,
}

/// One hand in one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hand {
    /// 21 points in MediaPipe's order, wrist first: x as a fraction of the frame's width, y of
    /// its height, both possibly outside 0..1; z in widths, about 0 at the wrist, negative
    /// towards the camera.
    pub landmarks: [[f32; 3]; LANDMARKS],
    /// Whose hand it is, anatomically.
    pub handedness: Handedness,
    /// How sure the model is of `handedness`, 0.5..1.
    pub handedness_score: f32,
    /// How sure the model is that there is a hand, 0.5..1.
    pub presence: f32,
}

/// The landmark model with the memory that its steps need, so that a look allocates nothing.
pub(super) struct LandmarkFinder {
    model: Box<dyn Interpreter>,
    picture: Vec<f32>,
    points: [f32; HAND_VALUES],
    presence: [f32; 1],
    left_label: [f32; 1],
    world: [f32; HAND_VALUES],
}

impl LandmarkFinder {
    pub(super) fn new(model: Box<dyn Interpreter>) -> Self {
        Self {
            model,
            picture: vec![0.0; HAND_SIDE * HAND_SIDE * 3],
            points: [0.0; HAND_VALUES],
            presence: [0.0; 1],
            left_label: [0.0; 1],
            world: [0.0; HAND_VALUES],
        }
    }

    /// Looks into `roi`; gives the hand there, if any, and where to look in the next frame.
    pub(super) fn look(
        &mut self,
        frame: &Frame<'_>,
        roi: &Roi,
    ) -> Result<Option<(Hand, Roi)>, RuntimeError> {
        sample(frame, roi, HAND_SIDE, Border::Nearest, &mut self.picture);
        self.model.run(
            &[&self.picture],
            &mut [&mut self.points, &mut self.presence, &mut self.left_label, &mut self.world],
        )?;
        let [presence] = self.presence;
        let sound = self.points.iter().all(|value| value.is_finite());
        if !sound || presence.is_nan() || presence <= MIN_PRESENCE {
            return Ok(None);
        }
        let points = project(&self.points, roi);
        let (handedness, handedness_score) = physical(self.left_label[0]);
        let (width, height) = (frame.width() as f64, frame.height() as f64);
        let landmarks = std::array::from_fn(|index| {
            let [x, y] = points[index];
            let z = f64::from(self.points[3 * index + 2]) / HAND_SIDE as f64 / Z_SCALE * roi.size;
            [x / width, y / height, z / width].map(|value| value as f32)
        });
        let hand = Hand { landmarks, handedness, handedness_score, presence };
        Ok(Some((hand, Roi::from_landmarks(&points))))
    }
}

/// The model's points, in its own pixels, as image pixels.
fn project(values: &[f32; HAND_VALUES], roi: &Roi) -> [Point; LANDMARKS] {
    let fraction = |value: f32| f64::from(value) / HAND_SIDE as f64 - 0.5;
    std::array::from_fn(|index| {
        roi.to_image(fraction(values[3 * index]), fraction(values[3 * index + 1]))
    })
}

/// The model's labels assume a mirrored selfie: "Left" in an unmirrored picture is the
/// signer's right hand (mirroring a photograph flipped the label in 45 of 45).
fn physical(left_label: f32) -> (Handedness, f32) {
    if left_label > 0.5 {
        (Handedness::Right, left_label)
    } else {
        (Handedness::Left, 1.0 - left_label)
    }
}
