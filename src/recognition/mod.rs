//! Flow A from frames to captions, in reading order: the choice among frames
//! that wait, the view of a video frame, the window of recent results, the tensor made from it, the state
//! machine that commits signs, the text they add up to, and the chain of them
//! all with what it says about a frame. Window, tensor, stabiliser and
//! transcript are pure: time, pictures and the interpreter come from outside.

pub mod backlog;
pub mod chain;
pub mod normalise;
pub mod picture;
mod prediction;
mod settings;
pub mod stabiliser;
mod status;
pub mod transcript;
pub mod window;
pub mod worker;

pub use chain::{Chain, Reading};
pub use prediction::{Hand, Prediction, Timing};
pub use status::Status;
