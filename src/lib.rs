//! signpost: firmware of an edge camera.
pub mod recognition;
