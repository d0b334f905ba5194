//! What stands between a viewer's payloader and its network: an estimate of what
//! the network carries, a limit on repeats, and repeats to probe with.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;

use super::loss_based::{LossBased, Told, about};
use super::meter::Meter;
use super::offer::Video;
use super::recent::Recent;
use super::repeats::Repeats;
use super::shell::Shells;

/// The estimator's limits and its first word, in multiples of the rate that is
/// sent: it also paces what it passes on, and with twice the rate a picture takes
/// half a frame's time on its way, which every viewer would wait for. A narrow
/// network is told within a second all the same (facts on congestion).
const PACED_AT: u32 = 4;

/// Lowest estimate, in bit/s.
const LEAST_BPS: u32 = 100_000;

/// Feedback older than this says nothing of the present network; receiver reports come
/// every 5 s at the latest (RFC 3550, 6.2).
const FEEDBACK_FRESH: Duration = Duration::from_secs(1);
const REPORT_FRESH: Duration = Duration::from_secs(6);

/// Registers the elements of the crate gst-plugin-rtp. Again is no error.
pub(super) fn register() {
    if gst::ElementFactory::find("rtpgccbwe").is_none()
        && let Err(error) = gstrsrtp::plugin_register_static()
    {
        log::warn!("viewers' networks cannot be estimated: {error}");
    }
}

/// One viewer's network: its counts, and its estimator once there is one. A clone is
/// of the same.
#[derive(Clone, Debug)]
pub(super) struct Congestion {
    pub meter: Meter,
    most_kbps: Arc<AtomicU32>,
    estimator: Arc<OnceLock<gst::glib::WeakRef<gst::Element>>>,
    shells: Shells,
    /// What webrtcbin got of them.
    shell: Arc<Mutex<Option<gst::Bin>>>,
    passed: Arc<Mutex<Passed>>,
}

/// How a peer tells what arrives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Feedback {
    /// Every packet, transport-wide; rtpgccbwe reads it.
    TransportWide,
    /// By its receiver reports, and by asking again for what is missing.
    Reports,
}

impl Feedback {
    /// As a peer offers it.
    pub fn of(video: &Video) -> Self {
        if video.transport_cc.is_some() { Self::TransportWide } else { Self::Reports }
    }
}

/// What the two threads that meet at the estimator, RTP and RTCP, hold for a table look-up.
#[derive(Debug, Default)]
struct Passed {
    repeats: Repeats,
    recent: Recent,
    /// Of a peer that sends no transport-wide feedback.
    losses: Option<LossBased>,
}

impl Congestion {
    /// `most_kbps`: what is sent at most, without repeats. `shells`: those of all viewers.
    pub fn new(meter: Meter, most_kbps: u32, feedback: Feedback, shells: Shells) -> Self {
        let losses = (feedback == Feedback::Reports).then(LossBased::default);
        let passed = Passed { losses, ..Passed::default() };
        let congestion = Self {
            meter,
            most_kbps: Arc::new(most_kbps.into()),
            estimator: Arc::default(),
            shells,
            shell: Arc::default(),
            passed: Arc::new(Mutex::new(passed)),
        };
        if let Some(losses) = &mut congestion.passed().losses {
            losses.believe(congestion.most_bps());
        }
        congestion
    }

    /// Another rate is sent at most from now on. The estimator takes it while it plays
    /// (gst-plugin-rtp 0.15, though it calls the property changeable up to READY).
    pub fn limit(&self, most_kbps: u32) {
        self.most_kbps.store(most_kbps, Ordering::Relaxed);
        let estimator = self.estimator.get().and_then(gst::glib::WeakRef::upgrade);
        if let Some(estimator) = estimator {
            estimator.set_property("max-bitrate", self.most_bps());
        }
    }

    /// The highest estimate, in bit/s.
    fn most_bps(&self) -> u32 {
        self.most_kbps.load(Ordering::Relaxed).saturating_mul(1000 * PACED_AT)
    }

