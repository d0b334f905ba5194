//! The list of devices: udev's place is taken by a look at the device each few milliseconds.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer::subclass::prelude::*;

use crate::{DEVICE, State};

const LOOK: Duration = Duration::from_millis(10);

pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    let kind = Provider::static_type();
    gst::DeviceProvider::register(Some(plugin), "v4l2deviceprovider", gst::Rank::PRIMARY, kind)
}

/// One device that comes and goes.
#[derive(Default)]
struct List {
    looking: Mutex<Option<Arc<AtomicBool>>>,
}

#[glib::object_subclass]
impl ObjectSubclass for List {
    const NAME: &'static str = "SignpostPluggedList";
    type Type = Provider;
    type ParentType = gst::DeviceProvider;
}

glib::wrapper! {
    struct Provider(ObjectSubclass<List>) @extends gst::DeviceProvider, gst::Object;
}

impl ObjectImpl for List {}

impl GstObjectImpl for List {}

impl DeviceProviderImpl for List {
    fn metadata() -> Option<&'static gst::subclass::DeviceProviderMetadata> {
        use std::sync::LazyLock;
        static ABOUT: LazyLock<gst::subclass::DeviceProviderMetadata> = LazyLock::new(|| {
            let (name, class) = ("Camera of the chaos programs", "Source/Video");
            gst::subclass::DeviceProviderMetadata::new(name, class, "tests/plugged", "signpost")
        });
        Some(&ABOUT)
    }

    fn probe(&self) -> Vec<gst::Device> {
        if State::now() == State::PulledOut { Vec::new() } else { vec![device()] }
    }

    fn start(&self) -> Result<(), gst::LoggableError> {
        let looks = Arc::new(AtomicBool::new(true));
        *self.looking.lock().unwrap() = Some(looks.clone());
        let weak = self.obj().downgrade();
        thread::spawn(move || {
            let mut present: Option<gst::Device> = None;
            while looks.load(Ordering::Relaxed) {
                let Some(provider) = weak.upgrade() else { return };
                let there = State::now() != State::PulledOut;
                match present.take() {
                    Some(gone) if !there => provider.device_remove(&gone),
                    None if there => {
                        let new = device();
                        provider.device_add(&new);
                        present = Some(new);
                    }
                    same => present = same,
                }
                drop(provider);
                thread::sleep(LOOK);
            }
        });
        Ok(())
    }

    fn stop(&self) {
        if let Some(looks) = self.looking.lock().unwrap().take() {
            looks.store(false, Ordering::Relaxed);
        }
    }
}

fn device() -> gst::Device {
    let path = DEVICE.get().unwrap().to_str().unwrap();
    let properties = gst::Structure::builder("properties").field("device.path", path).build();
    let device = glib::Object::builder::<Plugged>()
        .property("display-name", "Camera of the chaos programs")
        .property("device-class", "Video/Source")
        .property("caps", gst::Caps::new_empty_simple("video/x-raw"))
        .property("properties", properties);
    device.build().upcast()
}

#[derive(Default)]
struct Device;

#[glib::object_subclass]
impl ObjectSubclass for Device {
    const NAME: &'static str = "SignpostPluggedDevice";
    type Type = Plugged;
    type ParentType = gst::Device;
}

glib::wrapper! {
    struct Plugged(ObjectSubclass<Device>) @extends gst::Device, gst::Object;
}

impl ObjectImpl for Device {}

impl GstObjectImpl for Device {}

impl DeviceImpl for Device {}
