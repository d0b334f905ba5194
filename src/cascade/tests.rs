//! The frame loop with scripted models: which model runs in which frame, and on what.

#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

use std::sync::{Arc, Mutex};

use super::*;
use crate::model::hands::{HAND_SIDE, HAND_VALUES, PALM_BOX_VALUES, PALM_BOXES, PALM_SIDE};
use crate::runtime::{Scripted, TensorSpec};

const WIDTH: usize = 64;
const HEIGHT: usize = 48;

/// What the scripted models see and do.
#[derive(Default)]
pub(crate) struct Scene {
    /// Centres of palms, in letterbox pixels of the palm model, with their logits.
    palms: Vec<([f32; 2], f32)>,
    /// The landmark model's presence, one for each look, the last repeated.
    presence: Vec<f32>,
    /// Share of the palm model's picture that lies beyond the frame, in percent.
    beyond: Vec<usize>,
    searches: usize,
    looks: usize,
    refuse: bool,
    broken_landmarks: bool,
}

fn cascade(max_hands: usize, scene: Scene) -> (Cascade, Arc<Mutex<Scene>>) {
    let (models, scene) = models(scene);
    (Cascade::new(models, max_hands), scene)
}

impl Scene {
    /// One hand, in every frame.
    pub(crate) fn with_a_hand() -> Self {
        Self { palms: vec![LEFT], ..Self::default() }
    }
}

/// A pair of models that sees the scene, whatever the picture.
pub(crate) fn models(scene: Scene) -> (HandModels, Arc<Mutex<Scene>>) {
    let scene = Arc::new(Mutex::new(scene));
    let (palm_scene, hand_scene) = (Arc::clone(&scene), Arc::clone(&scene));
    let palm = Scripted::new(
        "palm",
        vec![TensorSpec::f32("picture", &[1, PALM_SIDE, PALM_SIDE, 3])],
        vec![
            TensorSpec::f32("boxes", &[1, PALM_BOXES, PALM_BOX_VALUES]),
            TensorSpec::f32("logits", &[1, PALM_BOXES, 1]),
        ],
        move |inputs, outputs| {
            let mut scene = palm_scene.lock().unwrap();
            scene.searches += 1;
            let black = inputs[0].iter().filter(|value| **value == 0.0).count();
            scene.beyond.push(black * 100 / inputs[0].len());
            outputs[1].fill(-50.0);
            for (index, (centre, logit)) in scene.palms.iter().enumerate() {
                write_palm(outputs, index, *centre, *logit);
            }
            if scene.refuse { Err("refused".to_owned()) } else { Ok(()) }
        },
    );
    let hand = Scripted::new(
        "hand",
        vec![TensorSpec::f32("picture", &[1, HAND_SIDE, HAND_SIDE, 3])],
        vec![
            TensorSpec::f32("points", &[1, HAND_VALUES]),
            TensorSpec::f32("presence", &[1, 1]),
            TensorSpec::f32("left", &[1, 1]),
            TensorSpec::f32("world", &[1, HAND_VALUES]),
        ],
        move |_, outputs| {
            let mut scene = hand_scene.lock().unwrap();
            let presence = scene.presence.get(scene.looks).or(scene.presence.last());
            outputs[1][0] = presence.copied().unwrap_or(0.9);
            outputs[2][0] = 0.8;
            scene.looks += 1;
            write_hand(outputs[0]);
            if scene.broken_landmarks {
                outputs[0][30] = f32::NAN;
            }
            Ok(())
        },
    );
    (HandModels { palm: Box::new(palm), landmark: Box::new(hand) }, scene)
}

/// An upright palm of 20 pixels at the box `index`, whose anchor is in the first row.
fn write_palm(outputs: &mut [&mut [f32]], index: usize, [x, y]: [f32; 2], logit: f32) {
    let anchor = [((index / 2) as f32 + 0.5) * 8.0, 4.0];
    let values = &mut outputs[0][index * PALM_BOX_VALUES..][..PALM_BOX_VALUES];
    values[..4].copy_from_slice(&[x - anchor[0], y - anchor[1], 20.0, 20.0]);
    for (keypoint, point) in values[4..].chunks_exact_mut(2).enumerate() {
        let up = if keypoint == 0 { 10.0 } else { -10.0 };
        point.copy_from_slice(&[x - anchor[0], y + up - anchor[1]]);
    }
    outputs[1][index] = logit;
}

/// An upright hand whose stable points are 112 high: the next region is twice that, so the
/// same crop of 224, and with its shift of a tenth upwards in the same place.
fn write_hand(points: &mut [f32]) {
    for (index, point) in points.chunks_exact_mut(3).enumerate() {
        let (finger, joint) = (index.saturating_sub(1) / 4, index.saturating_sub(1) % 4);
        let [x, y] = match index {
            0 => [112.0, 179.2],
            _ => [70.0 + 21.0 * finger as f32, 123.2 - 28.0 * joint as f32],
        };
        point.copy_from_slice(&[x, y, 0.0]);
    }
}

