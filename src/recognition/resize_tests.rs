//! Against the definition, one output pixel at a time, and against what Pillow and TensorFlow
//! make of the same codes.

#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

use proptest::prelude::*;

use super::*;
use crate::cascade::{Matrix, Range};
use crate::model::manifest::Colour as Order;

const VIDEO: Colour = Colour { matrix: Matrix::Bt601, range: Range::Limited };

fn picture(width: usize, height: usize, colour: Order, resize: Resize) -> Picture {
    Picture { width, height, colour, mean: [0.0; 3], std: [1.0; 3], resize }
}

fn fill(picture: &Picture, frame: &Frame<'_>) -> Vec<f32> {
    let mut out = vec![f32::NAN; picture.values()];
    Resizer::new(picture).fill(frame, &mut out);
    out
}

/// Bytes that differ everywhere.
fn noise(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as u8
    };
    (0..length).map(next).collect()
}

/// The triangle filter as it is defined: the scalar twin of the sums over rows.
fn defined(
    pixel: impl Fn(usize, usize) -> f64,
    size: (usize, usize),
    seen: [f64; 4],
    out: (usize, usize),
    at: (usize, usize),
) -> f64 {
    let weights = |length: usize, from: f64, part: f64, out: usize, at: usize| {
        let scale = part / out as f64;
        let reach = scale.max(1.0);
        let centre = from + (at as f64 + 0.5) * scale;
        let weight = move |i: usize| (1.0 - ((i as f64 + 0.5 - centre) / reach).abs()).max(0.0);
        (0..length).map(weight).collect::<Vec<f64>>()
    };
    let xs = weights(size.0, seen[0], seen[2], out.0, at.0);
    let ys = weights(size.1, seen[1], seen[3], out.1, at.1);
    let (mut sum, mut all) = (0.0, 0.0);
    for (y, down) in ys.iter().enumerate() {
        for (x, across) in xs.iter().enumerate().filter(|_| *down > 0.0) {
            sum += down * across * pixel(x, y);
            all += down * across;
        }
    }
    sum / all
}

fn rgb(data: &[u8], width: usize, height: usize) -> Frame<'_> {
    Frame::rgb(width, height, Plane { data, stride: 3 * width }).unwrap()
}

/// 16 y^2 + 5 x^2 + 3 x y.
const CURVED: [u8; 16] = [0, 5, 20, 45, 16, 24, 42, 70, 64, 75, 96, 127, 144, 158, 182, 216];
/// 6 x 4 codes: 37 x + 91 y + 13 x y, modulo 251.
const UNEVEN: [u8; 24] = [
    0, 37, 74, 111, 148, 185, 91, 141, 191, 241, 40, 90, 182, 245, 57, 120, 183, 246, 22, 98, 174,
    250, 75, 151,
];

fn assert_near(found: &[f32], expected: &[f32]) {
    let near = |(a, b): (&f32, &f32)| (a - b).abs() < 2e-3;
    assert!(found.len() == expected.len() && found.iter().zip(expected).all(near), "{found:?}");
}

#[test]
fn a_picture_is_resized_as_pillow_and_tensorflow_do_it() {
    // Pillow 13.0: Image.fromarray(float32).resize(size, BILINEAR, box); the first three also
    // by TensorFlow 2.21: tf.image.resize(antialias=True).
    type Case<'a> = (&'a [u8], [usize; 4], Resize, &'a [f32]);
    let table: [Case<'_>; 5] = [
        (
            &CURVED,
            [4, 4, 3, 3],
            Resize::Stretch,
            &[6.57, 18.65, 44.73, 42.85, 59.25, 89.65, 123.93, 144.65, 179.37],
        ),
        (&CURVED, [4, 4, 2, 2], Resize::Stretch, &[22.531, 49.469, 101.327, 135.674]),
        (
            &CURVED,
            [4, 4, 3, 5],
            Resize::Stretch,
            &[
                1.5, 12.5, 37.5, 13.33, 26.85, 54.37, 42.85, 59.25, 89.65, 91.57, 110.85, 144.13,
                148.2, 170.0, 205.8,
            ],
        ),
        (&UNEVEN, [6, 4, 2, 2], Resize::Crop, &[116.5, 137.357, 146.714, 154.643]),
        (
            &UNEVEN,
            [6, 4, 4, 3],
            Resize::Crop,
            &[
                47.75, 101.664, 136.9, 136.05, 164.75, 147.955, 156.545, 139.75, 106.05, 146.327,
                176.191, 143.45,
            ],
        ),
    ];
    for (codes, [width, height, out_width, out_height], resize, expected) in table {
        let data: Vec<u8> = codes.iter().flat_map(|code| [*code; 3]).collect();
        let picture = picture(out_width, out_height, Order::Grey, resize);
        assert_near(&fill(&picture, &rgb(&data, width, height)), expected);
    }
}

