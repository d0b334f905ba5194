//! Flow A from landmarks to captions: window, interpreter, stabiliser.

mod prediction;

pub use prediction::{Hand, Handedness, Prediction, Timing};
//! From landmarks to a transcript, in reading order: the window of recent
//! results, the tensor made from it, the state machine that commits signs,
//! and the text they add up to. Pure: time, pictures and the interpreter come
//! from outside.

pub mod normalise;
pub mod stabiliser;
pub mod transcript;
pub mod window;
