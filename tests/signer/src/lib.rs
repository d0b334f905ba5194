//! Renders a signer who fingerspells: demo clip, golden clip and test input.
//!
//! A [`script`] (text, seed, side) becomes a [`plan`] of letters and ways
//! between them, this a [`timeline`] of poses and views, these joints
//! ([`hand`]), flesh ([`body`]), a distance field ([`field`]), a picture
//! ([`render`]) and an MP4 file with its truth ([`clip`]). All of it depends
//! on text and seed alone.

pub mod backdrop;
pub mod body;
pub mod clip;
pub mod dice;
pub mod example;
pub mod field;
pub mod hand;
pub mod letters;
pub mod plan;
pub mod pose;
pub mod render;
pub mod script;
pub mod skin;
pub mod space;
pub mod stroke;
pub mod timeline;
pub mod touch;
