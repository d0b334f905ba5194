//! Reads the layers from where they lie.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::layer::Layer;
use super::overrides::{Candidate, settle};
use super::problem::{Problem, Problems};
use super::{Config, shelf};

/// Where the configuration lies unless `--config` says otherwise.
pub const DEFAULT_FILE: &str = "/etc/signpost/signpost.toml";
/// Where changes and the password are kept unless systemd says otherwise.
const DEFAULT_STATE_DIR: &str = "/var/lib/signpost";
/// A configuration is a page or two; a file longer than this is another one.
const LONGEST_FILE: u64 = 1 << 20;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file given by `--config` is not there.
    #[error("configuration {file} does not exist: give another one with --config, or none")]
    Missing {
        /// As given.
        file: String,
    },
    /// What is wrong, all at once.
    #[error(transparent)]
    Invalid(#[from] Problems),
}

/// Reads `given` or the default file with their drop-ins, the overrides and the
/// environment, and lays `arguments` on top. Nothing but `given` has to exist.
pub fn load(given: Option<&Path>, arguments: Vec<Layer>) -> Result<Config, ConfigError> {
    let (given, state_dir) = (given.map(Path::to_owned), state_dir());
    Places { given, state_dir, arguments }.read(None)
}

/// Where a configuration was read, so that it can be read again.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Places {
    /// By `--config`.
    pub given: Option<PathBuf>,
    /// Where the overrides are.
    pub state_dir: PathBuf,
    /// On top of everything.
    pub arguments: Vec<Layer>,
}

impl Places {
    /// Reads all layers; `overrides` takes the place of those on the disk.
    pub fn read(&self, overrides: Option<Candidate>) -> Result<Config, ConfigError> {
        let file = self.given.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
        if self.given.is_some() && !file.exists() {
            return Err(ConfigError::Missing { file: file.display().to_string() });
        }
        let mut problems = Vec::new();
        let mut below = Vec::new();
        for file in [file.to_owned()].into_iter().chain(drop_ins(file, &mut problems)) {
            let name = file.display().to_string();
            match File::open(&file).and_then(read_text) {
                Ok(text) => below.push(Layer::File { name, text }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    problems.push(Problem::Unreadable { file: name, reason: error.to_string() });
                }
            }
        }
        let mut above = variables();
        above.extend_from_slice(&self.arguments);
        let candidates = match overrides {
            Some(overrides) => vec![overrides],
            None => shelf::candidates(&self.state_dir),
        };
        let config = match settle(&below, &candidates, &above, &self.state_dir) {
            Ok(mut config) if problems.is_empty() => {
                config.written.places = Some(self.clone());
                return Ok(config);
            }
            Ok(_) => Vec::new(),
            Err(Problems(more)) => more,
        };
        problems.extend(config);
        Err(Problems(problems).into())
    }
}

/// Where the password and `overrides.toml` lie: systemd's `StateDirectory=`, or
/// its usual place.
#[must_use]
pub fn state_dir() -> PathBuf {
    let given = env::var_os("STATE_DIRECTORY").filter(|value| !value.is_empty());
    // systemd separates several by colons; the first is the main one.
    let first = given.and_then(|value| env::split_paths(&value).next());
    first.unwrap_or_else(|| DEFAULT_STATE_DIR.into())
}

impl Config {
    /// What the program would be started with now; itself where it was made of texts that lie
    /// nowhere.
    pub fn read_again(&self) -> Result<Self, ConfigError> {
        match &self.written.places {
            Some(places) => places.read(None),
            None => Ok(self.clone()),
        }
    }
}

/// `signpost.toml.d/*.toml` beside `signpost.toml`, by name.
fn drop_ins(file: &Path, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let mut folder = file.as_os_str().to_owned();
    folder.push(".d");
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                let file = Path::new(&folder).display().to_string();
                problems.push(Problem::Unreadable { file, reason: error.to_string() });
            }
            return Vec::new();
        }
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    files.sort();
    files
}

/// The text of a file, which a configuration's length has a limit for.
pub(super) fn read_text(file: File) -> io::Result<String> {
    let mut text = String::new();
    file.take(LONGEST_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST_FILE {
        return Err(io::Error::other("it is longer than 1 MiB"));
    }
    Ok(text)
}

/// Sorted, so that problems come in the same order every time.
fn variables() -> Vec<Layer> {
    let mut all: Vec<(String, String)> = env::vars_os()
        .map(|(name, text)| (name.to_string_lossy().into(), text.to_string_lossy().into()))
        .collect();
    all.sort();
    all.iter().filter_map(|(name, text)| Layer::variable(name, text)).collect()
}
