//! `signpost bench`: how fast this device recognises, as a table.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::clip::Clip;
use super::exit::{Exit, Failure, OrExit};
use super::read::{self, Outcome, ReadError};
use super::{BenchArgs, bench_live};
use crate::cascade::MAX_HANDS;
use crate::config::{self, Config};
use crate::model::{Bundle, ModelError, Models, Places, Wanted};
use crate::recognition::{Chain, Reading, exchange};
use crate::runtime::{Interpreter, RuntimeError};

/// Runs of one model alone: the median of 200 repeats to 1 % on a quiet machine.
const RUNS: usize = 200;
/// Runs before that, not counted: memory is touched, frequencies rise.
const WARM_UP: usize = 20;

/// Numbers of threads that are compared; the models' own threads spin, so more than the
/// smallest board's cores say nothing of a device.
const THREADS: [usize; 2] = [1, 2];

/// One row: what was measured, how often, and its spread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// Threads of each model.
    pub threads: usize,
    /// How often.
    pub samples: usize,
    /// Half took at most this long.
    pub median_ms: f64,
    /// 19 of 20 took at most this long.
    pub p95_ms: f64,
    /// How much of the baseline's median that is; none without a baseline.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ratio: Option<f64>,
}

impl Row {
    /// A row over `times`; zeros if there are none.
    pub fn new(name: &str, threads: usize, mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |share: f64| {
            let index = (share * times.len() as f64) as usize;
            let time = times.get(index.min(times.len().saturating_sub(1)));
            (time.copied().unwrap_or_default().as_secs_f64() * 1e6).round() / 1e3
        };
        let (samples, median_ms, p95_ms) = (times.len(), at(0.5), at(0.95));
        Self { name: name.to_owned(), threads, samples, median_ms, p95_ms, ratio: None }
    }
}

/// Everything that was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Name and version of the bundle.
    pub model: String,
    /// In the order of the table.
    pub rows: Vec<Row>,
    /// Frames that recognition could read in a second, by threads.
    pub results_per_s: BTreeMap<usize, f64>,
    /// Resident memory at the end, and at most, in MB; absent where it cannot be read.
    #[serde(default)]
    pub memory_mb: Option<[f64; 2]>,
}

impl Table {
    /// For people.
    pub fn text(&self) -> String {
        let compared = self.rows.iter().any(|row| row.ratio.is_some());
        let last = if compared { format!("{:>10}", "ratio") } else { String::new() };
        let mut text = format!(
            "{:<34}{:>8}{:>8}{:>12}{:>12}{last}\n",
            self.model, "threads", "samples", "median ms", "p95 ms"
        );
        for Row { name, threads, samples, median_ms, p95_ms, ratio } in &self.rows {
            let ratio = match ratio {
                Some(ratio) => format!("{ratio:>10.2}"),
                None if compared => format!("{:>10}", "-"),
                None => String::new(),
            };
            text += &format!(
                "{name:<34}{threads:>8}{samples:>8}{median_ms:>12.3}{p95_ms:>12.3}{ratio}\n"
            );
        }
        for (threads, rate) in &self.results_per_s {
            let name = "results a second, at most";
            text += &format!("{name:<34}{threads:>8}{:>8}{rate:>12.1}\n", "");
        }
        if let Some([resident, most]) = self.memory_mb {
            text += &format!("memory: {resident:.0} MB, at most {most:.0} MB\n");
        }
        text
    }

    /// Puts to each row how much it is of the baseline's, which is the same model's.
    pub fn compare(&mut self, baseline: &Self) {
        for row in &mut self.rows {
            let same = |other: &&Row| other.name == row.name && other.threads == row.threads;
            let before = baseline.rows.iter().find(same).map(|other| other.median_ms);
            let ratio = before.filter(|before| *before > 0.0).map(|before| row.median_ms / before);
            row.ratio = ratio.map(|ratio| (ratio * 1e3).round() / 1e3);
        }
    }
}

