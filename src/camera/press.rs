//! Makes a JPEG of a raw frame: `appsrc ! videoconvertscale ! jpegenc ! appsink`.

use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use super::RawFrame;
use super::template::fill;

/// A picture takes some 10 ms; one that takes longer than this never comes.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum StillError {
    /// An element is missing or refuses its properties.
    #[error("cannot build the pipeline for stills")]
    Build(#[source] gst::glib::Error),
    /// An element failed, or gave nothing in time.
    #[error("the pipeline for stills failed: {0}")]
    Failed(String),
}

/// The pipeline, playing. Everything here may block for as long as a picture
/// takes: it is called on a blocking thread, and dropped there.
#[derive(Debug)]
pub(super) struct Press {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    size: gst::Element,
    encoder: gst::Element,
    sink: gst_app::AppSink,
    /// What it is set up for.
    made_for: Option<(gst_video::VideoInfo, Option<u32>)>,
}

impl Press {
    /// Builds the pipeline and starts it.
    pub fn new() -> Result<Self, StillError> {
        let text = fill(include_str!("../../pipelines/still.launch"), &[]);
        let pipeline = gst::parse::launch(&text).map_err(StillError::Build)?;
        let pipeline =
            pipeline.downcast::<gst::Pipeline>().expect("still.launch has several elements");
        let named = |name| pipeline.by_name(name).expect("still.launch names its elements");
        let (source, sink) = (named("frames").downcast(), named("stills").downcast());
        let press = Self {
            source: source.expect("frames is an appsrc"),
            size: named("size"),
            encoder: named("encoder"),
            sink: sink.expect("stills is an appsink"),
            made_for: None,
            pipeline,
        };
        // What keeps it from playing is on the bus when the first picture is missed.
        let _ = press.pipeline.set_state(gst::State::Playing);
        Ok(press)
    }

    /// A JPEG of `frame`, at most `width` pixels wide, with libjpeg's `quality`.
    pub fn print(
        &mut self,
        frame: &RawFrame,
        width: Option<u32>,
        quality: i32,
    ) -> Result<Vec<u8>, StillError> {
        let known = self.made_for.as_ref();
        if known.is_none_or(|(info, of)| *info != frame.info || *of != width) {
            self.set_up(&frame.info, width)?;
        }
        self.encoder.set_property("quality", quality);
        self.source.push_buffer(frame.buffer.copy()).map_err(|error| self.failed(&error))?;
        let sample = self.sink.try_pull_sample(gst::ClockTime::try_from(PATIENCE).ok());
        let sample = sample.ok_or_else(|| self.failed(&"no picture came in time"))?;
        let buffer = sample.buffer().ok_or_else(|| self.failed(&"a sample without a picture"))?;
        let map = buffer.map_readable().map_err(|error| self.failed(&error))?;
        Ok(map.to_vec())
    }

    fn set_up(
        &mut self,
        info: &gst_video::VideoInfo,
        width: Option<u32>,
    ) -> Result<(), StillError> {
        let caps = info.to_caps().map_err(|error| self.failed(&error))?;
        self.source.set_caps(Some(&caps));
        let (wide, high) = fitted(info.width(), info.height(), width);
        // What every reader of JPEG takes for granted (JFIF): full range, BT.601.
        let target = gst::Caps::builder("video/x-raw")
            .field("format", "I420")
            .field("colorimetry", "1:4:0:0")
            .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
            .field("width", wide)
            .field("height", high)
            .build();
        self.size.set_property("caps", target);
        self.made_for = Some((info.clone(), width));
        Ok(())
    }

    /// The bus knows better why a picture is missing.
    fn failed(&self, symptom: &dyn std::fmt::Display) -> StillError {
        let message =
            self.pipeline.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
        let told = message.as_deref().and_then(|message| match message.view() {
            gst::MessageView::Error(error) => Some(error.error().to_string()),
            _ => None,
        });
        StillError::Failed(told.unwrap_or_else(|| symptom.to_string()))
    }
}

impl Drop for Press {
    fn drop(&mut self) {
        // Elements do not refuse to stop.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// Width and height, both even, of a picture that is at most `width` wide.
fn fitted(wide: u32, high: u32, width: Option<u32>) -> (i32, i32) {
    let target = width.unwrap_or(wide).min(wide).max(2);
    let scaled = (u64::from(high) * u64::from(target) / u64::from(wide.max(1))).max(2);
    let even = |pixels: u64| i32::try_from(pixels & !1).unwrap_or(i32::MAX - 1);
    (even(u64::from(target)), even(scaled))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_keep_their_shape_and_are_never_enlarged() {
        assert_eq!(fitted(1280, 720, None), (1280, 720));
        assert_eq!(fitted(1280, 720, Some(640)), (640, 360));
        assert_eq!(fitted(1280, 720, Some(5000)), (1280, 720));
        assert_eq!(fitted(1280, 720, Some(333)), (332, 186));
    }

    proptest! {
        #[test]
        fn no_size_is_odd_or_nothing(wide in 2_u32..4000, high in 2_u32..4000, width in 0_u32..5000) {
            let (w, h) = fitted(wide, high, Some(width));
            prop_assert!(w >= 2 && h >= 2 && w % 2 == 0 && h % 2 == 0);
            prop_assert!(w <= wide as i32 && h <= high as i32 + 1);
        }
    }
}
