//! Logging in and out.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::time::MissedTickBehavior;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::access::accounts::Role;
use super::access::{Access, COOKIE_NAME, Entry, Granted, SECURE_COOKIE_NAME};
use super::server::Scheme;
use super::{App, Ends, Problem, secure};
use crate::sessions::Sessions;

/// A new password, and the end of a login, ends sessions after so long.
const LOGINS_EVERY: Duration = Duration::from_secs(1);

/// The two routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(log_in)).routes(routes!(log_out))
}

/// Who wants to come in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LoginRequest {
    /// The user's name; `admin` if it is left out.
    #[serde(default)]
    #[schema(example = "admin")]
    user: Option<String>,
    /// Of `admin`, as set by `signpost password`; of others, as an administrator has set it.
    #[schema(example = "quiet-river-7431")]
    password: String,
}

/// A login, for programs; browsers have it in a cookie.
#[derive(Serialize, ToSchema)]
struct LoginAnswer {
    /// Always "success".
    status: &'static str,
    /// Goes into `Authorization: Bearer ..`; absent where no login is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// How long the token counts, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_s: Option<u64>,
    /// What may be done.
    role: Role,
}

/// Trades user and password for a cookie and a token. After five wrong passwords in a
/// row every further try from the same address has to wait, longer each time.
#[utoipa::path(post, path = "/api/v1/login", tag = "login", security(()),
    request_body = LoginRequest,
    responses(
        (status = 200, description = "logged in", body = LoginAnswer,
            headers(("Set-Cookie", description = "the login, HttpOnly and SameSite=Strict"))),
        (status = 401, description = "wrong user or password", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "no password is set", body = Problem,
            content_type = "application/problem+json"),
        (status = 429, description = "too many wrong passwords; see Retry-After", body = Problem,
            content_type = "application/problem+json"),
    ))]
async fn log_in(
    State(app): State<App>,
    Extension(ends): Extension<Ends>,
    Json(request): Json<LoginRequest>,
) -> Result<Response, Problem> {
    if app.access.entry() == Entry::Free {
        let role = Role::Administrator;
        let answer = LoginAnswer { status: "success", token: None, expires_in_s: None, role };
        return Ok(Json(answer).into_response());
    }
    let granted = app.access.log_in(ends.peer.ip(), request.user, request.password).await?;
    if granted.role > secure::most(&app, ends) {
        app.access.end(&granted.token);
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "HTTPS only",
            "without TLS only viewers log in, because everybody on the network can listen",
            "open the page with https:// in front",
        ));
    }
    let role = granted.role;
    Ok(self::granted(ends.scheme, &granted, |token, expires_in_s| LoginAnswer {
        status: "success",
        token: Some(token),
        expires_in_s: Some(expires_in_s),
        role,
    }))
}

/// The answer to who has come in: a cookie, and what `answer` makes of token and seconds.
pub(super) fn granted<T: Serialize>(
    scheme: Scheme,
    granted: &Granted,
    answer: impl FnOnce(String, u64) -> T,
) -> Response {
    let (token, lasts) = (granted.token.text(), granted.lasts.as_secs());
    let cookie = cookie(scheme, token, lasts);
    ([(SET_COOKIE, cookie)], Json(answer(token.to_owned(), lasts))).into_response()
}

/// What a logout answers.
#[derive(Serialize, ToSchema)]
struct LogoutAnswer {
    /// Always "success".
    status: &'static str,
}

/// Ends the login that the request shows, and what is watched with it.
#[utoipa::path(post, path = "/api/v1/logout", tag = "login",
    responses((status = 200, description = "logged out", body = LogoutAnswer)))]
async fn log_out(
    State(app): State<App>,
    Extension(ends): Extension<Ends>,
    headers: HeaderMap,
) -> Response {
    app.access.log_out(&headers);
    end_sessions(&app.access, &app.sessions).await;
    ([(SET_COOKIE, cookie(ends.scheme, "", 0))], Json(LogoutAnswer { status: "success" }))
        .into_response()
}

/// Ends the sessions of every login that has ended, until the last [`App`] is gone.
pub fn follow(access: &Arc<Access>, sessions: Sessions) {
    let access = Arc::downgrade(access);
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(LOGINS_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let Some(access) = access.upgrade() else { return };
            end_sessions(&access, &sessions).await;
        }
    });
}

async fn end_sessions(access: &Access, sessions: &Sessions) {
    let ended = access.ended().await;
    sessions.close_logins(ended.iter().map(|login| login.text().to_owned()).collect()).await;
}

/// Out of reach for scripts, and never sent along by another site's page.
fn cookie(scheme: Scheme, token: &str, lasts_s: u64) -> HeaderValue {
    let (name, secure) = match scheme {
        Scheme::Http => (COOKIE_NAME, ""),
        Scheme::Https => (SECURE_COOKIE_NAME, "; Secure"),
    };
    let text =
        format!("{name}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={lasts_s}{secure}");
    HeaderValue::from_str(&text).expect("a token is hexadecimal")
}
