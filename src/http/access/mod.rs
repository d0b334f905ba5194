//! Who gets in, and as what: users with roles, logins that expire, tokens for programs, and a
//! limit on wrong tries.

pub mod accounts;
mod attempts;
mod logins;
pub mod password;
mod refusal;
pub mod setup;
pub mod store;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use argon2::password_hash::PasswordHashString;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use tokio::sync::Semaphore;

use self::accounts::{ADMINISTRATOR, Accounts, Name, Role};
use self::attempts::{Attempts, Taken};
use self::logins::Logins;
pub use self::logins::{Login, LoginId, Token, TokenHash};
use self::password::PasswordError;
pub use self::refusal::{LoginError, SetUpError, not_allowed, not_logged_in};
use super::Problem;
use crate::config::{self, Config};
use crate::errors;

/// The cookie that holds the token.
pub const COOKIE_NAME: &str = "signpost_login";
/// ... under TLS: a browser takes one of this name from nobody else, nor over plain HTTP
/// (RFC 6265bis, 4.1.3.2).
pub const SECURE_COOKIE_NAME: &str = "__Host-signpost_login";
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
    accounts_file: PathBuf,
    setup_file: PathBuf,
    login: Duration,
    hashing: Arc<Semaphore>,
    /// Held by who changes accounts.
    changing: Arc<tokio::sync::Mutex<()>>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    attempts: Attempts,
    logins: Logins,
    /// As stored; `Err`: why they cannot be read.
    accounts: Result<Accounts, String>,
    /// The hash that the present logins of [`ADMINISTRATOR`] knew the password of.
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
    /// What may be done.
    pub role: Role,
}

impl Access {
    /// Decides what `entry` means for the configured addresses.
    ///
    /// # Errors
    /// Others can reach us, and nothing would be asked of them, or there is no password.
    pub fn new(config: &Config, entry: Entry) -> Result<Self, AccessError> {
        let addresses = [&config.http.listen[..], &config.http.listen_https].concat();
        let access = Self::as_service(config, &addresses, entry)?;
        // With HTTPS the first visitor with the set-up code sets one.
        if config.http.listen_https.is_empty()
            && let Some(address) = reachable(&addresses)
        {
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
        let accounts_file = store::file(config.state_dir());
        let accounts = store::read(&accounts_file).map_err(|error| {
            let told = errors::chain(&error);
            log::error!("{told}; until it is put right, {ADMINISTRATOR} alone can log in");
            told
        });
        Ok(Self {
            entry,
            password_file,
            accounts_file,
            setup_file: setup::file(config.state_dir()),
            login: config.access.login,
            hashing: Arc::new(Semaphore::new(HASHES)),
            changing: Arc::default(),
            state: Arc::new(Mutex::new(State::new(accounts, absent))),
        })
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

    /// Checks the password of a user, which came from `address`. Hashes on a blocking thread.
    pub async fn log_in(
        &self,
        address: IpAddr,
        user: Option<String>,
        password: String,
    ) -> Result<Granted, LoginError> {
        let user = user.unwrap_or_else(|| ADMINISTRATOR.to_owned());
        let (name, hash) = self.verified(address, user, password).await?;
        let token = Token::random().map_err(|_| LoginError::Busy)?;
        let now = Instant::now();
        let mut state = self.lock();
        if name.text() == ADMINISTRATOR {
            if state.password.as_ref().is_some_and(|before| *before != hash) {
                state.end_administrators();
            }
            state.password = Some(hash);
        }
        let role = state.role(&name).ok_or(LoginError::Wrong)?;
        let login = Login { user: name, from: address, since: now, ends: now + self.login };
        state.logins.add(&token, login);
        Ok(Granted { token, lasts: self.login, role })
    }

    /// Checks the password of a user who has logged in and is to show it again.
    pub async fn confirm(
        &self,
        address: IpAddr,
        user: &Name,
        password: String,
    ) -> Result<(), LoginError> {
        self.verified(address, user.text().to_owned(), password).await.map(drop)
    }

    /// The user whose password it is, and its hash.
    async fn verified(
        &self,
        address: IpAddr,
        user: String,
        password: String,
    ) -> Result<(Name, PasswordHashString), LoginError> {
        let administrators = self.read_password().await?;
        let attempt = self.take_try(address)?;
        let turn = tokio::time::timeout(LONGEST_QUEUE, self.hashing.clone().acquire_owned());
        let Ok(Ok(turn)) = turn.await else { return Err(LoginError::Busy) };
        let known = self.lock().password_of(&user, &administrators);
        // Who makes up names waits for a hash too, so that the time tells nothing.
        let (name, hash) = known.map_or((None, administrators), |(name, hash)| (Some(name), hash));
        // Turn and verdict are the thread's, so that a client that goes away meanwhile
        // neither makes room for a second hash nor gets its try back.
        let judged = tokio::task::spawn_blocking(move || {
            let right = password::verify(&password, &hash);
            let right = name.filter(|_| right);
            attempt.judge(right.is_some());
            drop(turn);
            right.map(|name| (name, hash))
        });
        let (name, hash) = judged.await.map_err(|_| LoginError::Busy)?.ok_or(LoginError::Wrong)?;
        // Another password may have been set meanwhile.
        let administrators = self.read_password().await?;
        let present = self.lock().password_of(name.text(), &administrators);
        match present {
            Some((name, present)) if present == hash => Ok((name, hash)),
            _ => Err(LoginError::Wrong),
        }
    }

    /// Who a request is from; `None`: nobody who may come in.
    #[must_use]
    pub fn recognise(&self, headers: &HeaderMap) -> Option<Caller> {
        if self.entry == Entry::Free {
            return Some(Caller { login: None, who: Who::Anybody, role: Role::Administrator });
        }
        let now = Instant::now();
        let state = self.lock();
        tokens(headers).find_map(|token| state.caller(&TokenHash::of(token), now))
    }

    /// Whether what a request showed still counts.
    #[must_use]
    pub fn counts(&self, caller: &Caller) -> bool {
        let now = Instant::now();
        caller.login.as_ref().is_none_or(|login| self.lock().counts(login, now))
    }

    /// Reads on a blocking thread: nobody else waits for a slow card.
    async fn read_password(&self) -> Result<PasswordHashString, LoginError> {
        let file = self.password_file.clone();
        let read = tokio::task::spawn_blocking(move || password::read(&file)).await;
        Ok(read.map_err(|_| LoginError::Busy)??)
    }

    /// Looks at the administrator's password and names the logins that have ended since the
    /// last call: logged out, run out, revoked, or of a password that is no longer the user's.
    pub async fn ended(&self) -> Vec<LoginId> {
        // A card that hangs keeps nobody who has logged out.
        let present = tokio::time::timeout(LONGEST_LOOK, self.read_password()).await;
        let present = present.unwrap_or(Err(LoginError::Busy));
        let mut state = self.lock();
        state.absent = matches!(present, Err(LoginError::Password(PasswordError::Absent)));
        if state.absent {
            // As a new device, which shows nothing to anybody.
            state.logins.end_those(|_, _| true);
        }
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
                state.end_administrators();
                state.password = None;
            }
        }
        state.logins.take_ended(Instant::now())
    }

