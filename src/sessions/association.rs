//! The SCTP association under a viewer's data channels, guarded against two faults of
//! GStreamer 1.22 (its issue 4188, mended in 1.28).
//!
//! webrtcbin draws the association's number at random from 65,535 and does not look whether
//! another webrtcbin of this process has it. And an sctpenc that cannot start, because its
//! association is another one's or is just being closed, starts its task all the same and
//! never stops it: whoever drops it waits for ever.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;

/// The process's, because the plugin finds associations by number in a table of the process.
static GIVEN: Mutex<Given> = Mutex::new(Given { last: 0, held: BTreeSet::new() });

struct Given {
    last: u16,
    held: BTreeSet<u16>,
}

/// A number that no other association of this process has. It is free again when this is
/// dropped, and comes again as late as can be.
#[derive(Debug)]
pub struct Number(pub(super) u16);

impl Number {
    /// One that is free: there are far fewer connections than numbers.
    pub fn give() -> Self {
        let mut given = given();
        loop {
            let number = given.last.wrapping_add(1);
            given.last = number;
            if given.held.insert(number) {
                return Self(number);
            }
        }
    }

    /// Gives it to webrtcbin's association. That exists when webrtcbin has a local
    /// description, and must not have started: it does when DTLS is up.
    pub fn set(&self, webrtc: &gst::Element) {
        for part in ["sctpdec", "sctpenc"].into_iter().flat_map(|name| parts(webrtc, name)) {
            part.set_property("sctp-association-id", u32::from(self.0));
        }
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        given().held.remove(&self.0);
    }
}

fn given() -> MutexGuard<'static, Given> {
    GIVEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the task of an sctpenc that did not start. Call when webrtcbin is in NULL: before
/// that its own thread may still try to start it.
pub fn stop(webrtc: &gst::Element) {
    for pad in parts(webrtc, "sctpenc").iter().filter_map(|encoder| encoder.static_pad("src")) {
        if pad.task_state() == gst::TaskState::Stopped {
            continue;
        }
        // The task waits for a packet, and a flush is what ends that (gstsctpenc.c); a pad
        // that is not active takes none. What fails here leaves the task as it was.
        let _ = pad.set_active(true);
        pad.send_event(gst::event::FlushStart::new());
        let _ = pad.stop_task();
        let _ = pad.set_active(false);
    }
}

pub(super) fn parts(webrtc: &gst::Element, factory: &str) -> Vec<gst::Element> {
    let children = webrtc.downcast_ref::<gst::Bin>().map(|bin| bin.children());
    let made_by = |part: &gst::Element| part.factory().is_some_and(|made| made.name() == factory);
    children.into_iter().flatten().filter(made_by).collect()
}
