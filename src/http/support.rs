//! The support bundle: first what is in it, then the archive.

use std::time::{Duration, SystemTime};

use axum::Json;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{App, Problem};
use crate::device::redaction::Redaction;
use crate::model::{Places, Wanted};
use crate::recognition::exchange::State as ModelState;
use crate::support::{self, About, Entry, Listed, Versions};

/// Who has one gathered at the same time: it looks through the journal and packs megabytes.
pub const AT_ONCE: usize = 1;

/// Its parts are gathered side by side, each with a deadline of its own, and then packed.
pub const TIME_LIMIT: Duration = Duration::from_secs(60);

/// The two routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(contents)).routes(routes!(bundle))
}

/// What a support bundle is made of.
#[derive(Debug, Serialize, ToSchema)]
struct Contents {
    /// Each of its files, and why one is not there.
    entries: Vec<Listed>,
}

/// What a support bundle made now would hold.
///
/// Nothing in it is a secret: passwords, tokens, keys, credentials and the set-up code are taken
/// out, and what people sign is in none of its parts.
#[utoipa::path(get, path = "/api/v1/support-bundle/contents", tag = "device", responses(
    (status = 200, description = "its files", body = Contents),
    (status = 503, description = "another one is being gathered", body = Problem,
        content_type = "application/problem+json"),
))]
async fn contents(State(app): State<App>) -> Result<Json<Contents>, Problem> {
    let entries = app.gather().await?;
    Ok(Json(Contents { entries: entries.iter().map(Entry::listed).collect() }))
}

/// A support bundle: one archive with what somebody who helps from afar has to know.
///
/// Its first file, contents.json, says what each of the others is, and why one is not there.
#[utoipa::path(get, path = "/api/v1/support-bundle", tag = "device", responses(
    (status = 200, description = "a tar archive with gzip", body = Vec<u8>,
        content_type = "application/gzip"),
    (status = 500, description = "it could not be packed", body = Problem,
        content_type = "application/problem+json"),
    (status = 503, description = "another one is being gathered", body = Problem,
        content_type = "application/problem+json"),
))]
async fn bundle(State(app): State<App>) -> Result<Response, Problem> {
    let entries = app.gather().await?;
    let packing =
        tokio::task::spawn_blocking(move || support::archive(&entries, SystemTime::now()));
    let packed = packing.await.map_err(std::io::Error::other).flatten().map_err(|error| {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Problem::new(status, "not packed", error.to_string(), "look at the log")
    })?;
    log::info!("a support bundle of {} kB was made", packed.len() / 1000);
    let kind = HeaderValue::from_static("application/gzip");
    let headers = [(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, app.attachment())];
    Ok((headers, packed).into_response())
}

impl App {
    /// Every entry; what cannot be had says why.
    async fn gather(&self) -> Result<Vec<Entry>, Problem> {
        let place = self.gathering.clone().try_acquire_owned().map_err(|_| {
            let told = "another support bundle is being gathered just now";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", told, "ask again")
                .retry_after(Duration::from_secs(5))
        })?;
        let redaction = self.redaction().await;
        let about = About { runtime: self.runtime(), models: self.models() };
        let (app, runtime) = (self.clone(), tokio::runtime::Handle::current());
        // Secrets are looked for in megabytes: not where viewers are answered.
        let gathering = tokio::task::spawn_blocking(move || {
            // Held until it is done, also if who asked has gone.
            let _place = place;
            let versions = support::versions(about);
            let logs = async {
                tokio::join!(
                    support::journal(&redaction),
                    support::kernel(&redaction),
                    support::core(&redaction),
                )
            };
            app.entries(versions, runtime.block_on(logs), &redaction)
        });
        Ok(gathering.await.expect("gathering answers, whatever the files hold"))
    }

    fn entries(
        &self,
        versions: Versions,
        (journal, kernel, core): (Entry, Entry, Entry),
        redaction: &Redaction,
    ) -> Vec<Entry> {
        let configuration = "the configuration, each value with where it came from";
        let status = "what the device was doing when this was made";
        let metrics = "its figures since its start, as Prometheus reads them";
        let installed = "versions of all that is installed";
        vec![
            Entry::document("configuration.json", configuration, self.effective(), redaction),
            Entry::document("status.json", status, self.status(), redaction),
            Entry::text("metrics.txt", metrics, Ok(self.metrics()), redaction),
            Entry::document("versions.json", installed, versions, redaction),
            journal,
            kernel,
            core,
        ]
    }

    /// The runtime library in use.
    fn runtime(&self) -> Result<std::path::PathBuf, String> {
        let found = Places::of_this_machine().find(Wanted::Runtime, &self.config.model.runtime);
        found.map_err(|error| error.to_string())
    }

    /// Each model in words.
    fn models(&self) -> Vec<String> {
        let listing = self.bundles.listing();
        let listing = listing.borrow();
        let models = listing.models.iter().map(|listed| {
            let state = match listed.state {
                ModelState::Active => "reads",
                ModelState::OnTrial => "reads, on trial",
                ModelState::Before => "comes back if the one on trial fails",
                ModelState::Stored => "stored",
            };
            format!("{} ({}): {state}", listed.bundle.title(), listed.id())
        });
        let down = listing.turned_down.iter();
        models
            .chain(down.map(|down| format!("{}: put back: {}", down.title, down.reason)))
            .collect()
    }

    /// Saved under the device's name.
    fn attachment(&self) -> HeaderValue {
        let plain = |letter: &char| letter.is_ascii_alphanumeric() || *letter == '-';
        let name: String = self.device_name.borrow().chars().filter(plain).take(63).collect();
        let value = format!("attachment; filename=\"signpost-support-{name}.tar.gz\"");
        HeaderValue::from_str(&value).expect("letters, digits and hyphens are a header")
    }
}
