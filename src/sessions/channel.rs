//! What a data channel does with a message, by the state it is in.

use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::post::Payload;

/// Messages for a channel that is still opening: more than a page needs before
/// it has heard the first.
const WAITING_LIMIT: usize = 64;

/// How long they wait: a channel that opens does so within two round trips.
const WAITING_TIME: Duration = Duration::from_secs(2);

/// The channels that we know, all made by the page.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Label {
    /// Ordered: keepalives and JSON both ways.
    Commands,
    /// Unordered, never sent again: one JSON text a prediction.
    Predictions,
    /// JPEGs of what the model sees.
    Frames,
}

impl Label {
    pub fn parse(label: &str) -> Option<Self> {
        match label {
            "commands" => Some(Self::Commands),
            "predictions" => Some(Self::Predictions),
            "frames" => Some(Self::Frames),
            _ => None,
        }
    }
}

/// Channels that a peer opens in the life of its connection: there are three, and
/// webrtcbin makes elements and threads for each.
const CHANNEL_LIMIT: usize = 4;

/// Which channels a peer has opened. Asked on GStreamer's threads.
#[derive(Debug, Default)]
pub(super) struct Opened {
    count: AtomicUsize,
    commands: AtomicBool,
    predictions: AtomicBool,
    frames: AtomicBool,
}

impl Opened {
    /// Counts a channel that the peer brings about, which takes a message on a new stream of
    /// whatever kind, or a stream's reset; true for the first one too many.
    pub fn is_one_too_many(&self) -> bool {
        self.count.fetch_add(1, Ordering::Relaxed) == CHANNEL_LIMIT
    }

    /// A channel has its name; none if that is unknown, or taken: one of the same name was
    /// there before.
    pub fn named(&self, label: Option<&str>) -> Option<Label> {
        let label = label.and_then(Label::parse)?;
        let taken = match label {
            Label::Commands => &self.commands,
            Label::Predictions => &self.predictions,
            Label::Frames => &self.frames,
        };
        (!taken.swap(true, Ordering::Relaxed)).then_some(label)
    }
}

/// One channel's state.
#[derive(Debug)]
pub(super) enum Channel {
    /// The offer has no data channels.
    Absent,
    /// The peer is about to open it; messages wait with the time they came.
    Connecting { waiting: VecDeque<(Duration, Payload)> },
    /// Messages pass.
    Open,
    /// Its connection is about to end.
    Closing,
    /// The peer closed it.
    Closed,
}

/// What happens to a channel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Event {
    Opened,
    Closing,
    Closed,
}

/// What becomes of a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// Give it to SCTP now.
    Send(Payload),
    /// It goes when the channel opens.
    Waits,
    /// It is lost, and why.
    Refused(Refusal),
}

/// Why a message is lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refusal {
    /// There is no such channel.
    NoChannel,
    /// Too many messages wait for the channel to open.
    WaitingFull,
    /// The peer does not take what is buffered for it.
    OverLimit,
    /// The channel is closing or closed.
    Gone,
}

impl Channel {
    /// A channel that the peer's offer made room for.
    pub fn expected() -> Self {
        Self::Connecting { waiting: VecDeque::new() }
    }

    /// The next state, and the messages that may go now, in order.
    pub fn on(self, event: Event, now: Duration) -> (Self, Vec<Payload>) {
        match (self, event) {
            (Self::Connecting { waiting }, Event::Opened) => {
                (Self::Open, fresh(waiting, now).map(|(_, message)| message).collect())
            }
            // A peer may open what its offer did not announce.
            (Self::Absent, Event::Opened) => (Self::Open, Vec::new()),
            (Self::Absent, Event::Closed) => (Self::Absent, Vec::new()),
            (Self::Closed, _) | (_, Event::Closed) => (Self::Closed, Vec::new()),
            (Self::Closing, _) | (_, Event::Closing) => (Self::Closing, Vec::new()),
            (Self::Open, Event::Opened) => (Self::Open, Vec::new()),
        }
    }

    /// Its name, as the status shows it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Connecting { .. } => "connecting",
            Self::Open => "open",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }

    /// Takes a message at `now`, with `buffered` bytes in SCTP and at most
    /// `limit` of them allowed.
    pub fn send(&mut self, message: Payload, buffered: u64, limit: u64, now: Duration) -> Verdict {
        match self {
            Self::Absent => Verdict::Refused(Refusal::NoChannel),
            Self::Connecting { waiting } => {
                *waiting = fresh(mem::take(waiting), now).collect();
                if waiting.len() >= WAITING_LIMIT {
                    return Verdict::Refused(Refusal::WaitingFull);
                }
                waiting.push_back((now, message));
                Verdict::Waits
            }
            Self::Open if buffered > limit => Verdict::Refused(Refusal::OverLimit),
            Self::Open => Verdict::Send(message),
            Self::Closing | Self::Closed => Verdict::Refused(Refusal::Gone),
        }
    }
}

fn fresh(
    waiting: VecDeque<(Duration, Payload)>,
    now: Duration,
) -> impl Iterator<Item = (Duration, Payload)> {
    waiting.into_iter().filter(move |(since, _)| now.saturating_sub(*since) <= WAITING_TIME)
}

#[cfg(test)]
#[path = "channel_tests.rs"]
mod tests;
