//! An element that hangs on its way down, as a driver or a library might.

use std::sync::{Condvar, LazyLock, Mutex};

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer::subclass::prelude::*;

/// Whether elements hang on their way down.
static HANGS: Mutex<bool> = Mutex::new(true);
static RELEASED: Condvar = Condvar::new();

/// Lets all elements go, those that hang and those to come.
pub fn release() {
    *HANGS.lock().unwrap() = false;
    RELEASED.notify_all();
}

/// Takes the place of the estimator that signpost puts into each viewer's pipeline:
/// signpost registers its own only where there is none of this name.
pub fn register(plugin: Option<&gst::Plugin>) -> Result<(), glib::BoolError> {
    gst::Element::register(plugin, "rtpgccbwe", gst::Rank::NONE, StuckBin::static_type())
}

/// A bin that passes everything on, and hangs.
#[derive(Default)]
struct Stuck;

#[glib::object_subclass]
impl ObjectSubclass for Stuck {
    const NAME: &'static str = "SignpostStuck";
    type Type = StuckBin;
    type ParentType = gst::Bin;
}

glib::wrapper! {
    struct StuckBin(ObjectSubclass<Stuck>) @extends gst::Bin, gst::Element, gst::Object;
}

impl ObjectImpl for Stuck {
    fn constructed(&self) {
        self.parent_constructed();
        let inside = gst::ElementFactory::make("identity").build().unwrap();
        self.obj().add(&inside).unwrap();
        for name in ["sink", "src"] {
            let pad = gst::GhostPad::with_target(&inside.static_pad(name).unwrap()).unwrap();
            self.obj().add_pad(&pad).unwrap();
        }
    }

    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let names = ["min-bitrate", "max-bitrate", "estimated-bitrate"];
            names.map(|name| glib::ParamSpecUInt::builder(name).build()).into()
        });
        &PROPERTIES
    }

    fn set_property(&self, _: usize, _: &glib::Value, _: &glib::ParamSpec) {}

    fn property(&self, _: usize, _: &glib::ParamSpec) -> glib::Value {
        0_u32.to_value()
    }
}

impl GstObjectImpl for Stuck {}

impl ElementImpl for Stuck {
    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::ReadyToNull {
            drop(RELEASED.wait_while(HANGS.lock().unwrap(), |hangs| *hangs).unwrap());
        }
        self.parent_change_state(transition)
    }
}

impl BinImpl for Stuck {}
