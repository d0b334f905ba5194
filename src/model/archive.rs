//! A bundle as it is sent: a tar archive, plain or compressed with gzip.
//!
//! Nothing in it is trusted. Only plain files are taken, with names of one folder at most, and
//! no more bytes than a bundle may have, whatever the archive says of itself.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path};

use flate2::bufread::MultiGzDecoder;
use tar::{Archive, EntryType};

use super::MAX_FILE_BYTES;

/// Longest archive that is taken, in bytes: it may as well not be compressed.
pub const MAX_ARCHIVE_BYTES: u64 = MAX_BUNDLE_BYTES + (1 << 20);
/// Most bytes of a bundle, all files together (96 MiB): a model of the largest size that may
/// be loaded, and a clip.
pub const MAX_BUNDLE_BYTES: u64 = 96 << 20;
/// Entries of an archive, with those that are passed over.
const MAX_ENTRIES: usize = 256;
/// What a stream of gzip begins with (RFC 1952, 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Why an archive is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Neither tar nor gzip of it, or cut off.
    #[error(
        "the archive cannot be read ({0}); send a tar file of the bundle's folder, plain or with gzip"
    )]
    Damaged(io::Error),
    /// More than a bundle may have.
    #[error("the archive has more than {0}, which no bundle needs")]
    TooLarge(&'static str),
    /// Something that is no file.
    #[error(
        "the archive has {0:?}, which is no plain file; a bundle has neither links nor devices"
    )]
    NoFile(String),
    /// A name that leads somewhere else.
    #[error("the archive has the name {0:?}; file names are plain, and may stand in one folder")]
    Name(String),
    /// Two files of one name.
    #[error("the archive has {0:?} twice")]
    Twice(String),
    /// There is nothing in it.
    #[error("the archive is empty")]
    Empty,
    /// This device cannot take it.
    #[error("the bundle cannot be stored: {0}")]
    Store(io::Error),
}

/// Unpacks an archive into the empty folder `into`, without the folder that its files may
/// stand in. Blocks.
///
/// # Errors
/// [`ArchiveError`]; then `into` may hold a part.
pub fn unpack(archive: impl Read, into: &Path) -> Result<(), ArchiveError> {
    let mut archive = BufReader::new(archive);
    let begin = archive.fill_buf().map_err(ArchiveError::Damaged)?;
    let archive: Box<dyn Read + '_> = match begin.starts_with(&GZIP) {
        true => Box::new(MultiGzDecoder::new(archive)),
        false => Box::new(archive),
    };
    // What says nothing of its length is cut here, and is damaged then.
    let mut archive = Archive::new(archive.take(MAX_ARCHIVE_BYTES));
    // Raw: names and attributes that stand in entries of their own are not believed, nor
    // read into memory.
    let entries = archive.entries().map_err(ArchiveError::Damaged)?.raw(true);
    let mut taken = Taken::default();
    for (index, entry) in entries.enumerate() {
        if index == MAX_ENTRIES {
            return Err(ArchiveError::TooLarge("256 entries"));
        }
        let mut entry = entry.map_err(ArchiveError::Damaged)?;
        let header = entry.header();
        let path = header.path().map_err(ArchiveError::Damaged)?.into_owned();
        match header.entry_type() {
            EntryType::Regular | EntryType::Continuous => {
                let size = header.size().map_err(ArchiveError::Damaged)?;
                let name = taken.file(&path, size)?;
                write(&mut entry, size, &into.join(name))?;
            }
            EntryType::Directory | EntryType::XHeader | EntryType::XGlobalHeader => {}
            _ => return Err(ArchiveError::NoFile(path.display().to_string())),
        }
    }
    if taken.files.is_empty() { Err(ArchiveError::Empty) } else { Ok(()) }
}

/// What was taken out so far.
#[derive(Default)]
struct Taken {
    /// The folder that all files stand in; the inner one is `None` for none.
    folder: Option<Option<OsString>>,
    files: BTreeSet<OsString>,
    bytes: u64,
}

impl Taken {
    /// The name of the next file.
    fn file(&mut self, path: &Path, size: u64) -> Result<OsString, ArchiveError> {
        let refused = || ArchiveError::Name(path.display().to_string());
        let mut names = Vec::new();
        for component in path.components() {
            match component {
                Component::Normal(name) => names.push(name.to_owned()),
                Component::CurDir => {}
                _ => return Err(refused()),
            }
        }
        let name = names.pop().ok_or_else(refused)?;
        let folder = names.pop();
        let plain = name.to_str().is_some_and(|name| !name.chars().any(char::is_control));
        let same = *self.folder.get_or_insert_with(|| folder.clone()) == folder;
        if !names.is_empty() || !plain || !same {
            return Err(refused());
        }
        self.bytes = self.bytes.saturating_add(size);
        if size > MAX_FILE_BYTES {
            return Err(ArchiveError::TooLarge("64 MiB in one file"));
        }
        if self.bytes > MAX_BUNDLE_BYTES {
            return Err(ArchiveError::TooLarge("96 MiB of files"));
        }
        match self.files.insert(name.clone()) {
            true => Ok(name),
            false => Err(ArchiveError::Twice(path.display().to_string())),
        }
    }
}

/// Writes a file of `size` bytes.
fn write(from: &mut impl Read, size: u64, path: &Path) -> Result<(), ArchiveError> {
    let store = ArchiveError::Store;
    let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = open.map_err(store)?;
    let (mut buffer, mut left) = (vec![0; 64 << 10], size);
    while left > 0 {
        let read = from.read(&mut buffer).map_err(ArchiveError::Damaged)?;
        if read == 0 {
            return Err(ArchiveError::Damaged(io::ErrorKind::UnexpectedEof.into()));
        }
        file.write_all(&buffer[..read]).map_err(store)?;
        left = left.saturating_sub(read as u64);
    }
    file.sync_all().map_err(store)
}

/// Packs these files of a folder. Blocks.
///
/// # Errors
/// The system's.
pub fn pack<'a>(
    folder: &Path,
    files: impl IntoIterator<Item = &'a str>,
    into: impl io::Write,
) -> io::Result<()> {
    let mut archive = tar::Builder::new(into);
    archive.mode(tar::HeaderMode::Deterministic);
    for file in files {
        archive.append_path_with_name(folder.join(file), file)?;
    }
    archive.into_inner()?.flush()
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
