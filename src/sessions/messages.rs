//! What is said on the data channels, as JSON.

use serde::{Deserialize, Serialize, Serializer};

use crate::cascade::Handedness;
use crate::recognition::{self, Hand, Prediction, Timing};

use super::keepalive::PONG;
use super::post::Payload;
use super::{Cause, ConnectionId, SessionId};
use crate::camera::{Encoding, Form};

/// First message on `commands`: who the viewer is to us.
#[derive(Serialize)]
struct Hello<'a> {
    r#type: &'static str,
    session: String,
    connection: String,
    camera: &'a str,
    keepalive_s: f64,
}

/// The hello for a connection that has just opened its `commands` channel.
pub(super) fn hello(
    session: SessionId,
    connection: ConnectionId,
    camera: &str,
    keepalive: std::time::Duration,
) -> String {
    text(&Hello {
        r#type: "hello",
        session: session.to_string(),
        connection: connection.to_string(),
        camera,
        keepalive_s: keepalive.as_secs_f64(),
    })
}

/// Which picture a viewer is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shown {
    pub current: Form,
    pub available: &'static [Form],
    /// Why not the full one.
    pub reason: Option<Cause>,
    /// None while nothing is encoded.
    pub picture: Option<Picture>,
}

/// Size and rate of what is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Picture {
    width: u32,
    height: u32,
    framerate: f32,
}

impl From<Encoding> for Picture {
    fn from(encoding: Encoding) -> Self {
        let Encoding { bitrate_kbps: _, width, height, framerate } = encoding;
        Self { width, height, framerate }
    }
}

#[derive(Serialize)]
struct Renditions<'a> {
    r#type: &'static str,
    current: &'a str,
    available: Vec<&'a str>,
    reason: Option<Cause>,
    width: Option<u32>,
    height: Option<u32>,
    framerate: Option<Rounded>,
}

/// Said whenever the viewer is shown another rendition, or its picture changes.
pub(super) fn renditions(shown: &Shown) -> String {
    let Shown { current, available, reason, picture } = shown;
    text(&Renditions {
        r#type: "renditions",
        current: current.as_str(),
        available: available.iter().map(|form| form.as_str()).collect(),
        reason: *reason,
        width: picture.map(|picture| picture.width),
        height: picture.map(|picture| picture.height),
        framerate: picture.map(|picture| Rounded(picture.framerate)),
    })
}

/// What a page says on `commands`.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Command {
    /// It has heard the last keepalive.
    Alive,
    /// Send this text back as it came.
    Echo(String),
    /// Show the transcript only from here on.
    ClearTranscript,
}

impl Command {
    /// Reads a message of the page; `None` for what we do not know.
    pub fn of(message: Payload) -> Option<Self> {
        #[derive(Deserialize)]
        struct Typed {
            r#type: String,
        }
        let text = match message {
            Payload::Binary(bytes) => return (bytes == PONG).then_some(Self::Alive),
            Payload::Text(text) => text,
        };
        let typed: Typed = serde_json::from_str(&text).ok()?;
        match typed.r#type.as_str() {
            "echo" => Some(Self::Echo(text)),
            "transcript.clear" => Some(Self::ClearTranscript),
            _ => None,
        }
    }
}

#[derive(Serialize)]
struct Message<'a> {
    v: u8,
    r#type: &'static str,
    seq: u64,
    rtp_timestamp: u32,
    label: Option<&'a str>,
    score: Rounded,
    committed: Option<&'a str>,
    transcript: &'a str,
    top: Vec<(&'a str, Rounded)>,
    hands: Vec<Points>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    boxes: Vec<Thing<'a>>,
    timing_ms: Times,
    dropped: u64,
}

#[derive(Serialize)]
struct Points {
    handedness: Handedness,
    score: Rounded,
    landmarks: Vec<[Rounded; 3]>,
}

#[derive(Serialize)]
struct Thing<'a> {
    label: &'a str,
    score: Rounded,
    r#box: [Rounded; 4],
}

#[derive(Serialize)]
struct Times {
    capture_to_result: Rounded,
    detect: Rounded,
    landmarks: Rounded,
    prepare: Rounded,
    classify: Rounded,
}

/// A prediction for one connection: with the RTP timestamp of its stream, and
/// the transcript from its session's start on.
pub(super) fn prediction(of: &Prediction, rtp_timestamp: u32, transcript: &str) -> String {
    let Timing { capture_to_result, detect, landmarks, prepare, classify } = of.timing_ms;
    text(&Message {
        v: 1,
        r#type: "prediction",
        seq: of.seq,
        rtp_timestamp,
        label: of.label.as_deref(),
        score: Rounded(of.score),
        committed: of.committed.as_deref(),
        transcript,
        top: of.top.iter().map(|(label, score)| (label.as_str(), Rounded(*score))).collect(),
        hands: of.hands.iter().map(points).collect(),
        boxes: of.boxes.iter().map(thing).collect(),
        timing_ms: Times {
            capture_to_result: Rounded(capture_to_result),
            detect: Rounded(detect),
            landmarks: Rounded(landmarks),
            prepare: Rounded(prepare),
            classify: Rounded(classify),
        },
        dropped: of.dropped,
    })
}

