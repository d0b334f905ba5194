//! `/api/v1/models`: which models there are, and which one reads.

use std::io::{Seek as _, SeekFrom};
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::body::{JsonBody, understood};
use super::{App, Problem};
use crate::errors;
use crate::model::archive::{ArchiveError, MAX_ARCHIVE_BYTES};
use crate::model::selection::Choice;
use crate::model::store::{Store, StoreError};
use crate::recognition::exchange::{self, BundleError, Listed};

/// Nothing of an archive for so long: who sends it has gone.
const SILENCE: Duration = Duration::from_secs(15);

/// 97 MiB at 2.5 Mbit/s, and the attempt.
pub const TIME_LIMIT: Duration = Duration::from_secs(480);

/// The four routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(models, add))
        .routes(routes!(activate))
        .routes(routes!(remove))
}

/// The models of this device.
#[derive(Serialize, ToSchema)]
struct Models {
    /// The device's own first, then those that were brought, by name.
    models: Vec<Model>,
    /// The last one that failed its trial, until another is activated.
    #[serde(skip_serializing_if = "Option::is_none")]
    put_back: Option<PutBack>,
}

/// One model.
#[derive(Serialize, ToSchema)]
struct Model {
    /// By which it is activated or removed, whatever else is of its name.
    id: String,
    /// By which it is activated or removed; the one of this name that was brought last is meant.
    name: String,
    /// Of its bundle.
    version: String,
    /// Such as an SPDX expression.
    licence: String,
    /// classify, classify-window, detect, hand-landmarks or hand-sign.
    task: &'static str,
    /// What it knows, in upper case.
    signs: Vec<String>,
    /// active; trial: active, and put back if it fails in its first minute; before: comes
    /// back then; stored.
    state: &'static str,
    /// device: that of the configuration (`model.bundle`); brought: it can be removed.
    origin: &'static str,
}

/// A model that failed its trial.
#[derive(Serialize, ToSchema)]
struct PutBack {
    /// Name and version.
    model: String,
    /// Why.
    reason: String,
}

impl From<&Listed> for Model {
    fn from(listed: &Listed) -> Self {
        let (bundle, manifest) = (&listed.bundle, &listed.bundle.manifest);
        Self {
            id: listed.id().to_owned(),
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            licence: manifest.licence.clone(),
            task: manifest.task.name(),
            signs: bundle.signs().map(str::to_owned).collect(),
            state: match listed.state {
                exchange::State::Active => "active",
                exchange::State::OnTrial => "trial",
                exchange::State::Before => "before",
                exchange::State::Stored => "stored",
            },
            origin: match listed.choice {
                Choice::Configured => "device",
                Choice::Stored(_) => "brought",
            },
        }
    }
}

/// The models of this device, what they know, and which one reads.
#[utoipa::path(get, path = "/api/v1/models", tag = "models",
    responses((status = 200, description = "all of them", body = Models)))]
async fn models(State(app): State<App>) -> Json<Models> {
    let listing = app.bundles.listing();
    let listing = listing.borrow();
    let models = listing.models.iter().map(Model::from).collect();
    let put_back = listing
        .turned_down
        .as_ref()
        .map(|down| PutBack { model: down.title.clone(), reason: down.reason.clone() });
    Json(Models { models, put_back })
}

/// Bring a model: a tar archive of its bundle's folder, plain or with gzip.
///
/// It is unpacked, its sums, labels and tensors are checked against its manifest, and its golden
/// clip is read on this device, which takes as long as that clip or longer. Then it is stored in
/// place of an older version, and can be activated. At most 97 MiB.
#[utoipa::path(post, path = "/api/v1/models", tag = "models",
    request_body(content = Vec<u8>, content_type = "application/x-tar",
        description = "or application/gzip"),
    responses(
        (status = 201, description = "stored", body = Model),
        (status = 409, description = "another one is being tried, or there are too many",
            body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "larger than a bundle may be", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, description = "no bundle, or it does not work on this device; the \
            detail says what is wrong. Nothing was changed", body = Problem,
            content_type = "application/problem+json"),
        (status = 507, description = "this device cannot store it", body = Problem,
            content_type = "application/problem+json"),
    ))]
async fn add(State(app): State<App>, body: Body) -> Result<impl IntoResponse, Problem> {
    // Before the first byte: nobody sends 97 MiB to be told to wait.
    let turn = app.bundles.turn()?;
    let archive = received(body, app.bundles.store()).await?;
    let stored = app.bundles.add(turn, archive).await?;
    log::info!("model {} was brought", stored.bundle.title());
    let (choice, brought) = (Choice::Stored(stored.id), Some(stored.brought));
    let state = exchange::State::Stored;
    let listed = Listed { choice, bundle: stored.bundle, state, brought };
    let place = format!("/api/v1/models/{}", listed.id());
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(Model::from(&listed))))
}

