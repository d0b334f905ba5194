//! Flow A from frames to captions, in reading order: the choice among frames
//! that wait ([`backlog`]), the view of a video frame ([`picture`]), what a task
//! makes of it (`signs`, `pictures` and `detector`, with [`normalise`] and
//! [`resize`] for the model's input and [`window`] for the past), the label and
//! what is committed ([`judge`], [`stabiliser`]), the text that adds up to
//! ([`transcript`]), and the [`chain`] of them all with what it says about a
//! frame. All but the worker are pure: time, pictures and the interpreter come
//! from outside.

pub mod backlog;
pub mod boxes;
pub mod chain;
mod detector;
pub mod exchange;
pub mod judge;
pub mod normalise;
mod pace;
pub mod picture;
mod pictures;
mod prediction;
pub mod probation;
pub mod resize;
mod settings;
mod signs;
pub mod stabiliser;
mod status;
pub mod transcript;
pub mod window;
pub mod worker;

pub use chain::{Chain, Reading};
pub use prediction::{Hand, Prediction, Thing, Timing};
pub use status::Status;
