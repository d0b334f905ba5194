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
            live(format!("network camera {}", config::without_secrets(url)), text)
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

/// The camera of this device, if it has one.
///
/// The codec nodes of a Raspberry Pi are V4L2 devices too; the monitor's class
/// leaves them out.
fn find_camera() -> Option<config::Source> {
    let monitor = gst::DeviceMonitor::new();
    monitor.add_filter(Some("Video/Source"), None);
    monitor.start().ok()?;
    let devices = monitor.devices();
    monitor.stop();
    let found = devices.iter().map(|device| Found {
        lists: device.type_().name().into(),
        name: device.display_name().into(),
        path: device.properties().and_then(|properties| properties.get("device.path").ok()),
    });
    prefer(&found.collect::<Vec<_>>())
}

/// A capture device as the device monitor lists it.
#[derive(Clone, Debug)]
struct Found {
    /// The type of its listing, which says whose device it is.
    lists: String,
    /// libcamera's own name of it, or one for people.
    name: String,
    /// Of V4L2 devices.
    path: Option<String>,
}

/// A camera module first, and then the first V4L2 device: the receiver that a module
/// is connected to is such a device too, and gives only raw sensor data. USB cameras
/// are taken through V4L2, though libcamera lists them as well: it does not give them
/// as NV12. (From libcamera's source; not tried on a Raspberry Pi.)
fn prefer(devices: &[Found]) -> Option<config::Source> {
    let module =
        |device: &&Found| device.lists == "GstLibcameraDevice" && !is_usb_name(&device.name);
    if devices.iter().any(|device| module(&device)) {
        return Some(config::Source::Libcamera);
    }
    let path = devices.iter().find_map(|device| device.path.as_ref())?;
    Some(config::Source::V4l2(path.into()))
}

/// libcamera names a USB camera `<controller>-<port>-<vendor>:<product>`, the last
/// two in four hexadecimal digits each.
fn is_usb_name(name: &str) -> bool {
    let Some((_, last)) = name.rsplit_once('-') else { return false };
    let hex = |part: &str| part.len() == 4 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    last.split_once(':').is_some_and(|(vendor, product)| hex(vendor) && hex(product))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_module_is_taken_before_its_receiver() {
        let device = |lists: &str, name: &str, path: Option<&str>| Found {
            lists: lists.into(),
            name: name.into(),
            path: path.map(String::from),
        };
        let receiver = device("GstV4l2Device", "unicam", Some("/dev/video0"));
        let webcam = device("GstV4l2Device", "HD Webcam", Some("/dev/video2"));
        let module = device("GstLibcameraDevice", "/base/soc/i2c0mux/i2c@1/imx219@10", None);
        let usb = "/base/scb/pcie@7d500000/pci@0,0/usb@0,0-1.3:1.0-046d:0825";
        let listed = device("GstLibcameraDevice", usb, None);
        let through_v4l2 = |path: &str| Some(config::Source::V4l2(path.into()));
        assert_eq!(prefer(&[receiver, module]), Some(config::Source::Libcamera));
        assert_eq!(prefer(&[listed.clone(), webcam]), through_v4l2("/dev/video2"));
        assert_eq!(prefer(&[listed]), None);
        assert_eq!(prefer(&[]), None);
    }

    #[test]
    fn a_folder_is_no_clip() {
        assert!(matches!(clip(Path::new("/"), String::new()), Err(Error::NoClip(_))));
    }

    #[test]
    fn a_clip_that_is_not_there_is_named() {
        let error = clip(Path::new("/nowhere/a.mp4"), String::new());
        assert!(matches!(error, Err(Error::NoClip(path)) if path == Path::new("/nowhere/a.mp4")));
    }
}
