//! `signpost diagnose`: whether a viewer would be shown a picture and results, step by step as
//! a browser goes, from wherever this runs.
//!
//! [`reach`] finds the device and talks to it, [`servers`] asks the ICE servers, [`peer`] is the
//! viewer; [`journey`] is the order of the steps, and what each needs of those before it.

mod client;
mod journey;
mod peer;
mod reach;
mod servers;
mod stun;
mod trust;
mod watch;

use std::net::SocketAddr;

use rustls::RootCertStore;

pub use client::Scheme;
pub use journey::diagnose;
pub use trust::{TrustError, roots};

/// Which device, and how it is talked to.
#[derive(Clone, Debug)]
pub struct Target {
    /// With or without TLS.
    pub scheme: Scheme,
    /// By which it is asked for.
    pub host: String,
    /// Where it listens.
    pub port: u16,
    /// Where it is, where that is known without looking the host up.
    pub addresses: Option<Vec<SocketAddr>>,
    /// Whose certificates are trusted.
    pub roots: RootCertStore,
}

/// What is shown to a device that asks for a login.
#[derive(Debug)]
pub enum Credentials {
    /// Of a program.
    Token(String),
    /// Of a user; the password is asked for once it is needed.
    User(String),
}

/// Whether these are shown to another device without TLS too, where all can listen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Plain {
    /// Not even if it offers nothing else: who answers may be somebody in between.
    Never,
    /// The caller knows the network.
    Allowed,
}

/// Why an address is not one of a device.
#[derive(Debug, thiserror::Error)]
#[error("{given:?} is no address of a device: write http(s)://HOST[:PORT]/, or HOST alone")]
pub struct AddressError {
    given: String,
}

impl Target {
    /// Of an address as it stands in a browser's line; without a scheme it is HTTP, which leads
    /// to HTTPS where the device has it.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn parse(text: &str, roots: RootCertStore) -> Result<Self, AddressError> {
        let wrong = || AddressError { given: text.to_owned() };
        let whole = match text.contains("://") {
            true => text.to_owned(),
            false => format!("http://{text}"),
        };
        let url = url::Url::parse(&whole).map_err(|_| wrong())?;
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(wrong()),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(wrong)?.to_owned();
        let port = url.port_or_known_default().ok_or_else(wrong)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong());
        }
        Ok(Self { scheme, host, port, addresses: None, roots })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn addresses_are_understood_as_a_browser_does() {
        let parts = |text: &str| {
            let target = Target::parse(text, RootCertStore::empty()).unwrap();
            (target.scheme, target.host, target.port)
        };
        assert_eq!(parts("door.local"), (Scheme::Http, "door.local".into(), 80));
        assert_eq!(parts("10.0.0.7:8080"), (Scheme::Http, "10.0.0.7".into(), 8080));
        assert_eq!(parts("https://door.local/x"), (Scheme::Https, "door.local".into(), 443));
        assert_eq!(parts("http://[::1]:8080/"), (Scheme::Http, "[::1]".into(), 8080));
        for wrong in ["", "ftp://door", "http://", "http://u:p@door/", "http://door:99999"] {
            assert!(Target::parse(wrong, RootCertStore::empty()).is_err(), "{wrong}");
        }
    }
}
