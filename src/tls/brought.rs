//! A certificate of another authority, as integrators have one for their fleet.

use std::sync::Arc;
use std::time::SystemTime;

use rcgen::KeyPair;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use super::authority::Certificate;

/// Certificates of a chain; more are no chain.
const LONGEST_CHAIN: usize = 8;

/// Why a chain cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum BroughtError {
    /// Not PEM, or no certificate in it.
    #[error("this is no certificate in PEM: {0}")]
    NotRead(String),
    /// More than a chain has.
    #[error("there are {0} certificates in it, and a chain has at most {LONGEST_CHAIN}")]
    TooLong(usize),
    /// Of another key.
    #[error("it was not made from this device's request: the key is another one")]
    ForeignKey,
    /// Not yet, or no longer.
    #[error("by the device's clock it does not count: it is too early or too late for it")]
    WrongTime,
    /// For another host.
    #[error("it is for {found}, not for {wanted}")]
    WrongName {
        /// What it names first.
        found: String,
        /// What this device is opened by.
        wanted: String,
    },
}

/// A chain that can be shown: the device's certificate, and all with its key.
pub fn check(
    chain: &str,
    key: &KeyPair,
    host: &str,
    now: SystemTime,
) -> Result<(Certificate, Arc<CertifiedKey>), BroughtError> {
    let not_read = |error: &dyn std::fmt::Display| BroughtError::NotRead(error.to_string());
    let parts: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_slice_iter(chain.as_bytes()).take(LONGEST_CHAIN + 1).collect();
    let parts = parts.map_err(|error| BroughtError::NotRead(format!("{error:?}")))?;
    if parts.len() > LONGEST_CHAIN {
        return Err(BroughtError::TooLong(parts.len()));
    }
    let first = parts.first().ok_or_else(|| not_read(&"there is none in it"))?;
    let first = Certificate::read(first.to_vec()).map_err(|error| not_read(&error))?;
    let shown = with_key(parts, key).map_err(|error| not_read(&error))?;
    if shown.keys_match().is_err() {
        return Err(BroughtError::ForeignKey);
    }
    let leaf = shown.cert.first().expect("the chain has a first certificate");
    let leaf = webpki::EndEntityCert::try_from(leaf).map_err(|error| not_read(&error))?;
    let name = host.to_owned().try_into().map_err(|error| not_read(&error))?;
    if leaf.verify_is_valid_for_subject_name(&name).is_err() {
        let (found, wanted) = (first.names.host().to_owned(), host.to_owned());
        return Err(BroughtError::WrongName { found, wanted });
    }
    // Last, so that it means that all else is right.
    if now < first.begins || now >= first.ends {
        return Err(BroughtError::WrongTime);
    }
    Ok((first, shown))
}

/// What TLS shows, with the key that belongs to it.
pub(super) fn with_key(
    chain: Vec<CertificateDer<'static>>,
    key: &KeyPair,
) -> Result<Arc<CertifiedKey>, rustls::Error> {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = ring::sign::any_supported_type(&key)?;
    Ok(Arc::new(CertifiedKey::new(chain, key)))
}
