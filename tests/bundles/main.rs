//! Model bundles from outside: one of each kind, each with a known right answer, and bundles
//! that are not what they say. `make.py` makes the folders beside this file.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use signpost::config;
use signpost::model::{Places, Wanted};

mod live;

/// Those whose right answer is known.
const GOOD: [&str; 9] = [
    "colour-float32",
    "colour-float16",
    "colour-uint8",
    "colour-int8",
    "motion-time",
    "motion-channels",
    "shapes-ssd",
    "shapes-anchors",
    "hands",
];

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bundles").join(name)
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/fingerspelling")
}

/// Whether the runtime and the hand models are installed; says so if not.
fn installed() -> bool {
    let settings = config::load(None, Vec::new()).unwrap().model;
    let places = Places::of_this_machine();
    let both = [(Wanted::Runtime, &settings.runtime), (Wanted::Hands, &settings.hands)];
    both.into_iter().all(|(wanted, configured)| match places.find(wanted, configured) {
        Ok(_) => true,
        Err(error) => {
            assert!(std::env::var_os("SIGNPOST_MODEL__RUNTIME").is_none(), "{error}");
            eprintln!("skipped: {error}");
            false
        }
    })
}

fn signpost(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signpost"));
    command.args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn sum(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// A bundle of one's own, to be changed.
struct Copy {
    folder: tempfile::TempDir,
}

impl Copy {
    fn of(bundle: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for file in fs::read_dir(bundle).unwrap().map(Result::unwrap) {
            if file.path().is_file() {
                fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
            }
        }
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn manifest(&self) -> String {
        fs::read_to_string(self.path().join("manifest.toml")).unwrap()
    }

    /// Changes the manifest's text, where it stands once at least.
    fn replace(&self, from: &str, to: &str) -> &Self {
        let manifest = self.manifest();
        assert!(manifest.contains(from), "{from:?} is not in {manifest}");
        fs::write(self.path().join("manifest.toml"), manifest.replace(from, to)).unwrap();
        self
    }

    /// Writes a file, and its sum into the manifest.
    fn put(&self, name: &str, bytes: &[u8]) -> &Self {
        let before = fs::read(self.path().join(name)).unwrap();
        fs::write(self.path().join(name), bytes).unwrap();
        self.replace(&sum(&before), &sum(bytes))
    }

    /// What `signpost model check` says against it.
    fn refusal(&self) -> String {
        let output = signpost(&["model", "check", self.path().to_str().unwrap()]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}{}", text(&output.stdout));
        assert_eq!(told.lines().count(), 1, "{told}");
        told
    }
}

#[test]
fn every_kind_of_bundle_works_and_says_so() {
    if !installed() {
        return;
    }
    for folder in GOOD.map(here).into_iter().chain([shipped()]) {
        let output = signpost(&["model", "check", folder.to_str().unwrap()]);
        let told = text(&output.stdout);
        assert!(output.status.success(), "{}: {}{told}", folder.display(), text(&output.stderr));
        assert!(told.ends_with("It works on this device.\n"), "{told}");
    }
}

#[test]
fn what_is_read_is_what_the_clip_was_made_of() {
    if !installed() {
        return;
    }
    for (name, expected) in [
        ("colour-float32", "RED GREEN BLUE"),
        ("colour-int8", "RED GREEN BLUE"),
        ("motion-channels", "RIGHT LEFT"),
    ] {
        let folder = here(name);
        let clip = folder.join("golden.mp4");
        let output =
            signpost(&["read", clip.to_str().unwrap(), "--model", folder.to_str().unwrap()]);
        assert_eq!(text(&output.stdout).trim(), expected, "{name}: {}", text(&output.stderr));
    }
}

#[test]
fn boxes_are_where_the_shapes_are() {
    if !installed() {
        return;
    }
    for name in ["shapes-ssd", "shapes-anchors"] {
        let folder = here(name);
        let clip = folder.join("golden.mp4");
        let output = signpost(&[
            "read",
            clip.to_str().unwrap(),
            "--json",
            "--model",
            folder.to_str().unwrap(),
        ]);
        // Frame 15 of the disc, which begins with frame 20: see make.py.
        let line = text(&output.stdout).lines().nth(35).unwrap().to_owned();
        let line: Value = serde_json::from_str(&line).unwrap();
        let found = &line["boxes"][0];
        assert_eq!((line["label"].as_str(), found["label"].as_str()), (Some("DISC"), Some("DISC")));
        let edges: Vec<f64> =
            found["box"].as_array().unwrap().iter().map(|edge| edge.as_f64().unwrap()).collect();
        let (x, y, width, height) = (0.25 + 15.0 / 400.0, 0.4, 0.35 * 0.75, 0.35);
        let expected = [x - width / 2.0, y - height / 2.0, x + width / 2.0, y + height / 2.0];
        let off = edges.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < 0.06, "{name}: {edges:?}, the disc is at {expected:?}");
    }
}

#[test]
fn a_manifest_that_lies_is_told_what_about() {
    if !installed() {
        return;
    }
    let scores = "[output.scores]\nshape = [1, 4]\ntype = \"float32\"";
    for (from, to, words) in [
        (
            "shape = [1, 32, 32, 3]",
            "shape = [1, 32, 33, 3]",
            "input.shape = [1, 32, 33, 3]: the model's is [1, 32, 32, 3]",
        ),
        (
            "3]\ntype = \"float32\"",
            "3]\ntype = \"uint8\"",
            "input.type = \"uint8\": the model's is \"float32\"",
        ),
        (
            scores,
            "[output.scores]\nshape = [1, 5]\ntype = \"float32\"",
            "4 labels, and the model scores 5",
        ),
        ("labels = \"labels.txt\"", "labels = \"golden.mp4\"", "golden.mp4"),
        ("task = \"classify\"", "task = \"detect\"", "[output.boxes] is missing"),
        ("mean = 0\nstd = 255", "mean = 255\nstd = 255", "is expected"),
        ("threshold = 0.6", "threshold = 6", "output.threshold = 6: must be 0 to 1"),
        ("threshold = 0.6", "threshold = 0.6\nthreshhold = 1", "unknown field `threshhold`"),
    ] {
        let bundle = Copy::of(&here("colour-float32"));
        let told = bundle.replace(from, to).refusal();
        assert!(told.contains(words), "{words:?} is not in: {told}");
    }
}

#[test]
fn files_that_are_not_those_of_the_manifest_are_named() {
    if !installed() {
        return;
    }
    for name in ["colour.tflite", "labels.txt", "golden.mp4", "expected.json"] {
        let bundle = Copy::of(&here("colour-float32"));
        let mut bytes = fs::read(bundle.path().join(name)).unwrap();
        bytes.push(b'\n');
        fs::write(bundle.path().join(name), bytes).unwrap();
        let told = bundle.refusal();
        assert!(told.contains(name) && told.contains("sha256 is"), "{told}");
        fs::remove_file(bundle.path().join(name)).unwrap();
        let told = bundle.refusal();
        assert!(told.contains(name) && told.contains("cannot be read"), "{told}");
    }
}

#[test]
fn labels_of_another_count_are_refused() {
    if !installed() {
        return;
    }
    for (labels, words) in [
        ("red\ngreen\nblue\n", "3 labels, and the model scores 4"),
        ("red\nred\nblue\nnone\n", "stands twice"),
        ("red\n\nblue\nnone\n", "must be 1 to 64"),
    ] {
        let bundle = Copy::of(&here("colour-float32"));
        let told = bundle.put("labels.txt", labels.as_bytes()).refusal();
        assert!(told.contains(words), "{words:?} is not in: {told}");
    }
}

#[test]
fn a_model_that_gives_no_numbers_is_refused() {
    if !installed() {
        return;
    }
    let bundle = Copy::of(&here("not-a-number"));
    assert!(bundle.refusal().contains("a value that is not a number"));
}

#[test]
fn a_model_of_two_gigabytes_is_refused_at_once() {
    let bundle = Copy::of(&here("colour-float32"));
    File::create(bundle.path().join("colour.tflite")).unwrap().set_len(2 << 30).unwrap();
    let told = bundle.refusal();
    assert!(told.contains("2147483648 bytes, at most 67108864 are allowed"), "{told}");
}

/// Models that are random, cut off, or have flipped bits, each with a right sum.
fn damaged(whole: &[u8]) -> Vec<Vec<u8>> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        // xorshift64 (Marsaglia, 2003)
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut all = Vec::new();
    for _ in 0..60 {
        let length = next() as usize % 9000;
        all.push((0..length).map(|_| next() as u8).collect());
    }
    all.extend((0..140).map(|part| whole[..whole.len() * part / 140].to_vec()));
    for flips in [1, 2, 8, 64] {
        for _ in 0..80 {
            let mut bytes = whole.to_vec();
            for _ in 0..flips {
                // Half of them in what is read first: the tables, and not the weights.
                let reach = if next() % 2 == 0 { bytes.len() } else { bytes.len().min(2000) };
                let at = next() as usize % reach;
                bytes[at] ^= 1 << (next() % 8);
            }
            all.push(bytes);
        }
    }
    all
}

#[test]
fn damaged_models_harm_nobody() {
    if !installed() {
        return;
    }
    let files = damaged(&fs::read(here("colour-float32/colour.tflite")).unwrap());
    assert!(files.len() >= 500);
    let (next, crashed, refused) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(bytes) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let bundle = Copy::of(&here("colour-float32"));
                    bundle.put("colour.tflite", bytes);
                    let folder = bundle.path().to_str().unwrap();
                    let output = signpost(&["model", "check", folder]);
                    let told = text(&output.stderr);
                    // Some flips do no harm that the golden clip could show.
                    if !output.status.success() {
                        assert_eq!(output.status.code(), Some(1), "{told}");
                        assert!(told.starts_with("signpost: model"), "{told}");
                        refused.fetch_add(1, Ordering::Relaxed);
                        let ended = told.contains("ended the process");
                        crashed.fetch_add(usize::from(ended), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let (refused, crashed) = (refused.into_inner(), crashed.into_inner());
    println!("{} models: {refused} refused, {crashed} of them for a crash", files.len());
    assert!(refused > 250);
}
