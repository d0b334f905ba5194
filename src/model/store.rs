//! The bundles that were brought to this device, in its state directory.
//!
//! A bundle is unpacked beside the others, checked, and only then takes its place by one
//! rename, so what is listed is whole. Its folder's name has a part of the manifest's sum:
//! another version of a bundle that is in use stands beside it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use super::archive::{self, ArchiveError};
use super::manifest::FILE;
use super::{Bundle, ModelError, sum_of};

/// Bundles that are kept; with the largest allowed they take 1.5 GB.
const MAX_BUNDLES: usize = 16;
/// Digits of the manifest's sum in a folder's name: enough to tell versions apart.
const DIGITS: usize = 12;

/// Why a bundle is not stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// What was sent is no archive of a bundle.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The bundle is not good.
    #[error(transparent)]
    Bundle(#[from] ModelError),
    /// There are too many.
    #[error("{MAX_BUNDLES} bundles are stored, and more are not kept; delete one first")]
    Full,
    /// This device cannot take it.
    #[error("the bundle cannot be stored: {0}")]
    Io(#[from] io::Error),
}

/// The folder of all of them.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

/// A bundle in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its folder's name, which no other has.
    pub id: String,
    /// What it is.
    pub bundle: Bundle,
    /// When it arrived, by this device's clock.
    pub brought: SystemTime,
}

/// A bundle that has arrived and is not stored; dropping it removes its files.
#[derive(Debug)]
pub struct Incoming {
    folder: PathBuf,
    /// What it is.
    pub bundle: Bundle,
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // What cannot be removed now is at the next start.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What makes folders of bundles that come and go at the same time different.
static ARRIVALS: AtomicU32 = AtomicU32::new(0);

fn own_name() -> String {
    format!("{}-{}", std::process::id(), ARRIVALS.fetch_add(1, Ordering::Relaxed))
}

/// Whether the process that gave an arrival its name may be at work on it still: `signpost
/// model use` beside the service.
fn is_at_work(name: &str) -> bool {
    let number = name.split('-').next().and_then(|number| number.parse::<u32>().ok());
    let other = number.filter(|number| *number != std::process::id());
    let of = |process: u32| fs::read_to_string(format!("/proc/{process}/comm"));
    other.and_then(|other| of(other).ok()).is_some_and(|comm| comm.trim() == "signpost")
}

impl Store {
    /// In a state directory; nothing is touched yet.
    #[must_use]
    pub fn new(state_dir: &Path) -> Self {
        Self { folder: state_dir.join("models") }
    }

    /// The folder that holds everything about models.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes what arrivals left behind that were cut off. For the program's start.
    ///
    /// # Errors
    /// The system's.
    pub fn sweep(&self) -> io::Result<()> {
        let left = match fs::read_dir(self.arrivals()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            left => left?,
        };
        for folder in left {
            let folder = folder?;
            if !folder.file_name().to_str().is_some_and(is_at_work) {
                fs::remove_dir_all(folder.path())?;
            }
        }
        Ok(())
    }

    /// A file without a name, for an archive that arrives in parts: memory may be all that
    /// /tmp is made of.
    ///
    /// # Errors
    /// The system's.
    pub fn scratch(&self) -> io::Result<File> {
        fs::create_dir_all(self.arrivals())?;
        tempfile::tempfile_in(self.arrivals())
    }

    /// Takes an archive in: unpacks it and checks the manifest, the labels and all sums.
    /// Files that the manifest does not list are let go. Blocks.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of it is left.
    pub fn receive(&self, from: impl Read) -> Result<Incoming, StoreError> {
        let folder = self.arrivals().join(own_name());
        fs::create_dir_all(&folder)?;
        let unpacked = archive::unpack(from, &folder).map_err(StoreError::from);
        let bundle = unpacked.and_then(|()| {
            let bundle = Bundle::open(&folder)?;
            bundle.check_files()?;
            Ok(bundle)
        });
        match bundle {
            Ok(bundle) => Ok(Incoming { folder, bundle }),
            Err(error) => {
                let _ = fs::remove_dir_all(&folder);
                Err(error)
            }
        }
    }

