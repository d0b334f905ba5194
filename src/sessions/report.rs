//! The sessions as the status shows them.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use super::channel::Label;
use super::connection::Loss;
use super::connection::State;
use super::figures::Pair;
use super::live::Live;
use super::session::Phase;
use super::table::Table;
use super::timeline::{Part, Timeline};
use super::{Cause, ConnectionId, SessionId};
use crate::camera::{Camera, Form};

/// One viewer. Without its id: who knows that could end it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct SessionReport {
    /// Beginning of its id.
    #[serde(skip)]
    pub id: String,
    /// Name of the camera that it looks at.
    pub camera: String,
    /// The last states it went through, oldest first.
    pub path: Vec<Entered>,
    /// Its connections that are not being torn down, oldest first.
    pub connections: Vec<ConnectionReport>,
}

/// A state that a session entered.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Entered {
    /// The state.
    pub phase: Phase,
    /// Seconds ago.
    pub ago_s: f64,
}

/// One connection of a viewer.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ConnectionReport {
    /// Beginning of its id.
    #[serde(skip)]
    pub id: String,
    /// Seconds since its offer came.
    #[serde(skip)]
    pub age_s: f64,
    /// The last states of its parts, oldest first.
    #[serde(skip)]
    pub timeline: Vec<Moment>,
    /// negotiating, connecting or live.
    pub state: &'static str,
    /// full, low or vp8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rendition: Option<&'static str>,
    /// Why it is shown the low rendition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cause>,
    /// The path that ICE has chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pair: Option<Pair>,
    /// Round trip, from the last receiver report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_ms: Option<f64>,
    /// Share of packets lost in the last second, 0 to 1, as fed back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// What its network carries, as estimated; no less than it is sent says little.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate_kbps: Option<u32>,
    /// RTP sent in the last second, repeats included.
    pub sent_kbps: u32,
    /// Pictures handed to the connection a second.
    pub fps: f64,
    /// Pictures that it missed because its queue was full, since its start.
    pub pictures_dropped: u64,
    /// Packets sent again, since its start.
    pub repeats: u64,
    /// Key units that it asked for, since its start.
    pub key_unit_requests: u64,
    /// Seconds since it was last heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_activity_s: Option<f64>,
    /// State of each data channel: absent, connecting, open, closing or closed.
    pub channels: Channels,
    /// Messages that a channel refused, ours and theirs.
    pub messages_refused: u64,
    /// Predictions that were too old before there was room for them.
    pub predictions_dropped: u64,
}

/// A part's state that was entered.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Moment {
    /// Which part.
    pub part: Part,
    /// In the words of RTCPeerConnection; of `connection` negotiating, connecting, live or
    /// closing.
    pub state: &'static str,
    /// Milliseconds since the connection's offer came.
    pub at_ms: u64,
}

/// A connection that has ended.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Ended {
    /// Beginning of its id.
    pub id: String,
    /// Beginning of its session's.
    pub session: String,
    /// Why it could not go on; absent where somebody asked for its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Loss>,
    /// Seconds that it lasted.
    pub lasted_s: f64,
    /// Seconds since its end.
    pub ago_s: f64,
    /// The last states of its parts, oldest first.
    pub timeline: Vec<Moment>,
}

/// Connections that have ended and are remembered: who could not connect asks soon.
pub(super) const GONE_LIMIT: usize = 16;

/// One of these.
#[derive(Debug)]
pub(super) struct Gone {
    pub session: SessionId,
    pub connection: ConnectionId,
    pub began: Duration,
    pub at: Duration,
    pub loss: Option<Loss>,
    pub timeline: Timeline,
}

/// The connections that have ended, as told at `now`.
pub(super) fn ended(gone: &VecDeque<Gone>, now: Duration) -> Vec<Ended> {
    let told = gone.iter().map(|gone| Ended {
        id: gone.connection.short(),
        session: gone.session.short(),
        reason: gone.loss,
        lasted_s: seconds(gone.at.saturating_sub(gone.began)),
        ago_s: seconds(now.saturating_sub(gone.at)),
        timeline: moments(&gone.timeline, gone.began),
    });
    told.collect()
}

fn moments(timeline: &Timeline, began: Duration) -> Vec<Moment> {
    let moment = |entry: &super::timeline::Entry| Moment {
        part: entry.part,
        state: entry.state,
        at_ms: u64::try_from(entry.at.saturating_sub(began).as_millis()).unwrap_or(u64::MAX),
    };
    timeline.entries().map(moment).collect()
}

/// States of a connection's data channels.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Channels {
    /// Of `commands`.
    pub commands: &'static str,
    /// Of `predictions`.
    pub predictions: &'static str,
    /// Of `frames`.
    pub frames: &'static str,
}

/// All sessions at `now`, the longest there first.
pub(super) fn sessions(
    table: &Table,
    live: &HashMap<ConnectionId, Live>,
    cameras: &[Camera],
    now: Duration,
) -> Vec<SessionReport> {
    let mut sessions: Vec<_> = table.sessions().collect();
    sessions.sort_by_key(|(_, session)| session.path().first().map(|(_, at)| *at));
    let report = |(id, session): &(SessionId, &super::table::Session)| SessionReport {
        id: id.short(),
        camera: cameras.get(session.camera).map(|c| c.name().to_owned()).unwrap_or_default(),
        path: session
            .path()
            .iter()
            .map(|(phase, at)| Entered { phase: *phase, ago_s: seconds(now.saturating_sub(*at)) })
            .collect(),
        connections: session
            .connections()
            .iter()
            .filter_map(|id| Some(connection(*id, live.get(id)?, table.state(*id)?, now)))
            .collect(),
    };
    sessions.iter().map(report).collect()
}

fn connection(id: ConnectionId, live: &Live, state: State, now: Duration) -> ConnectionReport {
    let (counted, figures) = (live.congestion.meter.counted(), &live.figures);
    let meter = &live.congestion.meter;
    ConnectionReport {
        id: id.short(),
        age_s: seconds(now.saturating_sub(live.began)),
        timeline: moments(&live.timeline, live.began),
        state: match state {
            State::Negotiating { .. } | State::Abandoned => "negotiating",
            State::Connecting { .. } => "connecting",
            State::Live => "live",
            State::Closing | State::Closed => "closing",
        },
        rendition: live.form().map(Form::as_str),
        reason: live.cause,
        pair: figures.pair.clone(),
        rtt_ms: figures.rtt_ms,
        loss: figures.loss.map(|loss| (loss * 1e3).round() / 1e3),
        estimate_kbps: meter.fed_back_ever().then(|| meter.estimate_kbps()),
        sent_kbps: figures.sent_kbps,
        fps: figures.fps,
        pictures_dropped: live.viewer.as_ref().map_or(0, |viewer| viewer.feed().dropped()),
        repeats: counted.repeats,
        key_unit_requests: counted.wishes,
        last_activity_s: live.liveness.map(|peer| seconds(now.saturating_sub(peer.last()))),
        channels: Channels {
            commands: live.link.state(Label::Commands),
            predictions: live.link.state(Label::Predictions),
            frames: live.link.state(Label::Frames),
        },
        messages_refused: live.losses().messages,
        predictions_dropped: live.losses().predictions,
    }
}

fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}
