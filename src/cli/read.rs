//! `signpost read`: the whole recognition over a video file, as fast as it goes.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use super::ReadArgs;
use super::clip::{Clip, ClipError};
use super::exit::{Exit, Failure, OrExit};
use crate::cascade::MAX_HANDS;
use crate::config;
use crate::model::{ModelError, Models, Places};
use crate::recognition::stabiliser::Committed;
use crate::recognition::transcript::Spelling;
use crate::recognition::{Chain, Hand, Reading, Thing};
use crate::runtime::RuntimeError;

/// One thread: the figures are CPU time, and a file's reader has no frame to be late for.
const THREADS: usize = 1;

/// One decoded frame in `--json`.
#[derive(Serialize)]
struct Line<'a> {
    /// Position in the clip in seconds.
    t: f64,
    label: Option<&'a str>,
    score: f32,
    committed: Option<&'a str>,
    hands: &'a [Hand],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    boxes: Vec<Thing>,
}

/// The last line in `--json`.
#[derive(Serialize)]
struct Summary<'a> {
    transcript: &'a str,
    frames: u64,
    cpu_s: f64,
    wall_s: f64,
}

/// What reading a clip came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Everything that was committed.
    pub transcript: String,
    /// Frames read.
    pub frames: u64,
    /// CPU time of recognition alone, decoding left out.
    pub cpu: Duration,
    /// How far apart the pictures came where that was too slow for the model.
    pub too_slow: Option<Duration>,
    spelling: Spelling,
}

impl Outcome {
    fn add(&mut self, committed: Option<Committed<usize>>, names: &[String]) {
        if let Some(committed) = committed {
            self.transcript.extend(self.spelling.next(committed.named(names)));
        }
    }
}

/// Why a clip was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The clip.
    #[error(transparent)]
    Clip(#[from] ClipError),
    /// A model refused a frame.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// Nobody takes the lines.
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
}

/// Runs the subcommand.
///
/// # Errors
/// A [`Failure`] with exit code 4 for the clip and 5 for the model. A clip that is cut off is
/// read as far as it goes and printed before that. A clip with too few pictures is no failure,
/// but standard error tells what is missing.
pub fn read(args: &ReadArgs, settings: &config::Model) -> Result<(), Failure> {
    let start = Instant::now();
    gstreamer::init().or_exit(Exit::Camera)?;
    // First: a wrong path is told before any model is loaded.
    let mut clip = Clip::open(&args.clip, args.fps).or_exit(Exit::Camera)?;
    let mut chain = chain(settings, args.model.clone()).or_exit(Exit::Model)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let (mut outcome, names) = (Outcome::default(), chain.names().clone());
    let result = read_clip(&mut clip, &mut chain, &mut outcome, |at, reading| {
        if !args.json {
            return Ok(());
        }
        let Reading { label, score, committed, hands, boxes, .. } = reading;
        let label = label.map(|label| names[label].as_str());
        let committed = committed.map(|committed| committed.named(&names).text());
        let boxes = boxes.iter().map(|found| Thing::new(found, &names)).collect();
        line(&mut out, &Line { t: seconds(at), label, score: *score, committed, hands, boxes })
    });
    let written = if args.json {
        let Outcome { ref transcript, frames, cpu, .. } = outcome;
        let (cpu_s, wall_s) = (seconds(cpu), seconds(start.elapsed()));
        line(&mut out, &Summary { transcript, frames, cpu_s, wall_s })
    } else if outcome.frames > 0 {
        writeln!(out, "{}", outcome.transcript)
    } else {
        Ok(())
    };
    let written = written.and_then(|()| out.flush()).map_err(ReadError::from);
    if let Some(interval) = outcome.too_slow {
        eprintln!(
            "clip {}: it gives {:.0} pictures a second and the model needs {:.0}, so signs are \
             missing; record it at a higher rate",
            args.clip.display(),
            1.0 / interval.as_secs_f64(),
            1.0 / chain.period().as_secs_f64()
        );
    }
    match result.and(written) {
        Ok(()) => Ok(()),
        // As in `signpost read --json CLIP | head`: the reader has what it wanted.
        Err(ReadError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error @ ReadError::Runtime(_)) => Err(error).or_exit(Exit::Model),
        Err(error) => Err(error).or_exit(Exit::Camera),
    }
}

/// The whole recognition with the configured models on one thread; `bundle` replaces the
/// configured one.
///
/// # Errors
/// As [`Models::load`] and [`Chain::new`].
pub fn chain(settings: &config::Model, bundle: Option<PathBuf>) -> Result<Chain, ModelError> {
    let mut settings = settings.clone();
    settings.bundle = bundle.unwrap_or(settings.bundle);
    let models = Models::load(&Places::of_this_machine(), &settings, THREADS)?;
    Chain::new(models, MAX_HANDS)
}

/// Reads `clip` to its end, telling `each` of every frame. What was read before an error
/// stands in `outcome`.
///
/// # Errors
/// [`ReadError`] of the clip, the models or `each`.
pub fn read_clip(
    clip: &mut Clip,
    chain: &mut Chain,
    outcome: &mut Outcome,
    mut each: impl FnMut(Duration, &Reading) -> io::Result<()>,
) -> Result<(), ReadError> {
    // A line waits for the next one: what the clip's end commits belongs to its last frame.
    let mut last: Option<(Duration, Reading)> = None;
    let result = loop {
        let picture = match clip.next_picture() {
            Ok(Some(picture)) => picture,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error.into()),
        };
        let before = thread_cpu();
        clip.view(&picture, |frame| chain.read(frame, picture.at).map(|_| ()))??;
        outcome.cpu += thread_cpu().saturating_sub(before);
        outcome.frames = clip.frames();
        let reading = chain.reading().clone();
        outcome.add(reading.committed, chain.names());
        outcome.too_slow = reading.too_slow.or(outcome.too_slow);
        if let Some((at, reading)) = last.replace((picture.at, reading)) {
            each(at, &reading)?;
        }
    };
    let ended = chain.flush();
    outcome.add(ended, chain.names());
    if let Some((at, mut reading)) = last {
        reading.committed = reading.committed.or(ended);
        each(at, &reading)?;
    }
    // The space after a clip's last word separates it from nothing.
    outcome.transcript.truncate(outcome.transcript.trim_end().len());
    result
}

/// CPU time of this thread so far.
fn thread_cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// To a tenth of a millisecond.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e4).round() / 1e4
}

fn line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}
