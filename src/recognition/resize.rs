//! A frame's picture as a model's input: cut out or fitted in, resized, its channels in the
//! model's order and normalised, straight from the camera's planes.
//!
//! Resized as Pillow and `tf.image.resize(antialias=True)` do it with a bilinear filter: a
//! triangle over the pixels' centres that is as wide as the reduction asks for, so that
//! nothing between the output's pixels is passed over. Rows first: the sum over whole rows
//! is what the compiler makes vectors of.

use std::ops::Range;

use crate::cascade::frame::Pixels;
use crate::cascade::{Colour, Frame, Plane, ToRgb};
use crate::model::manifest::{self, Picture, Resize};

/// Luma of R'G'B' (ITU-R BT.601).
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// Makes inputs of one kind. Allocates when a frame has another size than the one before.
#[derive(Debug, Clone)]
pub struct Resizer {
    picture: Picture,
    fit: Fit,
    /// Sums of rows, before they are summed along the row.
    row: Vec<f32>,
    /// One row of the output: codes of each plane.
    codes: [Vec<f32>; 3],
}

/// What lies where for frames of one size.
#[derive(Debug, Clone, Default)]
struct Fit {
    size: (usize, usize),
    /// Where the frame lies in the output: from column and row, width and height.
    inside: [usize; 4],
    /// What of the frame is seen: from x and y, width and height, in pixels.
    seen: [f64; 4],
    columns: Taps,
    rows: Taps,
    half_columns: Taps,
    half_rows: Taps,
}

/// For each output pixel of a line the pixels that it is made of.
#[derive(Debug, Clone, Default)]
struct Taps {
    /// The first of them, and where its weights begin.
    starts: Vec<(usize, usize)>,
    weights: Vec<f32>,
    /// The pixels of the line that any output is made of.
    range: Range<usize>,
}

impl Taps {
    /// `out` pixels of the part of a line of `length` that begins at `from` and is `part` long.
    fn new(length: usize, from: f64, part: f64, out: usize) -> Self {
        let scale = part / out as f64;
        let reach = scale.max(1.0);
        let mut taps = Self::default();
        for pixel in 0..out {
            let centre = from + (pixel as f64 + 0.5) * scale;
            let last = length - 1;
            let low = ((centre - reach).max(0.0) as usize).min(last);
            let high = ((centre + reach).ceil().max(0.0) as usize).clamp(low + 1, length);
            let weight = |at: usize| (1.0 - ((at as f64 + 0.5 - centre) / reach).abs()).max(0.0);
            let weights: Vec<f64> = (low..high).map(weight).collect();
            let sum: f64 = weights.iter().sum();
            taps.starts.push((low, taps.weights.len()));
            // A pixel beyond the line's end is its last.
            let share =
                |weight: f64| if sum > 0.0 { weight / sum } else { 1.0 / weights.len() as f64 };
            taps.weights.extend(weights.iter().map(|weight| share(*weight) as f32));
            let first = if pixel == 0 { low } else { taps.range.start };
            taps.range = first..high.max(taps.range.end);
        }
        taps
    }

    /// The first pixel that output `pixel` is made of, and the weights from there on.
    fn of(&self, pixel: usize) -> (usize, &[f32]) {
        let (start, from) = self.starts[pixel];
        let to = self.starts.get(pixel + 1).map_or(self.weights.len(), |(_, to)| *to);
        (start, &self.weights[from..to])
    }
}

