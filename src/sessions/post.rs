//! The way from GStreamer's threads to the sessions' owner.
//!
//! Callbacks turn what they were given into an [`Event`] and post it; nothing
//! here waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use gstreamer_webrtc as gst_webrtc;
use tokio::sync::mpsc;

use super::ConnectionId;
use super::channel::Label;

/// Messages of one peer that wait for the owner: a page sends one each few
/// seconds, and a peer that floods us loses its own messages, nobody else's.
const MESSAGE_LIMIT: usize = 32;

/// Longest message of a peer: commands are a line of JSON.
const MESSAGE_BYTES: usize = 16 * 1024;

/// Events of all connections that wait for the owner. A connection has at most
/// [`MESSAGE_LIMIT`] messages and a few changes of state in it.
pub(super) const EVENT_LIMIT: usize = 2048;

/// What a viewer's pipeline has to say.
#[derive(Debug)]
pub(super) enum Event {
    /// ICE and DTLS together changed their state.
    Peer(gst_webrtc::WebRTCPeerConnectionState),
    /// An element gave up: its message on the bus.
    PipelineFailed(String),
    /// The peer's channel is there and open.
    Opened(Label, gst_webrtc::WebRTCDataChannel),
    /// SCTP has taken what was buffered.
    Drained(Label),
    /// The channel is closed and stays so.
    Closed(Label),
    /// The peer said something.
    Message(Label, Payload),
}

/// What a peer said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Payload {
    Text(String),
    Binary(Vec<u8>),
}

/// One connection's way to the owner.
#[derive(Clone, Debug)]
pub(super) struct Post {
    connection: ConnectionId,
    events: mpsc::Sender<(ConnectionId, Event)>,
    waiting: Arc<AtomicUsize>,
    lost: Arc<AtomicU64>,
}

impl Post {
    pub fn new(connection: ConnectionId, events: mpsc::Sender<(ConnectionId, Event)>) -> Self {
        Self { connection, events, waiting: Arc::default(), lost: Arc::default() }
    }

    /// Posts a change of state.
    pub fn send(&self, event: Event) {
        if self.events.try_send((self.connection, event)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Posts what the peer said; too much of it, or too long, is lost and counted.
    pub fn message(&self, label: Label, bytes: &[u8], payload: impl FnOnce() -> Payload) {
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed);
        let fits = waiting < MESSAGE_LIMIT && bytes.len() <= MESSAGE_BYTES;
        let event = fits.then(|| (self.connection, Event::Message(label, payload())));
        if event.is_none_or(|event| self.events.try_send(event).is_err()) {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The owner took a message.
    pub fn taken(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// Messages and events that found no room.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn a_flood_of_messages_loses_only_its_own() {
        let (events, mut owner) = mpsc::channel(EVENT_LIMIT);
        let flood = Post::new(ConnectionId::random().unwrap(), events.clone());
        let quiet = Post::new(ConnectionId::random().unwrap(), events);
        let say = |post: &Post| post.message(Label::Commands, b"x", || Payload::Text("x".into()));
        (0..1000).for_each(|_| say(&flood));
        say(&quiet);
        assert_eq!((flood.lost(), quiet.lost()), (1000 - MESSAGE_LIMIT as u64, 0));
        while owner.try_recv().is_ok_and(|(from, _)| from == flood.connection) {
            flood.taken();
        }
        say(&flood);
        assert_eq!(flood.lost(), 1000 - MESSAGE_LIMIT as u64);
    }

    #[test]
    fn a_message_that_is_too_long_is_lost_and_counted() {
        let (events, mut owner) = mpsc::channel(EVENT_LIMIT);
        let post = Post::new(ConnectionId::random().unwrap(), events);
        let long = vec![0; MESSAGE_BYTES + 1];
        post.message(Label::Commands, &long, || Payload::Binary(long.clone()));
        assert!(owner.try_recv().is_err());
        assert_eq!(post.lost(), 1);
    }
}
