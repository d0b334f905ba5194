//! Models are data: where they lie, what their manifest promises, and whether the files keep it.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::config;
use crate::runtime::{Interpreter, LiteRt, RuntimeError, TensorSpec};

pub mod archive;
pub mod attempt;
pub mod bundle;
pub mod golden;
pub mod hands;
pub mod locate;
pub mod manifest;
pub mod selection;
pub mod store;
pub mod tensors;

pub use bundle::Bundle;
pub use hands::HandModels;
pub use locate::{Places, Wanted};
pub use manifest::Manifest;
pub use tensors::Loaded;

/// Largest file of a bundle (64 MiB). The shipped models have at most 6 MB; a larger one
/// would not meet the memory budget of 200 MB and is most likely the wrong file.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// What is wrong with a model's files.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// No file or folder at any of the places.
    #[error(
        "{what}: not found; looked in {}; run ./dev to install it, or set {variable}",
        list(looked)
    )]
    NotFound {
        /// What was looked for, in the operator's words.
        what: &'static str,
        /// The environment variable (and so the configuration key) that says where it is.
        variable: &'static str,
        /// Every place that was tried.
        looked: Vec<PathBuf>,
    },
    /// A file cannot be read.
    #[error("model file {}: cannot be read ({reason}); reinstall it with ./dev", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The file is not the one that the manifest names.
    #[error(
        "model file {}: sha256 is {found}, the manifest says {expected}; the file is damaged or of another version, reinstall it",
        path.display()
    )]
    Sum {
        /// The file.
        path: PathBuf,
        /// Sum of the file as it is.
        found: String,
        /// Sum that the manifest names.
        expected: String,
    },
    /// A tensor is not of the shape that the manifest or the program expects.
    #[error("model file {}: {side} {index} has shape {found:?}, expected {expected:?}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// `input` or `output`.
        side: &'static str,
        /// Which of them, from 0.
        index: usize,
        /// Shape in the file; empty if there is no such tensor.
        found: Vec<usize>,
        /// Shape that is needed; empty if there is a tensor too many.
        expected: Vec<usize>,
    },
    /// The manifest is wrong; all of its problems.
    #[error("model manifest {}: {}", path.display(), problems.join("; "))]
    Manifest {
        /// The manifest's file.
        path: PathBuf,
        /// One sentence each.
        problems: Vec<String>,
    },
    /// A bundle's model is not as its manifest says; all that differs.
    #[error("model file {}: {}", path.display(), problems.join("; "))]
    Tensors {
        /// The file.
        path: PathBuf,
        /// One sentence each.
        problems: Vec<String>,
    },
    /// The runtime refused the library or the model.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
}

impl ModelError {
    /// The file or folder that is to blame, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::NotFound { looked, .. } => looked.first().map(PathBuf::as_path),
            Self::Read { path, .. }
            | Self::Sum { path, .. }
            | Self::Shape { path, .. }
            | Self::Manifest { path, .. }
            | Self::Tensors { path, .. } => Some(path),
            Self::Runtime(
                RuntimeError::Call { model, .. } | RuntimeError::Tensor { model, .. },
            ) => Some(Path::new(model)),
            Self::Runtime(_) => None,
        }
    }
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Everything that recognition runs, loaded and checked.
pub struct Models {
    /// MediaPipe's pair, for a task that needs it.
    pub hands: Option<HandModels>,
    /// The bundle's model, if it has one.
    pub model: Option<Loaded>,
    /// What is read with them.
    pub bundle: Bundle,
}

impl Models {
    /// Finds and loads the runtime and all models, each with at most so many threads. Blocks
    /// for about 0.2 s.
    ///
    /// # Errors
    /// [`ModelError`] for the first thing that is missing, damaged or does not fit.
    pub fn load(
        places: &Places,
        settings: &config::Model,
        threads: usize,
    ) -> Result<Self, ModelError> {
        let runtime = LiteRt::open(&places.find(Wanted::Runtime, &settings.runtime)?)?;
        let folder = places.find(Wanted::Bundle, &settings.bundle)?;
        let bundle = Bundle::open(&folder)?;
        let model = bundle.load(&runtime, threads)?;
        let hands = match bundle.manifest.needs_hands() {
            true => {
                let folder = places.find(Wanted::Hands, &settings.hands)?;
                Some(HandModels::load(&runtime, &folder, threads)?)
            }
            false => None,
        };
        Ok(Self { hands, model, bundle })
    }
}

/// The sha256 of a file, in hexadecimal.
///
/// # Errors
/// [`ModelError::Read`] if it is missing, no file, or larger than 64 MiB.
pub fn sum_of(path: &Path) -> Result<String, ModelError> {
    let mut sum = Sha256::new();
    let mut file = open(path)?;
    std::io::copy(&mut file, &mut sum).map_err(|error| unreadable(path, &error))?;
    Ok(format!("{:x}", sum.finalize()))
}

