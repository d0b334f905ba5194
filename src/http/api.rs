//! The API's own routes, and its description.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::access::COOKIE_NAME;
use super::status::Status;
use super::{App, router};
use crate::config::{Config, IceServer};

/// Status, configuration, ICE servers and the description of all.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(status))
        .routes(routes!(config))
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

/// The configuration in force, without secrets.
#[derive(Serialize, ToSchema)]
struct EffectiveConfig {
    /// By section and key; `camera` is a list.
    values: Value,
    /// Where each value came from, by `section.key` (`camera[1].key` for the second).
    origins: Map<String, Value>,
}

/// The configuration in force, without secrets, and where it came from.
#[utoipa::path(get, path = "/api/v1/config", tag = "configuration",
    responses((status = 200, description = "values and origins", body = EffectiveConfig)))]
async fn config(State(app): State<App>) -> Json<EffectiveConfig> {
    Json(effective(&app.config))
}

fn effective(config: &Config) -> EffectiveConfig {
    let mut values = Map::new();
    let mut origins = Map::new();
    for entry in &config.effective {
        let list = entry.section == "camera";
        let empty = || if list { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
        let mut table = values.entry(entry.section).or_insert_with(empty);
        if let Value::Array(cameras) = table {
            if cameras.len() <= entry.index {
                cameras.resize(entry.index + 1, Value::Object(Map::new()));
            }
            table = &mut cameras[entry.index];
        }
        table[entry.name] = entry.value.clone();
        origins.insert(entry.key(), entry.origin.clone().into());
    }
    EffectiveConfig { values: Value::Object(values), origins }
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
