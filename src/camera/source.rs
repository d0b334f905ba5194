//! Which source a camera has: from the configured word to a description.

use std::path::{Path, PathBuf};

use gstreamer as gst;
use gstreamer::prelude::*;

use super::Error;
use super::template::{fill, quoted};
use crate::config;

/// A source that was decided on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Chosen {
    /// In the operator's words.
    pub words: String,
    /// The source's part of the pipeline description.
    pub description: String,
    /// Whether it ends and is to be played again.
    pub pace: Pace,
}

/// Who says when a picture is due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Pace {
    /// The device: pictures carry the time of their capture.
    Device,
    /// We do: a clip, played in real time from its start, again and again.
    Clip,
}

/// Decides what `camera` shows. Blocks while devices are listed (0.1 s).
///
/// # Errors
/// [`Error::NoClip`], [`Error::NoDemo`] where a clip to play is not there.
pub(super) fn choose(camera: &config::Camera, demo_clip: Option<&Path>) -> Result<Chosen, Error> {
    let live = |words: String, description| Chosen { words, description, pace: Pace::Device };
    Ok(match &camera.source {
        config::Source::Auto => match find_camera() {
            Some(found) => choose(&config::Camera { source: found, ..camera.clone() }, demo_clip)?,
            None => demo(demo_clip, "demo clip (no camera was found)")?,
        },
        config::Source::Demo => demo(demo_clip, "demo clip")?,
        config::Source::Test => {
            live("test picture".into(), sized(include_str!("../../pipelines/test.launch"), camera))
        }
        config::Source::V4l2(path) => {
            let text = sized(include_str!("../../pipelines/v4l2.launch"), camera);
            let device = path.to_string_lossy();
            live(format!("camera {device}"), fill(&text, &[("device", &quoted(&device))]))
        }
        config::Source::Libcamera => live(
            "Raspberry Pi camera".into(),
            sized(include_str!("../../pipelines/libcamera.launch"), camera),
        ),
        config::Source::File(path) => clip(path, format!("clip {}", path.display()))?,
        config::Source::Rtsp(url) => {
            let text = fill(include_str!("../../pipelines/rtsp.launch"), &[("url", &quoted(url))]);
            live(format!("network camera {}", without_password(url)), text)
        }
    })
}

fn demo(clip_path: Option<&Path>, words: &str) -> Result<Chosen, Error> {
    clip(clip_path.ok_or(Error::NoDemo)?, words.into())
}

fn clip(path: &Path, words: String) -> Result<Chosen, Error> {
    if !path.is_file() {
        return Err(Error::NoClip(PathBuf::from(path)));
    }
    let location = quoted(&path.to_string_lossy());
    let description = fill(include_str!("../../pipelines/file.launch"), &[("path", &location)]);
    Ok(Chosen { words, description, pace: Pace::Clip })
}

fn sized(text: &str, camera: &config::Camera) -> String {
    fill(
        text,
        &[
            ("width", &camera.width.to_string()),
            ("height", &camera.height.to_string()),
            ("framerate", &camera.framerate.to_string()),
        ],
    )
}

/// The first capture device: V4L2, or else libcamera's.
///
/// The codec nodes of a Raspberry Pi are V4L2 devices too; the monitor's class
/// leaves them out.
fn find_camera() -> Option<config::Source> {
    let monitor = gst::DeviceMonitor::new();
    monitor.add_filter(Some("Video/Source"), None);
    monitor.start().ok()?;
    let devices = monitor.devices();
    monitor.stop();
    let v4l2 = devices.iter().find_map(|device| {
        device
            .properties()?
            .get::<String>("device.path")
            .ok()
            .map(|path| config::Source::V4l2(path.into()))
    });
    v4l2.or_else(|| {
        (!devices.is_empty() && gst::ElementFactory::find("libcamerasrc").is_some())
            .then_some(config::Source::Libcamera)
    })
}

/// What may be shown of a URL: not the password before its `@`.
fn without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => {
            format!("{}{}", &url[..scheme + 3], &url[at + 1..])
        }
        _ => url.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_a_url_is_not_shown() {
        assert_eq!(without_password("rtsp://ann:se@cret@10.0.0.2/x"), "rtsp://10.0.0.2/x");
        assert_eq!(without_password("rtsp://10.0.0.2:8554/x"), "rtsp://10.0.0.2:8554/x");
    }

    #[test]
    fn a_clip_that_is_not_there_is_named() {
        let error = clip(Path::new("/nowhere/a.mp4"), String::new());
        assert!(matches!(error, Err(Error::NoClip(path)) if path == Path::new("/nowhere/a.mp4")));
    }
}
