//! The accounts' file, and changes of it: one at a time, on the disk before they count.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use argon2::password_hash::PasswordHashString;

use super::accounts::{ADMINISTRATOR, Accounts, AccountsError, ApiToken, Name, Role, User};
use super::logins::{Login, LoginId, Token, TokenHash};
use super::password::{self, PasswordError};
use super::setup;
use super::{Access, LONGEST_QUEUE, lock};
use crate::files;

/// In the state directory.
pub const FILE: &str = "accounts.json";
/// A full file is some 20 kB.
const LONGEST_FILE: u64 = 1 << 20;

/// Why accounts were not changed, or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// What was asked for is not possible.
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    /// The password cannot be one, or not be stored.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The file is there but says nothing, so nothing may be written over it.
    #[error("accounts file {file} cannot be read: {why}")]
    Unreadable {
        /// Its path.
        file: String,
        /// Why.
        why: String,
    },
    /// The disk does not take it.
    #[error("accounts file {file} cannot be written")]
    Unwritable {
        /// Its path.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// Others are at it.
    #[error("other passwords are being checked")]
    Busy,
}

/// Reads all accounts; none where there is no file.
///
/// # Errors
/// [`ChangeError::Unreadable`].
pub fn read(file: &Path) -> Result<Accounts, ChangeError> {
    let unreadable =
        |why: String| ChangeError::Unreadable { file: file.display().to_string(), why };
    match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Accounts::default()),
        Err(error) => return Err(unreadable(error.to_string())),
        Ok(about) if about.len() > LONGEST_FILE => {
            return Err(unreadable(format!("it has more than {LONGEST_FILE} bytes")));
        }
        Ok(_) => {}
    }
    let text = fs::read_to_string(file).map_err(|error| unreadable(error.to_string()))?;
    Accounts::parse(&text).map_err(|error| unreadable(error.to_string()))
}

/// Where the accounts of a device are.
#[must_use]
pub fn file(state_dir: &Path) -> PathBuf {
    state_dir.join(FILE)
}

/// Somebody who may log in, as told to administrators.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listed {
    /// What is given at the login.
    pub name: Name,
    /// What may be done.
    pub role: Role,
}