#[test]
fn a_letterbox_is_resized_turned_and_normalised_and_so_is_the_black_beside_it() {
    // Pillow 13.0 makes 3 x 2 of the frame; the black row goes to the bottom.
    let small = [92.939_f32, 135.893, 135.306, 132.714, 155.161, 155.837];
    let data: Vec<u8> = UNEVEN.iter().flat_map(|code| [*code, 255 - code, 128]).collect();
    let picture = Picture {
        mean: [8.0, 20.0, 30.0],
        std: [1.0, 2.0, 4.0],
        ..picture(3, 3, Order::Bgr, Resize::Letterbox)
    };
    let inside = small.map(|red| [120.0, (235.0 - red) / 2.0, (red - 30.0) / 4.0]);
    let black = [[-8.0, -10.0, -7.5]; 3];
    let expected: Vec<f32> = [&inside[..], &black].concat().concat();
    assert_near(&fill(&picture, &rgb(&data, 6, 4)), &expected);
}

#[test]
fn places_in_the_input_are_those_of_the_frame() {
    // Where two corners of the input, or of the frame in it, lie in the frame, by hand.
    type Corners = [[f32; 2]; 2];
    const ALL: Corners = [[0.0, 0.0], [1.0, 1.0]];
    let table: [(_, _, _, Corners, Corners); 6] = [
        (
            (640, 480),
            (224, 224),
            Resize::Stretch,
            [[0.25, 0.5], [0.75, 1.0]],
            [[0.25, 0.5], [0.75, 1.0]],
        ),
        // 224 x 168 from row 28 on, 168 x 224 from column 28 on.
        ((640, 480), (224, 224), Resize::Letterbox, [[0.0, 0.125], [1.0, 0.875]], ALL),
        ((480, 640), (224, 224), Resize::Letterbox, [[0.125, 0.0], [0.875, 1.0]], ALL),
        // 720 of 1280 from 280 on, and 960 from 160 on.
        ((1280, 720), (192, 192), Resize::Crop, ALL, [[0.21875, 0.0], [0.78125, 1.0]]),
        ((720, 1280), (192, 192), Resize::Crop, ALL, [[0.0, 0.21875], [1.0, 0.78125]]),
        ((1280, 720), (320, 240), Resize::Crop, ALL, [[0.125, 0.0], [0.875, 1.0]]),
    ];
    for ((width, height), out, resize, input, expected) in table {
        let picture = picture(out.0, out.1, Order::Grey, resize);
        let (mut resizer, mut values) = (Resizer::new(&picture), vec![0.0; picture.values()]);
        resizer.fill(&rgb(&vec![0; width * height * 3], width, height), &mut values);
        let found = input.map(|place| resizer.in_frame(place));
        assert_near(found.as_flattened(), expected.as_flattened());
    }
}

#[test]
fn video_is_turned_into_blue_green_and_red_as_well() {
    // Pure red in BT.601: Y 81, Cb 90, Cr 240, rounded to whole codes.
    let plane = |data, stride| Plane { data, stride };
    let (luma, both) = ([81; 4], [90, 240]);
    let nv12 = Frame::nv12(2, 2, [plane(&luma, 2), plane(&both, 2)], VIDEO).unwrap();
    let halves = [plane(&luma, 2), plane(&both[..1], 1), plane(&both[1..], 1)];
    let i420 = Frame::i420(2, 2, halves, VIDEO).unwrap();
    for (order, red) in [(Order::Rgb, 0), (Order::Bgr, 2)] {
        for frame in [&nv12, &i420] {
            let out = fill(&picture(1, 1, order, Resize::Stretch), frame);
            let expected = |channel| if channel == red { 255.0 } else { 0.0 };
            let near = |(channel, code): (usize, &f32)| (code - expected(channel)).abs() < 2.0;
            assert!(out.iter().enumerate().all(near), "{order:?}: {out:?}");
        }
    }
}

#[test]
fn the_same_size_is_the_same_picture() {
    let data = noise(7 * 5 * 3, 1);
    let frame = rgb(&data, 7, 5);
    let out = fill(&picture(7, 5, Order::Rgb, Resize::Stretch), &frame);
    assert!(out.iter().zip(&data).all(|(out, code)| (out - f32::from(*code)).abs() < 1e-3));
    let turned = fill(&picture(7, 5, Order::Bgr, Resize::Crop), &frame);
    assert_eq!([turned[0], turned[1], turned[2]], [out[2], out[1], out[0]]);
}

#[test]
fn values_are_normalised_channel_by_channel() {
    let data = [10, 20, 30].repeat(4);
    let frame = rgb(&data, 2, 2);
    let picture = Picture {
        mean: [1.0, 2.0, 3.0],
        std: [2.0, 4.0, 8.0],
        ..picture(1, 1, Order::Bgr, Resize::Stretch)
    };
    assert_eq!(fill(&picture, &frame), [14.5, 4.5, 0.875]);
}

