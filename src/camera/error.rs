//! What can go wrong with a camera, in the operator's words.

use std::path::PathBuf;

use gstreamer as gst;

/// Why a camera gives no pictures.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
pub enum Error {
    /// A clip that is to be played is not a file.
    #[error("clip {0} does not exist: check the path after file:")]
    NoClip(PathBuf),
    /// There is no camera, and the model's bundle brings no clip to show instead.
    #[error(
        "no camera was found, and there is no demo clip: the model bundle is missing or brings none"
    )]
    NoDemo,
    /// No encoder of those we know encodes here.
    #[error("no H.264 encoder works on this device; tried {0}")]
    NoEncoder(String),
    /// A pipeline description could not be built.
    #[error("camera pipeline for {words}: {problem}")]
    Build {
        /// The source.
        words: String,
        /// What GStreamer said, with the package to install where it is known.
        problem: String,
    },
    /// A running pipeline stopped.
    #[error("{words}: {problem}{hint}")]
    Stopped {
        /// The source.
        words: String,
        /// What the element said.
        problem: String,
        /// What to do about it, or nothing.
        hint: &'static str,
    },
    /// No answer from the device or the network.
    #[error("{words}: no picture within {seconds} s; is it switched on and connected?")]
    Silent {
        /// The source.
        words: String,
        /// How long we waited.
        seconds: u64,
    },
}

impl Error {
    pub(super) fn build(words: &str, error: &gst::glib::Error) -> Self {
        Self::Build { words: words.into(), problem: missing_package(error.message()) }
    }

    pub(super) fn stopped(words: &str, error: &gst::glib::Error) -> Self {
        let problem = error.message().trim_end_matches('.').to_owned();
        Self::Stopped { words: words.into(), problem, hint: hint(error) }
    }
}

/// What an operator can do about an element's error.
fn hint(error: &gst::glib::Error) -> &'static str {
    use gst::{ResourceError, StreamError};
    if error.matches(ResourceError::Busy) {
        return "; another program uses it: stop that one (fuser -v names it)";
    }
    if error.matches(ResourceError::NotFound) {
        return "; is it connected, and is its name right? (v4l2-ctl --list-devices lists cameras)";
    }
    if error.matches(ResourceError::OpenReadWrite) {
        return "; is it switched on, and is its address right?";
    }
    if error.matches(ResourceError::OpenRead) || error.matches(ResourceError::NotAuthorized) {
        return "; check the address and its password, and that the program may read it (group video)";
    }
    if error.matches(StreamError::TypeNotFound) || error.matches(StreamError::WrongType) {
        return "; is it a video file?";
    }
    if error.matches(StreamError::CodecNotFound) || error.matches(gst::CoreError::MissingPlugin) {
        return "; install gstreamer1.0-libav to decode more formats";
    }
    ""
}

/// Adds the Debian package that brings a missing element.
fn missing_package(message: &str) -> String {
    const PACKAGES: [(&str, &str); 6] = [
        ("v4l2src", "gstreamer1.0-plugins-good"),
        ("rtspsrc", "gstreamer1.0-plugins-good"),
        ("libcamerasrc", "gstreamer1.0-libcamera"),
        ("h264parse", "gstreamer1.0-plugins-bad"),
        ("x264enc", "gstreamer1.0-plugins-ugly"),
        ("decodebin", "gstreamer1.0-plugins-base"),
    ];
    match PACKAGES.iter().find(|(element, _)| message.contains(element)) {
        Some((_, package)) => format!("{message}; install the package {package}"),
        None => message.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_camera_says_what_to_do() {
        let error = gst::glib::Error::new(gst::ResourceError::Busy, "Device is busy.");
        let text = Error::stopped("camera /dev/video0", &error).to_string();
        assert!(text.starts_with("camera /dev/video0: Device is busy; another program"), "{text}");
    }

    #[test]
    fn a_missing_element_names_its_package() {
        let error = gst::glib::Error::new(gst::ParseError::NoSuchElement, "no element \"x264enc\"");
        let text = Error::build("test picture", &error).to_string();
        assert!(text.ends_with("install the package gstreamer1.0-plugins-ugly"), "{text}");
    }
}
