//! What was measured in the last ten minutes, and the steps of each viewer's connections.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{App, Problem};
use crate::history::Columns;
use crate::sessions::{ConnectionReport, Ended, Entered, Moment};

/// The two routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(history)).routes(routes!(sessions))
}

/// Which samples.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct HistoryQuery {
    /// Number of the first one that is wanted, such as "next" of the last answer; all if left
    /// out.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 4294967295_u64, example = 0)]
    from: Option<u32>,
}

/// Figures of the last ten minutes, a sample every two seconds.
#[utoipa::path(get, path = "/api/v1/history", tag = "status", params(HistoryQuery), responses(
    (status = 200, description = "a column for each figure", body = Columns, example = json!({
        "sample_s": 2, "first": 120, "next": 122, "newest_s": 1_790_003_600.5,
        "cameras": [{"name": "door", "fps": [30.0, 29.5], "full_kbps": [1840, 1795],
            "low_kbps": [null, null], "vp8_kbps": [null, null],
            "capture_ms": {"median": [8.4, 8.4], "max": [21.7, 19.9]},
            "encode_ms": {"median": [4.9, 5.3], "max": [11.2, 14.0]}}],
        "recognition": {"results_per_s": [15.0, 14.5],
            "queue_ms": {"median": [1.1, 1.2], "max": [12.0, 9.8]},
            "detect_ms": {"median": [null, 31.2], "max": [null, 44.8]},
            "landmarks_ms": {"median": [12.3, 12.1], "max": [16.0, 17.4]},
            "classify_ms": {"median": [2.1, 2.1], "max": [2.6, 3.1]},
            "capture_to_result_ms": {"median": [44.2, 46.1], "max": [88.0, 91.3]}},
        "connections": [{"session": "a4f08f", "connection": "559200", "from": 1,
            "rendition": ["full"], "sent_kbps": [1850], "loss": [0.002], "rtt_ms": [3.1],
            "fps": [30.0]}],
    })),
    (status = 400, description = "a parameter that there is not", body = Problem,
        content_type = "application/problem+json"),
))]
async fn history(
    State(app): State<App>,
    query: Result<Query<HistoryQuery>, QueryRejection>,
) -> Result<Json<Columns>, Problem> {
    let Query(query) = query.map_err(|rejection| {
        const HINT: &str = "GET /api/v1/history?from=120, or without from for all";
        Problem::new(rejection.status(), "query not understood", rejection.body_text(), HINT)
    })?;
    Ok(Json(app.history.since(query.from.unwrap_or(0).into())))
}

/// Who looks, and how the connections came about.
#[derive(Debug, Serialize, ToSchema)]
struct SessionList {
    /// The longest there first, as they were at the last second.
    sessions: Vec<SessionView>,
    /// The last 16 connections that ended, the newest at last.
    ended: Vec<Ended>,
}

/// One viewer.
#[derive(Debug, Serialize, ToSchema)]
struct SessionView {
    /// Beginning of its id, as in the log.
    id: String,
    /// Name of the camera that it looks at.
    camera: String,
    /// The last states it went through, oldest first.
    path: Vec<Entered>,
    /// Its connections that are not being torn down, oldest first.
    connections: Vec<ConnectionView>,
}

/// One connection.
#[derive(Debug, Serialize, ToSchema)]
struct ConnectionView {
    /// Beginning of its id.
    id: String,
    /// Seconds since its offer came.
    age_s: f64,
    /// The last 32 states of its parts, oldest first.
    timeline: Vec<Moment>,
    /// What is measured of it.
    #[serde(flatten)]
    report: ConnectionReport,
}

/// Who looks: each viewer's connections with their paths, figures and states.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "live view", responses(
    (status = 200, description = "without addresses, and without the ids that open them",
        body = SessionList, example = json!({
            "sessions": [],
            "ended": [{"id": "559200", "session": "a4f08f", "reason": "ice_failed",
                "lasted_s": 10.1, "ago_s": 4.0, "timeline": [
                    {"part": "connection", "state": "negotiating", "at_ms": 0},
                    {"part": "ice", "state": "checking", "at_ms": 15},
                    {"part": "ice", "state": "failed", "at_ms": 10_040}]}],
        })),
))]
async fn sessions(State(app): State<App>) -> Json<SessionList> {
    let status = app.sessions.status().borrow().clone();
    let connection = |report: ConnectionReport| ConnectionView {
        id: report.id.clone(),
        age_s: report.age_s,
        timeline: report.timeline.clone(),
        report,
    };
    let sessions = status.sessions.into_iter().map(|session| SessionView {
        id: session.id,
        camera: session.camera,
        path: session.path,
        connections: session.connections.into_iter().map(connection).collect(),
    });
    Json(SessionList { sessions: sessions.collect(), ended: status.ended })
}
