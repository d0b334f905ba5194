//! Flow C: a key in a file, a variable or an argument becomes a valid value.
//!
//! [`load`] reads texts, [`layer`] lays them over each other (arguments over
//! environment over overrides over drop-ins over the file), [`validate`] makes
//! the one [`Config`] whose values need no further check, or tells all
//! [`Problems`] at once. [`Running`] is one of which some values change later.

pub mod keys;
mod layer;
mod load;
mod problem;
mod running;
#[cfg(test)]
mod tests;
mod validate;
mod values;
mod words;

use std::path::Path;

pub use layer::Layer;
pub use load::{ConfigError, DEFAULT_FILE, load, state_dir};
pub use problem::{Origin, Problem, Problems, without_secrets};
pub use running::{Change, Refused, Running};
pub use values::{
    Access, Camera, Config, Effective, Encoder, Flip, Http, Ice, IceServer, Log, Model, Sessions,
    Source, TransportPolicy, Watchdog, is_loopback,
};

/// Lays `layers` over each other, the last on top, and validates the result.
/// Relative file names are taken from `state_dir`.
pub fn read(layers: &[Layer], state_dir: &Path) -> Result<Config, Problems> {
    let (settings, mut problems) = layer::merge(layers);
    let (config, invalid) = validate::validate(&settings, state_dir);
    problems.extend(invalid);
    if problems.is_empty() { Ok(config) } else { Err(Problems(problems)) }
}
