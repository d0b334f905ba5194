//! Whether a certificate is trusted here, and if not, what it is.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::tls::authority::fingerprint;

/// Where Debian keeps the authorities that this machine trusts.
const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Why an authority cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file cannot be read.
    #[error("authority {}", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// The file is none.
    #[error(
        "authority {} is no certificate in PEM: the device offers its own at /trust",
        .0.display()
    )]
    NoCertificate(PathBuf),
}

/// The authorities of this machine, and that of a file.
///
/// # Errors
/// The file is not what it should be. Nobody misses the machine's own.
pub fn roots(file: Option<&Path>) -> Result<RootCertStore, TrustError> {
    let mut roots = RootCertStore::empty();
    if let Ok(system) = CertificateDer::pem_file_iter(SYSTEM) {
        roots.add_parsable_certificates(system.flatten());
    }
    let Some(file) = file else { return Ok(roots) };
    let text = std::fs::read(file);
    let text = text.map_err(|error| TrustError::Unreadable(file.to_owned(), error))?;
    let none = || TrustError::NoCertificate(file.to_owned());
    // A browser saves it as it comes, which is without armour.
    let found: Vec<CertificateDer<'static>> =
        match CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>() {
            Ok(found) if !found.is_empty() => found,
            _ => vec![text.into()],
        };
    for certificate in found {
        roots.add(certificate).map_err(|_| none())?;
    }
    Ok(roots)
}

/// What a device has shown.
#[derive(Debug)]
pub enum Shown {
    /// A certificate that is trusted for this host.
    Trusted {
        /// SHA-256.
        fingerprint: String,
    },
    /// One that is not.
    Untrusted {
        /// SHA-256.
        fingerprint: String,
        /// In words.
        why: String,
    },
}

/// Begins TLS and says what the device has shown. A stream comes with it; nothing secret may go
/// over one that is not trusted.
///
/// # Errors
/// It does not speak TLS.
pub async fn shake_hands(
    stream: TcpStream,
    host: &str,
    roots: &RootCertStore,
) -> io::Result<(TlsStream<TcpStream>, Shown)> {
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(bare).map_err(io::Error::other)?;
    let provider = Arc::new(ring::default_provider());
    let judge = Arc::new(Judge::new(roots, provider.clone()));
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(judge.clone())
        .with_no_client_auth();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let shown = judge.shown.lock().unwrap_or_else(PoisonError::into_inner).take();
    Ok((stream, shown.ok_or_else(|| io::Error::other("it has shown no certificate"))?))
}

/// Lets every certificate pass and keeps what is to be said of it.
#[derive(Debug)]
struct Judge {
    /// `None` where nobody is trusted.
    verifier: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
    shown: Mutex<Option<Shown>>,
}

impl Judge {
    fn new(roots: &RootCertStore, provider: Arc<CryptoProvider>) -> Self {
        let roots = Arc::new(roots.clone());
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone());
        Self { verifier: verifier.build().ok(), provider, shown: Mutex::default() }
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judged = match &self.verifier {
            Some(verifier) => verifier
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
                .map_err(|error| words(&error)),
            None => Err(words(&CertificateError::UnknownIssuer.into())),
        };
        let fingerprint = fingerprint(end_entity);
        let shown = match judged {
            Ok(_) => Shown::Trusted { fingerprint },
            Err(why) => Shown::Untrusted { fingerprint, why },
        };
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn words(error: &Error) -> String {
    use CertificateError as E;
    match error {
        Error::InvalidCertificate(E::UnknownIssuer) => {
            "nobody that this machine trusts has signed it".to_owned()
        }
        Error::InvalidCertificate(E::NotValidForName | E::NotValidForNameContext { .. }) => {
            "it is for another name or address than the one that was asked for".to_owned()
        }
        Error::InvalidCertificate(E::Expired | E::ExpiredContext { .. }) => {
            "it has expired, or the clock of this machine is ahead".to_owned()
        }
        Error::InvalidCertificate(E::NotValidYet | E::NotValidYetContext { .. }) => {
            "it is not valid yet: look at the clocks of the device and of this machine".to_owned()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn an_authority_that_is_none_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("authority.pem");
        assert!(matches!(roots(Some(&file)), Err(TrustError::Unreadable(..))));
        std::fs::write(&file, "nothing of the kind").unwrap();
        assert!(matches!(roots(Some(&file)), Err(TrustError::NoCertificate(..))));
        let made = rcgen::generate_simple_self_signed(["door.local".to_owned()]).unwrap();
        let machine = roots(None).unwrap().len();
        for text in [made.cert.pem().into_bytes(), made.cert.der().to_vec()] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(roots(Some(&file)).unwrap().len(), machine + 1);
        }
    }
}
