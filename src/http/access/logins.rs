//! Who is logged in: a bounded table of tokens that expire.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::accounts::Name;

/// Logins at the same time. At the limit the one that ends first makes room; each
/// took the password, so nobody without it can push others out.
pub const LOGINS: usize = 256;
/// Of one user: browsers of a whole team that shares one.
pub const LOGINS_EACH: usize = 64;

/// What a client shows to prove its login: 256 random bits in hexadecimal.
#[derive(Clone, Eq, PartialEq)]
pub struct Token(String);

/// SHA-256 of a [`Token`], which is all that is kept of it: the text has the entropy that
/// a password lacks. In hexadecimal where it is written.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenHash([u8; 32]);

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

impl TokenHash {
    /// Of what a client has sent.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }
}

impl From<TokenHash> for String {
    fn from(TokenHash(bytes): TokenHash) -> Self {
        hex(&bytes)
    }
}

impl TryFrom<String> for TokenHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let wrong = "a token's hash is 64 hexadecimal digits";
        let digits: Option<Vec<u8>> =
            text.chars().map(|digit| u8::try_from(digit.to_digit(16)?).ok()).collect();
        let digits = digits.ok_or(wrong)?;
        let bytes: Vec<u8> = digits
            .chunks(2)
            .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
            .collect();
        // An odd digit too many would be lost otherwise.
        let bytes = <[u8; 32]>::try_from(bytes).ok().filter(|_| digits.len() == 64);
        bytes.map(Self).ok_or(wrong)
    }
}

impl LoginId {
    /// Of the token that opens it.
    #[must_use]
    pub fn of(TokenHash(bytes): &TokenHash) -> Self {
        Self(hex(&bytes[..16]))
    }

    /// Stable for as long as the login lasts.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// Somebody who has logged in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Login {
    /// Whose name and password it was.
    pub user: Name,
    /// From where.
    pub from: IpAddr,
    /// When.
    pub since: Instant,
    /// Until when it counts.
    pub ends: Instant,
}

/// Logins by their token's hash. The lookup compares hashes of what the client sent, so
/// its time tells nothing about the tokens.
#[derive(Debug, Default)]
pub struct Logins {
    logins: HashMap<TokenHash, Login>,
    /// Not yet told by [`Self::take_ended`]. Each took a password, so only who
    /// knows one can make this long.
    ended: Vec<LoginId>,
}

impl Logins {
    /// Remembers a login.
    pub fn add(&mut self, token: &Token, login: Login) {
        self.expire(login.since);
        // The same user's first, so that nobody logs others out.
        let own = |one: &Login| one.user == login.user;
        if self.logins.values().filter(|one| own(one)).count() >= LOGINS_EACH {
            self.drop_first(own);
        } else if self.logins.len() >= LOGINS {
            let most = self.most_logins();
            self.drop_first(|one| most.as_ref() == Some(&one.user));
        }
        self.logins.insert(TokenHash::of(token.text()), login);
    }

