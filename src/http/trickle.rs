//! Candidates that come after the offer: `PATCH /whep/<id>` (draft-ietf-wish-whep,
//! RFC 9725, 4.3) and `POST /api/v1/webrtc/candidate` for pages.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use headers::{ETag, HeaderMapExt as _, IfMatch};
use serde::Deserialize;

use super::body::{JsonBody, understood};
use super::whep::{is_of_type, login};
use super::{App, Caller, Problem};
use crate::sessions::{ConnectionId, FRAGMENT_LIMIT, TrickleError};

/// The media type of RFC 8840.
pub const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// How players write "whatever ICE session there is" when they restart it: the
/// draft's example has quotes, RFC 9110 has none.
const QUOTED_STAR: &str = "\"*\"";

/// Add candidates to a WHEP session.
#[utoipa::path(
    patch, path = "/whep/{id}", tag = "live view",
    params(
        ("id" = String, Path, description = "from Location"),
        ("If-Match" = String, Header, description = "the answer's ETag"),
    ),
    request_body(content = String, content_type = "application/trickle-ice-sdpfrag",
        description = "a fragment as in RFC 8840"),
    responses(
        (status = 204, description = "taken"),
        (status = 400, description = "no fragment", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "no such session", body = Problem,
            content_type = "application/problem+json"),
        (status = 412, description = "another ICE session's tag", body = Problem,
            content_type = "application/problem+json"),
        (status = 413, description = "over 16 KiB", body = Problem,
            content_type = "application/problem+json"),
        (status = 415, description = "not application/trickle-ice-sdpfrag", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, description = "an ICE restart: DELETE and POST instead", body = Problem,
            content_type = "application/problem+json"),
        (status = 428, description = "no If-Match", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn patch(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    if !is_of_type(&headers, FRAGMENT) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported media type",
            "the Content-Type of candidates is application/trickle-ice-sdpfrag",
            "set Content-Type: application/trickle-ice-sdpfrag",
        ));
    }
    let login = login(caller);
    let connection = app.sessions.newest(&id, login.clone()).await?;
    let wanted = headers.typed_try_get::<IfMatch>().map_err(|_| another_session())?;
    let wanted = wanted.ok_or_else(no_if_match)?;
    let body = body.map_err(|_| TrickleError::TooLong { limit: FRAGMENT_LIMIT })?;
    let text = str::from_utf8(&body).map_err(|_| TrickleError::NotFragment { line: 1 })?;
    check(&wanted, connection)?;
    app.sessions.trickle(connection, login, text).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether candidates are for this ICE session; `*` asks for a restart. Tags are
/// compared strongly (RFC 9110, 13.1.1): a weak one is never ours.
fn check(wanted: &IfMatch, connection: ConnectionId) -> Result<(), Problem> {
    let named = |tag: &str| tag.parse::<ETag>().is_ok_and(|tag| wanted.precondition_passes(&tag));
    if wanted.is_any() || named(QUOTED_STAR) {
        return Err(TrickleError::Restart.into());
    }
    if named(&format!("\"{connection}\"")) { Ok(()) } else { Err(another_session()) }
}

fn another_session() -> Problem {
    Problem::new(
        StatusCode::PRECONDITION_FAILED,
        "another ICE session",
        "If-Match is not the ETag of this session's connection",
        "send the ETag of the newest answer in If-Match",
    )
}

fn no_if_match() -> Problem {
    Problem::new(
        StatusCode::PRECONDITION_REQUIRED,
        "precondition required",
        "the request does not say which ICE session its candidates are for",
        "send the answer's ETag in If-Match",
    )
}

/// A candidate as `RTCIceCandidate.toJSON` writes it.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct CandidateBody {
    /// From the answer.
    connection: String,
    /// Empty or null: there will be no more.
    candidate: Option<String>,
    /// Of no effect: all sections share one transport.
    #[serde(rename = "sdpMid")]
    #[expect(dead_code, reason = "only its form is checked")]
    sdp_mid: Option<String>,
    /// Of no effect: all sections share one transport.
    #[serde(rename = "sdpMLineIndex")]
    #[expect(dead_code, reason = "only its form is checked")]
    sdp_m_line_index: Option<u16>,
}

/// Add a candidate to a connection.
#[utoipa::path(
    post, path = "/api/v1/webrtc/candidate", tag = "live view",
    request_body = CandidateBody,
    responses(
        (status = 204, description = "taken"),
        (status = 400, description = "no JSON, or no candidate", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "no such connection", body = Problem,
            content_type = "application/problem+json"),
        (status = 413, description = "too long", body = Problem,
            content_type = "application/problem+json"),
        (status = 415, description = "not application/json", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, description = "JSON of another form", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn candidate(
    State(app): State<App>,
    caller: Caller,
    body: JsonBody<CandidateBody>,
) -> Result<StatusCode, Problem> {
    let hint = "send {\"connection\": .., \"candidate\": ..} with Content-Type: application/json";
    let CandidateBody { connection, candidate, .. } = understood(body, hint)?;
    let candidate = candidate.unwrap_or_default();
    app.sessions.candidate(&connection, login(caller), &candidate).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The one table from candidates' errors to statuses.
impl From<TrickleError> for Problem {
    fn from(error: TrickleError) -> Self {
        use TrickleError as E;
        let (status, title) = match &error {
            E::Empty | E::NotFragment { .. } | E::NotCandidate => {
                (StatusCode::BAD_REQUEST, "unusable candidates")
            }
            E::TooLong { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "fragment too long"),
            E::Restart => (StatusCode::UNPROCESSABLE_ENTITY, "no ICE restart"),
            E::NotFound(_) => (StatusCode::NOT_FOUND, "no such connection"),
        };
        Self::new(status, title, error.to_string(), error.hint())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use axum::http::header::IF_MATCH;
    use axum::response::IntoResponse as _;

    use super::*;

    fn judged(text: &str, connection: ConnectionId) -> u16 {
        let mut headers = HeaderMap::new();
        headers.insert(IF_MATCH, text.parse().unwrap());
        let Ok(Some(wanted)) = headers.typed_try_get::<IfMatch>() else { return 412 };
        let checked = check(&wanted, connection);
        checked.map_or_else(|problem| problem.into_response().status().as_u16(), |()| 204)
    }

    #[test]
    fn tags_are_compared_strongly_and_a_star_is_a_restart() {
        let connection = ConnectionId::random().unwrap();
        let other = ConnectionId::random().unwrap();
        for (text, status) in [
            (format!("\"{connection}\""), 204),
            (format!("\"{other}\", \"{connection}\""), 204),
            (format!("W/\"{connection}\""), 412),
            (format!("\"{other}\""), 412),
            (format!("{connection}"), 412),
            ("\"\"".to_owned(), 412),
            (",,".to_owned(), 412),
            ("*".to_owned(), 422),
            ("\"*\"".to_owned(), 422),
        ] {
            assert_eq!(judged(&text, connection), status, "{text}");
        }
    }
}
