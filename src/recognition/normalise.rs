//! From hands in picture fractions to the classifier's tensor.
//!
//! The same arithmetic stands in `models/fingerspelling/train/windows.py`; the
//! parity test compares both on windows that the training code wrote.

use crate::cascade::{Hand, Handedness, LANDMARKS};
use crate::model::manifest::ELEMENT_VALUES;

/// Values of one element: x, y, z of each landmark, then 1 for "a hand".
pub const ELEMENT_LEN: usize = LANDMARKS * 3 + 1;
const _: () = assert!(ELEMENT_LEN == ELEMENT_VALUES, "manifests are checked by it");
/// Values beyond this many palm lengths are cut: no hand reaches so far within
/// a window, but a damaged landmark does.
const REACH: f32 = 8.0;
/// A palm is at least this long, in picture widths, so that a hand collapsed
/// into a point divides by something.
const SHORTEST_PALM: f32 = 1e-3;
/// Knuckles of index, middle, ring and little finger; their mean distance
/// from the wrist is the palm length here: steadier than a single one.
const KNUCKLES: [usize; 4] = [5, 9, 13, 17];

/// A hand's wrist in picture widths, both axes; `aspect` is height / width.
#[must_use]
pub fn wrist(hand: &Hand, aspect: f32) -> [f32; 2] {
    let [x, y, _] = hand.landmarks[0];
    [x, y * aspect]
}

/// A hand's palm length in picture widths: mean distance, in depth too, from the
/// wrist to the four knuckles.
#[must_use]
pub fn palm(hand: &Hand, aspect: f32) -> f32 {
    let scale = [1.0, aspect, 1.0];
    let distance = |k: usize| -> f32 {
        (0..3)
            .map(|a| (hand.landmarks[k][a] - hand.landmarks[0][a]) * scale[a])
            .map(|d| d * d)
            .sum::<f32>()
            .sqrt()
    };
    let mean = KNUCKLES.iter().map(|&k| distance(k)).sum::<f32>() / KNUCKLES.len() as f32;
    mean.max(SHORTEST_PALM)
}

/// Fills the classifier's input for a window of frames, oldest first, `None` where a
/// frame showed no hand: `window.len()` rows of [`ELEMENT_LEN`] values.
///
/// Place and size are taken from the newest hand for the whole window (its
/// wrist is the origin, its palm length the unit), so that motion within the
/// window stays. A left hand is mirrored into a right one; the side is decided
/// once for the window by the sum of the scores, because the landmark model
/// errs in single frames. Without any hand all values are 0.
///
/// `aspect` is the picture's height / width.
pub fn tensor(window: &[Option<Hand>], aspect: f32, out: &mut [f32]) {
    assert_eq!(out.len(), window.len() * ELEMENT_LEN, "the buffer is one window");
    out.fill(0.0);
    let Some(newest) = window.iter().rev().flatten().next() else { return };
    let unit = palm(newest, aspect);
    let [x0, y0] = wrist(newest, aspect);
    let mirror = match signing_side(window) {
        Handedness::Left => -1.0,
        Handedness::Right => 1.0,
    };
    for (row, hand) in out.chunks_exact_mut(ELEMENT_LEN).zip(window) {
        let Some(hand) = hand else { continue };
        for (value, [x, y, z]) in row.chunks_exact_mut(3).zip(&hand.landmarks) {
            value[0] = bounded(mirror * (x - x0) / unit);
            value[1] = bounded((y * aspect - y0) / unit);
            value[2] = bounded(z / unit);
        }
        row[ELEMENT_LEN - 1] = 1.0;
    }
}

/// NaN becomes 0: a broken landmark must not poison the whole result.
fn bounded(value: f32) -> f32 {
    if value.is_nan() { 0.0 } else { value.clamp(-REACH, REACH) }
}

