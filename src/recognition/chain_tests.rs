//! The chain with scripted models: what holes, slow cameras and failures do to a text.

#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::*;
use crate::cascade::Plane;
use crate::cascade::tests::{Scene, models};
use crate::model::manifest::ELEMENT_VALUES;
use crate::model::manifest::tests::HAND_SIGN;
use crate::model::{Bundle, Loaded, Manifest};
use crate::runtime::{Scripted, TensorSpec};

/// Its place among the labels.
const A: usize = 0;
const FRAME: Duration = Duration::from_nanos(1_000_000_000 / 30);

/// A chain, its clock, and the sign that its classifier sees.
struct Bench {
    chain: Chain,
    at: Duration,
    seen: Arc<Mutex<Result<char, String>>>,
    text: String,
}

/// A bundle of A, B and "none".
fn bundle() -> Bundle {
    let manifest = Manifest::parse(HAND_SIGN).unwrap();
    let labels = ["A", "B", "none"].map(str::to_owned).to_vec();
    Bundle { folder: "two".into(), manifest, labels }
}

fn chain(seen: Arc<Mutex<Result<char, String>>>) -> Chain {
    let model = Scripted::new(
        "two",
        vec![TensorSpec::f32("window", &[1, 10, ELEMENT_VALUES])],
        vec![TensorSpec::f32("scores", &[1, 3])],
        move |_, outputs| {
            let letter = seen.lock().unwrap().clone()?;
            outputs[0]["AB-".find(letter).unwrap()] = 0.9;
            Ok(())
        },
    );
    let (hands, bundle) = (models(Scene::with_a_hand()).0, bundle());
    let model = Loaded::new(Path::new("two"), Box::new(model), &bundle.manifest.task).unwrap();
    Chain::new(Models { hands: Some(hands), model: Some(model), bundle }, 1).unwrap()
}

impl Bench {
    fn new() -> Self {
        let seen = Arc::new(Mutex::new(Ok('-')));
        let chain = chain(Arc::clone(&seen));
        Self { chain, at: Duration::from_secs(5), seen, text: String::new() }
    }

    fn read(&mut self) -> Result<Reading, RuntimeError> {
        let data = [100; 64 * 48 * 3];
        let frame = Frame::rgb(64, 48, Plane { data: &data, stride: 64 * 3 }).unwrap();
        let reading = self.chain.read(&frame, self.at)?.clone();
        let names = self.chain.names();
        self.text.extend(reading.committed.map(|committed| committed.named(names).text()));
        Ok(reading)
    }

    /// Shows a sign in frames so far apart; gives the last reading.
    fn show(&mut self, sign: char, frames: usize, apart: Duration) -> Reading {
        *self.seen.lock().unwrap() = Ok(sign);
        let mut last = None;
        for _ in 0..frames {
            last = Some(self.read().unwrap());
            self.at += apart;
        }
        last.unwrap()
    }
}

#[test]
fn a_sign_is_told_once_the_window_is_full_and_committed_once() {
    let mut bench = Bench::new();
    let reading = bench.show('A', 17, FRAME);
    assert_eq!((reading.label, reading.top.len(), reading.hands.len()), (None, 0, 1));
    let reading = bench.show('A', 20, FRAME);
    assert_eq!((reading.label, reading.score), (Some(A), 0.9));
    assert_eq!(reading.top[0], (A, 0.9));
    assert_eq!(bench.text, "A");
    bench.show('-', 10, FRAME);
    bench.show('B', 10, FRAME);
    assert_eq!(bench.text, "AB");
}

#[test]
fn a_hole_in_the_frames_commits_nothing_anew() {
    let mut bench = Bench::new();
    bench.show('A', 40, FRAME);
    for hole in [150, 400, 1900] {
        bench.at += Duration::from_millis(hole);
        let reading = bench.show('A', 5, FRAME);
        assert_eq!(reading.label, Some(A), "the last label stands while the window fills");
        bench.show('A', 40, FRAME);
    }
    assert_eq!(bench.text, "A");
}

#[test]
fn a_busy_devices_uneven_steps_lose_no_sign() {
    let mut bench = Bench::new();
    bench.show('-', 20, FRAME);
    for sign in "ABABABAB".chars() {
        for _ in 0..3 {
            bench.show(sign, 4, FRAME);
            // A frame was passed over, and a camera is not quite even.
            bench.at += FRAME + Duration::from_millis(1);
        }
        bench.show('-', 6, FRAME);
    }
    assert_eq!(bench.text, "ABABABAB");
}

#[test]
fn a_long_pause_ends_a_sign() {
    let mut bench = Bench::new();
    bench.show('-', 20, FRAME);
    bench.show('A', 5, FRAME);
    assert_eq!(bench.text, "A");
    bench.at += LONGEST_PAUSE;
    bench.show('A', 40, FRAME);
    assert_eq!(bench.text, "AA");
}

#[test]
fn a_camera_that_becomes_too_slow_leaves_no_label() {
    let mut bench = Bench::new();
    assert_eq!(bench.show('A', 40, FRAME).label, Some(A));
    let reading = bench.show('A', 20, Duration::from_millis(100));
    assert_eq!(reading.too_slow, Some(Duration::from_millis(100)));
    assert_eq!((reading.label, reading.score, reading.hands.len()), (None, 0.0, 1));
    assert_eq!(bench.text, "A");
}

#[test]
fn a_refusal_of_the_classifier_ends_with_its_frame() {
    let mut bench = Bench::new();
    bench.show('A', 40, FRAME);
    *bench.seen.lock().unwrap() = Err("out of memory".to_owned());
    assert!(bench.read().unwrap_err().to_string().contains("out of memory"));
    bench.at += FRAME;
    bench.show('A', 40, FRAME);
    assert_eq!(bench.text, "A");
}
