//! `POST /whep` and `POST /api/v1/webrtc/offer`: an offer comes in, an answer
//! goes out (draft-ietf-wish-whep, and the same in JSON for our own page).

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::access::not_logged_in;
use super::body::{JsonBody, understood};
use super::offers::MayOffer;
use super::{App, Caller, Problem, trickle};
use crate::camera::{self, NoForm};
use crate::config::IceServer;
use crate::errors::chain;
use crate::sessions::{Answer, NotFound, Offer, OfferError, SDP_LIMIT, ViewerError};

const SDP: &str = "application/sdp";

/// In JSON each end of line takes four bytes instead of two.
const JSON_LIMIT: usize = 2 * SDP_LIMIT + 1024;

/// A place becomes free when somebody closes a page; sooner than this is luck.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// An encoder that gave up is tried again after so long.
const FORM_RETRY_AFTER: Duration = camera::ABSENCE;

/// Offers come in, sessions end.
pub fn routes() -> OpenApiRouter<App> {
    let json = OpenApiRouter::new().routes(routes!(offer)).layer(DefaultBodyLimit::max(JSON_LIMIT));
    OpenApiRouter::new()
        .routes(routes!(whep, whep_options))
        .routes(routes!(end, end_options, trickle::patch))
        .routes(routes!(trickle::candidate))
        .routes(routes!(end_session))
        .layer(DefaultBodyLimit::max(SDP_LIMIT))
        .merge(json)
}

/// An offer in JSON.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
struct OfferBody {
    /// The page's `RTCPeerConnection.localDescription.sdp`.
    sdp: String,
    /// Always "offer".
    r#type: OfferType,
    /// A configured camera's name; the first one if left out.
    camera: Option<String>,
    /// The session to go on with; an unknown one means a new one.
    session: Option<String>,
}

/// RTCSdpType.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum OfferType {
    Offer,
}

/// An answer in JSON.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct AnswerBody {
    /// Always "success".
    status: &'static str,
    /// For `RTCPeerConnection.setRemoteDescription`.
    sdp: String,
    /// Always "answer".
    r#type: &'static str,
    /// What the viewer is to us: 32 hexadecimal digits.
    session: String,
    /// This connection: 32 hexadecimal digits.
    connection: String,
}

/// Watch the first camera, as a WHEP player does.
#[utoipa::path(
    post, path = "/whep", tag = "live view",
    request_body(content = String, content_type = "application/sdp", description = "offer"),
    responses(
        (status = 201, description = "the answer", body = String, content_type = "application/sdp",
            headers(
                ("Location" = String, description = "the session, relative: DELETE ends it"),
                ("ETag" = String, description = "the ICE session"),
                ("Link" = String, description = "one ICE server each, rel=\"ice-server\""),
            )),
        (status = 400, description = "no usable offer", body = Problem,
            content_type = "application/problem+json"),
        (status = 406, description = "no codec that the camera has", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "the camera was stopped on request", body = Problem,
            content_type = "application/problem+json"),
        (status = 413, description = "over 64 KiB", body = Problem,
            content_type = "application/problem+json"),
        (status = 415, description = "not application/sdp", body = Problem,
            content_type = "application/problem+json"),
        (status = 429, description = "too many offers of this address", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "server at capacity", body = Problem,
            content_type = "application/problem+json"),
    )
)]
async fn whep(
    State(app): State<App>,
    caller: Caller,
    MayOffer { origin }: MayOffer,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    if !is_of_type(&headers, SDP) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported media type",
            "an offer's Content-Type is application/sdp",
            "set Content-Type: application/sdp, or send JSON to /api/v1/webrtc/offer",
        ));
    }
    let body = body.map_err(|_| OfferError::TooLong { limit: SDP_LIMIT })?;
    // Bytes that are no text cannot be SDP; the first line says so.
    let sdp = String::from_utf8(body.into()).map_err(|_| OfferError::NotSdp { line: 1 })?;
    let answer = answer(&app, caller, Offer { sdp, origin, ..Offer::default() }).await?;
    let now = app.settled.borrow().now.clone();
    Ok(created(answer, &now.ice.servers))
}

