//! Cuts a rotated square out of a frame and makes it a model's input: crop, rotation,
//! resizing, colour and scaling to 0..1 in one pass over the output's pixels.
//!
//! Positions follow MediaPipe 0.10.21 (`image_to_tensor_converter_opencv.cc`): a column's
//! and row's index is used without a half-pixel term and rounded to 1/32 pixel, as OpenCV's
//! `warpPerspective` does. RGB frames get OpenCV's integer weights too and agree with it bit
//! for bit but for ties. Frames with chroma planes are blended in their own colour space and
//! not rounded in between; each chroma sample stands for all its pixels, wherever it was
//! taken, as in the decoders that MediaPipe's pictures come from. Interpolated chroma finds
//! hands that MediaPipe does not (7 more of 1,975 photographs, against 5).

use std::ops::Range as Columns;

use super::colour::{NEUTRAL, ToRgb};
use super::frame::{Colour, Frame, Pixels, Plane};
use super::roi::Roi;

/// Largest side of a model's input; longer ones need longer row buffers.
const MAX_SIDE: usize = 224;
/// Positions are in 1/32 pixel: `INTER_BITS` of OpenCV.
const SUBPIXEL_BITS: u32 = 5;
const SUBPIXELS: i32 = 1 << SUBPIXEL_BITS;
/// Sum of the four weights of a position.
const WEIGHT: i32 = SUBPIXELS * SUBPIXELS;

/// What lies beyond the frame's edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Border {
    /// Black. MediaPipe's palm stage: the letterbox.
    Black,
    /// The nearest pixel of the edge. MediaPipe's hand stage.
    Nearest,
}

/// Fills `out` (`side` x `side` x RGB, 0..1) with the square `roi` of `frame`. Allocates nothing.
///
/// `roi` must be [`Roi::is_usable`] or [`Roi::letterbox`], which keeps positions within 32 bits.
pub(super) fn sample(frame: &Frame<'_>, roi: &Roi, side: usize, border: Border, out: &mut [f32]) {
    assert!(side <= MAX_SIDE, "both models' sides are at most {MAX_SIDE}");
    assert_eq!(out.len(), side * side * 3, "the buffer is the model's input");
    let size = (frame.width() as i32, frame.height() as i32);
    let grid = Grid::new(roi, side);
    match frame.pixels {
        Pixels::Rgb(plane) => {
            grid.each_row(out, |xs, ys, out| rgb_row(plane, size, xs, ys, border, out));
        }
        Pixels::I420 { y, u, v, colour } => {
            let mut colours = Colours::<1>::new(size, y, [u, v], colour);
            grid.each_row(out, |xs, ys, out| colours.row(xs, ys, border, out));
        }
        Pixels::Nv12 { y, uv, colour } => {
            let v = Plane { data: uv.data.get(1..).unwrap_or_default(), ..uv };
            let mut colours = Colours::<2>::new(size, y, [uv, v], colour);
            grid.each_row(out, |xs, ys, out| colours.row(xs, ys, border, out));
        }
    }
}

/// Positions of the output's pixels in the frame.
struct Grid {
    side: usize,
    /// What a column adds, in 1/32 pixel, rotation applied; the frame's place is in it.
    columns: [[f64; MAX_SIDE]; 2],
    /// What a full square's height adds.
    down: [f64; 2],
}

impl Grid {
    fn new(roi: &Roi, side: usize) -> Self {
        let subpixels = f64::from(SUBPIXELS);
        let (sin, cos) = roi.theta.sin_cos();
        let size = roi.size * subpixels;
        let mut columns = [[0.0; MAX_SIDE]; 2];
        let [xs, ys] = &mut columns;
        for (column, (x, y)) in xs.iter_mut().zip(ys).enumerate() {
            let u = column as f64 / side as f64 - 0.5;
            *x = roi.cx * subpixels + size * u * cos;
            *y = roi.cy * subpixels + size * u * sin;
        }
        Self { side, columns, down: [-size * sin, size * cos] }
    }

    /// Calls `fill` for every row with its positions in 1/32 pixel.
    fn each_row(&self, out: &mut [f32], mut fill: impl FnMut(&[i32], &[i32], &mut [f32])) {
        let (mut xs, mut ys) = ([0; MAX_SIDE], [0; MAX_SIDE]);
        let (xs, ys) = (&mut xs[..self.side], &mut ys[..self.side]);
        for (row, out) in out.chunks_exact_mut(self.side * 3).enumerate() {
            let v = row as f64 / self.side as f64 - 0.5;
            positions(&self.columns[0], self.down[0] * v, xs);
            positions(&self.columns[1], self.down[1] * v, ys);
            fill(xs, ys, out);
        }
    }
}

