//! `/api/v1/config`: the configuration in force, and what of it changes while viewers
//! look.

use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{App, Problem};
use crate::camera::Limit;
use crate::config::{self, Change, Config, Refused};

/// Reading and changing.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(config, change))
}

/// The configuration in force, without secrets.
#[derive(Serialize, ToSchema)]
struct EffectiveConfig {
    /// By section and key; `camera` is a list.
    values: Value,
    /// Where each value came from, by `section.key` (`camera[1].key` for the second).
    origins: Map<String, Value>,
}

/// What a change did.
#[derive(Serialize, ToSchema)]
struct ChangedConfig {
    /// All values in force now, by section and key; `camera` is a list.
    values: Value,
    /// The changed keys, `section.key` (`camera[1].key` for the second camera).
    applied: Vec<String>,
    /// Keys of which the encoded pictures follow the value, while the camera captures
    /// what it was started with; these of earlier changes too.
    restart: Vec<String>,
    /// How long this lasts.
    hint: &'static str,
}

/// The configuration in force, without secrets, and where it came from.
#[utoipa::path(get, path = "/api/v1/config", tag = "configuration",
    responses((status = 200, description = "values and origins", body = EffectiveConfig)))]
async fn config(State(app): State<App>) -> Json<EffectiveConfig> {
    let now = app.in_force();
    Json(EffectiveConfig { values: values(&now), origins: origins(&now) })
}

/// Change bit rates, and make pictures smaller or fewer, while viewers look.
///
/// The body holds sections with their keys as the answer to GET shows them. At present
/// running owners follow `encoder.bitrate_kbps`, `encoder.min_bitrate_kbps` and, up to
/// what the program was started with, `width`, `height` and `framerate` of each camera:
/// pictures keep their shape and are made to fit before they are encoded. Everything is
/// applied or nothing is. Nothing is stored: changes last until the program ends.
#[utoipa::path(
    patch, path = "/api/v1/config", tag = "configuration",
    request_body(content = Map<String, Value>,
        example = json!({"encoder": {"bitrate_kbps": 1500}, "camera": [{"width": 640}]})),
    responses(
        (status = 200, description = "in force; viewers stay connected", body = ChangedConfig),
        (status = 409, description = "valid, but for a restart: nothing was changed",
            body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "unknown keys or values out of range, all told in detail",
            body = Problem, content_type = "application/problem+json"),
    )
)]
async fn change(
    State(app): State<App>,
    body: Result<Json<Map<String, Value>>, JsonRejection>,
) -> Result<Json<ChangedConfig>, Problem> {
    let Json(wish) = body.map_err(|rejection| {
        let hint = "send sections with their keys, such as {\"encoder\": {\"bitrate_kbps\": 1500}}";
        Problem::new(rejection.status(), "body not understood", rejection.body_text(), hint)
    })?;
    let (now, Change { applied, restart }) = app.change(&wish)?;
    let hint = if restart.is_empty() {
        "this lasts until the program ends; what is to stay belongs into signpost.toml"
    } else {
        "this lasts until the program ends, and the camera captures what it was started with; \
         for less, write the keys under \"restart\" into signpost.toml and restart"
    };
    Ok(Json(ChangedConfig { values: values(&now), applied, restart, hint }))
}

impl App {
    fn in_force(&self) -> Arc<Config> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).now().clone()
    }

    /// Changes the configuration and tells the owners.
    fn change(&self, wish: &Map<String, Value>) -> Result<(Arc<Config>, Change), Refused> {
        // Held until the owners are told, none of which is waited for: they hear of changes
        // in the order in which these were made.
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let change = running.change(wish)?;
        let now = running.now().clone();
        let wanted = running.started().cameras.iter().zip(&now.cameras);
        for (camera, (started, wanted)) in self.cameras.iter().zip(wanted) {
            camera.set_bounds(&now.encoder);
            camera.set_picture(limit(started, wanted));
        }
        self.sessions.set_encoder(now.encoder.clone());
        Ok((now, change))
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
        match refused {
            Refused::Invalid(_) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "not a valid configuration",
                detail,
                "nothing was changed; GET /api/v1/config shows the keys that there are",
            ),
            Refused::Restart(_) => Self::new(
                StatusCode::CONFLICT,
                "needs a restart",
                detail,
                "nothing was changed; write these keys into signpost.toml and restart, or send \
                 only bit rates, and widths, heights and frame rates up to those at the start",
            ),
        }
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
