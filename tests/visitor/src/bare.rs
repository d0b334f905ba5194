//! What connecting and leaving costs without signpost: a receiver meets a bare
//! webrtcbin that sends, both in this process. Beside the product's figure this
//! tells how much of a growth is the library's own.

use std::sync::mpsc;

use anyhow::{Context, Result};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_sdp::SDPMessage;
use gstreamer_webrtc as gst_webrtc;
use serde_json::json;

use crate::receiver::{PATIENCE, Peer, Seen, Sight, association, number};
use crate::watch::print;

/// Small and cheap, because only connections are counted. Pictures flow when the
/// connection is up, as in signpost: caps that reach webrtcbin while it makes its answer
/// leave its transceiver without a match, and nothing is ever sent.
const SENDER: &str = "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=15/1 \
    ! valve name=gate drop=true ! x264enc tune=zerolatency speed-preset=ultrafast threads=1 key-int-max=15 \
    ! video/x-h264,profile=constrained-baseline ! rtph264pay pt=97 aggregate-mode=zero-latency config-interval=-1 \
    ! webrtcbin name=webrtc bundle-policy=max-bundle";

/// What it sends. Without a profile: the payloader finds its own in the stream, and a
/// level that the receiver did not name would stop it.
const H264: &str = "application/x-rtp,media=video,encoding-name=H264,payload=97,\
    clock-rate=90000,packetization-mode=(string)1";

/// `count` connections one after the other.
///
/// # Errors
/// If one does not come up.
pub fn cycles(count: u32) -> Result<()> {
    for visit in 1..=count {
        once().with_context(|| format!("bare connection {visit}"))?;
        if visit % 10 == 0 || visit == count {
            print(&json!({ "event": "visited", "visits": visit, "broken_off": 0 }));
        }
    }
    Ok(())
}

fn once() -> Result<()> {
    let peer = Peer::with(Sight::Counted);
    let offer = peer.offer();
    let pipeline = gst::parse::launch(SENDER)?.downcast::<gst::Pipeline>();
    let pipeline = pipeline.ok().context("the sender is a pipeline")?;
    let webrtc = pipeline.by_name("webrtc").context("the sender has a webrtcbin")?;
    association::keep_channels(&webrtc);
    prefer_h264(&webrtc)?;
    let ice: gst_webrtc::WebRTCICE = webrtc.property("ice-agent");
    ice.property::<gst::glib::Object>("agent").set_property("upnp", false);
    pipeline.set_state(gst::State::Playing)?;
    let (post, connected) = mpsc::channel();
    webrtc.connect_notify(Some("connection-state"), move |webrtc, _| {
        let state: gst_webrtc::WebRTCPeerConnectionState = webrtc.property("connection-state");
        if state == gst_webrtc::WebRTCPeerConnectionState::Connected {
            let _ = post.send(());
        }
    });
    let answer = answer(&webrtc, &offer)?;
    let number = number();
    number.set(&webrtc);
    peer.accept(&answer);
    connected.recv_timeout(PATIENCE).context("a connection in time")?;
    pipeline.by_name("gate").context("the sender has a gate")?.set_property("drop", false);
    peer.until("a picture", |seen| matches!(seen, Seen::Picture(_)).then_some(()));
    association::shut(&webrtc);
    pipeline.set_state(gst::State::Null)?;
    association::stop(&webrtc);
    Ok(())
}

/// Says what will be sent, as signpost does. The encoder's own caps come with its first
/// picture, and an answer without a codec is inactive.
fn prefer_h264(webrtc: &gst::Element) -> Result<()> {
    let sink = webrtc.static_pad("sink_0").context("webrtcbin has a pad for video")?;
    let transceiver = sink.property::<gst_webrtc::WebRTCRTPTransceiver>("transceiver");
    transceiver.set_property("codec-preferences", H264.parse::<gst::Caps>()?);
    transceiver.set_property("direction", gst_webrtc::WebRTCRTPTransceiverDirection::Sendonly);
    Ok(())
}

/// The answer with all candidates.
fn answer(webrtc: &gst::Element, offer: &str) -> Result<String> {
    let sdp = SDPMessage::parse_buffer(offer.as_bytes())?;
    let kind = gst_webrtc::WebRTCSDPType::Offer;
    let offer = gst_webrtc::WebRTCSessionDescription::new(kind, sdp);
    ask(webrtc, "set-remote-description", &[&offer])?;
    let reply = ask(webrtc, "create-answer", &[&None::<gst::Structure>])?.context("no answer")?;
    let answer: gst_webrtc::WebRTCSessionDescription = reply.get("answer")?;
    let (complete, gathered) = mpsc::channel();
    webrtc.connect_notify(Some("ice-gathering-state"), move |webrtc, _| {
        if gathering(webrtc) == gst_webrtc::WebRTCICEGatheringState::Complete {
            let _ = complete.send(());
        }
    });
    ask(webrtc, "set-local-description", &[&answer])?;
    if gathering(webrtc) != gst_webrtc::WebRTCICEGatheringState::Complete {
        gathered.recv_timeout(PATIENCE).context("candidates in time")?;
    }
    let local: gst_webrtc::WebRTCSessionDescription = webrtc.property("local-description");
    Ok(local.sdp().as_text()?)
}

fn gathering(webrtc: &gst::Element) -> gst_webrtc::WebRTCICEGatheringState {
    webrtc.property("ice-gathering-state")
}

fn ask(
    webrtc: &gst::Element,
    step: &str,
    arguments: &[&dyn ToValue],
) -> Result<Option<gst::Structure>> {
    let (reply, replied) = mpsc::channel();
    let promise = gst::Promise::with_change_func(move |result| {
        let _ = reply.send(result.ok().flatten().map(ToOwned::to_owned));
    });
    let mut values: Vec<gst::glib::Value> =
        arguments.iter().map(|argument| argument.to_value()).collect();
    values.push(promise.to_value());
    webrtc.emit_by_name_with_values(step, &values);
    replied.recv_timeout(PATIENCE).with_context(|| format!("{step} in time"))
}
