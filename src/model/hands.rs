//! MediaPipe's two hand models, as `models/hands/manifest.toml` pins them.

use std::path::Path;

use serde::Deserialize;

use super::{ModelError, load};
use crate::runtime::{Interpreter, LiteRt};

/// Side of the palm model's square picture, in pixels.
pub const PALM_SIDE: usize = 192;
/// Boxes that the palm model judges in one picture.
pub const PALM_BOXES: usize = 2016;
/// Values of one box: centre, size and seven key points.
pub const PALM_BOX_VALUES: usize = 18;
/// Side of the landmark model's square picture, in pixels.
pub const HAND_SIDE: usize = 224;
/// Values of its image landmarks and of its world landmarks: 21 points x, y, z.
pub const HAND_VALUES: usize = 63;

/// The manifest is part of the program: the cascade is written against exactly these files.
const MANIFEST: &str = include_str!("../../models/hands/manifest.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pins {
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "version")]
    _version: String,
    palm: Pin,
    landmark: Pin,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pin {
    file: String,
    sha256: String,
}

/// The loaded pair, to be given to a cascade.
pub struct HandModels {
    /// Finds palms in the whole frame.
    pub palm: Box<dyn Interpreter>,
    /// Finds 21 landmarks in one hand's region.
    pub landmark: Box<dyn Interpreter>,
}

impl HandModels {
    /// Loads both from `folder`, each with so many threads.
    ///
    /// # Errors
    /// [`ModelError`] for a file that is missing, damaged or of another shape.
    pub fn load(runtime: &LiteRt, folder: &Path, threads: usize) -> Result<Self, ModelError> {
        let pins: Pins = toml::from_str(MANIFEST).map_err(|error| ModelError::Manifest {
            path: "models/hands/manifest.toml".into(),
            problems: vec![error.message().to_owned()],
        })?;
        let (palm, hand) = (PALM_SIDE, HAND_SIDE);
        let one = |pin: &Pin, inputs: &[&[usize]], outputs: &[&[usize]]| {
            load(runtime, &folder.join(&pin.file), &pin.sha256, threads, inputs, outputs)
        };
        Ok(Self {
            palm: one(
                &pins.palm,
                &[&[1, palm, palm, 3]],
                &[&[1, PALM_BOXES, PALM_BOX_VALUES], &[1, PALM_BOXES, 1]],
            )?,
            landmark: one(
                &pins.landmark,
                &[&[1, hand, hand, 3]],
                &[&[1, HAND_VALUES], &[1, 1], &[1, 1], &[1, HAND_VALUES]],
            )?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use super::*;

    #[test]
    fn the_shipped_manifest_parses() {
        let pins: Pins = toml::from_str(MANIFEST).unwrap();
        assert_eq!(pins.palm.file, "palm_detection_full.tflite");
        assert_eq!(pins.landmark.sha256.len(), 64);
    }
}
