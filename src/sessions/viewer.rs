//! One viewer's pipeline: `appsrc ! rtph264pay ! webrtcbin`.
//!
//! It shares nothing with the camera's pipeline but the clock, so its errors and
//! its teardown stay its own. Everything here that touches a running pipeline
//! may wait for GStreamer's threads: it is called on a blocking thread.

use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_sdp as gst_sdp;
use gstreamer_webrtc as gst_webrtc;
use thiserror::Error;

use crate::camera::{Feed, NoForm, Renditions};
use crate::clock::Clock;
use crate::config;

use super::association::{self, Number};
use super::congestion::Congestion;
use super::offer::{Checked, Format, Video};
use super::post::{Event, Post};
use super::signals::{self, Calls};
use super::stamp::StampOffset;
use super::{congestion, ice};

/// Packets of this size pass every tunnel that WebRTC meets.
const PACKET_BYTES: u32 = 1200;

/// The answer goes out after this long even when a configured server is silent.
const GATHERING_LIMIT: Duration = Duration::from_millis(300);

/// The same where only relays count: without a server's answer there is no path.
/// A page waits 2 s for its answer.
const RELAY_GATHERING_LIMIT: Duration = Duration::from_millis(1500);

/// An answer without any candidate is worth nothing; a busy machine gets this
/// long for its first. Without a network interface libnice never ends.
const FIRST_CANDIDATE_LIMIT: Duration = Duration::from_secs(3);

/// Why a viewer's pipeline gave no answer.
#[derive(Debug, Error)]
pub enum ViewerError {
    /// An element is not installed or refused its properties.
    #[error("cannot make the element {name}; install its GStreamer plugin")]
    Element {
        /// Such as `webrtcbin`.
        name: &'static str,
        /// What GStreamer says.
        #[source]
        source: gst::glib::BoolError,
    },
    /// Elements do not fit together.
    #[error("cannot link the viewer's pipeline")]
    Link(#[source] gst::glib::BoolError),
    /// The pipeline does not start.
    #[error("cannot start the viewer's pipeline")]
    Start(#[source] gst::StateChangeError),
    /// webrtcbin refused a step of the negotiation.
    #[error("{step} failed: {reason}")]
    Refused {
        /// webrtcbin's signal.
        step: &'static str,
        /// What webrtcbin says.
        reason: String,
    },
    /// webrtcbin refused the offer itself.
    #[error("the offer cannot be used: {reason}")]
    Offer {
        /// What webrtcbin says.
        reason: String,
    },
    /// webrtcbin is silent.
    #[error("{step} gave no result within sessions.negotiation_timeout_s")]
    Silent {
        /// webrtcbin's signal.
        step: &'static str,
    },
    /// There is nowhere that the peer could reach us.
    #[error(
        "this device has no network address to offer; connect it to a network, and see that \
         ice.udp_ports, if it is set, has free ports"
    )]
    NoAddress,
    /// Only relays may be used, and there is none.
    #[error(
        "no TURN server of ice.servers answered within {limit:?}; check their addresses and \
         credentials"
    )]
    NoRelay {
        /// How long it was waited for.
        limit: Duration,
    },
    /// The answer would show no picture.
    #[error("webrtcbin rejected the video section")]
    VideoRejected,
    /// A configured server that libnice cannot use.
    #[error("cannot use the ICE server {url}; write stun:HOST:PORT or turn:HOST:PORT")]
    IceServer {
        /// As configured.
        url: String,
    },
    /// A fault of this program; its thread's last words are in the log.
    #[error("making the viewer's pipeline panicked")]
    Panicked,
    /// The camera does not have what the viewer could show.
    #[error(transparent)]
    NoForm(#[from] NoForm),
    /// No random bytes for SSRC and RTP time.
    #[error("the kernel gives no random bytes")]
    Random,
}

impl ViewerError {
    /// What the sender of the offer can do about it.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Offer { .. } => super::error::AS_IT_IS,
            Self::NoAddress | Self::NoRelay { .. } | Self::Silent { .. } => "try again in a moment",
            Self::NoForm(_) => "use a browser with H.264, or open /api/v1/stream.mjpeg",
            _ => "try again; if it stays so, look into the log and run signpost check",
        }
    }
}

/// What a viewer's pipeline is made from.
pub(super) struct Plan {
    pub offer: Checked,
    pub renditions: Renditions,
    pub ice: config::Ice,
    pub clock: Clock,
    pub calls: Calls,
    /// From now to the end of the negotiation.
    pub timeout: Duration,
}

/// One webrtcbin with what feeds it. Give it back with [`Viewer::end`].
#[derive(Debug)]
pub(super) struct Viewer {
    pipeline: gst::Pipeline,
    webrtc: gst::Element,
    feed: Feed,
    offset: StampOffset,
    congestion: Congestion,
    /// Where webrtcbin looks for the peer's candidates.
    section: u32,
    /// Of its data channels. The last field: free when the pipeline is gone.
    association: Number,
}