#[test]
fn a_letterbox_shows_all_of_the_frame_and_black_beside_it() {
    let data = [200; 8 * 4 * 3];
    let picture = Picture { mean: [100.0; 3], ..picture(4, 4, Order::Rgb, Resize::Letterbox) };
    let mut resizer = Resizer::new(&picture);
    let mut out = vec![0.0; picture.values()];
    resizer.fill(&rgb(&data, 8, 4), &mut out);
    let rows: Vec<f32> = out.chunks(12).map(|row| row[0]).collect();
    assert_eq!(rows, [-100.0, 100.0, 100.0, -100.0]);
    assert_eq!(resizer.in_frame([0.0, 0.25]), [0.0, 0.0]);
    assert_eq!(resizer.in_frame([1.0, 0.75]), [1.0, 1.0]);
}

#[test]
fn a_crop_shows_the_middle() {
    let mut data = vec![0; 8 * 4 * 3];
    for pixel in data.chunks_mut(24).flat_map(|row| row[6..18].iter_mut()) {
        *pixel = 100;
    }
    let picture = picture(2, 2, Order::Grey, Resize::Crop);
    let mut resizer = Resizer::new(&picture);
    let mut out = vec![0.0; 4];
    resizer.fill(&rgb(&data, 8, 4), &mut out);
    // The triangle reaches half a pixel of the output beyond what is shown.
    assert!(out.iter().all(|code| (80.0..=100.0).contains(code)), "{out:?}");
    assert_eq!(resizer.in_frame([0.0, 0.0]), [0.25, 0.0]);
    assert_eq!(resizer.in_frame([1.0, 1.0]), [0.75, 1.0]);
}

#[test]
fn luma_alone_is_stretched_from_black_to_white() {
    let luma = [16, 235, 126, 0];
    let chroma = [7; 2];
    let planes = [Plane { data: &luma, stride: 2 }, Plane { data: &chroma, stride: 2 }];
    let frame = Frame::nv12(2, 2, planes, VIDEO).unwrap();
    let out = fill(&picture(2, 2, Order::Grey, Resize::Stretch), &frame);
    assert_eq!((out[0], out[1], out[3]), (0.0, 255.0, 0.0));
    assert!((out[2] - 255.0 * 110.0 / 219.0).abs() < 1e-2, "{out:?}");
}

#[test]
fn a_frame_of_another_size_is_fitted_anew() {
    let picture = picture(3, 3, Order::Rgb, Resize::Stretch);
    let mut resizer = Resizer::new(&picture);
    let mut out = vec![0.0; picture.values()];
    for (width, height) in [(9, 6), (4, 11), (9, 6)] {
        let data = noise(width * height * 3, 3);
        resizer.fill(&rgb(&data, width, height), &mut out);
        assert_eq!(out, fill(&picture, &rgb(&data, width, height)));
    }
}

proptest! {
    #[test]
    fn every_pixel_is_what_the_filter_defines(
        width in 1_usize..40, height in 1_usize..40,
        out_width in 1_usize..20, out_height in 1_usize..20,
        resize in prop::sample::select(vec![Resize::Stretch, Resize::Letterbox, Resize::Crop]),
        seed in any::<u32>(),
    ) {
        let data = noise(width * height * 3, seed);
        let frame = rgb(&data, width, height);
        let picture = picture(out_width, out_height, Order::Rgb, resize);
        let out = fill(&picture, &frame);
        let fit = Fit::new((width, height), &picture);
        let [left, top, columns, rows] = fit.inside;
        for y in 0..out_height {
            for x in 0..out_width {
                let found = out[(y * out_width + x) * 3 + 1];
                let inside = (left..left + columns).contains(&x) && (top..top + rows).contains(&y);
                let pixel = |x: usize, y: usize| f64::from(data[(y * width + x) * 3 + 1]);
                let expected = match inside {
                    true => defined(pixel, (width, height), fit.seen, (columns, rows), (x - left, y - top)),
                    false => 0.0,
                };
                prop_assert!((f64::from(found) - expected).abs() < 1e-2, "{found} {expected}");
            }
        }
    }

    #[test]
    fn planar_and_woven_chroma_give_the_same_picture(
        width in 1_usize..33, height in 1_usize..33, seed in any::<u32>(), padding in 0_usize..9,
        matrix in prop::sample::select(vec![Matrix::Bt601, Matrix::Bt709]),
        range in prop::sample::select(vec![Range::Limited, Range::Full]),
    ) {
        let colour = Colour { matrix, range };
        let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
        let luma = noise((width + padding) * height, seed);
        let [u, v] = [2, 3].map(|salt| noise(half_width * half_height, seed ^ salt));
        let woven: Vec<u8> = u.iter().zip(&v).flat_map(|(u, v)| [*u, *v]).collect();
        let y = Plane { data: &luma, stride: width + padding };
        let half = |data| Plane { data, stride: half_width };
        let planar = Frame::i420(width, height, [y, half(&u), half(&v)], colour).unwrap();
        let uv = Plane { data: &woven, stride: 2 * half_width };
        let interleaved = Frame::nv12(width, height, [y, uv], colour).unwrap();
        let picture = picture(8, 6, Order::Rgb, Resize::Letterbox);
        let out = fill(&picture, &planar);
        prop_assert_eq!(&out, &fill(&picture, &interleaved));
        prop_assert!(out.iter().all(|code| (0.0..=255.0).contains(code)));
    }
}
