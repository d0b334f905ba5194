//! What the elements of a tensor are, and their way from and to float32.
//!
//! Everything above the runtime computes in float32; a model may take and give smaller
//! elements, which are converted by the tensor's own scale and zero point.

use half::f16;
use half::slice::HalfFloatSliceExt as _;
use serde::Deserialize;

/// What an element of a tensor is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Element {
    /// 32-bit float.
    F32,
    /// 16-bit float (IEEE 754 binary16).
    F16,
    /// Unsigned 8-bit integer.
    U8(Quantisation),
    /// Signed 8-bit integer.
    I8(Quantisation),
}

/// The type of a tensor's elements, without how it is quantised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Kind {
    /// 32-bit float.
    #[serde(rename = "float32")]
    F32,
    /// 16-bit float.
    #[serde(rename = "float16")]
    F16,
    /// Unsigned 8-bit integer.
    #[serde(rename = "uint8")]
    U8,
    /// Signed 8-bit integer.
    #[serde(rename = "int8")]
    I8,
}

impl Kind {
    /// Its name in a manifest.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::U8 => "uint8",
            Self::I8 => "int8",
        }
    }
}

/// How an integer stands for a number: `scale * (integer - zero_point)` (TensorFlow Lite's
/// 8-bit quantization specification), one scale for the whole tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantisation {
    scale: f32,
    zero_point: i16,
}

impl Quantisation {
    /// Of a tensor that names none: the integers themselves, such as a picture's 0 to 255.
    pub const NONE: Self = Self { scale: 1.0, zero_point: 0 };

    /// `None` unless the scale is a number above 0 and the zero point one of -128 to 255.
    pub fn new(scale: f32, zero_point: i64) -> Option<Self> {
        let zero_point = i16::try_from(zero_point).ok().filter(|z| (-128..=255).contains(z))?;
        (scale.is_normal() && scale > 0.0).then_some(Self { scale, zero_point })
    }

    /// The nearest integer, half away from zero; NaN becomes 0 of the integers.
    fn integer(self, value: f32) -> f32 {
        (value / self.scale).round() + f32::from(self.zero_point)
    }

    fn value(self, integer: i16) -> f32 {
        self.scale * f32::from(integer - self.zero_point)
    }
}

impl Element {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
            Self::U8(_) | Self::I8(_) => 1,
        }
    }

    /// Its type alone.
    pub fn kind(self) -> Kind {
        match self {
            Self::F32 => Kind::F32,
            Self::F16 => Kind::F16,
            Self::U8(_) => Kind::U8,
            Self::I8(_) => Kind::I8,
        }
    }

    /// Writes `values` as elements of this kind, in the machine's order of bytes; what an
    /// integer cannot hold becomes the nearest that it can.
    ///
    /// `memory` holds [`Element::size`] bytes a value, at any address.
    pub(super) fn write(self, values: &[f32], memory: &mut [u8]) {
        match self {
            Self::F32 => {
                for (bytes, value) in memory.as_chunks_mut().0.iter_mut().zip(values) {
                    *bytes = value.to_ne_bytes();
                }
            }
            Self::F16 => {
                let mut part = [f16::ZERO; PART];
                let memory = memory.chunks_mut(2 * PART);
                for (values, memory) in values.chunks(PART).zip(memory) {
                    let part = &mut part[..values.len()];
                    part.convert_from_f32_slice(values);
                    for (bytes, value) in memory.as_chunks_mut().0.iter_mut().zip(part) {
                        *bytes = value.to_ne_bytes();
                    }
                }
            }
            Self::U8(quantisation) => {
                for (byte, &value) in memory.iter_mut().zip(values) {
                    *byte = quantisation.integer(value) as u8;
                }
            }
            Self::I8(quantisation) => {
                for (byte, &value) in memory.iter_mut().zip(values) {
                    *byte = (quantisation.integer(value) as i8).cast_unsigned();
                }
            }
        }
    }

    /// Reads elements of this kind; the inverse of [`Element::write`].
    pub(super) fn read(self, memory: &[u8], values: &mut [f32]) {
        match self {
            Self::F32 => {
                for (value, bytes) in values.iter_mut().zip(memory.as_chunks().0) {
                    *value = f32::from_ne_bytes(*bytes);
                }
            }
            Self::F16 => {
                let mut part = [f16::ZERO; PART];
                for (values, memory) in values.chunks_mut(PART).zip(memory.chunks(2 * PART)) {
                    let part = &mut part[..values.len()];
                    for (value, bytes) in part.iter_mut().zip(memory.as_chunks().0) {
                        *value = f16::from_ne_bytes(*bytes);
                    }
                    part.convert_to_f32_slice(values);
                }
            }
            Self::U8(quantisation) => {
                for (value, &byte) in values.iter_mut().zip(memory) {
                    *value = quantisation.value(i16::from(byte));
                }
            }
            Self::I8(quantisation) => {
                for (value, &byte) in values.iter_mut().zip(memory) {
                    *value = quantisation.value(i16::from(byte.cast_signed()));
                }
            }
        }
    }
}

