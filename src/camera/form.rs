//! The encoded forms of one camera's picture.

use std::fmt;
use std::ops::{Index, IndexMut};

/// One encoded form of a camera's picture, shared by all viewers who see it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// H.264, the whole picture.
    Full,
    /// H.264, a small picture for viewers on a slow network.
    Low,
    /// VP8, the whole picture, for browsers without H.264.
    Vp8,
}

/// What a form is encoded as. A viewer's payloader knows one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Codec {
    /// Byte stream, one access unit a buffer.
    H264,
    /// One picture a buffer.
    Vp8,
}

impl Form {
    /// All there are, in the order of [`PerForm`].
    pub const ALL: [Self; 3] = [Self::Full, Self::Low, Self::Vp8];

    /// What it is encoded as.
    #[must_use]
    pub fn codec(self) -> Codec {
        match self {
            Self::Full | Self::Low => Codec::H264,
            Self::Vp8 => Codec::Vp8,
        }
    }

    /// As the status and the log call it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Low => "low",
            Self::Vp8 => "vp8",
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One value for each form.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PerForm<T>([T; 3]);

impl<T> PerForm<T> {
    /// The value that `make` has for each form.
    pub fn from_fn(make: impl FnMut(Form) -> T) -> Self {
        Self(Form::ALL.map(make))
    }

    /// Each form with its value.
    pub fn iter(&self) -> impl Iterator<Item = (Form, &T)> {
        Form::ALL.into_iter().zip(&self.0)
    }

    /// Each form with its value.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Form, &mut T)> {
        Form::ALL.into_iter().zip(&mut self.0)
    }
}

impl<T> Index<Form> for PerForm<T> {
    type Output = T;

    fn index(&self, form: Form) -> &T {
        &self.0[form as usize]
    }
}

impl<T> IndexMut<Form> for PerForm<T> {
    fn index_mut(&mut self, form: Form) -> &mut T {
        &mut self.0[form as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_has_the_place_of_its_own_value() {
        let mut names = PerForm::from_fn(Form::as_str);
        assert!(Form::ALL.iter().all(|form| names[*form] == form.as_str()));
        assert!(names.iter().all(|(form, name)| *name == form.as_str()));
        names[Form::Low] = "small";
        assert_eq!(names, PerForm(["full", "small", "vp8"]));
    }
}
