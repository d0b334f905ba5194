//! Passwords, and the administrator's: its hash in a file that only we can read.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use argon2::password_hash::{Ident, PasswordHashString, SaltString};
use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};

use crate::files;

/// Shorter ones are guessed too soon (NIST SP 800-63B, 5.1.1.1).
pub const SHORTEST: usize = 8;
/// What takes a guesser a million tries or more (zxcvbn, Wheeler 2016, section 5).
const LEAST: zxcvbn::Score = zxcvbn::Score::Two;
/// Longer ones are no passwords; hashing them costs the same, reading them not.
pub const LONGEST: usize = 1024;
/// A PHC string of Argon2id is about 100 bytes long.
const LONGEST_FILE: u64 = 1024;

/// What can be wrong with the password or its file.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// No file: nobody has set a password.
    #[error("no password is set: set one with `signpost password`")]
    Absent,
    /// The file is there but says nothing.
    #[error("password file {file} cannot be read")]
    Unreadable {
        /// Its path.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// The file holds no Argon2id hash.
    #[error("password file {file} is damaged: set the password anew with `signpost password`")]
    Damaged {
        /// Its path.
        file: String,
    },
    /// Shorter than [`SHORTEST`] or longer than [`LONGEST`].
    #[error("the password has {given} characters: allowed is {SHORTEST} to {LONGEST}")]
    Length {
        /// Characters given.
        given: usize,
    },
    /// Among the first million that a guesser tries.
    #[error("the password is too common{}", why.as_deref().map(|why| format!(": {why}")).unwrap_or_default())]
    Common {
        /// What makes it so, where that is known.
        why: Option<String>,
    },
    /// The file cannot be written.
    #[error(
        "password file {file} cannot be written: run as root, or set access.password_file to a \
         place that is yours"
    )]
    Unwritable {
        /// Its path.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// The hash cannot be made.
    #[error("hashing the password failed: {0}")]
    Hashing(String),
}

/// Argon2id with the crate's defaults, which are OWASP's (19 MiB, 2 passes, 1 lane). `near`:
/// words that a guesser would try first, such as the user's name.
///
/// # Errors
/// Too short, too long, or too common: in 5 tries and then 4 an hour, nobody gets far on the
/// network, but a backup of the card may be stolen.
pub fn hash(password: &str, near: &[&str]) -> Result<PasswordHashString, PasswordError> {
    let given = password.chars().count();
    if !(SHORTEST..=LONGEST).contains(&given) {
        return Err(PasswordError::Length { given });
    }
    let near: Vec<&str> = near.iter().copied().chain(["signpost"]).collect();
    let strength = zxcvbn::zxcvbn(password, &near);
    if strength.score() < LEAST {
        let feedback = strength.feedback().and_then(zxcvbn::feedback::Feedback::warning);
        return Err(PasswordError::Common { why: feedback.map(|why| why.to_string()) });
    }
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| PasswordError::Hashing(error.to_string()))?;
    let hashing = |error: argon2::password_hash::Error| PasswordError::Hashing(error.to_string());
    let salt = SaltString::encode_b64(&salt).map_err(hashing)?;
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt).map_err(hashing)?;
    Ok(hash.serialize())
}

/// Whether `password` is the one of `hash`. Takes some 30 ms of a core and 19 MiB;
/// the hashes are compared in constant time (crate `password-hash`).
#[must_use]
pub fn verify(password: &str, hash: &PasswordHashString) -> bool {
    password.len() <= 4 * LONGEST
        && Argon2::default().verify_password(password.as_bytes(), &hash.password_hash()).is_ok()
}

/// What the file holds, even if it is a password that somebody has written into it.
#[must_use]
pub fn raw(file: &Path) -> Option<String> {
    let mut text = String::new();
    File::open(file).ok()?.take(LONGEST_FILE).read_to_string(&mut text).ok()?;
    Some(text.trim().to_owned())
}

