#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

use proptest::prelude::*;

use super::*;

mod faults;

const SUMS: &str = r#"
[golden]
clip = "golden.mp4"
expected = "expected.json"
[files]
"golden.mp4" = "00000000000000000000000000000000000000000000000000000000000000aa"
"expected.json" = "00000000000000000000000000000000000000000000000000000000000000bb"
"m.tflite" = "00000000000000000000000000000000000000000000000000000000000000cc"
"labels.txt" = "00000000000000000000000000000000000000000000000000000000000000dd"
"#;

pub(crate) const HAND_SIGN: &str = r#"
format = 1
name = "two"
version = "1"
licence = "Apache-2.0"
task = "hand-sign"
[model]
file = "m.tflite"
[input]
shape = [1, 10, 64]
type = "float32"
[window]
frames = 10
rate_hz = 15.0
[output]
labels = "labels.txt"
[output.scores]
shape = [1, 3]
type = "float32"
[stabiliser]
hold_ms = 120
[golden]
clip = "golden.mp4"
expected = "expected.json"
[files]
"golden.mp4" = "00000000000000000000000000000000000000000000000000000000000000aa"
"expected.json" = "00000000000000000000000000000000000000000000000000000000000000bb"
"m.tflite" = "00000000000000000000000000000000000000000000000000000000000000cc"
"labels.txt" = "00000000000000000000000000000000000000000000000000000000000000dd"
"#;

const CLASSIFY: &str = r#"
format = 1
name = "colours"
version = "2.1"
licence = "CC0-1.0"
task = "classify"
threads = 2
[model]
file = "m.tflite"
[input]
shape = [1, 48, 64, 3]
type = "uint8"
colour = "bgr"
mean = [10.0, 20, 30.0]
std = 2
resize = "letterbox"
[output]
labels = "labels.txt"
activation = "softmax"
threshold = 0.6
thresholds = { A = 0.7 }
[output.scores]
name = "probabilities"
shape = [1, 3]
type = "int8"
"#;

const WINDOW: &str = r#"
format = 1
name = "motions"
version = "1"
licence = "CC0-1.0"
task = "classify-window"
[model]
file = "m.tflite"
[input]
shape = [1, 8, 32, 24, 1]
type = "float16"
colour = "grey"
mean = 0
std = 255
resize = "crop"
[window]
frames = 8
rate_hz = 10
hop = 2
[output]
labels = "labels.txt"
[output.scores]
shape = [1, 4]
type = "float32"
"#;

pub(crate) const SSD: &str = r#"
format = 1
name = "boxes"
version = "1"
licence = "CC0-1.0"
task = "detect"
[model]
file = "m.tflite"
[input]
shape = [1, 96, 96, 3]
type = "float32"
colour = "rgb"
mean = 127.5
std = 127.5
resize = "stretch"
[output]
labels = "labels.txt"
[output.boxes]
shape = [1, 10, 4]
type = "float32"
[output.classes]
shape = [1, 10]
type = "float32"
[output.scores]
shape = [1, 10]
type = "float32"
[output.count]
index = 3
shape = [1]
type = "float32"
"#;

pub(crate) const ANCHORS: &str = r#"
format = 1
name = "boxes"
version = "1"
licence = "CC0-1.0"
task = "detect"
[model]
file = "m.tflite"
[input]
shape = [1, 96, 96, 3]
type = "float32"
colour = "rgb"
mean = 127.5
std = 127.5
resize = "stretch"
[output]
labels = "labels.txt"
activation = "sigmoid"
[output.boxes]
shape = [1, 180, 4]
type = "float32"
[output.scores]
shape = [1, 180, 3]
type = "float32"
[anchors]
layers = [
    { grid = [8, 8], boxes = [[0.2, 0.2], [0.3, 0.2]] },
    { grid = [4, 13], boxes = [[0.5, 0.5]] },
]
order = "yxhw"
size = "exponential"
scale = [10, 10, 5, 5]
background = true
overlap = 0.6
"#;

const LANDMARKS: &str = r#"
format = 1
name = "hands"
version = "1"
licence = "Apache-2.0"
task = "hand-landmarks"
[golden]
clip = "golden.mp4"
expected = "expected.json"
[files]
"golden.mp4" = "00000000000000000000000000000000000000000000000000000000000000aa"
"expected.json" = "00000000000000000000000000000000000000000000000000000000000000bb"
"#;

pub(crate) fn whole(text: &str) -> String {
    if text.contains("[golden]") { text.to_owned() } else { format!("{text}{SUMS}") }
}

fn parse(text: &str) -> Result<Manifest, Vec<String>> {
    Manifest::parse(&whole(text))
}

