//! Names of sessions and connections: 128 random bits, so that they cannot be guessed.

use std::fmt;
use std::str::FromStr;

/// What a viewer is to us; named in WHEP's `Location`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SessionId(u128);

/// One webrtcbin of a session.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ConnectionId(u128);

impl SessionId {
    /// A new id from the kernel's generator.
    ///
    /// # Errors
    /// The kernel gives no random bytes.
    pub fn random() -> Result<Self, getrandom::Error> {
        random_bits().map(Self)
    }
}

impl ConnectionId {
    /// A new id from the kernel's generator.
    ///
    /// # Errors
    /// The kernel gives no random bytes.
    pub fn random() -> Result<Self, getrandom::Error> {
        random_bits().map(Self)
    }
}

/// Hexadecimal digits of an id that may be shown: enough to tell viewers apart and to find
/// one in the log, and 104 of the 128 bits that are to be guessed stay.
const SHORT: usize = 6;

impl SessionId {
    /// Its beginning, which does not open it.
    #[must_use]
    pub fn short(self) -> String {
        self.to_string().chars().take(SHORT).collect()
    }
}

impl ConnectionId {
    /// Its beginning, which does not open it.
    #[must_use]
    pub fn short(self) -> String {
        self.to_string().chars().take(SHORT).collect()
    }
}

fn random_bits() -> Result<u128, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(u128::from_le_bytes(bytes))
}

/// The text is no id of ours: not 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NoId;

fn parse(text: &str) -> Result<u128, NoId> {
    let ours = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 32 || !text.bytes().all(ours) {
        return Err(NoId);
    }
    u128::from_str_radix(text, 16).map_err(|_| NoId)
}

impl FromStr for SessionId {
    type Err = NoId;
    fn from_str(text: &str) -> Result<Self, NoId> {
        parse(text).map(Self)
    }
}

impl FromStr for ConnectionId {
    type Err = NoId;
    fn from_str(text: &str) -> Result<Self, NoId> {
        parse(text).map(Self)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn an_id_survives_being_written_and_read() {
        let id = SessionId::random().unwrap();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().len(), 32);
    }

    #[test]
    fn anything_else_is_no_id() {
        let upper = "ABCDEFABCDEFABCDEFABCDEFABCDEFAB";
        for text in ["", "0", upper, "+bcdefabcdefabcdefabcdefabcdefab", "../../etc/passwd"] {
            assert_eq!(text.parse::<SessionId>(), Err(NoId), "{text}");
        }
    }
}