impl Viewer {
    /// Builds the pipeline and answers the offer. Blocks for milliseconds, at most
    /// until the plan's timeout; on error nothing is left running.
    pub fn answer(plan: Plan) -> Result<(Self, String), ViewerError> {
        let deadline = Instant::now() + plan.timeout;
        let viewer = Self::build(&plan)?;
        match viewer.negotiate(&plan.offer.sdp, plan.ice.transport_policy, deadline) {
            Ok(answer) => {
                signals::hear_dtls(&viewer.webrtc, &plan.calls.post);
                Ok((viewer, plan.offer.complete(&answer)))
            }
            Err(error) => {
                viewer.end();
                Err(error)
            }
        }
    }

    /// Lets pictures flow, from the next key unit on. Before ICE and DTLS are up
    /// they would only wait in the queue, and its oldest, the key unit, be lost.
    pub fn show(&mut self) {
        // The sinks came after the start of the pipeline. Without their
        // latency RTCP cannot tell when a packet's picture was taken.
        let pipeline = self.pipeline.clone();
        tokio::task::spawn_blocking(move || pipeline.recalculate_latency());
        self.feed.resume();
    }

    /// Its pictures: which it is shown, and whether.
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Asks webrtcbin for its figures; they are posted. On a blocking thread, because
    /// a webrtcbin that is busy lets nobody ask.
    pub fn ask_stats(&self, post: Post) {
        let webrtc = self.webrtc.clone();
        tokio::task::spawn_blocking(move || {
            let promise = gst::Promise::with_change_func(move |reply| {
                let stats = reply.ok().flatten().map(ToOwned::to_owned);
                post.send(Event::Stats(stats.unwrap_or_else(|| gst::Structure::new_empty("none"))));
            });
            webrtc.emit_by_name::<()>("get-stats", &[&None::<gst::Pad>, &promise]);
        });
    }

    /// Tries further candidates of the peer, values of `a=candidate` lines. On a
    /// blocking thread: webrtcbin takes the signal under the lock that its own
    /// steps hold.
    pub fn try_candidates(&self, candidates: Vec<String>) {
        if candidates.is_empty() {
            return;
        }
        let (webrtc, section) = (self.webrtc.clone(), self.section);
        tokio::task::spawn_blocking(move || {
            for value in candidates {
                let line = format!("candidate:{value}");
                webrtc.emit_by_name::<()>("add-ice-candidate", &[&section, &line]);
            }
        });
    }

    /// RTP timestamp in this viewer's stream of a picture captured then.
    pub fn stamp(&self, running_time: gst::ClockTime) -> u32 {
        self.offset.stamp(running_time)
    }

    /// Stops the pipeline. Blocks, some 11 ms; upstream reports that it can
    /// block for ever, so the caller has a deadline.
    pub fn end(self) {
        drop(self);
    }

    fn build(plan: &Plan) -> Result<Self, ViewerError> {
        let video = &plan.offer.video;
        let ssrc = random_u32()?.max(1);
        let offset = StampOffset::new(random_u32()?);
        let pipeline = gst::Pipeline::new();
        plan.clock.drive(&pipeline);
        let appsrc = gst_app::AppSrc::builder().format(gst::Format::Time).is_live(true).build();
        let payloader = payloader(video, ssrc, offset)?;
        let webrtc = element("webrtcbin", |make| {
            make.property("bundle-policy", gst_webrtc::WebRTCBundlePolicy::MaxBundle)
        })?;
        ice::configure(&webrtc, &plan.ice)?;
        let feed = plan.renditions.feed(video.format.form(), &appsrc)?;
        signals::connect(&pipeline, &appsrc, &webrtc, feed.key_units(), &plan.calls);
        pipeline
            .add_many([appsrc.upcast_ref(), &payloader, &webrtc])
            .and_then(|()| appsrc.link(&payloader))
            .map_err(ViewerError::Link)?;
        connect_video(&payloader, &webrtc, video, ssrc)?;
        let section = plan.offer.ice.section;
        let congestion = plan.calls.congestion.clone();
        let association = Number::give();
        let viewer = Self { pipeline, webrtc, feed, offset, congestion, section, association };
        match viewer.pipeline.set_state(gst::State::Playing) {
            Ok(_) => Ok(viewer),
            Err(error) => {
                viewer.end();
                Err(ViewerError::Start(error))
            }
        }
    }