/// The numbers of hands in frames of one picture.
fn run(cascade: &mut Cascade, frames: usize) -> Vec<usize> {
    let data = vec![100; WIDTH * HEIGHT * 3];
    (0..frames).map(|_| detect(cascade, &data)).collect()
}

/// As [`run`], in frames of which each shows something else than the one before.
fn run_moving(cascade: &mut Cascade, frames: usize) -> Vec<usize> {
    let mut data = vec![100; WIDTH * HEIGHT * 3];
    let next = |frame: usize| {
        data.fill(100);
        data[frame * 2 % WIDTH * 3..][..3].fill(200);
        detect(cascade, &data)
    };
    (0..frames).map(next).collect()
}

fn detect(cascade: &mut Cascade, data: &[u8]) -> usize {
    let frame = Frame::rgb(WIDTH, HEIGHT, Plane { data, stride: WIDTH * 3 }).unwrap();
    cascade.detect(&frame).unwrap().len()
}

const LEFT: ([f32; 2], f32) = ([50.0, 96.0], 3.0);
const RIGHT: ([f32; 2], f32) = ([140.0, 96.0], 2.0);

#[test]
fn a_tracked_hand_needs_no_search() {
    let (mut cascade, scene) = cascade(1, Scene { palms: vec![LEFT], ..Scene::default() });
    assert_eq!(run(&mut cascade, 30), vec![1; 30]);
    let scene = scene.lock().unwrap();
    assert_eq!((scene.searches, scene.looks), (1, 30));
}

#[test]
fn without_a_hand_every_frame_that_changes_is_searched() {
    let (mut cascade, scene) = cascade(2, Scene::default());
    assert_eq!(run_moving(&mut cascade, 70), vec![0; 70]);
    let scene = scene.lock().unwrap();
    assert_eq!((scene.searches, scene.looks), (70, 0));
}

#[test]
fn a_still_picture_is_searched_once_and_now_and_then() {
    let (mut cascade, scene) = cascade(2, Scene::default());
    run(&mut cascade, 30);
    assert_eq!(scene.lock().unwrap().searches, 1);
    run(&mut cascade, 61);
    assert_eq!(scene.lock().unwrap().searches, 4, "frames 1, 31, 61, 91");
    run_moving(&mut cascade, 1);
    run(&mut cascade, 5);
    assert_eq!(scene.lock().unwrap().searches, 6, "it changes and changes back");
    cascade.forget();
    run(&mut cascade, 1);
    assert_eq!(scene.lock().unwrap().searches, 7, "after a hole in the frames");
}

#[test]
fn a_still_picture_with_a_hint_of_a_hand_is_searched_in_each_view() {
    let hint = ([50.0, 96.0], -1.0);
    let (mut cascade, scene) = cascade(1, Scene { palms: vec![hint], ..Scene::default() });
    run(&mut cascade, 32);
    assert_eq!(kinds(&scene), [1, 0, 2]);
    run(&mut cascade, 60);
    assert_eq!(kinds(&scene), [1, 0], "and in the next one now and then");
    run_moving(&mut cascade, 1);
    assert_eq!(kinds(&scene), [1], "the whole frame when it changes");
}

/// The views of the last searches. The whole frame in its square leaves nearly a quarter black
/// (1), its middle nothing (0), and all of it with a margin about a half (2).
fn kinds(scene: &Mutex<Scene>) -> Vec<usize> {
    let beyond = std::mem::take(&mut scene.lock().unwrap().beyond);
    beyond.iter().map(|share| (share + 2) / 25).collect()
}

#[test]
fn what_is_missed_for_long_is_looked_at_from_near_and_far() {
    let hint = ([50.0, 96.0], -1.0);
    let (mut cascade, scene) = cascade(1, Scene { palms: vec![hint], ..Scene::default() });
    run_moving(&mut cascade, 8 + 5);
    assert_eq!(kinds(&scene), [&[1; 8][..], &[0, 1, 2, 1, 0]].concat());
    // Found, followed and lost again: the whole frame comes first.
    scene.lock().unwrap().palms = vec![LEFT];
    assert_eq!(run_moving(&mut cascade, 1), [1]);
    scene.lock().unwrap().palms = vec![hint];
    scene.lock().unwrap().presence = vec![0.1];
    kinds(&scene);
    run_moving(&mut cascade, 9);
    assert_eq!(kinds(&scene), [1; 8]);
}

#[test]
fn where_nothing_looks_like_a_palm_only_the_whole_frame_is_searched() {
    let (mut cascade, scene) = cascade(1, Scene::default());
    run_moving(&mut cascade, 30);
    assert_eq!(kinds(&scene), [1; 30]);
}

#[test]
fn one_hand_of_two_is_searched_for_now_and_then() {
    let (mut cascade, scene) = cascade(2, Scene { palms: vec![LEFT], ..Scene::default() });
    assert_eq!(run(&mut cascade, 91), vec![1; 91]);
    let scene = scene.lock().unwrap();
    assert_eq!((scene.searches, scene.looks), (4, 91), "frames 1, 31, 61, 91; one look each");
}

