//! A GStreamer plugin for the chaos programs: with it in GST_PLUGIN_PATH every viewer's
//! pipeline of the release binary hangs on its way down, as long as the file of
//! `STUCK_WHILE` is there.

#![allow(
    clippy::unwrap_used,
    reason = "the element is shared with a test; a panic is seen in the log"
)]
#![allow(missing_docs, reason = "the macro documents nothing of what it makes")]

mod element;

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::glib;

/// How often the file is looked for.
const LOOK: Duration = Duration::from_millis(50);

fn init(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    let Some(file) = std::env::var_os("STUCK_WHILE").map(PathBuf::from) else {
        return Err(glib::bool_error!("STUCK_WHILE names no file"));
    };
    element::register(Some(plugin))?;
    thread::spawn(move || {
        while file.exists() {
            thread::sleep(LOOK);
        }
        element::release();
    });
    Ok(())
}

gst::plugin_define!(
    stuck,
    env!("CARGO_PKG_DESCRIPTION"),
    init,
    env!("CARGO_PKG_VERSION"),
    "Apache 2.0",
    env!("CARGO_PKG_NAME"),
    env!("CARGO_PKG_NAME"),
    "tests/stuck",
    "2026-11-21"
);
