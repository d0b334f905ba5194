#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::model::Manifest;
use crate::model::manifest::Task;
use crate::model::manifest::tests::{ANCHORS, SSD, whole};
use crate::runtime::{Scripted, TensorSpec};

const LABELS: [&str; 2] = ["CUP", "BOX"];

/// An output's name, shape and values.
type Output = (&'static str, Vec<usize>, Vec<f32>);

/// What a detector of these outputs finds.
fn read(manifest: &str, outputs: Vec<Output>) -> Result<Vec<Found>, RuntimeError> {
    let task = Manifest::parse(&whole(manifest)).unwrap().task;
    let Task::Detect(detect) = &task else { panic!() };
    let specs = outputs.iter().map(|(name, shape, _)| TensorSpec::f32(name, shape)).collect();
    let input = vec![TensorSpec::f32("picture", &[1, 96, 96, 3])];
    let model = Scripted::new("m", input, specs, move |_, slices| {
        for (slice, (_, _, values)) in slices.iter_mut().zip(&outputs) {
            slice.copy_from_slice(values);
        }
        Ok(())
    });
    let mut model = Loaded::new(Path::new("m"), Box::new(model), &task).unwrap();
    model.run(&vec![0.0; 96 * 96 * 3]).unwrap();
    let scale = Scale::new(&detect.judging, &LABELS.map(str::to_owned));
    let mut found = Vec::new();
    Reader::new(&detect.boxes).read(&model, &scale, &mut found).map(|()| found)
}

fn find(manifest: &str, outputs: Vec<Output>) -> Vec<Found> {
    read(manifest, outputs).unwrap()
}

/// Boxes, classes and scores of ten rows, the last of them empty, and how many count; in those
/// that do not, there is what no detector means.
fn rows(rows: &[([f32; 4], f32, f32)], count: f32) -> [Output; 4] {
    let mut all = rows.to_vec();
    all.resize(10, ([0.0; 4], 0.0, 0.0));
    let meant = (count.round().max(0.0) as usize).min(10);
    all[meant..].fill(([f32::NAN; 4], f32::NAN, f32::NAN));
    [
        ("boxes", vec![1, 10, 4], all.iter().flat_map(|row| row.0).collect()),
        ("classes", vec![1, 10], all.iter().map(|row| row.1).collect()),
        ("scores", vec![1, 10], all.iter().map(|row| row.2).collect()),
        ("count", vec![1], vec![count]),
    ]
}

fn ssd(set: &[([f32; 4], f32, f32)], count: f32) -> Vec<Found> {
    find(SSD, rows(set, count).into())
}

#[test]
fn a_graphs_own_boxes_are_told_best_first_and_no_more_than_it_counts() {
    let a = ([0.1, 0.2, 0.3, 0.4], 1.0, 0.6);
    let b = ([0.5, 0.5, 0.9, 0.9], 0.0, 0.9);
    let found = ssd(&[a, b, b], 2.0);
    let told = Found { label: 0, score: 0.9, edges: [0.5, 0.5, 0.9, 0.9] };
    assert_eq!(found, [told, Found { label: 1, score: 0.6, edges: [0.2, 0.1, 0.4, 0.3] }]);
}

#[test]
fn boxes_that_are_none_are_left_out() {
    let bad = [([f32::INFINITY; 4], 0.0, 0.9), ([0.1, 0.1, 0.2, 0.2], 0.0, 0.2)];
    for count in [2.0, -3.0, 1e9] {
        assert_eq!(ssd(&bad, count), []);
    }
}

#[test]
fn a_class_that_no_label_stands_for_is_an_error_if_it_counts() {
    for class in [2.0, 7.0, -1.0, 1.5, f32::INFINITY] {
        let row = ([0.1, 0.1, 0.2, 0.2], class, 0.9);
        let error = read(SSD, rows(&[row], 1.0).into()).unwrap_err();
        assert!(matches!(error, RuntimeError::Label { labels: 2, .. }), "{class}: {error}");
        assert_eq!(ssd(&[row], 0.0), []);
    }
}

#[test]
fn classes_and_their_count_are_the_nearest_whole_numbers() {
    let row = |class| ([0.1, 0.1, 0.2, 0.2], class, 0.9);
    let labels = |count| -> Vec<usize> {
        ssd(&[row(0.996), row(0.004)], count).iter().map(|found| found.label).collect()
    };
    assert_eq!([labels(1.996), labels(1.004)], [vec![1, 0], vec![1]]);
}

#[test]
fn a_box_is_told_from_its_own_labels_threshold_on() {
    let text = SSD.replace("[output]", "[output]\nthreshold = 0.6\nthresholds = { box = 0.8 }");
    let told =
        |class, score| find(&text, rows(&[([0.1, 0.1, 0.2, 0.2], class, score)], 1.0).into()).len();
    assert_eq!([told(0.0, 0.59), told(0.0, 0.6), told(1.0, 0.79), told(1.0, 0.8)], [0, 1, 0, 1]);
}

#[test]
fn outputs_are_found_by_their_numbers_and_by_their_names() {
    let set = [([0.5, 0.6, 0.7, 0.8], 1.0, 0.9)];
    // In the order of TensorFlow 2's Object Detection API.
    let outputs = || {
        let [boxes, classes, scores, count] = rows(&set, 1.0);
        vec![scores, boxes, count, classes]
    };
    let plain = SSD.replace("index = 3\n", "");
    let placed = |place: fn((usize, &str)) -> String| {
        let keys = ["scores", "boxes", "count", "classes"].into_iter().enumerate();
        keys.fold(plain.clone(), |text, (number, key)| {
            let table = format!("[output.{key}]\n");
            text.replace(&table, &format!("{table}{}\n", place((number, key))))
        })
    };
    let expected = ssd(&set, 1.0);
    assert_eq!(expected.len(), 1);
    assert_eq!(find(&placed(|(number, _)| format!("index = {number}")), outputs()), expected);
    assert_eq!(find(&placed(|(_, key)| format!("name = {key:?}")), outputs()), expected);
}

/// 180 anchors: 8 x 8 with two boxes, then 4 x 13 with one; by default background first.
fn grids<const VALUES: usize, const SCORES: usize>(
    set: &[(usize, [f32; VALUES], [f32; SCORES])],
) -> Vec<Output> {
    let mut boxes = vec![0.0; 180 * VALUES];
    let mut scores = vec![-10.0; 180 * SCORES];
    for (anchor, values, row) in set {
        boxes[anchor * VALUES..][..VALUES].copy_from_slice(values);
        scores[anchor * SCORES..][..SCORES].copy_from_slice(row);
    }
    vec![("boxes", vec![1, 180, VALUES], boxes), ("scores", vec![1, 180, SCORES], scores)]
}

fn anchored(set: &[(usize, [f32; 4], [f32; 3])]) -> Vec<Found> {
    find(ANCHORS, grids(set))
}

fn assert_near(found: &[Found], expected: [f32; 4]) {
    let [Found { edges, .. }] = found else { panic!("{found:?}") };
    let near = edges.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6);
    assert!(near, "{edges:?}, not {expected:?}");
}

