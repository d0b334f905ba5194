//! The cascade against MediaPipe on photographs: found hands and distance of landmarks, from
//! RGB and from I420 frames.
//!
//!     cargo bench --bench photographs
//!     python3 tests/figures/decode.py | cargo bench --bench photographs -- --stdin
//!
//! The second form takes the photographs as libjpeg decodes them, as MediaPipe got them:
//! decoders differ by up to 4 codes, and that alone costs 0.002 palm lengths.

#![allow(
    clippy::unwrap_used,
    reason = "a program of the tests: a panic with the place is the report"
)]

mod common;

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use common::{HEIGHT, Reference, WIDTH};
use signpost::cascade::{Cascade, Colour, Frame, Matrix, Plane, Range};

const FOUND: std::ops::RangeInclusive<usize> = 1887 - 5..=1887 + 5;
const MEDIAN: f64 = 0.004;
const P95: f64 = 0.015;

const COLOUR: Colour = Colour { matrix: Matrix::Bt601, range: Range::Limited };

#[derive(Default)]
struct Figures {
    found: usize,
    lost: usize,
    extra: usize,
    other_hand: usize,
    distances: Vec<f64>,
}

fn main() {
    let Some(data) = common::data() else { return };
    let references = references(&data);
    let mut cascade = common::cascade(1);
    let mut figures = [Figures::default(), Figures::default()];
    let photographs = common::photographs(&data);
    let from_stdin = std::env::args().any(|argument| argument == "--stdin");
    for path in &photographs {
        let rgb = if from_stdin { read_frame() } else { common::pasted(path) };
        let yuv = to_i420(&rgb);
        let reference = references.get(&common::named(path).file);
        measure(&mut cascade, &common::rgb(&rgb), reference, &mut figures[0]);
        measure(&mut cascade, &i420(&yuv), reference, &mut figures[1]);
    }
    println!("{} photographs, MediaPipe finds a hand in {}", photographs.len(), references.len());
    let [rgb, i420] = figures;
    let good = [rgb.print("RGB"), i420.print("I420")];
    std::process::exit(if good == [true, true] { 0 } else { 1 });
}

fn references(data: &Path) -> HashMap<String, Reference> {
    let text = std::fs::read_to_string(data.join("asl-hands/landmarks.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Reference>(line).unwrap());
    lines.map(|line| (line.file.clone(), line)).collect()
}

fn measure(
    cascade: &mut Cascade,
    frame: &Frame<'_>,
    reference: Option<&Reference>,
    figures: &mut Figures,
) {
    cascade.forget();
    let hand = cascade.detect(frame).unwrap().first();
    figures.found += usize::from(hand.is_some());
    match (hand, reference) {
        (Some(hand), Some(reference)) => {
            let ours = common::in_photograph(hand);
            figures.distances.extend(common::distances(&reference.landmarks, &ours));
            figures.other_hand += usize::from(common::label(hand) != reference.handedness);
        }
        (Some(_), None) => figures.extra += 1,
        (None, Some(_)) => figures.lost += 1,
        (None, None) => {}
    }
}

impl Figures {
    fn print(mut self, path: &str) -> bool {
        let [median, p95, most] =
            [0.5, 0.95, 1.0].map(|share| common::quantile(&mut self.distances, share));
        println!(
            "{path:>5}: found {} (goal {FOUND:?}; lost {}, extra {}, other hand {}); \
             palm lengths: median {median:.5} (goal {MEDIAN}), p95 {p95:.5} (goal {P95}), max {most:.4}",
            self.found, self.lost, self.extra, self.other_hand
        );
        FOUND.contains(&self.found) && median <= MEDIAN && p95 <= P95
    }
}

fn read_frame() -> Vec<u8> {
    let mut frame = vec![0; WIDTH * HEIGHT * 3];
    std::io::stdin().lock().read_exact(&mut frame).unwrap();
    frame
}

/// BT.601 limited range, chroma the mean of four pixels, all rounded to codes.
fn to_i420(rgb: &[u8]) -> [Vec<u8>; 3] {
    let pixel = |x: usize, y: usize| {
        let start = (y * WIDTH + x) * 3;
        [0, 1, 2].map(|channel| f64::from(rgb[start + channel]) / 255.0)
    };
    let luma = |[r, g, b]: [f64; 3]| 0.299 * r + 0.587 * g + 0.114 * b;
    let mut planes = [Vec::new(), Vec::new(), Vec::new()];
    for y in 0..HEIGHT {
        planes[0].extend((0..WIDTH).map(|x| (16.0 + 219.0 * luma(pixel(x, y))).round() as u8));
    }
    for y in (0..HEIGHT).step_by(2) {
        for x in (0..WIDTH).step_by(2) {
            let four = [pixel(x, y), pixel(x + 1, y), pixel(x, y + 1), pixel(x + 1, y + 1)];
            let mean = [0, 1, 2].map(|channel| four.iter().map(|p| p[channel]).sum::<f64>() / 4.0);
            let codes = |value: f64, range: f64| {
                (128.0 + 224.0 * (value - luma(mean)) / range).round() as u8
            };
            planes[1].push(codes(mean[2], 2.0 * (1.0 - 0.114)));
            planes[2].push(codes(mean[0], 2.0 * (1.0 - 0.299)));
        }
    }
    planes
}

fn i420([y, u, v]: &[Vec<u8>; 3]) -> Frame<'_> {
    let plane = |data, stride| Plane { data, stride };
    let planes = [plane(y, WIDTH), plane(u, WIDTH / 2), plane(v, WIDTH / 2)];
    Frame::i420(WIDTH, HEIGHT, planes, COLOUR).unwrap()
}
