//! A bundle: a folder with `manifest.toml`, a `.tflite`, labels and a golden clip.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::{ModelError, load};
use crate::runtime::{Interpreter, LiteRt};

/// The manifest's file name in a bundle's folder.
pub const FILE: &str = "manifest.toml";
/// The label that means "no sign".
pub const NONE: &str = "none";
/// Largest manifest or label file (64 KiB): both are a page of text.
const MAX_TEXT_BYTES: u64 = 64 << 10;
/// Most elements of a window: 4 s at 30 Hz, beyond any sign's length.
const MAX_FRAMES: usize = 120;
/// Rates in Hz that the window can sample a camera at.
const RATES: std::ops::RangeInclusive<f64> = 1.0..=60.0;

/// What a manifest says, checked.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The bundle's name.
    pub name: String,
    /// The bundle's version, any text.
    pub version: String,
    /// The model's file and tensors.
    pub model: ModelFile,
    /// The labels' file.
    pub labels: Labels,
    /// The frames that the model looks at.
    pub window: Window,
    /// What the bundle must read on this very device.
    pub golden: Option<Golden>,
    /// How the stabiliser decides; its own keys, read by it.
    #[serde(default)]
    pub stabiliser: toml::Table,
}

/// The model's file and its tensors, both float32.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// File name in the bundle's folder.
    pub file: String,
    /// Checksum of the file, 64 hexadecimal digits.
    pub sha256: String,
    /// Shape of the input, `[1, frames, values of an element]`.
    pub input: Vec<usize>,
    /// Shape of the output, `[1, labels]`.
    pub output: Vec<usize>,
}

/// The labels' file: one label a line, in the order of the model's output.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// File name in the bundle's folder.
    pub file: String,
}

/// The frames that the model looks at.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Number of elements.
    pub frames: usize,
    /// Elements in a second.
    pub rate_hz: f64,
}

/// A clip whose text is known.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// File name in the bundle's folder.
    pub clip: String,
    /// What the bundle must read in it.
    pub transcript: String,
}

/// A bundle whose manifest and labels are read and agree. Its model is not yet loaded.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The bundle's folder.
    pub folder: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
    /// The letter of each output of the model; `None` where it means "no sign".
    pub letters: Vec<Option<char>>,
}

impl Bundle {
    /// Reads a folder's manifest and labels.
    ///
    /// # Errors
    /// [`ModelError::Read`] for a missing file, [`ModelError::Manifest`] with all problems.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join(FILE);
        let refuse = |problems| ModelError::Manifest { path: path.clone(), problems };
        let manifest: Manifest = toml::from_str(&text(&path)?)
            .map_err(|error| refuse(vec![error.to_string().trim_end().replace('\n', " ")]))?;
        let mut problems = manifest.problems();
        let mut letters = Vec::new();
        if is_plain(&manifest.labels.file) {
            let labels = text(&folder.join(&manifest.labels.file))?;
            letters = labels.lines().map(|label| letter(label, &mut problems)).collect();
            let twice =
                labels.lines().enumerate().find(|&(n, l)| labels.lines().take(n).any(|o| o == l));
            if let Some((_, label)) = twice {
                problems.push(format!("{}: label {label:?} stands twice", manifest.labels.file));
            }
            let outputs = manifest.model.output.last().copied().unwrap_or_default();
            if letters.len() != outputs {
                problems.push(format!(
                    "{}: {} labels, but model.output ends in {outputs}",
                    manifest.labels.file,
                    letters.len()
                ));
            }
        }
        match problems.is_empty() {
            true => Ok(Self { folder: folder.to_owned(), manifest, letters }),
            false => Err(refuse(problems)),
        }
    }

    /// The clip whose text is known, if the bundle brings one.
    pub fn golden_clip(&self) -> Option<PathBuf> {
        self.manifest.golden.as_ref().map(|golden| self.folder.join(&golden.clip))
    }

    /// Loads the model and checks it against the manifest.
    ///
    /// # Errors
    /// [`ModelError`] for a file that is missing, damaged or of another shape.
    pub fn load(
        &self,
        runtime: &LiteRt,
        threads: usize,
    ) -> Result<Box<dyn Interpreter>, ModelError> {
        let model = &self.manifest.model;
        let path = self.folder.join(&model.file);
        load(runtime, &path, &model.sha256, threads, &[&model.input], &[&model.output])
    }
}