fn positions(columns: &[f64], row: f64, out: &mut [i32]) {
    for (out, column) in out.iter_mut().zip(columns) {
        *out = round(column + row);
    }
}

/// Rounds to the nearest integer, halves to even, for magnitudes below 2^31: adding 1.5 x 2^52
/// leaves the integer in the low bits. Plain x86_64 has no rounding instruction, and a call
/// for each of 74,000 positions a frame is what this saves.
fn round(value: f64) -> i32 {
    const MAGIC: f64 = 6_755_399_441_055_744.0;
    (value + MAGIC).to_bits() as i32
}

/// Columns whose whole pixels lie in `[0, high]` both ways. Positions are linear along the
/// row, so these columns are neighbours.
fn interior(xs: &[i32], ys: &[i32], (high_x, high_y): (i32, i32)) -> Columns<usize> {
    let inside = |column: &usize| {
        let (x, y) = (xs[*column] >> SUBPIXEL_BITS, ys[*column] >> SUBPIXEL_BITS);
        (0..=high_x).contains(&x) && (0..=high_y).contains(&y)
    };
    match (0..xs.len()).find(inside) {
        Some(first) => first..(first..xs.len()).rfind(inside).map_or(first, |last| last + 1),
        None => 0..0,
    }
}

/// The four weights of a position: top left, top right, bottom left, bottom right.
fn weights(x: i32, y: i32) -> [i32; 4] {
    let (right, down) = (x & (SUBPIXELS - 1), y & (SUBPIXELS - 1));
    let (left, up) = (SUBPIXELS - right, SUBPIXELS - down);
    [left * up, right * up, left * down, right * down]
}

/// The four pixels around a position, `None` where the border is black.
fn taps(
    x: i32,
    y: i32,
    (width, height): (i32, i32),
    border: Border,
) -> [Option<(usize, usize)>; 4] {
    let (x, y) = (x >> SUBPIXEL_BITS, y >> SUBPIXEL_BITS);
    [(x, y), (x + 1, y), (x, y + 1), (x + 1, y + 1)].map(|(x, y)| {
        let nearest = (x.clamp(0, width - 1), y.clamp(0, height - 1));
        let seen = border == Border::Nearest || nearest == (x, y);
        seen.then_some((nearest.0 as usize, nearest.1 as usize))
    })
}

fn rgb_row(
    plane: Plane<'_>,
    size: (i32, i32),
    xs: &[i32],
    ys: &[i32],
    border: Border,
    out: &mut [f32],
) {
    let inner = interior(xs, ys, (size.0 - 2, size.1 - 2));
    for (column, out) in out.chunks_exact_mut(3).enumerate() {
        let (x, y) = (xs[column], ys[column]);
        let weights = weights(x, y);
        let mut sums = [WEIGHT / 2; 3];
        if inner.contains(&column) {
            let start =
                (y >> SUBPIXEL_BITS) as usize * plane.stride + 3 * (x >> SUBPIXEL_BITS) as usize;
            let top = &plane.data[start..start + 6];
            let bottom = &plane.data[start + plane.stride..start + plane.stride + 6];
            for channel in 0..3 {
                sums[channel] += i32::from(top[channel]) * weights[0]
                    + i32::from(top[channel + 3]) * weights[1]
                    + i32::from(bottom[channel]) * weights[2]
                    + i32::from(bottom[channel + 3]) * weights[3];
            }
        } else {
            for (tap, weight) in taps(x, y, size, border).into_iter().zip(weights) {
                let Some((x, y)) = tap else { continue };
                let pixel = &plane.row(y)[3 * x..3 * x + 3];
                for channel in 0..3 {
                    sums[channel] += i32::from(pixel[channel]) * weight;
                }
            }
        }
        for channel in 0..3 {
            out[channel] = (sums[channel] / WEIGHT) as f32 / 255.0;
        }
    }
}

/// A frame with chroma planes, ready to be sampled row by row. `STEP`: bytes from one chroma
/// sample to the next, 1 planar, 2 interleaved.
struct Colours<'a, const STEP: usize> {
    size: (i32, i32),
    luma: Plane<'a>,
    chroma: [Plane<'a>; 2],
    black: i32,
    to_rgb: ToRgb,
    /// One output row in the frame's own colours: blended codes x 1024. A row at a time so that the conversion runs over plain arrays.
    blended: [[i32; MAX_SIDE]; 3],
}