#[test]
fn anchors_lie_in_the_middle_of_their_cells_layer_by_layer_and_row_by_row() {
    // Anchor, then its centre and its sides by hand.
    let table = [
        (0, [0.0625, 0.0625], [0.2, 0.2]),
        (1, [0.0625, 0.0625], [0.3, 0.2]),
        (16, [0.0625, 0.1875], [0.2, 0.2]),
        (21, [0.3125, 0.1875], [0.3, 0.2]),
        (127, [0.9375, 0.9375], [0.3, 0.2]),
        (128, [0.5 / 13.0, 0.125], [0.5, 0.5]),
        (159, [5.5 / 13.0, 0.625], [0.5, 0.5]),
        (179, [12.5 / 13.0, 0.875], [0.5, 0.5]),
    ];
    for (anchor, [x, y], [width, height]) in table {
        let (w, h) = (width / 2.0, height / 2.0);
        let found = anchored(&[(anchor, [0.0; 4], [-9.0, 9.0, -9.0])]);
        assert_near(&found, [x - w, y - h, x + w, y + h]);
    }
}

#[test]
fn a_box_is_what_order_size_and_scale_make_of_its_values() {
    use std::f32::consts::LN_2;

    // By hand, of the anchor of 0.3 x 0.2 around 0.3125, 0.1875: the centre is 2 / 10 * 0.3 and
    // -1 / 4 * 0.2 from there. Linear sides are 6 / 5 * 0.3 and 3 / 2 * 0.2; of the
    // exponential ones the width is doubled and the height halved.
    let linear = [0.1925, -0.0125, 0.5525, 0.2875];
    let exponential = [0.0725, 0.0875, 0.6725, 0.1875];
    let table = [
        ("xywh", "linear", [2.0, -1.0, 6.0, 3.0], linear),
        ("yxhw", "linear", [-1.0, 2.0, 3.0, 6.0], linear),
        ("xywh", "exponential", [2.0, -1.0, 5.0 * LN_2, -2.0 * LN_2], exponential),
        ("yxhw", "exponential", [-1.0, 2.0, -2.0 * LN_2, 5.0 * LN_2], exponential),
    ];
    for (order, size, values, expected) in table {
        let text = ANCHORS
            .replace("yxhw", order)
            .replace("exponential", size)
            .replace("[10, 10, 5, 5]", "[10, 4, 5, 2]");
        assert_near(&find(&text, grids(&[(21, values, [-9.0, 9.0, -9.0])])), expected);
    }
}

