//! `signpost setup-code`: what the page of a new device asks for.

use std::time::SystemTime;

use anyhow::anyhow;

use super::exit::{Exit, Failure, OrExit as _};
use crate::config::Config;
use crate::http::access::password::{self, PasswordError};
use crate::http::access::setup;
use crate::tls;

/// Prints the code, where it is typed, the fingerprint that the browser shows there, and that of
/// the authority, which the page /trust shows.
///
/// # Errors
/// The device is set up, or has not been started yet.
pub fn tell(config: &Config) -> Result<(), Failure> {
    if !matches!(password::read(&config.access.password_file), Err(PasswordError::Absent)) {
        let told = anyhow!(
            "this device is set up: log in on its page; `signpost password` sets another password"
        );
        return Err(told).or_exit(Exit::CheckFailed);
    }
    let code = setup::read(&setup::file(config.state_dir())).or_exit(Exit::CheckFailed)?;
    let code = code
        .ok_or_else(|| anyhow!("there is no set-up code yet: it is made when signpost is started"));
    println!("set-up code {}", code.or_exit(Exit::CheckFailed)?);
    if let Some(certificate) = tls::kept(config.state_dir(), SystemTime::now()) {
        println!("open https://{}/setup", certificate.names.host());
        println!("certificate SHA-256 {}", certificate.fingerprint());
    }
    if let Some(authority) = tls::authority_certificate(config.state_dir()) {
        println!("authority SHA-256 {}", tls::authority::fingerprint(&authority));
    }
    Ok(())
}
