//! The device itself: its name, its restart, its log.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::body::{JsonBody, understood};
use super::{App, Problem};
use crate::device::journal::{self, Filter, Found, Level, Line, Of, Signs};
use crate::device::{self, DeviceError, Name};

/// The most lines of the log in one answer: some 200 kB.
const MOST_LINES: u32 = 1000;

/// Characters of a text that is looked for.
const LONGEST_TEXT: usize = 200;

/// A time that journalctl understands: the year 9999.
const LAST_TIME: f64 = 253_402_300_799.0;

/// The media type of JSON lines.
const JSON_LINES: &str = "application/jsonl";

/// Who reads the journal at the same time; each has a process of its own look through it.
pub const JOURNALS: usize = 2;

/// The three routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(log)).routes(routes!(name)).routes(routes!(restart))
}

/// Which lines of the log.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LogQuery {
    /// signpost (if left out) or kernel.
    of: Option<String>,
    /// How many of the newest, 1 to 1000; 200 if left out.
    #[param(minimum = 1, maximum = 1000)]
    lines: Option<u32>,
    /// How serious at least: error, warn, info, debug or trace.
    #[param(example = "warn")]
    level: Option<String>,
    /// The part of the program that says it, a folder of its source.
    #[param(example = "camera")]
    part: Option<String>,
    /// What the line contains, in capitals or not; 1 to 200 characters.
    text: Option<String>,
    /// Not before, in seconds since 1970.
    #[param(example = 1790000000)]
    since: Option<f64>,
    /// Not after, in seconds since 1970.
    until: Option<f64>,
    /// json (if left out), or jsonl: a file with one line of JSON for each line. An Accept of
    /// application/jsonl asks for the same.
    format: Option<String>,
}

/// A query that can be answered.
struct Wish {
    of: Of,
    lines: u32,
    filter: Filter,
    form: Form,
}

/// How lines are told.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Json,
    JsonLines,
}

impl LogQuery {
    /// What is wished for, or what is wrong with it.
    fn wish(self, accept: Option<&str>) -> Result<Wish, String> {
        let of = match self.of.as_deref() {
            None | Some("signpost") => Of::Service,
            Some("kernel") => Of::Kernel,
            Some(_) => return Err("of is signpost or kernel".to_owned()),
        };
        let lines = self.lines.unwrap_or(200);
        if !(1..=MOST_LINES).contains(&lines) {
            return Err(format!("lines is 1 to {MOST_LINES}"));
        }
        let known =
            |word: &String| Level::parse(word).ok_or("level is error, warn, info, debug or trace");
        let level = self.level.as_ref().map(known).transpose()?;
        let fits = |text: &String| (1..=LONGEST_TEXT).contains(&text.chars().count());
        if !self.part.iter().chain(&self.text).all(fits) {
            return Err(format!("part and text have 1 to {LONGEST_TEXT} characters"));
        }
        let is_time = |time: &f64| (0.0..=LAST_TIME).contains(time);
        if !self.since.iter().chain(&self.until).all(is_time) {
            return Err("since and until are seconds since 1970".to_owned());
        }
        if self.since.zip(self.until).is_some_and(|(since, until)| since > until) {
            return Err("since is not after until".to_owned());
        }
        let accepts = accept.is_some_and(|kinds| kinds.contains(JSON_LINES));
        let form = match self.format.as_deref() {
            Some("jsonl") => Form::JsonLines,
            Some("json") => Form::Json,
            None if accepts => Form::JsonLines,
            None => Form::Json,
            Some(_) => return Err("format is json or jsonl".to_owned()),
        };
        let Self { part, text, since, until, .. } = self;
        Ok(Wish { of, lines, filter: Filter { level, part, text, since, until }, form })
    }
}

/// Lines of the log.
#[derive(Debug, Serialize, ToSchema)]
struct Log {
    /// The oldest first.
    lines: Vec<Line>,
    /// Whether older lines that fit may be missing, because looking into more of them would
    /// have taken too long.
    cut: bool,
}

/// The newest lines of the journal that fit, those from before a restart of the device too.
///
/// Set-up code, passwords, tokens and credentials are taken out, and so is what was signed
/// unless `log.signs` is on.
#[utoipa::path(get, path = "/api/v1/log", tag = "device", params(LogQuery), responses(
    (status = 200, description = "lines, the oldest first", content(
        (Log = "application/json"),
        (String = "application/jsonl", example = json!({"time": 1790000000.5, "priority": 4,
            "part": "camera", "message": "no picture", "fields": {"camera": "door"}})),
    )),
    (status = 400, description = "a parameter that there is not", body = Problem,
        content_type = "application/problem+json"),
    (status = 422, description = "a parameter out of range", body = Problem,
        content_type = "application/problem+json"),
    (status = 503, description = "no journal can be read, or too many read it", body = Problem,
        content_type = "application/problem+json"),
))]
async fn log(
    State(app): State<App>,
    headers: HeaderMap,
    query: Result<Query<LogQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    const HINT: &str = "GET /api/v1/log?of=kernel&lines=200&level=warn&text=usb";
    let Query(query) = query.map_err(|rejection| {
        Problem::new(rejection.status(), "query not understood", rejection.body_text(), HINT)
    })?;
    let accept = headers.get(ACCEPT).and_then(|kinds| kinds.to_str().ok());
    let Wish { of, lines, filter, form } = query.wish(accept).map_err(|told| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "query out of range", told, HINT)
    })?;
    let _place = app.journals.try_acquire().map_err(|_| {
        let told = format!("{JOURNALS} others read the journal just now");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many readers", told, "ask again")
            .retry_after(Duration::from_secs(1))
    })?;
    let signs = if app.settled.borrow().now.log.signs { Signs::Told } else { Signs::LeftOut };
    let Found { lines, cut } =
        journal::lines(of, lines, &filter, signs, &app.redaction().await).await?;
    Ok(match form {
        Form::Json => Json(Log { lines, cut }).into_response(),
        Form::JsonLines => {
            let kind = HeaderValue::from_static(JSON_LINES);
            let name = HeaderValue::from_static("attachment; filename=\"signpost-log.jsonl\"");
            let headers = [(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, name)];
            (headers, journal::json_lines(&lines)).into_response()
        }
    })
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
            DeviceError::Zone | DeviceError::Time => {
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                Self::new(status, "no such time", detail, "nothing was changed by this key")
            }
            DeviceError::Follows => Self::new(
                StatusCode::CONFLICT,
                "the clock follows time servers",
                detail,
                "send \"ntp\": false with it, or leave the time to the servers",
            ),
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
