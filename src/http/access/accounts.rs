//! Users beside the administrator of the password file, and tokens for programs.
//!
//! Who may do what is a [`Role`]; [`super::super::roles`] says which route needs which.

use std::fmt;
use std::str::FromStr;

use argon2::PasswordHash;
use argon2::password_hash::PasswordHashString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::logins::TokenHash;

/// The user whose password stands in the password file: `signpost password` sets it, so
/// whoever holds the device gets in.
pub const ADMINISTRATOR: &str = "admin";
/// Users beside it. A device has some people's names, not a company's.
pub const USERS: usize = 64;
/// Tokens: each is a program somebody has set up.
pub const TOKENS: usize = 64;
/// Characters of a name.
const LONGEST_NAME: usize = 32;

/// What somebody may do. Each may do what those before it may.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Watches.
    Viewer,
    /// Changes settings and models.
    Operator,
    /// Users, tokens, network, update, logs, support bundle.
    Administrator,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Administrator => "administrator",
        })
    }
}

/// Of a user or a token: 1 to 32 of a-z, 0-9, `.`, `_`, `-`, the first a letter or digit.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, pattern = "^[a-z0-9][a-z0-9._-]{0,31}$", example = "hall")]
pub struct Name(String);

impl Name {
    /// The user of the password file.
    #[must_use]
    pub fn administrator() -> Self {
        Self(ADMINISTRATOR.to_owned())
    }

    /// As it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = AccountsError;

    fn from_str(text: &str) -> Result<Self, AccountsError> {
        let plain = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit();
        let fits = (1..=LONGEST_NAME).contains(&text.len())
            && text.bytes().all(|letter| plain(letter) || b"._-".contains(&letter))
            && text.bytes().next().is_some_and(plain);
        if fits { Ok(Self(text.to_owned())) } else { Err(AccountsError::Name) }
    }
}

impl TryFrom<String> for Name {
    type Error = AccountsError;

    fn try_from(text: String) -> Result<Self, AccountsError> {
        text.parse()
    }
}

/// Why accounts cannot be changed or read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AccountsError {
    /// Not a [`Name`].
    #[error(
        "a name has 1 to {LONGEST_NAME} characters, of a to z, 0 to 9, dot, underscore and \
         hyphen, and starts with a letter or digit"
    )]
    Name,
    /// There is one of this name.
    #[error("there is already one named {0}")]
    Taken(String),
    /// There is none of this name.
    #[error("there is none named {0}")]
    Unknown(String),
    /// [`ADMINISTRATOR`] stays what it is.
    #[error("{ADMINISTRATOR} is always there, as administrator: only its password can be changed")]
    Fixed,
    /// At the limit.
    #[error("there are {0} already, which is the most")]
    Full(usize),
    /// The text is no accounts.
    #[error("not understood: {0}")]
    Damaged(String),
}

/// Somebody who logs in with name and password.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// What is given at the login.
    pub name: Name,
    /// What the user may do.
    pub role: Role,
    /// As PHC string.
    #[serde(with = "phc")]
    pub password: PasswordHashString,
}

/// A program's way in, without a login.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ApiToken {
    /// What it is called where it is revoked.
    pub name: Name,
    /// What may be done with it.
    pub role: Role,
    /// Of the text that the program shows.
    pub hash: TokenHash,
    /// When it was made, in seconds since 1970, by the device's clock then.
    pub made: u64,
}

/// All users but [`ADMINISTRATOR`], and all tokens.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    users: Vec<User>,
    tokens: Vec<ApiToken>,
}

impl Accounts {
    /// Reads what [`Self::text`] has made.
    pub fn parse(text: &str) -> Result<Self, AccountsError> {
        let damaged = |error: serde_json::Error| AccountsError::Damaged(error.to_string());
        let Self { users, tokens } = serde_json::from_str(text).map_err(damaged)?;
        // One by one, so that a file holds nothing that could not have been made here.
        let mut accounts = Self::default();
        users.into_iter().try_for_each(|user| accounts.add_user(user))?;
        tokens.into_iter().try_for_each(|token| accounts.add_token(token))?;
        Ok(accounts)
    }

