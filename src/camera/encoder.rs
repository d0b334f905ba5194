//! Which encoders run. That for H.264 is found by trying, because an element that is
//! installed need not work on this board; VP8 has one encoder, and it is software.

use gstreamer as gst;
use gstreamer::prelude::*;

use super::template::fill;
use super::{Codec, Error, Form};

/// How long one encoder may take to encode three small pictures.
const PROBE_DEADLINE: gst::ClockTime = gst::ClockTime::from_seconds(3);

/// Encoders in order of preference, with their description and where an
/// operator gets them.
const ENCODERS: [(&str, &str, &str); 3] = [
    (
        "v4l2h264enc",
        include_str!("../../pipelines/v4l2h264enc.launch"),
        "a hardware encoder, as on a Raspberry Pi 4",
    ),
    (
        "x264enc",
        include_str!("../../pipelines/x264enc.launch"),
        "Debian package gstreamer1.0-plugins-ugly",
    ),
    (
        "openh264enc",
        include_str!("../../pipelines/openh264enc.launch"),
        "Debian package gstreamer1.0-plugins-bad",
    ),
];

/// The encoder that was decided on.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoder {
    /// Element, such as `x264enc`.
    pub element: &'static str,
    /// Why this one and no other, in a sentence.
    pub reason: String,
    pub(super) description: &'static str,
}

impl Encoder {
    /// Tries the encoders, `prefer` first if it names one, and takes the first
    /// that encodes. Blocks for at most 3 s an encoder.
    ///
    /// # Errors
    /// [`Error::NoEncoder`] with what was tried and what each said.
    pub fn probe(prefer: Option<&str>) -> Result<Self, Error> {
        let mut order = ENCODERS;
        order.sort_by_key(|(element, ..)| Some(*element) != prefer);
        let mut refused = Vec::new();
        for (element, description, origin) in order {
            match try_encoder(element, description) {
                Ok(()) => {
                    let reason = reason(element, prefer, &refused);
                    return Ok(Self { element, reason, description });
                }
                Err(why) => refused.push((element, why, origin)),
            }
        }
        let tried =
            refused.iter().map(|(element, why, origin)| format!("{element} ({origin}): {why}"));
        Err(Error::NoEncoder(tried.collect::<Vec<_>>().join("; ")))
    }

    /// The element that encodes `form`.
    pub(super) fn element(&self, form: Form) -> &'static str {
        match form.codec() {
            Codec::H264 => self.element,
            Codec::Vp8 => "vp8enc",
        }
    }

    /// From raw pictures to what viewers get.
    pub(super) fn description(&self, codec: Codec, bitrate_kbps: u32) -> String {
        match codec {
            Codec::H264 => {
                let encoder = filled(self.description, bitrate_kbps);
                fill(include_str!("../../pipelines/h264.launch"), &[("encoder", &encoder)])
            }
            Codec::Vp8 => filled(include_str!("../../pipelines/vp8enc.launch"), bitrate_kbps),
        }
    }
}

/// Why nothing can be encoded as VP8 here, if so. Loads nothing: the library costs
/// memory before anybody needs it.
pub(super) fn vp8_missing() -> Option<String> {
    let found = gst::ElementFactory::find("vp8enc").is_some();
    (!found).then(|| {
        "vp8enc is not on this device; install the package gstreamer1.0-plugins-good".to_owned()
    })
}

/// Sets the bit rate of a running encoder, which may make it wait for a picture.
/// v4l2h264enc sets what it is given on its open device (1.22's source; not tried).
pub(super) fn set_bitrate(encoder: &gst::Element, kbps: u32) {
    let bps = kbps.saturating_mul(1000);
    let signed = i32::try_from(bps).unwrap_or(i32::MAX);
    match encoder.factory().map(|factory| factory.name()).as_deref() {
        Some("x264enc") => encoder.set_property("bitrate", kbps),
        Some("openh264enc") => encoder.set_property("bitrate", bps),
        Some("vp8enc") => encoder.set_property("target-bitrate", signed),
        Some("v4l2h264enc") => {
            let controls = gst::Structure::builder("encode").field("video_bitrate", signed);
            encoder.set_property("extra-controls", controls.build());
        }
        _ => {}
    }
}

fn filled(description: &str, bitrate_kbps: u32) -> String {
    let bps = u64::from(bitrate_kbps) * 1000;
    fill(
        description,
        &[("bitrate_kbps", &bitrate_kbps.to_string()), ("bitrate_bps", &bps.to_string())],
    )
}

fn reason(element: &str, prefer: Option<&str>, refused: &[(&str, String, &str)]) -> String {
    if prefer == Some(element) {
        return "preferred by the configuration".into();
    }
    if refused.is_empty() {
        return "the first choice works".into();
    }
    let refused = refused.iter().map(|(element, why, _)| format!("{element} is {why}"));
    refused.collect::<Vec<_>>().join(", ")
}

/// Encodes three pictures.
fn try_encoder(element: &str, description: &str) -> Result<(), String> {
    if gst::ElementFactory::find(element).is_none() {
        return Err("not on this device".into());
    }
    let text = format!(
        "videotestsrc num-buffers=3 ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 \
         ! {} ! fakesink sync=false",
        filled(description, 500)
    );
    let pipeline = gst::parse::launch(&text).map_err(|error| error.message().to_owned())?;
    let outcome = run_to_end(&pipeline);
    // Best effort: a probe that failed is thrown away in any state.
    let _ = pipeline.set_state(gst::State::Null);
    outcome
}

fn run_to_end(pipeline: &gst::Element) -> Result<(), String> {
    let bus = pipeline.bus().ok_or("no bus")?;
    pipeline.set_state(gst::State::Playing).map_err(|_| first_error(&bus))?;
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    match bus.timed_pop_filtered(PROBE_DEADLINE, &kinds).as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Eos(_)) => Ok(()),
        Some(gst::MessageView::Error(error)) => Err(error.error().message().to_owned()),
        _ => Err(format!("encoded nothing in {PROBE_DEADLINE}")),
    }
}

fn first_error(bus: &gst::Bus) -> String {
    let message = bus.pop_filtered(&[gst::MessageType::Error]);
    match message.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Error(error)) => error.error().message().to_owned(),
        _ => "does not start".into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]
    use super::*;

    #[test]
    fn a_preferred_encoder_that_is_there_is_taken() {
        gst::init().unwrap();
        let encoder = Encoder::probe(Some("openh264enc")).unwrap();
        assert_eq!(encoder.element, "openh264enc");
        assert_eq!(encoder.reason, "preferred by the configuration");
    }

    #[test]
    fn an_encoder_that_is_not_there_says_so() {
        gst::init().unwrap();
        let why = try_encoder("nosuchenc", "nosuchenc").unwrap_err();
        assert_eq!(why, "not on this device");
    }

    #[test]
    fn a_description_that_does_not_encode_is_refused() {
        gst::init().unwrap();
        assert!(try_encoder("x264enc", "x264enc ! video/x-h264,profile=no-such-profile").is_err());
    }

    #[test]
    fn the_reason_names_what_is_missing() {
        let refused = [("v4l2h264enc", "not on this device".to_owned(), "hardware")];
        assert_eq!(reason("x264enc", None, &refused), "v4l2h264enc is not on this device");
    }
}
