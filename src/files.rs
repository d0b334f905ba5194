//! Files that are replaced whole: whatever moment the power fails at, the old one or the
//! new one is there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::Path;

/// Puts `text` into `file`, readable by its owner alone, and waits until the disk has it. The
/// owner is the folder's, so that root can write for a service that is not root. `part`: a
/// name beside it for what is not whole yet, of one writer.
///
/// # Errors
/// The system's; then `file` is as it was, or, where the folder could not be waited for, new.
pub fn replace(file: &Path, part: &str, text: &str) -> io::Result<()> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let part = folder.join(part);
    let put = || -> io::Result<()> {
        let mut open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
        open.write_all(text.as_bytes())?;
        let owner = fs::metadata(folder)?;
        if owner.uid() != open.metadata()?.uid() {
            // Of the file itself: who owns the folder could put a link into its place.
            fchown(&open, Some(owner.uid()), Some(owner.gid()))?;
        }
        open.sync_all()?;
        fs::rename(&part, file)?;
        File::open(folder)?.sync_all()
    };
    // One that a power cut left is of no use, and none is the rule.
    let _ = fs::remove_file(&part);
    put().inspect_err(|_| {
        let _ = fs::remove_file(&part);
    })
}
