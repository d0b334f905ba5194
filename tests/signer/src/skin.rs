//! What the light makes of a point of the surface.

use crate::body::{Body, Cone, Part};
use crate::dice::{Dice, cloud};
use crate::space::{Vec3, smooth, vec3};

/// Colours of one signer and one lamp, in linear light.
#[derive(Clone, Debug)]
pub struct Look {
    /// The hand's back.
    skin: Vec3,
    /// Its inside.
    palm: Vec3,
    cloth: Vec3,
    /// Direction towards the lamp; y downwards.
    pub lamp: Vec3,
    lamp_colour: Vec3,
    ambient: f32,
    layer: u32,
}

/// Lines of the palm in its frame: heart, head and life line.
const LINES: [&[(f32, f32)]; 3] = [
    &[(-0.42, 0.66), (-0.20, 0.63), (0.02, 0.70), (0.12, 0.84)],
    &[(0.38, 0.66), (0.15, 0.60), (-0.10, 0.50), (-0.30, 0.36)],
    &[(0.38, 0.68), (0.20, 0.60), (0.07, 0.42), (0.02, 0.18)],
];

impl Look {
    /// The look of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 0x100c);
        let tones = [
            vec3(0.62, 0.37, 0.26),
            vec3(0.54, 0.30, 0.20),
            vec3(0.42, 0.22, 0.135),
            vec3(0.29, 0.145, 0.085),
        ];
        let tone = dice.unit() * 2.999;
        let (at, t) = (tone as usize, tone.fract());
        let skin = tones[at].lerp(tones[at + 1], t) * dice.within(0.92, 1.08);
        let pale = vec3(0.64, 0.38, 0.29);
        Self {
            skin,
            palm: skin.lerp(pale, 0.32),
            cloth: vec3(dice.unit(), dice.unit(), dice.unit()) * 0.25 + vec3(0.02, 0.02, 0.03),
            lamp: vec3(dice.about(0.9), -dice.within(0.4, 0.9), dice.within(0.7, 1.1)).unit(),
            lamp_colour: vec3(1.0, dice.within(0.9, 1.0), dice.within(0.78, 0.98))
                * dice.within(0.95, 1.25),
            ambient: dice.within(0.30, 0.45),
            layer: dice.draw() as u32,
        }
    }

    /// Light that a surface point sends to the camera. `open` and `lit` are the
    /// shares, 0 to 1, of the surroundings and of the lamp that reach it.
    #[must_use]
    pub fn shade(&self, body: &Body, cone: usize, p: Vec3, n: Vec3, open: f32, lit: f32) -> Vec3 {
        let c = &body.cones[cone];
        let (albedo, gloss) = match c.part {
            Part::Sleeve => (self.cloth(body, c, p), 0.0),
            _ => self.flesh(body, c, cone as u32, p, n),
        };
        let facing = n.dot(self.lamp);
        // Light that went through skin comes out red beyond the shadow's edge.
        let wrap = |w: f32| ((facing + w) / (1.0 + w)).max(0.0);
        let key = vec3(wrap(0.30), wrap(0.16), wrap(0.12)) * lit;
        let sky = self.ambient * (0.75 - 0.25 * n.y) * open;
        let bounce = vec3(1.0, 0.86, 0.80) * (0.10 * (0.4 + 0.6 * (1.0 - open)));
        let half = (self.lamp + vec3(0.0, 0.0, 1.0)).unit();
        let shine = gloss * n.dot(half).max(0.0).powi(24) * lit;
        let light = |k: f32, lamp: f32, sky: f32| k * lamp + sky;
        vec3(
            albedo.x * (light(key.x, self.lamp_colour.x, sky) + bounce.x),
            albedo.y * (light(key.y, self.lamp_colour.y, sky) + bounce.y),
            albedo.z * (light(key.z, self.lamp_colour.z, sky) + bounce.z),
        ) + self.lamp_colour * shine
    }

    fn cloth(&self, body: &Body, c: &Cone, p: Vec3) -> Vec3 {
        let along = (p - c.a).dot((c.b - c.a).unit()) / body.palm;
        let rib = 0.92 + 0.08 * (along * 90.0).sin();
        let cuff = 1.0 - 0.25 * smooth(0.03, 0.0, (along - 0.22).abs());
        self.cloth * (rib * cuff)
    }

    /// Colour and gloss of skin or nail.
    fn flesh(&self, body: &Body, c: &Cone, layer: u32, p: Vec3, n: Vec3) -> (Vec3, f32) {
        let axis = c.b - c.a;
        let t = (p - c.a).dot(axis) / axis.dot(axis).max(1e-6);
        let inner = n.dot(c.inside);
        let along = t * axis.len() / body.palm;
        let across = n.dot(axis.cross(c.inside).unit());
        let mut colour = self.skin.lerp(self.palm, smooth(-0.25, 0.45, inner));
        let mottle = cloud(along * 9.0 + 50.0, across * 2.0 + inner, layer ^ self.layer)
            + 0.6 * cloud(along * 31.0, across * 6.0 + inner * 5.0, layer ^ self.layer ^ 7);
        colour = colour * (1.0 + 0.045 * mottle);
        let blood = match c.part {
            Part::Tip(_) => 0.16 * smooth(0.2, 1.0, t),
            Part::Palm => 0.05,
            _ => 0.06 * smooth(0.35, 0.0, t.min(1.0 - t)),
        };
        colour = vec3(colour.x, colour.y * (1.0 - blood), colour.z * (1.0 - 0.8 * blood));
        colour = colour * (1.0 - self.creases(body, c, p, t, along, inner));
        let mut gloss = 0.035;
        if matches!(c.part, Part::Tip(_)) {
            let nail = smooth(0.30, 0.42, t)
                * smooth(1.42, 1.28, t)
                * smooth(-0.42, -0.58, inner)
                * smooth(0.78, 0.66, across.abs());
            let plate = colour.lerp(vec3(0.70, 0.44, 0.38), 0.35);
            colour = colour.lerp(plate, 0.75 * nail);
            gloss += 0.12 * nail;
        }
        (colour, gloss)
    }

    /// How much darker skin is where it folds.
    fn creases(&self, body: &Body, c: &Cone, p: Vec3, t: f32, along: f32, inner: f32) -> f32 {
        let fold = |d: f32, width: f32| smooth(width, 0.0, d.abs());
        match c.part {
            Part::Palm => {
                let d = p - body.frame[0];
                let s2 = 1.0 / (body.palm * body.palm);
                let (x, y) = (d.dot(body.frame[1]) * s2, d.dot(body.frame[2]) * s2);
                let line = LINES.iter().map(|l| distance(l, x, y)).fold(1.0, f32::min);
                let wrist = fold(y + 0.06, 0.022) * 0.8;
                let lines = fold(line, 0.020).max(wrist);
                0.24 * lines * smooth(0.25, 0.7, inner)
            }
            Part::Sleeve => 0.0,
            Part::Root(_) | Part::Bone(_) | Part::Tip(_) => {
                let bone = along / t.abs().max(1e-3) * t.signum();
                let start = fold(along, 0.020).max(0.6 * fold(along + 0.035, 0.014));
                let end = match c.part {
                    Part::Tip(_) => 0.0,
                    _ => fold(along - bone.abs(), 0.020),
                };
                let inside = smooth(0.15, 0.6, inner);
                let knuckle = smooth(-0.2, -0.7, inner) * 0.6;
                0.22 * start.max(end) * inside.max(knuckle)
            }
        }
    }
}

/// Distance from a point to a line of straight pieces.
fn distance(line: &[(f32, f32)], x: f32, y: f32) -> f32 {
    let mut best = f32::MAX;
    for pair in line.windows(2) {
        let ((ax, ay), (bx, by)) = (pair[0], pair[1]);
        let (ux, uy) = (bx - ax, by - ay);
        let t = (((x - ax) * ux + (y - ay) * uy) / (ux * ux + uy * uy)).clamp(0.0, 1.0);
        let (dx, dy) = (x - ax - ux * t, y - ay - uy * t);
        best = best.min(dx * dx + dy * dy);
    }
    best.sqrt()
}
