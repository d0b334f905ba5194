//! The viewer of a diagnosis: a webrtcbin that asks for a picture and both data channels, as
//! the page does.

use std::time::Duration;

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer_sdp::SDPMessage;
use gstreamer_webrtc as gst_webrtc;
use gstreamer_webrtc::{WebRTCDataChannel, WebRTCRTPTransceiverDirection, WebRTCSDPType};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::watch::{Event, Seen};
use crate::config;
use crate::sessions::{ViewerError, association, configure_ice};

/// The channel on which the device answers.
pub const COMMANDS: &str = "commands";
/// The channel on which it says what it sees.
pub const PREDICTIONS: &str = "predictions";

/// What waits for the diagnosis: some seconds of all that a viewer hears. More is left out, so
/// that no thread of GStreamer waits.
const EVENTS: usize = 256;

/// A webrtcbin that does nothing answers within milliseconds.
const PROMISE: Duration = Duration::from_secs(5);

/// A pipeline that hangs is left behind: the program ends.
const TEARDOWN: Duration = Duration::from_secs(3);

/// Those that a device with the package has, and a desk.
const DECODERS: [&str; 3] = ["avdec_h264", "openh264dec", "v4l2h264dec"];

const H264: &str = "application/x-rtp,media=video,encoding-name=H264,payload=97,clock-rate=90000,\
    packetization-mode=(string)1,profile-level-id=(string)42e01f,\
    extmap-5=http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// Why there is no viewer.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// A part of GStreamer is missing.
    #[error("this machine cannot view: {0}; it needs GStreamer's packages bad, good and nice")]
    Missing(String),
    /// An ICE server that webrtcbin does not take.
    #[error(transparent)]
    Server(#[from] ViewerError),
    /// webrtcbin does not do what it is asked.
    #[error("webrtcbin did not {step}")]
    Silent {
        /// Which step of the negotiation.
        step: &'static str,
    },
    /// The device's answer is none.
    #[error("the answer is no session description")]
    Answer,
}

/// One viewer.
pub struct Peer {
    pipeline: gst::Pipeline,
    webrtc: gst::Element,
    commands: WebRTCDataChannel,
    events: mpsc::Receiver<Event>,
    seen: Seen,
    number: Option<association::Number>,
}

impl Peer {
    /// One that asks these ICE servers for its addresses.
    pub fn new(ice: &config::Ice) -> Result<Self, PeerError> {
        let missing = |error: &dyn ToString| PeerError::Missing(error.to_string());
        gst::init().map_err(|error| missing(&error))?;
        let (post, events) = mpsc::channel(EVENTS);
        let pipeline = gst::Pipeline::new();
        let webrtc = gst::ElementFactory::make("webrtcbin")
            .property("bundle-policy", gst_webrtc::WebRTCBundlePolicy::MaxBundle)
            .property("latency", 20_u32)
            .build()
            .map_err(|error| missing(&error))?;
        configure_ice(&webrtc, ice)?;
        association::keep_channels(&webrtc);
        pipeline.add(&webrtc).map_err(|error| missing(&error))?;
        let caps: gst::Caps = H264.parse().expect("the caps are a constant");
        webrtc.emit_by_name::<gst_webrtc::WebRTCRTPTransceiver>(
            "add-transceiver",
            &[&WebRTCRTPTransceiverDirection::Recvonly, &caps],
        );
        listen(&pipeline, &webrtc, &post);
        pipeline.set_state(gst::State::Ready).map_err(|error| missing(&error))?;
        let commands = channel(&webrtc, COMMANDS, None, &post)?;
        let loose = gst::Structure::builder("options")
            .field("ordered", false)
            .field("max-retransmits", 0_i32)
            .build();
        channel(&webrtc, PREDICTIONS, Some(loose), &post)?;
        pipeline.set_state(gst::State::Playing).map_err(|error| missing(&error))?;
        Ok(Self { pipeline, webrtc, commands, events, seen: Seen::default(), number: None })
    }

    /// An offer with the candidates that were found by then.
    pub async fn offer(&mut self, gathering: Duration) -> Result<String, PeerError> {
        let none = None::<gst::Structure>;
        let reply = self.ask("make an offer", "create-offer", &[&none]).await?;
        let offer =
            reply.and_then(|reply| reply.get::<gst_webrtc::WebRTCSessionDescription>("offer").ok());
        let offer = offer.ok_or(PeerError::Silent { step: "make an offer" })?;
        self.ask("take its offer", "set-local-description", &[&offer]).await?;
        let number = association::Number::give();
        number.set(&self.webrtc);
        self.number = Some(number);
        self.until(gathering, |seen| seen.gathered).await;
        let local: Option<gst_webrtc::WebRTCSessionDescription> =
            self.webrtc.property("local-description");
        let text = local.and_then(|local| local.sdp().as_text().ok());
        text.ok_or(PeerError::Silent { step: "tell its offer" })
    }

    /// Takes the device's answer.
    pub async fn accept(&self, answer: &str) -> Result<(), PeerError> {
        let sdp = SDPMessage::parse_buffer(answer.as_bytes()).map_err(|_| PeerError::Answer)?;
        let answer = gst_webrtc::WebRTCSessionDescription::new(WebRTCSDPType::Answer, sdp);
        self.ask("take the answer", "set-remote-description", &[&answer]).await.map(drop)
    }

    /// Sends a message on `commands`; whether the channel takes it.
    #[must_use]
    pub fn say(&self, text: &str) -> bool {
        self.commands.send_string_full(Some(text)).is_ok()
    }

