//! How a camera's picture is turned, and what is set at the camera itself, while it plays.

use std::path::Path;

use gstreamer as gst;
use gstreamer::prelude::*;

use super::controls::{self, Control, Wanted};
use crate::config::{self, Flip};

/// What may be adjusted without another pipeline.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Adjust {
    /// How pictures are turned.
    pub flip: Flip,
    /// By the names of the camera's controls.
    pub controls: Wanted,
}

impl Adjust {
    /// As configured.
    #[must_use]
    pub fn of(camera: &config::Camera) -> Self {
        Self { flip: camera.flip, controls: camera.controls.clone() }
    }

    /// The word of GstVideoOrientationMethod.
    pub(super) fn direction(&self) -> &'static str {
        match self.flip {
            Flip::None => "identity",
            Flip::Horizontal => "horiz",
            Flip::Vertical => "vert",
            Flip::Rotate180 => "180",
        }
    }

    /// Makes a pipeline so that was as `before`. Blocks for as long as the camera does; what it
    /// does not take, or has not, is logged and left as it is.
    pub(super) fn apply(&self, pipeline: &gst::Pipeline, device: Option<&Path>, before: &Self) {
        if self.flip != before.flip
            && let Some(flip) = pipeline.by_name("flip")
        {
            // Neither turns the picture on its side, so that its size stays (gstvideoflip.c).
            flip.set_property_from_str("video-direction", self.direction());
        }
        if self.controls == before.controls {
            return;
        }
        let (Some(device), Some(source)) = (device, pipeline.by_name("device")) else { return };
        match controls::list(device) {
            Ok(offered) => set(&source, &self.controls, &before.controls, &offered),
            Err(reason) => log::warn!("the camera's controls stay as they are: {reason}"),
        }
    }
}

fn set(source: &gst::Element, wanted: &Wanted, before: &Wanted, offered: &[Control]) {
    for controls::Refusal { name, value, allowed } in controls::refused(wanted, offered) {
        log::warn!("camera.controls.{name} = {value}: allowed is {allowed}; it is left out");
    }
    let mut values = gst::Structure::builder("controls");
    for (name, value) in controls::to_set(wanted, before, offered) {
        values = values.field(name, value);
    }
    // Set at once where the device is open, else when it is opened (gstv4l2object.c).
    source.set_property("extra-controls", values.build());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn v4l2src_takes_the_values_that_the_camera_offers() {
        gst::init().unwrap();
        let source = gst::ElementFactory::make("v4l2src").build().unwrap();
        let offered = controls::parse("gain 0x1 (int) : min=0 max=9 default=4 value=4\n");
        let wanted = Wanted::from([("gain".to_owned(), 7), ("zoom".to_owned(), 1)]);
        set(&source, &wanted, &Wanted::new(), &offered);
        let given = source.property::<gst::Structure>("extra-controls");
        assert_eq!(given.get::<i32>("gain"), Ok(7));
        assert!(!given.has_field("zoom"));
        set(&source, &Wanted::new(), &wanted, &offered);
        let given = source.property::<gst::Structure>("extra-controls");
        assert_eq!(given.get::<i32>("gain"), Ok(4), "the camera's own");
    }

    #[test]
    fn a_picture_is_turned_while_it_plays() {
        gst::init().unwrap();
        let text = "videotestsrc ! videoflip name=flip video-direction=identity ! fakesink";
        let pipeline = gst::parse::launch(text).unwrap().downcast::<gst::Pipeline>().unwrap();
        let before = Adjust::default();
        let now = Adjust { flip: Flip::Vertical, ..Adjust::default() };
        now.apply(&pipeline, None, &before);
        let flip = pipeline.by_name("flip").unwrap().property_value("video-direction");
        assert_eq!(flip.serialize().unwrap(), "vert");
    }
}
