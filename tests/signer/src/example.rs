//! Single poses with more variety than one signer shows: for training.

use crate::dice::Dice;
use crate::hand::{self, Side, View};
use crate::letters;
use crate::pose::Build;
use crate::space::{Rotation, vec3};
use crate::touch;

/// How far examples of a letter may differ.
#[derive(Clone, Copy, Debug)]
pub struct Variety {
    /// Of proportions: 1 as people usually differ.
    pub build: f32,
    /// Of joint angles, in degrees.
    pub joints: f32,
    /// Of the view's direction, in degrees.
    pub view: f32,
}

impl Default for Variety {
    fn default() -> Self {
        Self { build: 2.0, joints: 12.0, view: 22.0 }
    }
}

/// Landmarks of a letter's pose (see [`hand::landmarks`]), one of many.
#[must_use]
pub fn landmarks(letter: char, seed: u64, side: Side, variety: &Variety) -> [[f32; 3]; 21] {
    let mut dice = Dice::new(seed, 0xe8a + letter as u64);
    let build = Build::draw(&mut dice, variety.build);
    let mut pose = letters::pose(letter).jitter(&mut dice, variety.joints);
    // The joints' variety is not the view's.
    pose.turn = letters::pose(letter).turn;
    let mut angle = || dice.about(variety.view);
    pose = touch::keep(letter, &build, &pose);
    let turn = Rotation::about(vec3(angle(), angle(), angle()));
    let view = View {
        place: (dice.within(250.0, 390.0), dice.within(220.0, 270.0)),
        palm: dice.within(70.0, 120.0),
        turn,
        side,
    };
    hand::landmarks(&build, &pose, &view)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_differ_and_come_again() {
        let one = |seed| landmarks('K', seed, Side::Right, &Variety::default());
        assert_eq!(one(1), one(1));
        assert_ne!(one(1), one(2));
    }
}
