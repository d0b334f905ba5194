//! Prints our landmarks of every photograph in the form of landmarks.jsonl, for training.
//!
//!     cargo bench --bench dump > our-landmarks.jsonl

#![allow(
    clippy::unwrap_used,
    reason = "a program of the tests: a panic with the place is the report"
)]

mod common;

use std::io::Write;

fn main() {
    let Some(data) = common::data() else { return };
    let mut cascade = common::cascade(1);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let photographs = common::photographs(&data);
    let mut found = 0;
    for path in &photographs {
        let frame = common::pasted(path);
        cascade.forget();
        let Some(hand) = cascade.detect(&common::rgb(&frame)).unwrap().first() else { continue };
        found += 1;
        let mut line = common::named(path);
        line.handedness = common::label(hand).to_owned();
        let hundredths = |value: f64| (value * 100.0).round() / 100.0;
        line.landmarks =
            common::in_photograph(hand).into_iter().map(|point| point.map(hundredths)).collect();
        writeln!(out, "{}", serde_json::to_string(&line).unwrap()).unwrap();
    }
    out.flush().unwrap();
    eprintln!("a hand in {found} of {}", photographs.len());
}
