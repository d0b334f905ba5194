//! Who is logged in: a bounded table of tokens that expire.

use std::collections::HashMap;
use std::time::Instant;

use sha2::{Digest, Sha256};

/// Logins at the same time. At the limit the one that ends first makes room; each
/// took the password, so nobody without it can push others out.
pub const LOGINS: usize = 256;

/// What a client shows to prove its login: 256 random bits in hexadecimal.
#[derive(Clone, Eq, PartialEq)]
pub struct Token(String);

/// Names a login without opening it: the start of its token's hash.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct LoginId(String);

impl Token {
    /// A new token from the kernel's generator.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(hex(&bytes)))
    }

    /// The text that goes to the client, once.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl LoginId {
    fn of(hash: &[u8; 32]) -> Self {
        Self(hex(&hash[..16]))
    }

    /// Stable for as long as the login lasts.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// Tokens by their hash. The lookup compares hashes of what the client sent, so
/// its time tells nothing about the tokens.
#[derive(Debug, Default)]
pub struct Logins {
    ends: HashMap<[u8; 32], Instant>,
    /// Not yet told by [`Self::take_ended`]. Each took the password, so only who
    /// knows it can make this long.
    ended: Vec<LoginId>,
}

impl Logins {
    /// Remembers a login until `ends`.
    pub fn add(&mut self, token: &Token, ends: Instant, now: Instant) {
        self.expire(now);
        if self.ends.len() >= LOGINS {
            let first = self.ends.iter().min_by_key(|(_, end)| **end).map(|(hash, _)| *hash);
            first.into_iter().for_each(|hash| self.remove(&hash));
        }
        self.ends.insert(hash(token.text()), ends);
    }

    /// The login of a token, if it is one and has not ended.
    #[must_use]
    pub fn find(&self, token: &str, now: Instant) -> Option<LoginId> {
        let hash = hash(token);
        let ends = self.ends.get(&hash)?;
        (*ends > now).then(|| LoginId::of(&hash))
    }

    /// Whether a login has not ended.
    #[must_use]
    pub fn counts(&self, login: &LoginId, now: Instant) -> bool {
        self.ends.iter().any(|(hash, end)| *end > now && LoginId::of(hash) == *login)
    }

    /// Ends the login of a token.
    pub fn end(&mut self, token: &str) {
        self.remove(&hash(token));
    }

    /// Ends all logins, as for a new password.
    pub fn end_all(&mut self) {
        self.ended.extend(self.ends.drain().map(|(hash, _)| LoginId::of(&hash)));
    }

    /// The logins that have ended since the last call, for whatever reason.
    pub fn take_ended(&mut self, now: Instant) -> Vec<LoginId> {
        self.expire(now);
        std::mem::take(&mut self.ended)
    }

    fn expire(&mut self, now: Instant) {
        let over = self.ends.extract_if(|_, end| *end <= now);
        self.ended.extend(over.map(|(hash, _)| LoginId::of(&hash)));
    }

    fn remove(&mut self, hash: &[u8; 32]) {
        self.ended.extend(self.ends.remove(hash).map(|_| LoginId::of(hash)));
    }
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn login_lasts_until_its_end_or_logout() {
        let (mut logins, now) = (Logins::default(), Instant::now());
        let (token, other) = (Token::random().unwrap(), Token::random().unwrap());
        let ends = now + Duration::from_secs(10);
        logins.add(&token, ends, now);
        logins.add(&other, ends, now);
        let id = logins.find(token.text(), now).unwrap();
        assert!(!token.text().contains(id.text()), "the id does not open the login");
        assert_ne!(Some(id), logins.find(other.text(), now));
        assert_eq!(logins.find(token.text(), ends), None);
        logins.end(token.text());
        assert_eq!(logins.find(token.text(), now), None);
        assert!(logins.find(other.text(), now).is_some());
        logins.end_all();
        assert_eq!(logins.find(other.text(), now), None);
    }

    #[test]
    fn every_end_of_a_login_is_told_once() {
        let (mut logins, now) = (Logins::default(), Instant::now());
        let later = now + Duration::from_secs(10);
        let add = |logins: &mut Logins, ends| {
            let token = Token::random().unwrap();
            logins.add(&token, ends, now);
            (logins.find(token.text(), now).unwrap(), token)
        };
        let (over, _) = add(&mut logins, later);
        let (out, token) = add(&mut logins, later + Duration::from_secs(1));
        let (last, _) = add(&mut logins, later + Duration::from_secs(1));
        assert!(logins.counts(&over, now) && !logins.counts(&over, later));
        assert_eq!(logins.take_ended(now), []);
        logins.end(token.text());
        logins.end(token.text());
        assert_eq!(logins.take_ended(now), [out]);
        assert_eq!(logins.take_ended(later), [over]);
        logins.end_all();
        assert_eq!(logins.take_ended(later), [last]);
        let (pushed_out, _) = add(&mut logins, later);
        (0..LOGINS).for_each(|_| drop(add(&mut logins, later + Duration::from_secs(1))));
        assert_eq!(logins.take_ended(now), [pushed_out]);
    }

    proptest! {
        #[test]
        fn table_stays_bounded_and_the_newest_login_counts(lasts in prop::collection::vec(1_u64..9, 1..600)) {
            let (mut logins, now) = (Logins::default(), Instant::now());
            for seconds in lasts {
                let token = Token::random().unwrap();
                logins.add(&token, now + Duration::from_secs(seconds), now);
                prop_assert!(logins.ends.len() <= LOGINS);
                prop_assert!(logins.find(token.text(), now).is_some());
            }
        }

        #[test]
        fn no_other_text_is_a_token(text in "\\PC*") {
            let mut logins = Logins::default();
            let now = Instant::now();
            logins.add(&Token::random().unwrap(), now + Duration::from_secs(9), now);
            prop_assert_eq!(logins.find(&text, now), None);
        }
    }
}