/// What WHEP takes.
#[utoipa::path(
    options, path = "/whep", tag = "live view", security(()),
    responses((status = 200, description = "Accept-Post names application/sdp"))
)]
async fn whep_options() -> Response {
    [("accept-post", SDP), ("allow", "POST, OPTIONS")].into_response()
}

/// What a WHEP session takes; a foreign page's browser asks before it ends one.
#[utoipa::path(
    options, path = "/whep/{id}", tag = "live view", security(()),
    params(("id" = String, Path, description = "from Location")),
    responses((status = 200, description = "Accept-Patch names the type of candidates"))
)]
async fn end_options() -> Response {
    [("accept-patch", trickle::FRAGMENT), ("allow", "DELETE, OPTIONS, PATCH")].into_response()
}

/// End a WHEP session.
#[utoipa::path(
    delete, path = "/whep/{id}", tag = "live view",
    params(("id" = String, Path, description = "from Location")),
    responses(
        (status = 200, description = "ended"),
        (status = 404, description = "no such session", body = Problem,
            content_type = "application/problem+json"),
    )
)]
async fn end(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    app.sessions.close(&id, login(caller)).await?;
    Ok(StatusCode::OK)
}

/// Watch a camera, or go on in a session with a further connection.
#[utoipa::path(
    post, path = "/api/v1/webrtc/offer", tag = "live view",
    request_body = OfferBody,
    responses(
        (status = 200, description = "the answer", body = AnswerBody),
        (status = 400, description = "no usable offer", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "no such camera", body = Problem,
            content_type = "application/problem+json"),
        (status = 406, description = "no codec that the camera has", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "the camera was stopped on request", body = Problem,
            content_type = "application/problem+json"),
        (status = 413, description = "an SDP over 64 KiB", body = Problem,
            content_type = "application/problem+json"),
        (status = 415, description = "not application/json", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, description = "JSON of another form", body = Problem,
            content_type = "application/problem+json"),
        (status = 429, description = "too many offers of this address", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "server at capacity", body = Problem,
            content_type = "application/problem+json"),
    )
)]
async fn offer(
    State(app): State<App>,
    caller: Caller,
    MayOffer { origin }: MayOffer,
    body: JsonBody<OfferBody>,
) -> Result<Json<AnswerBody>, Problem> {
    let OfferBody { sdp, r#type: OfferType::Offer, camera, session } = understood_offer(body)?;
    let offer = Offer { sdp, camera, session, origin, login: None };
    let answer = answer(&app, caller, offer).await?;
    Ok(Json(AnswerBody {
        status: "success",
        sdp: answer.sdp,
        r#type: "answer",
        session: answer.session.to_string(),
        connection: answer.connection.to_string(),
    }))
}

/// End a session with all its connections.
#[utoipa::path(
    delete, path = "/api/v1/sessions/{id}", tag = "live view",
    params(("id" = String, Path, description = "from the answer")),
    responses(
        (status = 200, description = "ended"),
        (status = 404, description = "no such session", body = Problem,
            content_type = "application/problem+json"),
    )
)]
async fn end_session(
    app: State<App>,
    caller: Caller,
    id: Path<String>,
) -> Result<StatusCode, Problem> {
    end(app, caller, id).await
}

/// Answers the offer of `caller`.
async fn answer(app: &App, caller: Caller, offer: Offer) -> Result<Answer, Problem> {
    let login = login(caller.clone());
    let answer = app.sessions.offer(Offer { login: login.clone(), ..offer }).await?;
    // A login that ended while the offer came in has ended its sessions before this one.
    if !app.access.counts(&caller) {
        let _ = app.sessions.close(&answer.session.to_string(), login).await;
        return Err(not_logged_in());
    }
    Ok(answer)
}

/// Whose sessions the caller may use.
pub fn login(caller: Caller) -> Option<String> {
    caller.login.map(|login| login.text().to_owned())
}

