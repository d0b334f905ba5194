//! signpost: firmware of an edge camera that shows its picture and reads it.
//!
//! Three flows, each told by the modules in the order of their names below:
//!
//! A. A frame becomes a caption: `pipelines/*.launch` -> [`camera`] -> raw
//!    frames -> [`cascade`] -> [`recognition`] (window, interpreter, stabiliser)
//!    -> [`sessions`] (outbox, data channel) -> the page's overlay.
//!
//! B. An offer becomes a picture: page -> [`http`] (`POST /whep`) ->
//!    [`sessions`] (offer checks, one webrtcbin a viewer) -> answer; encoded
//!    pictures go from [`camera`] to every viewer's pipeline.
//!
//! C. A key becomes an effect: `signpost.toml` or environment -> [`config`]
//!    (parsed, validated) -> the one owner that uses it.

pub mod camera;
pub mod cascade;
pub mod cli;
pub mod clock;
pub mod config;
pub mod errors;
pub mod http;
pub mod model;
pub mod recognition;
pub mod runtime;
pub mod sessions;
