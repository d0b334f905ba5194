//! A borrowed look at one raw video frame: planes with strides, never a copy.

/// Which matrix turns Y'CbCr into R'G'B'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matrix {
    /// ITU-R BT.601: standard definition, webcams, JPEG.
    Bt601,
    /// ITU-R BT.709: high definition.
    Bt709,
}

/// Which codes mean black and white.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Luma 16 to 235, chroma 16 to 240: video.
    Limited,
    /// 0 to 255: JPEG.
    Full,
}

/// A frame's colorimetry, as its caps tell it. Decoding BT.601 data as BT.709 doubles the
/// landmarks' error, limited as full range quadruples it, so it is never guessed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    /// The matrix.
    pub matrix: Matrix,
    /// The codes' range.
    pub range: Range,
}

/// One plane of bytes: row `y` starts at `y * stride`.
#[derive(Clone, Copy, Debug)]
pub struct Plane<'a> {
    /// The plane's memory.
    pub data: &'a [u8],
    /// Bytes from one row to the next.
    pub stride: usize,
}

impl<'a> Plane<'a> {
    fn holds(self, row_bytes: usize, rows: usize) -> bool {
        let last_row = rows.checked_sub(1).and_then(|last| last.checked_mul(self.stride));
        let needed = last_row.and_then(|start| start.checked_add(row_bytes));
        self.stride >= row_bytes && needed.is_some_and(|needed| needed <= self.data.len())
    }

    /// Row `y`, from its first byte to the plane's end or the next row's start.
    pub(crate) fn row(self, y: usize) -> &'a [u8] {
        let start = y * self.stride;
        &self.data[start..self.data.len().min(start + self.stride)]
    }
}

/// The pixels' layouts that are sampled directly.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pixels<'a> {
    Rgb(Plane<'a>),
    I420 { y: Plane<'a>, u: Plane<'a>, v: Plane<'a>, colour: Colour },
    Nv12 { y: Plane<'a>, uv: Plane<'a>, colour: Colour },
}

/// One frame, borrowed for the length of a cascade step.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    width: usize,
    height: usize,
    pub(crate) pixels: Pixels<'a>,
}

/// Why memory is not a frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Width or height are zero or beyond [`Frame::MAX_SIDE`].
    #[error("frame of {width}x{height}: sides from 1 to {} pixels can be read", Frame::MAX_SIDE)]
    Size {
        /// Pixels.
        width: usize,
        /// Pixels.
        height: usize,
    },
    /// A plane is shorter than its size and stride say.
    #[error(
        "frame of {width}x{height}: the {plane} plane is too short or its stride is less than a row"
    )]
    Short {
        /// Pixels.
        width: usize,
        /// Pixels.
        height: usize,
        /// Which plane.
        plane: &'static str,
    },
}

impl<'a> Frame<'a> {
    /// Largest side in pixels (8K video has 7680): keeps fixed-point positions within 32 bits.
    pub const MAX_SIDE: usize = 16384;

    fn new(
        (width, height): (usize, usize),
        pixels: Pixels<'a>,
        planes: &[(&'static str, Plane<'a>, usize, usize)],
    ) -> Result<Self, FrameError> {
        let sides = 1..=Self::MAX_SIDE;
        if !sides.contains(&width) || !sides.contains(&height) {
            return Err(FrameError::Size { width, height });
        }
        match planes.iter().find(|(_, plane, row_bytes, rows)| !plane.holds(*row_bytes, *rows)) {
            Some(&(plane, ..)) => Err(FrameError::Short { width, height, plane }),
            None => Ok(Self { width, height, pixels }),
        }
    }

    /// Packed R, G, B bytes.
    ///
    /// # Errors
    /// [`FrameError`] if the memory does not hold such a frame.
    pub fn rgb(width: usize, height: usize, plane: Plane<'a>) -> Result<Self, FrameError> {
        let row = width.saturating_mul(3);
        Self::new((width, height), Pixels::Rgb(plane), &[("RGB", plane, row, height)])
    }

    /// Three planes, chroma halved both ways (odd sides round up).
    ///
    /// # Errors
    /// [`FrameError`] if the memory does not hold such a frame.
    pub fn i420(
        width: usize,
        height: usize,
        [y, u, v]: [Plane<'a>; 3],
        colour: Colour,
    ) -> Result<Self, FrameError> {
        let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
        Self::new(
            (width, height),
            Pixels::I420 { y, u, v, colour },
            &[
                ("Y", y, width, height),
                ("U", u, half_width, half_height),
                ("V", v, half_width, half_height),
            ],
        )
    }

    /// A luma plane and one of interleaved chroma, U first (odd sides round up).
    ///
    /// # Errors
    /// [`FrameError`] if the memory does not hold such a frame.
    pub fn nv12(
        width: usize,
        height: usize,
        [y, uv]: [Plane<'a>; 2],
        colour: Colour,
    ) -> Result<Self, FrameError> {
        let (pair_row, half_height) = (width.div_ceil(2).saturating_mul(2), height.div_ceil(2));
        Self::new(
            (width, height),
            Pixels::Nv12 { y, uv, colour },
            &[("Y", y, width, height), ("UV", uv, pair_row, half_height)],
        )
    }

    /// Width in pixels, at least 1.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels, at least 1.
    pub fn height(&self) -> usize {
        self.height
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use super::*;

    const COLOUR: Colour = Colour { matrix: Matrix::Bt601, range: Range::Limited };

    #[test]
    fn the_last_row_needs_no_padding() {
        let data = [0; 4 * 8 + 6];
        assert!(Frame::rgb(2, 5, Plane { data: &data, stride: 8 }).is_ok());
        let short = Frame::rgb(2, 5, Plane { data: &data[1..], stride: 8 }).unwrap_err();
        assert_eq!(short, FrameError::Short { width: 2, height: 5, plane: "RGB" });
    }

    #[test]
    fn odd_sides_round_chroma_up() {
        let (y, c) = ([0; 15], [0; 6]);
        let planes = |c| {
            [
                Plane { data: &y, stride: 5 },
                Plane { data: c, stride: 3 },
                Plane { data: &[0; 6], stride: 3 },
            ]
        };
        assert!(Frame::i420(5, 3, planes(&c), COLOUR).is_ok());
        let short = Frame::i420(5, 3, planes(&c[1..]), COLOUR).unwrap_err();
        assert_eq!(short, FrameError::Short { width: 5, height: 3, plane: "U" });
        let uv = [0; 12];
        let planes = [Plane { data: &y, stride: 5 }, Plane { data: &uv, stride: 6 }];
        assert!(Frame::nv12(5, 3, planes, COLOUR).is_ok());
    }

    #[test]
    fn absurd_sizes_are_refused() {
        let plane = Plane { data: &[], stride: usize::MAX };
        for (width, height) in [(0, 4), (4, 0), (usize::MAX, 1), (1, usize::MAX)] {
            let error = Frame::rgb(width, height, plane).unwrap_err();
            assert_eq!(error, FrameError::Size { width, height });
        }
        assert!(Frame::rgb(4, 4, plane).is_err());
    }
}
