//! What those hear who do not get in, or may not do what they ask for.

use std::time::Duration;

use axum::http::StatusCode;

use super::accounts::{AccountsError, Role};
use super::password::PasswordError;
use super::setup::SetupError;
use super::store::ChangeError;
use crate::errors;
use crate::http::Problem;

/// What an API route answers to nobody.
#[must_use]
pub fn not_logged_in() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "not logged in",
        "this needs a login, and the request shows none that counts",
        "log in at /login, or POST user and password to /api/v1/login and send the token as bearer",
    )
}

/// What a route answers to who has another role.
#[must_use]
pub fn not_allowed(has: Role, needs: Role) -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "not allowed",
        format!("this is for the role {needs}, and you are logged in as {has}"),
        "log in as somebody who may, or ask an administrator for the role",
    )
}

/// Why a password does not let in.
#[derive(Debug)]
pub enum LoginError {
    /// It is another one, or there is no such user: which of the two is not told.
    Wrong,
    /// Wait for so long.
    TooMany(Duration),
    /// Others log in just now.
    Busy,
    /// There is no password to compare with.
    Password(PasswordError),
}

impl From<PasswordError> for LoginError {
    fn from(error: PasswordError) -> Self {
        Self::Password(error)
    }
}

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        let later = "try again later";
        match error {
            LoginError::Wrong => Self::new(
                StatusCode::UNAUTHORIZED,
                "wrong password",
                "the password is not that user's, or there is no such user",
                "`signpost password` on the device sets a new one for admin; an administrator \
                 sets those of others",
            ),
            LoginError::TooMany(wait) => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too many wrong passwords",
                format!("the next try is taken in {} s", wait.as_secs() + 1),
                later,
            )
            .retry_after(wait),
            LoginError::Busy => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many logins at once",
                "other logins are being checked",
                later,
            )
            .retry_after(Duration::from_secs(1)),
            LoginError::Password(PasswordError::Absent) => Self::new(
                StatusCode::CONFLICT,
                "no password is set",
                "this device has no password yet, so nobody can log in",
                "run `signpost password` on the device",
            ),
            LoginError::Password(error) => {
                log::error!("login: {}", errors::chain(&error));
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "password unusable",
                    "the device cannot read its own password",
                    "run `signpost password` on the device",
                )
            }
        }
    }
}

/// Why a device is not set up.
#[derive(Debug)]
pub enum SetUpError {
    /// It has a password.
    Done,
    /// Another code.
    Wrong,
    /// As with a login.
    Login(LoginError),
    /// The password cannot be one, or not be stored.
    Change(ChangeError),
    /// The code cannot be read.
    Code(SetupError),
}

impl From<LoginError> for SetUpError {
    fn from(error: LoginError) -> Self {
        Self::Login(error)
    }
}

impl From<ChangeError> for SetUpError {
    fn from(error: ChangeError) -> Self {
        Self::Change(error)
    }
}

impl From<SetupError> for SetUpError {
    fn from(error: SetupError) -> Self {
        Self::Code(error)
    }
}

impl From<SetUpError> for Problem {
    fn from(error: SetUpError) -> Self {
        match error {
            SetUpError::Done => Self::new(
                StatusCode::CONFLICT,
                "set up already",
                "this device has a password",
                "log in; `sudo signpost password` on the device sets another one",
            ),
            SetUpError::Wrong => Self::new(
                StatusCode::UNAUTHORIZED,
                "wrong code",
                "that is not this device's set-up code",
                "it stands on the device's console and in its journal, and `sudo signpost \
                 setup-code` on the device tells it",
            ),
            SetUpError::Login(LoginError::TooMany(wait)) => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too many wrong codes",
                format!("the next try is taken in {} s", wait.as_secs() + 1),
                "try again later",
            )
            .retry_after(wait),
            SetUpError::Login(error) => error.into(),
            SetUpError::Change(error) => error.into(),
            SetUpError::Code(error) => {
                let told = errors::chain(&error);
                log::error!("{told}");
                let hint = "remove the file, or run `sudo signpost password` on the device";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "no set-up code", told, hint)
            }
        }
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        let told = errors::chain(&error);
        let (status, title, hint) = match error {
            ChangeError::Accounts(error) => match error {
                AccountsError::Name => {
                    (StatusCode::UNPROCESSABLE_ENTITY, "not a name", "choose another name")
                }
                AccountsError::Taken(_) => {
                    (StatusCode::CONFLICT, "already there", "choose another name")
                }
                AccountsError::Unknown(_) => {
                    (StatusCode::NOT_FOUND, "not there", "the list has all names")
                }
                AccountsError::Fixed => (
                    StatusCode::CONFLICT,
                    "not changeable",
                    "make another user for everything else",
                ),
                AccountsError::Full(_) => {
                    (StatusCode::CONFLICT, "too many", "remove one that is no longer needed")
                }
                AccountsError::Damaged(_) => unusable(&told),
            },
            ChangeError::Password(PasswordError::Length { .. } | PasswordError::Common { .. }) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "password refused", "choose another password")
            }
            ChangeError::Password(_) | ChangeError::Unreadable { .. } => unusable(&told),
            ChangeError::Unwritable { .. } => {
                log::error!("{told}");
                (
                    StatusCode::INSUFFICIENT_STORAGE,
                    "not stored",
                    "nothing was changed: make room or mend the disk and send it again",
                )
            }
            ChangeError::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "too many changes at once",
                "try again in a second",
            ),
        };
        Self::new(status, title, told, hint)
    }
}

fn unusable(told: &str) -> (StatusCode, &'static str, &'static str) {
    log::error!("{told}");
    let hint = "put the file right or remove it on the device, then restart signpost";
    (StatusCode::INTERNAL_SERVER_ERROR, "accounts unusable", hint)
}
