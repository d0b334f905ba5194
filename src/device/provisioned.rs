//! What of the boot partition's set-up data could not be taken, as `signpost provision` leaves
//! it for the service to show.

use std::fs;
use std::io;
use std::path::Path;

use crate::files;

/// In the state directory; a line for each file.
const FILE: &str = "provision-remarks";

/// Lines that are shown: there are fewer files.
const MOST: usize = 16;

/// Keeps what was left in place of what was before.
///
/// # Errors
/// The disk does not take it.
pub fn keep(state_dir: &Path, remarks: &[String]) -> io::Result<()> {
    let file = state_dir.join(FILE);
    if remarks.is_empty() {
        return match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    let lines: Vec<String> = remarks.iter().map(|remark| remark.replace('\n', " ")).collect();
    files::replace(&file, &format!("{FILE}.part"), &format!("{}\n", lines.join("\n")))
}

/// What was left at the device's start; nothing where there is nothing to say.
#[must_use]
pub fn remarks(state_dir: &Path) -> Vec<String> {
    let text = fs::read_to_string(state_dir.join(FILE)).unwrap_or_default();
    text.lines().take(MOST).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn remarks_stay_until_there_are_none() {
        let state = tempfile::tempdir().unwrap();
        assert!(remarks(state.path()).is_empty());
        keep(state.path(), &["one\nline".into(), "two".into()]).unwrap();
        assert_eq!(remarks(state.path()), ["one line", "two"]);
        keep(state.path(), &[]).unwrap();
        assert!(remarks(state.path()).is_empty());
        keep(state.path(), &[]).unwrap();
    }
}
