//! Checks on request: the configuration, and the golden clip of the model that reads.

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use tokio::sync::SemaphorePermit;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::access::password::{self, PasswordError};
use super::{App, Entry, Problem};
use crate::camera::{self, Camera};
use crate::checks::{Checked, Finding, Outcome, Step, configuration};
use crate::config::Config;
use crate::errors;
use crate::model::attempt::PATIENCE;
use crate::recognition;
use crate::recognition::exchange::BundleError;

/// Checks at the same time: a golden clip takes as much of the device as recognition does.
pub const AT_ONCE: usize = 1;

/// A golden clip has a deadline of its own.
pub const TIME_LIMIT: Duration = Duration::from_secs(PATIENCE.as_secs() + 10);

/// When to ask again for a check that another one keeps from being made.
const LATER: Duration = Duration::from_secs(5);

/// The two routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(check_configuration)).routes(routes!(check_golden_clip))
}

/// Check the configuration: files, login, cameras, encoder, model.
///
/// What `signpost check` says on the device, of the program that runs. Files are read as they
/// are now; nothing is changed, and no camera is touched.
#[utoipa::path(post, path = "/api/v1/checks/configuration", tag = "checks", responses(
    (status = 200, description = "done, whatever was found", body = Checked),
    (status = 409, description = "another check is under way", body = Problem,
        content_type = "application/problem+json"),
))]
async fn check_configuration(State(app): State<App>) -> Result<Json<Checked>, Problem> {
    let _turn = app.check_turn()?;
    let begun = Instant::now();
    let redaction = app.redaction().await;
    let reading = app.clone();
    let read = tokio::task::spawn_blocking(move || reading.files_as_they_are());
    let found = read.await.expect("reading files answers, whatever they hold");
    let read = begun.elapsed();
    // What the running program says of itself takes no time.
    let found = found.into_iter().map(|finding| Step::from(finding).taking(read));
    let steps = found.chain(app.running().into_iter().map(Step::from));
    Ok(Json(steps.map(|step| step.without(|text| redaction.text(text))).collect()))
}

/// Read the golden clip of the model that reads.
///
/// Its files are compared with their sums, and its clip is read in a process of its own, with
/// limits, as before an activation. Video goes on, and so does recognition.
#[utoipa::path(post, path = "/api/v1/checks/golden-clip", tag = "checks", responses(
    (status = 200, description = "done, whatever was found", body = Checked),
    (status = 409, description = "another check or another model's trial is under way",
        body = Problem, content_type = "application/problem+json"),
))]
async fn check_golden_clip(State(app): State<App>) -> Result<Json<Checked>, Problem> {
    let _turn = app.check_turn()?;
    let begun = Instant::now();
    let hint = "bring the model again, or activate another one: Settings, Model";
    let step = match app.bundles.prove().await {
        Ok((title, report)) => {
            let clip = format!("{title}: {} pictures are read as expected", report.frames);
            Step::pass("golden clip", begun.elapsed(), clip)
        }
        Err(busy @ BundleError::Busy) => return Err(busy.into()),
        Err(error) => Step::fail("golden clip", begun.elapsed(), errors::chain(&error), hint),
    };
    Ok(Json([step].into_iter().collect()))
}

impl App {
    fn check_turn(&self) -> Result<SemaphorePermit<'_>, Problem> {
        self.checking.try_acquire().map_err(|_| {
            let told = "another check is under way, and this device makes one at a time";
            let problem = Problem::new(StatusCode::CONFLICT, "busy", told, "ask again");
            problem.retry_after(LATER)
        })
    }

    /// What the files say that the program would be started with.
    fn files_as_they_are(&self) -> Vec<Finding> {
        match self.config.read_again() {
            Ok(config) => {
                let mut findings = configuration::values(&config);
                findings.extend(configuration::files(&config));
                findings.push(Finding::new("login", self.login(&config)));
                findings.extend(configuration::promises(&config));
                findings
            }
            Err(error) => {
                let told = errors::chain(&error);
                vec![Finding::new("configuration", Outcome::Wrong(told))]
            }
        }
    }

    fn login(&self, config: &Config) -> Outcome {
        if self.access.entry() == Entry::Free {
            return Outcome::Note("nobody is asked for one: it was started with --open".to_owned());
        }
        match password::read(&config.access.password_file) {
            Ok(_) => {
                let hours = config.access.login.as_secs() / 3600;
                Outcome::Fine(format!("who knows a password, for {hours} hours"))
            }
            Err(error @ PasswordError::Absent) => Outcome::Note(error.to_string()),
            Err(error) => Outcome::Wrong(errors::chain(&error)),
        }
    }

    /// What the program that runs makes of it.
    fn running(&self) -> Vec<Finding> {
        let model = match &*self.recognition.borrow() {
            recognition::Status::Starting => Outcome::Note("it is being loaded".to_owned()),
            recognition::Status::Running { model, degraded: None } => {
                Outcome::Fine(format!("{model} reads"))
            }
            recognition::Status::Running { model, degraded: Some(why) } => {
                Outcome::Note(format!("{model} reads, with less: {why}"))
            }
            recognition::Status::Failed(reason) => Outcome::Wrong(reason.clone()),
        };
        let mut findings = vec![Finding::new("model", model)];
        findings.extend(self.cameras.iter().flat_map(looked_at));
        findings
    }
}

/// A camera, and how its pictures are encoded.
fn looked_at(camera: &Camera) -> Vec<Finding> {
    let what = format!("camera {}", camera.name());
    match &*camera.status().borrow() {
        camera::Status::Live(live) => {
            let camera::Live { source, width, height, framerate, .. } = live;
            let shows = format!("{source}, {width}x{height}, {framerate} frames a second");
            let encoder = format!("{}: {}", live.encoder, live.encoder_reason);
            let encoder = Finding::new("encoder", Outcome::Fine(encoder));
            vec![Finding::new(what, Outcome::Fine(shows)), encoder]
        }
        camera::Status::Failed(away) => {
            vec![Finding::new(what, Outcome::Wrong(away.reason.clone()))]
        }
        camera::Status::Starting => {
            vec![Finding::new(what, Outcome::Note("it is being started".to_owned()))]
        }
        camera::Status::Stopped => {
            vec![Finding::new(what, Outcome::Note("it is stopped on request".to_owned()))]
        }
    }
}
