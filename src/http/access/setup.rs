//! The set-up code: who has it stands before the device, or has its journal.

use std::fmt;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::accounts::{Name, Role};
use super::logins::{Login, Token};
use super::password::PasswordError;
use super::{Access, Granted, LoginError, SetUpError};
use crate::{errors, files};

/// In the state directory; readable by the service alone.
pub const FILE: &str = "setup-code";
/// Characters: 40 bits, of which five tries a minute and fewer later find nothing.
const LENGTH: usize = 8;
/// Crockford's base 32: digits and letters that are not taken for each other.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// A file that is longer holds no code.
const LONGEST_FILE: u64 = 64;

/// What is asked for until a password is set.
#[derive(Clone, Eq, PartialEq)]
pub struct SetupCode([u8; LENGTH]);

/// Why there is no code.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The kernel's generator does not answer.
    #[error("no random numbers: {0}")]
    Random(getrandom::Error),
    /// The file was given and holds no code.
    #[error(
        "set-up code {file}: it must hold {LENGTH} characters, of digits and capital letters \
         without I, L, O and U"
    )]
    Damaged {
        /// Its path.
        file: String,
    },
    /// The disk does not take or give it.
    #[error("set-up code {file}")]
    Storing {
        /// Its path.
        file: String,
        /// Why.
        source: io::Error,
    },
}

impl SetupCode {
    /// A new one from the kernel's generator.
    pub fn random() -> Result<Self, SetupError> {
        let mut bytes = [0; LENGTH];
        getrandom::fill(&mut bytes).map_err(SetupError::Random)?;
        // 32 divides 256, so each character is as likely as the others.
        Ok(Self(bytes.map(|byte| ALPHABET[usize::from(byte % 32)])))
    }

    /// As somebody has typed it: small letters, spaces and hyphens are fine, and so is what
    /// is easily taken for a digit.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.chars().filter(|letter| !letter.is_whitespace() && *letter != '-');
        let meant = |letter: char| match letter.to_ascii_uppercase() {
            'O' => Some(b'0'),
            'I' | 'L' => Some(b'1'),
            letter => u8::try_from(letter).ok().filter(|letter| ALPHABET.contains(letter)),
        };
        // One more than it has, so that an endless text ends.
        let letters: Option<Vec<u8>> = plain.take(LENGTH + 1).map(meant).collect();
        letters?.try_into().ok().map(Self)
    }

    /// Compares in a time that tells nothing.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).fold(0, |differ, (one, other)| differ | (one ^ other)) == 0
    }
}

/// As it is printed: two groups of four.
impl fmt::Display for SetupCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = str::from_utf8(&self.0).expect("the alphabet is ASCII");
        write!(f, "{}-{}", &text[..LENGTH / 2], &text[LENGTH / 2..])
    }
}

/// Not into a log by accident.
impl fmt::Debug for SetupCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SetupCode(..)")
    }
}

/// Where the code of a device is.
#[must_use]
pub fn file(state_dir: &Path) -> PathBuf {
    state_dir.join(FILE)
}

/// The code of a device; `None`: there is none.
pub fn read(file: &Path) -> Result<Option<SetupCode>, SetupError> {
    let storing = |source| SetupError::Storing { file: file.display().to_string(), source };
    let damaged = || SetupError::Damaged { file: file.display().to_string() };
    match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(storing(error)),
        Ok(about) if about.len() > LONGEST_FILE => return Err(damaged()),
        Ok(_) => {}
    }
    let text = fs::read_to_string(file).map_err(storing)?;
    SetupCode::parse(&text).map(Some).ok_or_else(damaged)
}

/// As it may stand anywhere, with and without its hyphen.
pub(super) fn forms(file: &Path) -> Vec<String> {
    let code = read(file).ok().flatten().map(|code| code.to_string());
    code.map(|code| vec![code.replace('-', ""), code]).unwrap_or_default()
}

/// The code of a device that is to be set up; a new one where there is none.
pub fn read_or_make(file: &Path) -> Result<SetupCode, SetupError> {
    if let Some(code) = read(file)? {
        return Ok(code);
    }
    let code = SetupCode::random()?;
    files::replace(file, &format!("{FILE}.part"), &format!("{code}\n"))
        .map_err(|source| SetupError::Storing { file: file.display().to_string(), source })?;
    Ok(code)
}