impl Fit {
    fn new((width, height): (usize, usize), picture: &Picture) -> Self {
        let (out_width, out_height) = (picture.width, picture.height);
        let across = out_width as f64 / width as f64;
        let down = out_height as f64 / height as f64;
        let whole = [0, 0, out_width, out_height];
        let all = [0.0, 0.0, width as f64, height as f64];
        let (inside, seen) = match picture.resize {
            Resize::Stretch => (whole, all),
            Resize::Letterbox => {
                let scale = across.min(down);
                let side = |length: usize, most: usize| {
                    ((length as f64 * scale).round() as usize).clamp(1, most)
                };
                let (w, h) = (side(width, out_width), side(height, out_height));
                ([(out_width - w) / 2, (out_height - h) / 2, w, h], all)
            }
            Resize::Crop => {
                let scale = across.max(down);
                let (w, h) = (out_width as f64 / scale, out_height as f64 / scale);
                (whole, [(width as f64 - w) / 2.0, (height as f64 - h) / 2.0, w, h])
            }
        };
        let ([x, y, w, h], [_, _, columns, rows]) = (seen, inside);
        let half = |length: usize| length.div_ceil(2);
        Self {
            size: (width, height),
            inside,
            seen,
            columns: Taps::new(width, x, w, columns),
            rows: Taps::new(height, y, h, rows),
            half_columns: Taps::new(half(width), x / 2.0, w / 2.0, columns),
            half_rows: Taps::new(half(height), y / 2.0, h / 2.0, rows),
        }
    }
}

/// Sums rows, then along the row, for the woven channels of a plane, each into its own
/// of `out`.
fn resample<const CHANNELS: usize>(
    plane: Plane<'_>,
    (columns, rows): (&Taps, &Taps),
    out_row: usize,
    sums: &mut Vec<f32>,
    out: &mut [Vec<f32>],
) {
    let range = &columns.range;
    let (first, weights) = rows.of(out_row);
    sums.clear();
    sums.resize(range.len() * CHANNELS, 0.0);
    for (row, weight) in weights.iter().enumerate() {
        let bytes = &plane.row(first + row)[range.start * CHANNELS..range.end * CHANNELS];
        for (sum, byte) in sums.iter_mut().zip(bytes) {
            *sum += weight * f32::from(*byte);
        }
    }
    for pixel in 0..columns.starts.len() {
        let (start, weights) = columns.of(pixel);
        let taps = sums[(start - range.start) * CHANNELS..].chunks_exact(CHANNELS);
        let mut codes = [0.0; CHANNELS];
        for (tap, weight) in taps.zip(weights) {
            for (code, value) in codes.iter_mut().zip(tap) {
                *code += weight * value;
            }
        }
        for (out, code) in out.iter_mut().zip(codes) {
            out[pixel] = code;
        }
    }
}

impl Resizer {
    /// For pictures of this kind.
    #[must_use]
    pub fn new(picture: &Picture) -> Self {
        let width = picture.width;
        Self {
            picture: picture.clone(),
            fit: Fit::default(),
            row: Vec::new(),
            codes: [vec![0.0; width], vec![0.0; width], vec![0.0; width]],
        }
    }

    /// Where a position in the last input, in fractions of it, lies in the frame, in fractions
    /// of that; outside 0..1 beside the frame.
    #[must_use]
    pub fn in_frame(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let Fit { inside: [left, top, width, height], seen, size, .. } = &self.fit;
        let along =
            |at: f32, most: usize, from: usize, length: usize, seen: [f64; 2], size: usize| {
                let part = (f64::from(at) * most as f64 - from as f64) / length as f64;
                ((seen[0] + part * seen[1]) / size as f64) as f32
            };
        [
            along(x, self.picture.width, *left, *width, [seen[0], seen[2]], size.0),
            along(y, self.picture.height, *top, *height, [seen[1], seen[3]], size.1),
        ]
    }

    /// Fills `out`, `[height, width, channels]`, from a frame.
    pub fn fill(&mut self, frame: &Frame<'_>, out: &mut [f32]) {
        assert_eq!(out.len(), self.picture.values(), "the buffer is one picture");
        let size = (frame.width(), frame.height());
        if self.fit.size != size {
            self.fit = Fit::new(size, &self.picture);
        }
        let channels = self.picture.colour.channels();
        let [left, top, width, height] = self.fit.inside;
        if (width, height) != (self.picture.width, self.picture.height) {
            // Beside the frame it is black.
            for pixel in out.chunks_exact_mut(channels) {
                for (channel, value) in pixel.iter_mut().enumerate() {
                    *value = self.normal(channel, 0.0);
                }
            }
        }
        let line = self.picture.width * channels;
        for row in 0..height {
            let from = (top + row) * line + left * channels;
            self.line(frame, row, &mut out[from..from + width * channels]);
        }
    }