impl Manifest {
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |good: bool, problem: String| {
            if !good {
                problems.push(problem);
            }
        };
        let golden = self.golden.as_ref().map(|golden| ("golden.clip", &golden.clip));
        let files = [("model.file", &self.model.file), ("labels.file", &self.labels.file)];
        for (key, file) in files.into_iter().chain(golden) {
            check(
                is_plain(file),
                format!("{key} = {file:?}: must be a file name in the bundle's folder"),
            );
        }
        let sum = &self.model.sha256;
        let hexadecimal = sum.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        check(
            sum.len() == 64 && hexadecimal,
            format!("model.sha256 = {sum:?}: must be 64 digits 0-9 a-f"),
        );
        let Window { frames, rate_hz } = self.window;
        check(
            (1..=MAX_FRAMES).contains(&frames),
            format!("window.frames = {frames}: must be 1 to {MAX_FRAMES}"),
        );
        check(
            RATES.contains(&rate_hz),
            format!("window.rate_hz = {rate_hz}: must be {} to {}", RATES.start(), RATES.end()),
        );
        let input = &self.model.input;
        check(
            matches!(input[..], [1, elements, values] if elements == frames && values > 0),
            format!("model.input = {input:?}: must be [1, {frames}, values of an element]"),
        );
        let output = &self.model.output;
        check(
            matches!(output[..], [1, labels] if labels > 0),
            format!("model.output = {output:?}: must be [1, number of labels]"),
        );
        problems
    }
}

fn is_plain(file: &str) -> bool {
    let mut components = Path::new(file).components();
    matches!(components.next(), Some(Component::Normal(name)) if name == file)
        && components.next().is_none()
}

fn letter(label: &str, problems: &mut Vec<String>) -> Option<char> {
    let mut characters = label.chars();
    match (characters.next(), characters.next()) {
        _ if label == NONE => None,
        (Some(letter), None) if !letter.is_whitespace() && !letter.is_lowercase() => Some(letter),
        _ => {
            problems.push(format!("label {label:?}: must be one upper-case character or {NONE:?}"));
            None
        }
    }
}

fn text(path: &Path) -> Result<String, ModelError> {
    let refuse = |reason: String| ModelError::Read { path: path.to_owned(), reason };
    let size = std::fs::metadata(path).map_err(|error| refuse(error.to_string()))?.len();
    if size > MAX_TEXT_BYTES {
        return Err(refuse(format!("{size} bytes, at most {MAX_TEXT_BYTES} are allowed")));
    }
    std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use super::*;

    const GOOD: &str = r#"
        name = "two"
        version = "1"
        [model]
        file = "m.tflite"
        sha256 = "00000000000000000000000000000000000000000000000000000000000000aa"
        input = [1, 10, 64]
        output = [1, 3]
        [labels]
        file = "labels.txt"
        [window]
        frames = 10
        rate_hz = 15.0
        [stabiliser]
        hold_s = 0.3
    "#;

    fn open(manifest: &str, labels: &str) -> Result<Bundle, ModelError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), manifest).unwrap();
        std::fs::write(folder.path().join("labels.txt"), labels).unwrap();
        Bundle::open(folder.path())
    }

    fn problems(manifest: &str, labels: &str) -> Vec<String> {
        match open(manifest, labels).unwrap_err() {
            ModelError::Manifest { problems, .. } => problems,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_good_bundle_opens() {
        let bundle = open(GOOD, "A\nnone\nB\n").unwrap();
        assert_eq!(bundle.letters, [Some('A'), None, Some('B')]);
        assert_eq!(bundle.manifest.window, Window { frames: 10, rate_hz: 15.0 });
        assert_eq!(bundle.manifest.stabiliser["hold_s"].as_float(), Some(0.3));
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let bad = GOOD
            .replace("m.tflite", "../m.tflite")
            .replace("aa\"", "\"")
            .replace("rate_hz = 15.0", "rate_hz = 0.0")
            .replace("[1, 10, 64]", "[1, 9, 64]");
        let problems = problems(&bad, "A\nbee\n");
        let starts = [
            "model.file = \"../m.tflite\"",
            "model.sha256",
            "window.rate_hz = 0",
            "model.input = [1, 9, 64]",
            "label \"bee\"",
            "labels.txt: 2 labels, but model.output ends in 3",
        ];
        assert_eq!(problems.len(), starts.len(), "{problems:?}");
        for (problem, start) in problems.iter().zip(starts) {
            assert!(problem.starts_with(start), "{problem}");
        }
    }

    #[test]
    fn a_label_that_stands_twice_is_refused() {
        assert_eq!(problems(GOOD, "A\nnone\nA\n"), ["labels.txt: label \"A\" stands twice"]);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let [problem] = &problems(&GOOD.replace("rate_hz", "rate"), "")[..] else { panic!() };
        assert!(
            problem.contains("unknown field `rate`, expected `frames` or `rate_hz`"),
            "{problem}"
        );
        assert!(problem.contains("line 13"), "{problem}");
    }

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        for file in ["", ".", "..", "/m", "a/b", "a/", "./a"] {
            assert!(!is_plain(file), "{file:?}");
        }
        assert!(is_plain("labels.txt"));
    }

    #[test]
    fn a_missing_manifest_is_named() {
        let error = Bundle::open(Path::new("/nowhere")).unwrap_err().to_string();
        assert!(error.starts_with("model file /nowhere/manifest.toml: cannot be read"), "{error}");
    }
}
