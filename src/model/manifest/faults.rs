//! What is refused, key by key.

use super::*;

/// Of the anchors.
const LAYERS: &str = "layers = [
    { grid = [8, 8], boxes = [[0.2, 0.2], [0.3, 0.2]] },
    { grid = [4, 13], boxes = [[0.5, 0.5]] },
]
";

/// What is replaced by what, and how the only problem of the result begins.
const FAULTS: &[(&str, &str, &str, &str)] = &[
    (HAND_SIGN, "format = 1", "format = 2", "format = 2: must be 1"),
    (HAND_SIGN, "\"two\"", "\"Two\"", "name = \"Two\": must be 1 to 64 of a-z"),
    (HAND_SIGN, "\"two\"", "\"../two\"", "name = \"../two\": must be"),
    (HAND_SIGN, "\"two\"", "\"\"", "name = \"\": must be"),
    (HAND_SIGN, "version = \"1\"", "version = \"\"", "version = \"\": must be 1 to 32"),
    (HAND_SIGN, "version = \"1\"", "version = \"1\\n2\"", "version = \"1\\n2\": must be"),
    (HAND_SIGN, "\"Apache-2.0\"", "\"\"", "licence = \"\": must be 1 to 200"),
    (CLASSIFY, "threads = 2", "threads = 0", "threads = 0: must be 1 to 8"),
    (HAND_SIGN, "\"hand-sign\"", "\"dance\"", "TOML parse error at line 6"),
    (HAND_SIGN, "[window]", "[windows]", "TOML parse error at line 12"),
    (HAND_SIGN, "rate_hz = 15.0", "rate = 15.0", "TOML parse error at line 14"),
    (HAND_SIGN, "\"float32\"\n[window]", "\"int32\"\n[window]", "TOML parse error at line 11"),
    (HAND_SIGN, "[model]\nfile = \"m.tflite\"\n", "", "[model] is missing: task = \"hand-sign\""),
    (HAND_SIGN, "\"m.tflite\"\n[", "\"n.tflite\"\n[", "model.file = \"n.tflite\": has no checksum"),
    (HAND_SIGN, "labels = \"labels", "labels = \"l", "output.labels = \"l.txt\": has no checksum"),
    (HAND_SIGN, "clip = \"g", "clip = \"h", "golden.clip = \"holden.mp4\": has no checksum"),
    (HAND_SIGN, "expected = \"e", "expected = \"f", "golden.expected = \"fxpected.json\": has no"),
    (
        HAND_SIGN,
        "[files]",
        "[files]\n\"../x\" = \"00000000000000000000000000000000000000000000000000000000000000aa\"",
        "files.\"../x\": must be a file name",
    ),
    (
        HAND_SIGN,
        "[files]",
        "[files]\n\"manifest.toml\" = \"00000000000000000000000000000000000000000000000000000000000000aa\"",
        "files.\"manifest.toml\": must be",
    ),
    (HAND_SIGN, "00aa\"", "00AA\"", "files.\"golden.mp4\" = \"00"),
    (HAND_SIGN, "00aa\"", "00a\"", "files.\"golden.mp4\" = \"00"),
    (HAND_SIGN, "[1, 10, 64]", "[1, 9, 64]", "input.shape = [1, 9, 64]: must be [1, 10, 64]"),
    (HAND_SIGN, "[1, 10, 64]", "[1, 10, 63]", "input.shape = [1, 10, 63]: must be [1, 10, 64]"),
    (
        HAND_SIGN,
        "[window]",
        "colour = \"rgb\"\n[window]",
        "input.colour: task = \"hand-sign\" does not",
    ),
    (HAND_SIGN, "[window]", "mean = 0\n[window]", "input.mean: task = \"hand-sign\" does not"),
    (HAND_SIGN, "[window]", "std = 1\n[window]", "input.std: task = \"hand-sign\" does not"),
    (HAND_SIGN, "[window]", "resize = \"crop\"\n[window]", "input.resize: task = \"hand-sign\""),
    (HAND_SIGN, "[window]", "frames = \"time\"\n[window]", "input.frames: task = \"hand-sign\""),
    (HAND_SIGN, "frames = 10", "frames = 0", "window.frames = 0: must be 1 to 120"),
    (HAND_SIGN, "rate_hz = 15.0", "rate_hz = 61", "window.rate_hz = 61: must be 1 to 60"),
    (HAND_SIGN, "rate_hz = 15.0", "rate_hz = nan", "window.rate_hz = NaN: must be"),
    (HAND_SIGN, "rate_hz = 15.0", "rate_hz = 15.0\nhop = 0", "window.hop = 0: must be 1 to 120"),
    (HAND_SIGN, "[1, 3]", "[3]", "output.scores.shape = [3]: must be [1, labels]"),
    (HAND_SIGN, "[1, 3]", "[1, 0]", "output.scores.shape = [1, 0]: must be [1, labels]"),
    (
        HAND_SIGN,
        "[stabiliser]",
        "[output.boxes]\nshape = [1]\ntype = \"int8\"\n[stabiliser]",
        "output.boxes: task = \"hand-sign\" does not",
    ),
    (
        HAND_SIGN,
        "[stabiliser]",
        "[anchors]\nlayers = []\norder = \"xywh\"\nsize = \"linear\"\nscale = [1, 1, 1, 1]\n[stabiliser]",
        "[anchors]: task = \"hand-sign\" does not",
    ),
    (CLASSIFY, "colour = \"bgr\"\n", "", "input.colour is missing"),
    (CLASSIFY, "mean = [10.0, 20, 30.0]\n", "", "input.mean is missing"),
    (CLASSIFY, "std = 2\n", "", "input.std is missing"),
    (CLASSIFY, "resize = \"letterbox\"\n", "", "input.resize is missing"),
    (CLASSIFY, "std = 2", "std = 0", "input.std: must not be 0"),
    (CLASSIFY, "std = 2", "std = -1e-37", "input.std: must not be 0, nor nearer to it than 0.001"),
    (CLASSIFY, "[10.0, 20, 30.0]", "[10, 20, 3e38]", "input.mean: must be from -1000000 to"),
    (CLASSIFY, "std = 2", "std = nan", "input.std: must be a number, or 3 of them"),
    (CLASSIFY, "[10.0, 20, 30.0]", "[10.0, 20]", "input.mean: must be a number, or 3 of them"),
    (
        CLASSIFY,
        "[1, 48, 64, 3]",
        "[1, 48, 64, 1]",
        "input.shape = [1, 48, 64, 1]: must be [1, height",
    ),
    (CLASSIFY, "[1, 48, 64, 3]", "[1, 48, 1025, 3]", "input.shape = [1, 48, 1025, 3]: must be"),
    (CLASSIFY, "[1, 48, 64, 3]", "[48, 64, 3]", "input.shape = [48, 64, 3]: must be"),
    (CLASSIFY, "resize", "frames = \"time\"\nresize", "input.frames: task = \"classify\" does not"),
    (CLASSIFY, "threshold = 0.6", "threshold = 1.6", "output.threshold = 1.6: must be 0 to 1"),
    (CLASSIFY, "A = 0.7", "A = -0.7", "output.thresholds.\"A\" = -0.7: must be 0 to 1"),
    (CLASSIFY, "name = \"prob", "index = 0\nname = \"prob", "output.scores: name and index are"),
    (
        CLASSIFY,
        "[output]",
        "[window]\nframes = 2\nrate_hz = 2\n[output]",
        "[window]: task = \"classify\" does not",
    ),
    (
        WINDOW,
        "[1, 8, 32, 24, 1]",
        "[1, 7, 32, 24, 1]",
        "input.shape = [1, 7, 32, 24, 1]: must be [1, window.frames",
    ),
    (
        WINDOW,
        "resize =",
        "frames = \"channels\"\nresize =",
        "input.shape = [1, 8, 32, 24, 1]: must be [1, height, width, window.frames * channels]",
    ),
    (SSD, "[1, 10, 4]", "[1, 10, 5]", "output.boxes.shape = [1, 10, 5]: must be [1, boxes, 4]"),
    (
        SSD,
        "[output.classes]\nshape = [1, 10]",
        "[output.classes]\nshape = [1, 9]",
        "output.classes.shape = [1, 9]: must be [1, 10]",
    ),
    (SSD, "shape = [1]\n", "shape = [2]\n", "output.count.shape = [2]: must be [1]"),
    (
        ANCHORS,
        "[1, 180, 4]",
        "[1, 181, 4]",
        "output.boxes.shape = [1, 181, 4]: must be [1, 180, 4 or more]",
    ),
    (
        ANCHORS,
        "[1, 180, 3]",
        "[1, 180, 1]",
        "output.scores.shape = [1, 180, 1]: must be [1, 180, labels]",
    ),
    (
        ANCHORS,
        "[10, 10, 5, 5]",
        "[10, 10, 0, 5]",
        "anchors.scale = [10.0, 10.0, 0.0, 5.0]: must be",
    ),
    (ANCHORS, "overlap = 0.6", "overlap = 0", "anchors.overlap = 0: must be above 0"),
    (ANCHORS, "[4, 13]", "[4, 0]", "anchors.layers: grid = [4, 0] with 1 boxes has no anchor"),
    (
        LANDMARKS,
        "[golden]",
        "[model]\nfile = \"golden.mp4\"\n[golden]",
        "[model]: task = \"hand-landmarks\" does not",
    ),
    (
        HAND_SIGN,
        "[input]\nshape = [1, 10, 64]\ntype = \"float32\"\n",
        "",
        "[input] is missing: task = \"hand-sign\"",
    ),
    (
        HAND_SIGN,
        "[window]\nframes = 10\nrate_hz = 15.0\n",
        "",
        "[window] is missing: task = \"hand-sign\"",
    ),
    (
        HAND_SIGN,
        "[output]\nlabels = \"labels.txt\"\n[output.scores]\nshape = [1, 3]\ntype = \"float32\"\n",
        "",
        "[output] is missing: task",
    ),
    (HAND_SIGN, "frames = 10", "frames = 121", "window.frames = 121: must be 1 to 120"),
    (
        HAND_SIGN,
        "[stabiliser]",
        "[output.classes]\nshape = [1]\ntype = \"int8\"\n[stabiliser]",
        "output.classes: task = \"hand-sign\" does not",
    ),
    (
        CLASSIFY,
        "[output.scores]",
        "[output.classes]\nshape = [1]\ntype = \"int8\"\n[output.scores]",
        "output.classes: task = \"classify\" does not",
    ),
    (
        HAND_SIGN,
        "[stabiliser]",
        "[output.count]\nshape = [1]\ntype = \"int8\"\n[stabiliser]",
        "output.count: task = \"hand-sign\" does not",
    ),
    (
        CLASSIFY,
        "[output.scores]",
        "[output.count]\nshape = [1]\ntype = \"int8\"\n[output.scores]",
        "output.count: task = \"classify\" does not",
    ),
    (
        CLASSIFY,
        "[output.scores]",
        "[output.boxes]\nshape = [1]\ntype = \"int8\"\n[output.scores]",
        "output.boxes: task = \"classify\" does not",
    ),
    (
        WINDOW,
        "[output.scores]",
        "[output.boxes]\nshape = [1]\ntype = \"int8\"\n[output.scores]",
        "output.boxes: task = \"classify-window\" does not",
    ),
    (
        CLASSIFY,
        "[output.scores]",
        "[anchors]\nlayers = []\norder = \"xywh\"\nsize = \"linear\"\nscale = [1, 1, 1, 1]\n[output.scores]",
        "[anchors]: task = \"classify\" does not",
    ),
    (CLASSIFY, "\"bgr\"", "\"rgba\"", "TOML parse error at line 13"),
    (CLASSIFY, "\"letterbox\"", "\"fit\"", "TOML parse error at line 16"),
    (CLASSIFY, "\"softmax\"", "\"relu\"", "TOML parse error at line 19"),
    (CLASSIFY, "std = 2", "std = [2, 0, 2]", "input.std: must not be 0"),
    (CLASSIFY, "std = 2", "std = [2, 2]", "input.std: must be a number, or 3 of them"),
    (CLASSIFY, "[10.0, 20, 30.0]", "inf", "input.mean: must be a number, or 3 of them"),
    (WINDOW, "mean = 0", "mean = [0, 0, 0]", "input.mean: must be a number, or 1 of them"),
    (WINDOW, "resize =", "frames = \"both\"\nresize =", "TOML parse error at line 15"),
    (
        WINDOW,
        "[window]\nframes = 8\nrate_hz = 10\nhop = 2\n",
        "",
        "[window] is missing: task = \"classify-window\"",
    ),
    (
        SSD,
        "[output.boxes]\nshape = [1, 10, 4]\ntype = \"float32\"\n",
        "",
        "[output.boxes] is missing: task = \"detect\"",
    ),
    (
        SSD,
        "[output.classes]\nshape = [1, 10]\ntype = \"float32\"\n",
        "",
        "[output.classes] is missing: task = \"detect\"",
    ),
    (
        SSD,
        "[output.count]\nindex = 3\nshape = [1]\ntype = \"float32\"\n",
        "",
        "[output.count] is missing: task = \"detect\"",
    ),
    (
        SSD,
        "[output.scores]\nshape = [1, 10]",
        "[output.scores]\nshape = [1, 10, 1]",
        "output.scores.shape = [1, 10, 1]: must be [1, 10]",
    ),
    (SSD, "index = 3", "index = 3\nname = \"n\"", "output.count: name and index are"),
    (
        SSD,
        "labels = \"labels.txt\"",
        "labels = \"labels.txt\"\nactivation = \"softmax\"",
        "output.activation = \"softmax\": a score that stands alone",
    ),
    (SSD, "resize =", "frames = \"time\"\nresize =", "input.frames: task = \"detect\" does not"),
    (
        SSD,
        "[output]",
        "[window]\nframes = 2\nrate_hz = 2\n[output]",
        "[window]: task = \"detect\" does not",
    ),
    (
        SSD,
        "[output]",
        "[stabiliser]\nhold_ms = 120\n[output]",
        "[stabiliser]: task = \"detect\" does not",
    ),
    (ANCHORS, "[anchors]", "[stabiliser]\n[anchors]", "[stabiliser]: task = \"detect\" does not"),
    (
        ANCHORS,
        "[output.boxes]\nshape = [1, 180, 4]\ntype = \"float32\"\n",
        "",
        "[output.boxes] is missing: task = \"detect\"",
    ),
    (
        ANCHORS,
        "[1, 180, 4]",
        "[1, 180, 3]",
        "output.boxes.shape = [1, 180, 3]: must be [1, 180, 4 or more]",
    ),
    (
        ANCHORS,
        "[anchors]",
        "[output.classes]\nshape = [1]\ntype = \"int8\"\n[anchors]",
        "output.classes: not read beside [anchors]",
    ),
    (
        ANCHORS,
        "[anchors]",
        "[output.count]\nshape = [1]\ntype = \"int8\"\n[anchors]",
        "output.count: not read beside [anchors]",
    ),
    (ANCHORS, LAYERS, "layers = []\n", "anchors.layers: must have one at least"),
    (ANCHORS, "[[0.5, 0.5]]", "[]", "anchors.layers: grid = [4, 13] with 0 boxes has no anchor"),
    (
        ANCHORS,
        "[0.3, 0.2]",
        "[0, 0.2]",
        "anchors.layers: boxes = [[0.2, 0.2], [0.0, 0.2]]: sides must",
    ),
    (
        ANCHORS,
        "[0.3, 0.2]",
        "[-0.3, 0.2]",
        "anchors.layers: boxes = [[0.2, 0.2], [-0.3, 0.2]]: sides must",
    ),
    (
        ANCHORS,
        "[0.3, 0.2]",
        "[inf, 0.2]",
        "anchors.layers: boxes = [[0.2, 0.2], [inf, 0.2]]: sides must",
    ),
    (ANCHORS, "[4, 13]", "[4, 20000]", "anchors.layers: at most 65536 anchors"),
    (
        ANCHORS,
        "[10, 10, 5, 5]",
        "[10, 10, 5, -5]",
        "anchors.scale = [10.0, 10.0, 5.0, -5.0]: must be",
    ),
    (ANCHORS, "[10, 10, 5, 5]", "[10, 10, 5]", "TOML parse error at line 32"),
    (ANCHORS, "\"yxhw\"", "\"yxyx\"", "TOML parse error at line 30"),
    (ANCHORS, "\"exponential\"", "\"square\"", "TOML parse error at line 31"),
    (ANCHORS, "background = true", "background = 1", "TOML parse error at line 33"),
    (
        LANDMARKS,
        "[golden]",
        "[input]\nshape = [1]\ntype = \"int8\"\n[golden]",
        "[input]: task = \"hand-landmarks\" does not",
    ),
    (
        LANDMARKS,
        "[golden]",
        "[output]\nlabels = \"golden.mp4\"\n[output.scores]\nshape = [1]\ntype = \"int8\"\n[golden]",
        "[output]: task = \"hand-landmarks\" does not",
    ),
    (
        LANDMARKS,
        "[golden]",
        "[window]\nframes = 2\nrate_hz = 2\n[golden]",
        "[window]: task = \"hand-landmarks\" does not",
    ),
    (
        LANDMARKS,
        "[golden]",
        "[anchors]\nlayers = []\norder = \"xywh\"\nsize = \"linear\"\nscale = [1, 1, 1, 1]\n[golden]",
        "[anchors]: task = \"hand-landmarks\" does not",
    ),
    (
        LANDMARKS,
        "[golden]",
        "[stabiliser]\n[golden]",
        "[stabiliser]: task = \"hand-landmarks\" does not",
    ),
];