    /// What was seen, once `enough` of it, or after `most`.
    pub async fn until(&mut self, most: Duration, enough: impl Fn(&Seen) -> bool) -> &Seen {
        let deadline = Instant::now() + most;
        while !enough(&self.seen) {
            match tokio::time::timeout_at(deadline, self.events.recv()).await {
                Ok(Some(event)) => self.seen.on(event),
                Ok(None) | Err(_) => break,
            }
        }
        &self.seen
    }

    /// Ends it, on a thread of its own: a part of GStreamer may hang.
    pub async fn close(self) {
        let Self { pipeline, webrtc, number, .. } = self;
        let ending = tokio::task::spawn_blocking(move || {
            association::shut(&webrtc);
            let _ = pipeline.set_state(gst::State::Null);
            association::stop(&webrtc);
            drop(number);
        });
        let _ = tokio::time::timeout(TEARDOWN, ending).await;
    }

    async fn ask(
        &self,
        step: &'static str,
        signal: &str,
        arguments: &[&(dyn ToValue + Sync)],
    ) -> Result<Option<gst::Structure>, PeerError> {
        let (reply, replied) = oneshot::channel();
        let promise = gst::Promise::with_change_func(move |result| {
            let _ = reply.send(result.ok().flatten().map(ToOwned::to_owned));
        });
        let mut values: Vec<glib::Value> =
            arguments.iter().map(|argument| argument.to_value()).collect();
        values.push(promise.to_value());
        self.webrtc.emit_by_name_with_values(signal, &values);
        let silent = || PeerError::Silent { step };
        let replied = tokio::time::timeout(PROMISE, replied).await.map_err(|_| silent())?;
        replied.map_err(|_| silent())
    }
}

/// Callbacks only post; what does not fit is left out.
fn listen(pipeline: &gst::Pipeline, webrtc: &gst::Element, post: &mpsc::Sender<Event>) {
    let events = post.clone();
    webrtc.connect("on-ice-candidate", false, move |values| {
        let candidate = values[2].get().ok()?;
        let _ = events.try_send(Event::Candidate(candidate));
        None
    });
    let events = post.clone();
    webrtc.connect_notify(Some("ice-gathering-state"), move |webrtc, _| {
        let state: gst_webrtc::WebRTCICEGatheringState = webrtc.property("ice-gathering-state");
        if state == gst_webrtc::WebRTCICEGatheringState::Complete {
            let _ = events.try_send(Event::Gathered);
        }
    });
    let events = post.clone();
    webrtc.connect_notify(Some("ice-connection-state"), move |webrtc, _| {
        let _ = events.try_send(Event::Ice(webrtc.property("ice-connection-state")));
    });
    let events = post.clone();
    webrtc.connect_notify(Some("connection-state"), move |webrtc, _| {
        let _ = events.try_send(Event::Peer(webrtc.property("connection-state")));
    });
    // Weak, or the pipeline would keep itself.
    let (events, into) = (post.clone(), pipeline.downgrade());
    webrtc.connect_pad_added(move |_, pad| {
        let Some(into) = into.upgrade() else { return };
        if let Err(why) = decode(&into, pad, &events) {
            let _ = events.try_send(Event::NoDecoder(why));
        }
    });
}

fn channel(
    webrtc: &gst::Element,
    label: &'static str,
    options: Option<gst::Structure>,
    post: &mpsc::Sender<Event>,
) -> Result<WebRTCDataChannel, PeerError> {
    let made: Option<WebRTCDataChannel> =
        webrtc.emit_by_name("create-data-channel", &[&label, &options]);
    let channel = made.ok_or(PeerError::Silent { step: "make a data channel" })?;
    let events = post.clone();
    channel.connect_on_open(move |_| drop(events.try_send(Event::Opened(label))));
    let events = post.clone();
    channel.connect_on_message_string(move |_, text| {
        let text = text.unwrap_or_default().to_owned();
        let _ = events.try_send(Event::Text(label, text));
    });
    Ok(channel)
}

/// Decodes what arrives, and tells of the first picture.
fn decode(
    pipeline: &gst::Pipeline,
    pad: &gst::Pad,
    post: &mpsc::Sender<Event>,
) -> Result<(), String> {
    let found = DECODERS.into_iter().find(|name| gst::ElementFactory::find(name).is_some());
    let decoder = found.ok_or_else(|| format!("none of {} is here", DECODERS.join(", ")))?;
    let chain = format!(
        "queue ! rtph264depay ! h264parse ! {decoder} ! fakesink name=sight sync=false async=false"
    );
    let bin = gst::parse::bin_from_description(&chain, true);
    let bin = bin.map_err(|error| error.to_string())?;
    let sight = bin.by_name("sight").and_then(|sink| sink.static_pad("sink"));
    let sight = sight.ok_or("the decoder has no end")?;
    let pictures = post.clone();
    sight.add_probe(gst::PadProbeType::BUFFER, move |pad, _| {
        let size = pad.current_caps().and_then(|caps| {
            let shape = caps.structure(0)?;
            Some((shape.get("width").ok()?, shape.get("height").ok()?))
        });
        if let Some((width, height)) = size {
            let _ = pictures.try_send(Event::Picture(width, height));
        }
        // One is enough.
        gst::PadProbeReturn::Remove
    });
    let told = |error: glib::BoolError| error.to_string();
    pipeline.add(&bin).map_err(told)?;
    bin.sync_state_with_parent().map_err(told)?;
    let sink = bin.static_pad("sink").ok_or("the decoder has no start")?;
    pad.link(&sink).map_err(|error| error.to_string()).map(drop)
}
