//! `signpost read` from outside: good clips, bad clips, bad models.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gst::prelude::*;
use gstreamer as gst;
use serde_json::Value;
use signpost::cli::clip::Clip;
use signpost::cli::read as cli_read;
use signpost::config;
use signpost::model::{ModelError, Models, Places};

/// Frames of the test clips, 10 a second.
const FRAMES: usize = 40;

/// Whether the runtime and the hand models are installed; says so if not. The shipped bundle is
/// part of the checkout: that it does not load is a failure.
fn installed() -> bool {
    let settings = config::load(None, Vec::new()).unwrap().model;
    match Models::load(&Places::of_this_machine(), &settings, 1) {
        Ok(_) => true,
        Err(error @ ModelError::NotFound { .. }) => {
            assert!(std::env::var_os("SIGNPOST_MODEL__RUNTIME").is_none(), "{error}");
            eprintln!("skipped: {error}");
            false
        }
        Err(error) => panic!("{error}"),
    }
}

fn read(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signpost"));
    command.arg("read").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Asserts exit code and words of a failure.
fn fails(output: &Output, code: i32, words: &str) {
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{told}");
    assert!(told.contains(words), "{words:?} is not in: {told}");
}

/// Runs a pipeline to its end.
fn make(description: &str) {
    gst::init().unwrap();
    let pipeline = gst::parse::launch(description).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let bus = pipeline.bus().unwrap();
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &ends).unwrap();
    assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
    pipeline.set_state(gst::State::Null).unwrap();
}

/// Moving noise-free bars, no hand; the index comes first so that a cut leaves it whole.
fn clip(folder: &Path) -> PathBuf {
    let path = folder.join("bars.mp4");
    make(&format!(
        "videotestsrc num-buffers={FRAMES} pattern=smpte horizontal-speed=3 \
         ! video/x-raw,format=I420,width=320,height=240,framerate=10/1 \
         ! jpegenc ! qtmux faststart=true ! filesink location={}",
        path.display()
    ));
    path
}

fn lines(output: &Output) -> Vec<Value> {
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_clip_that_does_not_exist_is_named() {
    let output = read(&["nowhere.mp4"]);
    fails(&output, 4, "clip nowhere.mp4: cannot be opened (No such file");
    fails(&read(&["/"]), 4, "not a file");
    assert!(output.stdout.is_empty());
}

#[test]
fn what_is_no_video_is_told_so() {
    if !installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let noise: Vec<u8> =
        (0u32..50_000).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for (name, bytes) in [("noise.mp4", &noise[..]), ("empty.mp4", b""), ("text.mp4", b"hello\n")] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let output = read(&[path.to_str().unwrap()]);
        fails(&output, 4, "no video in it that can be decoded");
        assert!(output.stdout.is_empty());
    }
    let sound = folder.path().join("sound.wav");
    make(&format!("audiotestsrc num-buffers=20 ! wavenc ! filesink location={}", sound.display()));
    fails(&read(&[sound.to_str().unwrap()]), 4, "no video in it");
}