#[test]
fn every_key_is_checked() {
    for &(good, part, other, start) in FAULTS {
        let good = whole(good);
        assert!(good.contains(part), "{part}");
        let found = problems(&good.replacen(part, other, 1));
        assert!(found[0].starts_with(start), "{start}: {found:?}");
        assert!(found.len() == 1 || part == "\"two\"", "{start}: {found:?}");
    }
}

#[test]
fn the_ends_of_a_range_are_taken_and_what_lies_beyond_is_not() {
    let text = |length: usize| format!("{:?}", "a".repeat(length));
    let numbers = |numbers: &[&str]| numbers.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    // A key with its value, what may and what may not stand in its place.
    let table = [
        (CLASSIFY, "name = \"colours\"", vec![text(1), text(64)], vec![text(0), text(65)]),
        (CLASSIFY, "version = \"2.1\"", vec![text(1), text(32)], vec![text(0), text(33)]),
        (CLASSIFY, "licence = \"CC0-1.0\"", vec![text(1), text(200)], vec![text(0), text(201)]),
        (CLASSIFY, "threads = 2", numbers(&["1", "8"]), numbers(&["0", "9"])),
        (CLASSIFY, "threshold = 0.6", numbers(&["0", "1"]), numbers(&["-0.01", "1.01", "nan"])),
        (
            CLASSIFY,
            "shape = [1, 48, 64, 3]",
            numbers(&["[1, 1, 1024, 3]", "[1, 1024, 1, 3]"]),
            numbers(&["[1, 1, 1025, 3]", "[1, 1025, 1, 3]"]),
        ),
        (WINDOW, "rate_hz = 10", numbers(&["1", "60"]), numbers(&["0.99", "60.01", "-10"])),
        (WINDOW, "hop = 2", numbers(&["1", "120"]), numbers(&["0", "121"])),
        (ANCHORS, "overlap = 0.6", numbers(&["0.01", "1"]), numbers(&["0", "1.01", "nan"])),
    ];
    for (good, part, within, beyond) in table {
        let (key, _) = part.split_once(" = ").unwrap();
        let with = |value: &String| parse(&good.replacen(part, &format!("{key} = {value}"), 1));
        assert!(good.contains(part) && within.iter().all(|value| with(value).is_ok()), "{part}");
        for value in &beyond {
            let problems = with(value).unwrap_err();
            assert!(problems.len() == 1 && problems[0].contains(key), "{value}: {problems:?}");
        }
    }
}

