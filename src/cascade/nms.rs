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