    /// One row of the frame's part of the output.
    fn line(&mut self, frame: &Frame<'_>, row: usize, out: &mut [f32]) {
        let Self { fit, row: sums, codes, .. } = self;
        let whole = (&fit.columns, &fit.rows);
        let half = (&fit.half_columns, &fit.half_rows);
        let grey = self.picture.colour == manifest::Colour::Grey;
        let colour = match frame.pixels {
            Pixels::Rgb(plane) => {
                resample::<3>(plane, whole, row, sums, codes);
                None
            }
            Pixels::I420 { y, u, v, colour } => {
                let [luma, blue, red] = codes;
                resample::<1>(y, whole, row, sums, std::slice::from_mut(luma));
                if !grey {
                    resample::<1>(u, half, row, sums, std::slice::from_mut(blue));
                    resample::<1>(v, half, row, sums, std::slice::from_mut(red));
                }
                Some(colour)
            }
            Pixels::Nv12 { y, uv, colour } => {
                let [luma, chroma @ ..] = codes;
                resample::<1>(y, whole, row, sums, std::slice::from_mut(luma));
                if !grey {
                    resample::<2>(uv, half, row, sums, chroma);
                }
                Some(colour)
            }
        };
        match (colour, grey) {
            (Some(colour), true) => self.grey(colour, out),
            (Some(colour), false) => self.colours(colour, out),
            (None, true) => self.grey_of_rgb(out),
            (None, false) => self.rgb(out),
        }
    }

    fn normal(&self, channel: usize, code: f32) -> f32 {
        (code - self.picture.mean[channel]) / self.picture.std[channel]
    }

    /// Puts red, green and blue codes, 0 to 255, into an output pixel.
    fn put(&self, rgb: [f32; 3], out: &mut [f32]) {
        let [red, green, blue] = rgb;
        let ordered = match self.picture.colour {
            manifest::Colour::Rgb | manifest::Colour::Grey => rgb,
            manifest::Colour::Bgr => [blue, green, red],
        };
        for (channel, (out, code)) in out.iter_mut().zip(ordered).enumerate() {
            *out = self.normal(channel, code);
        }
    }

    fn colours(&self, colour: Colour, out: &mut [f32]) {
        let to_rgb = ToRgb::new(colour, 1.0);
        let [luma, blue, red] = &self.codes;
        for (((out, y), u), v) in out.chunks_exact_mut(3).zip(luma).zip(blue).zip(red) {
            self.put(to_rgb.convert([*y, *u, *v]).map(|value| 255.0 * value), out);
        }
    }

    fn grey(&self, colour: Colour, out: &mut [f32]) {
        for (out, luma) in out.iter_mut().zip(&self.codes[0]) {
            *out = self.normal(0, 255.0 * colour.grey(*luma));
        }
    }

    fn rgb(&self, out: &mut [f32]) {
        let [red, green, blue] = &self.codes;
        for (((out, r), g), b) in out.chunks_exact_mut(3).zip(red).zip(green).zip(blue) {
            self.put([*r, *g, *b], out);
        }
    }

    fn grey_of_rgb(&self, out: &mut [f32]) {
        let [red, green, blue] = &self.codes;
        for (((out, r), g), b) in out.iter_mut().zip(red).zip(green).zip(blue) {
            *out = self.normal(0, LUMA[0] * r + LUMA[1] * g + LUMA[2] * b);
        }
    }
}

#[cfg(test)]
#[path = "resize_tests.rs"]
mod tests;
