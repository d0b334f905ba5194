//! Joint angles of a hand, and its proportions.

use crate::dice::Dice;
use crate::space::{Vec3, vec3};

/// Joint angles in degrees of a right hand; a left one is its mirror image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pose {
    /// Index to little finger: spread towards the thumb, then flexion of the
    /// base, middle and end joint.
    pub fingers: [[f32; 4]; 4],
    /// Metacarpal's direction (from the fingers' towards the thumb's side, then
    /// out of the palm), twist of the plane it bends in, flexion of its two joints.
    pub thumb: [f32; 5],
    /// Rotation from the hand's frame to the picture's: axis times degrees.
    pub turn: Vec3,
}

impl Pose {
    /// The pose `t` of the way from here to `to`, each angle on its own.
    #[must_use]
    pub fn lerp(&self, to: &Self, t: f32) -> Self {
        let mix = |a: f32, b: f32| a + (b - a) * t;
        let mut pose = *self;
        for (finger, to) in pose.fingers.iter_mut().zip(&to.fingers) {
            for (a, b) in finger.iter_mut().zip(to) {
                *a = mix(*a, *b);
            }
        }
        for (a, b) in pose.thumb.iter_mut().zip(&to.thumb) {
            *a = mix(*a, *b);
        }
        pose.turn = self.turn.lerp(to.turn, t);
        pose
    }

    /// The pose as someone repeats it: every angle a little off, `width`
    /// degrees at most (half of it in the joints).
    #[must_use]
    pub fn jitter(&self, dice: &mut Dice, width: f32) -> Self {
        let mut pose = *self;
        for finger in &mut pose.fingers {
            finger[0] += dice.about(width * 0.3);
            finger[1] += dice.about(width * 0.5);
            finger[2] += dice.about(width * 0.5);
            finger[3] += dice.about(width * 0.4);
        }
        for angle in &mut pose.thumb {
            *angle += dice.about(width * 0.3);
        }
        pose.turn = pose.turn + vec3(dice.about(width), dice.about(width), dice.about(width));
        pose
    }
}

/// Lengths of a hand in palm lengths (wrist to the middle finger's base).
#[derive(Clone, Debug)]
pub struct Build {
    /// Where the fingers' bases stand in the hand's frame.
    pub bases: [Vec3; 4],
    /// Lengths of the three bones of each finger.
    pub bones: [[f32; 3]; 4],
    /// Where the thumb's metacarpal begins.
    pub thumb_base: Vec3,
    /// Lengths of the thumb's three bones.
    pub thumb_bones: [f32; 3],
    /// Thickness, 1 for an average hand.
    pub girth: f32,
}

/// An average hand. Bone lengths are those with which joint angles explain the
/// landmarks that MediaPipe finds (so they include its view of where joints are).
const AVERAGE: Build = Build {
    bases: [
        vec3(0.31, 0.95, 0.02),
        vec3(0.08, 0.96, 0.0),
        vec3(-0.14, 0.90, 0.01),
        vec3(-0.34, 0.80, 0.03),
    ],
    bones: [[0.46, 0.29, 0.22], [0.48, 0.33, 0.23], [0.44, 0.32, 0.235], [0.36, 0.235, 0.20]],
    thumb_base: vec3(0.27, 0.19, 0.16),
    thumb_bones: [0.44, 0.36, 0.30],
    girth: 1.0,
};

impl Build {
    /// The average hand.
    #[must_use]
    pub fn average() -> Self {
        AVERAGE
    }

    /// Someone's hand. `spread` 1 gives people as they usually differ, larger
    /// values exaggerate.
    #[must_use]
    pub fn draw(dice: &mut Dice, spread: f32) -> Self {
        let mut build = AVERAGE;
        let mut scale = |width: f32| 1.0 + dice.about(width * spread);
        let (fingers, width, thumb) = (scale(0.07), scale(0.07), scale(0.06));
        for (base, bones) in build.bases.iter_mut().zip(&mut build.bones) {
            base.x *= width;
            base.y *= scale(0.02);
            let finger = fingers * scale(0.03);
            for bone in bones {
                *bone *= finger * scale(0.03);
            }
        }
        build.thumb_base.x *= width;
        for bone in &mut build.thumb_bones {
            *bone *= thumb;
        }
        build.girth = scale(0.10);
        build
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::letters;

    #[test]
    fn a_course_begins_and_ends_at_its_poses() {
        let (a, b) = (letters::pose('A'), letters::pose('W'));
        assert_eq!(a.lerp(&b, 0.0), a);
        assert!((a.lerp(&b, 1.0).turn - b.turn).len() < 1e-4);
    }

    #[test]
    fn people_differ_little() {
        for seed in 0..50 {
            let build = Build::draw(&mut Dice::new(seed, 0), 1.0);
            for (bones, usual) in build.bones.iter().zip(&AVERAGE.bones) {
                for (bone, usual) in bones.iter().zip(usual) {
                    assert!((bone / usual - 1.0).abs() < 0.15);
                }
            }
        }
    }
}
