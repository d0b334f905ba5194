//! The rotated square in which a hand is looked at, and how it follows from a palm or from
//! the last frame's landmarks.
//!
//! Source: MediaPipe 0.10.21 `detections_to_rects_calculator.cc`,
//! `rect_transformation_calculator.cc`, `hand_landmarks_to_rect_calculator.cc` and their
//! graphs' options. Lengths are image pixels, y points down.

use std::f64::consts::{FRAC_PI_2, PI, TAU};

/// A point in image pixels.
pub type Point = [f64; 2];

/// Landmarks of a hand.
pub const LANDMARKS: usize = 21;

/// The knuckles that the box is drawn around: finger tips move too much.
const STABLE_POINTS: [usize; 12] = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18];

/// Smallest side in pixels that is looked at. A hand of less is not one that can be read.
const MIN_SIZE: f64 = 8.0;
/// Largest side in frame lengths. MediaPipe's own scaling gives 2.6 for a palm that fills the frame.
const MAX_FRAMES: f64 = 4.0;

/// A square of `size` pixels around (`cx`, `cy`), turned by `theta` (fingers up is 0, fingers
/// to the right a quarter turn).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Roi {
    /// Centre, pixels.
    pub cx: f64,
    /// Centre, pixels.
    pub cy: f64,
    /// Side, pixels.
    pub size: f64,
    /// Rotation, radians in [-pi, pi).
    pub theta: f64,
}

impl Roi {
    /// The whole frame in the middle of a square, for the palm stage.
    pub fn letterbox(width: usize, height: usize) -> Self {
        let (width, height) = (width as f64, height as f64);
        Self { cx: width / 2.0, cy: height / 2.0, size: width.max(height), theta: 0.0 }
    }

    /// From a palm's axis-aligned box (`low` and `high` corners) and the line from its wrist
    /// to the base of its middle finger.
    pub fn from_palm(low: Point, high: Point, wrist: Point, middle: Point) -> Self {
        let (width, height) = (high[0] - low[0], high[1] - low[1]);
        let theta = rotation(wrist, middle);
        Self {
            cx: (low[0] + high[0]) / 2.0 + 0.5 * height * theta.sin(),
            cy: (low[1] + high[1]) / 2.0 - 0.5 * height * theta.cos(),
            size: 2.6 * width.max(height),
            theta,
        }
    }

    /// Where the next frame's hand is expected, from this frame's landmarks.
    pub fn from_landmarks(points: &[Point; LANDMARKS]) -> Self {
        let towards =
            |axis: usize| ((points[5][axis] + points[13][axis]) / 2.0 + points[9][axis]) / 2.0;
        let theta = rotation(points[0], [towards(0), towards(1)]);
        let (sin, cos) = theta.sin_cos();
        let stable = STABLE_POINTS.map(|index| points[index]);
        let (low, high) = bounds(&stable);
        let middle = [(low[0] + high[0]) / 2.0, (low[1] + high[1]) / 2.0];
        let upright = stable.map(|[x, y]| {
            let (x, y) = (x - middle[0], y - middle[1]);
            [x * cos + y * sin, y * cos - x * sin]
        });
        let (low, high) = bounds(&upright);
        let (width, height) = (high[0] - low[0], high[1] - low[1]);
        let (x, y) = ((low[0] + high[0]) / 2.0, (low[1] + high[1]) / 2.0);
        Self {
            cx: middle[0] + x * cos - y * sin + 0.1 * height * sin,
            cy: middle[1] + x * sin + y * cos - 0.1 * height * cos,
            size: 2.0 * width.max(height),
            theta,
        }
    }

    /// Whether looking there makes sense: finite, neither tiny nor absurdly large, and its
    /// centre not further outside the frame than its own side.
    pub fn is_usable(&self, width: usize, height: usize) -> bool {
        let (width, height) = (width as f64, height as f64);
        let near = |centre: f64, length: f64| centre > -self.size && centre < length + self.size;
        self.theta.is_finite()
            && self.size >= MIN_SIZE
            && self.size <= MAX_FRAMES * width.max(height)
            && near(self.cx, width)
            && near(self.cy, height)
    }

