//! Fingertips that touch keep touching, whatever the hand's proportions.

use crate::hand::Skeleton;
use crate::letters;
use crate::pose::{Build, Pose};
use crate::space::{Rotation, Vec3};

/// Landmark of the thumb's tip.
const THUMB_TIP: usize = 4;
/// Degrees by which one step may change an angle.
const STEP: f32 = 4.0;
/// Steps until the tips are as near as they should be; they halve the error.
const STEPS: usize = 12;

/// The landmark that the thumb's tip touches in a letter.
fn touched(letter: char) -> Option<usize> {
    match letter {
        'F' | 'O' => Some(8),
        'D' | 'Z' => Some(12),
        _ => None,
    }
}

fn gap(build: &Build, pose: &Pose, to: usize) -> f32 {
    let still = Rotation::about(Vec3::default());
    let joints = Skeleton::new(build, pose, &still).joints;
    (joints[THUMB_TIP] - joints[to]).len()
}

/// Bends the thumb until its tip is as far from the finger it touches as the
/// average hand's tip is in the letter's own pose. Letters that touch nothing
/// keep their pose.
#[must_use]
pub fn keep(letter: char, build: &Build, pose: &Pose) -> Pose {
    let mut pose = *pose;
    let Some(to) = touched(letter) else {
        return pose;
    };
    let wanted = gap(&Build::average(), &letters::pose(letter), to);
    for _ in 0..STEPS {
        let error = gap(build, &pose, to) - wanted;
        let slopes: [f32; 5] = std::array::from_fn(|i| {
            let mut bent = pose;
            bent.thumb[i] += 1.0;
            gap(build, &bent, to) - wanted - error
        });
        let steep = slopes.iter().map(|s| s * s).sum::<f32>().max(1e-9);
        for (angle, slope) in pose.thumb.iter_mut().zip(slopes) {
            *angle -= (0.7 * error * slope / steep).clamp(-STEP, STEP);
        }
    }
    pose
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Dice;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tips_touch_in_every_hand(seed in 0u64..5000) {
            let mut dice = Dice::new(seed, 0);
            let build = Build::draw(&mut dice, 1.0);
            for (letter, to) in [('O', 8), ('F', 8), ('D', 12)] {
                let pose = letters::pose(letter).jitter(&mut dice, 4.0);
                let wanted = gap(&Build::average(), &letters::pose(letter), to);
                let kept = gap(&build, &keep(letter, &build, &pose), to);
                prop_assert!((kept - wanted).abs() < 0.01, "{letter}: {kept} for {wanted}");
            }
        }
    }
}
