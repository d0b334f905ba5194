//! Which source a camera has: from the configured word to a description.

use std::path::{Path, PathBuf};

use super::Error;
use super::devices::Found;
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
    /// The device that it is read from, if that is one with a name.
    pub device: Option<PathBuf>,
}

/// Who says when a picture is due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Pace {
    /// The device: pictures carry the time of their capture.
    Device,
    /// We do: a clip, played in real time from its start, again and again.
    Clip,
}

/// The clip that is shown where there is no camera.
#[derive(Clone, Copy, Debug)]
pub(super) enum Demo<'a> {
    /// This one.
    Clip(&'a Path),
    /// The model's bundle brings none.
    Absent,
    /// There was a camera, which a clip would only hide the loss of.
    Unwanted,
}

/// Decides what `camera` shows. `devices`: the cameras that are connected.
///
/// # Errors
/// [`Error::NoClip`], [`Error::NoDemo`] where a clip to play is not there,
/// [`Error::NoCamera`] where a camera was and is no more.
pub(super) fn choose(
    camera: &config::Camera,
    demo: Demo<'_>,
    devices: &[Found],
) -> Result<Chosen, Error> {
    let live = |words: String, description| Chosen {
        words,
        description,
        pace: Pace::Device,
        device: None,
    };
    Ok(match &camera.source {
        config::Source::Auto => match (find_camera(devices), demo) {
            (Some(found), _) => {
                choose(&config::Camera { source: found, ..camera.clone() }, demo, devices)?
            }
            (None, Demo::Unwanted) => return Err(Error::NoCamera),
            (None, _) => demo_clip(demo, "demo clip (no camera was found)")?,
        },
        config::Source::Demo => demo_clip(demo, "demo clip")?,
        config::Source::Test => {
            live("test picture".into(), sized(include_str!("../../pipelines/test.launch"), camera))
        }
        config::Source::V4l2(path) => {
            let text = sized(include_str!("../../pipelines/v4l2.launch"), camera);
            let device = path.to_string_lossy();
            let chosen =
                live(format!("camera {device}"), fill(&text, &[("device", &quoted(&device))]));
            Chosen { device: Some(path.clone()), ..chosen }
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

impl Chosen {
    /// Whether its device is gone. A name that udev made goes with it.
    pub(super) fn is_pulled_out(&self) -> bool {
        self.device.as_ref().is_some_and(|path| !path.exists())
    }
}

fn demo_clip(demo: Demo<'_>, words: &str) -> Result<Chosen, Error> {
    match demo {
        Demo::Clip(path) => clip(path, words.into()),
        Demo::Absent | Demo::Unwanted => Err(Error::NoDemo),
    }
}

fn clip(path: &Path, words: String) -> Result<Chosen, Error> {
    if !path.is_file() {
        return Err(Error::NoClip(PathBuf::from(path)));
    }
    let location = quoted(&path.to_string_lossy());
    let description = fill(include_str!("../../pipelines/file.launch"), &[("path", &location)]);
    Ok(Chosen { words, description, pace: Pace::Clip, device: None })
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

/// A camera module first, and then the first V4L2 device: the receiver that a module
/// is connected to is such a device too, and gives only raw sensor data. USB cameras
/// are taken through V4L2, though libcamera lists them as well: it does not give them
/// as NV12. (From libcamera's source; not tried on a Raspberry Pi.)
pub(super) fn find_camera(devices: &[Found]) -> Option<config::Source> {
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
            modes: Vec::new(),
        };
        let receiver = device("GstV4l2Device", "unicam", Some("/dev/video0"));
        let webcam = device("GstV4l2Device", "HD Webcam", Some("/dev/video2"));
        let module = device("GstLibcameraDevice", "/base/soc/i2c0mux/i2c@1/imx219@10", None);
        let usb = "/base/scb/pcie@7d500000/pci@0,0/usb@0,0-1.3:1.0-046d:0825";
        let listed = device("GstLibcameraDevice", usb, None);
        let through_v4l2 = |path: &str| Some(config::Source::V4l2(path.into()));
        assert_eq!(find_camera(&[receiver, module]), Some(config::Source::Libcamera));
        assert_eq!(find_camera(&[listed.clone(), webcam]), through_v4l2("/dev/video2"));
        assert_eq!(find_camera(&[listed]), None);
        assert_eq!(find_camera(&[]), None);
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