    /// The image point at fractions (`u`, `v`) of the square, both from -0.5 to 0.5.
    pub fn to_image(&self, u: f64, v: f64) -> Point {
        let (sin, cos) = self.theta.sin_cos();
        [self.cx + self.size * (u * cos - v * sin), self.cy + self.size * (u * sin + v * cos)]
    }

    /// Intersection over union with another, rotations ignored (`association_calculator.h`).
    pub fn overlap(&self, other: &Self) -> f64 {
        let corners = |roi: &Self| {
            let half = roi.size / 2.0;
            ([roi.cx - half, roi.cy - half], [roi.cx + half, roi.cy + half])
        };
        intersection_over_union(corners(self), corners(other))
    }
}

/// Overlap of two axis-aligned boxes, given as (low corner, high corner); 0 if both are empty.
pub fn intersection_over_union(a: (Point, Point), b: (Point, Point)) -> f64 {
    let area =
        |(low, high): (Point, Point)| (high[0] - low[0]).max(0.0) * (high[1] - low[1]).max(0.0);
    let side = |axis: usize| (a.1[axis].min(b.1[axis]) - a.0[axis].max(b.0[axis])).max(0.0);
    let common = side(0) * side(1);
    let union = area(a) + area(b) - common;
    if union > 0.0 { common / union } else { 0.0 }
}

/// Angle from "fingers up" to the direction from `from` to `to`.
fn rotation(from: Point, to: Point) -> f64 {
    let angle = FRAC_PI_2 - (from[1] - to[1]).atan2(to[0] - from[0]);
    angle - TAU * ((angle + PI) / TAU).floor()
}

fn bounds(points: &[Point]) -> (Point, Point) {
    points.iter().fold(([f64::MAX; 2], [f64::MIN; 2]), |(low, high), &[x, y]| {
        ([low[0].min(x), low[1].min(y)], [high[0].max(x), high[1].max(y)])
    })
}

#[cfg(test)]
mod tests {
    use std::f64::consts::FRAC_PI_4;