impl Access {
    /// What of it nobody is shown: the password file as it is, the set-up code, and hashes.
    /// Reads files.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets = setup::forms(&self.setup_file);
        secrets.extend(password::raw(&self.password_file));
        if let Ok(accounts) = &self.lock().accounts {
            secrets.extend(accounts.users().iter().map(|user| user.password.to_string()));
            secrets.extend(accounts.tokens().iter().map(|token| String::from(token.hash)));
        }
        secrets
    }

    /// All users, [`ADMINISTRATOR`] first.
    ///
    /// # Errors
    /// The accounts' file could not be read at the start.
    pub fn users(&self) -> Result<Vec<Listed>, ChangeError> {
        let state = self.lock();
        let accounts = state.accounts.as_ref().map_err(|why| self.unreadable(why))?;
        let admin = Listed { name: Name::administrator(), role: Role::Administrator };
        let others = accounts.users().iter();
        let others =
            others.map(|User { name, role, .. }| Listed { name: name.clone(), role: *role });
        Ok(std::iter::once(admin).chain(others).collect())
    }

    /// All tokens for programs.
    ///
    /// # Errors
    /// The accounts' file could not be read at the start.
    pub fn tokens(&self) -> Result<Vec<ApiToken>, ChangeError> {
        let state = self.lock();
        let accounts = state.accounts.as_ref().map_err(|why| self.unreadable(why))?;
        Ok(accounts.tokens().to_vec())
    }

    /// Who has logged in and not left.
    #[must_use]
    pub fn logins(&self) -> Vec<(LoginId, Login)> {
        let now = Instant::now();
        self.lock().logins.iter(now).map(|(id, login)| (id, login.clone())).collect()
    }

    /// Makes a user.
    pub async fn add_user(
        &self,
        name: Name,
        role: Role,
        password: String,
    ) -> Result<(), ChangeError> {
        let password = self.hash(&name, password).await?;
        self.change(move |accounts| accounts.add_user(User { name, role, password })).await
    }

    /// Gives a user another role, which counts from the next request on, or another password,
    /// with which all logins of that user end; all of it or nothing.
    pub async fn change_user(
        &self,
        name: Name,
        role: Option<Role>,
        password: Option<String>,
    ) -> Result<(), ChangeError> {
        let Some(password) = password else {
            return self.change(move |accounts| accounts.change_user(&name, role, None)).await;
        };
        if role.is_none() {
            return self.set_password(name, password, None).await;
        }
        let (password, user) = (self.hash(&name, password).await?, name.clone());
        self.change(move |accounts| accounts.change_user(&user, role, Some(password))).await?;
        self.lock().logins.end_those(|_, login| login.user == name);
        Ok(())
    }

    /// Gives a user another password. All logins of that user end but `keep`.
    pub async fn set_password(
        &self,
        name: Name,
        password: String,
        keep: Option<LoginId>,
    ) -> Result<(), ChangeError> {
        let password = self.hash(&name, password).await?;
        if name.text() == ADMINISTRATOR {
            self.write_password(password).await?;
        } else {
            let user = name.clone();
            self.change(move |accounts| accounts.change_user(&user, None, Some(password))).await?;
        }
        let of_it = |id: &LoginId, login: &Login| login.user == name && keep.as_ref() != Some(id);
        self.lock().logins.end_those(of_it);
        Ok(())
    }

    /// Removes a user with all logins.
    pub async fn remove_user(&self, name: Name) -> Result<(), ChangeError> {
        let user = name.clone();
        self.change(move |accounts| accounts.remove_user(&user)).await?;
        self.lock().logins.end_those(|_, login| login.user == name);
        Ok(())
    }

    /// Makes a token for a program; its text is nowhere but in the answer.
    pub async fn add_token(&self, name: Name, role: Role) -> Result<Token, ChangeError> {
        let token = Token::random().map_err(|_| ChangeError::Busy)?;
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (hash, made) = (TokenHash::of(token.text()), since_1970.as_secs());
        self.change(move |accounts| accounts.add_token(ApiToken { name, role, hash, made }))
            .await?;
        Ok(token)
    }

    /// Revokes a token; what is watched with it ends.
    pub async fn remove_token(&self, name: Name) -> Result<(), ChangeError> {
        let removed = self.change(move |accounts| accounts.remove_token(&name)).await?;
        self.lock().logins.tell(LoginId::of(&removed.hash));
        Ok(())
    }

    /// Ends a login; whether there was one.
    pub fn end_login(&self, login: &str) -> bool {
        let mut state = self.lock();
        let known = state.logins.iter(Instant::now()).any(|(id, _)| id.text() == login);
        state.logins.end_those(|id, _| id.text() == login);
        known
    }

    pub(super) async fn hash(
        &self,
        name: &Name,
        password: String,
    ) -> Result<PasswordHashString, ChangeError> {
        let turn = tokio::time::timeout(LONGEST_QUEUE, self.hashing.clone().acquire_owned());
        let Ok(Ok(turn)) = turn.await else { return Err(ChangeError::Busy) };
        let name = name.text().to_owned();
        let hashed = tokio::task::spawn_blocking(move || {
            let hashed = password::hash(&password, &[&name]);
            drop(turn);
            hashed
        });
        Ok(hashed.await.map_err(|_| ChangeError::Busy)??)
    }

    pub(super) async fn write_password(&self, hash: PasswordHashString) -> Result<(), ChangeError> {
        let (file, state) = (self.password_file.clone(), self.state.clone());
        let written = tokio::task::spawn_blocking(move || {
            password::write(&file, &hash)?;
            // Known before the file is next looked at, which would end all logins.
            lock(&state).password = Some(hash);
            Ok(())
        });
        written.await.map_err(|_| ChangeError::Busy)?
    }

    /// Changes the accounts in a copy, writes it, and puts it into force: on a thread of its
    /// own, so that who goes away meanwhile leaves nothing half done.
    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Accounts) -> Result<T, AccountsError> + Send + 'static,
    ) -> Result<T, ChangeError> {
        let turn = self.changing.clone().lock_owned().await;
        let (file, state) = (self.accounts_file.clone(), Arc::clone(&self.state));
        let present = self.lock().accounts.clone();
        let mut accounts = present.map_err(|why| self.unreadable(&why))?;
        let changed = tokio::task::spawn_blocking(move || {
            let changed = change(&mut accounts)?;
            files::replace(&file, &format!("{FILE}.part"), &accounts.text()).map_err(|source| {
                ChangeError::Unwritable { file: file.display().to_string(), source }
            })?;
            lock(&state).accounts = Ok(accounts);
            drop(turn);
            Ok(changed)
        });
        changed.await.map_err(|_| ChangeError::Busy)?
    }

    fn unreadable(&self, why: &str) -> ChangeError {
        ChangeError::Unreadable {
            file: self.accounts_file.display().to_string(),
            why: why.to_owned(),
        }
    }
}
