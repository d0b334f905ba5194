//! Flow A from landmarks to captions: window, interpreter, stabiliser.

mod prediction;

pub use prediction::{Hand, Handedness, Prediction, Timing};
