//! `/api/v1/config`: the configuration in force, and what of it changes while viewers
//! look.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::access::accounts::Role;
use super::forms::{KeyForm, forms};
use super::{App, Caller, Problem};
use crate::camera::{Adjust, Limit};
use crate::config::{self, By, Config, ConfigError, Keeper, Outcome, Refused, Settled};
use crate::errors;
use crate::sessions;

/// Reading and changing.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(config, change)).routes(routes!(reload))
}

/// The configuration, without secrets.
#[derive(Serialize, ToSchema)]
pub(super) struct EffectiveConfig {
    /// As configured, by section and key; `camera` is a list. All of it is in force but
    /// what is named under `restart`.
    values: Value,
    /// Where each value came from, by `section.key` (`camera[1].key` for the second).
    origins: Map<String, Value>,
    /// Keys whose values are in force after a restart. Of a camera's width, height and
    /// framerate the encoded pictures follow smaller values at once, while it captures what
    /// it was started with.
    restart: Vec<String>,
    /// What an operator should know, such as that changes could not be stored.
    remarks: Vec<String>,
    /// What each key may hold, by `section.key`.
    #[schema(value_type = HashMap<String, KeyForm>)]
    keys: BTreeMap<String, KeyForm>,
}

/// What a change did.
#[derive(Serialize, ToSchema)]
struct ChangedConfig {
    /// All values as configured now, by section and key; `camera` is a list.
    values: Value,
    /// The changed keys that are in force from now on, `section.key` (`camera[1].key` for
    /// the second camera).
    applied: Vec<String>,
    /// Keys that are in force, or wholly so, after a restart; these of earlier changes too.
    restart: Vec<String>,
    /// Whether what was changed through the API is in overrides.toml. If not, it ends with
    /// the program.
    stored: bool,
    /// What an operator should know, such as why it is not stored.
    remarks: Vec<String>,
    /// How long this lasts, and what to do.
    hint: &'static str,
}

/// The configuration, without secrets, and where it came from.
#[utoipa::path(get, path = "/api/v1/config", tag = "configuration",
    responses((status = 200, description = "values and origins", body = EffectiveConfig)))]
async fn config(State(app): State<App>) -> Json<EffectiveConfig> {
    Json(app.effective())
}

/// Change the configuration and store what was changed.
///
/// The body holds sections with their keys as the answer to GET shows them; a value that is
/// configured already changes nothing; null, or the value of the files below, undoes a change.
/// A credential of `ice.servers` is shown as `***`; sent back so beside the same addresses and
/// user it stays. Everything is changed or nothing is. What was changed is stored in overrides.toml in the
/// state directory. Running owners follow `flip` and `controls` of each camera, of which the
/// camera has to take each value if it is there, `encoder.bitrate_kbps`, `encoder.min_bitrate_kbps`,
/// `sessions.max_viewers`, `.keepalive_s`, `.buffer_limit_bytes`, `.offers_per_minute` and
/// `.reconnect_waits_s`, `ice.*` (for viewers that connect from then on), `http.plain`,
/// `.allowed_hosts` and `.allowed_origins`, `log.level` and `.modules`, and, up to what the program was started
/// with, `width`, `height` and `framerate` of each camera: pictures keep their shape and are
/// made to fit before they are encoded. All else is named under `restart`.
///
/// Where the disk is full or read-only, what running owners follow is changed all the same
/// and `stored` is false; with a key among it that needs a restart, nothing is changed (507).
#[utoipa::path(
    patch, path = "/api/v1/config", tag = "configuration",
    request_body(content = Map<String, Value>,
        example = json!({"encoder": {"bitrate_kbps": 1500}, "camera": [{"width": 640}]})),
    responses(
        (status = 200, description = "changed; viewers stay connected", body = ChangedConfig),
        (status = 403, description = "not through the API: what names files, addresses or \
            code, or decides who gets in; or for administrators only: `http.plain`, \
            `http.allowed_hosts`, `http.allowed_origins`, `ice.*`. The reason is in detail. \
            Nothing was changed",
            body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "set by the environment or an argument, which win over \
            overrides. Nothing was changed",
            body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "unknown keys or values out of range, all told in detail",
            body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "it cannot be stored, and only a restart would apply it. \
            Nothing was changed",
            body = Problem, content_type = "application/problem+json"),
    )
)]
async fn change(
    State(app): State<App>,
    caller: Caller,
    body: Result<Json<Map<String, Value>>, JsonRejection>,
) -> Result<Json<ChangedConfig>, Problem> {
    let Json(wish) = body.map_err(|rejection| {
        let hint = "send sections with their keys, such as {\"encoder\": {\"bitrate_kbps\": 1500}}";
        Problem::new(rejection.status(), "body not understood", rejection.body_text(), hint)
    })?;
    app.check_controls(&wish).await?;
    let by = if caller.role >= Role::Administrator { By::Administrator } else { By::Operator };
    Ok(Json(changed(app.kept(move |keeper| keeper.change(&wish, by)).await??)))
}

/// Read the files again, as SIGHUP has it done.
///
/// What running owners follow is in force at once; all else is named under `restart`. Files
/// that are wrong change nothing.
#[utoipa::path(
    post, path = "/api/v1/config/reload", tag = "configuration",
    responses(
        (status = 200, description = "read; viewers stay connected", body = ChangedConfig),
        (status = 422, description = "what is wrong with the files. Nothing was changed",
            body = Problem, content_type = "application/problem+json"),
    )
)]
async fn reload(State(app): State<App>) -> Result<Json<ChangedConfig>, Problem> {
    Ok(Json(changed(app.kept(Keeper::reload).await??)))
}