/// Runs the subcommand: the models alone and the whole recognition over a clip, on one thread
/// and on two, then the appliance live on that clip.
///
/// # Errors
/// A [`Failure`] with exit code 2 for the baseline, 4 for the clip and 5 for the models.
pub fn bench(args: &BenchArgs, config: &Config) -> Result<(), Failure> {
    gstreamer::init().or_exit(Exit::Camera)?;
    let mut config = config.clone();
    config.model = exchange::active(&config.model, config.state_dir());
    let bundle = bundle(&config.model).or_exit(Exit::Model)?;
    let clip = args.clip.clone().unwrap_or_else(|| bundle.golden_clip());
    let mut table = Table { model: bundle.title(), ..Table::default() };
    let baseline = args.baseline.as_deref().map(|file| read_baseline(file, &table.model));
    let baseline = baseline.transpose().or_exit(Exit::Usage)?;
    for threads in THREADS {
        let settings = config::Model { threads, ..config.model.clone() };
        models(&settings, &mut table).or_exit(Exit::Model)?;
        cascade(&settings, &clip, &mut table)?;
    }
    table.rows.extend(bench_live::rows(&config, &clip)?);
    table.memory_mb = memory();
    if let Some(baseline) = &baseline {
        table.compare(baseline);
    }
    let json = serde_json::to_string(&table).expect("a table of names and numbers is JSON");
    if let Some(file) = &args.save {
        let saved = std::fs::write(file, &json);
        saved.with_context(|| file.display().to_string()).or_exit(Exit::Usage)?;
    }
    if args.json {
        println!("{json}");
    } else {
        print!("{}", table.text());
    }
    Ok(())
}

/// What was saved of the model that is measured.
fn read_baseline(file: &Path, model: &str) -> anyhow::Result<Table> {
    let name = || file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(name)?;
    let hint = "this is no baseline; `signpost bench --save FILE` makes one";
    let saved: Table = serde_json::from_str(&text).context(hint).with_context(name)?;
    let theirs = &saved.model;
    anyhow::ensure!(theirs == model, "the baseline is of {theirs}, and {model} is measured");
    Ok(saved)
}

fn memory() -> Option<[f64; 2]> {
    let status = procfs::process::Process::myself().ok()?.status().ok()?;
    Some([status.vmrss?, status.vmhwm?].map(|kib| (kib as f64 / 102.4).round() / 10.0))
}

/// The configured bundle.
fn bundle(settings: &config::Model) -> Result<Bundle, ModelError> {
    Bundle::open(&Places::of_this_machine().find(Wanted::Bundle, &settings.bundle)?)
}

