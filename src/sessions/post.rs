//! The way from GStreamer's threads to the sessions' owner.
//!
//! Callbacks turn what they were given into an [`Event`] and post it; nothing
//! here waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use gstreamer_webrtc as gst_webrtc;
use tokio::sync::mpsc;

use super::ConnectionId;
use super::channel::Label;
use super::timeline::Part;

/// Messages of one peer that wait for the owner: a page sends one each few
/// seconds, and a peer that floods us loses its own messages, nobody else's.
const MESSAGE_LIMIT: usize = 32;

/// Longest message of a peer: commands are a line of JSON.
const MESSAGE_BYTES: usize = 16 * 1024;

/// Changes of state of one connection that wait for the owner: gathering, ICE, DTLS and both
/// together go through a handful each, each of three channels opens and closes once.
const STATE_LIMIT: usize = 32;

/// Events of one connection that wait for the owner. With room for so many of
/// each connection nobody crowds out another's.
pub(super) const EVENTS_PER_CONNECTION: usize = MESSAGE_LIMIT + STATE_LIMIT;

/// What a viewer's pipeline has to say.
#[derive(Debug)]
pub(super) enum Event {
    /// ICE and DTLS together changed their state.
    Peer(gst_webrtc::WebRTCPeerConnectionState),
    /// A part entered this state, for the timeline alone.
    State(Part, &'static str),
    /// An element gave up: its name, and its message on the bus.
    PipelineFailed { element: String, reason: String },
    /// The peer opens more channels than a page needs.
    TooManyChannels,
    /// The peer's channel is there and open.
    Opened(Label, gst_webrtc::WebRTCDataChannel),
    /// SCTP has taken what was buffered.
    Drained(Label),
    /// The channel is closed and stays so.
    Closed(Label),
    /// webrtcbin's figures.
    Stats(gstreamer::Structure),
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
    count: Arc<Count>,
}

/// What of a connection waits, and what found no room.
#[derive(Debug, Default)]
struct Count {
    messages: AtomicUsize,
    states: AtomicUsize,
    lost: AtomicU64,
    flooded: AtomicBool,
}

impl Post {
    pub fn new(connection: ConnectionId, events: mpsc::Sender<(ConnectionId, Event)>) -> Self {
        Self { connection, events, count: Arc::default() }
    }

    /// Posts a change of state; one that finds no room makes it [`Self::flooded`].
    pub fn send(&self, event: Event) {
        let waiting = self.count.states.fetch_add(1, Ordering::Relaxed);
        let event = (waiting < STATE_LIMIT).then_some((self.connection, event));
        if event.is_none_or(|event| self.events.try_send(event).is_err()) {
            self.count.states.fetch_sub(1, Ordering::Relaxed);
            self.count.lost.fetch_add(1, Ordering::Relaxed);
            self.count.flooded.store(true, Ordering::Relaxed);
        }
    }

    /// Posts what the peer said; too much of it, or too long, is lost and counted.
    pub fn message(&self, label: Label, bytes: &[u8], payload: impl FnOnce() -> Payload) {
        let waiting = self.count.messages.fetch_add(1, Ordering::Relaxed);
        let fits = waiting < MESSAGE_LIMIT && bytes.len() <= MESSAGE_BYTES;
        let event = fits.then(|| (self.connection, Event::Message(label, payload())));
        if event.is_none_or(|event| self.events.try_send(event).is_err()) {
            self.count.messages.fetch_sub(1, Ordering::Relaxed);
            self.count.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The owner took an event.
    pub fn taken(&self, event: &Event) {
        let waiting = match event {
            Event::Message(..) => &self.count.messages,
            _ => &self.count.states,
        };
        waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// Messages and events that found no room.
    pub fn lost(&self) -> u64 {
        self.count.lost.load(Ordering::Relaxed)
    }

    /// Whether a change of state was lost: what is known of the connection is not
    /// true any more.
    pub fn flooded(&self) -> bool {
        self.count.flooded.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn a_flood_of_messages_loses_only_its_own() {
        let (events, mut owner) = mpsc::channel(2 * EVENTS_PER_CONNECTION);
        let flood = Post::new(ConnectionId::random().unwrap(), events.clone());
        let quiet = Post::new(ConnectionId::random().unwrap(), events);
        let say = |post: &Post| post.message(Label::Commands, b"x", || Payload::Text("x".into()));
        (0..1000).for_each(|_| say(&flood));
        say(&quiet);
        assert_eq!((flood.lost(), quiet.lost()), (1000 - MESSAGE_LIMIT as u64, 0));
        for _ in 0..MESSAGE_LIMIT {
            let (from, event) = owner.try_recv().unwrap();
            assert_eq!(from, flood.connection);
            flood.taken(&event);
        }
        say(&flood);
        assert_eq!(flood.lost(), 1000 - MESSAGE_LIMIT as u64);
    }

    #[test]
    fn a_flood_of_states_and_messages_leaves_room_for_others() {
        let (events, mut owner) = mpsc::channel(2 * EVENTS_PER_CONNECTION);
        let flood = Post::new(ConnectionId::random().unwrap(), events.clone());
        let quiet = Post::new(ConnectionId::random().unwrap(), events);
        let say = |post: &Post| post.message(Label::Commands, b"x", || Payload::Text("x".into()));
        for _ in 0..1000 {
            flood.send(Event::Closed(Label::Commands));
            say(&flood);
        }
        assert!(flood.flooded());
        (0..MESSAGE_LIMIT).for_each(|_| say(&quiet));
        (0..STATE_LIMIT).for_each(|_| quiet.send(Event::Drained(Label::Predictions)));
        assert_eq!((quiet.lost(), quiet.flooded()), (0, false));
        while let Ok((from, event)) = owner.try_recv() {
            if from == quiet.connection {
                quiet.taken(&event);
            }
        }
        (0..STATE_LIMIT).for_each(|_| quiet.send(Event::Closed(Label::Commands)));
        assert!(!quiet.flooded());
    }

    #[test]
    fn a_message_that_is_too_long_is_lost_and_counted() {
        let (events, mut owner) = mpsc::channel(EVENTS_PER_CONNECTION);
        let post = Post::new(ConnectionId::random().unwrap(), events);
        let long = vec![0; MESSAGE_BYTES + 1];
        post.message(Label::Commands, &long, || Payload::Binary(long.clone()));
        assert!(owner.try_recv().is_err());
        assert_eq!(post.lost(), 1);
    }
}
