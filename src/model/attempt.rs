//! A bundle's first load and its golden clip, in a process of its own.
//!
//! A damaged model can crash the runtime, or take all memory and time there is: that is then
//! the end of this process and not of the camera's.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use super::{ModelError, Places, Wanted};
use crate::config;

/// An attempt may take so long: ten seconds of clip at a tenth of its speed, and some more.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// Memory that an attempt may take for itself (RLIMIT_DATA of setrlimit(2)): twice what the
/// shipped models and a decoder of 1080p need.
pub const MEMORY_BYTES: u64 = 512 << 20;
/// What it says is a line; more is not its own.
const MAX_REPORT_BYTES: u64 = 64 << 10;
/// What the attempt may know of this process's environment: where programs and plugins are.
const ENVIRONMENT: &[&str] = &[
    "PATH",
    "HOME",
    "XDG_CACHE_HOME",
    "LD_LIBRARY_PATH",
    "GST_REGISTRY",
    "GST_PLUGIN_PATH",
    "GST_PLUGIN_SYSTEM_PATH",
];

/// What is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The bundle's folder.
    pub bundle: PathBuf,
    /// `libLiteRt.so`.
    pub runtime: PathBuf,
    /// The folder of the hand models, where there is one.
    pub hands: Option<PathBuf>,
}

/// What the process says at its end, as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// What is wrong, a sentence each; empty for a good bundle.
    pub problems: Vec<String>,
    /// What the golden clip reads as.
    pub transcript: String,
    /// Frames of it.
    pub frames: u64,
}

/// Why a bundle is not taken.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// It does not do what it says.
    #[error("{}", .0.join("; "))]
    Wrong(Vec<String>),
    /// It brought the process down.
    #[error(
        "it ended the process that tried it ({status}): the model is damaged, or needs more than {} MiB of memory",
        MEMORY_BYTES >> 20
    )]
    Crash {
        /// How the process ended.
        status: ExitStatus,
    },
    /// It does not come to an end.
    #[error("its golden clip is not read within {} s on this device: take a smaller model or a shorter clip", PATIENCE.as_secs())]
    Slow,
    /// The process could not be started, or says nothing that can be understood.
    #[error("it could not be tried: {0}")]
    Process(io::Error),
    /// Something else that it needs is not there.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl Attempt {
    /// With what this device runs models by.
    ///
    /// # Errors
    /// [`ModelError::NotFound`] without the runtime.
    pub fn new(
        bundle: &Path,
        places: &Places,
        settings: &config::Model,
    ) -> Result<Self, ModelError> {
        let runtime = places.find(Wanted::Runtime, &settings.runtime)?;
        let hands = places.find(Wanted::Hands, &settings.hands).ok();
        Ok(Self { bundle: bundle.to_owned(), runtime, hands })
    }

    /// Tries it. Dropping the future ends the process.
    ///
    /// # Errors
    /// [`AttemptError`]: it is not to be loaded.
    pub async fn run(&self) -> Result<Report, AttemptError> {
        let known = ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        // Of this very program, even if a newer one has been installed in its place.
        let mut command = Command::new("/proc/self/exe");
        command.args(["model", "try"]).arg(&self.bundle).arg("--runtime").arg(&self.runtime);
        if let Some(hands) = &self.hands {
            command.arg("--hands").arg(hands);
        }
        command.env_clear().envs(known).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().map_err(AttemptError::Process)?;
        let stdout = process.stdout.take().expect("its output was asked for");
        let ended = async {
            let mut text = String::new();
            stdout.take(MAX_REPORT_BYTES).read_to_string(&mut text).await?;
            io::Result::Ok((text, process.wait().await?))
        };
        match tokio::time::timeout(PATIENCE, ended).await {
            Err(_) => Err(AttemptError::Slow),
            Ok(Err(error)) => Err(AttemptError::Process(error)),
            Ok(Ok((text, status))) => judge(&text, status),
        }
    }
}

fn judge(text: &str, status: ExitStatus) -> Result<Report, AttemptError> {
    if status.signal().is_some() {
        return Err(AttemptError::Crash { status });
    }
    let report: Report = match serde_json::from_str(text) {
        Ok(report) => report,
        // As where memory runs out.
        Err(_) if !status.success() => return Err(AttemptError::Crash { status }),
        Err(error) => return Err(AttemptError::Process(error.into())),
    };
    if report.problems.is_empty() { Ok(report) } else { Err(AttemptError::Wrong(report.problems)) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use super::*;

    fn status(raw: i32) -> ExitStatus {
        ExitStatus::from_raw(raw)
    }

    #[test]
    fn only_a_report_without_problems_is_good() {
        let good = r#"{"problems":[],"transcript":"A","frames":3}"#;
        assert_eq!(judge(good, status(0)).unwrap().transcript, "A");
        let bad = good.replace("[]", r#"["it reads \"B\""]"#);
        assert!(
            matches!(judge(&bad, status(0)), Err(AttemptError::Wrong(told)) if told.len() == 1)
        );
        // SIGSEGV after it has said that all is well, an abort, nonsense, nothing.
        assert!(matches!(judge(good, status(11)), Err(AttemptError::Crash { .. })));
        assert!(matches!(judge("", status(101 << 8)), Err(AttemptError::Crash { .. })));
        assert!(matches!(judge("{}x", status(0)), Err(AttemptError::Process(_))));
        assert!(matches!(judge("", status(0)), Err(AttemptError::Process(_))));
    }
}