fn problems(text: &str) -> Vec<String> {
    parse(text).expect_err("it is refused")
}

fn tensor(place: Place, shape: &[usize], kind: Kind) -> Tensor {
    Tensor { place, shape: shape.to_vec(), kind }
}

#[test]
fn a_sign_reader_is_read() {
    let manifest = parse(HAND_SIGN).unwrap();
    let Manifest { name, version, licence, threads, golden, files, .. } = &manifest;
    assert_eq!((&name[..], &version[..], &licence[..]), ("two", "1", "Apache-2.0"));
    assert_eq!((threads, files.len()), (&None, 4));
    assert_eq!((&golden.clip[..], &golden.expected[..]), ("golden.mp4", "expected.json"));
    assert!(files["m.tflite"].ends_with("cc") && manifest.needs_hands());
    let Task::HandSign(task) = &manifest.task else { panic!("{manifest:?}") };
    assert_eq!(task.model.file, "m.tflite");
    assert_eq!(task.model.input, tensor(Place::Index(0), &[1, 10, 64], Kind::F32));
    assert_eq!(task.window, Window { frames: 10, rate_hz: 15.0, hop: None });
    assert_eq!(task.scores, tensor(Place::Index(0), &[1, 3], Kind::F32));
    assert_eq!(task.stabiliser["hold_ms"].as_integer(), Some(120));
    assert_eq!(task.judging.labels, "labels.txt");
    assert_eq!((task.judging.activation, task.judging.threshold), (Activation::None, 0.5));
}

#[test]
fn a_classifier_is_read() {
    let manifest = parse(CLASSIFY).unwrap();
    assert_eq!((manifest.threads, manifest.task.name()), (Some(2), "classify"));
    let Task::Classify(task) = manifest.task else { panic!() };
    let picture = Picture {
        width: 64,
        height: 48,
        colour: Colour::Bgr,
        mean: [10.0, 20.0, 30.0],
        std: [2.0; 3],
        resize: Resize::Letterbox,
    };
    assert_eq!((task.picture, task.window), (picture, None));
    assert_eq!(task.model.input.kind, Kind::U8);
    let place = Place::Name("probabilities".to_owned());
    assert_eq!(task.scores, tensor(place, &[1, 3], Kind::I8));
    assert_eq!((task.judging.activation, task.judging.threshold), (Activation::Softmax, 0.6));
    assert_eq!(task.judging.thresholds["A"], 0.7);
}

#[test]
fn windows_of_pictures_are_read_in_both_layouts() {
    let read = |text: &str| match parse(text).unwrap().task {
        Task::Classify(task) => task,
        other => panic!("{other:?}"),
    };
    let window = Window { frames: 8, rate_hz: 10.0, hop: Some(2) };
    let task = read(WINDOW);
    assert_eq!(task.window, Some((window, Layout::Time)));
    assert_eq!((task.picture.width, task.picture.height), (24, 32));
    assert_eq!(task.picture.resize, Resize::Crop);
    let stacked = WINDOW
        .replace("[1, 8, 32, 24, 1]", "[1, 32, 24, 8]")
        .replace("resize =", "frames = \"channels\"\nresize =");
    assert_eq!(read(&stacked).window, Some((window, Layout::Channels)));
    let colours = stacked.replace("[1, 32, 24, 8]", "[1, 32, 24, 24]").replace("grey", "rgb");
    assert_eq!(read(&colours).picture.values(), 32 * 24 * 3);
}

#[test]
fn detectors_are_read_in_both_forms() {
    let read = |text: &str| match parse(text).unwrap().task {
        Task::Detect(task) => task.boxes,
        other => panic!("{other:?}"),
    };
    let Boxes::Ssd { boxes, classes, scores, count } = read(SSD) else { panic!() };
    let places: Vec<_> = [boxes, classes, scores, count].map(|tensor| tensor.place).into();
    assert_eq!(places, [0, 1, 2, 3].map(Place::Index));
    let Boxes::Anchors { boxes, scores, anchors } = read(ANCHORS) else { panic!() };
    assert_eq!([boxes.place, scores.place], [0, 1].map(Place::Index));
    assert_eq!(anchors.count(), 180);
    assert_eq!((anchors.order, anchors.size), (Order::Yxhw, Size::Exponential));
    assert_eq!((anchors.scale, anchors.background), ([10.0, 10.0, 5.0, 5.0], true));
    assert_eq!((anchors.overlap, anchors.layers[1].grid), (0.6, [4, 13]));
}