/// Each model alone.
fn models(settings: &config::Model, table: &mut Table) -> Result<(), ModelError> {
    let threads = settings.threads;
    let Models { mut hands, mut model, bundle } =
        Models::load(&Places::of_this_machine(), settings, threads)?;
    if let Some(hands) = &mut hands {
        table.rows.push(Row::new("palm model", threads, run_often(hands.palm.as_mut())?));
        table.rows.push(Row::new("landmark model", threads, run_often(hands.landmark.as_mut())?));
    }
    // A bundle may want fewer, and has been measured with those.
    let wanted = bundle.manifest.threads.is_none_or(|most| threads <= most);
    if let Some(model) = model.as_mut().filter(|_| wanted) {
        let times = run_often(model.interpreter())?;
        table.rows.push(Row::new("the bundle's model", threads, times));
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
    let chain = models.and_then(|models| Chain::new(models, MAX_HANDS));
    let mut chain = chain.or_exit(Exit::Model)?;
    let mut clip = Clip::open(clip, None).or_exit(Exit::Camera)?;
    let mut stages = Stages::default();
    let result = read::read_clip(&mut clip, &mut chain, &mut Outcome::default(), |_, reading| {
        stages.add(reading);
        Ok(())
    });
    match result {
        Ok(()) => {
            table.results_per_s.insert(settings.threads, stages.per_second());
            table.rows.extend(stages.rows(settings.threads));
        }
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
    preparing: Vec<Duration>,
    classifying: Vec<Duration>,
    all: Vec<Duration>,
    answered: usize,
}

impl Stages {
    fn add(&mut self, reading: &Reading) {
        let time = |milliseconds: f32| Duration::from_secs_f32(milliseconds.max(0.0) / 1e3);
        let timing = &reading.timing_ms;
        let cascade = time(timing.detect + timing.landmarks);
        if timing.detect > 0.0 {
            self.searching.push(cascade);
        } else if timing.landmarks > 0.0 {
            self.tracking.push(cascade);
        }
        if timing.prepare > 0.0 {
            self.preparing.push(time(timing.prepare));
        }
        if reading.answered && timing.classify > 0.0 {
            self.classifying.push(time(timing.classify));
        }
        self.answered += usize::from(reading.answered);
        self.all.push(cascade + time(timing.prepare + timing.classify));
    }

    fn per_second(&self) -> f64 {
        let time: Duration = self.all.iter().sum();
        let rate = self.answered as f64 / time.as_secs_f64().max(1e-9);
        (rate * 10.0).round() / 10.0
    }

    fn rows(self, threads: usize) -> impl Iterator<Item = Row> {
        let rows = [
            ("cascade, frame that is tracked", self.tracking),
            ("cascade, frame that is searched", self.searching),
            ("picture for the model", self.preparing),
            ("window and model", self.classifying),
            ("recognition, every frame", self.all),
        ];
        let rows = rows.map(|(name, times)| Row::new(name, threads, times));
        // What the task does not do is left out.
        rows.into_iter().filter(|row| row.samples > 0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_row_tells_median_and_95th_percentile() {
        let times = (1..=100).rev().map(Duration::from_millis).collect();
        let row = Row::new("x", 1, times);
        assert_eq!((row.samples, row.median_ms, row.p95_ms), (100, 51.0, 96.0));
    }

    #[test]
    fn a_row_without_samples_is_zero() {
        let row = Row::new("x", 1, Vec::new());
        assert_eq!((row.samples, row.median_ms, row.p95_ms), (0, 0.0, 0.0));
    }

    fn table(median_ms: f64) -> Table {
        let time = Duration::from_secs_f64(median_ms / 1e3);
        let rows = vec![Row::new("palm model", 1, vec![time; 3])];
        Table { model: "m 1".into(), rows, ..Table::default() }
    }

    #[test]
    fn the_table_is_aligned() {
        let mut table = table(8.7);
        table.results_per_s.insert(1, 88.5);
        let text = table.text();
        let [head, line, rate] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
        assert_eq!(head.len(), line.len());
        assert!(line.ends_with("8.700       8.700"), "{line}");
        assert!(rate.ends_with("88.5"), "{rate}");
    }

    #[test]
    fn a_baseline_is_compared_by_ratio() {
        let mut now = table(8.0);
        now.rows.push(Row::new("new", 1, vec![Duration::from_millis(1)]));
        now.compare(&table(10.0));
        assert_eq!([now.rows[0].ratio, now.rows[1].ratio], [Some(0.8), None]);
        let text = now.text();
        assert!(text.contains("0.80\n") && text.contains("-\n"), "{text}");
        let stored: Table = serde_json::from_str(&serde_json::to_string(&now).unwrap()).unwrap();
        assert_eq!(stored, now);
    }

    #[test]
    fn a_baseline_is_of_the_model_that_is_measured() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = |model: &str| read_baseline(file.path(), model).map_err(|it| format!("{it:#}"));
        assert!(read("m 1").unwrap_err().contains("signpost bench --save"));
        std::fs::write(file.path(), serde_json::to_string(&table(1.0)).unwrap()).unwrap();
        assert_eq!(read("m 1"), Ok(table(1.0)));
        assert_eq!(read("n 1").unwrap_err(), "the baseline is of m 1, and n 1 is measured");
    }
}
