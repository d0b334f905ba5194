//! Renders a signer who fingerspells.
//!
//! text -> [`timeline`] -> [`pose`] -> [`hand`] -> [`body`] -> [`field`] -> [`render`] -> [`clip`]

pub mod backdrop;
pub mod body;
pub mod clip;
pub mod dice;
pub mod example;
pub mod field;
pub mod hand;
pub mod letters;
pub mod pose;
pub mod render;
pub mod skin;
pub mod space;
pub mod stroke;
pub mod timeline;