#[test]
fn what_is_left_out_has_its_default() {
    let text = ANCHORS.replace("background = true\noverlap = 0.6\n", "");
    let Task::Detect(task) = parse(&text).unwrap().task else { panic!() };
    let Boxes::Anchors { anchors, .. } = task.boxes else { panic!() };
    assert_eq!((anchors.background, anchors.overlap), (false, 0.5));
    let Task::Classify(task) = parse(&WINDOW.replace("hop = 2\n", "")).unwrap().task else {
        panic!()
    };
    assert_eq!(task.window.unwrap().0.hop, None);
    let Judging { activation, threshold, thresholds, .. } = &task.judging;
    assert_eq!((*activation, *threshold, thresholds.len()), (Activation::None, 0.5, 0));
    assert!(task.stabiliser.is_empty());
}

#[test]
fn every_word_of_the_format_is_known() {
    let words = [
        (CLASSIFY, "softmax", ["none", "sigmoid"]),
        (CLASSIFY, "letterbox", ["stretch", "crop"]),
        (CLASSIFY, "bgr", ["rgb", "bgr"]),
        (CLASSIFY, "uint8", ["int8", "float16"]),
        (ANCHORS, "yxhw", ["yxhw", "xywh"]),
        (ANCHORS, "exponential", ["exponential", "linear"]),
    ];
    for (good, word, others) in words {
        let read = others.map(|other| parse(&good.replacen(word, other, 1)).unwrap());
        assert_ne!(read[0], read[1], "{others:?}");
    }
}

#[test]
fn an_output_is_where_its_index_or_name_says() {
    let text = SSD
        .replace("index = 3", "index = 7")
        .replace("[output.boxes]", "[output.boxes]\nname = \"b\"");
    let task = parse(&text).unwrap().task;
    let places: Vec<_> = task.outputs().iter().map(|(_, tensor)| tensor.place.clone()).collect();
    assert_eq!(places[0], Place::Name("b".to_owned()));
    assert_eq!(places[1..], [1, 2, 7].map(Place::Index));
}

#[test]
fn the_cascade_alone_needs_no_model() {
    let manifest = parse(LANDMARKS).unwrap();
    assert_eq!((manifest.task.name(), manifest.model()), ("hand-landmarks", None));
    assert!(manifest.needs_hands());
}

#[test]
fn all_problems_are_told_at_once() {
    let bad = CLASSIFY
        .replace("\"colours\"", "\"../colours\"")
        .replace("threads = 2", "threads = 99")
        .replace("threshold = 0.6", "threshold = 6")
        .replace("[1, 48, 64, 3]", "[1, 48, 64]");
    let starts = ["name", "threads", "output.threshold", "input.shape"];
    let problems = problems(&bad);
    assert_eq!(problems.len(), starts.len(), "{problems:?}");
    for start in starts {
        assert!(problems.iter().any(|problem| problem.starts_with(start)), "{problems:?}");
    }
}

#[test]
fn an_unknown_key_is_told_with_those_that_are_known() {
    let [problem] = &problems(&HAND_SIGN.replace("rate_hz", "rate"))[..] else { panic!() };
    assert!(
        problem.contains("unknown field `rate`, expected one of `frames`, `rate_hz`"),
        "{problem}"
    );
}

#[test]
fn a_tensor_of_absurd_size_is_refused() {
    let problems = problems(&HAND_SIGN.replace("[1, 3]", "[1, 9223372036854775807]"));
    assert!(problems[0].starts_with("output.scores.shape = [1, 9223372036854775807]: must have 1"));
    let anchors = ANCHORS.replace("[8, 8]", "[4611686018427387904, 8]");
    assert!(parse(&anchors).unwrap_err()[0].starts_with("anchors.layers"));
}

#[test]
fn names_that_leave_the_folder_are_refused() {
    for file in ["", ".", "..", "/m", "a/b", "a/", "./a", "a\n"] {
        assert!(!check::is_plain(file), "{file:?}");
    }
    assert!(check::is_plain("labels.txt"));
}

proptest! {
    #[test]
    fn whatever_is_written_it_is_read_or_refused(
        good in prop::sample::select(vec![HAND_SIGN, CLASSIFY, WINDOW, SSD, ANCHORS, LANDMARKS]),
        at in any::<prop::sample::Index>(),
        end in any::<prop::sample::Index>(),
        text in "[0-9a-z=\\[\\]{}\"., \n-]{0,12}",
    ) {
        let mut good = whole(good);
        let (a, b) = (at.index(good.len()), end.index(good.len()));
        good.replace_range(a.min(b)..a.max(b).min(a.min(b) + 12), &text);
        match Manifest::parse(&good) {
            Ok(_) => {}
            Err(problems) => prop_assert!(!problems.is_empty()),
        }
    }
}
