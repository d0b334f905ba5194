//! Tokens for programs, and who has logged in; each can be revoked.

use std::net::IpAddr;
use std::time::Instant;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::access::accounts::{ApiToken, Name, Role};
use super::access::store::ChangeError;
use super::access::{Login, LoginId};
use super::body::{HINT, JsonBody, understood};
use super::users::existing;
use super::{App, Caller, Problem};

/// Listing, making and revoking.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(tokens, add))
        .routes(routes!(revoke))
        .routes(routes!(logins))
        .routes(routes!(end))
}

/// A token without its text.
#[derive(Serialize, ToSchema)]
struct Token {
    /// What it is revoked by.
    name: Name,
    /// What may be done with it.
    role: Role,
    /// When it was made, in seconds since 1970, by the device's clock then.
    made: u64,
}

/// All tokens.
#[derive(Serialize, ToSchema)]
struct Tokens {
    /// In the order in which they were made.
    tokens: Vec<Token>,
}

/// What programs may come in with.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "users",
    responses((status = 200, description = "all tokens, without their texts", body = Tokens)))]
async fn tokens(State(app): State<App>) -> Result<Json<Tokens>, Problem> {
    let tokens = app.access.tokens()?.into_iter();
    let told = |ApiToken { name, role, made, .. }| Token { name, role, made };
    Ok(Json(Tokens { tokens: tokens.map(told).collect() }))
}

/// A token that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewToken {
    /// What it is revoked by.
    #[schema(value_type = Name)]
    name: String,
    /// What may be done with it.
    role: Role,
}

/// A token that was made.
#[derive(Serialize, ToSchema)]
struct MadeToken {
    /// What it is revoked by.
    name: Name,
    /// What may be done with it.
    role: Role,
    /// Goes into `Authorization: Bearer ..`. It is nowhere else, so keep it.
    token: String,
}

/// Make a token for a program.
///
/// It counts until it is revoked, over restarts too.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "users", request_body = NewToken,
    responses(
        (status = 201, description = "made", body = MadeToken),
        (status = 409, description = "there is one of this name, or there are too many",
            body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "not a name", body = Problem,
            content_type = "application/problem+json"),
        (status = 507, description = "it cannot be stored. Nothing was changed", body = Problem,
            content_type = "application/problem+json"),
    ))]
async fn add(
    State(app): State<App>,
    body: JsonBody<NewToken>,
) -> Result<(StatusCode, Json<MadeToken>), Problem> {
    let NewToken { name, role } = understood(body, HINT)?;
    let name: Name = name.parse().map_err(ChangeError::Accounts)?;
    let token = app.access.add_token(name.clone(), role).await?;
    log::info!(token = name.text(), role:% = role; "a token was made");
    Ok((StatusCode::CREATED, Json(MadeToken { name, role, token: token.text().to_owned() })))
}

/// Revoke a token.
///
/// What is watched with it ends.
#[utoipa::path(delete, path = "/api/v1/tokens/{name}", tag = "users",
    params(("name" = Name, Path, description = "of the token")),
    responses(
        (status = 204, description = "revoked"),
        (status = 404, description = "no such token", body = Problem,
            content_type = "application/problem+json"),
        (status = 507, description = "it cannot be stored. Nothing was changed", body = Problem,
            content_type = "application/problem+json"),
    ))]
async fn revoke(State(app): State<App>, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    let name = existing(&name)?;
    app.access.remove_token(name.clone()).await?;
    log::info!(token = name.text(); "a token was revoked");
    Ok(StatusCode::NO_CONTENT)
}

/// Somebody who has logged in.
#[derive(Serialize, ToSchema)]
struct LoggedIn {
    /// What the login is ended by.
    id: String,
    /// Whose it is.
    user: Name,
    /// From where.
    #[schema(value_type = String)]
    address: IpAddr,
    /// How long ago.
    seconds_ago: u64,
    /// How long it still counts.
    expires_in_s: u64,
    /// Whether it is the one that this request shows.
    own: bool,
}

/// All logins.
#[derive(Serialize, ToSchema)]
struct Logins {
    /// The newest first.
    logins: Vec<LoggedIn>,
}

/// Who has logged in.
#[utoipa::path(get, path = "/api/v1/logins", tag = "users",
    responses((status = 200, description = "all logins that count", body = Logins)))]
async fn logins(State(app): State<App>, caller: Caller) -> Json<Logins> {
    let now = Instant::now();
    let told = |(id, login): (LoginId, Login)| LoggedIn {
        own: caller.login.as_ref() == Some(&id),
        id: id.text().to_owned(),
        user: login.user,
        address: login.from,
        seconds_ago: now.saturating_duration_since(login.since).as_secs(),
        expires_in_s: login.ends.saturating_duration_since(now).as_secs(),
    };
    let mut logins: Vec<_> = app.access.logins().into_iter().map(told).collect();
    logins.sort_by_key(|login| login.seconds_ago);
    Json(Logins { logins })
}

/// End a login.
///
/// What is watched with it ends too.
#[utoipa::path(delete, path = "/api/v1/logins/{id}", tag = "users",
    params(("id" = String, Path, description = "as listed")),
    responses(
        (status = 204, description = "ended"),
        (status = 404, description = "no such login", body = Problem,
            content_type = "application/problem+json"),
    ))]
async fn end(State(app): State<App>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    if app.access.end_login(&id) {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Problem::new(
        StatusCode::NOT_FOUND,
        "no such login",
        "it has ended already, or never was",
        "GET /api/v1/logins lists all",
    ))
}
