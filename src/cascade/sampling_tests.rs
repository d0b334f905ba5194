//! Tests of the sampling: against a slow model that follows the rules to the letter.

#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

use proptest::prelude::*;

use super::*;
use crate::cascade::{Matrix, Range};

const WIDTH: usize = 22;
const HEIGHT: usize = 17;
const SIDE: usize = 12;
const VIDEO: Colour = Colour { matrix: Matrix::Bt601, range: Range::Limited };

/// The four taps of every output pixel, as whole pixels and weights of 1/1024.
fn slow_taps(roi: &Roi) -> impl Iterator<Item = [(i64, i64, i64); 4]> {
    (0..SIDE * SIDE).map(|index| {
        let fraction = |index: usize| index as f64 / SIDE as f64 - 0.5;
        let [x, y] = roi.to_image(fraction(index % SIDE), fraction(index / SIDE));
        let (x, y) = ((32.0 * x).round_ties_even() as i64, (32.0 * y).round_ties_even() as i64);
        let (fx, fy) = (x.rem_euclid(32), y.rem_euclid(32));
        [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dy)| {
            let weight = |far, fraction| if far == 1 { fraction } else { 32 - fraction };
            (x.div_euclid(32) + dx, y.div_euclid(32) + dy, weight(dx, fx) * weight(dy, fy))
        })
    })
}

/// A whole pixel's index in the picture, or `None` for a black one.
fn slow_index(x: i64, y: i64, border: Border) -> Option<usize> {
    let nearest = (x.clamp(0, WIDTH as i64 - 1), y.clamp(0, HEIGHT as i64 - 1));
    let seen = border == Border::Nearest || nearest == (x, y);
    seen.then_some(nearest.1 as usize * WIDTH + nearest.0 as usize)
}

/// One plane of codes, blended and not rounded; `beyond` is the border's code.
fn slow_plane(codes: &[u8], beyond: f64, roi: &Roi, border: Border) -> Vec<f64> {
    let code = |x, y| slow_index(x, y, border).map_or(beyond, |index| f64::from(codes[index]));
    let blend = |taps: [_; 4]| taps.map(|(x, y, weight)| code(x, y) * weight as f64 / 1024.0);
    slow_taps(roi).map(|taps| blend(taps).iter().sum()).collect()
}

/// OpenCV's fixed-point bilinear sampling, one pixel at a time.
fn slow_rgb(rgb: &[u8], roi: &Roi, border: Border) -> Vec<f32> {
    let mut out = Vec::new();
    for taps in slow_taps(roi) {
        for channel in 0..3 {
            let code = |x, y| slow_index(x, y, border).map_or(0, |index| rgb[index * 3 + channel]);
            let sum: i64 = taps.iter().map(|&(x, y, weight)| i64::from(code(x, y)) * weight).sum();
            out.push(((sum + 512) >> 10) as f32 / 255.0);
        }
    }
    out
}

fn fast(frame: &Frame<'_>, roi: &Roi, border: Border) -> Vec<f32> {
    let mut out = vec![f32::NAN; SIDE * SIDE * 3];
    sample(frame, roi, SIDE, border, &mut out);
    out
}

fn plane(data: &[u8], stride: usize) -> Plane<'_> {
    Plane { data, stride }
}

fn rois() -> impl Strategy<Value = Roi> {
    (-30.0..50.0, -30.0..50.0, 0.5..60.0, -3.2..3.2).prop_map(|(cx, cy, size, theta)| Roi {
        cx,
        cy,
        size,
        theta,
    })
}

fn borders() -> impl Strategy<Value = Border> {
    prop_oneof![Just(Border::Black), Just(Border::Nearest)]
}

fn bytes(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), length)
}

const CHROMA: usize = WIDTH.div_ceil(2) * HEIGHT.div_ceil(2);

