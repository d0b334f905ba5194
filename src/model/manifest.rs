//! What a bundle's `manifest.toml` promises, format 1; `models/README.md` tells its author
//! every key.
//!
//! It is read into [`raw`], key by key, and checked into this module's types, which hold
//! only what can be run. What needs the other files of the bundle, such as the number of
//! labels, is checked by [`super::Bundle`]; what needs the model, by [`super::tensors`].

use std::collections::BTreeMap;

mod check;
mod raw;

pub use raw::{Activation, Colour, Order, Resize, Size};

use crate::runtime::Kind;

/// The manifest's file name in a bundle's folder.
pub const FILE: &str = "manifest.toml";
/// The label that means "nothing of what the model knows".
pub const NONE: &str = "none";
/// The format that is read.
pub const FORMAT: u32 = 1;
/// Values of one element of a window of hands: x, y, z of 21 landmarks, and 1 for "a hand".
pub const ELEMENT_VALUES: usize = 64;

/// What a manifest says, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The bundle's name: 1 to 64 of a-z, 0-9, `.`, `_` and `-`, so it can name a folder.
    pub name: String,
    /// The bundle's version, 1 to 32 printable characters.
    pub version: String,
    /// Its licence, such as an SPDX expression.
    pub licence: String,
    /// What it does.
    pub task: Task,
    /// Threads that the model is made for, if it says so: an upper bound.
    pub threads: Option<usize>,
    /// What it must read on this very device.
    pub golden: Golden,
    /// sha256 of each file, 64 hexadecimal digits, by its name in the folder.
    pub files: BTreeMap<String, String>,
}

/// What a bundle does.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// `classify` and `classify-window`: a label for one picture, or for T of them.
    Classify(Classify),
    /// `detect`: labelled boxes in one picture.
    Detect(Detect),
    /// `hand-landmarks`: the hands in one picture, by the cascade alone.
    HandLandmarks,
    /// `hand-sign`: a label for a window of hands.
    HandSign(HandSign),
}

/// A label for one picture, or for T of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Classify {
    /// The model.
    pub model: Model,
    /// How a picture becomes values.
    pub picture: Picture,
    /// For `classify-window`: which pictures, and how they lie in the tensor.
    pub window: Option<(Window, Layout)>,
    /// Shape `[1, labels]`.
    pub scores: Tensor,
    /// What is made of the scores.
    pub judging: Judging,
    /// How the stabiliser decides; its own keys, read by it.
    pub stabiliser: toml::Table,
}

/// Labelled boxes in one picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Detect {
    /// The model.
    pub model: Model,
    /// How a picture becomes values.
    pub picture: Picture,
    /// Where the boxes are.
    pub boxes: Boxes,
    /// What is made of the scores.
    pub judging: Judging,
}

/// A label for a window of hands.
#[derive(Clone, Debug, PartialEq)]
pub struct HandSign {
    /// The model; its input is `[1, frames, 64]`.
    pub model: Model,
    /// Which hands.
    pub window: Window,
    /// Shape `[1, labels]`.
    pub scores: Tensor,
    /// What is made of the scores.
    pub judging: Judging,
    /// How the stabiliser decides; its own keys, read by it.
    pub stabiliser: toml::Table,
}

/// A model file and its one input.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// File name in the bundle's folder.
    pub file: String,
    /// The one input.
    pub input: Tensor,
}

/// A tensor as the manifest has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Which of its side's.
    pub place: Place,
    /// Dimensions, outermost first.
    pub shape: Vec<usize>,
    /// Type of its elements.
    pub kind: Kind,
}

/// Which tensor of its side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the order of its graph (`get_output_details()` of `tf.lite.Interpreter`), from 0.
    Index(usize),
    /// By its name in the model file.
    Name(String),
}

/// How a picture becomes values: resized, its channels in this order, then
/// `(code - mean) / std` of codes from 0 to 255.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Pixels.
    pub width: usize,
    /// Pixels.
    pub height: usize,
    /// Which channels, in which order.
    pub colour: Colour,
    /// Of each channel; of grey, the first.
    pub mean: [f32; 3],
    /// Of each channel, not 0; of grey, the first.
    pub std: [f32; 3],
    /// What happens to a frame of another aspect.
    pub resize: Resize,
}

impl Colour {
    /// Values of one pixel.
    #[must_use]
    pub fn channels(self) -> usize {
        match self {
            Self::Rgb | Self::Bgr => 3,
            Self::Grey => 1,
        }
    }
}

impl Picture {
    /// Values of one picture.
    #[must_use]
    pub fn values(&self) -> usize {
        self.width * self.height * self.colour.channels()
    }
}