/// Ends the code.
pub fn remove(file: &Path) -> Result<(), SetupError> {
    match fs::remove_file(file) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(SetupError::Storing { file: file.display().to_string(), source })
        }
        _ => Ok(()),
    }
}

impl Access {
    /// What has to be shown to set the first password; made where there is none.
    ///
    /// # Errors
    /// It cannot be read or stored.
    pub async fn setup_code(&self) -> Result<SetupCode, SetupError> {
        // One at a time: two that find none would make two, and each write over the other's.
        let _turn = self.changing.lock().await;
        self.present_code().await
    }

    async fn present_code(&self) -> Result<SetupCode, SetupError> {
        let file = self.setup_file.clone();
        let made = tokio::task::spawn_blocking(move || read_or_make(&file)).await;
        made.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }

    /// Sets the first password for who shows the code, which ends with it, and logs in.
    pub async fn set_up(
        &self,
        address: IpAddr,
        code: &str,
        password: String,
    ) -> Result<Granted, SetUpError> {
        // One at a time, so that a second one finds the first one's password.
        let _turn = self.changing.lock().await;
        match self.read_password().await {
            Err(LoginError::Password(PasswordError::Absent)) => {}
            _ => return Err(SetUpError::Done),
        }
        let attempt = self.take_try(address)?;
        let right = self.present_code().await?;
        let shown = SetupCode::parse(code).is_some_and(|code| code.is(&right));
        attempt.judge(shown);
        if !shown {
            return Err(SetUpError::Wrong);
        }
        let name = Name::administrator();
        let hash = self.hash(&name, password).await?;
        self.write_password(hash.clone()).await?;
        // The password is what counts: a code that a disk keeps opens nothing any more.
        let file = self.setup_file.clone();
        let removed = tokio::task::spawn_blocking(move || remove(&file)).await;
        if let Ok(Err(error)) = removed {
            log::warn!("{}", errors::chain(&error));
        }
        let token = Token::random().map_err(|_| LoginError::Busy)?;
        let now = Instant::now();
        let mut state = self.lock();
        state.absent = false;
        let login = Login { user: name, from: address, since: now, ends: now + self.login };
        state.logins.add(&token, login);
        Ok(Granted { token, lasts: self.login, role: Role::Administrator })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::os::unix::fs::PermissionsExt as _;

    use proptest::prelude::*;

    use super::*;
    use crate::device::journal::SETUP_CODE;
    use crate::device::redaction::Redaction;

    #[test]
    fn a_code_is_understood_as_people_type_it() {
        let code = SetupCode::parse("7KQ2-M901").unwrap();
        assert_eq!(code.to_string(), "7KQ2-M901");
        for typed in ["7kq2m901", " 7KQ2 M9O1 ", "7kq2-m9ol", "7KQ2--m90i\n"] {
            assert!(SetupCode::parse(typed).unwrap().is(&code), "{typed}");
        }
        for wrong in ["", "7KQ2-M90", "7KQ2-M9012", "7KQ2-M90U", "7KQ2-M90ä", "7KQ2_M901"] {
            assert!(SetupCode::parse(wrong).is_none_or(|other| !other.is(&code)), "{wrong}");
        }
        assert!(!format!("{code:?}").contains("7KQ2"));
    }

    #[test]
    fn it_is_made_once_and_dies() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path());
        assert_eq!(read(&file).unwrap(), None);
        let code = read_or_make(&file).unwrap();
        assert!(read_or_make(&file).unwrap() == code && code != SetupCode::random().unwrap());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        remove(&file).unwrap();
        remove(&file).unwrap();
        assert_eq!(read(&file).unwrap(), None);
        fs::write(&file, "nothing of the kind").unwrap();
        assert!(matches!(read_or_make(&file), Err(SetupError::Damaged { .. })));
        fs::write(&file, "x".repeat(1000)).unwrap();
        assert!(read(&file).is_err());
    }

    proptest! {
        #[test]
        fn what_is_printed_is_understood(seed in any::<[u8; LENGTH]>()) {
            let code = SetupCode(seed.map(|byte| ALPHABET[usize::from(byte % 32)]));
            prop_assert!(SetupCode::parse(&code.to_string()).unwrap().is(&code));
            let line = format!("x {SETUP_CODE}{code}; y");
            let told = Redaction::new::<&str>([]).text(&line);
            prop_assert!(!told.contains(&code.to_string()));
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = SetupCode::parse(&text);
        }
    }
}
