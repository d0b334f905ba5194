//! How the server says no: `application/problem+json` (RFC 9457) with a hint.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// The media type of every error.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The framework's own error texts are a line; more than this is not theirs.
const LONGEST_TEXT: usize = 4096;

/// An error as a client sees it.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// What kind of error; the same for every error of its kind.
    title: String,
    /// What happened this time.
    detail: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What to do about it.
    hint: String,
    #[serde(skip)]
    retry_after: Option<Duration>,
}

impl Problem {
    /// An error of `status`: its kind, what happened, and what to do about it.
    pub fn new(
        status: StatusCode,
        title: impl Into<String>,
        detail: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let (title, detail, hint) = (title.into(), detail.into(), hint.into());
        Self { title, detail, status: status.as_u16(), hint, retry_after: None }
    }

    /// Says when trying again makes sense, in whole seconds, rounded up.
    #[must_use]
    pub fn retry_after(self, time: Duration) -> Self {
        Self { retry_after: Some(time), ..self }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).expect("texts and a number are always JSON");
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(time) = self.retry_after {
            let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// Turns the framework's own errors (no such route, wrong method, body too long,
/// wrong media type, broken JSON) into problems; leaves everything else alone.
pub async fn complete(response: Response) -> Response {
    let status = response.status();
    let is_problem =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == PROBLEM_JSON);
    if is_problem || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let text = to_bytes(body, LONGEST_TEXT).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let (title, hint) = words(status);
    let detail = if text.trim().is_empty() { title } else { text.trim() };
    let (problem, body) = Problem::new(status, title, detail, hint).into_response().into_parts();
    // Allow, Accept-Post and their like stay.
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.extend(problem.headers);
    Response::from_parts(parts, Body::new(body))
}

/// The one table from statuses to words, for errors that bring none.
fn words(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::BAD_REQUEST => ("malformed request", "compare it with /api/v1/openapi.json"),
        StatusCode::NOT_FOUND => ("no such page", "/api/v1/openapi.json lists what there is"),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("method not allowed here", "the header Allow lists the methods that are")
        }
        StatusCode::PAYLOAD_TOO_LARGE => {
            ("body too large", "send less: 64 KiB are enough for every route but an offer in JSON")
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            ("unsupported media type", "set Content-Type as /api/v1/openapi.json says")
        }
        StatusCode::UNPROCESSABLE_ENTITY => {
            ("body not understood", "compare it with /api/v1/openapi.json")
        }
        _ if status.is_client_error() => {
            ("request refused", "compare it with /api/v1/openapi.json")
        }
        _ => ("internal error", "look into the log; `signpost check` finds what is missing"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    async fn json(response: Response) -> serde_json::Value {
        assert_eq!(response.headers()[header::CONTENT_TYPE], PROBLEM_JSON);
        serde_json::from_slice(&to_bytes(response.into_body(), 1 << 16).await.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn plain_errors_become_problems_and_keep_their_headers() {
        let plain =
            (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET")], "no").into_response();
        let response = complete(plain).await;
        assert_eq!(response.headers()[header::ALLOW], "GET");
        let body = json(response).await;
        assert_eq!(body["status"], 405);
        assert_eq!(body["detail"], "no");
        assert!(body["hint"].as_str().unwrap().contains("Allow"));
    }

    #[tokio::test]
    async fn problems_and_successes_pass_unchanged() {
        let problem = Problem::new(StatusCode::CONFLICT, "title", "detail", "hint")
            .retry_after(Duration::from_millis(1500));
        let response = complete(problem.into_response()).await;
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
        assert_eq!(json(response).await["title"], "title");
        let fine = complete("fine".into_response()).await;
        assert_eq!(to_bytes(fine.into_body(), 10).await.unwrap(), "fine");
    }
}
