//! What belongs to one connection and is not in the table.

use std::net::IpAddr;
use std::time::Duration;

use gstreamer as gst;
use gstreamer_webrtc::WebRTCPeerConnectionState as Peer;
use tokio::sync::oneshot;

use super::adaptation::{Adaptation, Cause, Reading};
use super::channel::Label;
use super::congestion::Congestion;
use super::connection::Loss;
use super::figures::{Figures, Pair};
use super::keepalive::{Keepalive, PING};
use super::link::{Link, Sent};
use super::liveness::Liveness;
use super::messages::Shown;
use super::meter::Counted;
use super::post::{Event, Payload, Post};
use super::timeline::{Part, Timeline};
use super::trickle::{Fragment, Intake, TrickleError};
use super::viewer::Viewer;
use super::{Answer, OfferError, SessionId, ViewerError};
use crate::camera::{Codec, Form, Stills};

/// Where an offer's answer goes.
pub(super) type Reply = oneshot::Sender<Result<Answer, OfferError>>;

/// Messages that find no room, in what time: a page loses none.
const FLOOD: u64 = 1000;
const FLOOD_WITHIN: Duration = Duration::from_secs(10);

/// What a connection, or several, did not get through their channels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Losses {
    /// That a channel refused, ours and theirs.
    pub messages: u64,
    /// That were too old before there was room for them.
    pub predictions: u64,
}

impl std::ops::AddAssign for Losses {
    fn add_assign(&mut self, more: Self) {
        self.messages += more.messages;
        self.predictions += more.predictions;
    }
}

/// One connection's parts.
pub(super) struct Live {
    pub session: SessionId,
    /// The host that asked, or its network.
    pub origin: Option<IpAddr>,
    /// Since when its peer has seen pictures, once it has said so.
    pub seen: Option<Duration>,
    pub camera: usize,
    pub post: Post,
    pub congestion: Congestion,
    pub reply: Option<Reply>,
    /// The answer, or why there is none, until it is sent.
    pub answer: Option<Result<String, ViewerError>>,
    pub viewer: Option<Viewer>,
    pub intake: Intake,
    /// Candidates that came before the answer was out.
    pub early: Vec<String>,
    pub link: Link,
    pub keepalive: Option<Keepalive>,
    /// From the moment on when its peer is to be heard.
    pub liveness: Option<Liveness>,
    pub adaptation: Adaptation,
    /// While its network is probed: bytes sent at the last tick, and bytes that were still
    /// to be sent then.
    pub probe: Option<(u64, f64)>,
    /// Why it is shown the low rendition, if it is.
    pub cause: Option<Cause>,
    /// What its page was last told of this.
    pub shown: Option<Shown>,
    /// What the adaptation has been told of the counts.
    pub told: Counted,
    pub figures: Figures,
    /// JPEGs of what the model sees, while the peer has a channel for them.
    pub frames: Option<Stills>,
    /// Whether webrtcbin still owes its figures: who hangs is asked once.
    pub asked: bool,
    /// When its offer came, and the states that it went through since.
    pub began: Duration,
    pub timeline: Timeline,
    /// Since when its lost messages are counted, and how many there were then.
    pub flood: (Duration, u64),
}

impl Live {
    /// Notes what happened, if it is of a part's state.
    pub fn note(&mut self, event: &Event, now: Duration) {
        let (part, state) = match event {
            Event::State(part, state) => (*part, *state),
            Event::Peer(state) => (Part::Peer, peer_word(*state)),
            Event::Opened(label, _) => ((*label).into(), "open"),
            Event::Closed(label) => ((*label).into(), "closed"),
            _ => return,
        };
        self.timeline.note(part, state, now);
    }

    /// Lets pictures flow from now on; its peer is to be heard.
    pub fn show(&mut self, now: Duration) {
        self.liveness = Some(Liveness::new(now));
        self.timeline.note(Part::Connection, "live", now);
        if let Some(viewer) = &mut self.viewer {
            viewer.show();
        }
    }

    /// Whence its offer came, for the log.
    pub fn remote(&self) -> String {
        self.origin.map_or_else(|| "unknown".to_owned(), |origin| origin.to_string())
    }

    /// Tries what a fragment adds, now or when there is a pipeline.
    pub fn trickle(&mut self, fragment: Fragment) -> Result<(), TrickleError> {
        let new = self.intake.take(fragment)?;
        match &self.viewer {
            Some(viewer) => viewer.try_candidates(new),
            None => self.early.extend(new),
        }
        Ok(())
    }

    /// The peer said something.
    pub fn heard(&mut self, now: Duration) {
        if let Some(liveness) = &mut self.liveness {
            liveness.heard(now);
        }
    }