#[test]
fn a_clip_without_hands_reads_as_nothing() {
    if !installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let clip = clip(folder.path());
    let output = read(&[clip.to_str().unwrap(), "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines = lines(&output);
    let (summary, frames) = lines.split_last().unwrap();
    assert_eq!(frames.len(), FRAMES);
    assert_eq!((&summary["transcript"], &summary["frames"]), (&"".into(), &FRAMES.into()));
    assert!(summary["cpu_s"].as_f64().unwrap() > 0.0 && summary["wall_s"].as_f64().unwrap() > 0.0);
    assert_eq!(frames[7]["t"].as_f64(), Some(0.7));
    assert_eq!((&frames[7]["label"], &frames[7]["committed"]), (&Value::Null, &Value::Null));
    let plain = read(&[clip.to_str().unwrap()]);
    assert_eq!((plain.status.code(), text(&plain.stdout)), (Some(0), "\n".to_owned()));
}

#[test]
fn a_clip_is_resampled_before_it_is_read() {
    if !installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let clip = clip(folder.path());
    for (fps, least, most) in [("5", 19, 21), ("20", 77, 81)] {
        let output = read(&[clip.to_str().unwrap(), "--json", "--fps", fps]);
        let frames = lines(&output).len() - 1;
        assert!((least..=most).contains(&frames), "{fps} fps gave {frames} frames");
        let told =
            text(&output.stderr).contains("it gives 5 pictures a second and the model needs 15");
        assert_eq!(told, fps == "5", "{}", text(&output.stderr));
    }
}

/// A letter that is held over a hole in the frames is not signed again.
#[test]
fn missing_frames_lose_letters_but_repeat_none() {
    if !installed() {
        return;
    }
    let settings = config::load(None, Vec::new()).unwrap().model;
    let mut read = String::new();
    for first in [10, 20, 30] {
        let mut clip = Clip::open(&golden("golden.mp4"), None).unwrap();
        let mut chain = cli_read::chain(&settings, None).unwrap();
        let mut index = 0;
        while let Some(picture) = clip.next_picture().unwrap() {
            index += 1;
            // At half the speed, so that there is something to read between the holes.
            let at = 2 * picture.at;
            if index % 40 < first || index % 40 >= first + 2 {
                clip.view(&picture, |frame| chain.read(frame, at)).unwrap().unwrap();
            }
        }
        chain.flush();
        let text = chain.transcript().text().trim_end().to_owned();
        let mut expected = "HELLO WORLD".chars();
        assert!(text.chars().all(|letter| expected.any(|next| next == letter)), "{text}");
        read += &text;
    }
    assert!(read.len() >= 6, "{read}");
}

#[test]
fn a_clip_that_is_cut_off_is_read_as_far_as_it_goes() {
    if !installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(clip(folder.path())).unwrap();
    let cut = folder.path().join("cut.mp4");
    std::fs::write(&cut, &bytes[..bytes.len() * 6 / 10]).unwrap();
    let output = read(&[cut.to_str().unwrap(), "--json"]);
    fails(&output, 4, "cut off or damaged after");
    let lines = lines(&output);
    let frames = lines.last().unwrap()["frames"].as_u64().unwrap() as usize;
    assert!((FRAMES / 4..FRAMES * 3 / 4).contains(&frames), "{frames} frames");
    assert_eq!(lines.len(), frames + 1);
}

/// A copy of the shipped bundle that may be spoiled.
fn bundle() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/fingerspelling");
    for entry in std::fs::read_dir(shipped).unwrap() {
        let path = entry.unwrap().path();
        let small = path.metadata().unwrap().len() < 2_000_000;
        if path.is_file() && small {
            std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    folder
}

#[test]
fn a_bundle_that_is_missing_or_spoiled_ends_with_5() {
    if !installed() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let clip = clip(scratch.path());
    let with = |folder: &Path| read(&[clip.to_str().unwrap(), "--model", folder.to_str().unwrap()]);
    fails(&with(Path::new("/nowhere")), 5, "looked in /nowhere");

    let folder = bundle();
    let model = folder.path().join("fingerspelling.tflite");
    let bytes = std::fs::read(&model).unwrap();
    std::fs::write(&model, &bytes[..bytes.len() / 2]).unwrap();
    fails(&with(folder.path()), 5, "fingerspelling.tflite: sha256 is");
    std::fs::remove_file(&model).unwrap();
    fails(&with(folder.path()), 5, "fingerspelling.tflite: cannot be read");

    let folder = bundle();
    let manifest = folder.path().join("manifest.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(
        &manifest,
        text.replace("frames = 10", "frames = 11").replace("[1, 10,", "[1, 11,"),
    )
    .unwrap();
    fails(&with(folder.path()), 5, "input.shape = [1, 11, 64]: the model's is [1, 10, 64]");
    std::fs::write(&manifest, text.replace("rate_hz", "rate")).unwrap();
    fails(&with(folder.path()), 5, "unknown field `rate`");
    std::fs::write(&manifest, text.replace("[1, 10, 64]", "[1, 10, 128]")).unwrap();
    fails(&with(folder.path()), 5, "input.shape = [1, 10, 128]: must be [1, 10, 64]");
    let spoiled = text.replace("slide = 0.3", "slyde = 0.3");
    std::fs::write(&manifest, spoiled).unwrap();
    fails(&with(folder.path()), 5, "unknown field `slyde`");
    let output = Command::new(env!("CARGO_BIN_EXE_signpost"))
        .args(["check"])
        .env("SIGNPOST_MODEL__BUNDLE", folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = self::text(&output.stdout) + &self::text(&output.stderr);
    assert!(told.contains("unknown field `slyde`"), "{told}");
}

#[test]
fn a_missing_runtime_ends_with_5() {
    let scratch = tempfile::tempdir().unwrap();
    let clip = clip(scratch.path());
    let output = Command::new(env!("CARGO_BIN_EXE_signpost"))
        .args(["read", clip.to_str().unwrap()])
        .env("SIGNPOST_MODEL__RUNTIME", "/nowhere/libLiteRt.so")
        .output()
        .unwrap();
    fails(
        &output,
        5,
        "runtime library libLiteRt.so: not found; looked in /nowhere/libLiteRt.so; run ./dev",
    );
}

/// The golden clip, its text, and MediaPipe's landmarks of it.
fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/fingerspelling").join(name)
}

#[test]
fn the_golden_clip_reads_as_its_text() {
    if !installed() {
        return;
    }
    let output = read(&[golden("golden.mp4").to_str().unwrap()]);
    assert_eq!(text(&output.stdout), "HELLO WORLD\n", "{}", text(&output.stderr));
}

#[test]
fn the_golden_clip_shows_the_hands_that_mediapipe_finds() {
    if !installed() {
        return;
    }
    let output = read(&["--json", golden("golden.mp4").to_str().unwrap()]);
    let expected = std::fs::read_to_string(golden("golden.landmarks.jsonl")).unwrap();
    let expected: Vec<Value> =
        expected.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ours = lines(&output);
    assert_eq!(ours.len(), expected.len() + 1, "one line a frame and the summary");
    let committed: String = ours.iter().filter_map(|line| line["committed"].as_str()).collect();
    assert_eq!(committed.trim_end(), ours.last().unwrap()["transcript"].as_str().unwrap());
    let (mut distances, mut differ) = (Vec::new(), 0);
    for (ours, theirs) in ours.iter().zip(&expected) {
        match (&ours["hands"][0]["landmarks"], &theirs["hands"][0]["landmarks"]) {
            (Value::Array(ours), Value::Array(theirs)) => distances.extend(apart(ours, theirs)),
            (Value::Null, Value::Null) => {}
            _ => differ += 1,
        }
    }
    assert!(differ * 100 <= expected.len() * 2, "hands differ in {differ} frames");
    distances.sort_by(f64::total_cmp);
    let at = |share: usize| distances[distances.len() * share / 100];
    assert!(distances.len() > 21 * 150, "hands in {} frames", distances.len() / 21);
    assert!(at(50) <= 0.004, "median {} palm lengths", at(50));
    assert!(at(95) <= 0.015, "95th percentile {} palm lengths", at(95));
}

/// Distances of 21 landmarks in palm lengths (wrist to the middle finger's base), in the picture.
fn apart(ours: &[Value], theirs: &[Value]) -> Vec<f64> {
    let point =
        |point: &Value| [point[0].as_f64().unwrap() * 640.0, point[1].as_f64().unwrap() * 480.0];
    let between = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
    let palm = between(point(&theirs[0]), point(&theirs[9]));
    ours.iter().zip(theirs).map(|(a, b)| between(point(a), point(b)) / palm).collect()
}
