//! The manifest as it is written: every key of the format, nothing checked but its type.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::runtime::Kind;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) format: u32,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) licence: String,
    pub(super) task: Task,
    pub(super) threads: Option<usize>,
    pub(super) model: Option<Model>,
    pub(super) input: Option<Input>,
    pub(super) window: Option<Window>,
    pub(super) output: Option<Output>,
    pub(super) anchors: Option<Anchors>,
    pub(super) stabiliser: Option<toml::Table>,
    pub(super) golden: Golden,
    pub(super) files: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Task {
    Classify,
    ClassifyWindow,
    Detect,
    HandLandmarks,
    HandSign,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Model {
    pub(super) file: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    pub(super) shape: Vec<usize>,
    #[serde(rename = "type")]
    pub(super) kind: Kind,
    pub(super) colour: Option<Colour>,
    pub(super) mean: Option<Numbers>,
    pub(super) std: Option<Numbers>,
    pub(super) resize: Option<Resize>,
    pub(super) frames: Option<Frames>,
}

/// Which channels a picture has, in which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
    /// Luma alone (ITU-R BT.601 or 709, as the camera has it), full range.
    Grey,
}

/// What happens to a frame of another aspect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resize {
    /// Its aspect is changed.
    Stretch,
    /// All of it is seen, with black beside it.
    Letterbox,
    /// Its middle is seen.
    Crop,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Frames {
    Time,
    Channels,
}

/// One number for every channel, or one each.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Numbers {
    All(f32),
    Each(Vec<f32>),
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Window {
    pub(super) frames: usize,
    pub(super) rate_hz: f64,
    pub(super) hop: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Output {
    pub(super) labels: String,
    pub(super) activation: Option<Activation>,
    pub(super) threshold: Option<f32>,
    #[serde(default)]
    pub(super) thresholds: BTreeMap<String, f32>,
    pub(super) scores: Tensor,
    pub(super) boxes: Option<Tensor>,
    pub(super) classes: Option<Tensor>,
    pub(super) count: Option<Tensor>,
}

/// What makes probabilities of scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// They are probabilities.
    None,
    /// 1 / (1 + exp(-x)) of each.
    Sigmoid,
    /// exp(x) of each, divided by their sum.
    Softmax,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tensor {
    pub(super) name: Option<String>,
    pub(super) index: Option<usize>,
    pub(super) shape: Vec<usize>,
    #[serde(rename = "type")]
    pub(super) kind: Kind,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Anchors {
    pub(super) layers: Vec<Layer>,
    pub(super) order: Order,
    pub(super) size: Size,
    pub(super) scale: [f32; 4],
    pub(super) background: Option<bool>,
    pub(super) overlap: Option<f32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Layer {
    pub(super) grid: [usize; 2],
    pub(super) boxes: Vec<[f32; 2]>,
}

/// Order of a box's values: its centre and its sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// x, y, width, height.
    Xywh,
    /// y, x, height, width.
    Yxhw,
}

/// How a box's sides follow from the anchor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Size {
    /// value / scale * side.
    Linear,
    /// exp(value / scale) * side.
    Exponential,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Golden {
    pub(super) clip: String,
    pub(super) expected: String,
}
