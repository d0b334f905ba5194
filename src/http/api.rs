//! The API's own routes, and its description.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::access::COOKIE_NAME;
use super::status::Status;
use super::{App, router};
use crate::config::IceServer;

/// Status, ICE servers and the description of all.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(status))
        .routes(routes!(ice_servers))
        .routes(routes!(openapi))
}

#[derive(OpenApi)]
#[openapi(
    info(title = "signpost", description = "Every error is application/problem+json."),
    components(schemas(super::Problem)),
    security(("bearer" = []), ("cookie" = [])),
)]
struct Description;

/// The description without its routes, which add themselves.
pub fn document() -> Document {
    let mut document = Description::openapi();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let cookie = ApiKey::Cookie(ApiKeyValue::new(COOKIE_NAME));
    let schemes =
        [("bearer", SecurityScheme::Http(bearer)), ("cookie", SecurityScheme::ApiKey(cookie))];
    document.components.get_or_insert_default().add_security_schemes_from_iter(schemes);
    document
}

/// What the appliance is doing.
#[utoipa::path(get, path = "/api/v1/status", tag = "status",
    responses((status = 200, description = "the present state", body = Status)))]
async fn status(State(app): State<App>) -> Json<Status> {
    Json(app.status())
}

/// STUN and TURN servers as RTCConfiguration takes them.
#[derive(Serialize, ToSchema)]
struct IceServers {
    /// For `new RTCPeerConnection({iceServers})`.
    #[serde(rename = "iceServers")]
    ice_servers: Vec<IceServer>,
}

/// The ICE servers that a viewer should use.
#[utoipa::path(get, path = "/api/v1/ice-servers", tag = "live view",
    responses((status = 200, description = "in RTCConfiguration's form", body = IceServers)))]
async fn ice_servers(State(app): State<App>) -> Json<IceServers> {
    Json(IceServers { ice_servers: app.config.ice.servers.clone() })
}

/// This description.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "status",
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json")))]
async fn openapi() -> Json<Document> {
    Json(router::routes().into_openapi())
}