    /// The element behind webrtcbin's retransmission. Asked for on webrtcbin's thread.
    pub fn sender(&self) -> Option<gst::Element> {
        let element =
            self.estimator().or_else(|| gst::ElementFactory::make("identity").build().ok())?;
        watch(&element.static_pad("sink")?, self.clone());
        let shell = self.shells.around(&element).ok()?;
        self.shell().replace(shell.clone());
        Some(shell.upcast())
    }

    /// Takes it out of what webrtcbin keeps. Call when its pipeline has stopped.
    pub fn let_go(&self) {
        let shell = self.shell().take();
        shell.into_iter().for_each(|shell| self.shells.give_back(shell));
    }

    fn shell(&self) -> MutexGuard<'_, Option<gst::Bin>> {
        self.shell.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Google's congestion control (draft-ietf-rmcat-gcc-02).
    fn estimator(&self) -> Option<gst::Element> {
        let (least, most) = self.bounds();
        let element = gst::ElementFactory::make("rtpgccbwe")
            .property("min-bitrate", least)
            .property("max-bitrate", most)
            .property("estimated-bitrate", most)
            .build()
            .ok()?;
        self.meter.estimated(most);
        let meter = self.meter.clone();
        element.connect_notify(Some("estimated-bitrate"), move |element, _| {
            meter.estimated(element.property("estimated-bitrate"));
        });
        // webrtcbin asks once, when it makes the stream's pad.
        let _ = self.estimator.set(element.downgrade());
        Some(element)
    }

    /// Makes the estimator believe in `kbps` until it learns otherwise. Writing the
    /// estimate resets both of its controllers (gst-plugin-rtp 0.15).
    pub fn believe(&self, kbps: u32) {
        let (least, most) = self.bounds();
        let bps = kbps.saturating_mul(1000).clamp(least, most);
        let estimator = self.estimator.get().and_then(gst::glib::WeakRef::upgrade);
        if let Some(estimator) = estimator {
            estimator.set_property("estimated-bitrate", bps);
        }
        if let Some(losses) = &mut self.passed().losses {
            losses.believe(bps);
        }
        self.meter.estimated(bps);
    }

    /// The peer's last word about how far away it is.
    pub fn round_trip(&self, round_trip: Duration) {
        self.passed().repeats.round_trip(round_trip);
    }

    /// Whether receiver reports are to be read.
    pub fn reads_reports(&self) -> bool {
        self.passed().losses.is_some()
    }

    /// Takes a compound RTCP packet.
    pub fn reported(&self, compound: &[u8]) {
        let mut passed = self.passed();
        let block = passed.recent.ssrc().and_then(|ssrc| about(ssrc, compound));
        let (Some(block), Some(losses)) = (block, &mut passed.losses) else { return };
        let now = self.meter.now();
        losses.reported(block, now);
        self.meter.fed_back(0, 0, now + REPORT_FRESH);
    }

    /// How low and how high an estimate may be, in bit/s.
    fn bounds(&self) -> (u32, u32) {
        let most = self.most_bps();
        (LEAST_BPS.min(most), most)
    }

    fn passed(&self) -> MutexGuard<'_, Passed> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends the newest packets again, `bytes` of them: as padding, for the estimator to see
    /// what arrives. A peer that negotiated no repeats gets nothing.
    pub fn fill(&self, bytes: u64) {
        let estimator = self.estimator.get().and_then(gst::glib::WeakRef::upgrade);
        let pad = estimator.and_then(|estimator| estimator.static_pad("sink")?.peer());
        let newest = self.passed().recent.newest(bytes);
        let (Some(pad), Some((ssrc, numbers))) = (pad, newest) else { return };
        for number in numbers {
            let request = gst::Structure::builder(REPEAT)
                .field("seqnum", u32::from(number))
                .field("ssrc", ssrc)
                .build();
            pad.send_event(gst::event::CustomUpstream::new(request));
        }
    }
}

/// rtprtxsend's request for one packet.
const REPEAT: &str = "GstRTPRetransmissionRequest";

