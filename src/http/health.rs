//! Whether this device works; not whether it has a camera.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{App, Problem};

/// The one route.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(healthz))
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
    let mut unhealthy = app.silent_owners();
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
