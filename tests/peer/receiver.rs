//! The second real peer: a webrtcbin that receives, with both data channels.

use std::cell::OnceCell;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_sdp::SDPMessage;
use gstreamer_webrtc as gst_webrtc;
use gstreamer_webrtc::{
    WebRTCDataChannel, WebRTCDataChannelState, WebRTCRTPTransceiverDirection, WebRTCSDPType,
};

#[path = "../../src/sessions/association.rs"]
pub mod association;

use association::Number;

/// Signpost may be in this process too, and its numbers begin with 1.
static FAR: Once = Once::new();

/// A number for an association of a test's own.
pub fn number() -> Number {
    FAR.call_once(|| (0..1 << 15).for_each(|_| drop(Number::give())));
    Number::give()
}

/// Longer than anything here takes on a busy machine; reaching it is a failure.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What waits for SCTP before whoever sends waits, or he would only fill his own memory.
const RAW_BUFFER_BYTES: u64 = 1 << 20;

const H264: &str = "application/x-rtp,media=video,encoding-name=H264,payload=97,clock-rate=90000,\
    packetization-mode=(string)1,profile-level-id=(string)42e01f,\
    extmap-5=http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// What the peer sees and hears.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// A packet: its length in bytes, RTP header included.
    Packet(usize),
    /// The last packet of a picture: its RTP timestamp.
    Picture(u32),
    /// A packet of a picture that can be decoded alone.
    KeyUnit(u32),
    /// A picture out of the decoder: its mean luma.
    Decoded(u8),
    /// The size of the one that follows.
    Size(u32, u32),
    Opened(String),
    Closed(String),
    Text(String, String),
    Binary(String, Vec<u8>),
    State(gst_webrtc::WebRTCPeerConnectionState),
}

/// What becomes of pictures that arrive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sight {
    /// They are decoded.
    Decoded,
    /// They are only counted, which costs little: for many peers on one machine.
    #[allow(dead_code, reason = "who includes this file uses what he needs")]
    Counted,
}

pub struct Peer {
    pipeline: gst::Pipeline,
    pub webrtc: gst::Element,
    pub commands: WebRTCDataChannel,
    post: Sender<Seen>,
    seen: Receiver<Seen>,
    association: OnceCell<Number>,
}

impl Peer {
    pub fn new() -> Self {
        Self::with(Sight::Decoded)
    }

    pub fn with(sight: Sight) -> Self {
        gst::init().unwrap();
        let (post, seen) = mpsc::channel();
        let pipeline = gst::Pipeline::new();
        let webrtc = gst::ElementFactory::make("webrtcbin")
            .property("bundle-policy", gst_webrtc::WebRTCBundlePolicy::MaxBundle)
            .property("latency", 20_u32)
            .build()
            .unwrap();
        let ice: gst_webrtc::WebRTCICE = webrtc.property("ice-agent");
        ice.property::<gst::glib::Object>("agent").set_property("upnp", false);
        association::keep_channels(&webrtc);
        pipeline.add(&webrtc).unwrap();
        let caps: gst::Caps = H264.parse().unwrap();
        webrtc.emit_by_name::<gst_webrtc::WebRTCRTPTransceiver>(
            "add-transceiver",
            &[&WebRTCRTPTransceiverDirection::Recvonly, &caps],
        );
        let states = post.clone();
        webrtc.connect_notify(Some("connection-state"), move |webrtc, _| {
            let _ = states.send(Seen::State(webrtc.property("connection-state")));
        });
        // Weak, or the pipeline would keep itself.
        let (pads, into) = (post.clone(), pipeline.downgrade());
        webrtc.connect_pad_added(move |_, pad| {
            into.upgrade().into_iter().for_each(|into| receive(&into, pad, &pads, sight));
        });
        pipeline.set_state(gst::State::Ready).unwrap();
        let commands = channel(&webrtc, "commands", None, &post);
        let loose = gst::Structure::builder("options")
            .field("ordered", false)
            .field("max-retransmits", 0_i32)
            .build();
        channel(&webrtc, "predictions", Some(loose), &post);
        pipeline.set_state(gst::State::Playing).unwrap();
        Self { pipeline, webrtc, commands, post, seen, association: OnceCell::new() }
    }

    /// An offer with all candidates.
    pub fn offer(&self) -> String {
        let reply = self.ask("create-offer", &[&None::<gst::Structure>]).unwrap();
        let offer: gst_webrtc::WebRTCSessionDescription = reply.get("offer").unwrap();
        let (complete, gathered) = mpsc::channel();
        self.webrtc.connect_notify(Some("ice-gathering-state"), move |webrtc, _| {
            let state: gst_webrtc::WebRTCICEGatheringState = webrtc.property("ice-gathering-state");
            if state == gst_webrtc::WebRTCICEGatheringState::Complete {
                let _ = complete.send(());
            }
        });
        self.ask("set-local-description", &[&offer]);
        self.association.get_or_init(number).set(&self.webrtc);
        let state: gst_webrtc::WebRTCICEGatheringState =
            self.webrtc.property("ice-gathering-state");
        if state != gst_webrtc::WebRTCICEGatheringState::Complete {
            gathered.recv_timeout(PATIENCE).expect("candidates in time");
        }
        let local: gst_webrtc::WebRTCSessionDescription = self.webrtc.property("local-description");
        local.sdp().as_text().unwrap()
    }

