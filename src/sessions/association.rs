//! The SCTP association under a viewer's data channels, guarded against faults of
//! GStreamer 1.22.
//!
//! webrtcbin draws the association's number at random from 65,535 and does not look whether
//! another webrtcbin of this process has it. An sctpenc that cannot start, because its
//! association is another one's or is just being closed, starts its task all the same and
//! never stops it: whoever drops it waits for ever (both are issue 4188, mended in 1.28).
//!
//! The others end the process. A data channel's elements outlive the channel, which they use
//! when they fail. An sctpdec that is stopped while a packet begins a stream runs a pad that
//! it has removed, or finds no association. So it does with data that comes after the peer's
//! SHUTDOWN. And webrtcbin's thread resets streams of an association that is being freed.

use std::collections::BTreeSet;
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_webrtc::WebRTCDataChannel;

/// Bytes before the first chunk of a packet.
const COMMON_HEADER: usize = 12;

/// Bytes of a chunk that is empty.
const CHUNK_HEADER: usize = 4;

const SHUTDOWN: u8 = 7;

/// For what webrtcbin's thread has yet to do, which takes milliseconds.
const DONE_LIMIT: Duration = Duration::from_secs(1);

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
        refuse_shutdown(webrtc);
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

/// Keeps all data channels until webrtcbin goes. It lets go of one that is closed, but stops
/// its elements only with itself; what these still do meanwhile, such as a send that fails
/// because the peer has gone, uses the channel by a bare pointer (webrtcdatachannel.c, the
/// same in 1.28). Call before there are any. webrtcbin calls under a lock of its own, so that
/// nobody waits for ours.
pub fn keep_channels(webrtc: &gst::Element) {
    let kept = Mutex::new(Vec::new());
    webrtc.connect("prepare-data-channel", false, move |values| {
        let channel = values[1].get::<WebRTCDataChannel>().ok()?;
        kept.lock().unwrap_or_else(PoisonError::into_inner).push(channel);
        None
    });
}

/// Drops what holds a SHUTDOWN of the peer: what ends a connection is DTLS, ICE or silence.
fn refuse_shutdown(webrtc: &gst::Element) {
    for pad in pads_of(webrtc, "sctpdec", "sink") {
        pad.add_probe(gst::PadProbeType::BUFFER, |_, info| {
            let packet = info.buffer().and_then(|buffer| buffer.map_readable().ok());
            match packet.is_some_and(|packet| holds_shutdown(&packet)) {
                true => gst::PadProbeReturn::Drop,
                false => gst::PadProbeReturn::Ok,
            }
        });
    }
}

/// Whether an SCTP packet has a SHUTDOWN chunk (RFC 9260, 3.1, 3.2 and 3.3.8).
pub(super) fn holds_shutdown(packet: &[u8]) -> bool {
    let mut chunks = packet.get(COMMON_HEADER..).unwrap_or_default();
    while let [kind, _, high, low, ..] = *chunks {
        if kind == SHUTDOWN {
            return true;
        }
        let length = usize::from(u16::from_be_bytes([high, low])).max(CHUNK_HEADER);
        chunks = chunks.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    false
}

/// Takes no more packets of the peer, waits for the last, and stops the encoder when
/// webrtcbin has done what that brought about. Call before webrtcbin is stopped.
pub fn shut(webrtc: &gst::Element) {
    for pad in pads_of(webrtc, "sctpdec", "sink") {
        let packets = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
        pad.add_probe(packets, |_, _| gst::PadProbeReturn::Drop);
        drop(pad.stream_lock());
    }
    let encoders = parts(webrtc, "sctpenc");
    if encoders.is_empty() {
        return;
    }
    // Its thread does one thing after the other. If it hangs, the teardown will, too.
    let (reply, done) = sync_channel(1);
    let promise = gst::Promise::with_change_func(move |_| {
        let _ = reply.try_send(());
    });
    webrtc.emit_by_name::<()>("get-stats", &[&None::<gst::Pad>, &promise]);
    let _ = done.recv_timeout(DONE_LIMIT);
    for encoder in encoders {
        encoder.set_locked_state(true);
        // What fails here is stopped with the pipeline.
        let _ = encoder.set_state(gst::State::Null);
    }
}

/// Ends the task of an sctpenc that did not start. Call when webrtcbin is in NULL: before
/// that its own thread may still try to start it.
pub fn stop(webrtc: &gst::Element) {
    for pad in pads_of(webrtc, "sctpenc", "src") {
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

fn pads_of(webrtc: &gst::Element, factory: &str, name: &str) -> Vec<gst::Pad> {
    parts(webrtc, factory).iter().filter_map(|part| part.static_pad(name)).collect()
}

pub(super) fn parts(webrtc: &gst::Element, factory: &str) -> Vec<gst::Element> {
    let children = webrtc.downcast_ref::<gst::Bin>().map(|bin| bin.children());
    let made_by = |part: &gst::Element| part.factory().is_some_and(|made| made.name() == factory);
    children.into_iter().flatten().filter(made_by).collect()
}