/// The whole body, in a file without a name.
async fn received(body: Body, store: &Store) -> Result<std::fs::File, Problem> {
    let unstored = |error: std::io::Error| Problem::from(BundleError::from(StoreError::Io(error)));
    let store = store.clone();
    let scratch = tokio::task::spawn_blocking(move || store.scratch()).await;
    let scratch = scratch.expect("making a file answers").map_err(unstored)?;
    let mut file = tokio::fs::File::from_std(scratch);
    let (mut body, mut length) = (body.into_data_stream(), 0);
    while let Some(part) = tokio::time::timeout(SILENCE, body.next()).await.map_err(|_| silent())? {
        let part = part.map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, "body cut off", error.to_string(), AGAIN)
        })?;
        length += part.len() as u64;
        if length > MAX_ARCHIVE_BYTES {
            return Err(
                BundleError::from(StoreError::from(ArchiveError::TooLarge("97 MiB"))).into()
            );
        }
        file.write_all(&part).await.map_err(unstored)?;
    }
    file.flush().await.map_err(unstored)?;
    let mut file = file.into_std().await;
    file.seek(SeekFrom::Start(0)).map_err(unstored)?;
    Ok(file)
}

const AGAIN: &str = "send it again";

fn silent() -> Problem {
    let told = format!("nothing of the archive came for {} s", SILENCE.as_secs());
    Problem::new(StatusCode::REQUEST_TIMEOUT, "request took too long", told, AGAIN)
}

/// Which model is to read.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Activation {
    /// Its name or id, as GET /api/v1/models tells them.
    name: String,
}

/// Let a model read from the next picture on.
///
/// One that this device has not tried is tried first. No viewer is dropped and no picture lost.
/// In its first minute it is put back if it fails, gives no result, or ends the program.
#[utoipa::path(put, path = "/api/v1/models/active", tag = "models",
    request_body = Activation,
    responses(
        (status = 200, description = "it reads", body = Activation),
        (status = 404, description = "there is none of this name", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "another one is being tried", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, description = "it does not work on this device; the detail says why. \
            The one before reads on", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "it cannot be stored that it is on trial; the one before \
            reads on", body = Problem, content_type = "application/problem+json"),
    ))]
async fn activate(
    State(app): State<App>,
    body: JsonBody<Activation>,
) -> Result<Json<Activation>, Problem> {
    let hint = "send {\"name\": \"fingerspelling\"} with Content-Type: application/json";
    let wish = understood(body, hint)?;
    app.bundles.activate(&wish.name).await?;
    Ok(Json(wish))
}

/// Remove a model that was brought and is not in use.
#[utoipa::path(delete, path = "/api/v1/models/{name}", tag = "models",
    params(("name" = String, Path, description = "or id, as GET /api/v1/models tells them")),
    responses(
        (status = 204, description = "removed"),
        (status = 404, description = "there is none of this name", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "it is in use, or the device's own", body = Problem,
            content_type = "application/problem+json"),
    ))]
async fn remove(State(app): State<App>, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    app.bundles.remove(&name).await?;
    log::info!("model {name} was removed");
    Ok(StatusCode::NO_CONTENT)
}

impl From<BundleError> for Problem {
    fn from(error: BundleError) -> Self {
        use BundleError as E;
        const BUNDLE: &str = "/usr/share/doc/signpost/models.md describes bundles; `signpost model check FOLDER` \
            tells the same on the command line";
        let detail = errors::chain(&error);
        let (status, title, hint) = match error {
            E::Store(StoreError::Archive(ArchiveError::TooLarge(_))) => {
                (StatusCode::PAYLOAD_TOO_LARGE, "too large", BUNDLE)
            }
            E::Store(StoreError::Io(_) | StoreError::Archive(ArchiveError::Store(_))) => (
                StatusCode::INSUFFICIENT_STORAGE,
                "not stored",
                "make room on the device, or mend its disk",
            ),
            E::Store(StoreError::Full) => {
                (StatusCode::CONFLICT, "too many models", "DELETE /api/v1/models/NAME removes one")
            }
            E::Store(_) | E::Model(_) | E::Attempt(_) | E::NotTaken(_) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "not a good model", BUNDLE)
            }
            E::Unknown(_) | E::None => (StatusCode::NOT_FOUND, "no such model", "bring it first"),
            E::Busy => (StatusCode::CONFLICT, "busy", "ask again when that is done"),
            E::InUse | E::Own => (StatusCode::CONFLICT, "in use", "activate another one first"),
            E::LeftBehind | E::Ending => {
                (StatusCode::SERVICE_UNAVAILABLE, "not now", "restart signpost")
            }
        };
        Self::new(status, title, detail, hint)
    }
}