    /// Sends the keepalive that is due; says why the connection cannot go on, if so.
    pub fn tick(&mut self, now: Duration) -> Option<Loss> {
        if self.post.flooded() || self.floods(now) {
            return Some(Loss::Flooded);
        }
        let heard = self.congestion.meter.last_heard();
        if let Some(liveness) = &mut self.liveness {
            liveness.heard(heard);
            if liveness.is_lost(now) {
                return Some(Loss::Silent);
            }
        }
        let keepalive = self.keepalive.as_mut()?;
        if keepalive.is_deaf(now) {
            return Some(Loss::Deaf);
        }
        let due = keepalive.due(now);
        let sent = due.then(|| self.link.say(Payload::Binary(PING.to_vec()), now));
        sent.and_then(overrun)
    }

    /// Whether it sends more than a page would, and goes on.
    fn floods(&mut self, now: Duration) -> bool {
        let lost = self.post.lost();
        if now.saturating_sub(self.flood.0) >= FLOOD_WITHIN {
            self.flood = (now, lost);
        }
        lost - self.flood.1 > FLOOD
    }

    /// What its channels did not take so far.
    pub fn losses(&self) -> Losses {
        Losses {
            messages: self.link.refused() + self.post.lost(),
            predictions: self.link.dropped(),
        }
    }

    /// What is new of its network since the last call; `None` before it is shown
    /// pictures and after.
    pub fn reading(&mut self, now: Duration) -> Option<Reading> {
        self.liveness?;
        let counted = self.congestion.meter.counted();
        let before = std::mem::replace(&mut self.told, counted);
        Some(Reading {
            estimate_kbps: self.estimate_kbps(now),
            arrived: counted.arrived - before.arrived,
            lost: counted.lost - before.lost,
            wishes: counted.wishes - before.wishes,
        })
    }

    /// What its network carries, in kbit/s; `None` without fresh feedback.
    pub fn estimate_kbps(&self, now: Duration) -> Option<u32> {
        let meter = &self.congestion.meter;
        (meter.is_fresh(now) && meter.counted().arrived > 0).then(|| meter.estimate_kbps())
    }

    /// Whether it is shown pictures of this codec.
    pub fn shows(&self, codec: Codec) -> bool {
        self.form().is_some_and(|form| form.codec() == codec)
    }

    /// The rendition that it is to be shown, once it has a pipeline.
    pub fn form(&self) -> Option<Form> {
        self.viewer.as_ref().map(|viewer| viewer.feed().wanted())
    }

    /// Makes the figures of the last second, and asks webrtcbin for its own.
    pub fn measure(&mut self, now: Duration) {
        let (Some(viewer), Some(_)) = (&self.viewer, self.liveness) else { return };
        self.figures.mark(self.congestion.meter.counted(), viewer.feed().pushed(), now);
        if !self.asked {
            self.asked = true;
            viewer.ask_stats(self.post.clone());
        }
    }

    /// webrtcbin's figures; the path, if it is another one than before.
    pub fn reported(&mut self, stats: &gst::StructureRef) -> Option<Pair> {
        self.asked = false;
        let before = self.figures.pair.clone();
        self.figures.report(stats);
        if let Some(ms) = self.figures.rtt_ms {
            self.congestion.round_trip(Duration::from_secs_f64(ms / 1e3));
        }
        self.figures.pair.clone().filter(|pair| before.as_ref() != Some(pair))
    }

    /// The peer closed a channel.
    pub fn closed(&mut self, label: Label, now: Duration) {
        self.link.closed(label, now);
        match label {
            Label::Commands => self.keepalive = None,
            Label::Frames => self.frames = None,
            Label::Predictions => {}
        }
    }

    /// Sends the newest JPEG, if there is a new one and the last has been taken: what
    /// comes meanwhile is passed over.
    pub fn send_frame(&mut self, now: Duration) {
        let Some(frames) = &mut self.frames else { return };
        if !self.link.takes_frame() || !frames.has_changed().unwrap_or(false) {
            return;
        }
        let still = frames.borrow_and_update().clone();
        if let Some(still) = still {
            self.link.frame(&still.jpeg, now);
        }
    }

    /// Nothing more is sent; what is left is the pipeline.
    pub fn end(&mut self, now: Duration) -> Option<Viewer> {
        self.link.end(now);
        (self.keepalive, self.liveness, self.frames) = (None, None, None);
        self.viewer.take()
    }

    /// Whether nobody waits for the answer any more.
    pub fn is_unheard(&self) -> bool {
        self.reply.as_ref().is_some_and(oneshot::Sender::is_closed)
    }
}

fn peer_word(state: Peer) -> &'static str {
    match state {
        Peer::New => "new",
        Peer::Connecting => "connecting",
        Peer::Connected => "connected",
        Peer::Disconnected => "disconnected",
        Peer::Failed => "failed",
        Peer::Closed => "closed",
        _ => "unknown",
    }
}

/// What a send on `commands` means for its connection.
pub(super) fn overrun(sent: Sent) -> Option<Loss> {
    (sent == Sent::Overrun).then_some(Loss::Overrun)
}
