//! From the manifest as it is written to what can be run: all problems are told at once.

use std::ops::RangeInclusive;
use std::path::{Component, Path};

use super::raw::{self, Colour, Frames, Numbers};
use super::{
    Activation, Anchors, Boxes, Classify, Detect, ELEMENT_VALUES, FORMAT, Golden, HandSign,
    Judging, Layer, Layout, Manifest, Model, Picture, Place, Task, Tensor, Window,
};

/// Longest name: it is a folder's, and stands in addresses and on the page.
const MAX_NAME: usize = 64;
const MAX_VERSION: usize = 32;
const MAX_LICENCE: usize = 200;
/// Files of a bundle: a model, labels, a clip, what is expected, a card and some more.
const MAX_FILES: usize = 64;
/// Threads that a bundle may ask for: no device of the kind has more cores.
const THREADS: RangeInclusive<usize> = 1..=8;
/// Most elements of a window: 4 s at 30 Hz, beyond any sign's length.
const MAX_FRAMES: usize = 120;
/// Rates in Hz at which a camera can be sampled.
const RATES: RangeInclusive<f64> = 1.0..=60.0;
/// Largest side of a picture for a model, in pixels.
const MAX_SIDE: usize = 1024;
/// Most values of one tensor: 64 MB as float32, a third of the memory budget.
const MAX_VALUES: usize = 1 << 24;
/// Most bytes of the pictures that a window keeps, which are up to four times as many as it
/// gives.
const MAX_WINDOW_BYTES: usize = 128 << 20;
/// `input.mean` and `input.std` that make numbers of codes which a float32 holds exactly enough.
const FARTHEST: f32 = 1e6;
const NEAREST: f32 = 1e-3;
/// Most anchors of a detector: 640 x 640 with strides from 8 on and 6 boxes a cell are half of it.
const MAX_ANCHORS: usize = 1 << 16;
/// Threshold of a manifest that names none.
const THRESHOLD: f32 = 0.5;
/// Overlap of a manifest that names none.
const OVERLAP: f32 = 0.5;

pub(super) fn check(raw: raw::Manifest) -> Result<Manifest, Vec<String>> {
    if raw.format != FORMAT {
        // The rest may mean something else in it.
        return Err(vec![format!("format = {}: must be {FORMAT}", raw.format)]);
    }
    let mut check = Check { problems: Vec::new() };
    check.names(&raw);
    check.files(&raw);
    let golden = Golden { clip: raw.golden.clip.clone(), expected: raw.golden.expected.clone() };
    let (name, version, licence) = (raw.name.clone(), raw.version.clone(), raw.licence.clone());
    let (threads, files) = (raw.threads, raw.files.clone());
    let task = check.task(raw);
    match task {
        Some(task) if check.problems.is_empty() => {
            Ok(Manifest { name, version, licence, task, threads, golden, files })
        }
        _ => Err(check.problems),
    }
}

/// Whether `file` is a plain name in a folder.
pub(in crate::model) fn is_plain(file: &str) -> bool {
    let mut components = Path::new(file).components();
    matches!(components.next(), Some(Component::Normal(name)) if name == file)
        && components.next().is_none()
        && !file.chars().any(char::is_control)
}

fn is_name(text: &str) -> bool {
    let inner = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    first && text.len() <= MAX_NAME && text.bytes().all(inner)
}

