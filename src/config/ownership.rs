//! Whose a file of the configuration is, and who else can write or read it.
//!
//! `signpost check` fails on what is wrong, and `run` warns: a device that stays dark cannot be
//! mended from afar. Only overrides that others can write are not used at all.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::layer::Layer;
use super::problem::Origin;
use super::validate::holds_secret;
use super::values::Config;

/// Others than the owner may write it.
const OTHERS_WRITE: u32 = 0o022;
/// Everybody may read it; a group is given on purpose, as to the service.
const ALL_READ: u32 = 0o004;
/// Group or others may read it, or more.
const NOT_PRIVATE: u32 = 0o077;

/// What is wrong with owners and permissions of the files that `config` was read from, and
/// of the password file, a sentence each. Looks at the files.
#[must_use]
pub fn complaints(config: &Config) -> Vec<String> {
    let names = config.written.below.iter().filter_map(|layer| match layer {
        Layer::File { name, .. } => Some(name.as_str()),
        Layer::Overrides(_) | Layer::One { .. } => None,
    });
    let secret = secret_files(config);
    let mut complaints = Vec::new();
    for name in names {
        let Ok(about) = fs::metadata(name) else { continue };
        complaints.extend(judge(Path::new(name), &about).err().map(|why| format!("{name}: {why}")));
        if secret.contains(&name) && about.mode() & ALL_READ != 0 {
            complaints.push(format!(
                "{name}: everybody can read the credentials in it: sudo chmod o-r {name}"
            ));
        }
    }
    let password = &config.access.password_file;
    if let Ok(about) = fs::metadata(password) {
        let name = password.display();
        match judge(password, &about) {
            Err(why) => complaints.push(format!("{name}: {why}")),
            Ok(()) if about.mode() & NOT_PRIVATE != 0 => {
                complaints.push(format!("{name}: others can read it: sudo chmod 600 {name}"));
            }
            Ok(()) => {}
        }
    }
    complaints
}

/// The files in which credentials stand.
fn secret_files(config: &Config) -> Vec<&str> {
    let settings = &config.written.settings;
    let tables = settings.sections.values().chain(&settings.cameras);
    let entries = tables.flatten().filter(|(name, entry)| holds_secret(name, &entry.value));
    entries
        .filter_map(|(_, entry)| match &entry.origin {
            Origin::File { file, .. } => Some(file.as_str()),
            _ => None,
        })
        .collect()
}

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
