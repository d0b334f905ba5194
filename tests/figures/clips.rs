//! Hands in the frames of the data folder's clips that show none, and in those that show one.
//!
//!     cargo bench --bench clips
//!
//! Two hands are allowed, as in `signpost read`; frames within half a frame of a sign's begin
//! or end are left out.

#![allow(
    clippy::unwrap_used,
    reason = "a program of the tests: a panic with the place is the report"
)]

mod common;

use std::path::Path;

use serde::Deserialize;
use signpost::cascade::MAX_HANDS;
use signpost::cli::clip::Clip;

/// Share of hand-free frames that may show a hand.
const FALSE: f64 = 0.01;
/// Half a frame at 30 Hz.
const EDGE: f64 = 1.0 / 60.0;

#[derive(Deserialize)]
struct Truth {
    signs: Vec<Span>,
}

#[derive(Deserialize)]
struct Span {
    start_s: f64,
    end_s: f64,
}

#[derive(Default)]
struct Count {
    frames: usize,
    with_hand: usize,
    with_two: usize,
}

impl Count {
    fn add(&mut self, hands: usize) {
        self.frames += 1;
        self.with_hand += usize::from(hands > 0);
        self.with_two += usize::from(hands > 1);
    }
}

fn main() {
    let Some(data) = common::data() else { return };
    gstreamer::init().unwrap();
    let mut good = true;
    let entries = std::fs::read_dir(data.join("clips")).unwrap();
    let mut clips: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    clips.retain(|path| path.extension().is_some_and(|extension| extension == "mp4"));
    clips.sort();
    for path in clips {
        let (free, signed) = count(&path);
        let share = free.with_hand as f64 / free.frames as f64;
        println!(
            "{}: hand-free frames {}, with a hand {} ({:.2} %, goal {} %); \
             signed frames {}, with a hand {}, with two {}",
            path.file_stem().unwrap().display(),
            free.frames,
            free.with_hand,
            share * 100.0,
            FALSE * 100.0,
            signed.frames,
            signed.with_hand,
            signed.with_two
        );
        good &= share <= FALSE;
    }
    std::process::exit(if good { 0 } else { 1 });
}

/// Counts of the frames that show no hand and of those that do.
fn count(path: &Path) -> (Count, Count) {
    let text = std::fs::read_to_string(path.with_extension("json")).unwrap();
    let truth: Truth = serde_json::from_str(&text).unwrap();
    let mut cascade = common::cascade(MAX_HANDS);
    let mut clip = Clip::open(path, None).unwrap();
    let (mut free, mut signed) = (Count::default(), Count::default());
    while let Some(picture) = clip.next_picture().unwrap() {
        let t = picture.at.as_secs_f64();
        let hands = clip.view(&picture, |frame| cascade.detect(frame).unwrap().len()).unwrap();
        let within = |span: &Span, edge: f64| t > span.start_s - edge && t < span.end_s + edge;
        if truth.signs.iter().any(|span| within(span, -EDGE)) {
            signed.add(hands);
        } else if !truth.signs.iter().any(|span| within(span, EDGE)) {
            free.add(hands);
        }
    }
    (free, signed)
}