    fn negotiate(
        &self,
        offer: &str,
        policy: config::TransportPolicy,
        deadline: Instant,
    ) -> Result<String, ViewerError> {
        let gathered = self.gathered();
        self.take(offer, deadline)?;
        let reply = self.step("create-answer", deadline, |promise| {
            self.webrtc.emit_by_name::<()>("create-answer", &[&None::<gst::Structure>, promise]);
        })?;
        let answer = reply
            .and_then(|reply| reply.get::<gst_webrtc::WebRTCSessionDescription>("answer").ok())
            .ok_or_else(|| refused("create-answer", "the reply holds no answer"))?;
        let started = Instant::now();
        self.set_description("set-local-description", &answer, deadline)?;
        self.association.set(&self.webrtc);
        let local = self.gather(&gathered, policy, started, deadline)?;
        if !local.sdp().medias().any(|media| media.media() == Some("video") && media.port() != 0) {
            return Err(ViewerError::VideoRejected);
        }
        local.sdp().as_text().map_err(|error| refused("create-answer", &error.to_string()))
    }

    /// Waits for our candidates; `started` is when webrtcbin was told to look for them.
    fn gather(
        &self,
        gathered: &Receiver<()>,
        policy: config::TransportPolicy,
        started: Instant,
        deadline: Instant,
    ) -> Result<gst_webrtc::WebRTCSessionDescription, ViewerError> {
        let wait = |limit: Duration| {
            let until = deadline.min(started + limit);
            gathered.recv_timeout(until.saturating_duration_since(Instant::now())).is_ok()
        };
        let (limit, nothing) = match policy {
            config::TransportPolicy::All => (GATHERING_LIMIT, ViewerError::NoAddress),
            config::TransportPolicy::Relay => {
                let limit = RELAY_GATHERING_LIMIT;
                (limit, ViewerError::NoRelay { limit })
            }
        };
        // Late candidates of a silent server are not worth a late answer.
        let complete = wait(limit);
        let mut local = self.local_description()?;
        let hosts = policy == config::TransportPolicy::All;
        if hosts && !complete && !has_candidates(&local) {
            wait(limit + FIRST_CANDIDATE_LIMIT);
            local = self.local_description()?;
        }
        if has_candidates(&local) { Ok(local) } else { Err(nothing) }
    }

    /// Gives webrtcbin the offer. What it refuses here, our checks let pass.
    fn take(&self, offer: &str, deadline: Instant) -> Result<(), ViewerError> {
        let offer = describe(Kind::Offer, offer)?;
        let taken = self.set_description("set-remote-description", &offer, deadline);
        taken.map_err(|error| match error {
            ViewerError::Refused { reason, .. } => ViewerError::Offer { reason },
            other => other,
        })
    }

    /// Gets one message when all candidates are known.
    fn gathered(&self) -> Receiver<()> {
        let (complete, gathered) = sync_channel(1);
        self.webrtc.connect_notify(Some("ice-gathering-state"), move |webrtc, _| {
            let state: gst_webrtc::WebRTCICEGatheringState = webrtc.property("ice-gathering-state");
            if state == gst_webrtc::WebRTCICEGatheringState::Complete {
                let _ = complete.try_send(());
            }
        });
        gathered
    }

    fn local_description(&self) -> Result<gst_webrtc::WebRTCSessionDescription, ViewerError> {
        self.webrtc
            .property::<Option<gst_webrtc::WebRTCSessionDescription>>("local-description")
            .ok_or_else(|| refused("set-local-description", "there is no local description"))
    }

    fn set_description(
        &self,
        step: &'static str,
        description: &gst_webrtc::WebRTCSessionDescription,
        deadline: Instant,
    ) -> Result<(), ViewerError> {
        self.step(step, deadline, |promise| {
            self.webrtc.emit_by_name(step, &[description, promise])
        })?;
        Ok(())
    }

    /// Asks webrtcbin for one step and waits for its reply.
    fn step(
        &self,
        step: &'static str,
        deadline: Instant,
        ask: impl FnOnce(&gst::Promise),
    ) -> Result<Option<gst::Structure>, ViewerError> {
        let (reply, replied) = sync_channel(1);
        let promise = gst::Promise::with_change_func(move |result| {
            let _ = reply.try_send(result.map(|structure| structure.map(ToOwned::to_owned)));
        });
        ask(&promise);
        let reply = replied
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            .map_err(|_| ViewerError::Silent { step })?
            .map_err(|error| refused(step, &format!("{error:?}")))?;
        match reply.as_ref().and_then(|reply| reply.get::<gst::glib::Error>("error").ok()) {
            Some(error) => Err(refused(step, error.message())),
            None => Ok(reply),
        }
    }
}

/// A pipeline must not be dropped while it plays, also when its thread panics.
impl Drop for Viewer {
    fn drop(&mut self) {
        self.feed.stop();
        if let Some(bus) = self.pipeline.bus() {
            bus.unset_sync_handler();
        }
        association::shut(&self.webrtc);
        if let Err(error) = self.pipeline.set_state(gst::State::Null) {
            log::warn!("viewer's pipeline did not stop: {error}");
        }
        association::stop(&self.webrtc);
        self.congestion.let_go();
    }
}

