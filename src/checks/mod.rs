//! What is checked on request, by the API, by `signpost check` and by `signpost diagnose`: the
//! form of a [`Step`], and the findings on a configuration.

pub mod configuration;
mod step;

pub use configuration::{Finding, Outcome};
pub use step::{Checked, Step, Verdict};