    /// Ends a login that was just granted.
    pub fn end(&self, token: &Token) {
        self.lock().logins.end(&TokenHash::of(token.text()));
    }

    /// Ends the logins that a request shows.
    pub fn log_out(&self, headers: &HeaderMap) {
        let mut state = self.lock();
        tokens(headers).for_each(|token| state.logins.end(&TokenHash::of(token)));
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
        Ok(Attempt { state: self.state.clone(), taken: Some(taken) })
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
    taken: Option<Taken>,
}

impl Attempt {
    /// A right one takes nothing back but itself: who knows one password would else guess
    /// another without end, with his own in between.
    fn judge(mut self, right: bool) {
        if !right {
            self.taken = None;
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
    fn new(accounts: Result<Accounts, String>, absent: bool) -> Self {
        Self {
            attempts: Attempts::default(),
            logins: Logins::default(),
            accounts,
            password: None,
            absent,
            refused: 0,
            unsaid: 0,
            said: None,
        }
    }

    /// The user of a name as it was typed, with the hash of the password.
    fn password_of(
        &self,
        typed: &str,
        administrators: &PasswordHashString,
    ) -> Option<(Name, PasswordHashString)> {
        // Keyboards of phones begin with a capital.
        let name: Name = typed.trim().to_ascii_lowercase().parse().ok()?;
        if name.text() == ADMINISTRATOR {
            return Some((name, administrators.clone()));
        }
        let user = self.accounts.as_ref().ok()?.user(&name)?;
        Some((name, user.password.clone()))
    }

    fn role(&self, user: &Name) -> Option<Role> {
        match &self.accounts {
            Ok(accounts) => accounts.role(user),
            Err(_) => Accounts::default().role(user),
        }
    }

    fn caller(&self, shown: &TokenHash, now: Instant) -> Option<Caller> {
        if self.absent {
            return None;
        }
        let login = Some(LoginId::of(shown));
        if let Some(of) = self.logins.find(shown, now) {
            let role = self.role(&of.user)?;
            return Some(Caller { login, who: Who::User(of.user.clone()), role });
        }
        let token = self.accounts.as_ref().ok()?.token(shown)?;
        Some(Caller { login, who: Who::Token(token.name.clone()), role: token.role })
    }

    fn counts(&self, login: &LoginId, now: Instant) -> bool {
        let mut tokens = self.accounts.iter().flat_map(Accounts::tokens);
        self.logins.counts(login, now) || tokens.any(|token| LoginId::of(&token.hash) == *login)
    }

    fn end_administrators(&mut self) {
        self.logins.end_those(|_, login| login.user.text() == ADMINISTRATOR);
    }

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
        [COOKIE_NAME, SECURE_COOKIE_NAME].contains(&name).then_some(token)
    });
    bearer.into_iter().chain(cookies)
}

/// Who a request is from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Caller {
    /// Its login, or its token; `None` where no login is asked for.
    pub login: Option<LoginId>,
    /// Whose it is.
    pub who: Who,
    /// What may be done.
    pub role: Role,
}

/// Whose login or token a request shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Who {
    /// No login is asked for.
    Anybody,
    /// Somebody who has logged in.
    User(Name),
    /// A program.
    Token(Name),
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // The router has recognised the caller before any handler runs.
        parts.extensions.get::<Self>().cloned().ok_or_else(not_logged_in)
    }
}

#[cfg(test)]
mod tests;