impl<'a, const STEP: usize> Colours<'a, STEP> {
    fn new(size: (i32, i32), luma: Plane<'a>, chroma: [Plane<'a>; 2], colour: Colour) -> Self {
        let black = i32::from(colour.black());
        let to_rgb = ToRgb::new(colour, f64::from(WEIGHT));
        Self { size, luma, chroma, black, to_rgb, blended: [[0; MAX_SIDE]; 3] }
    }

    fn row(&mut self, xs: &[i32], ys: &[i32], border: Border, out: &mut [f32]) {
        // One pixel more than luma needs keeps the chroma taps inside as well.
        let inner = interior(xs, ys, (self.size.0 - 3, self.size.1 - 3));
        self.inside(inner.clone(), xs, ys);
        for column in (0..inner.start).chain(inner.end..xs.len()) {
            self.outside(column, xs[column], ys[column], border);
        }
        convert(&self.to_rgb, &self.blended, out);
    }

    /// Blends columns whose taps all lie in the frame, plane by plane.
    fn inside(&mut self, columns: Columns<usize>, xs: &[i32], ys: &[i32]) {
        let (xs, ys) = (&xs[columns.clone()], &ys[columns.clone()]);
        let [luma, blue, red] = &mut self.blended;
        for ((out, &x), &y) in luma[columns.clone()].iter_mut().zip(xs).zip(ys) {
            *out = blend::<1>(self.luma, x, y);
        }
        let chroma = blue[columns.clone()].iter_mut().zip(&mut red[columns]);
        for (((blue, red), &x), &y) in chroma.zip(xs).zip(ys) {
            let (x, y) = (chroma_position(x), chroma_position(y));
            *blue = blend::<STEP>(self.chroma[0], x, y);
            *red = blend::<STEP>(self.chroma[1], x, y);
        }
    }

    /// The same near and beyond the edge; black border pixels have black luma and no colour.
    fn outside(&mut self, column: usize, x: i32, y: i32, border: Border) {
        let mut sums = [0; 3];
        for (tap, weight) in taps(x, y, self.size, border).into_iter().zip(weights(x, y)) {
            let codes = match tap {
                Some((x, y)) => {
                    let chroma = self.chroma.map(|plane| plane.row(y / 2)[x / 2 * STEP]);
                    [self.luma.row(y)[x], chroma[0], chroma[1]].map(i32::from)
                }
                None => [self.black, i32::from(NEUTRAL), i32::from(NEUTRAL)],
            };
            sums.iter_mut().zip(codes).for_each(|(sum, code)| *sum += code * weight);
        }
        self.blended.iter_mut().zip(sums).for_each(|(plane, sum)| plane[column] = sum);
    }
}

/// Converts a row: colour by colour, which the compiler makes vectors of, then woven.
fn convert(to_rgb: &ToRgb, [luma, blue, red]: &[[i32; MAX_SIDE]; 3], out: &mut [f32]) {
    let mut rgb = [[0.0; MAX_SIDE]; 3];
    for column in 0..MAX_SIDE {
        let codes = [luma[column], blue[column], red[column]].map(|code| code as f32);
        for (plane, value) in rgb.iter_mut().zip(to_rgb.convert(codes)) {
            plane[column] = value;
        }
    }
    let [red, green, blue] = &rgb;
    for (((out, red), green), blue) in out.chunks_exact_mut(3).zip(red).zip(green).zip(blue) {
        (out[0], out[1], out[2]) = (*red, *green, *blue);
    }
}

/// Where a position's blend lies in a plane of half the resolution whose samples are repeated:
/// only between an odd pixel and the next even one does the sample change.
fn chroma_position(position: i32) -> i32 {
    let sample = position >> (SUBPIXEL_BITS + 1) << SUBPIXEL_BITS;
    let odd = position >> SUBPIXEL_BITS & 1;
    sample | (position & (SUBPIXELS - 1) & -odd)
}

/// The weighted sum of the four samples around a position, all of which lie in the plane.
#[inline(always)]
fn blend<const STEP: usize>(plane: Plane<'_>, x: i32, y: i32) -> i32 {
    let (column, row) = ((x >> SUBPIXEL_BITS) as usize, (y >> SUBPIXEL_BITS) as usize);
    let start = row * plane.stride + column * STEP;
    // One slice that ends with the last tap, so that one check covers all four.
    let square = &plane.data[start..][..plane.stride + STEP + 1];
    let bottom = &square[plane.stride..];
    let [a, b, c, d] = [square[0], square[STEP], bottom[0], bottom[STEP]].map(i32::from);
    let (right, down) = (x & (SUBPIXELS - 1), y & (SUBPIXELS - 1));
    let top = (a << SUBPIXEL_BITS) + (b - a) * right;
    let bottom = (c << SUBPIXEL_BITS) + (d - c) * right;
    (top << SUBPIXEL_BITS) + (bottom - top) * down
}

#[cfg(test)]
#[path = "sampling_tests.rs"]
mod tests;
