//! What a viewer's elements call, and what is posted of it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use gstreamer_webrtc as gst_webrtc;

use crate::camera::KeyUnits;

use super::association;
use super::channel::{Label, Opened};
use super::congestion::Congestion;
use super::meter::Meter;
use super::post::{Event, Payload, Post};
use super::timeline::Part;

/// Where a viewer's elements say it.
pub(super) struct Calls {
    pub post: Post,
    pub congestion: Congestion,
}

/// Connects everything that a viewer's pipeline may say. Call in NULL.
pub(super) fn connect(
    pipeline: &gst::Pipeline,
    appsrc: &gst_app::AppSrc,
    webrtc: &gst::Element,
    key_units: KeyUnits,
    calls: &Calls,
) {
    let Calls { post, congestion } = calls;
    let meter = &congestion.meter;
    post_errors(pipeline, post.clone());
    forward_key_unit_wishes(appsrc, key_units, meter.clone());
    let sender = congestion.clone();
    webrtc.connect("request-aux-sender", false, move |_| Some(sender.sender().to_value()));
    hear_rtcp(webrtc, congestion.clone());
    let peer = post.clone();
    webrtc.connect_notify(Some("connection-state"), move |webrtc, _| {
        peer.send(Event::Peer(webrtc.property("connection-state")));
    });
    tell_path(webrtc, post);
    hear_channels(webrtc, post);
}

/// The steps to a path, for the timeline.
fn tell_path(webrtc: &gst::Element, post: &Post) {
    use gst_webrtc::{WebRTCICEConnectionState as Ice, WebRTCICEGatheringState as Gathering};
    let gathering = post.clone();
    webrtc.connect_notify(Some("ice-gathering-state"), move |webrtc, _| {
        let word = match webrtc.property("ice-gathering-state") {
            Gathering::New => "new",
            Gathering::Gathering => "gathering",
            Gathering::Complete => "complete",
            _ => "unknown",
        };
        gathering.send(Event::State(Part::Gathering, word));
    });
    let ice = post.clone();
    webrtc.connect_notify(Some("ice-connection-state"), move |webrtc, _| {
        let word = match webrtc.property("ice-connection-state") {
            Ice::New => "new",
            Ice::Checking => "checking",
            Ice::Connected => "connected",
            Ice::Completed => "completed",
            Ice::Failed => "failed",
            Ice::Disconnected => "disconnected",
            Ice::Closed => "closed",
            _ => "unknown",
        };
        ice.send(Event::State(Part::Ice, word));
    });
}

/// The encryption's steps, for the timeline. Call when the answer is set: before, webrtcbin has
/// no transport, and the peer, which has not got the answer, sends nothing yet.
pub(super) fn hear_dtls(webrtc: &gst::Element, post: &Post) {
    use gst_webrtc::WebRTCDTLSTransportState as Dtls;
    let first =
        webrtc.emit_by_name::<Option<gst_webrtc::WebRTCRTPTransceiver>>("get-transceiver", &[&0]);
    let sender = first.and_then(|first| first.property::<Option<gst::glib::Object>>("sender"));
    let transport =
        sender.and_then(|sender| sender.property::<Option<gst::glib::Object>>("transport"));
    let Some(transport) = transport else { return };
    let post = post.clone();
    transport.connect_notify(Some("state"), move |transport, _| {
        let word = match transport.property("state") {
            Dtls::New => "new",
            Dtls::Connecting => "connecting",
            Dtls::Connected => "connected",
            Dtls::Failed => "failed",
            Dtls::Closed => "closed",
            _ => "unknown",
        };
        post.send(Event::State(Part::Dtls, word));
    });
}

/// Channels, all of them the peer's.
fn hear_channels(webrtc: &gst::Element, post: &Post) {
    association::keep_channels(webrtc);
    let opened = Arc::new(Opened::default());
    let (come, many) = (opened.clone(), post.clone());
    webrtc.connect("prepare-data-channel", false, move |_| {
        if come.is_one_too_many() {
            many.send(Event::TooManyChannels);
        }
        None
    });
    let post = post.clone();
    webrtc.connect("on-data-channel", false, move |values| {
        let channel = values[1].get::<gst_webrtc::WebRTCDataChannel>().ok()?;
        // As bytes: they are the peer's, and a `String` that is none would end the process.
        let label = channel.property::<Option<PathBuf>>("label");
        if let Some(label) = opened.named(label.as_deref().and_then(Path::to_str)) {
            connect_channel(label, channel, &post);
        }
        None
    });
}

