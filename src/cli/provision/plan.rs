//! What is done with the files of the boot partition. Pure: what lies there and what the device
//! has comes from outside, and what is to be done goes out.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use rcgen::KeyPair;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::config::{self, Layer};
use crate::errors;
use crate::http::access::TokenHash;
use crate::http::access::accounts::{Accounts, ApiToken};
use crate::http::access::setup::SetupCode;
use crate::tls::authority::{Authority, Names};
use crate::tls::brought::{self, BroughtError};

pub const RESET: &str = "reset-password";
pub const CONFIGURATION: &str = "signpost.toml";
pub const SETUP_CODE: &str = "setup-code";
pub const TOKEN: &str = "token";
pub const WIFI: &str = "wifi.nmconnection";
pub const AUTHORITY: &str = "authority.pem";
pub const AUTHORITY_KEY: &str = "authority.key";
pub const CERTIFICATE: &str = "certificate.pem";
pub const CERTIFICATE_KEY: &str = "certificate.key";

/// Every file that is looked for.
pub const FILES: [&str; 9] = [
    RESET,
    CONFIGURATION,
    SETUP_CODE,
    TOKEN,
    WIFI,
    AUTHORITY,
    AUTHORITY_KEY,
    CERTIFICATE,
    CERTIFICATE_KEY,
];

/// Name of the drop-in that the configuration becomes; those of an image come before it.
pub const DROP_IN: &str = "50-boot.toml";

/// Characters of a token's text: fewer can be guessed.
const SHORTEST_TOKEN: usize = 32;

/// What a device has already.
#[derive(Debug)]
pub struct Device<'a> {
    /// The files of its configuration, the last on top, with the drop-in of before if there is
    /// one.
    pub layers: Vec<(String, String)>,
    /// The full name of that drop-in.
    pub drop_in: String,
    pub state_dir: &'a Path,
    /// Whether a password is set.
    pub is_set_up: bool,
    pub accounts: Option<Accounts>,
    /// By which it is opened: NAME.local.
    pub host: String,
    pub now: SystemTime,
}

/// What is to be done.
#[derive(Debug)]
pub enum Action {
    /// Forget passwords, users and tokens; a new code asks for another set-up.
    Reset,
    Configuration(String),
    SetupCode(SetupCode),
    Accounts(Accounts),
    /// A keyfile of NetworkManager.
    Wifi(String),
    Authority(Authority),
    Certificate {
        chain: String,
        key: KeyPair,
    },
}

/// An action, with the files that it takes.
#[derive(Debug)]
pub struct Step {
    pub files: &'static [&'static str],
    pub action: Action,
}

/// A file that stays where it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Left {
    pub file: &'static str,
    pub why: String,
}

/// The files that were found, by name.
pub type Found = BTreeMap<&'static str, String>;

/// Steps in their order, and what is left. Every file is in one of both, and each step is whole.
pub fn plan(found: &Found, device: Device<'_>) -> (Vec<Step>, Vec<Left>) {
    let (mut steps, mut left) = (Vec::new(), Vec::new());
    let resets = found.contains_key(RESET);
    let device = if resets {
        steps.push(Step { files: &[RESET], action: Action::Reset });
        Device { is_set_up: false, accounts: Some(Accounts::default()), ..device }
    } else {
        device
    };
    let mut take = |files: &'static [&'static str], action: Result<Action, String>| match action {
        Ok(action) => steps.push(Step { files, action }),
        Err(why) => {
            let there = files.iter().filter(|file| found.contains_key(*file));
            left.extend(there.map(|file| Left { file, why: why.clone() }));
        }
    };
    if let Some(text) = found.get(CONFIGURATION) {
        take(&[CONFIGURATION], configuration(text, &device));
    }
    if let Some(text) = found.get(SETUP_CODE) {
        take(&[SETUP_CODE], setup_code(text, &device));
    }
    if let Some(text) = found.get(TOKEN) {
        take(&[TOKEN], token(text, &device));
    }
    if let Some(text) = found.get(WIFI) {
        take(&[WIFI], wifi(text));
    }
    if found.contains_key(AUTHORITY) || found.contains_key(AUTHORITY_KEY) {
        take(&[AUTHORITY, AUTHORITY_KEY], authority(found, &device));
    }
    if found.contains_key(CERTIFICATE) || found.contains_key(CERTIFICATE_KEY) {
        take(&[CERTIFICATE, CERTIFICATE_KEY], certificate(found, &device));
    }
    (steps, left)
}

/// Checked as a whole, by the code that `run` reads it with.
fn configuration(text: &str, device: &Device<'_>) -> Result<Action, String> {
    let others = device.layers.iter().filter(|(name, _)| *name != device.drop_in);
    let mut layers: Vec<(String, String)> = others.cloned().collect();
    let main = usize::from(!layers.is_empty());
    let after = layers.iter().skip(main).take_while(|(name, _)| *name < device.drop_in).count();
    layers.insert((main + after).min(layers.len()), (device.drop_in.clone(), text.to_owned()));
    let layers = layers.into_iter().map(|(name, text)| Layer::File { name, text });
    let read = config::read(&layers.collect::<Vec<_>>(), device.state_dir);
    read.map_err(|problems| problems.to_string())?;
    Ok(Action::Configuration(text.to_owned()))
}

