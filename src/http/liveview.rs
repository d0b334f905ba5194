//! `POST /api/v1/liveview/start` and `/stop`: capture ahead of the first viewer, or
//! none at all.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::body::{JsonBody, understood};
use super::{App, Problem, status, stills};

/// The only way to watch that starting and stopping is about.
const PROTOCOL: &str = "webrtc";

/// Both routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(start)).routes(routes!(stop))
}

/// Which camera, for which way of watching.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
struct LiveviewBody {
    /// Always "webrtc".
    protocol: String,
    /// A configured camera's name; the first one if left out.
    camera: Option<String>,
}

/// What the camera does from now on.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct LiveviewAnswer {
    /// Always "success".
    status: &'static str,
    /// The camera's name.
    camera: String,
    /// starting, live, failed or stopped.
    state: &'static str,
}

/// Start capture ahead of the first viewer.
#[utoipa::path(
    post, path = "/api/v1/liveview/start", tag = "live view",
    request_body = LiveviewBody,
    responses(
        (status = 200, description = "capture starts, or runs already", body = LiveviewAnswer),
        (status = 404, description = "no such camera", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, description = "another protocol, or JSON of another form",
            body = Problem, content_type = "application/problem+json"),
    )
)]
async fn start(
    State(app): State<App>,
    body: JsonBody<LiveviewBody>,
) -> Result<Json<LiveviewAnswer>, Problem> {
    let camera = stills::find(&app, wished(body)?.camera.as_deref())?;
    camera.start_capture();
    let state = match status::camera(camera).state {
        // Its owner has not seen the wish yet.
        "stopped" => "starting",
        other => other,
    };
    Ok(Json(LiveviewAnswer { status: "success", camera: camera.name().to_owned(), state }))
}

/// Stop capture; viewers stay connected and are shown that, new ones are refused.
#[utoipa::path(
    post, path = "/api/v1/liveview/stop", tag = "live view",
    request_body = LiveviewBody,
    responses(
        (status = 200, description = "capture stops, or is stopped already",
            body = LiveviewAnswer),
        (status = 404, description = "no such camera", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, description = "another protocol, or JSON of another form",
            body = Problem, content_type = "application/problem+json"),
    )
)]
async fn stop(
    State(app): State<App>,
    body: JsonBody<LiveviewBody>,
) -> Result<Json<LiveviewAnswer>, Problem> {
    let camera = stills::find(&app, wished(body)?.camera.as_deref())?;
    camera.stop_capture();
    let camera = camera.name().to_owned();
    Ok(Json(LiveviewAnswer { status: "success", camera, state: "stopped" }))
}

fn wished(body: JsonBody<LiveviewBody>) -> Result<LiveviewBody, Problem> {
    const HINT: &str = "send {\"protocol\": \"webrtc\"} with Content-Type: application/json";
    let wish = understood(body, HINT)?;
    if wish.protocol != PROTOCOL {
        let told = format!("protocol {:?} cannot be started or stopped", wish.protocol);
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return Err(Problem::new(status, "unknown protocol", told, HINT));
    }
    Ok(wish)
}
