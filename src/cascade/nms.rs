//! Weighted non-maximum suppression: boxes that mean the same palm become their mean.
//!
//! Source: MediaPipe 0.10.21 `non_max_suppression_calculator.cc`, mode WEIGHTED.

use super::roi::{Point, intersection_over_union};

/// Key points of a palm: wrist, four finger bases, thumb's two.
pub const KEYPOINTS: usize = 7;

/// Boxes that overlap the best one by more than this are taken for the same palm.
pub const SAME_PALM: f64 = 0.3;

/// One judged box, in fractions of the letterboxed square.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Probability, 0..1.
    pub score: f64,
    /// Corner with the smaller coordinates.
    pub low: Point,
    /// Corner with the larger coordinates.
    pub high: Point,
    /// Wrist, index, middle, ring and little finger's base, thumb's base and joint.
    pub keypoints: [Point; KEYPOINTS],
}

impl Detection {
    fn overlap(&self, other: &Self) -> f64 {
        intersection_over_union((self.low, self.high), (other.low, other.high))
    }
}

/// Puts one detection a palm into `palms` (cleared first), best first. `found` is used up.
///
/// Each takes the best remaining score; its corners and key points are the score-weighted
/// means over all remaining boxes that overlap the best one by more than [`SAME_PALM`].
pub fn weighted_nms(found: &mut Vec<Detection>, palms: &mut Vec<Detection>) {
    palms.clear();
    found.sort_unstable_by(|a, b| b.score.total_cmp(&a.score));
    while let Some(&best) = found.first() {
        palms.push(mean_of(best, found));
        // The best itself goes too: a box of no area overlaps nothing, not even itself.
        let mut first = true;
        found.retain(|other| !std::mem::take(&mut first) && best.overlap(other) <= SAME_PALM);
    }
}

/// The score-weighted mean of `best` and all that overlap it.
fn mean_of(best: Detection, found: &[Detection]) -> Detection {
    let mut total = 0.0;
    let mut sum = Detection {
        score: best.score,
        low: [0.0; 2],
        high: [0.0; 2],
        keypoints: [[0.0; 2]; KEYPOINTS],
    };
    for detection in found.iter().filter(|other| best.overlap(other) > SAME_PALM) {
        total += detection.score;
        let from = [detection.low, detection.high].into_iter().chain(detection.keypoints);
        for (sum, point) in points_mut(&mut sum).zip(from) {
            sum[0] += point[0] * detection.score;
            sum[1] += point[1] * detection.score;
        }
    }
    if total <= 0.0 {
        return best;
    }
    for point in points_mut(&mut sum) {
        *point = point.map(|value| value / total);
    }
    sum
}

fn points_mut(detection: &mut Detection) -> impl Iterator<Item = &mut Point> {
    [&mut detection.low, &mut detection.high].into_iter().chain(&mut detection.keypoints)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use proptest::prelude::*;

    use super::*;

    fn palm(score: f64, x: f64, y: f64, size: f64) -> Detection {
        let (low, high) = ([x, y], [x + size, y + size]);
        Detection { score, low, high, keypoints: [[x + size / 2.0, y]; KEYPOINTS] }
    }

    fn suppress(found: &[Detection]) -> Vec<Detection> {
        let mut palms = vec![palm(1.0, 9.0, 9.0, 9.0)];
        weighted_nms(&mut found.to_vec(), &mut palms);
        palms
    }

    #[test]
    fn neighbours_become_their_weighted_mean_with_the_best_score() {
        let palms = suppress(&[palm(0.6, 0.1, 0.0, 1.0), palm(0.9, 0.0, 0.0, 1.0)]);
        assert_eq!(palms.len(), 1);
        assert_eq!(palms[0].score, 0.9);
        // 0.1 weighs 0.6 of 1.5.
        assert!((palms[0].low[0] - 0.04).abs() < 1e-12);
        assert!((palms[0].high[0] - 1.04).abs() < 1e-12);
        assert!((palms[0].keypoints[6][0] - 0.54).abs() < 1e-12);
    }

    #[test]
    fn an_overlap_of_exactly_the_limit_is_another_palm() {
        // Two 13 x 10 boxes that share 6 x 10: 60 of 200.
        let wide = |score, x: f64| Detection { high: [x + 13.0, 10.0], ..palm(score, x, 0.0, 1.0) };
        assert_eq!(suppress(&[wide(0.9, 0.0), wide(0.8, 7.0)]).len(), 2);
        assert_eq!(suppress(&[wide(0.9, 0.0), wide(0.8, 6.99)]).len(), 1);
    }

    #[test]
    fn nothing_found_leaves_nothing() {
        assert_eq!(suppress(&[]), []);
    }

    fn detections() -> impl Strategy<Value = Vec<Detection>> {
        let one = (0.5..=1.0, 0.0..1.0, 0.0..1.0, prop_oneof![9 => 0.0..0.5, 1 => Just(0.0)]);
        prop::collection::vec(one.prop_map(|(score, x, y, size)| palm(score, x, y, size)), 0..40)
    }

    proptest! {
        #[test]
        fn every_palm_stands_for_somebody_and_nobody_is_left(found in detections()) {
            let palms = suppress(&found);
            prop_assert_eq!(palms.is_empty(), found.is_empty());
            prop_assert!(palms.len() <= found.len());
            let scores: Vec<f64> = palms.iter().map(|palm| palm.score).collect();
            prop_assert!(scores.is_sorted_by(|a, b| a >= b), "best first: {:?}", scores);
            // Greedy by definition: whoever is best among the rest starts a palm and takes
            // all that overlap it.
            let mut rest = found.clone();
            rest.sort_by(|a, b| b.score.total_cmp(&a.score));
            for palm in &palms {
                let best = rest[0];
                prop_assert_eq!(palm.score, best.score);
                let taken = |other: &Detection| *other == best || best.overlap(other) > SAME_PALM;
                let within = |axis: usize| {
                    let lows = rest.iter().filter(|o| taken(o)).map(|o| o.low[axis]);
                    let (least, most) = lows.fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(v), b.max(v)));
                    palm.low[axis] >= least - 1e-9 && palm.low[axis] <= most + 1e-9
                };
                prop_assert!(within(0) && within(1), "a mean lies among what it is made of");
                rest.retain(|other| !taken(other));
            }
            prop_assert!(rest.is_empty(), "{} boxes belong to no palm", rest.len());
        }

        #[test]
        fn the_order_of_boxes_does_not_matter(found in detections()) {
            let mut reversed = found.clone();
            reversed.reverse();
            let (a, b) = (suppress(&found), suppress(&reversed));
            prop_assert_eq!(a.len(), b.len());
            for (a, b) in a.iter().zip(&b) {
                prop_assert!((a.low[0] - b.low[0]).abs() < 1e-9);
            }
        }

        #[test]
        fn palms_far_apart_are_untouched(scores in prop::collection::vec(0.5..1.0, 1..10)) {
            let found: Vec<_> = (0..).zip(&scores).map(|(i, &s)| palm(s, f64::from(i), 0.0, 0.5)).collect();
            let mut palms = suppress(&found);
            palms.sort_by(|a, b| a.low[0].total_cmp(&b.low[0]));
            prop_assert_eq!(palms.len(), found.len());
            for (palm, found) in palms.iter().zip(&found) {
                prop_assert!((palm.low[0] - found.low[0]).abs() < 1e-9);
            }
        }
    }
}
