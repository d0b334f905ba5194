//! Flow C: a key in a file, a variable or an argument becomes a valid value.
//!
//! [`load`] reads texts, [`layer`] lays them over each other (arguments over
//! environment over overrides over drop-ins over the file), [`validate`] makes
//! the one [`Config`] whose values need no further check, or tells all
//! [`Problems`] at once. [`overrides`] is what was changed through the API, and
//! [`running`] what a change does to a program that runs; both are pure. [`shelf`]
//! keeps `overrides.toml`, and [`Keeper`] owns all of it.

mod keeper;
pub mod keys;
mod layer;
mod load;
mod overrides;
mod ownership;
mod problem;
mod running;
mod secrets;
mod servers;
mod shelf;
#[cfg(test)]
mod tests;
mod validate;
mod values;
mod words;

use std::path::Path;

pub use keeper::{Keeper, Outcome, Settled};
pub use keys::By;
pub use layer::Layer;
pub use load::{ConfigError, DEFAULT_FILE, load, state_dir};
pub use ownership::complaints;
pub use problem::{Origin, Problem, Problems, without_secrets};
pub use running::{Change, Refused};
pub use values::{
    Access, Camera, Config, Effective, Encoder, Flip, Http, Ice, IceServer, Log, Model, Plain,
    Sessions, Source, TransportPolicy, Watchdog, is_loopback,
};

/// Lays `layers` over each other, the last on top, and validates the result.
/// Relative file names are taken from `state_dir`.
pub fn read(layers: &[Layer], state_dir: &Path) -> Result<Config, Problems> {
    overrides::compose(layers, &Default::default(), &[], state_dir)
}