fn unreadable(path: &Path, reason: &dyn std::fmt::Display) -> ModelError {
    ModelError::Read { path: path.to_owned(), reason: reason.to_string() }
}

/// Opens a file of a bundle, and reads no more of it than is allowed.
fn open(path: &Path) -> Result<std::io::Take<std::fs::File>, ModelError> {
    // Looked at before it is opened: opening a pipe would wait for its writer.
    let found = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !found.is_file() {
        return Err(unreadable(path, &"it is not a file"));
    }
    if found.len() > MAX_FILE_BYTES {
        let size = found.len();
        let reason = format!("{size} bytes, at most {MAX_FILE_BYTES} are allowed");
        return Err(unreadable(path, &reason));
    }
    let file = std::fs::File::open(path).map_err(|error| unreadable(path, &error))?;
    Ok(file.take(MAX_FILE_BYTES))
}

/// Reads a model file and checks it against its manifest's sum. Damaged files can still
/// load and run, so the sum is the only sure check.
///
/// # Errors
/// [`ModelError::Read`] if it is missing or larger than 64 MiB, [`ModelError::Sum`].
pub fn read_checked(path: &Path, expected: &str) -> Result<Vec<u8>, ModelError> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    let found = format!("{:x}", Sha256::digest(&bytes));
    if found != expected {
        let expected = expected.to_owned();
        return Err(ModelError::Sum { path: path.to_owned(), found, expected });
    }
    Ok(bytes)
}

/// Compares a loaded model's tensors with the shapes that its user needs.
///
/// # Errors
/// [`ModelError::Shape`] for the first difference.
pub fn check_shapes(
    path: &Path,
    model: &dyn Interpreter,
    inputs: &[&[usize]],
    outputs: &[&[usize]],
) -> Result<(), ModelError> {
    let compare = |side, found: &[TensorSpec], expected: &[&[usize]]| {
        for index in 0..found.len().max(expected.len()) {
            let found = found.get(index).map_or(&[][..], |spec| &spec.shape);
            let expected = expected.get(index).copied().unwrap_or_default();
            if found != expected {
                return Err(ModelError::Shape {
                    path: path.to_owned(),
                    side,
                    index,
                    found: found.to_vec(),
                    expected: expected.to_vec(),
                });
            }
        }
        Ok(())
    };
    compare("input", model.inputs(), inputs)?;
    compare("output", model.outputs(), outputs)
}

/// Reads, checks and loads one model file.
///
/// # Errors
/// Whatever [`read_checked`], [`LiteRt::load`] and [`check_shapes`] say.
pub fn load(
    runtime: &LiteRt,
    path: &Path,
    sha256: &str,
    threads: usize,
    inputs: &[&[usize]],
    outputs: &[&[usize]],
) -> Result<Box<dyn Interpreter>, ModelError> {
    let bytes = read_checked(path, sha256)?;
    let model = runtime.load(&path.display().to_string(), bytes, threads)?;
    check_shapes(path, &model, inputs, outputs)?;
    Ok(Box::new(model))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use super::*;
    use crate::runtime::Scripted;

    #[test]
    fn a_file_with_another_sum_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.tflite");
        std::fs::write(&path, b"abc").unwrap();
        let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(read_checked(&path, sum).unwrap(), b"abc");
        std::fs::write(&path, b"ab").unwrap();
        let error = read_checked(&path, sum).unwrap_err().to_string();
        assert!(error.contains("m.tflite: sha256 is fb8e20fc"), "{error}");
        assert!(error.contains(sum), "{error}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read_checked(Path::new("none/m.tflite"), "").unwrap_err().to_string();
        assert!(
            error.starts_with("model file none/m.tflite: cannot be read (No such file"),
            "{error}"
        );
    }

    #[test]
    fn another_shape_is_refused() {
        let model = Scripted::new(
            "m",
            vec![TensorSpec::f32("x", &[1, 4])],
            vec![TensorSpec::f32("y", &[1, 3])],
            |_, _| Ok(()),
        );
        let check = |inputs: &[&[usize]], outputs: &[&[usize]]| {
            check_shapes(Path::new("m.tflite"), &model, inputs, outputs)
        };
        check(&[&[1, 4]], &[&[1, 3]]).unwrap();
        let error = check(&[&[1, 5]], &[&[1, 3]]).unwrap_err().to_string();
        assert_eq!(error, "model file m.tflite: input 0 has shape [1, 4], expected [1, 5]");
        let error = check(&[&[1, 4]], &[]).unwrap_err().to_string();
        assert_eq!(error, "model file m.tflite: output 0 has shape [1, 3], expected []");
        assert!(check(&[&[1, 4]], &[&[1, 3], &[1, 1]]).is_err());
    }
}
