//! A camera that another process uses. There is none on a builder, so an element that says
//! what v4l2src says of one takes its place; all else is the program's own.

use std::sync::LazyLock;

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer::subclass::prelude::*;

/// Takes the place of v4l2src in this process.
pub fn register() {
    gst::init().unwrap();
    // What lists devices would load the real one later, and put it back in its place.
    let _ = gst::Plugin::load_by_name("video4linux2");
    gst::Element::register(None, "v4l2src", gst::Rank::NONE, BusySource::static_type()).unwrap();
}

/// A source that does not start.
#[derive(Default)]
struct Busy;

#[glib::object_subclass]
impl ObjectSubclass for Busy {
    const NAME: &'static str = "SignpostBusy";
    type Type = BusySource;
    type ParentType = gst::Element;

    fn with_class(class: &Self::Class) -> Self {
        let pad = gst::Pad::from_template(&class.pad_template("src").unwrap());
        PADS.with(|pads| pads.borrow_mut().push(pad));
        Self
    }
}

thread_local! {
    /// Made with an object, and added when it is complete.
    static PADS: std::cell::RefCell<Vec<gst::Pad>> = const { std::cell::RefCell::new(Vec::new()) };
}

glib::wrapper! {
    struct BusySource(ObjectSubclass<Busy>) @extends gst::Element, gst::Object;
}

impl ObjectImpl for Busy {
    fn constructed(&self) {
        self.parent_constructed();
        let pad = PADS.with(|pads| pads.borrow_mut().pop()).unwrap();
        self.obj().add_pad(&pad).unwrap();
    }

    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> =
            LazyLock::new(|| vec![glib::ParamSpecString::builder("device").build()]);
        &PROPERTIES
    }

    fn set_property(&self, _: usize, _: &glib::Value, _: &glib::ParamSpec) {}

    fn property(&self, _: usize, _: &glib::ParamSpec) -> glib::Value {
        "/dev/video0".to_value()
    }
}

impl GstObjectImpl for Busy {}

impl ElementImpl for Busy {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static WORDS: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            let about = "Says that another process uses it";
            gst::subclass::ElementMetadata::new("Busy camera", "Source/Video", about, "signpost")
        });
        Some(&WORDS)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let (out, always) = (gst::PadDirection::Src, gst::PadPresence::Always);
            vec![gst::PadTemplate::new("src", out, always, &gst::Caps::new_any()).unwrap()]
        });
        &TEMPLATES
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::NullToReady {
            let message = "Device '/dev/video0' is busy";
            gst::element_imp_error!(self, gst::ResourceError::Busy, ("{}", message), ["a test"]);
            return Err(gst::StateChangeError);
        }
        self.parent_change_state(transition)
    }
}