    /// Stores what has arrived. Older versions of it go, but for those `in_use`, which are
    /// folders' names; so does a damaged copy of the same. Blocks.
    ///
    /// # Errors
    /// [`StoreError::Full`] and [`StoreError::Io`]; then it is not stored.
    pub fn keep(&self, incoming: Incoming, in_use: &[&str]) -> Result<Stored, StoreError> {
        let name = &incoming.bundle.manifest.name;
        let sum = sum_of(&incoming.folder.join(FILE))?;
        let id = format!("{name}-{}", &sum[..DIGITS]);
        let place = self.place(&id);
        let others = self.list();
        let whole = |place: &Path| Bundle::open(place).and_then(|bundle| bundle.check_files());
        if whole(&place).is_err() {
            let gone = |other: &&Stored| {
                other.bundle.manifest.name == *name && !in_use.contains(&&*other.id)
            };
            if others.iter().filter(|other| !gone(other)).count() >= MAX_BUNDLES {
                return Err(StoreError::Full);
            }
            keep_listed(&incoming)?;
            fs::create_dir_all(self.bundles())?;
            if place.exists() {
                self.remove(&id)?;
            }
            fs::rename(&incoming.folder, &place)?;
            if let Err(error) = File::open(self.bundles()).and_then(|folder| folder.sync_all()) {
                log::warn!("{}: {error}", self.bundles().display());
            }
            for old in others.iter().filter(|other| other.id != id).filter(gone) {
                if let Err(error) = self.remove(&old.id) {
                    log::warn!("{}, which another version replaces, stays: {error}", old.id);
                }
            }
        }
        let brought = arrived(&place);
        let bundle = Bundle { folder: place, ..incoming.bundle.clone() };
        Ok(Stored { id, bundle, brought })
    }

    /// All that are stored, by name. Those that cannot be read are not among them.
    #[must_use]
    pub fn list(&self) -> Vec<Stored> {
        let all = self.ids().into_iter().filter_map(|id| {
            let place = self.place(&id);
            let brought = arrived(&place);
            Some(Stored { bundle: Bundle::open(&place).ok()?, id, brought })
        });
        all.collect()
    }

    /// Names of all folders of bundles, whether they can be read or not.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        let folders = fs::read_dir(self.bundles()).into_iter().flatten().flatten();
        let mut ids: Vec<_> =
            folders.filter_map(|folder| folder.file_name().into_string().ok()).collect();
        ids.sort();
        ids
    }

    /// Where the bundle of this folder's name is.
    #[must_use]
    pub fn place(&self, id: &str) -> PathBuf {
        self.bundles().join(id)
    }

    /// Removes a bundle.
    ///
    /// # Errors
    /// The system's.
    pub fn remove(&self, id: &str) -> io::Result<()> {
        // In two steps, so that no half of one is ever listed.
        let gone = self.arrivals().join(own_name());
        fs::create_dir_all(self.arrivals())?;
        fs::rename(self.place(id), &gone)?;
        fs::remove_dir_all(gone)
    }

    fn bundles(&self) -> PathBuf {
        self.folder.join("bundles")
    }

    fn arrivals(&self) -> PathBuf {
        self.folder.join("arriving")
    }
}

