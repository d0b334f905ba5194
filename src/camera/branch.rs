//! One encoded form of a camera's picture: elements that exist while somebody looks.
//!
//! The camera's tee ends in a shut valve for each form. A branch that is opened is
//! built, started and linked behind its valve; one that is shut is taken away with all
//! it holds. So an encoder that nobody needs costs neither memory nor a thread, each
//! begins with a key unit, and another size is another branch: no encoder has to follow
//! a change of caps, which hardware ones do not like. What fails in a branch stays there.

use std::iter;
use std::sync::Once;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;

use super::Form;
use super::encoder::{self, Encoder};
use super::picture::Picture;
use super::template::fill;

/// What stands before the form in the name of a branch's bin.
const NAME: &str = "branch-";

/// What a branch encodes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spec {
    /// None: the source's own picture.
    pub picture: Option<Picture>,
    /// What the encoder aims at.
    pub bitrate_kbps: u32,
}

/// A branch that encodes. Shut it with [`Branch::shut`]: dropped, it goes on.
#[derive(Debug)]
pub(super) struct Branch {
    bin: gst::Bin,
    gate: gst::Element,
    spec: Spec,
}

impl Branch {
    /// Builds the branch of `form` and lets pictures in, on a thread that may block.
    /// `hand_over` connects its sink before the first. `refused` is told once, on a
    /// streaming thread, if the branch takes no more; what an element says of it comes
    /// on the bus, before.
    ///
    /// # Errors
    /// What GStreamer says of the element or link that is wrong.
    pub(super) fn open(
        pipeline: &gst::Pipeline,
        form: Form,
        spec: Spec,
        encoder: &Encoder,
        hand_over: impl FnOnce(&gst::Element),
        refused: impl Fn(gst::glib::Error) + Send + Sync + 'static,
    ) -> Result<Self, gst::glib::Error> {
        let (text, name) = (description(form, spec, encoder), format!("{NAME}{form}"));
        let bin = gst::parse::bin_from_description_with_name(&text, false, &name)?;
        bin.add_pad(&entrance(&bin, refused)).expect("a new bin has no pad yet");
        let gate = pipeline.by_name(form.as_str()).expect("camera.launch has a gate for each form");
        hand_over(&bin.by_name("encoded").expect("branch.launch ends in its sink"));
        let failed = |what| gst::glib::Error::new(gst::CoreError::StateChange, what);
        pipeline.add(&bin).map_err(|_| failed("the branch cannot be added"))?;
        let branch = Self { bin, gate, spec };
        let started =
            branch.bin.sync_state_with_parent().and_then(|()| branch.gate.link(&branch.bin));
        if started.is_err() {
            branch.shut(pipeline);
            return Err(failed("the branch cannot be started"));
        }
        branch.gate.set_property("drop", false);
        Ok(branch)
    }

    /// The form whose branch `object` is a part of, if it is one.
    pub(super) fn of(object: &gst::Object) -> Option<Form> {
        let mut parents = iter::successors(Some(object.clone()), GstObjectExt::parent);
        parents.find_map(|object| {
            let name = object.name();
            let form = name.strip_prefix(NAME)?;
            Form::ALL.into_iter().find(|known| known.as_str() == form)
        })
    }

    /// Takes the branch away. Waits for the picture that it encodes.
    pub(super) fn shut(self, pipeline: &gst::Pipeline) {
        self.gate.set_property("drop", true);
        if let Some(pad) = self.gate.static_pad("sink") {
            // A picture that is on its way through would meet elements that are taken
            // away. It is through when this lock is free.
            drop(pad.stream_lock());
        }
        self.gate.unlink(&self.bin);
        // Elements do not refuse to stop, nor a pipeline to give back what is its own.
        let _ = self.bin.set_state(gst::State::Null);
        let _ = pipeline.remove(&self.bin);
    }

    pub(super) fn spec(&self) -> Spec {
        self.spec
    }

    /// Lets the encoder aim at another bit rate, as it runs.
    pub(super) fn set_bitrate(&mut self, kbps: u32) {
        self.spec.bitrate_kbps = kbps;
        if let Some(encoder) = self.bin.by_name("encoder") {
            encoder::set_bitrate(&encoder, kbps);
        }
    }

    /// Asks the encoder for a key unit with its parameter sets.
    pub(super) fn force_key_unit(&self) {
        let event = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
        let sink = self.bin.by_name("encoded").expect("branch.launch ends in its sink");
        let pad = sink.static_pad("sink").expect("an appsink has a sink pad");
        // Refused before the encoder runs; its first picture is a key unit anyway.
        let _ = pad.push_event(event);
    }
}

/// Where pictures enter a branch, and no refusal leaves it. A tee returns the first error
/// of its outlets, whatever the others say, and the source then stops for all (1.22).
fn entrance(
    bin: &gst::Bin,
    refused: impl Fn(gst::glib::Error) + Send + Sync + 'static,
) -> gst::GhostPad {
    let queue = bin.find_unlinked_pad(gst::PadDirection::Sink);
    let queue = queue.expect("branch.launch begins with its queue");
    let once = Once::new();
    let enter = move |pad: &gst::GhostPad, bin: Option<&gst::Object>, picture: gst::Buffer| {
        match gst::ProxyPad::chain_default(pad, bin, picture) {
            // A branch that is being shut.
            Ok(_) | Err(gst::FlowError::Flushing) => {}
            Err(error) => once.call_once(|| {
                let words = format!("it takes no more pictures ({error:?})");
                refused(gst::glib::Error::new(gst::StreamError::Failed, &words));
            }),
        }
        Ok(gst::FlowSuccess::Ok)
    };
    let pad = gst::GhostPad::builder_with_target(&queue).expect("nothing else is linked to it");
    pad.name("sink").chain_function(enter).build()
}

fn description(form: Form, spec: Spec, encoder: &Encoder) -> String {
    let smaller = spec.picture.map_or_else(String::new, |picture| smaller(picture) + " !");
    let encoder = encoder.description(form.codec(), spec.bitrate_kbps);
    let values = [("smaller", smaller.as_str()), ("encoder", encoder.as_str())];
    fill(include_str!("../../pipelines/branch.launch"), &values)
}

fn smaller(picture: Picture) -> String {
    let Picture { size, framerate, pixel_aspect } = picture;
    let fraction = |value: gst::Fraction| format!("{}/{}", value.numer(), value.denom());
    let values = [
        ("width", size.width().to_string()),
        ("height", size.height().to_string()),
        ("framerate", fraction(framerate)),
        ("pixel_aspect", fraction(pixel_aspect)),
    ];
    let values = values.each_ref().map(|(key, value)| (*key, value.as_str()));
    fill(include_str!("../../pipelines/smaller.launch"), &values)
}
