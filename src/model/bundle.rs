//! A bundle: a folder with a manifest, a model, labels and a golden clip.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::golden::Expected;
use super::manifest::{FILE, Manifest, NONE};
use super::tensors::Loaded;
use super::{ModelError, read_checked, sum_of};
use crate::runtime::LiteRt;

/// Largest manifest or label file (64 KiB): both are some pages of text.
const MAX_TEXT_BYTES: u64 = 64 << 10;
/// Longest label: it stands on the picture.
const MAX_LABEL: usize = 64;

/// A bundle whose manifest and labels are read and agree. Its model is not yet loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    /// The bundle's folder.
    pub folder: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
    /// The labels in the order of the model's scores, in upper case; one may be
    /// [`NONE`]. Empty for `hand-landmarks`.
    pub labels: Vec<String>,
}

impl Bundle {
    /// Reads a folder's manifest and labels.
    ///
    /// # Errors
    /// [`ModelError::Read`] for a missing file, [`ModelError::Sum`] for other labels,
    /// [`ModelError::Manifest`] with all problems.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join(FILE);
        let manifest = Manifest::parse(&text(&path)?)
            .map_err(|problems| ModelError::Manifest { path: path.clone(), problems })?;
        let mut bundle = Self { folder: folder.to_owned(), manifest, labels: Vec::new() };
        let Some(judging) = bundle.manifest.judging() else { return Ok(bundle) };
        let file = folder.join(&judging.labels);
        let labels = text(&file)?;
        bundle.labels = labels.lines().map(shown).collect();
        // First, or another file's labels would be judged.
        bundle.check_sum(&judging.labels)?;
        let problems = bundle.problems();
        if !problems.is_empty() {
            return Err(ModelError::Manifest { path, problems });
        }
        Ok(bundle)
    }

    /// Checks every file against its sum. Reads all of them.
    ///
    /// # Errors
    /// [`ModelError::Read`] for a missing file, [`ModelError::Sum`] for another one.
    pub fn check_files(&self) -> Result<(), ModelError> {
        self.manifest.files.keys().try_for_each(|file| self.check_sum(file))
    }

    /// Name and version, as a person says them.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{} {}", self.manifest.name, self.manifest.version)
    }

    /// What the bundle knows: its labels without [`NONE`].
    pub fn signs(&self) -> impl Iterator<Item = &str> {
        self.labels.iter().map(String::as_str).filter(|label| *label != NONE)
    }

    /// The clip whose reading is known.
    #[must_use]
    pub fn golden_clip(&self) -> PathBuf {
        self.folder.join(&self.manifest.golden.clip)
    }

    /// What must be read in that clip.
    ///
    /// # Errors
    /// [`ModelError::Read`] for a missing file, [`ModelError::Manifest`] for one that expects
    /// nothing that can be checked.
    pub fn expected(&self) -> Result<Expected, ModelError> {
        let path = self.folder.join(&self.manifest.golden.expected);
        let expected = Expected::parse(&text(&path)?);
        expected.map_err(|problem| ModelError::Manifest { path, problems: vec![problem] })
    }

    /// Loads the model and finds its tensors; `None` for a bundle without a model of its own.
    ///
    /// # Errors
    /// [`ModelError`] for a file that is missing, damaged or of other tensors.
    pub fn load(&self, runtime: &LiteRt, threads: usize) -> Result<Option<Loaded>, ModelError> {
        let Some(model) = self.manifest.model() else { return Ok(None) };
        let path = self.folder.join(&model.file);
        let bytes = read_checked(&path, self.sum(&model.file))?;
        let threads = self.manifest.threads.map_or(threads, |most| most.min(threads));
        let interpreter = runtime.load(&path.display().to_string(), bytes, threads)?;
        Loaded::new(&path, Box::new(interpreter), &self.manifest.task).map(Some)
    }

    fn sum(&self, file: &str) -> &str {
        self.manifest.files.get(file).map(String::as_str).unwrap_or_default()
    }

    fn check_sum(&self, file: &str) -> Result<(), ModelError> {
        let path = self.folder.join(file);
        let (found, expected) = (sum_of(&path)?, self.sum(file));
        match found == expected {
            true => Ok(()),
            false => Err(ModelError::Sum { path, found, expected: expected.to_owned() }),
        }
    }

    /// What the labels do not keep of the manifest's promises.
    fn problems(&self) -> Vec<String> {
        let Some(judging) = self.manifest.judging() else { return Vec::new() };
        let (file, mut problems) = (&judging.labels, Vec::new());
        let mut seen = BTreeSet::new();
        for label in &self.labels {
            let length = label.chars().count();
            let whole = label.trim() == label && !label.chars().any(char::is_control);
            if !(1..=MAX_LABEL).contains(&length) || !whole {
                problems.push(format!(
                    "{file}: label {label:?}: must be 1 to {MAX_LABEL} printable characters"
                ));
            } else if !seen.insert(label) {
                problems.push(format!("{file}: label {label:?} stands twice"));
            }
        }
        if let Some(count) = self.manifest.task.scores().filter(|count| *count != self.labels.len())
        {
            let found = self.labels.len();
            problems.push(format!("{file}: {found} labels, and the model scores {count}"));
        }
        let unknown =
            judging.thresholds.keys().filter(|label| !self.labels.contains(&shown(label)));
        problems.extend(
            unknown.map(|label| format!("output.thresholds.{label:?}: {file} has no such label")),
        );
        problems
    }
}

/// Labels are shown in upper case.
pub(crate) fn shown(label: &str) -> String {
    if label == NONE { label.to_owned() } else { label.to_uppercase() }
}

/// A text file of a bundle.
///
/// # Errors
/// [`ModelError::Read`] if it is missing, larger than 64 KiB or not UTF-8.
pub(super) fn text(path: &Path) -> Result<String, ModelError> {
    let mut text = String::new();
    let mut file = super::open(path)?;
    let size = file.get_ref().metadata().map_err(|error| super::unreadable(path, &error))?.len();
    if size > MAX_TEXT_BYTES {
        let reason = format!("{size} bytes, at most {MAX_TEXT_BYTES} are allowed");
        return Err(super::unreadable(path, &reason));
    }
    file.read_to_string(&mut text).map_err(|error| super::unreadable(path, &error))?;
    Ok(text)
}
