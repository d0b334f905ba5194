//! The source: a live test picture that goes wrong.

use std::sync::LazyLock;

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer::subclass::prelude::*;

use crate::State;

pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "v4l2src", gst::Rank::PRIMARY, CameraBin::static_type())
}

/// A bin with a test picture inside.
#[derive(Default)]
struct Camera;

#[glib::object_subclass]
impl ObjectSubclass for Camera {
    const NAME: &'static str = "SignpostPluggedCamera";
    type Type = CameraBin;
    type ParentType = gst::Bin;
}

glib::wrapper! {
    struct CameraBin(ObjectSubclass<Camera>) @extends gst::Bin, gst::Element, gst::Object;
}

impl ObjectImpl for Camera {
    fn constructed(&self) {
        self.parent_constructed();
        let inside = gst::ElementFactory::make("videotestsrc").property("is-live", true);
        let inside = inside.build().unwrap();
        self.obj().add(&inside).unwrap();
        let pad = inside.static_pad("src").unwrap();
        let weak = self.obj().downgrade();
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, _| {
            let Some(camera) = weak.upgrade() else { return gst::PadProbeReturn::Remove };
            match State::now() {
                State::Well => return gst::PadProbeReturn::Ok,
                State::Fails => {
                    gst::element_error!(camera, gst::ResourceError::Read, ["it reads nothing"]);
                }
                State::PulledOut => {
                    gst::element_error!(camera, gst::ResourceError::Read, ["the device is gone"]);
                }
                State::Ends => {
                    pad.push_event(gst::event::Eos::new());
                }
                State::Stalls => {}
            }
            gst::PadProbeReturn::Drop
        });
        let ghost = gst::GhostPad::with_target(&pad).unwrap();
        self.obj().add_pad(&ghost).unwrap();
    }

    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> =
            LazyLock::new(|| vec![glib::ParamSpecString::builder("device").build()]);
        &PROPERTIES
    }

    fn set_property(&self, _: usize, _: &glib::Value, _: &glib::ParamSpec) {}

    fn property(&self, _: usize, _: &glib::ParamSpec) -> glib::Value {
        None::<String>.to_value()
    }
}

impl GstObjectImpl for Camera {}

impl ElementImpl for Camera {
    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::NullToReady && State::now() == State::PulledOut {
            gst::element_error!(self.obj(), gst::ResourceError::NotFound, ["there is no device"]);
            return Err(gst::StateChangeError);
        }
        self.parent_change_state(transition)
    }
}

impl BinImpl for Camera {}
