//! From Y'CbCr codes to R'G'B'.

use super::frame::{Colour, Matrix, Range};

/// Code of absent colour.
pub const NEUTRAL: u8 = 128;

impl Colour {
    /// Luma's code of black.
    #[must_use]
    pub fn black(self) -> u8 {
        match self.range {
            Range::Limited => 16,
            Range::Full => 0,
        }
    }

    /// Codes from black to white, and of each colour difference.
    fn codes(self) -> (f64, f64) {
        match self.range {
            Range::Limited => (219.0, 224.0),
            Range::Full => (255.0, 255.0),
        }
    }

    /// Luma from 0 (black) to 1 (white); codes beyond these are cut.
    #[must_use]
    pub fn grey(self, luma: f32) -> f32 {
        ((luma - f32::from(self.black())) / self.codes().0 as f32).clamp(0.0, 1.0)
    }
}

/// Y'CbCr codes to R'G'B' of 0..1: `rgb = luma * y + offsets + chroma terms`.
#[derive(Clone, Copy, Debug)]
pub struct ToRgb {
    luma: f32,
    red_from_red: f32,
    green_from_blue: f32,
    green_from_red: f32,
    blue_from_blue: f32,
    offsets: [f32; 3],
}

impl ToRgb {
    /// Coefficients from the definition in ITU-R BT.601-7 and BT.709-6 (Kr, Kb, code ranges)
    /// for codes that are multiplied by `weight`.
    #[must_use]
    pub fn new(colour: Colour, weight: f64) -> Self {
        let (kr, kb) = match colour.matrix {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
        };
        let kg = 1.0 - kr - kb;
        let (luma_codes, chroma_codes) = colour.codes();
        let [red, green_blue, green_red, blue] = [
            2.0 * (1.0 - kr),
            -2.0 * (1.0 - kb) * kb / kg,
            -2.0 * (1.0 - kr) * kr / kg,
            2.0 * (1.0 - kb),
        ]
        .map(|factor| factor / chroma_codes);
        let neutral = f64::from(NEUTRAL);
        let dark = -f64::from(colour.black()) / luma_codes;
        Self {
            luma: (1.0 / luma_codes / weight) as f32,
            red_from_red: (red / weight) as f32,
            green_from_blue: (green_blue / weight) as f32,
            green_from_red: (green_red / weight) as f32,
            blue_from_blue: (blue / weight) as f32,
            offsets: [
                (dark - red * neutral) as f32,
                (dark - (green_blue + green_red) * neutral) as f32,
                (dark - blue * neutral) as f32,
            ],
        }
    }

    /// Red, green and blue of luma, blue and red difference; what is beyond black or white is cut.
    #[inline(always)]
    #[must_use]
    pub fn convert(&self, [luma, blue, red]: [f32; 3]) -> [f32; 3] {
        let luma = luma * self.luma;
        let colours = [
            red * self.red_from_red,
            blue * self.green_from_blue + red * self.green_from_red,
            blue * self.blue_from_blue,
        ];
        std::array::from_fn(|i| (luma + colours[i] + self.offsets[i]).clamp(0.0, 1.0))
    }
}
