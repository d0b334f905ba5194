//! Who gets in: one password, logins that expire, and a limit on wrong tries.

mod attempts;
mod logins;
pub mod password;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use argon2::password_hash::PasswordHashString;
use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use tokio::sync::Semaphore;

use self::attempts::{Attempts, Taken};
pub use self::logins::{LoginId, Token};
use self::{logins::Logins, password::PasswordError};
use super::Problem;
use crate::config::{self, Config};
use crate::errors;

/// The cookie that holds the token.
pub const COOKIE_NAME: &str = "signpost_login";
/// Passwords hashed at the same time. Each takes a core and 19 MiB, and the video
/// needs the others.
const HASHES: usize = 1;
/// A login that has waited so long for its turn is told to come back: the page
/// waits 2 s for an answer.
const LONGEST_QUEUE: Duration = Duration::from_millis(1500);
/// A look at the password file.
const LONGEST_LOOK: Duration = Duration::from_secs(1);
/// One line on wrong passwords in this time; it says how many there were.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Whether a login is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Entry {
    /// By everybody (`--open`).
    Free,
    /// By those who know the password.
    Password,
}

/// Why the server may not be started as asked.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// `--open` for more than this machine.
    #[error(
        "--open asks for no login, so it is refused for {address}: listen on loopback only \
         (127.0.0.1, [::1]), or leave --open out and set a password with `signpost password`"
    )]
    OpenToAll {
        /// The address that others can reach.
        address: SocketAddr,
    },
    /// Others can reach us and there is no password.
    #[error("listening on {address} needs a password")]
    NeedsPassword {
        /// The address that others can reach.
        address: SocketAddr,
        /// What is wrong with the password.
        source: PasswordError,
    },
}

/// The state behind every login.
#[derive(Debug)]
pub struct Access {
    entry: Entry,
    password_file: PathBuf,
    login: Duration,
    hashing: Arc<Semaphore>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    attempts: Attempts,
    logins: Logins,
    /// The hash that the present logins knew the password of.
    password: Option<PasswordHashString>,
    /// Whether there was no password when it was last looked for.
    absent: bool,
    refused: u64,
    unsaid: u64,
    said: Option<Instant>,
}

/// A login, new.
pub struct Granted {
    /// Shown from now on.
    pub token: Token,
    /// How long it counts.
    pub lasts: Duration,
}

impl Access {
    /// Decides what `entry` means for the configured addresses.
    ///
    /// # Errors
    /// Others can reach us, and nothing would be asked of them, or there is no password.
    pub fn new(config: &Config, entry: Entry) -> Result<Self, AccessError> {
        let access = Self::as_service(config, &config.http.listen, entry)?;
        if let Some(address) = reachable(&config.http.listen) {
            let needs = |source| AccessError::NeedsPassword { address, source };
            password::read(&access.password_file).map_err(needs)?;
        }
        Ok(access)
    }

    /// The same for a service, which is there before its password: until one is set, it
    /// shows nothing but how to do that.
    ///
    /// # Errors
    /// Others can reach us by one of `addresses`, and nothing would be asked of them.
    pub fn as_service(
        config: &Config,
        addresses: &[SocketAddr],
        entry: Entry,
    ) -> Result<Self, AccessError> {
        if let (Entry::Free, Some(address)) = (entry, reachable(addresses)) {
            return Err(AccessError::OpenToAll { address });
        }
        let password_file = config.access.password_file.clone();
        let absent = matches!(password::read(&password_file), Err(PasswordError::Absent));
        let state = Arc::new(Mutex::new(State { absent, ..State::default() }));
        let login = config.access.login;
        let hashing = Arc::new(Semaphore::new(HASHES));
        Ok(Self { entry, password_file, login, hashing, state })
    }

    /// Whether a login is asked for.
    #[must_use]
    pub fn entry(&self) -> Entry {
        self.entry
    }

    /// Whether a login is asked for and nobody could have one when [`Self::ended`] last looked.
    #[must_use]
    pub fn lacks_password(&self) -> bool {
        self.entry == Entry::Password && self.lock().absent
    }