fn is_line(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

struct Check {
    problems: Vec<String>,
}

impl Check {
    fn tell(&mut self, problem: String) {
        self.problems.push(problem);
    }

    fn hold(&mut self, good: bool, problem: impl FnOnce() -> String) {
        if !good {
            self.tell(problem());
        }
    }

    /// A table that the task needs.
    fn need<T>(&mut self, table: &str, given: Option<T>, task: raw::Task) -> Option<T> {
        self.hold(given.is_some(), || {
            format!("[{table}] is missing: task = {:?} needs it", name(task))
        });
        given
    }

    /// A table that the task does not read.
    fn spare<T>(&mut self, table: &str, given: Option<T>, task: raw::Task) {
        self.hold(given.is_none(), || format!("{table}: task = {:?} does not read it", name(task)));
    }

    fn names(&mut self, raw: &raw::Manifest) {
        let raw::Manifest { name, version, licence, threads, .. } = raw;
        self.hold(is_name(name), || {
            format!("name = {name:?}: must be 1 to {MAX_NAME} of a-z, 0-9, '.', '_' and '-', the first a letter or digit")
        });
        for (key, text, most) in
            [("version", version, MAX_VERSION), ("licence", licence, MAX_LICENCE)]
        {
            self.hold(is_line(text, most), || {
                format!("{key} = {text:?}: must be 1 to {most} printable characters")
            });
        }
        if let Some(threads) = *threads {
            self.hold(THREADS.contains(&threads), || {
                format!("threads = {threads}: must be {} to {}", THREADS.start(), THREADS.end())
            });
        }
    }

    /// Sums, and that each file that is named has one.
    fn files(&mut self, raw: &raw::Manifest) {
        self.hold(raw.files.len() <= MAX_FILES, || {
            format!("[files] has {} files: at most {MAX_FILES} are allowed", raw.files.len())
        });
        for (file, sum) in &raw.files {
            self.hold(is_plain(file) && file != super::FILE, || {
                format!("files.{file:?}: must be a file name in the bundle's folder, and not the manifest's")
            });
            let hexadecimal = sum.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            self.hold(sum.len() == 64 && hexadecimal, || {
                format!("files.{file:?} = {sum:?}: must be 64 digits 0-9 a-f, the file's sha256")
            });
        }
        let model = raw.model.as_ref().map(|model| ("model.file", &model.file));
        let labels = raw.output.as_ref().map(|output| ("output.labels", &output.labels));
        let golden = [("golden.clip", &raw.golden.clip), ("golden.expected", &raw.golden.expected)];
        for (key, file) in golden.into_iter().chain(model).chain(labels) {
            self.hold(raw.files.contains_key(file), || {
                format!("{key} = {file:?}: has no checksum in [files]")
            });
        }
    }

    fn task(&mut self, raw: raw::Manifest) -> Option<Task> {
        use raw::Task as Named;
        let task = raw.task;
        if task == Named::HandLandmarks {
            self.spare("[model]", raw.model, task);
            self.spare("[input]", raw.input, task);
            self.spare("[output]", raw.output, task);
            self.spare("[window]", raw.window, task);
            self.spare("[anchors]", raw.anchors, task);
            self.spare("[stabiliser]", raw.stabiliser, task);
            return Some(Task::HandLandmarks);
        }
        let file = self.need("model", raw.model, task).map(|model| model.file);
        let input = self.need("input", raw.input, task);
        let output = self.need("output", raw.output, task);
        let window = match task {
            Named::ClassifyWindow | Named::HandSign => self.need("window", raw.window, task),
            _ => {
                self.spare("[window]", raw.window, task);
                None
            }
        };
        let window = window.and_then(|window| self.window(window));
        if task != Named::Detect {
            self.spare("[anchors]", raw.anchors.as_ref(), task);
        }
        let (file, input, mut output) = (file?, input?, output?);
        let boxes = [
            ("boxes", output.boxes.take()),
            ("classes", output.classes.take()),
            ("count", output.count.take()),
        ];
        let judging = self.judging(&mut output);
        let model = |input: &raw::Input| Model {
            file: file.clone(),
            input: Tensor { place: Place::Index(0), shape: input.shape.clone(), kind: input.kind },
        };
        self.volume("input.shape", &input.shape);
        match task {
            Named::Classify | Named::ClassifyWindow => {
                let window = match task {
                    Named::ClassifyWindow => Some((window?, layout(&input))),
                    _ => {
                        self.spare("input.frames", input.frames.map(|_| ()), task);
                        None
                    }
                };
                let picture = self.picture(&input, window);
                self.no_boxes(boxes, task);
                let scores = self.scores(output.scores);
                Some(Task::Classify(Classify {
                    model: model(&input),
                    picture: picture?,
                    window,
                    scores,
                    judging,
                    stabiliser: raw.stabiliser.unwrap_or_default(),
                }))
            }
            Named::HandSign => {
                self.no_picture(&input, task);
                self.no_boxes(boxes, task);
                let window = window?;
                let expected = [1, window.frames, ELEMENT_VALUES];
                self.hold(input.shape == expected, || {
                    format!("input.shape = {:?}: must be {expected:?}, [1, window.frames, {ELEMENT_VALUES}]", input.shape)
                });
                let scores = self.scores(output.scores);
                let stabiliser = raw.stabiliser.unwrap_or_default();
                Some(Task::HandSign(HandSign {
                    model: model(&input),
                    window,
                    scores,
                    judging,
                    stabiliser,
                }))
            }
            Named::Detect => {
                self.spare("[stabiliser]", raw.stabiliser, task);
                self.spare("input.frames", input.frames.map(|_| ()), task);
                let picture = self.picture(&input, None);
                let boxes = match raw.anchors {
                    Some(anchors) => self.anchored(anchors, output.scores, boxes),
                    None => self.ssd(output.scores, boxes),
                };
                let softmax = judging.activation == Activation::Softmax;
                let alone = match &boxes {
                    Some(Boxes::Ssd { .. }) => true,
                    Some(Boxes::Anchors { scores, .. }) => scores.shape.last() == Some(&1),
                    None => false,
                };
                self.hold(!(softmax && alone), || {
                    "output.activation = \"softmax\": a score that stands alone would always be 1"
                        .to_owned()
                });
                let (model, picture, boxes) = (model(&input), picture?, boxes?);
                Some(Task::Detect(Detect { model, picture, boxes, judging }))
            }
            Named::HandLandmarks => Some(Task::HandLandmarks),
        }
    }

    fn window(&mut self, raw: raw::Window) -> Option<Window> {
        let raw::Window { frames, rate_hz, hop } = raw;
        let before = self.problems.len();
        self.hold((1..=MAX_FRAMES).contains(&frames), || {
            format!("window.frames = {frames}: must be 1 to {MAX_FRAMES}")
        });
        self.hold(RATES.contains(&rate_hz), || {
            format!("window.rate_hz = {rate_hz}: must be {} to {}", RATES.start(), RATES.end())
        });
        self.hold(hop.is_none_or(|hop| (1..=MAX_FRAMES).contains(&hop)), || {
            format!("window.hop = {}: must be 1 to {MAX_FRAMES}", hop.unwrap_or_default())
        });
        (self.problems.len() == before).then_some(Window { frames, rate_hz, hop })
    }

    fn picture(&mut self, input: &raw::Input, window: Option<(Window, Layout)>) -> Option<Picture> {
        let missing = [
            ("colour", input.colour.is_none()),
            ("mean", input.mean.is_none()),
            ("std", input.std.is_none()),
            ("resize", input.resize.is_none()),
        ];
        for (key, _) in missing.into_iter().filter(|(_, missing)| *missing) {
            self.tell(format!("input.{key} is missing: a model of pictures needs it"));
        }
        let (colour, resize) = (input.colour?, input.resize?);
        let mean = self.numbers("mean", input.mean.as_ref()?, colour);
        let std = self.numbers("std", input.std.as_ref()?, colour);
        self.hold(mean.is_none_or(|mean| mean.iter().all(|value| value.abs() <= FARTHEST)), || {
            format!("input.mean: must be from -{FARTHEST} to {FARTHEST}")
        });
        self.hold(std.is_none_or(|std| std.iter().all(|value| value.abs() >= NEAREST)), || {
            format!("input.std: must not be 0, nor nearer to it than {NEAREST}")
        });
        let channels = colour.channels();
        let shape = &input.shape;
        let (sides, form) = match (window, &shape[..]) {
            (None, &[1, height, width, c]) => {
                ((c == channels).then_some([height, width]), "[1, height, width, channels]")
            }
            (None, _) => (None, "[1, height, width, channels]"),
            (Some((window, Layout::Time)), &[1, t, height, width, c]) => (
                (t == window.frames && c == channels).then_some([height, width]),
                "[1, window.frames, height, width, channels]",
            ),
            (Some((_, Layout::Time)), _) => (None, "[1, window.frames, height, width, channels]"),
            (Some((window, Layout::Channels)), &[1, height, width, c]) => (
                (c == window.frames * channels).then_some([height, width]),
                "[1, height, width, window.frames * channels]",
            ),
            (Some((_, Layout::Channels)), _) => {
                (None, "[1, height, width, window.frames * channels]")
            }
        };
        let bounds = 1..=MAX_SIDE;
        let sides = sides.filter(|sides| sides.iter().all(|side| bounds.contains(side)));
        self.hold(sides.is_some(), || {
            format!("input.shape = {shape:?}: must be {form} with {channels} channels and sides of 1 to {MAX_SIDE}")
        });
        let [height, width] = sides?;
        if let Some((window, _)) = window {
            let bytes = window.frames * 4 * height * width * channels * size_of::<f32>();
            self.hold(bytes <= MAX_WINDOW_BYTES, || {
                format!(
                    "input.shape = {shape:?}: a window of {} such pictures takes {} MiB, and at most {} are allowed",
                    window.frames,
                    bytes.div_ceil(1 << 20),
                    MAX_WINDOW_BYTES >> 20
                )
            });
        }
        Some(Picture { width, height, colour, mean: mean?, std: std?, resize })
    }

    fn numbers(&mut self, key: &str, given: &Numbers, colour: Colour) -> Option<[f32; 3]> {
        let channels = colour.channels();
        let numbers = match given {
            Numbers::All(number) => Some([*number; 3]),
            Numbers::Each(numbers) if numbers.len() == channels => {
                Some(std::array::from_fn(|channel| numbers[channel % channels]))
            }
            Numbers::Each(_) => None,
        };
        let good = numbers.filter(|numbers| numbers.iter().all(|number| number.is_finite()));
        self.hold(good.is_some(), || {
            format!("input.{key}: must be a number, or {channels} of them")
        });
        good
    }

    fn no_picture(&mut self, input: &raw::Input, task: raw::Task) {
        self.spare("input.colour", input.colour, task);
        self.spare("input.mean", input.mean.as_ref(), task);
        self.spare("input.std", input.std.as_ref(), task);
        self.spare("input.resize", input.resize, task);
        self.spare("input.frames", input.frames.map(|_| ()), task);
    }

    fn no_boxes(&mut self, boxes: [(&str, Option<raw::Tensor>); 3], task: raw::Task) {
        for (key, tensor) in boxes {
            self.spare(&format!("output.{key}"), tensor, task);
        }
    }

    fn judging(&mut self, output: &mut raw::Output) -> Judging {
        let thresholds = std::mem::take(&mut output.thresholds);
        let threshold = output.threshold.unwrap_or(THRESHOLD);
        let all = thresholds.iter().map(|(label, value)| (format!("thresholds.{label:?}"), *value));
        for (key, value) in all.chain([("threshold".to_owned(), threshold)]) {
            self.hold((0.0..=1.0).contains(&value), || {
                format!("output.{key} = {value}: must be 0 to 1")
            });
        }
        Judging {
            labels: std::mem::take(&mut output.labels),
            activation: output.activation.unwrap_or(Activation::None),
            threshold,
            thresholds,
        }
    }

    /// A tensor with one score a label.
    fn scores(&mut self, raw: raw::Tensor) -> Tensor {
        self.tensor(
            "scores",
            raw,
            0,
            "[1, labels]",
            |shape| matches!(*shape, [1, labels] if labels > 0),
        )
    }

    fn tensor(
        &mut self,
        key: &str,
        raw: raw::Tensor,
        index: usize,
        form: &str,
        fits: impl FnOnce(&[usize]) -> bool,
    ) -> Tensor {
        let raw::Tensor { name, index: given, shape, kind } = raw;
        self.hold(name.is_none() || given.is_none(), || {
            format!("output.{key}: name and index are given, and one of them is enough")
        });
        if fits(&shape) {
            self.volume(&format!("output.{key}.shape"), &shape);
        } else {
            self.tell(format!("output.{key}.shape = {shape:?}: must be {form}"));
        }
        let place = name.map_or(Place::Index(given.unwrap_or(index)), Place::Name);
        Tensor { place, shape, kind }
    }

    fn volume(&mut self, key: &str, shape: &[usize]) {
        let values = shape.iter().try_fold(1_usize, |values, side| values.checked_mul(*side));
        let good = values.is_some_and(|values| (1..=MAX_VALUES).contains(&values));
        self.hold(good, || format!("{key} = {shape:?}: must have 1 to {MAX_VALUES} values"));
    }

    fn ssd(
        &mut self,
        scores: raw::Tensor,
        [boxes, classes, count]: [(&str, Option<raw::Tensor>); 3],
    ) -> Option<Boxes> {
        let task = raw::Task::Detect;
        let boxes = self.need("output.boxes", boxes.1, task);
        let classes = self.need("output.classes", classes.1, task);
        let count = self.need("output.count", count.1, task);
        let (boxes, classes, count) = (boxes?, classes?, count?);
        let boxes = self.tensor("boxes", boxes, 0, "[1, boxes, 4]", |shape| {
            matches!(*shape, [1, 1..=MAX_ANCHORS, 4])
        });
        let most = boxes.shape.get(1).copied().unwrap_or_default();
        let form = format!("[1, {most}], as many as boxes");
        let one_each = |shape: &[usize]| *shape == [1, most];
        Some(Boxes::Ssd {
            classes: self.tensor("classes", classes, 1, &form, one_each),
            scores: self.tensor("scores", scores, 2, &form, one_each),
            count: self.tensor("count", count, 3, "[1]", |shape| *shape == [1]),
            boxes,
        })
    }

    fn anchored(
        &mut self,
        raw: raw::Anchors,
        scores: raw::Tensor,
        [boxes, classes, count]: [(&str, Option<raw::Tensor>); 3],
    ) -> Option<Boxes> {
        let task = raw::Task::Detect;
        let boxes = self.need("output.boxes", boxes.1, task);
        for (key, tensor) in [classes, count] {
            self.hold(tensor.is_none(), || format!("output.{key}: not read beside [anchors]"));
        }
        let anchors = self.anchors(raw)?;
        let many = anchors.count();
        let form = format!("[1, {many}, 4 or more], a row for each of [anchors]");
        let boxes = self.tensor(
            "boxes",
            boxes?,
            0,
            &form,
            |shape| matches!(*shape, [1, rows, values] if rows == many && values >= 4),
        );
        let form = format!("[1, {many}, labels], a row for each of [anchors]");
        let least = if anchors.background { 2 } else { 1 };
        let scores = self.tensor(
            "scores",
            scores,
            1,
            &form,
            |shape| matches!(*shape, [1, rows, labels] if rows == many && labels >= least),
        );
        Some(Boxes::Anchors { boxes, scores, anchors })
    }

    fn anchors(&mut self, raw: raw::Anchors) -> Option<Anchors> {
        let before = self.problems.len();
        let part = |value: &f32| *value > 0.0 && value.is_finite();
        self.hold(!raw.layers.is_empty(), || "anchors.layers: must have one at least".to_owned());
        let mut many = Some(0_usize);
        for layer in &raw.layers {
            let [rows, columns] = layer.grid;
            let cells = rows.checked_mul(columns).and_then(|c| c.checked_mul(layer.boxes.len()));
            many = many.zip(cells).and_then(|(many, cells)| many.checked_add(cells));
            self.hold(cells.is_some_and(|cells| cells > 0), || {
                format!(
                    "anchors.layers: grid = {:?} with {} boxes has no anchor",
                    layer.grid,
                    layer.boxes.len()
                )
            });
            self.hold(layer.boxes.iter().flatten().all(part), || {
                format!("anchors.layers: boxes = {:?}: sides must be above 0", layer.boxes)
            });
        }
        self.hold(many.is_some_and(|many| many <= MAX_ANCHORS), || {
            format!("anchors.layers: at most {MAX_ANCHORS} anchors are allowed")
        });
        self.hold(raw.scale.iter().all(part), || {
            format!("anchors.scale = {:?}: must be four numbers above 0", raw.scale)
        });
        let overlap = raw.overlap.unwrap_or(OVERLAP);
        self.hold(overlap > 0.0 && overlap <= 1.0, || {
            format!("anchors.overlap = {overlap}: must be above 0 and at most 1")
        });
        let layer = |layer: raw::Layer| Layer { grid: layer.grid, boxes: layer.boxes };
        (self.problems.len() == before).then(|| Anchors {
            layers: raw.layers.into_iter().map(layer).collect(),
            order: raw.order,
            size: raw.size,
            scale: raw.scale,
            background: raw.background.unwrap_or(false),
            overlap,
        })
    }
}

/// Each picture is a whole one unless the manifest says otherwise.
fn layout(input: &raw::Input) -> Layout {
    match input.frames {
        Some(Frames::Channels) => Layout::Channels,
        Some(Frames::Time) | None => Layout::Time,
    }
}

fn name(task: raw::Task) -> &'static str {
    match task {
        raw::Task::Classify => "classify",
        raw::Task::ClassifyWindow => "classify-window",
        raw::Task::Detect => "detect",
        raw::Task::HandLandmarks => "hand-landmarks",
        raw::Task::HandSign => "hand-sign",
    }
}
