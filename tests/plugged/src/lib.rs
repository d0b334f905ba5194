//! A GStreamer plugin for the chaos programs: a camera that fails as it is told.
//!
//! It takes the names of GStreamer's own V4L2 source and list of devices, which are not to
//! be in the plugin path beside it. The file of `PLUGGED_CAMERA` is the device: its text is
//! what the camera does (`ok`, `error`, `stall`, `end`), and without the file it is pulled
//! out.

#![allow(clippy::unwrap_used, reason = "a panic is seen in the log")]
#![allow(missing_docs, reason = "the macro documents nothing of what it makes")]

mod camera;
mod devices;

use std::path::PathBuf;
use std::sync::OnceLock;

use gstreamer as gst;
use gstreamer::glib;

/// The device.
static DEVICE: OnceLock<PathBuf> = OnceLock::new();

/// What the camera does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Well,
    Fails,
    Stalls,
    Ends,
    PulledOut,
}

impl State {
    /// What the device says now.
    fn now() -> Self {
        let path = DEVICE.get().expect("the plugin is loaded with a device");
        match std::fs::read_to_string(path).as_deref().map(str::trim) {
            Ok("error") => Self::Fails,
            Ok("stall") => Self::Stalls,
            Ok("end") => Self::Ends,
            // Empty: it is being written.
            Ok(_) => Self::Well,
            Err(_) => Self::PulledOut,
        }
    }
}

fn init(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    let Some(device) = std::env::var_os("PLUGGED_CAMERA").map(PathBuf::from) else {
        return Err(glib::bool_error!("PLUGGED_CAMERA names no device"));
    };
    let _ = DEVICE.set(device);
    camera::register(plugin)?;
    devices::register(plugin)
}

gst::plugin_define!(
    plugged,
    env!("CARGO_PKG_DESCRIPTION"),
    init,
    env!("CARGO_PKG_VERSION"),
    "Apache 2.0",
    env!("CARGO_PKG_NAME"),
    env!("CARGO_PKG_NAME"),
    "tests/plugged",
    "2026-11-22"
);
