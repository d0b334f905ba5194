//! Whether this device works; not whether it has a camera.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::App;

/// The one route.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(healthz))
}

/// What a watchdog needs to know, and nothing about the place.
#[derive(Serialize, ToSchema)]
struct Health {
    /// healthy, degraded (no reason to restart) or unhealthy.
    status: &'static str,
    /// What is unhealthy, by name.
    unhealthy: Vec<String>,
}

/// 200 while every part answers and the model works. A camera that is absent or
/// stopped is degraded, and never a reason to restart.
#[utoipa::path(get, path = "/healthz", tag = "status", security(()), responses(
    (status = 200, description = "healthy, or degraded", body = Health),
    (status = 503, description = "unhealthy", body = Health),
))]
async fn healthz(State(app): State<App>) -> (StatusCode, Json<Health>) {
    let status = app.status();
    let mut unhealthy = app.silent_owners();
    if status.recognition.state == "failed" {
        unhealthy.push("model".to_owned());
    }
    let (code, word) = match (unhealthy.is_empty(), status.degraded.is_empty()) {
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
        (true, false) => (StatusCode::OK, "degraded"),
        (true, true) => (StatusCode::OK, "healthy"),
    };
    (code, Json(Health { status: word, unhealthy }))
}
