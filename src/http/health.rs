//! Whether this device is there, and works; not whether it has a camera.

use axum::Json;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{App, Problem, Silent};

/// The two routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(knock))
}

/// What a watchdog needs to know, and nothing about the place.
#[derive(Serialize, ToSchema)]
struct Health {
    /// healthy, or degraded, which is no reason to restart.
    status: &'static str,
}

/// 200 while every part answers and the model works. A camera that is absent or
/// stopped is degraded, and never a reason to restart.
#[utoipa::path(get, path = "/healthz", tag = "status", security(()), responses(
    (status = 200, description = "healthy, or degraded", body = Health),
    (status = 503, description = "unhealthy; the detail names the parts", body = Problem,
        content_type = "application/problem+json"),
))]
async fn healthz(State(app): State<App>) -> Result<Json<Health>, Problem> {
    let silent = app.silent_owners();
    let mut unhealthy: Vec<String> = silent.iter().map(Silent::in_public).collect();
    if app.lacks_model() {
        unhealthy.push("model".to_owned());
    }
    if !unhealthy.is_empty() {
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unhealthy",
            unhealthy.join(", "),
            "GET /api/v1/status says why; `signpost check` finds what is missing",
        ));
    }
    Ok(Json(Health { status: if app.degraded().is_empty() { "healthy" } else { "degraded" } }))
}

/// A WebSocket (RFC 6455) that is opened and ends at once: with it the page asks whether
/// the device is there, because Chromium connects anew for each, and holds back a page
/// whose WebSockets are never opened.
#[utoipa::path(get, path = "/api/v1/knock", tag = "status", responses(
    (status = 101, description = "open, and closed at once"),
    (status = "4XX", description = "no handshake of a WebSocket", body = Problem,
        content_type = "application/problem+json"),
))]
async fn knock(
    handshake: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    match handshake {
        // The server hands no connection on: this one ends with the answer.
        Ok(handshake) => Ok(handshake.on_upgrade(async |_| {})),
        Err(refusal) => Err(Problem::new(
            refusal.status(),
            "no WebSocket",
            refusal.body_text(),
            "open this address as a WebSocket; GET /healthz asks the same by a request",
        )),
    }
}
