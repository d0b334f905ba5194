//! Clips as a reader of the files finds them.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::path::Path;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use signpost_signer::clip::{self, Truth};
use signpost_signer::hand::{PICTURE, Side};
use signpost_signer::render::Stage;
use signpost_signer::script::{Script, Strokes};
use signpost_signer::timeline::Performance;

fn script(text: &str, seed: u64) -> Script {
    Script { text: text.into(), seed, side: Side::Right, strokes: Strokes::Drawn }
}

/// Presentation times of a clip's pictures in the order in which they are stored.
fn times(path: &Path) -> Vec<u64> {
    gst::init().unwrap();
    let text = "filesrc name=file ! qtdemux ! h264parse ! appsink name=out sync=false";
    let pipeline = gst::parse::launch(text).unwrap();
    let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap();
    let file = pipeline.by_name("file").unwrap();
    file.set_property("location", path.to_str().unwrap());
    let out = pipeline.by_name("out").unwrap();
    let out = out.downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut times = Vec::new();
    while let Ok(sample) = out.pull_sample() {
        times.push(sample.buffer().unwrap().pts().unwrap().nseconds());
    }
    pipeline.set_state(gst::State::Null).unwrap();
    times
}

#[test]
fn clip_holds_every_planned_frame_in_order_and_its_truth() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    let script = script("A", 3);
    let truth = clip::write(&script, &path).unwrap();
    let written = std::fs::read_to_string(path.with_extension("json")).unwrap();
    assert_eq!(serde_json::from_str::<Truth>(&written).unwrap(), truth);
    let times = times(&path);
    assert_eq!(times.len(), Performance::new(&script).unwrap().frames());
    // Stored in the order of presentation: no B-frames.
    assert!(times.windows(2).all(|t| t[0] < t[1]));
}

#[test]
fn clip_that_cannot_be_written_says_where() {
    let error = clip::write(&script("A", 3), Path::new("/nowhere/a.mp4")).unwrap_err();
    assert!(error.to_string().contains("/nowhere/a.json"));
}

#[test]
fn golden_truth_is_what_the_generator_plans() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/fingerspelling");
    let written = std::fs::read_to_string(golden.join("golden.json")).unwrap();
    let written: Truth = serde_json::from_str(&written).unwrap();
    let script = script(&written.text, written.seed);
    let performance = Performance::new(&script).unwrap();
    assert_eq!(written, Truth::new(&script, &performance));
    assert_eq!(times(&golden.join("golden.mp4")).len(), performance.frames());
    let found = std::fs::read_to_string(golden.join("golden.landmarks.jsonl")).unwrap();
    assert_eq!(found.lines().count(), performance.frames());
}

#[test]
fn pictures_come_again_and_show_the_hand_where_its_landmarks_are() {
    let script = script("L", 4);
    let performance = Performance::new(&script).unwrap();
    let frame = (performance.signs()[0].start_s * 30.0).round() as usize + 3;
    let stage = Stage::new(script.seed);
    let with = clip::frame(&stage, &performance, frame);
    assert_eq!(with, clip::frame(&Stage::new(script.seed), &performance, frame));
    let without = stage.frame(None, frame as u32);
    assert_eq!(with.len(), PICTURE.0 * PICTURE.1 * 3);
    for [x, y, _] in performance.landmarks(frame).unwrap() {
        let (x, y) = (x * PICTURE.0 as f32, y * PICTURE.1 as f32);
        let at = (y as usize * PICTURE.0 + x as usize) * 3;
        assert_ne!(with[at..at + 3], without[at..at + 3], "at {x} {y}");
    }
}
