//! The strokes of J and Z.

use crate::space::{Vec3, min_jerk, smooth, vec3};

/// A letter that is a motion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stroke {
    /// The little finger draws a J: down, then a hook while the palm turns
    /// to the signer's other side.
    J,
    /// The index finger draws a Z.
    Z,
}

/// What a stroke adds to the hand's place and turn.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Offset {
    /// Palm lengths to the picture's right and up, for a right hand.
    pub shift: (f32, f32),
    /// Axis times degrees, in the picture's frame.
    pub turn: Vec3,
}

/// Corners of the J as the viewer sees a right hand draw it.
const J: [(f32, f32); 7] = [
    (0.0, 0.0),
    (0.0, -0.22),
    (0.01, -0.44),
    (0.06, -0.60),
    (0.19, -0.68),
    (0.33, -0.62),
    (0.40, -0.48),
];
/// Corners of the Z, which the viewer sees mirrored.
const Z: [(f32, f32); 4] = [(0.0, 0.0), (-0.78, 0.04), (-0.06, -0.62), (-0.84, -0.60)];
/// Degrees by which the palm turns in a J.
const J_TURN: f32 = 62.0;
/// Degrees by which the hand leans into a Z, a palm length to the side.
const Z_LEAN: f32 = 15.0;

impl Stroke {
    /// The stroke of a letter, if it has one.
    #[must_use]
    pub fn of(letter: char) -> Option<Self> {
        match letter {
            'J' => Some(Self::J),
            'Z' => Some(Self::Z),
            _ => None,
        }
    }

    /// Where the stroke is after the share `t` (0 to 1) of its time.
    #[must_use]
    pub fn at(self, t: f32) -> Offset {
        match self {
            Self::J => Offset {
                shift: along(&J, min_jerk(t) * 0.7 + t * 0.3, 0.0),
                turn: vec3(
                    0.0,
                    J_TURN * smooth(0.30, 0.95, t),
                    12.0 * smooth(0.0, 0.5, t) - 22.0 * smooth(0.4, 1.0, t),
                ),
            },
            Self::Z => {
                let shift = along(&Z, min_jerk(t) * 0.4 + t * 0.6, 0.55);
                Offset { shift, turn: vec3(-8.0 * shift.1, 0.0, -Z_LEAN * shift.0) }
            }
        }
    }

    /// Where the stroke should begin, beside the hand's usual place, so that
    /// its middle is there. Palm lengths to the right and up.
    #[must_use]
    pub fn start(self) -> (f32, f32) {
        match self {
            Self::J => (-0.15, 0.30),
            Self::Z => (0.42, 0.28),
        }
    }
}

/// The point at the share `t` of a line's length; `rest` slows at its corners.
fn along(line: &[(f32, f32)], t: f32, rest: f32) -> (f32, f32) {
    let length = |p: &[(f32, f32)]| f32::hypot(p[1].0 - p[0].0, p[1].1 - p[0].1);
    let mut left = line.windows(2).map(length).sum::<f32>() * t;
    for piece in line.windows(2) {
        let l = length(piece);
        if left <= l {
            let u = left / l;
            let u = u + (smooth(0.0, 1.0, u) - u) * rest;
            let (a, b) = (piece[0], piece[1]);
            return (a.0 + (b.0 - a.0) * u, a.1 + (b.1 - a.1) * u);
        }
        left -= l;
    }
    line[line.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strokes_begin_where_the_hand_is_and_end_at_their_last_corner() {
        for (stroke, end) in [(Stroke::J, J[6]), (Stroke::Z, Z[3])] {
            let first = stroke.at(0.0).shift;
            assert!(first.0.abs() < 1e-6 && first.1.abs() < 1e-6);
            let last = stroke.at(1.0).shift;
            assert!((last.0 - end.0).abs() < 1e-3 && (last.1 - end.1).abs() < 1e-3);
        }
    }

    #[test]
    fn no_frame_of_a_stroke_jumps() {
        for stroke in [Stroke::J, Stroke::Z] {
            for frame in 0..15 {
                let (a, b) = (
                    stroke.at(frame as f32 / 15.0).shift,
                    stroke.at((frame + 1) as f32 / 15.0).shift,
                );
                assert!(f32::hypot(b.0 - a.0, b.1 - a.1) < 0.45);
            }
        }
    }

    #[test]
    fn only_j_and_z_move() {
        let moving: String = ('A'..='Z').filter(|c| Stroke::of(*c).is_some()).collect();
        assert_eq!(moving, "JZ");
    }
}