proptest! {
    #[test]
    fn rgb_follows_opencv_to_the_bit(
        rgb in bytes(WIDTH * HEIGHT * 3), roi in rois(), border in borders(),
    ) {
        let frame = Frame::rgb(WIDTH, HEIGHT, plane(&rgb, WIDTH * 3)).unwrap();
        prop_assert_eq!(fast(&frame, &roi, border), slow_rgb(&rgb, &roi, border));
    }

    #[test]
    fn nv12_and_i420_are_the_same_picture(
        y in bytes(WIDTH * HEIGHT), u in bytes(CHROMA), v in bytes(CHROMA),
        roi in rois(), border in borders(),
    ) {
        let half = WIDTH.div_ceil(2);
        let uv: Vec<u8> = u.iter().zip(&v).flat_map(|(&u, &v)| [u, v]).collect();
        let planes = [plane(&y, WIDTH), plane(&u, half), plane(&v, half)];
        let i420 = Frame::i420(WIDTH, HEIGHT, planes, VIDEO).unwrap();
        let nv12 = Frame::nv12(WIDTH, HEIGHT, [plane(&y, WIDTH), plane(&uv, 2 * half)], VIDEO).unwrap();
        prop_assert_eq!(fast(&i420, &roi, border), fast(&nv12, &roi, border));
    }

    #[test]
    fn one_colour_stays_that_colour_wherever_it_is_looked_at(
        code in 16u8..=235, roi in rois(),
    ) {
        let (y, c) = ([code; WIDTH * HEIGHT], [128; CHROMA]);
        let half = WIDTH.div_ceil(2);
        let frame =
            Frame::i420(WIDTH, HEIGHT, [plane(&y, WIDTH), plane(&c, half), plane(&c, half)], VIDEO)
                .unwrap();
        let expected = (f32::from(code) - 16.0) / 219.0;
        for value in fast(&frame, &roi, Border::Nearest) {
            prop_assert!((value - expected).abs() < 1e-4, "{} {}", value, expected);
        }
    }

    #[test]
    fn edges_and_middle_agree(
        y in bytes(WIDTH * HEIGHT), u in bytes(CHROMA), v in bytes(CHROMA), roi in rois(),
    ) {
        // The fast way through the middle must give what the careful one gives there.
        let half = WIDTH.div_ceil(2);
        let size = (WIDTH as i32, HEIGHT as i32);
        let chroma = [plane(&u, half), plane(&v, half)];
        let mut colours = Colours::<1>::new(size, plane(&y, WIDTH), chroma, VIDEO);
        let mut out = [0.0; SIDE * SIDE * 3];
        let mut differences = Vec::new();
        Grid::new(&roi, SIDE).each_row(&mut out, |xs, ys, _| {
            let inner = interior(xs, ys, (size.0 - 3, size.1 - 3));
            colours.inside(inner.clone(), xs, ys);
            for column in inner {
                let codes = |colours: &Colours<'_, 1>| colours.blended.map(|plane| plane[column]);
                let inside = codes(&colours);
                colours.outside(column, xs[column], ys[column], Border::Black);
                let outside = codes(&colours);
                differences.push([0, 1, 2].map(|plane: usize| inside[plane] - outside[plane]));
            }
        });
        prop_assert!(differences.iter().all(|difference| *difference == [0; 3]));
    }

    #[test]
    fn planes_read_as_the_picture_with_repeated_chroma(
        y in bytes(WIDTH * HEIGHT), u in bytes(CHROMA), v in bytes(CHROMA),
        roi in rois(), border in borders(),
    ) {
        // Blending is linear, so three grey pictures of one plane each tell the blended codes.
        let half = WIDTH.div_ceil(2);
        let whole = |plane: &[u8]| -> Vec<u8> {
            let sample = |index: usize| plane[index / WIDTH / 2 * half + index % WIDTH / 2];
            (0..WIDTH * HEIGHT).map(sample).collect()
        };
        let planes = [plane(&y, WIDTH), plane(&u, half), plane(&v, half)];
        let found = fast(&Frame::i420(WIDTH, HEIGHT, planes, VIDEO).unwrap(), &roi, border);
        let code = |codes: &[u8], beyond| slow_plane(codes, beyond, &roi, border);
        let (y, u, v) = (code(&y, 16.0), code(&whole(&u), 128.0), code(&whole(&v), 128.0));
        for (index, rgb) in found.chunks_exact(3).enumerate() {
            let luma = (y[index] - 16.0) / 219.0;
            let (blue, red) = ((u[index] - 128.0) / 224.0, (v[index] - 128.0) / 224.0);
            let expected = [
                luma + 1.402 * red,
                luma - 0.344_136 * blue - 0.714_136 * red,
                luma + 1.772 * blue,
            ];
            for (found, expected) in rgb.iter().zip(expected) {
                prop_assert!((f64::from(*found) - expected.clamp(0.0, 1.0)).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn rounding_is_to_the_nearest_and_halves_to_even(value in -1e9..1e9f64) {
        prop_assert_eq!(round(value), value.round_ties_even() as i32);
        prop_assert_eq!(round(value.trunc() + 0.5), (value.trunc() + 0.5).round_ties_even() as i32);
    }
}

/// Codes of R'G'B' 0..1 by the definition of the standards.
fn codes([r, g, b]: [f64; 3], colour: Colour) -> [u8; 3] {
    let (kr, kb) = match colour.matrix {
        Matrix::Bt601 => (0.299, 0.114),
        Matrix::Bt709 => (0.2126, 0.0722),
    };
    let luma = kr * r + (1.0 - kr - kb) * g + kb * b;
    let chroma = [(b - luma) / (2.0 - 2.0 * kb), (r - luma) / (2.0 - 2.0 * kr)];
    match colour.range {
        Range::Limited => {
            [16.0 + 219.0 * luma, 128.0 + 224.0 * chroma[0], 128.0 + 224.0 * chroma[1]]
        }
        Range::Full => [255.0 * luma, 128.0 + 255.0 * chroma[0], 128.0 + 255.0 * chroma[1]],
    }
    .map(|code| code.round().clamp(0.0, 255.0) as u8)
}

#[test]
fn colours_come_back_from_every_matrix_and_range() {
    let roi = Roi { cx: 11.0, cy: 8.0, size: 6.0, theta: 0.3 };
    let colours = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.9, 0.7, 0.55], [0.0; 3]];
    for matrix in [Matrix::Bt601, Matrix::Bt709] {
        for range in [Range::Limited, Range::Full] {
            for rgb in colours {
                let colour = Colour { matrix, range };
                let [y, u, v] = codes(rgb, colour);
                let (y, u, v) = ([y; WIDTH * HEIGHT], [u; CHROMA], [v; CHROMA]);
                let half = WIDTH.div_ceil(2);
                let planes = [plane(&y, WIDTH), plane(&u, half), plane(&v, half)];
                let frame = Frame::i420(WIDTH, HEIGHT, planes, colour).unwrap();
                for pixel in fast(&frame, &roi, Border::Black).chunks(3) {
                    for channel in 0..3 {
                        let apart = f64::from(pixel[channel]) - rgb[channel];
                        assert!(apart.abs() < 0.01, "{colour:?} {rgb:?} {pixel:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn beyond_the_frame_is_black_for_palms() {
    let (y, c) = ([235; WIDTH * HEIGHT], [200; CHROMA]);
    let half = WIDTH.div_ceil(2);
    let planes = [plane(&y, WIDTH), plane(&c, half), plane(&c, half)];
    let frame = Frame::i420(WIDTH, HEIGHT, planes, VIDEO).unwrap();
    let roi = Roi { cx: -40.0, cy: 8.0, size: 12.0, theta: 0.0 };
    assert!(fast(&frame, &roi, Border::Black).iter().all(|value| value.abs() < 1e-4));
    assert!(fast(&frame, &roi, Border::Nearest).iter().any(|value| *value > 0.5));
}
