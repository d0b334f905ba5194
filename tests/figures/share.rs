//! CPU time of recognition that is not the models' own: sampling, tensors, tracking, window,
//! stabiliser.
//!
//!     cargo bench --bench share [-- CLIP ...]
//!
//! One hand, one thread, decoding left out. The models' time is that of the runtime's calls;
//! handing a tensor over to the runtime counts as ours. The least of several runs counts,
//! because whatever else the machine does only adds.

#![allow(
    clippy::unwrap_used,
    reason = "a program of the tests: a panic with the place is the report"
)]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::settings;
use rustix::time::{ClockId, clock_gettime};
use signpost::cli::clip::Clip;
use signpost::model::{Bundle, HandModels, Loaded, Models, Places, Wanted};
use signpost::recognition::Chain;
use signpost::runtime::{Interpreter, LiteRt, RuntimeError, TensorSpec};

/// Most of recognition's time that may be ours.
const SHARE: f64 = 0.10;
const ROUNDS: usize = 3;
const CLIPS: [&str; 2] = ["hello-world", "pangram"];

/// Nanoseconds of all models together.
#[derive(Default)]
struct Spent {
    /// In their calls, tensors included.
    calls: AtomicU64,
    /// In copies of their tensors that are made only to know what one takes.
    copies: AtomicU64,
}

/// A model whose time is counted.
struct Timed {
    model: Box<dyn Interpreter>,
    spent: Arc<Spent>,
    scratch: Vec<f32>,
}

impl Timed {
    fn around(model: Box<dyn Interpreter>, spent: &Arc<Spent>) -> Box<dyn Interpreter> {
        let most = model.inputs().iter().chain(model.outputs()).map(TensorSpec::len).max();
        let scratch = vec![0.0; most.unwrap_or_default()];
        Box::new(Self { model, spent: Arc::clone(spent), scratch })
    }

    fn copy(&mut self, values: &[f32]) {
        self.scratch[..values.len()].copy_from_slice(values);
        std::hint::black_box(&mut self.scratch);
    }
}

impl Interpreter for Timed {
    fn inputs(&self) -> &[TensorSpec] {
        self.model.inputs()
    }

    fn outputs(&self) -> &[TensorSpec] {
        self.model.outputs()
    }

    fn run(&mut self, inputs: &[&[f32]], outputs: &mut [&mut [f32]]) -> Result<(), RuntimeError> {
        let start = now();
        let done = self.model.run(inputs, outputs);
        let called = now();
        inputs.iter().for_each(|input| self.copy(input));
        outputs.iter().for_each(|output| self.copy(output));
        self.spent.calls.fetch_add(called - start, Ordering::Relaxed);
        self.spent.copies.fetch_add(now() - called, Ordering::Relaxed);
        done
    }
}

fn now() -> u64 {
    let time: Duration = clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap();
    time.as_nanos() as u64
}

fn main() {
    gstreamer::init().unwrap();
    let given: Vec<PathBuf> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).map(PathBuf::from).collect();
    let clips = if given.is_empty() {
        let Some(data) = common::data() else { return };
        CLIPS.map(|name| data.join("clips").join(name).with_extension("mp4")).to_vec()
    } else {
        given
    };
    let mut good = true;
    for clip in clips {
        let runs: Vec<[f64; 2]> = (0..ROUNDS).map(|_| measure(&clip)).collect();
        let [all, models] =
            [0, 1].map(|kind| runs.iter().map(|run| run[kind]).fold(f64::MAX, f64::min));
        let share = 1.0 - models / all;
        println!(
            "{}: {all:.2} ms a frame, the models alone {models:.2}: ours are {:.1} % (goal: at most {:.0} %)",
            clip.file_stem().unwrap().display(),
            share * 100.0,
            SHARE * 100.0
        );
        good &= share <= SHARE;
    }
    std::process::exit(if good { 0 } else { 1 });
}

/// CPU milliseconds of a frame: all of recognition, and the models alone.
fn measure(clip: &Path) -> [f64; 2] {
    let spent = Arc::<Spent>::default();
    let mut chain = Chain::new(models(&spent), 1).unwrap();
    let mut clip = Clip::open(clip, None).unwrap();
    let (mut all, mut frames) = (0, 0.0);
    while let Some(picture) = clip.next_picture().unwrap() {
        clip.view(&picture, |frame| {
            let start = now();
            chain.read(frame, picture.at).unwrap();
            all += now() - start;
        })
        .unwrap();
        frames += 1.0;
    }
    let copies = spent.copies.load(Ordering::Relaxed);
    let models = spent.calls.load(Ordering::Relaxed) - copies;
    [all - copies, models].map(|time| time as f64 / 1e6 / frames)
}

/// The configured bundle on one thread.
fn models(spent: &Arc<Spent>) -> Models {
    let (places, settings) = (Places::of_this_machine(), settings());
    let find = |wanted, at: &PathBuf| places.find(wanted, at).unwrap();
    let runtime = LiteRt::open(&find(Wanted::Runtime, &settings.runtime)).unwrap();
    let bundle = Bundle::open(&find(Wanted::Bundle, &settings.bundle)).unwrap();
    let hands = HandModels::load(&runtime, &find(Wanted::Hands, &settings.hands), 1).unwrap();
    let HandModels { palm, landmark } = hands;
    let hands =
        HandModels { palm: Timed::around(palm, spent), landmark: Timed::around(landmark, spent) };
    let path = bundle.folder.join(&bundle.manifest.model().unwrap().file);
    let model = runtime.load("classifier", std::fs::read(&path).unwrap(), 1).unwrap();
    let model = Loaded::new(&path, Timed::around(Box::new(model), spent), &bundle.manifest.task);
    Models { hands: Some(hands), model: Some(model.unwrap()), bundle }
}