/// When the folder got its last file.
fn arrived(folder: &Path) -> SystemTime {
    let changed = fs::metadata(folder).and_then(|found| found.modified());
    changed.unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Removes files that the manifest does not list.
fn keep_listed(incoming: &Incoming) -> io::Result<()> {
    for file in fs::read_dir(&incoming.folder)? {
        let file = file?;
        let name = file.file_name();
        let listed = |name: &str| name == FILE || incoming.bundle.manifest.files.contains_key(name);
        if !name.to_str().is_some_and(listed) {
            fs::remove_file(file.path())?;
        }
    }
    File::open(&incoming.folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use sha2::{Digest as _, Sha256};

    use super::*;

    /// An archive of a bundle without a model.
    fn bundle(name: &str, version: &str) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let sum = |text: &str| format!("{:x}", Sha256::digest(text));
        let manifest = format!(
            "format = 1\nname = {name:?}\nversion = {version:?}\nlicence = \"MIT\"\n\
             task = \"hand-landmarks\"\n\
             [golden]\nclip = \"c.mp4\"\nexpected = \"e.json\"\n\
             [files]\n\"c.mp4\" = {:?}\n\"e.json\" = {:?}\n",
            sum("clip"),
            sum("{}")
        );
        let files =
            [(FILE, &*manifest), ("c.mp4", "clip"), ("e.json", "{}"), ("._c.mp4", "left over")];
        for (file, text) in files {
            fs::write(folder.path().join(file), text).unwrap();
        }
        let mut bytes = Vec::new();
        archive::pack(folder.path(), files.map(|(file, _)| file), &mut bytes).unwrap();
        bytes
    }

    fn ids(store: &Store) -> Vec<String> {
        store.list().into_iter().map(|stored| stored.id).collect()
    }

    fn put(store: &Store, name: &str, version: &str, in_use: &[&str]) -> Stored {
        store.keep(store.receive(&bundle(name, version)[..]).unwrap(), in_use).unwrap()
    }

    #[test]
    fn what_arrives_is_listed_once_with_its_own_files_only() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        assert_eq!(ids(&store), Vec::<String>::new());
        let stored = put(&store, "a", "1", &[]);
        assert_eq!(put(&store, "a", "1", &[]), stored);
        assert_eq!(store.list(), std::slice::from_ref(&stored));
        assert_eq!(stored.bundle.folder, store.place(&stored.id));
        let files = fs::read_dir(stored.bundle.folder).unwrap().count();
        assert_eq!(files, 3, "what the manifest does not list is gone");
        assert_eq!(fs::read_dir(store.arrivals()).unwrap().count(), 0);
    }

    #[test]
    fn a_new_version_takes_the_old_ones_place_unless_that_is_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let first = put(&store, "a", "1", &[]);
        let second = put(&store, "a", "2", &[&first.id]);
        let mut both = [first.id, second.id];
        both.sort();
        assert_eq!(ids(&store), both);
        let third = put(&store, "a", "3", &[]);
        assert_eq!(ids(&store), [third.id]);
    }

    #[test]
    fn a_bundle_that_is_not_as_its_manifest_says_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let mut damaged = bundle("a", "1");
        let at = damaged.windows(4).position(|bytes| bytes == b"clip").unwrap();
        let at = at + damaged[at + 4..].windows(4).position(|bytes| bytes == b"clip").unwrap() + 4;
        damaged[at] ^= 1;
        assert!(store.receive(&damaged[..]).is_err());
        assert!(store.receive(&b"nonsense"[..]).is_err());
        drop(store.receive(&bundle("a", "1")[..]).unwrap());
        assert_eq!(ids(&store), Vec::<String>::new());
        assert_eq!(fs::read_dir(store.arrivals()).unwrap().count(), 0);
    }

    #[test]
    fn the_store_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        (0..MAX_BUNDLES).for_each(|n| drop(put(&store, &format!("b{n}"), "1", &[])));
        let one_more = store.receive(&bundle("more", "1")[..]).unwrap();
        assert!(matches!(store.keep(one_more, &[]), Err(StoreError::Full)));
        put(&store, "b3", "2", &[]);
        assert_eq!(ids(&store).len(), MAX_BUNDLES);
        store.remove(&ids(&store)[0]).unwrap();
        put(&store, "more", "1", &[]);
    }

    #[test]
    fn a_damaged_copy_is_replaced_by_a_good_one() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let stored = put(&store, "a", "1", &[]);
        fs::write(store.place(&stored.id).join("c.mp4"), "flash").unwrap();
        let again = put(&store, "a", "1", &[&stored.id]);
        assert_eq!(again.id, stored.id);
        again.bundle.check_files().unwrap();
        fs::write(store.place(&stored.id).join(FILE), "x").unwrap();
        assert_eq!((ids(&store), store.ids()), (Vec::new(), vec![stored.id.clone()]));
        store.remove(&stored.id).unwrap();
        assert_eq!(store.ids(), Vec::<String>::new());
    }

    #[test]
    fn what_was_cut_off_is_swept_away() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        store.sweep().unwrap();
        std::mem::forget(store.receive(&bundle("a", "1")[..]).unwrap());
        assert_eq!(fs::read_dir(store.arrivals()).unwrap().count(), 1);
        let another = store.arrivals().join("1-0");
        fs::create_dir(&another).unwrap();
        store.sweep().unwrap();
        assert_eq!(fs::read_dir(store.arrivals()).unwrap().count(), 0);
        assert!(!is_at_work("1-0") && !is_at_work("nonsense"));
    }
}
