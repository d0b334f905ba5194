//! A made-up room behind the signer, out of focus.

use crate::dice::{Dice, cloud};
use crate::hand::PICTURE;
use crate::space::{Vec3, smooth, vec3};

/// A blurred box: centre, half its size, corner turn in radians, blur, colour, opacity.
struct Thing {
    at: (f32, f32),
    half: (f32, f32),
    turn: f32,
    blur: f32,
    colour: Vec3,
    opacity: f32,
}

impl Thing {
    /// How much of the pixel it covers.
    fn cover(&self, x: f32, y: f32) -> f32 {
        let (sin, cos) = self.turn.sin_cos();
        let (dx, dy) = (x - self.at.0, y - self.at.1);
        let (u, v) = (dx * cos + dy * sin, dy * cos - dx * sin);
        let edge = |d: f32, half: f32| smooth(half + self.blur, half - self.blur, d.abs());
        edge(u, self.half.0) * edge(v, self.half.1) * self.opacity
    }
}

fn tint(dice: &mut Dice, light: (f32, f32), colourful: f32) -> Vec3 {
    let l = dice.within(light.0, light.1);
    let mut channel = || l * (1.0 + dice.about(colourful));
    vec3(channel(), channel(), channel())
}

fn furniture(dice: &mut Dice) -> Vec<Thing> {
    let (w, h) = (PICTURE.0 as f32, PICTURE.1 as f32);
    let mut things = Vec::new();
    let desk = h * dice.within(0.80, 0.97);
    things.push(Thing {
        at: (w / 2.0, desk + 200.0),
        half: (w, 200.0),
        turn: dice.about(0.02),
        blur: 10.0,
        colour: vec3(0.16, 0.10, 0.06) * dice.within(0.6, 1.8),
        opacity: 1.0,
    });
    let window = dice.unit() * w;
    things.push(Thing {
        at: (window, h * dice.within(0.1, 0.4)),
        half: (dice.within(50.0, 110.0), dice.within(70.0, 130.0)),
        turn: dice.about(0.02),
        blur: dice.within(12.0, 22.0),
        colour: vec3(0.62, 0.70, 0.76) * dice.within(0.5, 1.0),
        opacity: dice.within(0.3, 0.8),
    });
    let shelf = (dice.unit() * w, h * dice.within(0.25, 0.7));
    for _ in 0..6 + dice.draw() % 6 {
        let tall = dice.within(22.0, 48.0);
        things.push(Thing {
            at: (shelf.0 + dice.about(150.0), shelf.1 - tall),
            half: (dice.within(8.0, 22.0), tall),
            turn: dice.about(0.05),
            blur: dice.within(6.0, 11.0),
            colour: tint(dice, (0.04, 0.30), 0.7),
            opacity: dice.within(0.5, 0.9),
        });
    }
    things.push(Thing {
        at: (shelf.0, shelf.1 + 6.0),
        half: (170.0, 7.0),
        turn: 0.0,
        blur: 7.0,
        colour: tint(dice, (0.05, 0.2), 0.3),
        opacity: 0.8,
    });
    things
}

/// Draws the room of a seed: linear light, row by row, one colour a pixel.
#[must_use]
pub fn room(seed: u64) -> Vec<Vec3> {
    let mut dice = Dice::new(seed, 0xbac);
    let wall = tint(&mut dice, (0.10, 0.34), 0.25);
    let (slope_x, slope_y) = (dice.about(0.5), dice.about(0.35));
    let layer = dice.draw() as u32;
    let things = furniture(&mut dice);
    let (w, h) = (PICTURE.0 as f32, PICTURE.1 as f32);
    let mut room = Vec::with_capacity(PICTURE.0 * PICTURE.1);
    for row in 0..PICTURE.1 {
        for column in 0..PICTURE.0 {
            let (x, y) = (column as f32, row as f32);
            let (u, v) = (x / w - 0.5, y / h - 0.5);
            let uneven =
                cloud(x / 90.0, y / 90.0, layer) + 0.5 * cloud(x / 31.0, y / 31.0, layer ^ 1);
            let light = 1.0 + u * slope_x + v * slope_y + 0.05 * uneven;
            let mut colour = wall * light;
            for thing in &things {
                colour = colour.lerp(thing.colour * light, thing.cover(x, y));
            }
            let corners = 1.0 - 0.5 * (u * u + v * v);
            room.push(colour * corners);
        }
    }
    room
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_not_flat_and_differ_by_seed() {
        let (a, b) = (room(1), room(2));
        let spread = |room: &[Vec3]| {
            let low = room.iter().map(|c| c.y).fold(f32::MAX, f32::min);
            room.iter().map(|c| c.y).fold(0.0, f32::max) - low
        };
        assert!(spread(&a) > 0.05 && spread(&b) > 0.05);
        assert_ne!(a, b);
        assert_eq!(a, room(1));
    }
}
