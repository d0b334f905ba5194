//! The first start: until a password is set there is one page, which asks for the set-up
//! code, a name and a password.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tokio::time::MissedTickBehavior;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::access::Access;
use super::body::{HINT, JsonBody, understood};
use super::device::named;
use super::login::granted;
use super::{App, Ends, Https, Problem};
use crate::device::Name;
use crate::device::journal::SETUP_CODE;
use crate::tls;

/// A password that was taken away, or another certificate, is told after so long.
const LOOK: Duration = Duration::from_secs(1);

/// The route.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(set_up))
}

/// What a device is set up with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetUp {
    /// From the device's console or journal, or the file on its boot partition.
    #[schema(example = "7KQ2-M901")]
    code: String,
    /// Of `admin`: 8 to 1024 characters, and none of the common ones.
    #[schema(example = "quiet-river-7431", min_length = 8, max_length = 1024)]
    password: String,
    /// What the device is found by, as `NAME.local`; left out, it keeps its name.
    #[schema(example = "hall-door")]
    name: Option<String>,
}

/// What a set-up answers, beside a cookie as a login does.
#[derive(Serialize, ToSchema)]
pub(super) struct SetUpAnswer {
    /// Always "success".
    status: &'static str,
    /// Goes into `Authorization: Bearer ..`.
    token: String,
    /// How long the token counts, in seconds.
    expires_in_s: u64,
    /// Why the device does not have the name that was wished for. It is set up all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    remark: Option<String>,
}

/// Set the device up.
///
/// Only while there is no password. The code ends with it; five wrong ones have to wait, as
/// wrong passwords do.
#[utoipa::path(post, path = "/api/v1/setup", tag = "login", security(()), request_body = SetUp,
    responses(
        (status = 200, description = "set up, and logged in as admin", body = SetUpAnswer),
        (status = 401, description = "wrong code", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "it is set up already", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, description = "not a name, or no password, in detail. Nothing was changed",
            body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "too many wrong codes; see Retry-After", body = Problem,
            content_type = "application/problem+json"),
        (status = 507, description = "it cannot be stored. Nothing was changed", body = Problem,
            content_type = "application/problem+json"),
    ))]
async fn set_up(
    State(app): State<App>,
    Extension(ends): Extension<Ends>,
    body: JsonBody<SetUp>,
) -> Result<Response, Problem> {
    let SetUp { code, password, name } = understood(body, HINT)?;
    let wished = name.filter(|name| !name.is_empty());
    let wished = wished.map(|name| Name::parse(&name.to_ascii_lowercase())).transpose()?;
    let login = app.access.set_up(ends.peer.ip(), &code, password).await?;
    log::info!("the device is set up");
    let mut remark = None;
    if let Some(name) = wished.filter(|name| app.device_name.borrow().as_str() != name.as_str())
        && let Err(error) = named(&app, &name).await
    {
        log::warn!("set-up: {error}");
        remark = Some(error.to_string());
    }
    Ok(granted(ends.scheme, &login, |token, expires_in_s| SetUpAnswer {
        status: "success",
        token,
        expires_in_s,
        remark,
    }))
}

/// What an API route answers while there is no password.
#[must_use]
pub fn not_set_up() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "no password is set",
        "this device is not set up yet, so it shows nothing to anybody",
        "open /setup, or run `sudo signpost password` on the device",
    )
}

/// Tells the code in the log while there is no password, with what the page is opened by and
/// the fingerprint that the browser shows, until the last [`App`] is gone.
pub fn follow(access: &Arc<Access>, https: Option<Https>) {
    let access = Arc::downgrade(access);
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = None;
        loop {
            ticks.tick().await;
            let Some(access) = access.upgrade() else { return };
            let now = access.lacks_password().then(|| place(https.as_ref()));
            if let Some(place) = &now
                && now != told
            {
                match access.setup_code().await {
                    Ok(code) => log::warn!("no password is set: {SETUP_CODE}{code}, {place}"),
                    Err(error) => log::error!("{}", crate::errors::chain(&error)),
                }
            }
            told = now;
        }
    });
}

/// Where the page is.
fn place(https: Option<&Https>) -> String {
    let Some(https) = https else { return "at /setup".to_owned() };
    let tls::State::Serving(serving) = https.tls.state() else {
        return "at /setup, once there is a certificate".to_owned();
    };
    let port = if https.port == 443 { String::new() } else { format!(":{}", https.port) };
    format!(
        "at https://{}{port}/setup, certificate SHA-256 {}",
        serving.certificate.names.host(),
        serving.certificate.fingerprint()
    )
}