/// Reads the hash of the password.
pub fn read(file: &Path) -> Result<PasswordHashString, PasswordError> {
    let name = || file.display().to_string();
    let mut text = String::new();
    let read = File::open(file).and_then(|open| open.take(LONGEST_FILE).read_to_string(&mut text));
    match read {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(PasswordError::Absent),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(PasswordError::Damaged { file: name() });
        }
        Err(source) => return Err(PasswordError::Unreadable { file: name(), source }),
    }
    let hash = PasswordHash::new(text.trim()).ok();
    let hash = hash.filter(|hash| hash.algorithm == Ident::new_unwrap("argon2id"));
    // Without salt or hash there is nothing to compare with.
    let hash = hash.filter(|hash| hash.salt.is_some() && hash.hash.is_some());
    Ok(hash.ok_or_else(|| PasswordError::Damaged { file: name() })?.serialize())
}

/// Puts the hash into place, whole or not at all, readable by its owner alone. The
/// owner is the folder's, so that root can set the password of a service that is
/// not root.
pub fn write(file: &Path, hash: &PasswordHashString) -> Result<(), PasswordError> {
    // Two that set one at the same time write aside each on its own.
    let part = format!("password.{}", std::process::id());
    files::replace(file, &part, &format!("{}\n", hash.as_str()))
        .map_err(|source| PasswordError::Unwritable { file: file.display().to_string(), source })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn written_password_is_read_and_verified() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state/password");
        assert!(matches!(read(&file), Err(PasswordError::Absent)));
        let hashed = hash("correct horse", &[]).unwrap();
        assert!(hashed.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        write(&file, &hashed).unwrap();
        write(&file, &hashed).unwrap();
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let back = read(&file).unwrap();
        assert!(verify("correct horse", &back));
        for wrong in ["", "correct horsf", "correct horse ", &"x".repeat(5000)] {
            assert!(!verify(wrong, &back), "{wrong:.20}");
        }
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "no part is left");
    }

    #[test]
    fn two_hashes_of_a_password_differ() {
        assert_ne!(
            hash("correct horse", &[]).unwrap().as_str(),
            hash("correct horse", &[]).unwrap().as_str()
        );
    }

    #[test]
    fn lengths_have_a_range() {
        for wrong in ["", "seven77", &"x".repeat(LONGEST + 1)] {
            assert!(matches!(hash(wrong, &[]), Err(PasswordError::Length { .. })), "{wrong:.9}");
        }
        assert!(hash("äöüßjvöq", &[]).is_ok(), "characters count, not bytes");
    }

    #[test]
    fn common_passwords_are_refused_and_told_why() {
        let common =
            ["password", "12345678", "qwertyuiop", "aaaaaaaa", "P@ssw0rd", "signpost", "hall-door"];
        for common in common {
            let error = hash(common, &["hall-door"]).unwrap_err();
            assert!(matches!(error, PasswordError::Common { .. }), "{common}: {error}");
        }
        let told = hash("password", &[]).unwrap_err().to_string();
        assert_eq!(told, "the password is too common: This is a top-10 common password.");
        for fine in ["quiet-river-7431", "hall-door-signpost", "kd83jf7w", "drei Hasen im Feld"] {
            assert!(hash(fine, &["hall-door"]).is_ok(), "{fine}");
        }
    }

    #[test]
    fn damaged_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        let half = &hash("correct horse", &[]).unwrap().to_string()[..60];
        let other = "$pbkdf2-sha256$i=1$c2FsdHNhbHQ$aGFzaGhhc2g";
        for text in
            [&b""[..], b"secret", half.as_bytes(), other.as_bytes(), b"\xff\xfe", b"$argon2id$v=19"]
        {
            fs::write(&file, text).unwrap();
            let error = read(&file).unwrap_err();
            assert!(matches!(error, PasswordError::Damaged { .. }), "{text:?}: {error:?}");
        }
        assert!(matches!(read(folder.path()), Err(PasswordError::Unreadable { .. })));
    }
}
