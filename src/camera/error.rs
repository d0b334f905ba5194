//! What can go wrong with a camera, in the operator's words.

use std::path::PathBuf;

use gstreamer as gst;

use super::source::{Chosen, Pace};

/// Why a camera gives no pictures.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
pub enum Error {
    /// A clip that is to be played is not a file.
    #[error("clip {0} does not exist or is not a file: check the path after file:")]
    NoClip(PathBuf),
    /// There is no camera, and the model's bundle brings no clip to show instead.
    #[error(
        "no camera was found, and there is no demo clip: the model bundle is missing or brings none"
    )]
    NoDemo,
    /// There was a camera, and it is gone.
    #[error("no camera is connected; plugged in, it is shown by itself")]
    NoCamera,
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
    /// The whole picture cannot be encoded, or no longer.
    #[error("{words}: {problem}; encoder.prefer names another to try first")]
    Encoder {
        /// The source.
        words: String,
        /// Which encoder, and what was said of it.
        problem: String,
    },
    /// No answer from the device or the network.
    #[error("{words}: no picture within {seconds} s{hint}")]
    Silent {
        /// The source.
        words: String,
        /// How long we waited.
        seconds: u64,
        /// What to do about it.
        hint: &'static str,
    },
    /// Nobody is at a network camera's address.
    #[error("{words}: {problem}; is it switched on, and is its address right?")]
    Unreachable {
        /// The source.
        words: String,
        /// What kept us from it.
        problem: String,
    },
    /// A device hangs in a call of its driver.
    #[error("{words}: the device does not let go; unplug it, or restart this device")]
    Stuck {
        /// The source.
        words: String,
    },
}

impl Error {
    pub(super) fn build(words: &str, error: &gst::glib::Error) -> Self {
        Self::Build { words: words.into(), problem: missing_package(error.message()) }
    }

    pub(super) fn stopped(chosen: &Chosen, error: &gst::glib::Error) -> Self {
        let problem = error.message().trim_end_matches('.').to_owned();
        let hint = match chosen.pace {
            Pace::Device => hint(error),
            Pace::Clip => clip_hint(error),
        };
        Self::Stopped { words: chosen.words.clone(), problem, hint }
    }

    pub(super) fn encoder(chosen: &Chosen, element: &str, error: &gst::glib::Error) -> Self {
        Self::Encoder { words: chosen.words.clone(), problem: gave_up(element, error) }
    }

    pub(super) fn ended(chosen: &Chosen) -> Self {
        let problem = "it sends no more pictures".to_owned();
        Self::Stopped { words: chosen.words.clone(), problem, hint: SWITCHED_ON }
    }

    pub(super) fn empty(chosen: &Chosen) -> Self {
        let problem = "it ended without a picture".to_owned();
        Self::Stopped { words: chosen.words.clone(), problem, hint: WHOLE_FILE }
    }

    pub(super) fn unplugged(chosen: &Chosen) -> Self {
        let problem = "it was pulled out".to_owned();
        Self::Stopped { words: chosen.words.clone(), problem, hint: PLUG_IN }
    }

    pub(super) fn not_rewound(chosen: &Chosen, problem: &str) -> Self {
        let problem = format!("cannot be played again from its start: {problem}");
        let hint = "; only a file that can be wound back is looped: make it an MP4";
        Self::Stopped { words: chosen.words.clone(), problem, hint }
    }

    pub(super) fn silent(chosen: &Chosen, seconds: u64) -> Self {
        let hint = match chosen.pace {
            Pace::Device => SWITCHED_ON,
            Pace::Clip => WHOLE_FILE,
        };
        Self::Silent { words: chosen.words.clone(), seconds, hint }
    }
}

/// Why a form is not encoded.
pub(super) fn gave_up(element: &str, error: &gst::glib::Error) -> String {
    format!("the encoder {element} gave up: {}", error.message().trim_end_matches('.'))
}

const SWITCHED_ON: &str = "; is it switched on and connected?";
const PLUG_IN: &str = "; plugged in, it is shown by itself";
const WHOLE_FILE: &str = "; is it a whole video file? `signpost read FILE` says more";
const MORE_FORMATS: &str = "; install gstreamer1.0-libav to decode more formats";

/// What an operator can do about a clip's error: which element failed says little.
fn clip_hint(error: &gst::glib::Error) -> &'static str {
    if is_missing_decoder(error) { MORE_FORMATS } else { WHOLE_FILE }
}

fn is_missing_decoder(error: &gst::glib::Error) -> bool {
    error.matches(gst::StreamError::CodecNotFound) || error.matches(gst::CoreError::MissingPlugin)
}

/// What an operator can do about an element's error.
fn hint(error: &gst::glib::Error) -> &'static str {
    use gst::ResourceError;
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
    if is_missing_decoder(error) {
        return MORE_FORMATS;
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

    fn chosen(pace: Pace) -> Chosen {
        Chosen { words: "front door".into(), description: String::new(), pace, device: None }
    }

    #[test]
    fn a_clip_is_not_asked_whether_it_is_connected() {
        let text = Error::silent(&chosen(Pace::Clip), 5).to_string();
        assert!(text.ends_with("5 s; is it a whole video file? `signpost read FILE` says more"));
        let text = Error::silent(&chosen(Pace::Device), 5).to_string();
        assert_eq!(text, "front door: no picture within 5 s; is it switched on and connected?");
    }

    #[test]
    fn every_error_of_a_clip_has_a_hint() {
        let codec = gst::glib::Error::new(gst::StreamError::CodecNotFound, "no decoder.");
        let text = Error::stopped(&chosen(Pace::Clip), &codec).to_string();
        assert!(text.ends_with("install gstreamer1.0-libav to decode more formats"), "{text}");
        let errors = [
            gst::glib::Error::new(gst::StreamError::Failed, "Internal data stream error."),
            gst::glib::Error::new(gst::StreamError::Demux, "no playable streams."),
            gst::glib::Error::new(gst::StreamError::Decode, "damaged."),
            gst::glib::Error::new(gst::CoreError::Negotiation, "not negotiated."),
            gst::glib::Error::new(gst::StreamError::TypeNotFound, "unknown."),
        ];
        for error in errors {
            let text = Error::stopped(&chosen(Pace::Clip), &error).to_string();
            assert!(text.ends_with(WHOLE_FILE), "{text}");
        }
    }

    #[test]
    fn a_busy_camera_says_what_to_do() {
        let error = gst::glib::Error::new(gst::ResourceError::Busy, "Device is busy.");
        let text = Error::stopped(&chosen(Pace::Device), &error).to_string();
        assert!(text.starts_with("front door: Device is busy; another program"), "{text}");
    }

    #[test]
    fn a_missing_element_names_its_package() {
        let error = gst::glib::Error::new(gst::ParseError::NoSuchElement, "no element \"x264enc\"");
        let text = Error::build("test picture", &error).to_string();
        assert!(text.ends_with("install the package gstreamer1.0-plugins-ugly"), "{text}");
    }
}
