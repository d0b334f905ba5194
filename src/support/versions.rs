//! What is installed on the device.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use gstreamer as gst;
use gstreamer::prelude::PluginFeatureExt as _;
use serde::Serialize;

use crate::model::sum_of;

/// What is asked of the running program.
#[derive(Clone, Debug)]
pub struct About {
    /// `libLiteRt.so`, where it was found.
    pub runtime: Result<PathBuf, String>,
    /// Name, version and state of each model.
    pub models: Vec<String>,
}

/// Versions of all that a picture or a result goes through.
#[derive(Debug, Serialize)]
pub struct Versions {
    signpost: &'static str,
    gstreamer: String,
    /// Of the plugins that elements come from, by element.
    elements: BTreeMap<&'static str, String>,
    kernel: String,
    system: String,
    board: String,
    runtime: String,
    models: Vec<String>,
}

/// Elements that a picture goes through here or there.
const ELEMENTS: [&str; 8] = [
    "webrtcbin",
    "nicesrc",
    "dtlsdec",
    "x264enc",
    "openh264enc",
    "v4l2h264enc",
    "v4l2src",
    "libcamerasrc",
];

/// Reads files.
#[must_use]
pub fn versions(about: About) -> Versions {
    let runtime = about.runtime.map_or_else(|why| why, |file| library(&file));
    Versions {
        signpost: env!("CARGO_PKG_VERSION"),
        gstreamer: gst::version_string().to_string(),
        elements: ELEMENTS.into_iter().map(|name| (name, element(name))).collect(),
        kernel: file("/proc/version"),
        system: file("/etc/os-release"),
        board: file("/proc/device-tree/model"),
        runtime,
        models: about.models,
    }
}

fn element(name: &str) -> String {
    let plugin = gst::ElementFactory::find(name).and_then(|factory| factory.plugin());
    plugin.map_or("not installed".to_owned(), |plugin| plugin.version().to_string())
}

/// A file of the system, or why it is not known.
fn file(path: &str) -> String {
    match fs::read_to_string(path) {
        Ok(text) => text.trim_end_matches(['\0', '\n']).to_owned(),
        Err(error) => format!("not known: {path}: {error}"),
    }
}

/// It does not say its version; its sum does. Half of it is enough, and is no token's.
fn library(file: &Path) -> String {
    match sum_of(file) {
        Ok(sum) => format!("{}, sha256 {}..", file.display(), sum.get(..32).unwrap_or(&sum)),
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_told_so() {
        assert!(file("/nowhere/at/all").starts_with("not known: /nowhere/at/all: "));
        assert!(library(Path::new("/nowhere/at/all")).contains("/nowhere/at/all"));
    }
}