    use proptest::prelude::*;

    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6
    }

    /// An upright hand of about 100 pixels, fingers spread.
    fn hand() -> [Point; LANDMARKS] {
        std::array::from_fn(|index| match index {
            0 => [0.0, 0.0],
            _ => {
                let (finger, joint) = ((index - 1) / 4, (index - 1) % 4);
                [finger as f64 * 12.0 - 24.0, -40.0 - joint as f64 * 20.0]
            }
        })
    }

    #[test]
    fn rotation_counts_from_fingers_up_clockwise() {
        assert!(close(rotation([0.0, 0.0], [0.0, -5.0]), 0.0));
        assert!(close(rotation([0.0, 0.0], [5.0, 0.0]), FRAC_PI_2));
        assert!(close(rotation([0.0, 0.0], [-5.0, 0.0]), -FRAC_PI_2));
        assert!(close(rotation([0.0, 0.0], [5.0, -5.0]), FRAC_PI_4));
        assert!(close(rotation([0.0, 0.0], [0.0, 5.0]).abs(), PI));
    }

    #[test]
    fn an_upright_palm_gives_a_square_that_reaches_to_the_fingers() {
        let roi = Roi::from_palm([100.0, 200.0], [160.0, 250.0], [130.0, 250.0], [130.0, 200.0]);
        // Half its height of 50 up; 2.6 times the longer side of 60.
        assert_eq!(roi, Roi { cx: 130.0, cy: 200.0, size: 156.0, theta: 0.0 });
    }

    #[test]
    fn an_upright_hand_is_boxed_by_its_stable_points() {
        let roi = Roi::from_landmarks(&hand());
        // Of joints 1, 2, 3 of the thumb and 5, 6 ... of the fingers the box is -24..24 wide
        // and -80..0 high; it moves up by a tenth of its height and doubles.
        assert!(close(roi.size, 160.0), "{roi:?}");
        assert!((roi.cx).abs() < 12.0 && (roi.cy + 48.0).abs() < 12.0, "{roi:?}");
    }

    #[test]
    fn degenerate_regions_are_not_usable() {
        let good = Roi { cx: 320.0, cy: 240.0, size: 200.0, theta: 1.0 };
        assert!(good.is_usable(640, 480));
        let bad = [
            Roi { size: 0.0, ..good },
            Roi { size: -5.0, ..good },
            Roi { size: f64::NAN, ..good },
            Roi { size: f64::INFINITY, ..good },
            Roi { size: 3000.0, ..good },
            Roi { cx: f64::NAN, ..good },
            Roi { cx: 900.0, ..good },
            Roi { cy: -201.0, ..good },
            Roi { theta: f64::NAN, ..good },
        ];
        for roi in bad {
            assert!(!roi.is_usable(640, 480), "{roi:?}");
        }
    }

    #[test]
    fn a_hand_of_one_point_is_no_region() {
        assert!(!Roi::from_landmarks(&[[50.0, 50.0]; LANDMARKS]).is_usable(640, 480));
    }

    #[test]
    fn overlap_ignores_rotation() {
        let a = Roi { cx: 0.0, cy: 0.0, size: 2.0, theta: 0.0 };
        assert!(close(a.overlap(&Roi { theta: 1.0, ..a }), 1.0));
        assert!(close(a.overlap(&Roi { cx: 1.0, ..a }), 1.0 / 3.0));
        assert!(close(a.overlap(&Roi { cx: 5.0, ..a }), 0.0));
        assert_eq!(Roi { size: 0.0, ..a }.overlap(&Roi { size: 0.0, ..a }), 0.0);
    }

    proptest! {
        #[test]
        fn the_region_turns_moves_and_grows_with_the_hand(
            turn in -3.0..3.0f64, dx in -500.0..500.0f64, dy in -500.0..500.0f64, scale in 0.5..4.0f64,
        ) {
            let place = |[x, y]: Point| -> Point {
                let (sin, cos) = turn.sin_cos();
                [dx + scale * (x * cos - y * sin), dy + scale * (x * sin + y * cos)]
            };
            let upright = Roi::from_landmarks(&hand());
            let turned = Roi::from_landmarks(&hand().map(place));
            let centre = place([upright.cx, upright.cy]);
            // Not exact: the box's first centre is that of the axis-aligned box.
            prop_assert!((turned.theta - upright.theta - turn).sin().abs() < 1e-9);
            prop_assert!((turned.size - scale * upright.size).abs() < 1e-6);
            prop_assert!((turned.cx - centre[0]).abs() < 1e-6);
            prop_assert!((turned.cy - centre[1]).abs() < 1e-6);
        }

        #[test]
        fn angles_stay_within_half_a_turn(points in prop::array::uniform4(-1e4..1e4f64)) {
            let [a, b, c, d] = points;
            let theta = rotation([a, b], [c, d]);
            prop_assert!((-PI..PI).contains(&theta), "{}", theta);
        }

        #[test]
        fn overlap_is_a_share_and_has_no_order(
            a in prop::array::uniform3(0.0..50.0f64), b in prop::array::uniform3(0.0..50.0f64),
        ) {
            let roi = |[cx, cy, size]: [f64; 3]| Roi { cx, cy, size, theta: 0.0 };
            let overlap = roi(a).overlap(&roi(b));
            prop_assert!((0.0..=1.0 + 1e-9).contains(&overlap));
            prop_assert!(close(overlap, roi(b).overlap(&roi(a))));
        }
    }
}