/// Whether the body is of this media type.
pub fn is_of_type(headers: &HeaderMap, wanted: &str) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(wanted))
}

fn created(answer: Answer, servers: &[IceServer]) -> Response {
    let location = format!("/whep/{}", answer.session);
    let etag = format!("\"{}\"", answer.connection);
    let headers = [(header::LOCATION, location), (header::ETAG, etag)];
    let kind = [(header::CONTENT_TYPE, SDP)];
    let mut response = (StatusCode::CREATED, kind, headers, answer.sdp).into_response();
    let links = servers.iter().flat_map(|server| server.urls.iter().map(move |u| link(u, server)));
    for link in links.filter_map(|link| HeaderValue::try_from(link).ok()) {
        response.headers_mut().append(header::LINK, link);
    }
    response
}

/// A server as the draft's section 4.6 writes it.
fn link(url: &str, server: &IceServer) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let mut link = format!("<{url}>; rel=\"ice-server\"");
    if let (Some(username), Some(credential)) = (&server.username, &server.credential) {
        let (username, credential) = (quoted(username), quoted(credential));
        link.push_str(&format!(
            "; username=\"{username}\"; credential=\"{credential}\"; credential-type=\"password\""
        ));
    }
    link
}

fn understood_offer(body: JsonBody<OfferBody>) -> Result<OfferBody, Problem> {
    match body {
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Err(OfferError::TooLong { limit: SDP_LIMIT }.into())
        }
        body => understood(
            body,
            "send {\"sdp\": .., \"type\": \"offer\"} with Content-Type: application/json",
        ),
    }
}

/// The one table from offers' errors to statuses.
impl From<OfferError> for Problem {
    fn from(error: OfferError) -> Self {
        use OfferError as E;
        let (status, title) = match &error {
            E::Empty
            | E::NotSdp { .. }
            | E::TooManySections { .. }
            | E::NoVideo
            | E::NotReceiving
            | E::Incomplete { .. } => (StatusCode::BAD_REQUEST, "unusable offer"),
            E::TooLong { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "offer too long"),
            E::NoCodec => (StatusCode::NOT_ACCEPTABLE, "no common codec"),
            E::UnknownCamera { .. } => (StatusCode::NOT_FOUND, "no such camera"),
            E::Stopped { .. } => (StatusCode::CONFLICT, "camera stopped"),
            E::AtCapacity { .. } => (StatusCode::SERVICE_UNAVAILABLE, "server at capacity"),
            E::Viewer(ViewerError::Offer { .. }) => (StatusCode::BAD_REQUEST, "unusable offer"),
            E::Viewer(
                ViewerError::NoAddress | ViewerError::NoRelay { .. } | ViewerError::Silent { .. },
            ) => (StatusCode::SERVICE_UNAVAILABLE, "no answer"),
            E::Viewer(ViewerError::NoForm(NoForm { for_now: true, .. })) => {
                (StatusCode::SERVICE_UNAVAILABLE, "no picture for now")
            }
            E::Viewer(ViewerError::NoForm(_)) => (StatusCode::NOT_ACCEPTABLE, "no common codec"),
            E::Viewer(_) => (StatusCode::INTERNAL_SERVER_ERROR, "no answer"),
            E::Abandoned(_) => (StatusCode::CONFLICT, "connection given up"),
            E::Clogged | E::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "no new sessions"),
        };
        let problem = Self::new(status, title, chain(&error), error.hint());
        match (status, &error) {
            (_, E::Viewer(ViewerError::NoForm(NoForm { for_now: true, .. }))) => {
                problem.retry_after(FORM_RETRY_AFTER)
            }
            (StatusCode::SERVICE_UNAVAILABLE | StatusCode::CONFLICT, _) => {
                problem.retry_after(RETRY_AFTER)
            }
            _ => problem,
        }
    }
}

impl From<NotFound> for Problem {
    fn from(error: NotFound) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "no such session",
            error.to_string(),
            "it has ended, or belongs to another login; make a new offer",
        )
    }
}