use gst_webrtc::WebRTCSDPType as Kind;

pub(super) fn describe(
    kind: Kind,
    text: &str,
) -> Result<gst_webrtc::WebRTCSessionDescription, ViewerError> {
    let sdp = gst_sdp::SDPMessage::parse_buffer(text.as_bytes())
        .map_err(|error| ViewerError::Offer { reason: error.to_string() })?;
    Ok(gst_webrtc::WebRTCSessionDescription::new(kind, sdp))
}

fn has_candidates(description: &gst_webrtc::WebRTCSessionDescription) -> bool {
    description.sdp().medias().any(|media| media.attribute_val("candidate").is_some())
}

fn refused(step: &'static str, reason: &str) -> ViewerError {
    ViewerError::Refused { step, reason: reason.to_owned() }
}

fn payloader(video: &Video, ssrc: u32, offset: StampOffset) -> Result<gst::Element, ViewerError> {
    let common = |make: Builder| {
        make.property("pt", u32::from(video.payload_type))
            .property("ssrc", ssrc)
            .property("timestamp-offset", offset.get())
            // RTP time from running time, never counted on from buffer offsets.
            .property("perfect-rtptime", false)
            .property("mtu", PACKET_BYTES)
    };
    match video.format {
        Format::H264 { .. } => element("rtph264pay", |make| {
            common(make)
                .property("config-interval", -1_i32)
                .property_from_str("aggregate-mode", "zero-latency")
        }),
        // Picture ids tell a browser that a picture is missing (RFC 7741, 4.2).
        Format::Vp8 => {
            element("rtpvp8pay", |make| common(make).property_from_str("picture-id-mode", "15-bit"))
        }
    }
}

/// Joins payloader and webrtcbin, and says what the answer shall promise.
fn connect_video(
    payloader: &gst::Element,
    webrtc: &gst::Element,
    video: &Video,
    ssrc: u32,
) -> Result<(), ViewerError> {
    let no_pad = || gst::glib::bool_error!("webrtcbin gives no pad for video");
    let sink = webrtc.request_pad_simple("sink_%u").ok_or_else(no_pad);
    let sink = sink.map_err(ViewerError::Link)?;
    // Without the SSRC here the answer says 0, and Chromium decodes to black.
    let mut caps = gst::Caps::builder("application/x-rtp")
        .field("media", "video")
        .field("clock-rate", 90_000_i32)
        .field("payload", i32::from(video.payload_type))
        .field("ssrc", ssrc);
    caps = match &video.format {
        Format::H264 { profile } => {
            let caps = caps.field("encoding-name", "H264").field("packetization-mode", "1");
            caps.field_if_some("profile-level-id", profile.as_ref())
        }
        Format::Vp8 => caps.field("encoding-name", "VP8"),
    };
    if let Some(id) = video.transport_cc {
        caps = caps.field(format!("extmap-{id}"), super::offer::TRANSPORT_CC);
    }
    let transceiver = sink.property::<gst_webrtc::WebRTCRTPTransceiver>("transceiver");
    transceiver.set_property("codec-preferences", caps.build());
    transceiver.set_property("direction", gst_webrtc::WebRTCRTPTransceiverDirection::Sendonly);
    transceiver.set_property("do-nack", true);
    let source = payloader.static_pad("src").ok_or_else(no_pad).map_err(ViewerError::Link)?;
    source
        .link(&sink)
        .map(|_| ())
        .map_err(|error| ViewerError::Link(gst::glib::bool_error!("pads do not link: {error}")))
}

type Builder = gst::element_factory::ElementBuilder<'static>;

fn element(
    name: &'static str,
    with: impl FnOnce(Builder) -> Builder,
) -> Result<gst::Element, ViewerError> {
    with(gst::ElementFactory::make(name))
        .build()
        .map_err(|source| ViewerError::Element { name, source })
}

fn random_u32() -> Result<u32, ViewerError> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|_| ViewerError::Random)?;
    Ok(u32::from_le_bytes(bytes))
}

/// Loads what the first viewer would otherwise wait for: plugins, and the
/// certificate that all viewers share. Some 300 ms.
pub(super) fn warm() {
    congestion::register();
    for name in ["webrtcbin", "dtlssrtpenc", "dtlssrtpdec", "rtph264pay", "rtpgccbwe"] {
        if let Err(error) = element(name, |make| make) {
            log::warn!("{error}");
        }
    }
    for name in ["nicesink", "nicesrc", "srtpenc", "srtpdec", "sctpenc", "sctpdec", "rtprtxsend"] {
        if let Some(factory) = gst::ElementFactory::find(name) {
            // A plugin that does not load is reported by the viewer that needs it.
            let _ = factory.load();
        }
    }
}
