//! signpost: firmware of an edge camera that shows its picture and reads it.
//!
//! Three flows; the modules are listed below in the order in which they are read:
//!
//! A. A frame becomes a caption: `pipelines/*.launch` -> [`camera`] -> raw
//!    frames -> [`cascade`] -> [`recognition`] (window, interpreter, stabiliser)
//!    -> [`sessions`] (outbox, data channel) -> the page's overlay.
//!
//! B. An offer becomes a picture: page -> [`http`] (`POST /whep`) ->
//!    [`sessions`] (offer checks, one webrtcbin a viewer) -> answer; encoded
//!    pictures go from [`camera`] to every viewer's pipeline.
//!
//! C. A key becomes an effect: `signpost.toml`, `overrides.toml` (what the API
//!    changed) or environment -> [`config`] (parsed, validated) -> the one owner
//!    that uses it, at once or after a restart.

// In reading order, which blank lines keep from being sorted.
pub mod clock;
pub mod errors;
pub mod files;
pub mod spread;

pub mod config;

pub mod camera;

pub mod runtime;

pub mod model;

pub mod cascade;

pub mod recognition;

pub mod sessions;

pub mod history;

pub mod device;

pub mod tls;

pub mod support;

pub mod checks;

pub mod http;

pub mod diagnose;

pub mod cli;