    /// Opens a further channel, which is seen as `name`.
    pub fn open(&self, label: &str, name: &str) -> WebRTCDataChannel {
        let channel: WebRTCDataChannel =
            self.webrtc.emit_by_name("create-data-channel", &[&label, &None::<gst::Structure>]);
        watch(&channel, name, &self.post);
        channel
    }

    /// A channel that nobody opens, because both ends are said to know of it. Call before
    /// the offer: webrtcbin makes none later.
    #[allow(dead_code, reason = "who includes this file uses what he needs")]
    pub fn agreed(&self, stream: i32, name: &str) -> WebRTCDataChannel {
        let agreed = gst::Structure::builder("options")
            .field("negotiated", true)
            .field("id", stream)
            .build();
        let channel: WebRTCDataChannel =
            self.webrtc.emit_by_name("create-data-channel", &[&name, &Some(agreed)]);
        watch(&channel, name, &self.post);
        channel
    }

    /// An SCTP stream that webrtcbin knows nothing of, and does not watch.
    #[allow(dead_code, reason = "who includes this file uses what he needs")]
    pub fn raw(&self, stream: i32) -> Raw {
        let encoder = &association::parts(&self.webrtc, "sctpenc")[0];
        let pad = encoder.request_pad_simple(&format!("sink_{stream}")).expect("a free stream");
        let source = gst_app::AppSrc::builder().is_live(true).format(gst::Format::Time);
        let source = source.do_timestamp(true).max_bytes(RAW_BUFFER_BYTES).block(true).build();
        self.webrtc.downcast_ref::<gst::Bin>().unwrap().add(&source).unwrap();
        source.static_pad("src").unwrap().link(&pad).unwrap();
        source.sync_state_with_parent().unwrap();
        Raw(source)
    }

    pub fn accept(&self, answer: &str) {
        let sdp = SDPMessage::parse_buffer(answer.as_bytes()).unwrap();
        let answer = gst_webrtc::WebRTCSessionDescription::new(WebRTCSDPType::Answer, sdp);
        self.ask("set-remote-description", &[&answer]);
    }

    /// The first value that `pick` finds in what is seen from now on.
    pub fn until<T>(&self, what: &str, mut pick: impl FnMut(Seen) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let seen = self.seen.recv_timeout(left);
            if let Some(found) = pick(seen.unwrap_or_else(|_| panic!("{what} in time"))) {
                return found;
            }
        }
    }

    /// The next thing that is seen, if it comes within `wait`.
    #[allow(dead_code, reason = "who includes this file uses what he needs")]
    pub fn next(&self, wait: Duration) -> Option<Seen> {
        self.seen.recv_timeout(wait).ok()
    }

    fn ask(&self, step: &str, arguments: &[&dyn ToValue]) -> Option<gst::Structure> {
        let (reply, replied) = mpsc::channel();
        let promise = gst::Promise::with_change_func(move |result| {
            let _ = reply.send(result.unwrap().map(ToOwned::to_owned));
        });
        let mut values: Vec<gst::glib::Value> =
            arguments.iter().map(|argument| argument.to_value()).collect();
        values.push(promise.to_value());
        self.webrtc.emit_by_name_with_values(step, &values);
        replied.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{step} in time"))
    }
}

/// What is sent on it goes past webrtcbin.
pub struct Raw(gst_app::AppSrc);

#[allow(dead_code, reason = "who includes this file uses what he needs")]
impl Raw {
    /// Sends a message of a kind, a PPID of RFC 8831, 8; waits while SCTP has enough.
    pub fn send(&self, ppid: u32, message: &[u8]) -> Result<gst::FlowSuccess, gst::FlowError> {
        let caps = gst::Caps::builder("application/data-channel").field("ordered", true);
        let caps = caps.field("ppid", ppid).build();
        let buffer = gst::Buffer::from_slice(message.to_vec());
        self.0.push_sample(&gst::Sample::builder().caps(&caps).buffer(&buffer).build())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        association::shut(&self.webrtc);
        let _ = self.pipeline.set_state(gst::State::Null);
        association::stop(&self.webrtc);
    }
}

fn channel(
    webrtc: &gst::Element,
    label: &str,
    options: Option<gst::Structure>,
    post: &Sender<Seen>,
) -> WebRTCDataChannel {
    let channel: WebRTCDataChannel =
        webrtc.emit_by_name("create-data-channel", &[&label, &options]);
    watch(&channel, label, post);
    channel
}

