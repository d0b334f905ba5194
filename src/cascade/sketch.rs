//! Whether a picture is still the one that was searched: a coarse look at its light.

use super::frame::{Frame, Pixels};

const COLUMNS: usize = 32;
const ROWS: usize = 24;
/// Pixels of a cell that are looked at, about.
const SAMPLES: usize = 100;
/// Levels of 256 by which a cell's mean may differ in a picture that is the same. A sensor's
/// noise of 3 levels moves a mean of 100 pixels by 0.4 from one picture to the next, and the
/// most of all cells by 1.4. With more noise every picture is another one, which costs time
/// and misses nothing.
const SAME: f32 = 1.5;

/// Mean luma of 32 x 24 cells.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sketch([[f32; COLUMNS]; ROWS]);

impl Sketch {
    /// Of nothing: it differs from every picture.
    pub(super) fn new() -> Self {
        Self([[f32::NEG_INFINITY; COLUMNS]; ROWS])
    }

    /// Takes a picture's.
    pub(super) fn draw(&mut self, frame: &Frame<'_>) {
        let (plane, bytes, first) = match frame.pixels {
            // Green alone: most of the light.
            Pixels::Rgb(plane) => (plane, 3, 1),
            Pixels::I420 { y, .. } | Pixels::Nv12 { y, .. } => (y, 1, 0),
        };
        let (width, height) = (frame.width(), frame.height());
        let step = ((width / COLUMNS) * (height / ROWS) / SAMPLES).isqrt().max(1);
        for (row, cells) in self.0.iter_mut().enumerate() {
            let rows = row * height / ROWS..(row + 1) * height / ROWS;
            for (column, cell) in cells.iter_mut().enumerate() {
                let columns = column * width / COLUMNS..(column + 1) * width / COLUMNS;
                let (mut sum, mut count) = (0_u32, 0_u32);
                for y in rows.clone().step_by(step) {
                    let pixels = plane.row(y);
                    for x in columns.clone().step_by(step) {
                        sum += u32::from(pixels[x * bytes + first]);
                        count += 1;
                    }
                }
                *cell = sum as f32 / count.max(1) as f32;
            }
        }
    }

    /// Whether both are of the same picture.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let pairs = self.0.as_flattened().iter().zip(other.0.as_flattened());
        pairs.into_iter().all(|(a, b)| (a - b).abs() <= SAME)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is a test's failure")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cascade::{Colour, Matrix, Plane, Range};

    const WIDTH: usize = 320;
    const HEIGHT: usize = 180;

    fn of(luma: &[u8]) -> Sketch {
        of_size(luma, WIDTH, HEIGHT)
    }

    fn of_size(luma: &[u8], width: usize, height: usize) -> Sketch {
        let chroma = vec![128; width * height / 2];
        let y = Plane { data: luma, stride: width };
        let uv = Plane { data: &chroma, stride: width };
        let colour = Colour { matrix: Matrix::Bt709, range: Range::Limited };
        let mut sketch = Sketch::new();
        sketch.draw(&Frame::nv12(width, height, [y, uv], colour).unwrap());
        sketch
    }

    /// Grey with a sensor's noise, near to normal: the sum of twelve even ones (Irwin-Hall).
    fn noisy(pixels: usize, sigma: f32, seed: &mut u64) -> Vec<u8> {
        let mut next = || {
            // SplitMix64 (Steele, Lea and Flood 2014).
            *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = *seed;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^ (z >> 31)
        };
        let normal = |next: &mut dyn FnMut() -> u64| {
            let [a, b, c] = [next(), next(), next()];
            let parts =
                [a, b, c].map(|bits| (0..4).map(|i| (bits >> (16 * i)) as u16 as f32).sum::<f32>());
            parts.iter().sum::<f32>() / 65_536.0 - 6.0
        };
        (0..pixels).map(|_| (120.0 + sigma * normal(&mut next)).round() as u8).collect()
    }

    #[test]
    fn a_sensors_noise_makes_no_other_picture() {
        let mut seed = 7;
        for (width, height) in [(320, 180), (640, 480), (1280, 720)] {
            let mut one = || noisy(width * height, 2.0, &mut seed);
            let first = of_size(&one(), width, height);
            for _ in 0..5 {
                assert!(of_size(&one(), width, height).is_like(&first), "{width} x {height}");
            }
        }
    }

    #[test]
    fn nothing_is_like_no_picture() {
        assert!(!Sketch::new().is_like(&of(&[0; WIDTH * HEIGHT])));
        assert!(!of(&[0; WIDTH * HEIGHT]).is_like(&Sketch::new()));
    }

    #[test]
    fn a_picture_that_grows_brighter_little_by_little_is_another_one_in_the_end() {
        let first = of(&[100; WIDTH * HEIGHT]);
        let like: Vec<bool> =
            (100..105).map(|luma| of(&[luma; WIDTH * HEIGHT]).is_like(&first)).collect();
        assert_eq!(like, [true, true, false, false, false]);
    }

    #[test]
    fn colour_pictures_are_compared_too() {
        let mut data = vec![50; WIDTH * HEIGHT * 3];
        let draw = |data: &[u8]| {
            let mut sketch = Sketch::new();
            let plane = Plane { data, stride: WIDTH * 3 };
            sketch.draw(&Frame::rgb(WIDTH, HEIGHT, plane).unwrap());
            sketch
        };
        let first = draw(&data);
        data[WIDTH * 3 * 90..][..WIDTH * 3 * 30].fill(90);
        assert!(!draw(&data).is_like(&first));
        assert!(first.is_like(&first.clone()));
    }

    proptest! {
        /// A patch of a 15th of the picture's height that is brighter by 20 levels is seen
        /// wherever it comes, in noise.
        #[test]
        fn something_that_comes_is_seen_through_noise(
            (x, y) in (0..WIDTH - 12, 0..HEIGHT - 12),
            seed in any::<u64>(),
        ) {
            let mut seed = seed;
            let first = noisy(WIDTH * HEIGHT, 2.0, &mut seed);
            let mut second = noisy(WIDTH * HEIGHT, 2.0, &mut seed);
            for row in y..y + 12 {
                for luma in &mut second[row * WIDTH + x..][..12] {
                    *luma += 20;
                }
            }
            prop_assert!(!of(&second).is_like(&of(&first)));
        }
    }
}
