//! What a page says and does on its data channels.

use std::time::Duration;

use tokio::sync::mpsc;

use super::SEPARATOR;
use crate::sessions::ConnectionId;
use crate::sessions::channel::{self, Channel, Label, Opened, Refusal, Verdict};
use crate::sessions::keepalive::{Keepalive, PING};
use crate::sessions::messages::Command;
use crate::sessions::outbox::Outbox;
use crate::sessions::post::{EVENTS_PER_CONNECTION, Event, Payload, Post};
use crate::sessions::transcript::Start;

/// As configured by default: `sessions.keepalive_s` and `sessions.buffer_limit_bytes`.
const KEEPALIVE: Duration = Duration::from_secs(5);
const BUFFER_LIMIT: u64 = 4 * 1024 * 1024;

/// Plays a connection's events, which [`SEPARATOR`] keeps apart. The first byte
/// says what happens, the others are its text or number:
///
/// | byte | event |
/// |---|---|
/// | `t`, `b` | the page says a text, or bytes |
/// | `o` | it opens a channel of this name |
/// | `c`, `e` | `commands` is closed; its connection ends |
/// | `x` | the owner takes what was posted |
/// | `w` | so many milliseconds pass, then the owner's tick |
/// | `s` | so many bytes are in SCTP's hands |
/// | `p` | a prediction with this transcript |
pub fn conversation(bytes: &[u8]) {
    let mut page = Page::new();
    for event in bytes.split(|byte| *byte == SEPARATOR) {
        let Some((kind, rest)) = event.split_first() else { continue };
        let text = || String::from_utf8_lossy(rest).into_owned();
        match kind {
            b't' => page.says(Payload::Text(text())),
            b'b' => page.says(Payload::Binary(rest.to_vec())),
            b'o' => page.opens(&text()),
            b'c' => page.commands_become(channel::Event::Closed),
            b'e' => page.commands_become(channel::Event::Closing),
            b'x' => page.is_heard(),
            b'w' => page.waits(Duration::from_millis(number(rest))),
            b's' => page.buffered = number(rest),
            b'p' => page.is_shown(&text()),
            _ => {}
        }
    }
    page.is_heard();
}

/// The first nine digits.
fn number(digits: &[u8]) -> u64 {
    let digits = digits.iter().take(9).take_while(|digit| digit.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

/// One connection, as the owner keeps it, with webrtcbin left out.
struct Page {
    now: Duration,
    post: Post,
    posted: mpsc::Receiver<(ConnectionId, Event)>,
    opened: Opened,
    commands: Channel,
    keepalive: Option<Keepalive>,
    outbox: Outbox,
    transcript: Start,
    buffered: u64,
    /// Characters that the camera has committed.
    committed: u64,
    /// Messages said and taken, keepalives sent and answered.
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    said: u64,
    taken: u64,
    pinged: u64,
    answered: u64,
}

impl Page {
    fn new() -> Self {
        let (events, posted) = mpsc::channel(EVENTS_PER_CONNECTION);
        let connection = ConnectionId::random().expect("the kernel gives random bytes");
        Self {
            now: Duration::ZERO,
            post: Post::new(connection, events),
            posted,
            opened: Opened::default(),
            commands: Channel::expected(),
            keepalive: None,
            outbox: Outbox::default(),
            transcript: Start::default(),
            buffered: 0,
            committed: 0,
            counts: Counts::default(),
        }
    }

    fn says(&mut self, payload: Payload) {
        let copy = payload.clone();
        let bytes = match &copy {
            Payload::Text(text) => text.as_bytes(),
            Payload::Binary(bytes) => bytes,
        };
        self.counts.said += 1;
        self.post.message(Label::Commands, bytes, || payload);
    }

    fn opens(&mut self, name: &str) {
        if self.opened.named(Some(name)) == Some(Label::Commands) {
            self.commands_become(channel::Event::Opened);
            self.keepalive = Some(Keepalive::new(KEEPALIVE, self.now));
        }
    }

    fn commands_become(&mut self, event: channel::Event) {
        let before = std::mem::replace(&mut self.commands, Channel::Closed);
        let was_closed = matches!(before, Channel::Closed);
        let (after, messages) = before.on(event, self.now);
        assert!(!was_closed || matches!(after, Channel::Closed), "closed is final");
        assert!(messages.is_empty() || matches!(after, Channel::Open));
        self.commands = after;
        if event != channel::Event::Opened {
            self.keepalive = None;
        }
    }

    fn is_heard(&mut self) {
        while let Ok((_, event)) = self.posted.try_recv() {
            self.post.taken(&event);
            self.counts.taken += 1;
            let Event::Message(Label::Commands, payload) = event else { continue };
            match Command::of(payload) {
                Some(Command::Alive) => {
                    let answered = self.keepalive.as_mut().is_some_and(Keepalive::answer);
                    self.counts.answered += u64::from(answered);
                }
                Some(Command::Echo(text)) => self.is_told(Payload::Text(text)),
                Some(Command::ClearTranscript) => self.transcript = Start::after(self.committed),
                None => {}
            }
        }
        assert!(self.counts.answered <= self.counts.pinged);
        assert_eq!(self.counts.taken + self.post.lost(), self.counts.said, "lost is counted");
    }

    fn is_told(&mut self, message: Payload) {
        let verdict = self.commands.send(message, self.buffered, BUFFER_LIMIT, self.now);
        match (&self.commands, verdict) {
            (Channel::Open, Verdict::Send(_)) => assert!(self.buffered <= BUFFER_LIMIT),
            (Channel::Open, Verdict::Refused(Refusal::OverLimit)) => {
                assert!(self.buffered > BUFFER_LIMIT);
            }
            (Channel::Connecting { .. }, Verdict::Waits | Verdict::Refused(_)) => {}
            (Channel::Closing | Channel::Closed, Verdict::Refused(Refusal::Gone)) => {}
            (state, verdict) => panic!("{verdict:?} while {}", state.word()),
        }
    }

    fn waits(&mut self, time: Duration) {
        self.now += time;
        let now = self.now;
        let Some(keepalive) = &mut self.keepalive else { return };
        if keepalive.is_deaf(now) {
            self.commands_become(channel::Event::Closing);
        } else if keepalive.due(now) {
            self.counts.pinged += 1;
            self.is_told(Payload::Binary(PING.to_vec()));
        }
    }

    fn is_shown(&mut self, transcript: &str) {
        self.committed += transcript.chars().count() as u64;
        let shown = self.transcript.of(transcript, self.committed);
        assert!(transcript.ends_with(shown));
        self.outbox.push(shown.to_owned(), self.now);
        if self.buffered == 0 {
            while self.outbox.take(self.now).is_some() {}
        }
    }
}