/// The side with the larger sum of scores; right where they are equal.
fn signing_side(window: &[Option<Hand>]) -> Handedness {
    let balance: f32 = window
        .iter()
        .flatten()
        .map(|hand| match hand.handedness {
            Handedness::Left => -hand.handedness_score,
            Handedness::Right => hand.handedness_score,
        })
        .sum();
    if balance < 0.0 { Handedness::Left } else { Handedness::Right }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at a surprise")]

    use super::*;
    use proptest::prelude::*;

    const ASPECT: f32 = 0.75;

    fn tensor(window: &[Option<Hand>], aspect: f32) -> Vec<f32> {
        let mut out = vec![f32::NAN; window.len() * ELEMENT_LEN];
        super::tensor(window, aspect, &mut out);
        out
    }

    fn hand(points: &[f32], handedness: Handedness) -> Hand {
        let mut landmarks = [[0.0; 3]; LANDMARKS];
        for (l, p) in landmarks.iter_mut().zip(points.chunks_exact(3)) {
            l.copy_from_slice(p);
        }
        Hand { landmarks, handedness, handedness_score: 0.9, presence: 1.0 }
    }

    fn points() -> impl Strategy<Value = Vec<f32>> {
        // Knuckles away from the wrist, as in any hand.
        prop::collection::vec(0.0_f32..0.4, LANDMARKS * 3).prop_map(|mut v| {
            v[..3].copy_from_slice(&[0.6, 0.8, 0.0]);
            v
        })
    }

    fn moved(hand: &Hand, dx: f32, dy: f32, scale: f32) -> Hand {
        let mut out = *hand;
        for l in &mut out.landmarks {
            *l = [l[0] * scale + dx, l[1] * scale + dy, l[2] * scale];
        }
        out
    }

    fn mirrored(hand: &Hand) -> Hand {
        let mut out = *hand;
        out.landmarks.iter_mut().for_each(|l| l[0] = 1.0 - l[0]);
        out.handedness = match hand.handedness {
            Handedness::Left => Handedness::Right,
            Handedness::Right => Handedness::Left,
        };
        out
    }

    #[derive(serde::Deserialize)]
    struct Parity {
        aspect: f32,
        windows: Vec<Case>,
    }

    #[derive(serde::Deserialize)]
    struct Case {
        frames: Vec<Option<Frame>>,
        rows: Vec<f32>,
    }

    #[derive(serde::Deserialize)]
    struct Frame {
        side: String,
        score: f32,
        landmarks: [[f32; 3]; LANDMARKS],
    }

    /// `models/fingerspelling/train/parity.py` wrote the file.
    #[test]
    fn tensor_is_what_training_made_of_the_same_windows() {
        let text = include_str!("../../models/fingerspelling/train/parity.json");
        let parity: Parity = serde_json::from_str(text).unwrap();
        assert_eq!(parity.windows.len(), 2);
        for case in parity.windows {
            let hand = |f: Frame| Hand {
                landmarks: f.landmarks,
                handedness: if f.side == "left" { Handedness::Left } else { Handedness::Right },
                handedness_score: f.score,
                presence: 1.0,
            };
            let window: Vec<_> = case.frames.into_iter().map(|f| f.map(hand)).collect();
            assert!(window.iter().any(Option::is_none));
            let rows = tensor(&window, parity.aspect);
            assert_eq!(rows.len(), case.rows.len());
            for (i, (a, b)) in rows.iter().zip(&case.rows).enumerate() {
                assert!((a - b).abs() < 2e-4, "value {i}: {a} here, {b} in training");
            }
        }
    }

    fn close(a: &[f32], b: &[f32]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 2e-3)
    }

    #[test]
    fn window_without_a_hand_is_all_zero() {
        assert_eq!(tensor(&[None; 10], ASPECT), vec![0.0; 10 * ELEMENT_LEN]);
    }

    #[test]
    fn frame_without_a_hand_is_a_row_of_zeros() {
        let p = hand(&[0.3; 63], Handedness::Right);
        let out = tensor(&[None, Some(p)], ASPECT);
        assert_eq!(out[..ELEMENT_LEN], [0.0; ELEMENT_LEN]);
        assert_eq!(out[2 * ELEMENT_LEN - 1], 1.0);
    }

    #[test]
    fn landmarks_that_are_no_numbers_stay_out_of_the_tensor() {
        let mut p = hand(&[0.3; 63], Handedness::Right);
        p.landmarks[8] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        assert!(tensor(&[Some(p)], ASPECT).iter().all(|v| v.abs() <= REACH));
    }

    proptest! {
        #[test]
        fn place_and_size_in_the_picture_do_not_matter(
            p in points(), q in points(),
            dx in -0.3_f32..0.3, dy in -0.3_f32..0.3, scale in 0.5_f32..1.5,
        ) {
            let window = [Some(hand(&p, Handedness::Right)), Some(hand(&q, Handedness::Right))];
            let shifted = window.map(|e| e.map(|e| moved(&e, dx, dy, scale)));
            prop_assert!(close(&tensor(&window, ASPECT), &tensor(&shifted, ASPECT)));
        }

        #[test]
        fn left_hand_gives_the_mirrored_right_hands_tensor(p in points(), q in points()) {
            let window = [Some(hand(&p, Handedness::Right)), None, Some(hand(&q, Handedness::Right))];
            let other = window.map(|e| e.map(|e| mirrored(&e)));
            prop_assert!(close(&tensor(&window, ASPECT), &tensor(&other, ASPECT)));
        }

        #[test]
        fn one_wrong_side_among_several_changes_nothing(p in points(), wrong in 0_usize..10) {
            let mut window = [Some(hand(&p, Handedness::Left)); 10];
            let expected = tensor(&window, ASPECT);
            window[wrong].as_mut().unwrap().handedness = Handedness::Right;
            prop_assert_eq!(tensor(&window, ASPECT), expected);
        }

        #[test]
        fn motion_within_the_window_stays(p in points(), dx in 0.05_f32..0.2) {
            let old = hand(&p, Handedness::Right);
            let new = moved(&old, dx, 0.0, 1.0);
            let out = tensor(&[Some(old), Some(new)], ASPECT);
            let expected = -dx / palm(&new, ASPECT);
            prop_assert!((out[0] - expected.max(-REACH)).abs() < 1e-2, "{} {}", out[0], expected);
            prop_assert_eq!(out[ELEMENT_LEN], 0.0);
        }
    }
}
