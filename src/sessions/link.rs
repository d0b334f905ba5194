//! The data channels of one connection: the one place from which is sent.

use std::mem;
use std::time::Duration;

use gstreamer::glib;
use gstreamer_webrtc::WebRTCDataChannel;

use super::channel::{Channel, Event, Label, Refusal, Verdict};
use super::offer::Channels;
use super::outbox::Outbox;
use super::post::Payload;

/// Bytes of predictions in SCTP's hands; more waits in the outbox, where a newer
/// prediction can still replace it. Some four predictions with two hands.
const SCTP_ROOM: u64 = 8 * 1024;

/// What the owner must know after a send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sent {
    /// Sent, waiting, or lost and counted.
    Handled,
    /// The peer does not take what it is sent on `commands`: its connection ends.
    Overrun,
}

/// All channels with what waits in front of them.
#[derive(Debug)]
pub(super) struct Link {
    commands: Wire,
    predictions: Wire,
    frames: Wire,
    outbox: Outbox,
}

/// A channel's state beside the channel itself.
#[derive(Debug)]
struct Wire {
    state: Channel,
    channel: Option<WebRTCDataChannel>,
    limit: u64,
    refused: u64,
}

impl Link {
    /// Channels as the peer's offer announces them; at most `limit` bytes may wait
    /// in SCTP for each.
    pub fn new(offered: Channels, limit: u64) -> Self {
        let state = || match offered {
            Channels::Offered => Channel::expected(),
            Channels::Absent => Channel::Absent,
        };
        let wire = || Wire { state: state(), channel: None, limit, refused: 0 };
        let outbox = Outbox::default();
        // Few peers want them, so none is waited for.
        let frames = Wire { state: Channel::Absent, ..wire() };
        Self { commands: wire(), predictions: wire(), frames, outbox }
    }

    /// The peer's channel is open.
    pub fn opened(&mut self, label: Label, channel: WebRTCDataChannel, now: Duration) {
        let wire = self.wire(label);
        channel.set_buffered_amount_low_threshold(SCTP_ROOM);
        wire.channel = Some(channel);
        wire.on(Event::Opened, now);
        if label == Label::Predictions {
            self.drain(now);
        }
    }

    /// The channel is closed.
    pub fn closed(&mut self, label: Label, now: Duration) {
        let wire = self.wire(label);
        wire.on(Event::Closed, now);
        wire.channel = None;
    }

    /// The connection ends: nothing more is sent.
    pub fn end(&mut self, now: Duration) {
        self.commands.on(Event::Closing, now);
        self.predictions.on(Event::Closing, now);
        self.frames.on(Event::Closing, now);
    }

    /// Says something on `commands`.
    pub fn say(&mut self, message: Payload, now: Duration) -> Sent {
        match self.commands.send(message, now) {
            Some(Refusal::OverLimit) => Sent::Overrun,
            _ => Sent::Handled,
        }
    }

    /// Whether the peer has, or is about to have, a channel for predictions.
    pub fn wants_predictions(&self) -> bool {
        matches!(self.predictions.state, Channel::Connecting { .. } | Channel::Open)
    }

    /// Sends a prediction as soon as there is room for it, or never.
    pub fn predict(&mut self, message: String, now: Duration) {
        self.outbox.push(message, now);
        self.drain(now);
    }

    /// Whether the peer wants frames and has taken the last one.
    pub fn takes_frame(&self) -> bool {
        matches!(self.frames.state, Channel::Open) && self.frames.buffered() == 0
    }

    /// Sends a JPEG. Ask [`Self::takes_frame`] before: one is on its way at most.
    pub fn frame(&mut self, jpeg: &[u8], now: Duration) {
        self.frames.send(Payload::Binary(jpeg.to_vec()), now);
    }

    /// Sends what waits, as far as there is room.
    pub fn drain(&mut self, now: Duration) {
        // Before the channel is open they wait here, where they grow old and few.
        if !matches!(self.predictions.state, Channel::Open) {
            return;
        }
        while self.predictions.buffered() <= SCTP_ROOM {
            let Some(message) = self.outbox.take(now) else { return };
            self.predictions.send(Payload::Text(message), now);
        }
    }

    /// A channel's state in a word.
    pub fn state(&self, label: Label) -> &'static str {
        match label {
            Label::Commands => self.commands.state.word(),
            Label::Predictions => self.predictions.state.word(),
            Label::Frames => self.frames.state.word(),
        }
    }

    /// Messages that a channel refused.
    pub fn refused(&self) -> u64 {
        self.commands.refused + self.predictions.refused + self.frames.refused
    }

    /// Predictions that were too old before there was room for them.
    pub fn dropped(&self) -> u64 {
        self.outbox.dropped()
    }

    fn wire(&mut self, label: Label) -> &mut Wire {
        match label {
            Label::Commands => &mut self.commands,
            Label::Predictions => &mut self.predictions,
            Label::Frames => &mut self.frames,
        }
    }
}

impl Wire {
    fn on(&mut self, event: Event, now: Duration) {
        let state = mem::replace(&mut self.state, Channel::Closed);
        let (state, messages) = state.on(event, now);
        self.state = state;
        for message in messages {
            self.pass(&message);
        }
    }

    fn send(&mut self, message: Payload, now: Duration) -> Option<Refusal> {
        match self.state.send(message, self.buffered(), self.limit, now) {
            Verdict::Send(message) => self.pass(&message),
            Verdict::Waits => {}
            Verdict::Refused(refusal) => {
                self.refused += 1;
                return Some(refusal);
            }
        }
        None
    }

    /// The `_full` variants: the plain ones hide errors and warn on a closed channel.
    fn pass(&mut self, message: &Payload) {
        let Some(channel) = &self.channel else { return };
        let sent = match message {
            Payload::Text(text) => channel.send_string_full(Some(text)),
            Payload::Binary(bytes) => channel.send_data_full(Some(&glib::Bytes::from(bytes))),
        };
        if sent.is_err() {
            self.refused += 1;
        }
    }

    fn buffered(&self) -> u64 {
        self.channel.as_ref().map_or(0, WebRTCDataChannel::buffered_amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predictions_are_for_who_has_offered_a_channel_and_not_ended() {
        assert!(!Link::new(Channels::Absent, 1).wants_predictions());
        let mut link = Link::new(Channels::Offered, 1);
        assert!(link.wants_predictions());
        link.end(Duration::ZERO);
        assert!(!link.wants_predictions());
    }
}