fn points(hand: &Hand) -> Points {
    Points {
        handedness: hand.handedness,
        score: Rounded(hand.score),
        landmarks: hand.landmarks.iter().map(|point| point.map(Rounded)).collect(),
    }
}

fn thing(thing: &recognition::Thing) -> Thing<'_> {
    let (score, edges) = (Rounded(thing.score), thing.edges.map(Rounded));
    Thing { label: &thing.label, score, r#box: edges }
}

/// A number with four decimals: a tenth of a pixel of a full HD picture.
#[derive(Clone, Copy)]
struct Rounded(f32);

impl Serialize for Rounded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Adding zero turns -0 into 0.
        serializer.serialize_f64((f64::from(self.0) * 1e4).round() / 1e4 + 0.0)
    }
}

fn text<T: Serialize>(message: &T) -> String {
    serde_json::to_string(message).expect("strings and numbers always have a JSON form")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use gstreamer as gst;

    #[test]
    fn a_prediction_is_written_as_the_interface_says() {
        let mut landmarks = [[0.25, 0.5, 0.0]; 21];
        landmarks[1] = [0.123_456, 0.999_96, -0.000_01];
        let hand = Hand { handedness: Handedness::Right, score: 0.98768, landmarks };
        let of = Prediction {
            seq: 7,
            captured_at: gst::ClockTime::SECOND,
            label: Some("A".into()),
            score: 0.97,
            committed: None,
            transcript: "HELLHELL".into(),
            committed_total: 8,
            top: vec![("A".into(), 0.97)],
            hands: vec![hand],
            boxes: Vec::new(),
            timing_ms: Timing { capture_to_result: 41.5, ..Timing::default() },
            dropped: 3,
            answered: true,
        };
        let json: serde_json::Value =
            serde_json::from_str(&prediction(&of, 90_000, "HELL")).unwrap();
        let mut points = vec![[0.25, 0.5, 0.0]; 21];
        points[1] = [0.1235, 1.0, 0.0];
        let expected = serde_json::json!({
            "v": 1, "type": "prediction", "seq": 7, "rtp_timestamp": 90_000, "label": "A",
            "score": 0.97, "committed": null, "transcript": "HELL", "top": [["A", 0.97]],
            "hands": [{"handedness": "right", "score": 0.9877, "landmarks": points}],
            "timing_ms": {"capture_to_result": 41.5, "detect": 0.0, "landmarks": 0.0,
                "prepare": 0.0, "classify": 0.0},
            "dropped": 3,
        });
        assert_eq!(json, expected);
        let edges = [0.1, 0.2, 0.300_04, 1.0];
        let found = recognition::Thing { label: "CUP".into(), score: 0.876_54, edges };
        let text = prediction(&Prediction { boxes: vec![found], ..of }, 0, "");
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let expected =
            serde_json::json!([{"label": "CUP", "score": 0.8765, "box": [0.1, 0.2, 0.3, 1.0]}]);
        assert_eq!(json["boxes"], expected);
    }

    #[test]
    fn a_page_is_told_which_rendition_it_is_shown_and_why() {
        let shown = Shown {
            current: Form::Low,
            available: &[Form::Full, Form::Low],
            reason: Some(Cause::Network),
            picture: None,
        };
        let json =
            |shown| -> serde_json::Value { serde_json::from_str(&renditions(shown)).unwrap() };
        let mut expected = serde_json::json!({
            "type": "renditions", "current": "low", "available": ["full", "low"],
            "reason": "network", "width": null, "height": null, "framerate": null,
        });
        assert_eq!(json(&shown), expected);
        let encoding =
            Encoding { bitrate_kbps: 400, width: 640, height: 360, framerate: 15_000.0 / 1001.0 };
        expected["width"] = 640.into();
        expected["height"] = 360.into();
        expected["framerate"] = 14.985.into();
        assert_eq!(json(&Shown { picture: Some(encoding.into()), ..shown }), expected);
    }

    #[test]
    fn commands_are_known_by_their_type() {
        let said = |text: &str| Command::of(Payload::Text(text.into()));
        let echo = r#"{"type":"echo","n":1}"#;
        assert_eq!(said(echo), Some(Command::Echo(echo.into())));
        assert_eq!(said(r#"{"type":"transcript.clear"}"#), Some(Command::ClearTranscript));
        for other in ["", "{}", "[]", "echo", r#"{"type":1}"#, r#"{"type":"reboot"}"#] {
            assert_eq!(said(other), None, "{other}");
        }
    }

    #[test]
    fn an_answer_to_a_keepalive_is_binary_and_exact() {
        let binary = |bytes: &[u8]| Command::of(Payload::Binary(bytes.into()));
        assert_eq!(binary(PONG), Some(Command::Alive));
        assert_eq!(Command::of(Payload::Text("\0PONG".into())), None);
        for other in [&b""[..], b"\0PING", b"PONG", b"\0PONG\0", br#"{"type":"echo"}"#] {
            assert_eq!(binary(other), None, "{other:?}");
        }
    }
}
