//! `signpost-signer`: writes clips of a rendered signer, or a hand's landmarks.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use serde::Serialize;
use signpost_signer::clip::{self, ClipError};
use signpost_signer::example::{self, Variety};
use signpost_signer::hand::Side;
use signpost_signer::letters::LETTERS;
use signpost_signer::script::{Script, Strokes};
use signpost_signer::timeline::Performance;

/// Renders a hand that fingerspells.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// What to sign: letters and spaces.
    #[arg(long, required_unless_present_any = ["pairs", "poses"])]
    text: Option<String>,
    /// Chooses signer, room, light and pace.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Sign with the left hand.
    #[arg(long)]
    mirror: bool,
    /// The clip (.mp4, its truth beside it as .json); with --landmarks-only a
    /// .jsonl file; with --pairs a folder.
    #[arg(long)]
    out: PathBuf,
    /// Write landmarks instead of pictures, one line a frame.
    #[arg(long)]
    landmarks_only: bool,
    /// Write that many pairs each of I/J and D/Z which differ by motion alone.
    #[arg(long, conflicts_with_all = ["text", "landmarks_only"])]
    pairs: Option<u64>,
    /// Write landmarks of that many varied poses of every letter.
    #[arg(long, conflicts_with_all = ["text", "pairs"])]
    poses: Option<u64>,
}

/// Line of a landmark file.
#[derive(Serialize)]
struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    frame: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sign: Option<char>,
    hands: Vec<Hand>,
}

#[derive(Serialize)]
struct Hand {
    handedness: &'static str,
    score: f32,
    landmarks: Vec<[f64; 3]>,
}

impl Hand {
    /// As MediaPipe writes it: it takes pictures for mirrored ones and calls a
    /// right hand "Left".
    fn new(side: Side, landmarks: &[[f32; 3]; 21]) -> Self {
        let round = |v: f32| (f64::from(v) * 1e5).round() / 1e5;
        Self {
            handedness: match side {
                Side::Right => "Left",
                Side::Left => "Right",
            },
            score: 1.0,
            landmarks: landmarks.iter().map(|p| p.map(round)).collect(),
        }
    }
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            let cause = std::error::Error::source(&e).map(|s| format!(": {s}"));
            eprintln!("signpost-signer: {e}{}", cause.unwrap_or_default());
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), ClipError> {
    let side = if args.mirror { Side::Left } else { Side::Right };
    if let Some(count) = args.poses {
        return lines(&args.out, poses(count, args.seed, side));
    }
    if let Some(count) = args.pairs {
        return pairs(count, args.seed, side, &args.out);
    }
    let script = Script {
        text: args.text.clone().unwrap_or_default(),
        seed: args.seed,
        side,
        strokes: Strokes::Drawn,
    };
    if !args.landmarks_only {
        return clip::write(&script, &args.out).map(drop);
    }
    let performance = Performance::new(&script)?;
    let frames = (0..performance.frames()).map(|frame| Line {
        frame: Some(frame),
        sign: None,
        hands: performance.landmarks(frame).iter().map(|l| Hand::new(side, l)).collect(),
    });
    clip::write_truth(&clip::Truth::new(&script, &performance), &args.out)?;
    lines(&args.out, frames)
}

fn poses(count: u64, seed: u64, side: Side) -> impl Iterator<Item = Line> {
    LETTERS.chars().flat_map(move |letter| {
        (0..count).map(move |i| {
            let l = example::landmarks(letter, seed + i, side, &Variety::default());
            Line { frame: None, sign: Some(letter), hands: vec![Hand::new(side, &l)] }
        })
    })
}

/// Four clips a seed: `i-<seed>`, `j-<seed>`, `d-<seed>` and `z-<seed>`.
fn pairs(count: u64, seed: u64, side: Side, folder: &Path) -> Result<(), ClipError> {
    std::fs::create_dir_all(folder)
        .map_err(|source| ClipError::Write { path: folder.into(), source })?;
    for seed in seed..seed + count {
        for (text, strokes, name) in [
            ("J", Strokes::LeftOut, "i"),
            ("J", Strokes::Drawn, "j"),
            ("Z", Strokes::LeftOut, "d"),
            ("Z", Strokes::Drawn, "z"),
        ] {
            let script = Script { text: text.into(), seed, side, strokes };
            clip::write(&script, &folder.join(format!("{name}-{seed}.mp4")))?;
        }
    }
    Ok(())
}

fn lines(path: &Path, lines: impl Iterator<Item = Line>) -> Result<(), ClipError> {
    let fail = |source| ClipError::Write { path: path.into(), source };
    let mut out = BufWriter::new(std::fs::File::create(path).map_err(fail)?);
    for line in lines {
        serde_json::to_writer(&mut out, &line).map_err(|e| fail(e.into()))?;
        out.write_all(b"\n").map_err(fail)?;
    }
    out.flush().map_err(fail)
}
