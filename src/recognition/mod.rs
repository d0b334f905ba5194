//! Flow A from landmarks to captions, in reading order: the window of recent
//! results, the tensor made from it, the state machine that commits signs,
//! and the text they add up to. Pure: time, pictures and the interpreter come
//! from outside.

pub mod normalise;
mod prediction;
pub mod stabiliser;
mod status;
pub mod transcript;
pub mod window;

pub use prediction::{Hand, Handedness, Prediction, Timing};
pub use status::Status;