fn post_errors(pipeline: &gst::Pipeline, post: Post) {
    let Some(bus) = pipeline.bus() else { return };
    bus.set_sync_handler(move |_, message| {
        if let gst::MessageView::Error(error) = message.view() {
            let element = message.src().map(|source| source.name().to_string());
            let (element, reason) = (element.unwrap_or_default(), error.error().to_string());
            post.send(Event::PipelineFailed { element, reason });
        }
        // Nobody reads this bus; what is not dropped would pile up in it.
        gst::BusSyncReply::Drop
    });
}

/// The peer's picture loss reaches appsrc as an event; the camera's encoder is
/// in another pipeline.
fn forward_key_unit_wishes(appsrc: &gst_app::AppSrc, key_units: KeyUnits, meter: Meter) {
    let Some(pad) = appsrc.static_pad("src") else { return };
    pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
        if let Some(gst::PadProbeData::Event(event)) = &info.data
            && gst_video::UpstreamForceKeyUnitEvent::parse(event).is_ok()
        {
            meter.wished();
            key_units.request();
            return gst::PadProbeReturn::Handled;
        }
        gst::PadProbeReturn::Ok
    });
}

/// Every receiver report is a sign of life (RFC 3550, 6.4.2).
fn hear_rtcp(webrtc: &gst::Element, congestion: Congestion) {
    let rtpbin = webrtc.downcast_ref::<gst::Bin>().and_then(|bin| bin.by_name("rtpbin"));
    let Some(rtpbin) = rtpbin else {
        log::warn!("webrtcbin has no rtpbin: silent viewers are found by keepalives alone");
        return;
    };
    let read = Once::new();
    rtpbin.connect("on-ssrc-active", false, move |values| {
        congestion.meter.heard();
        if congestion.reads_reports() {
            read.call_once(|| read_reports(values, &congestion));
        }
        None
    });
}

/// Reads the reports that follow one, `values` being what rtpbin says of it. Before
/// the first there is no session to ask.
fn read_reports(values: &[gst::glib::Value], congestion: &Congestion) {
    let (Ok(rtpbin), Ok(id)) = (values[0].get::<gst::Element>(), values[1].get::<u32>()) else {
        return;
    };
    let session = rtpbin.emit_by_name::<Option<gst::glib::Object>>("get-internal-session", &[&id]);
    let Some(session) = session else { return };
    let congestion = congestion.clone();
    session.connect("on-receiving-rtcp", false, move |values| {
        let packet = values[1].get::<gst::Buffer>().ok()?;
        congestion.reported(packet.map_readable().ok()?.as_slice());
        None
    });
}

fn connect_channel(label: Label, channel: gst_webrtc::WebRTCDataChannel, post: &Post) {
    let text = post.clone();
    // As bytes, like the label; what is not UTF-8 (RFC 8831, 6.6) is read with replacements.
    channel.connect("on-message-string", false, move |values| {
        let message = values[1].get::<Option<PathBuf>>().ok()?.unwrap_or_default();
        let message = message.to_string_lossy();
        text.message(label, message.as_bytes(), || Payload::Text(message.to_string()));
        None
    });
    let binary = post.clone();
    channel.connect_on_message_data(move |_, message| {
        let message = message.map(|bytes| bytes.as_ref()).unwrap_or_default();
        binary.message(label, message, || Payload::Binary(message.to_vec()));
    });
    let low = post.clone();
    channel.connect_on_buffered_amount_low(move |_| low.send(Event::Drained(label)));
    let closed = post.clone();
    channel.connect_on_close(move |_| closed.send(Event::Closed(label)));
    post.send(Event::Opened(label, channel));
}
