//! The device itself: its name, its restart, its log.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::body::{JsonBody, understood};
use super::{App, Problem};
use crate::device::journal::{self, Line, Of};
use crate::device::{self, DeviceError, Name};

/// The most lines of the log in one answer: some 200 kB.
const MOST_LINES: u32 = 1000;

/// Who reads the journal at the same time; each has a process of its own look through it.
pub const JOURNALS: usize = 2;

/// The three routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(log)).routes(routes!(name)).routes(routes!(restart))
}

/// Which lines of the log.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LogQuery {
    /// signpost (if left out) or kernel.
    of: Option<String>,
    /// How many of the newest, 1 to 1000; 200 if left out.
    #[param(minimum = 1, maximum = 1000)]
    lines: Option<u32>,
}

/// Lines of the log.
#[derive(Debug, Serialize, ToSchema)]
struct Log {
    /// The oldest first.
    lines: Vec<Line>,
}

/// The newest lines of the journal, those from before a restart of the device too.
#[utoipa::path(get, path = "/api/v1/log", tag = "device", params(LogQuery), responses(
    (status = 200, description = "lines, the oldest first", body = Log),
    (status = 400, description = "a parameter that there is not", body = Problem,
        content_type = "application/problem+json"),
    (status = 422, description = "a parameter out of range", body = Problem,
        content_type = "application/problem+json"),
    (status = 503, description = "no journal can be read, or too many read it", body = Problem,
        content_type = "application/problem+json"),
))]
async fn log(
    State(app): State<App>,
    query: Result<Query<LogQuery>, QueryRejection>,
) -> Result<Json<Log>, Problem> {
    const HINT: &str = "GET /api/v1/log?of=kernel&lines=200, of is signpost or kernel";
    let Query(query) = query.map_err(|rejection| {
        Problem::new(rejection.status(), "query not understood", rejection.body_text(), HINT)
    })?;
    let of = match query.of.as_deref() {
        None | Some("signpost") => Some(Of::Service),
        Some("kernel") => Some(Of::Kernel),
        Some(_) => None,
    };
    let lines = query.lines.unwrap_or(200);
    let Some(of) = of.filter(|_| (1..=MOST_LINES).contains(&lines)) else {
        let told = format!("of is signpost or kernel, and lines 1 to {MOST_LINES}");
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return Err(Problem::new(status, "query out of range", told, HINT));
    };
    let _place = app.journals.try_acquire().map_err(|_| {
        let told = format!("{JOURNALS} others read the journal just now");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many readers", told, "ask again")
            .retry_after(Duration::from_secs(1))
    })?;
    Ok(Json(Log { lines: journal::lines(of, lines).await? }))
}

/// The device's name.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DeviceName {
    /// 1 to 63 of a-z, 0-9 and -, with no - at its ends.
    name: String,
}

/// Names the device: where avahi-daemon runs on it, it is opened as http://NAME.local/ from
/// then on. The log says where it is not.
#[utoipa::path(put, path = "/api/v1/device/name", tag = "device",
    request_body = DeviceName,
    responses(
        (status = 200, description = "named", body = DeviceName),
        (status = 422, description = "no name for a host", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "systemd did not", body = Problem,
            content_type = "application/problem+json"),
    ))]
async fn name(
    State(app): State<App>,
    body: JsonBody<DeviceName>,
) -> Result<Json<DeviceName>, Problem> {
    let wish = understood(body, "send {\"name\": \"door\"} with Content-Type: application/json")?;
    let name = Name::parse(&wish.name)?;
    named(&app, &name).await?;
    Ok(Json(wish))
}

/// Gives the device its name.
pub(super) async fn named(app: &App, name: &Name) -> Result<(), DeviceError> {
    device::set_name(name).await?;
    // Without it the device has its name all the same.
    if let Err(error) = device::announce(name).await {
        log::warn!("the device is not found as {}.local before a restart: {error}", name.as_str());
    }
    app.rename(name.as_str());
    log::info!("the device is named {}", name.as_str());
    Ok(())
}

/// What a restart answers.
#[derive(Debug, Serialize, ToSchema)]
struct RestartAnswer {
    /// Always "success".
    status: &'static str,
}

/// Restarts the device.
#[utoipa::path(post, path = "/api/v1/device/restart", tag = "device", responses(
    (status = 202, description = "it restarts", body = RestartAnswer),
    (status = 503, description = "systemd did not", body = Problem,
        content_type = "application/problem+json"),
))]
async fn restart() -> Result<(StatusCode, Json<RestartAnswer>), Problem> {
    log::warn!("the device is restarted on request");
    device::restart().await?;
    Ok((StatusCode::ACCEPTED, Json(RestartAnswer { status: "success" })))
}

impl From<DeviceError> for Problem {
    fn from(error: DeviceError) -> Self {
        let detail = error.to_string();
        match error {
            DeviceError::Name => {
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                Self::new(status, "no name for a device", detail, "choose another one")
            }
            DeviceError::Refused { .. } => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "not possible on this device",
                detail,
                "it needs systemd, and the right that the package gives to its own service",
            ),
            DeviceError::Journal(_) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "no log here",
                detail,
                "the journal is read where signpost is installed as a service",
            ),
        }
    }
}