fn setup_code(text: &str, device: &Device<'_>) -> Result<Action, String> {
    if device.is_set_up {
        return Err(format!("this device is set up; a file {RESET} beside it undoes that"));
    }
    let wrong = "allowed are 8 digits and letters, without I, L, O and U";
    SetupCode::parse(text).map(Action::SetupCode).ok_or_else(|| wrong.to_owned())
}

/// A line of a name, a role, and the token or `sha256:` with the hash of it.
fn token(text: &str, device: &Device<'_>) -> Result<Action, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [name, role, value] = words[..] else {
        let wrong = "allowed is one line: NAME ROLE TOKEN, or sha256:HASH in place of the token";
        return Err(wrong.to_owned());
    };
    let name = name.parse().map_err(|error| errors::chain(&error))?;
    let role = serde_json::from_value(role.into())
        .map_err(|_| "the role is viewer, operator or administrator".to_owned())?;
    let hash = match value.strip_prefix("sha256:") {
        Some(hash) => TokenHash::try_from(hash.to_owned()).map_err(str::to_owned)?,
        None if value.len() < SHORTEST_TOKEN => {
            return Err(format!("a token has at least {SHORTEST_TOKEN} characters"));
        }
        None => TokenHash::of(value),
    };
    let made = device.now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let token = ApiToken { name, role, hash, made };
    let accounts = device.accounts.clone();
    let mut accounts = accounts.ok_or("users and tokens of this device cannot be read")?;
    let is_it = |known: &&ApiToken| known.name == token.name && known.hash == token.hash;
    // Taken already, when the power failed before the file was removed.
    if accounts.tokens().iter().find(is_it).is_none_or(|known| known.role != token.role) {
        accounts.add_token(token).map_err(|error| errors::chain(&error))?;
    }
    Ok(Action::Accounts(accounts))
}

/// A keyfile that NetworkManager would at least try (nm-settings-keyfile(5)).
fn wifi(text: &str) -> Result<Action, String> {
    let mut section = "";
    let mut keys: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for (line, text) in (1..).zip(text.lines().map(str::trim)) {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if let Some(name) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        } else if let Some((key, value)) = text.split_once('=').filter(|_| !section.is_empty()) {
            keys.insert((section, key.trim()), value.trim());
        } else {
            return Err(format!("line {line} is neither [section] nor key=value"));
        }
    }
    let has = |section: &str, key: &str| {
        let value = keys.get(&(section, key)).filter(|value| !value.is_empty());
        value.copied().ok_or_else(|| format!("[{section}] lacks {key}"))
    };
    has("connection", "id")?;
    let kind = has("connection", "type")?;
    if !["wifi", "802-11-wireless"].contains(&kind) {
        return Err(format!("[connection] type is {kind}, and allowed is wifi"));
    }
    has("wifi", "ssid").or_else(|why| has("802-11-wireless", "ssid").map_err(|_| why))?;
    Ok(Action::Wifi(format!("{}\n", text.trim_end())))
}

fn pair<'f>(found: &'f Found, one: &str, other: &str) -> Result<(&'f str, KeyPair), String> {
    let text = |name: &str| found.get(name).ok_or_else(|| format!("{name} is not beside it"));
    let key = KeyPair::from_pem(text(other)?).map_err(|error| format!("{other}: {error}"))?;
    Ok((text(one)?, key))
}

fn authority(found: &Found, device: &Device<'_>) -> Result<Action, String> {
    let (pem, key) = pair(found, AUTHORITY, AUTHORITY_KEY)?;
    let der = CertificateDer::from_pem_slice(pem.as_bytes())
        .map_err(|error| format!("{AUTHORITY}: {error:?}"))?;
    let authority = Authority::read(der.to_vec(), key);
    let authority = authority.map_err(|error| format!("{AUTHORITY}: {}", errors::chain(&error)))?;
    if !authority.has_its_key() {
        return Err(format!("{AUTHORITY_KEY} is not the key of {AUTHORITY}"));
    }
    let own = Names::new(&device.host, []);
    if !authority.may_sign_for(&own) {
        let found = authority.certificate().names.host();
        return Err(format!("{AUTHORITY} is for {found}, not for {}", own.host()));
    }
    Ok(Action::Authority(authority))
}

fn certificate(found: &Found, device: &Device<'_>) -> Result<Action, String> {
    let (chain, key) = pair(found, CERTIFICATE, CERTIFICATE_KEY)?;
    match brought::check(chain, &key, &device.host, device.now) {
        // A device without a battery for its clock knows the time only when it has a network;
        // who shows the certificate looks again.
        Ok(_) | Err(BroughtError::WrongTime) => {}
        Err(error) => return Err(format!("{CERTIFICATE}: {}", errors::chain(&error))),
    }
    Ok(Action::Certificate { chain: chain.to_owned(), key })
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