#[test]
fn values_after_the_fourth_are_passed_over() {
    let text = ANCHORS.replace("[1, 180, 4]", "[1, 180, 6]");
    let found = find(&text, grids(&[(21, [5.0, 10.0, 0.0, 0.0, 8.0, 8.0], [-9.0, 9.0, -9.0])]));
    assert_near(&found, [0.4625, 0.1875, 0.7625, 0.3875]);
}

#[test]
fn without_a_background_the_first_score_is_the_first_labels() {
    let text = ANCHORS.replace("[1, 180, 3]", "[1, 180, 2]").replace("true", "false");
    let found = find(&text, grids(&[(0, [0.0; 4], [3.0, 1.0]), (9, [0.0; 4], [1.0, 2.0])]));
    let told: Vec<_> = found.iter().map(|found| (found.label, found.score)).collect();
    let sigmoid = |score: f32| 1.0 / (1.0 + (-score).exp());
    assert_eq!(told, [(0, sigmoid(3.0)), (1, sigmoid(2.0))]);
}

#[test]
fn of_boxes_that_overlap_the_best_is_told_and_those_of_another_label_are_kept() {
    let here = |score: f32| [-9.0, score, -9.0];
    let set = [
        (0, [0.0; 4], here(1.0)),
        (2, [0.0, -6.25, 0.0, 0.0], here(3.0)),
        (4, [0.0, -12.5, 0.0, 0.0], [-9.0, -9.0, 2.0]),
        (100, [0.0; 4], here(0.5)),
    ];
    let labels: Vec<_> = anchored(&set).iter().map(|found| found.label).collect();
    assert_eq!(labels, [0, 1, 0]);
}

#[test]
fn softmax_counts_the_background() {
    let text = ANCHORS.replace("sigmoid", "softmax");
    let scores = |row: [f32; 3]| {
        let mut all = [9.0, 0.0, 0.0].repeat(180);
        all[..3].copy_from_slice(&row);
        vec![("boxes", vec![1, 180, 4], vec![0.0; 720]), ("scores", vec![1, 180, 3], all)]
    };
    assert_eq!(find(&text, scores([5.0, 4.0, 0.0])).len(), 0);
    let found = find(&text, scores([0.0, 4.0, 0.0]));
    let expected = 4_f32.exp() / (4_f32.exp() + 2.0);
    assert!((found[0].score - expected).abs() < 1e-6 && found[0].label == 0);
}

proptest! {
    #[test]
    fn whatever_the_model_gives_boxes_are_numbers_few_and_sorted(
        boxes in prop::collection::vec(-1e3_f32..1e3, 720),
        scores in prop::collection::vec(-20_f32..20.0, 540),
    ) {
        let found = find(ANCHORS, vec![
            ("boxes", vec![1, 180, 4], boxes),
            ("scores", vec![1, 180, 3], scores),
        ]);
        prop_assert!(found.len() <= MOST && found.is_sorted_by(|a, b| a.score >= b.score));
        for (place, a) in found.iter().enumerate() {
            prop_assert!(a.label < 2 && a.edges.iter().all(|edge| edge.is_finite()));
            let same = found[..place].iter().filter(|b| b.label == a.label);
            prop_assert!(same.clone().all(|b| a.overlap(b) < 0.6));
        }
    }
}
