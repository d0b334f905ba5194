//! What a viewer's elements call, and what is posted of it.

use std::sync::Once;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use gstreamer_webrtc as gst_webrtc;

use crate::camera::KeyUnits;

use super::channel::{Label, Newcomer, Opened};
use super::congestion::Congestion;
use super::meter::Meter;
use super::post::{Event, Payload, Post};

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
    let (channels, opened) = (post.clone(), Opened::default());
    webrtc.connect("on-data-channel", false, move |values| {
        let channel = values[1].get::<gst_webrtc::WebRTCDataChannel>().ok()?;
        match opened.another(channel.label().as_deref()) {
            Newcomer::Heard(label) => connect_channel(label, channel, &channels),
            Newcomer::Unheard => {}
            Newcomer::TooMany => channels.send(Event::TooManyChannels),
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
    channel.connect_on_message_string(move |_, message| {
        let message = message.unwrap_or_default();
        text.message(label, message.as_bytes(), || Payload::Text(message.to_owned()));
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
