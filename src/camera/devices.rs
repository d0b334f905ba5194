//! The cameras that are connected, as udev and libcamera tell of them.
//!
//! GstDeviceMonitor listens to both; a list is published again whenever one is plugged
//! in or pulled out.

use futures_util::StreamExt as _;
use gstreamer as gst;
use gstreamer::prelude::*;
use tokio::sync::watch;

use super::modes::{Mode, modes};

/// All capture devices; none before they were first listed.
pub type Devices = watch::Receiver<Option<Vec<Found>>>;

/// A capture device as the device monitor lists it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// The type of its listing, which says whose device it is.
    pub(super) lists: String,
    /// libcamera's own name of it, or one for people.
    pub(super) name: String,
    /// Of V4L2 devices.
    pub(super) path: Option<String>,
    /// The sizes that it offers.
    pub(super) modes: Vec<Mode>,
}

/// Lists capture devices until nobody reads the list any more. Needs GStreamer and tokio.
#[must_use]
pub fn watch() -> Devices {
    let (publish, list) = watch::channel(None);
    tokio::spawn(follow(publish));
    list
}

async fn follow(publish: watch::Sender<Option<Vec<Found>>>) {
    // Every device is opened once, which takes 0.1 s, and longer where one hangs.
    let Ok(Some(monitor)) = tokio::task::spawn_blocking(start).await else {
        log::warn!("cameras are not listed: plugged in while this runs, they are found late");
        publish.send_replace(Some(Vec::new()));
        return publish.closed().await;
    };
    let kinds = [gst::MessageType::DeviceAdded, gst::MessageType::DeviceRemoved];
    let mut changes = monitor.0.bus().stream_filtered(&kinds);
    publish.send_replace(Some(list(&monitor)));
    loop {
        tokio::select! {
            Some(_) = changes.next() => {
                let now = list(&monitor);
                publish.send_if_modified(|known| known.as_ref() != Some(&now) && {
                    *known = Some(now);
                    true
                });
            }
            () = publish.closed() => return,
        }
    }
}

/// A monitor that listens; stopped when dropped.
struct Listening(gst::DeviceMonitor);

impl Drop for Listening {
    /// Joins threads of its own, of which one may hang in a device.
    fn drop(&mut self) {
        let monitor = self.0.clone();
        std::thread::spawn(move || monitor.stop());
    }
}

fn start() -> Option<Listening> {
    let monitor = gst::DeviceMonitor::new();
    monitor.add_filter(Some("Video/Source"), None);
    monitor.start().ok()?;
    Some(Listening(monitor))
}

fn list(monitor: &Listening) -> Vec<Found> {
    let found = monitor.0.devices().into_iter().map(|device| Found {
        lists: device.type_().name().into(),
        name: device.display_name().into(),
        path: device.properties().and_then(|properties| properties.get("device.path").ok()),
        modes: device.caps().map(|caps| modes(&caps)).unwrap_or_default(),
    });
    found.collect()
}

/// Resolves when a device was plugged in or pulled out; never where nobody looks.
pub(super) async fn change(devices: &mut Option<Devices>) {
    if let Some(devices) = devices
        && devices.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn devices_are_listed_also_where_there_are_none() {
        gst::init().unwrap();
        let mut devices = watch();
        let listed = devices.wait_for(Option::is_some).await.unwrap().clone();
        assert!(listed.is_some());
    }
}
