//! What to sign: a text, checked, and who signs it.

use crate::hand::Side;

/// Letters of a text; longer ones are refused, so that memory stays bounded.
pub const LONGEST_TEXT: usize = 2000;

/// Why a text cannot be signed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TextError {
    /// Something else than a letter or a space.
    #[error("text to sign: {0:?} has no sign; use the letters A to Z and spaces")]
    NoSign(char),
    /// Nothing to sign.
    #[error("text to sign: it holds no letter; give some, as in --text \"HELLO WORLD\"")]
    Empty,
    /// Longer than [`LONGEST_TEXT`].
    #[error("text to sign: {0} characters are too many; at most {LONGEST_TEXT}")]
    TooLong(usize),
}

/// How a letter that has a stroke is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strokes {
    /// As it should be.
    #[default]
    Drawn,
    /// The hand holds still for as long as the stroke would take: J looks like
    /// I, Z like D.
    LeftOut,
}

/// What to sign, and who signs.
#[derive(Clone, Debug)]
pub struct Script {
    /// Letters and spaces.
    pub text: String,
    /// Chooses signer, room, light, pace and every small deviation.
    pub seed: u64,
    /// The signing hand.
    pub side: Side,
    /// Whether J and Z move.
    pub strokes: Strokes,
}

impl Script {
    /// The text that a viewer can read, in upper case.
    #[must_use]
    pub fn shown(&self) -> String {
        let text = self.text.to_ascii_uppercase();
        match self.strokes {
            Strokes::Drawn => text,
            Strokes::LeftOut => text.replace('J', "I").replace('Z', "D"),
        }
    }
}

/// Words of a text, in upper case.
///
/// # Errors
/// A text that cannot be signed.
pub fn words(text: &str) -> Result<Vec<Vec<char>>, TextError> {
    let length = text.chars().count();
    if length > LONGEST_TEXT {
        return Err(TextError::TooLong(length));
    }
    let upper = text.to_ascii_uppercase();
    if let Some(odd) = upper.chars().find(|c| !c.is_ascii_uppercase() && *c != ' ') {
        return Err(TextError::NoSign(odd));
    }
    let words: Vec<Vec<char>> = upper.split_whitespace().map(|w| w.chars().collect()).collect();
    if words.is_empty() { Err(TextError::Empty) } else { Ok(words) }
}