    /// Who has the most.
    fn most_logins(&self) -> Option<Name> {
        let mut counts = HashMap::new();
        self.logins.values().for_each(|login| *counts.entry(&login.user).or_insert(0) += 1);
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(user, _)| user.clone())
    }

    /// Ends the one of `which` that would end first.
    fn drop_first(&mut self, which: impl Fn(&Login) -> bool) {
        let those = self.logins.iter().filter(|(_, login)| which(login));
        let first = those.min_by_key(|(_, login)| login.ends).map(|(hash, _)| *hash);
        first.into_iter().for_each(|hash| self.remove(&hash));
    }

    /// The login of a token, if it has not ended.
    #[must_use]
    pub fn find(&self, token: &TokenHash, now: Instant) -> Option<&Login> {
        self.logins.get(token).filter(|login| login.ends > now)
    }

    /// Those that have not ended.
    pub fn iter(&self, now: Instant) -> impl Iterator<Item = (LoginId, &Login)> {
        let lasting = self.logins.iter().filter(move |(_, login)| login.ends > now);
        lasting.map(|(hash, login)| (LoginId::of(hash), login))
    }

    /// Whether a login has not ended.
    #[must_use]
    pub fn counts(&self, login: &LoginId, now: Instant) -> bool {
        self.iter(now).any(|(id, _)| id == *login)
    }

    /// Ends the login of a token.
    pub fn end(&mut self, token: &TokenHash) {
        self.remove(token);
    }

    /// Ends the logins that `which` says.
    pub fn end_those(&mut self, which: impl Fn(&LoginId, &Login) -> bool) {
        let over = self.logins.extract_if(|hash, login| which(&LoginId::of(hash), login));
        self.ended.extend(over.map(|(hash, _)| LoginId::of(&hash)));
    }

    /// Has an end told that is none of a login here, such as a token's for programs.
    pub fn tell(&mut self, ended: LoginId) {
        self.ended.push(ended);
    }

    /// The logins that have ended since the last call, for whatever reason.
    pub fn take_ended(&mut self, now: Instant) -> Vec<LoginId> {
        self.expire(now);
        std::mem::take(&mut self.ended)
    }

    fn expire(&mut self, now: Instant) {
        self.end_those(|_, login| login.ends <= now);
    }

    fn remove(&mut self, hash: &TokenHash) {
        self.ended.extend(self.logins.remove(hash).map(|_| LoginId::of(hash)));
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::net::Ipv4Addr;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn of(user: &str, since: Instant, ends: Instant) -> Login {
        Login { user: user.parse().unwrap(), from: Ipv4Addr::LOCALHOST.into(), since, ends }
    }

    fn add(logins: &mut Logins, login: Login) -> (LoginId, TokenHash) {
        let token = Token::random().unwrap();
        logins.add(&token, login);
        let hash = TokenHash::of(token.text());
        assert!(
            !token.text().contains(LoginId::of(&hash).text()),
            "the id does not open the login"
        );
        (LoginId::of(&hash), hash)
    }

    #[test]
    fn login_lasts_until_its_end_or_logout() {
        let (mut logins, now) = (Logins::default(), Instant::now());
        let ends = now + seconds(10);
        let (id, token) = add(&mut logins, of("hall", now, ends));
        let (other, other_token) = add(&mut logins, of("door", now, ends));
        assert_ne!(id, other);
        assert_eq!(logins.find(&token, now), Some(&of("hall", now, ends)));
        assert_eq!(logins.find(&token, ends), None);
        assert!(logins.counts(&id, now) && !logins.counts(&id, ends));
        logins.end(&token);
        assert_eq!(logins.find(&token, now), None);
        assert_eq!(logins.iter(now).map(|(id, _)| id).collect::<Vec<_>>(), [other]);
        logins.end_those(|_, login| login.user.text() == "hall");
        assert!(logins.find(&other_token, now).is_some());
        logins.end_those(|_, login| login.user.text() == "door");
        assert_eq!(logins.find(&other_token, now), None);
    }

    #[test]
    fn every_end_of_a_login_is_told_once() {
        let (mut logins, now) = (Logins::default(), Instant::now());
        let later = now + seconds(10);
        let (over, _) = add(&mut logins, of("hall", now, later));
        let (out, token) = add(&mut logins, of("hall", now, later + seconds(1)));
        let (last, _) = add(&mut logins, of("hall", now, later + seconds(1)));
        assert_eq!(logins.take_ended(now), []);
        logins.end(&token);
        logins.end(&token);
        assert_eq!(logins.take_ended(now), [out]);
        assert_eq!(logins.take_ended(later), [over]);
        logins.end_those(|id, _| *id == last);
        assert_eq!(logins.take_ended(later), [last]);
        let (pushed_out, _) = add(&mut logins, of("hall", now, later));
        for _ in 0..LOGINS_EACH {
            add(&mut logins, of("hall", now, later + seconds(1)));
        }
        assert_eq!(logins.take_ended(now), [pushed_out]);
    }

    #[test]
    fn a_hash_is_read_as_it_was_written() {
        let hash = TokenHash::of("abc");
        let text = String::from(hash);
        assert!(text.starts_with("ba7816bf8f01cfea"), "FIPS 180-2, B.1: {text}");
        assert_eq!(TokenHash::try_from(text.clone()), Ok(hash));
        for wrong in ["", "ba", &text[1..], &format!("{text}0"), &format!("{}g", &text[1..])] {
            assert!(TokenHash::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn table_stays_bounded_and_the_newest_login_counts(
            added in prop::collection::vec((0..7, 1_u64..9), 1..600),
        ) {
            let (mut logins, now) = (Logins::default(), Instant::now());
            for (user, count) in added {
                let user = format!("user{user}");
                let (_, token) = add(&mut logins, of(&user, now, now + seconds(count)));
                let own = logins.logins.values().filter(|login| login.user.text() == user);
                prop_assert!(own.count() <= LOGINS_EACH);
                prop_assert!(logins.logins.len() <= LOGINS);
                prop_assert!(logins.find(&token, now).is_some());
            }
        }

        #[test]
        fn who_has_one_is_logged_out_by_nobody(users in 1..7_usize, count in 1..600_usize) {
            let (mut logins, now) = (Logins::default(), Instant::now());
            let (_, first) = add(&mut logins, of("door", now, now + seconds(1)));
            for turn in 0..count {
                add(&mut logins, of(&format!("user{}", turn % users), now, now + seconds(9)));
            }
            prop_assert!(logins.find(&first, now).is_some());
        }

        #[test]
        fn no_other_text_is_a_token(text in "\\PC*") {
            let (mut logins, now) = (Logins::default(), Instant::now());
            add(&mut logins, of("hall", now, now + seconds(9)));
            prop_assert_eq!(logins.find(&TokenHash::of(&text), now), None);
        }
    }
}