#[test]
fn a_second_hand_is_found_and_then_both_are_tracked() {
    let (mut cascade, scene) = cascade(2, Scene { palms: vec![LEFT], ..Scene::default() });
    run(&mut cascade, 5);
    scene.lock().unwrap().palms.push(RIGHT);
    assert_eq!(run(&mut cascade, 30), [[1; 25].as_slice(), &[2; 5]].concat());
    run(&mut cascade, 60);
    assert_eq!(scene.lock().unwrap().searches, 2, "two of two need no search");
}

#[test]
fn the_longest_tracked_hand_comes_first() {
    let (mut cascade, scene) = cascade(2, Scene { palms: vec![RIGHT], ..Scene::default() });
    run(&mut cascade, 1);
    scene.lock().unwrap().palms = vec![([50.0, 96.0], 9.0), RIGHT];
    run(&mut cascade, 30);
    let xs: Vec<f32> = cascade.hands.iter().map(|hand| hand.landmarks[0][0]).collect();
    assert!(xs.len() == 2 && xs[0] > xs[1], "{xs:?}");
}

#[test]
fn more_palms_than_hands_allowed_leave_the_best() {
    let palms = vec![LEFT, RIGHT, ([95.0, 30.0], 1.0)];
    let (mut one, _) = cascade(1, Scene { palms: palms.clone(), ..Scene::default() });
    assert_eq!(run(&mut one, 1), [1]);
    assert!(one.hands[0].landmarks[0][0] < 0.5, "the left one scores best");
    let (mut two, scene) = cascade(2, Scene { palms, ..Scene::default() });
    assert_eq!(run(&mut two, 3), [2, 2, 2]);
    assert_eq!(scene.lock().unwrap().looks, 6);
}

#[test]
fn a_lost_hand_is_searched_for_in_the_next_frame() {
    let presence = vec![0.9, 0.9, 0.5, 0.9];
    let (mut cascade, scene) =
        cascade(1, Scene { palms: vec![LEFT], presence, ..Scene::default() });
    assert_eq!(run(&mut cascade, 3), [1, 1, 0], "0.5 is not above the threshold");
    assert_eq!(scene.lock().unwrap().searches, 1);
    assert_eq!(run(&mut cascade, 1), [1]);
    assert_eq!(scene.lock().unwrap().searches, 2);
}

#[test]
fn a_palm_must_reach_the_threshold() {
    let at = |logit| {
        let palms = vec![([96.0, 96.0], logit)];
        let (mut cascade, _) = cascade(1, Scene { palms, ..Scene::default() });
        run(&mut cascade, 1)[0]
    };
    assert_eq!([at(-0.01), at(0.0), at(500.0), at(f32::NAN)], [0, 1, 1, 0]);
}

#[test]
fn landmarks_that_are_no_numbers_are_no_hand() {
    let scene = Scene { palms: vec![LEFT], broken_landmarks: true, ..Scene::default() };
    let (mut cascade, _) = cascade(1, scene);
    assert_eq!(run(&mut cascade, 2), [0, 0]);
}

#[test]
fn a_failing_model_is_an_error_and_the_next_frame_goes_on() {
    let scene = Scene { palms: vec![LEFT], refuse: true, ..Scene::default() };
    let (mut cascade, scene) = cascade(1, scene);
    let data = vec![0; WIDTH * HEIGHT * 3];
    let frame = Frame::rgb(WIDTH, HEIGHT, Plane { data: &data, stride: WIDTH * 3 }).unwrap();
    let error = cascade.detect(&frame).unwrap_err().to_string();
    assert_eq!(error, "model palm: running it failed: refused");
    scene.lock().unwrap().refuse = false;
    assert_eq!(run(&mut cascade, 1), [1]);
}

#[test]
fn another_frame_size_starts_anew() {
    let (mut cascade, scene) = cascade(1, Scene { palms: vec![LEFT], ..Scene::default() });
    run(&mut cascade, 2);
    let data = vec![0; 32 * 32 * 3];
    let frame = Frame::rgb(32, 32, Plane { data: &data, stride: 32 * 3 }).unwrap();
    cascade.detect(&frame).unwrap();
    assert_eq!(scene.lock().unwrap().searches, 2);
}

#[test]
fn the_label_left_is_the_signers_right_hand() {
    let (mut cascade, _) = cascade(1, Scene { palms: vec![LEFT], ..Scene::default() });
    run(&mut cascade, 1);
    let hand = &cascade.hands[0];
    assert_eq!((hand.handedness, hand.handedness_score), (Handedness::Right, 0.8));
}

#[test]
fn landmarks_are_fractions_of_the_frame() {
    // The palm's box is 20 of 192 of a 64-pixel square; its middle (96, 96) is the frame's.
    let palms = vec![([96.0, 96.0], 3.0)];
    let (mut cascade, _) = cascade(1, Scene { palms, ..Scene::default() });
    run(&mut cascade, 1);
    let [x, y, z] = cascade.hands[0].landmarks[0];
    let box_side = 20.0 / 192.0 * 64.0;
    let (size, centre_y) = (2.6 * box_side, 24.0 - 0.5 * box_side);
    assert!((x - 0.5).abs() < 1e-6 && z == 0.0);
    assert!((y - (centre_y + 0.3 * size) / 48.0).abs() < 1e-5, "{y}");
}