    /// Wrong passwords and refused tries since the start.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.lock().refused
    }

    /// Checks a password that came from `address`. Hashes on a blocking thread.
    pub async fn log_in(&self, address: IpAddr, password: String) -> Result<Granted, LoginError> {
        let hash = self.read_password().await?;
        let attempt = self.take_try(address)?;
        let turn = tokio::time::timeout(LONGEST_QUEUE, self.hashing.clone().acquire_owned());
        let Ok(Ok(turn)) = turn.await else { return Err(LoginError::Busy) };
        let known = hash.clone();
        // Turn and verdict are the thread's, so that a client that goes away meanwhile
        // neither makes room for a second hash nor gets its try back.
        let verified = tokio::task::spawn_blocking(move || {
            let right = password::verify(&password, &known);
            attempt.judge(right);
            drop(turn);
            right
        });
        match verified.await {
            Ok(true) => {}
            Ok(false) => return Err(LoginError::Wrong),
            Err(_) => return Err(LoginError::Busy),
        }
        let token = Token::random().map_err(|_| LoginError::Busy)?;
        let now = Instant::now();
        let mut state = self.lock();
        if state.password.as_ref().is_some_and(|before| *before != hash) {
            state.logins.end_all();
        }
        state.password = Some(hash);
        state.logins.add(&token, now + self.login, now);
        Ok(Granted { token, lasts: self.login })
    }

    /// Who a request is from; `None`: nobody who may come in.
    #[must_use]
    pub fn recognise(&self, headers: &HeaderMap) -> Option<Caller> {
        if self.entry == Entry::Free {
            return Some(Caller { login: None });
        }
        let now = Instant::now();
        let state = self.lock();
        let login = tokens(headers).find_map(|token| state.logins.find(token, now))?;
        Some(Caller { login: Some(login) })
    }

    /// Whether the login that a request showed has not ended since.
    #[must_use]
    pub fn counts(&self, caller: &Caller) -> bool {
        let now = Instant::now();
        caller.login.as_ref().is_none_or(|login| self.lock().logins.counts(login, now))
    }

    /// Reads on a blocking thread: nobody else waits for a slow card.
    async fn read_password(&self) -> Result<PasswordHashString, LoginError> {
        let file = self.password_file.clone();
        let read = tokio::task::spawn_blocking(move || password::read(&file)).await;
        Ok(read.map_err(|_| LoginError::Busy)??)
    }

    /// Looks at the password and names the logins that have ended since the last call:
    /// logged out, run out, or of a password that is no longer the device's.
    pub async fn ended(&self) -> Vec<LoginId> {
        // A card that hangs keeps nobody who has logged out.
        let present = tokio::time::timeout(LONGEST_LOOK, self.read_password()).await;
        let present = present.unwrap_or(Err(LoginError::Busy));
        let mut state = self.lock();
        state.absent = matches!(present, Err(LoginError::Password(PasswordError::Absent)));
        if let Some(known) = &state.password {
            let changed = match present {
                Ok(present) => present != *known,
                Err(LoginError::Password(
                    PasswordError::Absent | PasswordError::Damaged { .. },
                )) => true,
                // What cannot be read just now is as it was.
                Err(_) => false,
            };
            if changed {
                state.logins.end_all();
                state.password = None;
            }
        }
        state.logins.take_ended(Instant::now())
    }

    /// Ends the logins that a request shows.
    pub fn log_out(&self, headers: &HeaderMap) {
        let mut state = self.lock();
        tokens(headers).for_each(|token| state.logins.end(token));
    }

    /// Counts a try as wrong until it proves right or was not made.
    fn take_try(&self, address: IpAddr) -> Result<Attempt, LoginError> {
        let now = Instant::now();
        let mut state = self.lock();
        state.refused += 1;
        state.unsaid += 1;
        let taken = state.attempts.take(address, now);
        let due = state.said.is_none_or(|said| now.duration_since(said) >= LOG_EVERY);
        if taken.is_err() && due {
            state.said = Some(now);
            let count = std::mem::take(&mut state.unsaid);
            log::warn!(tries = count; "wrong passwords; further tries have to wait");
        }
        let taken = taken.map_err(LoginError::TooMany)?;
        Ok(Attempt { state: self.state.clone(), address, taken: Some(taken) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// An address that others can reach.
fn reachable(addresses: &[SocketAddr]) -> Option<SocketAddr> {
    addresses.iter().find(|address| !config::is_loopback(address.ip())).copied()
}

/// Held for table look-ups.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A try that counts as wrong while it is under way. Dropped without a verdict, as
/// when others log in just now, it was none.
struct Attempt {
    state: Arc<Mutex<State>>,
    address: IpAddr,
    taken: Option<Taken>,
}

impl Attempt {
    fn judge(mut self, right: bool) {
        let Some(_judged) = self.taken.take() else { return };
        if right {
            let mut state = lock(&self.state);
            state.attempts.succeeded(self.address);
            state.forget_refusal();
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let Some(taken) = self.taken.take() else { return };
        let mut state = lock(&self.state);
        state.attempts.give_back(taken);
        state.forget_refusal();
    }
}

impl State {
    fn forget_refusal(&mut self) {
        self.refused = self.refused.saturating_sub(1);
        self.unsaid = self.unsaid.saturating_sub(1);
    }
}

/// The tokens that a request shows: bearer first, then cookies.
fn tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookies = cookies.flat_map(|value| value.split(';'));
    let cookies = cookies.filter_map(|pair| {
        let (name, token) = pair.trim().split_once('=')?;
        (name == COOKIE_NAME).then_some(token)
    });
    bearer.into_iter().chain(cookies)
}

/// Who a request is from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Caller {
    /// Its login; `None` where no login is asked for.
    pub login: Option<LoginId>,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // The router has recognised the caller before any handler runs.
        parts.extensions.get::<Self>().cloned().ok_or_else(not_logged_in)
    }
}

/// What an API route answers while there is no password.
#[must_use]
pub fn not_set_up() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "no password is set",
        "this device has no password yet, so nobody can log in",
        "run `sudo signpost password` on the device",
    )
}

/// What an API route answers to nobody.
#[must_use]
pub fn not_logged_in() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "not logged in",
        "this needs a login, and the request shows none that counts",
        "log in at /login, or POST the password to /api/v1/login and send the token as bearer",
    )
}

/// Why a password does not let in.
#[derive(Debug)]
pub enum LoginError {
    /// It is another one.
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
                "the password is not the device's",
                "`signpost password` on the device sets a new one",
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

#[cfg(test)]
mod tests;
