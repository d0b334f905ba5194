//! Numbers that look random and depend on a seed alone, on every machine alike.

/// SplitMix64 (Steele, Lea and Flood 2014): small, and the same everywhere.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// A sequence of its own for each seed and purpose.
    #[must_use]
    pub fn new(seed: u64, purpose: u64) -> Self {
        let mut dice = Self(seed ^ purpose.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        dice.draw();
        dice
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Even in 0..1.
    pub fn unit(&mut self) -> f32 {
        (self.draw() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Even in `low..high`.
    pub fn within(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Bell-shaped about 0, within `-width..width`; its deviation is 0.41 `width`.
    pub fn about(&mut self, width: f32) -> f32 {
        (self.unit() + self.unit() - 1.0) * width
    }
}

/// Noise in -1..1 for a lattice point.
#[must_use]
pub fn speck(x: i32, y: i32, z: u32) -> f32 {
    let mut h = (x as u32).wrapping_mul(0x85eb_ca6b)
        ^ (y as u32).wrapping_mul(0xc2b2_ae35)
        ^ z.wrapping_mul(0x27d4_eb2f);
    h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
    h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
    (h ^ (h >> 15)) as f32 / u32::MAX as f32 * 2.0 - 1.0
}

/// Smooth noise in -1..1 over the plane, one bump a unit; `layer` picks a field.
#[must_use]
pub fn cloud(x: f32, y: f32, layer: u32) -> f32 {
    let (x0, y0) = (x.floor(), y.floor());
    let ease = |t: f32| t * t * (3.0 - 2.0 * t);
    let (tx, ty) = (ease(x - x0), ease(y - y0));
    let (x0, y0) = (x0 as i32, y0 as i32);
    let row = |y: i32| {
        let a = speck(x0, y, layer);
        a + (speck(x0 + 1, y, layer) - a) * tx
    };
    let a = row(y0);
    a + (row(y0 + 1) - a) * ty
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_numbers_and_others_do_not() {
        let draw = |seed, purpose| {
            let mut d = Dice::new(seed, purpose);
            (0..4).map(|_| d.draw()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7, 1), draw(7, 1));
        assert_ne!(draw(7, 1), draw(8, 1));
        assert_ne!(draw(7, 1), draw(7, 2));
    }

    #[test]
    fn numbers_fill_their_range() {
        let mut d = Dice::new(3, 0);
        let v: Vec<f32> = (0..1000).map(|_| d.within(-2.0, 3.0)).collect();
        assert!(v.iter().all(|x| (-2.0..3.0).contains(x)));
        assert!(v.iter().any(|x| *x < -1.9) && v.iter().any(|x| *x > 2.9));
    }
}
