//! The API's own routes, and its description.

use axum::Json;
use axum::extract::State;
use axum::http::Method;
use serde::Serialize;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi as Document, Ref, ResponseBuilder};
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::access::COOKIE_NAME;
use super::roles::{self, Need};
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
    info(
        title = "signpost",
        description = "Every error is application/problem+json. Where there is HTTPS, a request \
            without it is led there by 307, or refused by 403 where it carries a body; 503 as \
            long as there is no certificate.",
    ),
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
    Json(IceServers { ice_servers: app.settled.borrow().now.ice.servers.clone() })
}

/// What routes of a kind can answer beside what each says of itself.
struct Common {
    status: &'static str,
    words: &'static str,
    holds: fn(&Operation, Need) -> bool,
}

const COMMON: &[Common] = &[
    Common {
        status: "400",
        words: "malformed, or for another host than this device",
        holds: |_, _| true,
    },
    Common {
        status: "401",
        words: "not logged in, or the device is not set up",
        holds: |_, need| need != Need::Nothing,
    },
    Common {
        status: "403",
        words: "not for this login's role, or a foreign page's request",
        holds: |_, _| true,
    },
    Common { status: "408", words: "the body did not come in time", holds: has_body },
    Common { status: "413", words: "the body is too long", holds: has_body },
    Common { status: "415", words: "the body is not of the described type", holds: has_body },
    Common { status: "422", words: "the body is not of the described form", holds: has_body },
];

fn has_body(operation: &Operation, _need: Need) -> bool {
    operation.request_body.is_some()
}

/// The description with every route and everything that it can answer.
pub fn described() -> Document {
    let mut document = router::routes().into_openapi();
    for (path, item) in &mut document.paths.paths {
        let methods = [
            (Method::GET, &mut item.get),
            (Method::POST, &mut item.post),
            (Method::PUT, &mut item.put),
            (Method::PATCH, &mut item.patch),
            (Method::DELETE, &mut item.delete),
            (Method::OPTIONS, &mut item.options),
        ];
        for (method, operation) in methods {
            let Some(operation) = operation else { continue };
            let need = roles::need(&method, Some(path));
            for Common { status, words, holds } in COMMON {
                if holds(operation, need) {
                    let answers = &mut operation.responses.responses;
                    answers.entry((*status).to_owned()).or_insert_with(|| problem(words).into());
                }
            }
        }
    }
    document
}

fn problem(words: &str) -> utoipa::openapi::Response {
    let form = Ref::from_schema_name(super::Problem::name());
    let content = ContentBuilder::new().schema(Some(form)).build();
    let answer = ResponseBuilder::new().description(words);
    answer.content("application/problem+json", content).build()
}

/// This description.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "status",
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json")))]
async fn openapi() -> Json<Document> {
    Json(described())
}
