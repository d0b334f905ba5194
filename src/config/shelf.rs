//! Where the overrides are kept: `overrides.toml` in the state directory, and the last
//! good one beside it. Whatever moment the power fails at, the one or the other is whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::load::read_text;
use super::overrides::Candidate;
use crate::files;

const FILE: &str = "overrides.toml";
const LAST_GOOD: &str = "overrides.toml.last-good";
/// A file that is being written. There is one writer.
const PART: &str = "overrides.toml.part";

/// The file itself.
#[must_use]
pub fn file(state_dir: &Path) -> PathBuf {
    state_dir.join(FILE)
}

/// The overrides, and those before them.
#[must_use]
pub fn candidates(state_dir: &Path) -> Vec<Candidate> {
    [FILE, LAST_GOOD].map(|name| candidate(&state_dir.join(name))).into()
}

fn candidate(file: &Path) -> Candidate {
    let text = match File::open(file) {
        Ok(open) => checked(file, open).map(Some),
        // A path component that is a file cannot hold one.
        Err(error) if absent(&error) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(format!("cannot be read: {error}; only root and the service may"))
        }
        Err(error) => Err(format!("cannot be read: {error}")),
    };
    Candidate { file: file.display().to_string(), text }
}

fn absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn checked(file: &Path, open: File) -> Result<String, String> {
    let unreadable = |error: io::Error| format!("cannot be read: {error}");
    let about = open.metadata().map_err(unreadable)?;
    super::ownership::judge(file, &about)?;
    read_text(open).map_err(unreadable)
}

/// Puts `text` into place, and `before`, which it replaces, beside it. Both are on the
/// disk when this returns.
///
/// # Errors
/// What the system said; what was in place still is.
pub fn put(state_dir: &Path, text: &str, before: &str) -> io::Result<()> {
    let last_good = state_dir.join(LAST_GOOD);
    if fs::read_to_string(&last_good).ok().as_deref() != Some(before) {
        files::replace(&last_good, PART, before)?;
    }
    files::replace(&file(state_dir), PART, text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn texts(folder: &Path) -> Vec<Option<String>> {
        candidates(folder).into_iter().map(|candidate| candidate.text.unwrap()).collect()
    }

    #[test]
    fn what_was_put_is_there_with_what_was_before_and_only_for_us() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        assert_eq!(texts(&state), [None, None]);
        put(&state, "a", "").unwrap();
        // What a power cut left behind.
        fs::write(state.join(PART), "half").unwrap();
        put(&state, "b", "a").unwrap();
        assert_eq!(texts(&state), [Some("b".to_owned()), Some("a".to_owned())]);
        for entry in fs::read_dir(&state).unwrap().map(Result::unwrap) {
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(&state).unwrap().count(), 2, "no part is left");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_an_error_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("file/state");
        fs::write(folder.path().join("file"), "").unwrap();
        assert!(put(&state, "a", "").is_err());
        assert_eq!(texts(&state), [None, None]);
    }

    #[test]
    fn a_file_that_others_can_write_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), "a", "").unwrap();
        let file = file(folder.path());
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
        let told = candidates(folder.path()).remove(0).text.unwrap_err();
        assert!(told.contains("chmod go-w"), "{told}");
    }
}