fn changed(outcome: Outcome) -> ChangedConfig {
    let Outcome { change, not_stored, settled } = outcome;
    let hint = match (&not_stored, change.restart.is_empty()) {
        (Some(_), _) => {
            "not stored, so this lasts until the program ends: the reason is under \"remarks\"; \
             make room or mend the disk and send it again"
        }
        (None, true) => "this is stored and stays",
        (None, false) => {
            "this is stored and stays; what is under \"restart\" is in force, or wholly so, after \
             a restart of the program"
        }
    };
    let (values, remarks) = (values(&settled.wanted), settled.remarks);
    let config::Change { applied, restart } = change;
    ChangedConfig { values, applied, restart, stored: not_stored.is_none(), remarks, hint }
}

impl App {
    /// What is in force and configured; it changes.
    #[must_use]
    pub fn settled(&self) -> tokio::sync::watch::Receiver<Settled> {
        self.settled.clone()
    }

    /// What is configured.
    pub(super) fn effective(&self) -> EffectiveConfig {
        let Settled { wanted, restart, remarks, .. } = self.settled.borrow().clone();
        let (values, origins) = (values(&wanted), origins(&wanted));
        EffectiveConfig { values, origins, restart, remarks, keys: forms() }
    }

    /// Reads the files again; what is in force then, the owners are told.
    ///
    /// # Errors
    /// What is wrong with the files, in words; then nothing is changed.
    pub async fn reload(&self) -> Result<Outcome, String> {
        match self.kept(Keeper::reload).await {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(error)) => Err(errors::chain(&error)),
            Err(_) => Err("the configuration's owner has ended".to_owned()),
        }
    }

    /// Has the configuration's owner do `work`, which reads and writes files, and tells the
    /// other owners what is in force then. One at a time, so that they hear of changes in
    /// the order in which these were made. Who no longer waits has it done all the same.
    async fn kept<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Keeper) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let mut keeper = self.keeper.clone().lock_owned().await;
        let app = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            let done = work(&mut keeper);
            app.tell_owners(&keeper);
            done
        });
        done.await.map_err(|error| {
            log::error!("changing the configuration: {error}");
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the configuration could not be changed",
                "the program failed while it changed the configuration",
                "look at the log, and at GET /api/v1/config for what is in force",
            )
        })
    }

    /// None of them is waited for.
    fn tell_owners(&self, keeper: &Keeper) {
        let now = self.settled.borrow().now.clone();
        let wanted = keeper.started().cameras.iter().zip(&now.cameras);
        for (camera, (started, wanted)) in self.cameras.iter().zip(wanted) {
            camera.set_bounds(&now.encoder);
            camera.set_picture(limit(started, wanted));
            camera.adjust(Adjust::of(wanted));
        }
        self.sessions.follow(sessions::Settings {
            limits: now.sessions.clone(),
            ice: now.ice.clone(),
            encoder: now.encoder.clone(),
        });
        self.offers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .set(now.sessions.offers_per_minute);
        self.guard.send_modify(|guard| guard.configure(&now.http));
    }
}

/// What is shown at most of a camera that captures as it was `started`. A source may be
/// larger or faster than asked for, and is shown so until somebody wants less.
fn limit(started: &config::Camera, wanted: &config::Camera) -> Limit {
    let less = |wanted, started| if wanted < started { wanted } else { u32::MAX };
    Limit {
        width: less(wanted.width, started.width),
        height: less(wanted.height, started.height),
        framerate: less(wanted.framerate, started.framerate),
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let detail = refused.to_string();
        let Refused::Invalid(problems) = refused else {
            return Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "cannot be stored",
                detail,
                "nothing was changed; make room or mend the disk, or send only what running \
                 owners follow, which is changed until the program ends",
            );
        };
        let is_shut = |problem: &config::Problem| matches!(problem, config::Problem::Shut { .. });
        let is_held = |problem: &config::Problem| matches!(problem, config::Problem::Held { .. });
        let is_reserved =
            |problem: &config::Problem| matches!(problem, config::Problem::Reserved { .. });
        let is_wrong = |problem: &config::Problem| {
            !is_shut(problem) && !is_held(problem) && !is_reserved(problem)
        };
        if problems.0.iter().any(is_wrong) {
            return invalid(detail);
        }
        if problems.0.iter().any(is_reserved) {
            return Self::new(
                StatusCode::FORBIDDEN,
                "administrators only",
                detail,
                "nothing was changed; leave these keys out, or log in as an administrator",
            );
        }
        if problems.0.iter().any(is_shut) {
            return Self::new(
                StatusCode::FORBIDDEN,
                "not through the API",
                detail,
                "nothing was changed; write these keys into signpost.toml on the device",
            );
        }
        Self::new(
            StatusCode::CONFLICT,
            "set elsewhere",
            detail,
            "nothing was changed; change it where it is set, and restart",
        )
    }
}

fn invalid(detail: String) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "not a valid configuration",
        detail,
        "nothing was changed; GET /api/v1/config shows the keys that there are",
    )
}

impl From<ConfigError> for Problem {
    fn from(error: ConfigError) -> Self {
        invalid(errors::chain(&error))
    }
}

fn values(config: &Config) -> Value {
    let mut values = Map::new();
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
    }
    Value::Object(values)
}

fn origins(config: &Config) -> Map<String, Value> {
    let entries = config.effective.iter();
    entries.map(|entry| (entry.key(), entry.origin.clone().into())).collect()
}
