//! What the viewer of a diagnosis has seen so far. Pure.

use gstreamer_webrtc::{WebRTCICEConnectionState, WebRTCPeerConnectionState};
use serde_json::Value;

/// Something that happened to the connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A candidate of this end.
    Candidate(String),
    /// There are no more of them.
    Gathered,
    /// Whether there is a path.
    Ice(WebRTCICEConnectionState),
    /// Whether it is secured, too.
    Peer(WebRTCPeerConnectionState),
    /// A data channel can be used.
    Opened(&'static str),
    /// A message on one.
    Text(&'static str, String),
    /// A picture came out of the decoder: its size.
    Picture(i32, i32),
    /// Pictures cannot be decoded, and why.
    NoDecoder(String),
}

/// The sum of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// Whether this end has all its candidates.
    pub gathered: bool,
    /// Whether a TURN server has given it an address.
    pub relayed: bool,
    /// Whether there was a path.
    pub path: bool,
    /// Whether it was secured.
    pub secured: bool,
    /// Why one of the two was not or is no more.
    pub lost: bool,
    /// Whether `commands` was open.
    pub opened: bool,
    /// The echo that came back.
    pub echo: Option<Value>,
    /// The first prediction.
    pub prediction: Option<Value>,
    /// Size of the first picture.
    pub picture: Option<(i32, i32)>,
    /// Why there cannot be one.
    pub no_decoder: Option<String>,
}

impl Seen {
    /// With what has happened.
    pub fn on(&mut self, event: Event) {
        match event {
            Event::Candidate(candidate) => {
                let mut words = candidate.split_whitespace();
                self.relayed |= words.any(|word| word == "typ") && words.next() == Some("relay");
            }
            Event::Gathered => self.gathered = true,
            Event::Ice(state) => {
                use WebRTCICEConnectionState as Ice;
                self.path |= matches!(state, Ice::Connected | Ice::Completed);
                self.lost |= state == Ice::Failed;
            }
            Event::Peer(state) => {
                use WebRTCPeerConnectionState as Peer;
                self.secured |= state == Peer::Connected;
                self.lost |= matches!(state, Peer::Failed | Peer::Closed);
            }
            Event::Opened(channel) => self.opened |= channel == super::peer::COMMANDS,
            Event::Text(channel, text) => self.hear(channel, &text),
            Event::Picture(width, height) => {
                self.picture.get_or_insert((width, height));
            }
            Event::NoDecoder(why) => self.no_decoder = Some(why),
        }
    }

    fn hear(&mut self, channel: &str, text: &str) {
        let Ok(message) = serde_json::from_str::<Value>(text) else { return };
        match (channel, message["type"].as_str()) {
            (super::peer::COMMANDS, Some("echo")) => self.echo = Some(message),
            (super::peer::PREDICTIONS, Some("prediction")) => {
                self.prediction.get_or_insert(message);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::peer::{COMMANDS, PREDICTIONS};
    use super::*;

    fn after(events: impl IntoIterator<Item = Event>) -> Seen {
        let mut seen = Seen::default();
        events.into_iter().for_each(|event| seen.on(event));
        seen
    }

    #[test]
    fn each_event_counts_for_its_step_alone() {
        use WebRTCICEConnectionState as Ice;
        use WebRTCPeerConnectionState as Peer;
        let plain = Seen::default();
        assert_eq!(after([Event::Ice(Ice::Checking), Event::Peer(Peer::Connecting)]), plain);
        assert_eq!(after([Event::Opened(PREDICTIONS)]), plain);
        assert!(after([Event::Ice(Ice::Completed)]).path);
        let lost = after([Event::Ice(Ice::Connected), Event::Peer(Peer::Failed)]);
        assert!(lost.path && lost.lost && !lost.secured);
        let host = "candidate:1 1 UDP 2015 10.0.0.1 5000 typ host";
        let relay = "candidate:4 1 UDP 503 10.0.0.2 6000 typ relay raddr 10.0.0.1 rport 5000";
        assert!(!after([Event::Candidate(host.into())]).relayed);
        assert!(after([Event::Candidate(relay.into())]).relayed);
    }

    #[test]
    fn messages_are_told_apart_by_channel_and_type() {
        let text = |kind: &str| json!({"type": kind, "n": 1}).to_string();
        let seen = after([
            Event::Text(COMMANDS, text("hello")),
            Event::Text(PREDICTIONS, text("echo")),
            Event::Text(COMMANDS, text("prediction")),
            Event::Text(COMMANDS, "{".into()),
        ]);
        assert_eq!(seen, Seen::default());
        let seen = after([
            Event::Text(COMMANDS, text("echo")),
            Event::Text(PREDICTIONS, text("prediction")),
        ]);
        assert!(seen.echo.is_some() && seen.prediction.is_some());
    }

    proptest! {
        #[test]
        fn no_message_panics(text in "\\PC*") {
            let seen = after([Event::Text(COMMANDS, text.clone()), Event::Candidate(text)]);
            prop_assert!(!seen.path && seen.picture.is_none());
        }
    }
}
