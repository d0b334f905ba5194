//! Points and rotations in space.
//!
//! Two frames are used, both right-handed. The *hand's*: x towards the thumb
//! of a right hand, y towards the fingers, z out of the palm, in palm lengths.
//! The *picture's*: x to the right, y up, z towards the camera, in pixels.

use std::ops::{Add, Mul, Neg, Sub};

/// A point or a direction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Vec3 {
    /// Right.
    pub x: f32,
    /// Up.
    pub y: f32,
    /// Towards the camera.
    pub z: f32,
}

/// Shorthand for a [`Vec3`].
#[must_use]
pub const fn vec3(x: f32, y: f32, z: f32) -> Vec3 {
    Vec3 { x, y, z }
}

impl Vec3 {
    /// Scalar product.
    #[must_use]
    pub fn dot(self, o: Self) -> f32 {
        self.x * o.x + self.y * o.y + self.z * o.z
    }

    /// Vector product.
    #[must_use]
    pub fn cross(self, o: Self) -> Self {
        vec3(self.y * o.z - self.z * o.y, self.z * o.x - self.x * o.z, self.x * o.y - self.y * o.x)
    }

    /// Length.
    #[must_use]
    pub fn len(self) -> f32 {
        self.dot(self).sqrt()
    }

    /// The same direction with length one; a vector of length zero stays.
    #[must_use]
    pub fn unit(self) -> Self {
        self * (1.0 / self.len().max(1e-9))
    }

    /// The part of the vector that stands at right angles to `axis` (a unit vector).
    #[must_use]
    pub fn across(self, axis: Self) -> Self {
        self - axis * self.dot(axis)
    }

    /// The point `t` of the way from here to `o`.
    #[must_use]
    pub fn lerp(self, o: Self, t: f32) -> Self {
        self + (o - self) * t
    }
}

impl Add for Vec3 {
    type Output = Self;
    fn add(self, o: Self) -> Self {
        vec3(self.x + o.x, self.y + o.y, self.z + o.z)
    }
}

impl Sub for Vec3 {
    type Output = Self;
    fn sub(self, o: Self) -> Self {
        vec3(self.x - o.x, self.y - o.y, self.z - o.z)
    }
}

impl Mul<f32> for Vec3 {
    type Output = Self;
    fn mul(self, k: f32) -> Self {
        vec3(self.x * k, self.y * k, self.z * k)
    }
}

impl Neg for Vec3 {
    type Output = Self;
    fn neg(self) -> Self {
        self * -1.0
    }
}

/// A rotation, as the three images of the axes.
#[derive(Clone, Copy, Debug)]
pub struct Rotation([Vec3; 3]);

impl Rotation {
    /// Turns about `v` by its length in degrees, counter-clockwise seen from its tip.
    #[must_use]
    pub fn about(v: Vec3) -> Self {
        let (angle, axis) = (v.len().to_radians(), v.unit());
        let (sin, cos) = angle.sin_cos();
        let turn = |p: Vec3| p * cos + axis.cross(p) * sin + axis * (axis.dot(p) * (1.0 - cos));
        Self([turn(vec3(1.0, 0.0, 0.0)), turn(vec3(0.0, 1.0, 0.0)), turn(vec3(0.0, 0.0, 1.0))])
    }

    /// Turns a point.
    #[must_use]
    pub fn apply(&self, p: Vec3) -> Vec3 {
        self.0[0] * p.x + self.0[1] * p.y + self.0[2] * p.z
    }

    /// First `self`, then `next`.
    #[must_use]
    pub fn then(&self, next: &Self) -> Self {
        Self(self.0.map(|column| next.apply(column)))
    }
}

/// Smooth step from 0 at `a` to 1 at `b`.
#[must_use]
pub fn smooth(a: f32, b: f32, x: f32) -> f32 {
    let t = ((x - a) / (b - a)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Minimum-jerk course from 0 to 1 over `t` in 0..1 (Flash and Hogan 1985).
#[must_use]
pub fn min_jerk(t: f32) -> f32 {
    let t = t.clamp(0.0, 1.0);
    t * t * t * (10.0 + t * (6.0 * t - 15.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quarter_turn_about_z_takes_x_to_y() {
        let p = Rotation::about(vec3(0.0, 0.0, 90.0)).apply(vec3(1.0, 0.0, 0.0));
        assert!((p - vec3(0.0, 1.0, 0.0)).len() < 1e-6);
    }

    #[test]
    fn turns_follow_one_another_in_order() {
        let x = Rotation::about(vec3(90.0, 0.0, 0.0));
        let z = Rotation::about(vec3(0.0, 0.0, 90.0));
        let p = x.then(&z).apply(vec3(0.0, 1.0, 0.0));
        assert!((p - vec3(0.0, 0.0, 1.0)).len() < 1e-6);
    }

    #[test]
    fn min_jerk_rests_at_both_ends() {
        assert_eq!(min_jerk(0.0), 0.0);
        assert_eq!(min_jerk(1.0), 1.0);
        assert!((min_jerk(0.5) - 0.5).abs() < 1e-6);
        assert!(min_jerk(0.01) < 1e-4);
    }
}