#[test]
fn a_bundle_has_at_most_64_files() {
    let with =
        |more: usize| {
            let file = |n| format!("\"{n}\" = \"{}\"\n", "0".repeat(64));
            parse(&whole(HAND_SIGN).replace(
                "[files]\n",
                &format!("[files]\n{}", (0..more).map(file).collect::<String>()),
            ))
        };
    assert_eq!(with(60).unwrap().files.len(), 64);
    assert_eq!(with(61).unwrap_err(), ["[files] has 65 files: at most 64 are allowed"]);
}

#[test]
fn a_window_of_pictures_is_refused_that_takes_too_much_memory() {
    let with = |frames: usize| {
        let shape = format!("[1, {frames}, 1024, 1024, 1]");
        parse(
            &WINDOW
                .replace("[1, 8, 32, 24, 1]", &shape)
                .replace("frames = 8", &format!("frames = {frames}")),
        )
    };
    assert!(with(8).is_ok());
    let [problem] = &with(9).unwrap_err()[..] else { panic!() };
    assert!(problem.contains("9 such pictures takes 144 MiB, and at most 128 are"), "{problem}");
}

#[test]
fn softmax_of_one_score_is_refused() {
    let alone = ANCHORS.replace("[1, 180, 3]", "[1, 180, 1]").replace("true", "false");
    assert!(parse(&alone).is_ok());
    let problems = problems(&alone.replace("sigmoid", "softmax"));
    assert!(problems[0].starts_with("output.activation = \"softmax\""), "{problems:?}");
}

#[test]
fn no_key_is_passed_over() {
    let windowed = WINDOW.replace("resize =", "frames = \"time\"\nresize =");
    for good in [HAND_SIGN, CLASSIFY, &windowed, SSD, ANCHORS, LANDMARKS] {
        let good = whole(good);
        assert!(Manifest::parse(&good).is_ok());
        // The keys of [stabiliser] are not its manifest's, and those of [files] are names.
        let end = good.find("[stabiliser]").or(good.find("[files]")).unwrap();
        let labels = |at: &usize| good[..*at].ends_with("{ A");
        let keys = good[..end].match_indices(" = ").map(|(at, _)| at);
        for at in keys.filter(|at| !labels(at)) {
            let mut other = good.clone();
            other.insert(at, 'x');
            let problems = Manifest::parse(&other).unwrap_err();
            assert!(problems[0].contains("unknown field `"), "{}: {problems:?}", &other[..=at]);
        }
    }
}