/// Elements that are converted at a time: on the stack, and more than any vector unit takes.
const PART: usize = 64;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use proptest::prelude::*;

    use super::*;

    fn there_and_back(element: Element, values: &[f32]) -> Vec<f32> {
        let mut memory = vec![0; values.len() * element.size()];
        element.write(values, &mut memory);
        let mut back = vec![f32::NAN; values.len()];
        element.read(&memory, &mut back);
        back
    }

    #[test]
    fn integers_follow_the_tensors_scale_and_zero_point() {
        let half = Quantisation::new(0.5, 128).unwrap();
        let mut memory = [0; 5];
        Element::U8(half).write(&[0.0, 0.25, -64.0, 64.0, f32::INFINITY], &mut memory);
        assert_eq!(memory, [128, 129, 0, 255, 255]);
        let signed = Quantisation::new(2.0, -1).unwrap();
        Element::I8(signed).write(&[0.0, 3.0, -3.0, 1e9, -1e9], &mut memory);
        assert_eq!(memory.map(u8::cast_signed), [-1, 1, -3, 127, -128]);
    }

    #[test]
    fn a_tensor_without_scale_holds_the_integers_themselves() {
        let picture = [0.0, 1.0, 127.0, 255.0];
        assert_eq!(there_and_back(Element::U8(Quantisation::NONE), &picture), picture);
    }

    #[test]
    fn what_is_no_scale_is_refused() {
        for (scale, zero_point) in
            [(0.0, 0), (-1.0, 0), (f32::NAN, 0), (f32::INFINITY, 0), (1.0, 256), (1.0, i64::MIN)]
        {
            assert_eq!(Quantisation::new(scale, zero_point), None, "{scale} {zero_point}");
        }
    }

    proptest! {
        #[test]
        fn floats_stay_and_halves_lose_a_2048th(values in prop::collection::vec(-6e4_f32..6e4, 0..200)) {
            prop_assert_eq!(&there_and_back(Element::F32, &values), &values);
            for (value, back) in values.iter().zip(there_and_back(Element::F16, &values)) {
                prop_assert!((value - back).abs() <= value.abs() / 2048.0 + 1e-7, "{value} {back}");
            }
        }

        #[test]
        fn every_integer_comes_back_as_itself(
            scale in 1e-6_f32..1e6,
            zero_point in 0_i64..256,
            bytes in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            for (element, zero_point) in [(Element::U8 as fn(_) -> _, zero_point), (Element::I8, zero_point - 128)] {
                let element = element(Quantisation::new(scale, zero_point).unwrap());
                let mut values = vec![0.0; bytes.len()];
                element.read(&bytes, &mut values);
                let mut back = vec![0; bytes.len()];
                element.write(&values, &mut back);
                prop_assert_eq!(&back, &bytes);
            }
        }
    }
}