/// Counts what passes and what is fed back, and drops repeats over the limit.
fn watch(pad: &gst::Pad, congestion: Congestion) {
    let meter = congestion.meter.clone();
    let sent = {
        let congestion = congestion.clone();
        move |packet: &gst::BufferRef| {
            let (mut header, bytes) = ([0; 12], packet.size() as u64);
            let is_rtp = packet.copy_to_slice(0, &mut header).is_ok();
            congestion.passes(is_rtp.then_some(&header), bytes);
        }
    };
    let which = gst::PadProbeType::BUFFER
        | gst::PadProbeType::BUFFER_LIST
        | gst::PadProbeType::EVENT_UPSTREAM;
    pad.add_probe(which, move |_, info| {
        match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => sent(buffer),
            Some(gst::PadProbeData::BufferList(list)) => list.iter().for_each(&sent),
            Some(gst::PadProbeData::Event(event)) => {
                let Some(structure) = event.structure() else { return gst::PadProbeReturn::Ok };
                if structure.name() == "RTPTWCCPackets" {
                    let (arrived, lost) = fed_back(structure);
                    meter.fed_back(arrived, lost, meter.now() + FEEDBACK_FRESH);
                } else if structure.name() == REPEAT && !congestion.repeats_packet(structure) {
                    // Not dropped: GStreamer 1.22 would unref it once more, after the
                    // bindings have, and complain on standard error for every packet.
                    let refusal = gst::Structure::new_empty("signpost-no-repeat");
                    let refusal = gst::event::CustomUpstream::new(refusal);
                    info.data = Some(gst::PadProbeData::Event(refusal));
                }
            }
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
}

/// Packets that arrived and that were lost, from rtpsession's event.
fn fed_back(structure: &gst::StructureRef) -> (u64, u64) {
    let Ok(packets) = structure.get::<gst::glib::ValueArray>("packets") else { return (0, 0) };
    let packets = packets.iter().filter_map(|packet| packet.get::<gst::Structure>().ok());
    packets.fold((0, 0), |(arrived, lost), packet| match packet.get::<bool>("lost") {
        Ok(true) => (arrived, lost + 1),
        _ => (arrived + 1, lost),
    })
}

impl Congestion {
    /// A packet is on its way. `header`: its start, if it is long enough to have one.
    fn passes(&self, header: Option<&[u8; 12]>, bytes: u64) {
        let mut passed = self.passed();
        passed.repeats.sent(bytes);
        let number = header.and_then(|header| passed.recent.sent(header, bytes));
        if let (Some(number), Some(losses)) = (number, &mut passed.losses) {
            let told = losses.sent(number, bytes, self.meter.now(), self.bounds());
            count(&self.meter, told);
        }
        self.meter.sent(bytes);
    }

    /// Whether the packet that a peer asks for is sent again.
    fn repeats_packet(&self, request: &gst::StructureRef) -> bool {
        let Ok(number) = request.get::<u32>("seqnum") else { return true };
        let now = self.meter.now();
        let mut passed = self.passed();
        if let Some(losses) = &mut passed.losses {
            count(&self.meter, losses.asked(number as u16, now));
        }
        let repeated = !self.meter.is_muted(now) && passed.repeats.allow(number as u16, now);
        if repeated {
            self.meter.repeated();
        }
        repeated
    }
}

fn count(meter: &Meter, Told { arrived, lost, estimate_bps }: Told) {
    meter.arrived(arrived, lost);
    if let Some(bps) = estimate_bps {
        meter.estimated(bps);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::time::Instant;

    use super::*;

    #[test]
    fn what_webrtcbin_keeps_of_a_viewer_is_empty() {
        gst::init().unwrap();
        register();
        let congestion = Congestion::new(
            Meter::new(Instant::now()),
            1000,
            Feedback::TransportWide,
            Shells::default(),
        );
        let kept = congestion.sender().unwrap().downcast::<gst::Bin>().unwrap();
        let estimator = congestion.estimator.get().unwrap();
        assert_eq!((kept.children().len(), kept.pads().len()), (1, 2));
        congestion.let_go();
        assert_eq!((kept.children().len(), kept.pads().len()), (0, 0));
        assert!(estimator.upgrade().is_none());
    }
}
