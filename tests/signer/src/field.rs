//! The signed distance field of a body.
//!
//! Formula of the rounded cone and of the smooth union: Inigo Quilez,
//! "distance functions" and "smooth minimum" (iquilezles.org/articles).

use crate::body::{Body, Cone, Part};
use crate::space::Vec3;

/// How softly the palm's cones and the fingers' roots flow together, in palm lengths.
const FLESH: f32 = 0.10;
/// How softly bones of one finger flow together.
const JOINT: f32 = 0.035;

/// A rounded cone with what its distance needs, worked out once a frame.
#[derive(Clone, Copy, Debug)]
struct Solid {
    a: Vec3,
    ba: Vec3,
    ra: f32,
    rb: f32,
    l2: f32,
    rr: f32,
    a2: f32,
    il2: f32,
    part: Part,
}

impl Solid {
    fn new(c: &Cone) -> Self {
        let ba = c.b - c.a;
        let l2 = ba.dot(ba).max(1e-6);
        let rr = c.ra - c.rb;
        Self {
            a: c.a,
            ba,
            ra: c.ra,
            rb: c.rb,
            l2,
            rr,
            a2: l2 - rr * rr,
            il2: 1.0 / l2,
            part: c.part,
        }
    }

    #[inline]
    fn distance(&self, p: Vec3) -> f32 {
        let pa = p - self.a;
        let y = pa.dot(self.ba);
        let z = y - self.l2;
        let x = pa * self.l2 - self.ba * y;
        let x2 = x.dot(x);
        let y2 = y * y * self.l2;
        let z2 = z * z * self.l2;
        let k = self.rr.signum() * self.rr * self.rr * x2;
        if z.signum() * self.a2 * z2 > k {
            return (x2 + z2).sqrt() * self.il2 - self.rb;
        }
        if y.signum() * self.a2 * y2 < k {
            return (x2 + y2).sqrt() * self.il2 - self.ra;
        }
        ((x2 * self.a2 * self.il2).sqrt() + y * self.rr) * self.il2 - self.ra
    }
}

/// The field of one body.
#[derive(Debug)]
pub struct Field {
    solids: Vec<Solid>,
    flesh: f32,
    joint: f32,
}

#[inline]
fn union(a: f32, b: f32, k: f32) -> f32 {
    let h = (k - (a - b).abs()).max(0.0) / k;
    a.min(b) - h * h * k * 0.25
}

/// Far away, yet small enough to be squared.
const FAR: f32 = 1e6;

impl Field {
    /// The field of a body.
    #[must_use]
    pub fn new(body: &Body) -> Self {
        Self {
            solids: body.cones.iter().map(Solid::new).collect(),
            flesh: FLESH * body.palm,
            joint: JOINT * body.palm,
        }
    }

    /// How far, in pixels, a smooth union reaches beyond its cones.
    #[must_use]
    pub fn softness(&self) -> f32 {
        self.flesh * 0.5
    }

    /// The cones, by index and in order, that come within `reach` pixels of a
    /// disc of the picture.
    pub fn near(&self, x: f32, y: f32, reach: f32, found: &mut Vec<u8>) {
        found.clear();
        for (i, s) in self.solids.iter().enumerate() {
            let (px, py) = (x - s.a.x, y - s.a.y);
            let l2 = (s.ba.x * s.ba.x + s.ba.y * s.ba.y).max(1e-6);
            let t = ((px * s.ba.x + py * s.ba.y) / l2).clamp(0.0, 1.0);
            let (dx, dy) = (px - s.ba.x * t, py - s.ba.y * t);
            let r = reach + s.ra.max(s.rb);
            if dx * dx + dy * dy < r * r {
                found.push(i as u8);
            }
        }
    }

    /// Nearest and farthest z of the cones listed.
    #[must_use]
    pub fn depth(&self, list: &[u8]) -> (f32, f32) {
        list.iter().fold((-FAR, FAR), |(near, far), i| {
            let s = &self.solids[*i as usize];
            let (za, zb) = (s.a.z, s.a.z + s.ba.z);
            let top = (za + s.ra).max(zb + s.rb);
            let bottom = (za - s.ra).min(zb - s.rb);
            (near.max(top), far.min(bottom))
        })
    }

    /// Distance in pixels from `p` to the nearest surface of the cones listed.
    #[inline]
    #[must_use]
    pub fn distance(&self, p: Vec3, list: &[u8]) -> f32 {
        let (mut palm, mut sleeve, mut all) = (FAR, FAR, FAR);
        let (mut root, mut rest, mut finger) = (FAR, FAR, u8::MAX);
        for i in list {
            let s = &self.solids[*i as usize];
            let d = s.distance(p);
            match s.part {
                Part::Palm => palm = union(palm, d, self.flesh),
                Part::Sleeve => sleeve = union(sleeve, d, 2.0 * self.flesh),
                Part::Root(f) | Part::Bone(f) | Part::Tip(f) => {
                    if f != finger {
                        all = all.min(self.finger(palm, root, rest));
                        (root, rest, finger) = (FAR, FAR, f);
                    }
                    match s.part {
                        Part::Root(_) => root = d,
                        _ => rest = union(rest, d, self.joint),
                    }
                }
            }
        }
        all.min(sleeve).min(self.finger(palm, root, rest))
    }

    #[inline]
    fn finger(&self, palm: f32, root: f32, rest: f32) -> f32 {
        union(union(palm, root, self.flesh), rest, self.joint)
    }

    /// The cone whose own surface is nearest to `p`.
    #[must_use]
    pub fn nearest(&self, p: Vec3, list: &[u8]) -> usize {
        let mut best = (FAR, 0);
        for i in list {
            let d = self.solids[*i as usize].distance(p);
            if d < best.0 {
                best = (d, *i as usize);
            }
        }
        best.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::vec3;

    fn body(cones: Vec<Cone>) -> Body {
        Body { cones, palm: 100.0, frame: [Vec3::default(); 4] }
    }

    fn cone(a: Vec3, b: Vec3, ra: f32, rb: f32) -> Cone {
        Cone { a, b, ra, rb, part: Part::Tip(1), inside: vec3(0.0, 0.0, 1.0) }
    }

    #[test]
    fn distance_is_that_of_the_union_of_the_balls_between_both_ends() {
        let c = cone(vec3(0.0, 0.0, 0.0), vec3(80.0, 20.0, 5.0), 20.0, 8.0);
        let field = Field::new(&body(vec![c]));
        let mut dice = crate::dice::Dice::new(1, 1);
        for _ in 0..200 {
            let p = vec3(dice.within(-60.0, 140.0), dice.within(-60.0, 80.0), dice.about(60.0));
            let swept = (0..=2000)
                .map(|i| i as f32 / 2000.0)
                .map(|t| (p - c.a.lerp(c.b, t)).len() - (c.ra + (c.rb - c.ra) * t))
                .fold(f32::MAX, f32::min);
            assert!((field.distance(p, &[0]) - swept).abs() < 0.05);
        }
    }

    #[test]
    fn cones_out_of_reach_are_left_out_of_a_tile() {
        let c = cone(vec3(100.0, 100.0, 0.0), vec3(150.0, 100.0, 0.0), 10.0, 10.0);
        let field = Field::new(&body(vec![c]));
        let mut found = vec![9];
        field.near(125.0, 130.0, 15.0, &mut found);
        assert!(found.is_empty());
        field.near(125.0, 115.0, 8.0, &mut found);
        assert_eq!(found, [0]);
    }
}
