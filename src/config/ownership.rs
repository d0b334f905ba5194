//! Whose a file of the configuration is, and who else can write or read it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Others than the owner may write it.
const OTHERS_WRITE: u32 = 0o022;

/// What is wrong with the owner or the permissions of `file`, and what mends it.
///
/// # Errors
/// In words. It belongs to somebody who is neither root, nor we, nor the owner of its
/// folder, or others can write it: whoever can decides what this device does.
pub fn judge(file: &Path, about: &Metadata) -> Result<(), String> {
    let us = rustix::process::geteuid().as_raw();
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let folder = folder.metadata().ok().map(|about| about.uid());
    let name = file.display();
    let uid = about.uid();
    if uid != 0 && uid != us && folder != Some(uid) {
        return Err(format!(
            "belongs to user {uid}, who can change what this device does: sudo chown {us} {name}"
        ));
    }
    if about.mode() & OTHERS_WRITE != 0 {
        return Err(format!("others can write it: sudo chmod go-w {name}"));
    }
    Ok(())
}