    /// As JSON.
    #[must_use]
    pub fn text(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        text.expect("names, roles and hashes are text") + "\n"
    }

    /// In the order in which they were made.
    #[must_use]
    pub fn users(&self) -> &[User] {
        &self.users
    }

    /// In the order in which they were made.
    #[must_use]
    pub fn tokens(&self) -> &[ApiToken] {
        &self.tokens
    }

    /// The user of a name, if it is not [`ADMINISTRATOR`].
    #[must_use]
    pub fn user(&self, name: &Name) -> Option<&User> {
        self.users.iter().find(|user| user.name == *name)
    }

    /// The token of a hash.
    #[must_use]
    pub fn token(&self, hash: &TokenHash) -> Option<&ApiToken> {
        self.tokens.iter().find(|token| token.hash == *hash)
    }

    /// What a user may do now; `None`: there is no such user.
    #[must_use]
    pub fn role(&self, name: &Name) -> Option<Role> {
        if name.text() == ADMINISTRATOR {
            return Some(Role::Administrator);
        }
        self.user(name).map(|user| user.role)
    }

    /// One more user.
    pub fn add_user(&mut self, user: User) -> Result<(), AccountsError> {
        if self.role(&user.name).is_some() {
            return Err(AccountsError::Taken(user.name.0));
        }
        room(&self.users, USERS)?;
        self.users.push(user);
        Ok(())
    }

    /// Another role, another password, or both.
    pub fn change_user(
        &mut self,
        name: &Name,
        role: Option<Role>,
        password: Option<PasswordHashString>,
    ) -> Result<(), AccountsError> {
        if name.text() == ADMINISTRATOR {
            return Err(AccountsError::Fixed);
        }
        let user = self.users.iter_mut().find(|user| user.name == *name);
        let user = user.ok_or_else(|| AccountsError::Unknown(name.0.clone()))?;
        user.role = role.unwrap_or(user.role);
        user.password = password.unwrap_or_else(|| user.password.clone());
        Ok(())
    }

    /// One user less.
    pub fn remove_user(&mut self, name: &Name) -> Result<(), AccountsError> {
        if name.text() == ADMINISTRATOR {
            return Err(AccountsError::Fixed);
        }
        remove(&mut self.users, name, |user| &user.name).map(drop)
    }

    /// One more token.
    pub fn add_token(&mut self, token: ApiToken) -> Result<(), AccountsError> {
        if self.tokens.iter().any(|known| known.name == token.name) {
            return Err(AccountsError::Taken(token.name.0));
        }
        room(&self.tokens, TOKENS)?;
        self.tokens.push(token);
        Ok(())
    }

    /// One token less.
    pub fn remove_token(&mut self, name: &Name) -> Result<ApiToken, AccountsError> {
        remove(&mut self.tokens, name, |token| &token.name)
    }
}

fn room<T>(all: &[T], most: usize) -> Result<(), AccountsError> {
    if all.len() < most { Ok(()) } else { Err(AccountsError::Full(most)) }
}

fn remove<T>(
    all: &mut Vec<T>,
    name: &Name,
    named: impl Fn(&T) -> &Name,
) -> Result<T, AccountsError> {
    let place = all.iter().position(|one| named(one) == name);
    place.map(|place| all.remove(place)).ok_or_else(|| AccountsError::Unknown(name.0.clone()))
}

/// PHC strings in serde's data model.
mod phc {
    use serde::de::Error as _;
    use serde::{Deserializer, Serializer};

    use super::{Deserialize, PasswordHash, PasswordHashString};

    pub fn serialize<S: Serializer>(hash: &PasswordHashString, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(hash.as_str())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PasswordHashString, D::Error> {
        let text = String::deserialize(from)?;
        let hash = PasswordHash::new(&text).map_err(D::Error::custom)?;
        Ok(hash.serialize())
    }
}

#[cfg(test)]
#[path = "accounts_tests.rs"]
mod tests;
