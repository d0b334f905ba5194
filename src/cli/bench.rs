//! `signpost bench`: how fast this device recognises, as a table.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::clip::Clip;
use super::exit::{Exit, Failure, OrExit};
use super::read::{self, Outcome, ReadError};
use super::{BenchArgs, bench_live};
use crate::cascade::MAX_HANDS;
use crate::config::{self, Config};
use crate::model::{Bundle, ModelError, Models, Places, Wanted};
use crate::recognition::{Chain, Reading};
use crate::runtime::{Interpreter, RuntimeError};

/// Runs of one model alone: the median of 200 repeats to 1 % on a quiet machine.
const RUNS: usize = 200;
/// Runs before that, not counted: memory is touched, frequencies rise.
const WARM_UP: usize = 20;

/// One row: what was measured, how often, and its spread.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// What was measured.
    pub name: &'static str,
    /// How often.
    pub samples: usize,
    /// Half took at most this long.
    pub median_ms: f64,
    /// 19 of 20 took at most this long.
    pub p95_ms: f64,
}

impl Row {
    /// A row over `times`; zeros if there are none.
    pub fn new(name: &'static str, mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |share: f64| {
            let index = (share * times.len() as f64) as usize;
            let time = times.get(index.min(times.len().saturating_sub(1)));
            (time.copied().unwrap_or_default().as_secs_f64() * 1e6).round() / 1e3
        };
        Self { name, samples: times.len(), median_ms: at(0.5), p95_ms: at(0.95) }
    }
}

/// Everything that was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Table {
    /// In the order of the table.
    pub rows: Vec<Row>,
}

impl Table {
    /// For people.
    pub fn text(&self) -> String {
        let mut text = format!("{:<34}{:>8}{:>12}{:>12}\n", "", "samples", "median ms", "p95 ms");
        for Row { name, samples, median_ms, p95_ms } in &self.rows {
            text += &format!("{name:<34}{samples:>8}{median_ms:>12.3}{p95_ms:>12.3}\n");
        }
        text
    }
}

/// Runs the subcommand: the models alone, the whole recognition over a clip, then the appliance
/// live on that clip.
///
/// # Errors
/// A [`Failure`] with exit code 4 for the clip and 5 for the models.
pub fn bench(args: &BenchArgs, config: &Config) -> Result<(), Failure> {
    gstreamer::init().or_exit(Exit::Camera)?;
    let settings = &config.model;
    let clip = match &args.clip {
        Some(clip) => clip.clone(),
        None => golden(settings).or_exit(Exit::Model)?,
    };
    let mut table = Table::default();
    models(settings, &mut table).or_exit(Exit::Model)?;
    cascade(settings, &clip, &mut table)?;
    table.rows.extend(bench_live::rows(config, &clip)?);
    if args.json {
        let json = serde_json::to_string(&table).expect("a table of names and numbers is JSON");
        println!("{json}");
    } else {
        print!("{}", table.text());
    }
    Ok(())
}

/// The configured bundle's own clip.
fn golden(settings: &config::Model) -> Result<PathBuf, ModelError> {
    let folder = Places::of_this_machine().find(Wanted::Bundle, &settings.bundle)?;
    let bundle = Bundle::open(&folder)?;
    let none = || ModelError::Manifest {
        path: folder.clone(),
        problems: vec!["it has no golden clip to measure with; name one: --clip FILE".to_owned()],
    };
    let golden = bundle.manifest.golden.as_ref().ok_or_else(none)?;
    Ok(folder.join(&golden.clip))
}

/// Each model alone, with the configured number of threads.
fn models(settings: &config::Model, table: &mut Table) -> Result<(), ModelError> {
    let Models { mut hands, mut classifier, .. } =
        Models::load(&Places::of_this_machine(), settings, settings.threads)?;
    let models = [
        ("palm model", &mut hands.palm),
        ("landmark model", &mut hands.landmark),
        ("classifier", &mut classifier),
    ];
    for (name, model) in models {
        table.rows.push(Row::new(name, run_often(model.as_mut())?));
    }
    Ok(())
}

fn run_often(model: &mut dyn Interpreter) -> Result<Vec<Duration>, RuntimeError> {
    let zeros = |tensors: &[crate::runtime::TensorSpec]| {
        tensors.iter().map(|tensor| vec![0.0; tensor.len()]).collect::<Vec<_>>()
    };
    let inputs = zeros(model.inputs());
    let mut outputs = zeros(model.outputs());
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let mut outputs: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
    let mut times = Vec::with_capacity(RUNS);
    for run in 0..WARM_UP + RUNS {
        let start = Instant::now();
        model.run(&inputs, &mut outputs)?;
        if run >= WARM_UP {
            times.push(start.elapsed());
        }
    }
    Ok(times)
}

/// The whole chain over a clip, as the live recognition runs it.
fn cascade(settings: &config::Model, clip: &Path, table: &mut Table) -> Result<(), Failure> {
    let models = Models::load(&Places::of_this_machine(), settings, settings.threads);
    let mut chain = models.and_then(|models| Chain::new(models, MAX_HANDS)).or_exit(Exit::Model)?;
    let mut clip = Clip::open(clip, None).or_exit(Exit::Camera)?;
    let mut stages = Stages::default();
    let result = read::read_clip(&mut clip, &mut chain, &mut Outcome::default(), |_, reading| {
        stages.add(reading);
        Ok(())
    });
    match result {
        Ok(()) => table.rows.extend(stages.rows()),
        Err(error @ ReadError::Runtime(_)) => return Err(error).or_exit(Exit::Model),
        Err(error) => return Err(error).or_exit(Exit::Camera),
    }
    Ok(())
}

/// Times of a clip's frames by what was done in them.
#[derive(Default)]
struct Stages {
    searching: Vec<Duration>,
    tracking: Vec<Duration>,
    classifying: Vec<Duration>,
    all: Vec<Duration>,
}

impl Stages {
    fn add(&mut self, reading: &Reading) {
        let time = |milliseconds: f32| Duration::from_secs_f32(milliseconds.max(0.0) / 1e3);
        let timing = &reading.timing_ms;
        let cascade = time(timing.detect + timing.landmarks);
        if timing.detect > 0.0 {
            self.searching.push(cascade);
        } else {
            self.tracking.push(cascade);
        }
        if !reading.top.is_empty() {
            self.classifying.push(time(timing.classify));
        }
        self.all.push(cascade + time(timing.classify));
    }

    fn rows(self) -> [Row; 4] {
        [
            Row::new("cascade, frame that is tracked", self.tracking),
            Row::new("cascade, frame that is searched", self.searching),
            Row::new("window and classifier", self.classifying),
            Row::new("recognition, every frame", self.all),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_tells_median_and_95th_percentile() {
        let times = (1..=100).rev().map(Duration::from_millis).collect();
        let row = Row::new("x", times);
        assert_eq!((row.samples, row.median_ms, row.p95_ms), (100, 51.0, 96.0));
    }

    #[test]
    fn a_row_without_samples_is_zero() {
        let row = Row::new("x", Vec::new());
        assert_eq!((row.samples, row.median_ms, row.p95_ms), (0, 0.0, 0.0));
    }

    #[test]
    fn the_table_is_aligned() {
        let row = Row { name: "palm model", samples: 200, median_ms: 8.7, p95_ms: 9.25 };
        let text = Table { rows: vec![row] }.text();
        let [head, line] = text.lines().collect::<Vec<_>>()[..] else { panic!("two lines") };
        assert_eq!(head.len(), line.len());
        assert!(line.ends_with("8.700       9.250"), "{line}");
    }
}