/// Which elements of the past the model looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Number of elements.
    pub frames: usize,
    /// Elements in a second.
    pub rate_hz: f64,
    /// A result for every so many elements of that rate; without a number, for every frame.
    pub hop: Option<usize>,
}

/// How the pictures of a window lie in the tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `[1, T, H, W, C]`: one after the other.
    Time,
    /// `[1, H, W, T * C]`: the channels of one pixel in all pictures, oldest first.
    Channels,
}

/// What is made of the scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Judging {
    /// File of the labels: one a line, in the order of the scores.
    pub labels: String,
    /// What makes probabilities of the scores.
    pub activation: Activation,
    /// Probability from which a label is told, 0 to 1.
    pub threshold: f32,
    /// The same for single labels.
    pub thresholds: BTreeMap<String, f32>,
}

/// Where a detector's boxes are.
#[derive(Clone, Debug, PartialEq)]
pub enum Boxes {
    /// Post-processed in the graph, as TFLite_Detection_PostProcess gives them.
    Ssd {
        /// `[1, boxes, 4]`: top, left, bottom, right as fractions of the input.
        boxes: Tensor,
        /// `[1, boxes]`: the label's number.
        classes: Tensor,
        /// `[1, boxes]`.
        scores: Tensor,
        /// `[1]`: how many of the boxes are meant.
        count: Tensor,
    },
    /// Offsets from anchors.
    Anchors {
        /// `[1, anchors, 4 or more]`.
        boxes: Tensor,
        /// `[1, anchors, labels]`, one more with a background.
        scores: Tensor,
        /// What the offsets are from.
        anchors: Anchors,
    },
}

/// Anchors in the centres of grids, and how offsets from them are meant (SSD, Liu et al. 2016).
#[derive(Clone, Debug, PartialEq)]
pub struct Anchors {
    /// In the order of the tensor: layer by layer, row by row, cell by cell, box by box.
    pub layers: Vec<Layer>,
    /// Order of the four values.
    pub order: Order,
    /// How width and height are meant.
    pub size: Size,
    /// What x, y, width and height are divided by, each above 0.
    pub scale: [f32; 4],
    /// Whether the first score is that of "nothing".
    pub background: bool,
    /// Overlap (intersection over union) from which two boxes are one, above 0 and at most 1.
    pub overlap: f32,
}

/// One grid of anchors.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Cells down and across.
    pub grid: [usize; 2],
    /// Width and height of a cell's anchors, as fractions of the input.
    pub boxes: Vec<[f32; 2]>,
}

impl Anchors {
    /// Number of anchors.
    #[must_use]
    pub fn count(&self) -> usize {
        self.layers.iter().map(|layer| layer.grid[0] * layer.grid[1] * layer.boxes.len()).sum()
    }
}

/// A clip whose reading is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Golden {
    /// File name in the bundle's folder.
    pub clip: String,
    /// File with what the bundle must read in it (see `golden`).
    pub expected: String,
}

impl Manifest {
    /// Reads a manifest's text.
    ///
    /// # Errors
    /// All problems, a sentence each; of text that is no TOML or has a key or value that the
    /// format does not know, the first, with its line.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        let raw = toml::from_str(text)
            .map_err(|error| vec![error.to_string().trim_end().replace('\n', " ")])?;
        check::check(raw)
    }

    /// The model and everything that it needs to run; `None` for `hand-landmarks`.
    #[must_use]
    pub fn model(&self) -> Option<&Model> {
        match &self.task {
            Task::Classify(task) => Some(&task.model),
            Task::Detect(task) => Some(&task.model),
            Task::HandSign(task) => Some(&task.model),
            Task::HandLandmarks => None,
        }
    }

    /// What is made of the model's scores.
    #[must_use]
    pub fn judging(&self) -> Option<&Judging> {
        match &self.task {
            Task::Classify(task) => Some(&task.judging),
            Task::Detect(task) => Some(&task.judging),
            Task::HandSign(task) => Some(&task.judging),
            Task::HandLandmarks => None,
        }
    }

    /// Whether the device's hand models are needed, too.
    #[must_use]
    pub fn needs_hands(&self) -> bool {
        matches!(self.task, Task::HandLandmarks | Task::HandSign(_))
    }
}

impl Task {
    /// The task's name in a manifest.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Classify(Classify { window: None, .. }) => "classify",
            Self::Classify(_) => "classify-window",
            Self::Detect(_) => "detect",
            Self::HandLandmarks => "hand-landmarks",
            Self::HandSign(_) => "hand-sign",
        }
    }
}

#[cfg(test)]
#[path = "manifest/tests.rs"]
pub(crate) mod tests;