/// Tells what happens on a channel.
fn watch(channel: &WebRTCDataChannel, label: &str, post: &Sender<Seen>) {
    let label = label.to_owned();
    // A channel of a connection that stands can be open before anything listens to it.
    let (once, open, name) = (Once::new(), post.clone(), label.clone());
    let opened = Arc::new(move || {
        once.call_once(|| drop(open.send(Seen::Opened(name.clone()))));
    });
    let on_open = opened.clone();
    channel.connect_on_open(move |_| on_open());
    let (name, closed) = (label.clone(), post.clone());
    channel.connect_on_close(move |_| drop(closed.send(Seen::Closed(name.clone()))));
    let (name, text) = (label.clone(), post.clone());
    channel.connect_on_message_string(move |_, message| {
        let _ = text.send(Seen::Text(name.clone(), message.unwrap_or_default().to_owned()));
    });
    let binary = post.clone();
    channel.connect_on_message_data(move |_, message| {
        let bytes = message.map(|bytes| bytes.to_vec()).unwrap_or_default();
        let _ = binary.send(Seen::Binary(label.clone(), bytes));
    });
    if channel.ready_state() == WebRTCDataChannelState::Open {
        opened();
    }
}

/// Tells of every packet and picture, and decodes them if asked to.
fn receive(pipeline: &gst::Pipeline, pad: &gst::Pad, post: &Sender<Seen>, sight: Sight) {
    let packets = post.clone();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(gst::PadProbeData::Buffer(buffer)) = &info.data {
            let bytes = buffer.map_readable().unwrap();
            let _ = packets.send(Seen::Packet(bytes.len()));
            for seen in packet(&bytes) {
                let _ = packets.send(seen);
            }
        }
        gst::PadProbeReturn::Ok
    });
    let sink = match sight {
        Sight::Decoded => decoder(post),
        Sight::Counted => gst::ElementFactory::make("fakesink")
            .property("sync", false)
            .property("async", false)
            .build()
            .unwrap(),
    };
    pipeline.add(&sink).unwrap();
    pad.link(&sink.static_pad("sink").unwrap()).unwrap();
    sink.sync_state_with_parent().unwrap();
}

fn decoder(post: &Sender<Seen>) -> gst::Element {
    let decode = gst::parse::bin_from_description(
        "queue ! rtph264depay ! h264parse ! openh264dec ! video/x-raw,format=I420 \
         ! appsink name=pictures sync=false",
        true,
    )
    .unwrap();
    let pictures = decode.by_name("pictures").unwrap();
    let pictures = pictures.downcast::<gstreamer_app::AppSink>().unwrap();
    let decoded = post.clone();
    let on_sample = move |sink: &gstreamer_app::AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let info = gstreamer_video::VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
        let _ = decoded.send(Seen::Size(info.width(), info.height()));
        let _ = decoded.send(Seen::Decoded(mean_luma(&sample, &info)));
        Ok(gst::FlowSuccess::Ok)
    };
    pictures
        .set_callbacks(gstreamer_app::AppSinkCallbacks::builder().new_sample(on_sample).build());
    decode.upcast()
}

/// What one RTP packet (RFC 3550) with H.264 (RFC 6184) tells.
fn packet(bytes: &[u8]) -> Vec<Seen> {
    let timestamp = u32::from_be_bytes(bytes[4..8].try_into().unwrap());
    let mut start = 12 + 4 * usize::from(bytes[0] & 0x0f);
    if bytes[0] & 0x10 != 0 {
        let words = u16::from_be_bytes(bytes[start + 2..start + 4].try_into().unwrap());
        start += 4 + 4 * usize::from(words);
    }
    let payload = &bytes[start..];
    let kinds = match payload[0] & 0x1f {
        24 => aggregated(&payload[1..]),
        28 => vec![payload[1] & 0x1f],
        single => vec![single],
    };
    let key_unit = kinds.contains(&5).then_some(Seen::KeyUnit(timestamp));
    let complete = (bytes[1] & 0x80 != 0).then_some(Seen::Picture(timestamp));
    key_unit.into_iter().chain(complete).collect()
}

/// Kinds of the units in a STAP-A, each behind its length.
fn aggregated(mut units: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let [high, low, unit @ ..] = units {
        kinds.push(unit[0] & 0x1f);
        units = &unit[usize::from(u16::from_be_bytes([*high, *low]))..];
    }
    kinds
}

fn mean_luma(sample: &gst::Sample, info: &gstreamer_video::VideoInfo) -> u8 {
    let map = sample.buffer().unwrap().map_readable().unwrap();
    let luma = &map[..info.stride()[0] as usize * info.height() as usize];
    (luma.iter().map(|value| u64::from(*value)).sum::<u64>() / luma.len() as u64) as u8
}
