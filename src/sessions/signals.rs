//! What a viewer's elements call, and what is posted of it.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use gstreamer_webrtc as gst_webrtc;

use crate::camera::Rendition;

use super::channel::{Label, Newcomer, Opened};
use super::post::{Event, Payload, Post};
use super::repeats::Repeats;

/// Connects everything that a viewer's pipeline may say. Call in NULL.
pub(super) fn connect(
    pipeline: &gst::Pipeline,
    appsrc: &gst_app::AppSrc,
    webrtc: &gst::Element,
    post: &Post,
    rendition: &Rendition,
) {
    post_errors(pipeline, post.clone());
    forward_key_unit_wishes(appsrc, rendition.clone());
    webrtc.connect("request-aux-sender", false, |_| Some(limiter().to_value()));
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
            post.send(Event::PipelineFailed(error.error().to_string()));
        }
        // Nobody reads this bus; what is not dropped would pile up in it.
        gst::BusSyncReply::Drop
    });
}

/// The peer's picture loss reaches appsrc as an event; the camera's encoder is
/// in another pipeline.
fn forward_key_unit_wishes(appsrc: &gst_app::AppSrc, rendition: Rendition) {
    let Some(pad) = appsrc.static_pad("src") else { return };
    pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
        if let Some(gst::PadProbeData::Event(event)) = &info.data
            && gst_video::UpstreamForceKeyUnitEvent::parse(event).is_ok()
        {
            rendition.request_key_unit();
            return gst::PadProbeReturn::Drop;
        }
        gst::PadProbeReturn::Ok
    });
}

/// An element behind webrtcbin's retransmission that limits its repeats.
fn limiter() -> Option<gst::Element> {
    let identity = gst::ElementFactory::make("identity").build().ok()?;
    let pad = identity.static_pad("sink")?;
    let started = Instant::now();
    // The two threads that meet here, RTP and RTCP, hold it for a table look-up.
    let repeats = Mutex::new(Repeats::default());
    let which = gst::PadProbeType::BUFFER
        | gst::PadProbeType::BUFFER_LIST
        | gst::PadProbeType::EVENT_UPSTREAM;
    pad.add_probe(which, move |_, info| {
        let mut repeats = repeats.lock().unwrap_or_else(PoisonError::into_inner);
        match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => repeats.sent(buffer.size() as u64),
            Some(gst::PadProbeData::BufferList(list)) => {
                repeats.sent(list.calculate_size() as u64);
            }
            Some(gst::PadProbeData::Event(event)) => {
                let wish = event.structure().filter(|s| s.name() == "GstRTPRetransmissionRequest");
                let number = wish.and_then(|wish| wish.get::<u32>("seqnum").ok());
                if number.is_some_and(|number| !repeats.allow(number as u16, started.elapsed())) {
                    return gst::PadProbeReturn::Drop;
                }
            }
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
    Some(identity)
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
