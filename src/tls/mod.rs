//! HTTPS on a LAN, where nobody vouches for a device but itself.
//!
//! A device makes an authority of its own ([`authority`]), constrained to its name and
//! addresses, and a certificate for them, renewed in time. A person trusts the authority
//! once; an integrator may bring a certificate of another authority instead ([`brought`]).
//! One thread owns keys and files; the server asks [`Tls`] for what counts now.

pub mod authority;
pub mod brought;
mod owner;
mod store;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::{oneshot, watch};

use self::authority::Certificate;
use self::brought::{BroughtError, check};
pub use self::owner::{Settings, Started, start};
use self::store::Kept;
pub use self::store::{Store, folder, pem};

/// The certificate that browsers are shown at `now`, for who looks from outside.
#[must_use]
pub fn kept(state_dir: &Path, now: SystemTime) -> Option<Certificate> {
    let Kept { certificate, brought, key, .. } = Store::new(state_dir).read();
    let own = certificate?;
    let brought = brought.zip(key);
    let brought = brought.and_then(|(chain, key)| check(&chain, &key, own.names.host(), now).ok());
    Some(brought.map_or(own, |(brought, _)| brought))
}

/// The certificate of the device's own authority, for who looks from outside; needs the right
/// to read the state directory.
#[must_use]
pub fn authority_certificate(state_dir: &Path) -> Option<Vec<u8>> {
    Store::new(state_dir).authority_certificate()
}

/// What of the keys is not to leave the device, line by line.
#[must_use]
pub fn secrets(state_dir: &Path) -> Vec<String> {
    Store::new(state_dir).secrets()
}

/// What there is to show to browsers.
#[derive(Clone, Debug)]
pub enum State {
    /// Nothing yet, and why.
    Waiting(String),
    /// A certificate.
    Serving(Arc<Serving>),
}

/// What browsers are shown.
#[derive(Debug)]
pub struct Serving {
    /// The device's own authority.
    pub authority: Certificate,
    /// The certificate shown, of the authority or brought.
    pub certificate: Certificate,
    /// Whose it is.
    pub source: Source,
    /// Addresses of the device for which the authority may not sign: it was made before.
    pub left_out: Vec<IpAddr>,
    /// What is wrong with a brought certificate that is kept and not shown.
    pub passed_over: Option<String>,
    shown: Arc<CertifiedKey>,
    /// Whether somebody was given the authority's certificate.
    offered: AtomicBool,
}

/// Who has signed the certificate that is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    /// The device itself.
    Own,
    /// An integrator's authority.
    Brought,
}

/// A handle on the owner.
#[derive(Clone, Debug)]
pub struct Tls {
    state: watch::Receiver<State>,
    asks: std::sync::mpsc::SyncSender<Ask>,
}

/// What the owner is asked to do.
#[derive(Debug)]
enum Ask {
    /// Another name may count.
    Look,
    Offered,
    Request(oneshot::Sender<Result<String, TlsError>>),
    Bring(String, oneshot::Sender<Result<(), TlsError>>),
    Forget(oneshot::Sender<Result<(), TlsError>>),
    NewAuthority(oneshot::Sender<Result<(), TlsError>>),
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// What was brought is of no use.
    #[error(transparent)]
    Brought(#[from] BroughtError),
    /// A key or certificate could not be made.
    #[error(transparent)]
    Making(#[from] authority::CertificateError),
    /// The disk does not take it.
    #[error("keys and certificates cannot be stored: {0}")]
    Storing(#[from] std::io::Error),
    /// The key that was made is not one for TLS.
    #[error("the certificate cannot be used: {0}")]
    Using(#[from] rustls::Error),
    /// The clock is wrong, or the owner has ended.
    #[error("{0}")]
    NotNow(String),
}

impl Tls {
    /// What is shown now.
    #[must_use]
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// What is shown; it changes.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// The device may have another name or address.
    pub fn look(&self) {
        // The owner looks by itself within a minute.
        let _ = self.asks.try_send(Ask::Look);
    }

    /// Somebody was given the authority's certificate, and may trust it from now on.
    pub fn offered(&self, serving: &Serving) {
        // Once is enough: the owner is there for others too.
        if !serving.offered.swap(true, Ordering::Relaxed)
            && self.asks.try_send(Ask::Offered).is_err()
        {
            serving.offered.store(false, Ordering::Relaxed);
        }
    }

    /// A request for a certificate for this device's name and key (RFC 2986), in PEM.
    pub async fn request(&self) -> Result<String, TlsError> {
        self.ask(Ask::Request).await
    }

    /// Shows another authority's certificate from now on: a chain in PEM, the device's first.
    pub async fn bring(&self, chain: String) -> Result<(), TlsError> {
        self.ask(|answer| Ask::Bring(chain, answer)).await
    }

    /// Shows the device's own certificate again.
    pub async fn forget(&self) -> Result<(), TlsError> {
        self.ask(Ask::Forget).await
    }

    /// Makes another authority, which nobody trusts yet, for all addresses of the device.
    pub async fn new_authority(&self) -> Result<(), TlsError> {
        self.ask(Ask::NewAuthority).await
    }

    async fn ask<T>(
        &self,
        ask: impl FnOnce(oneshot::Sender<Result<T, TlsError>>) -> Ask,
    ) -> Result<T, TlsError> {
        let (answer, answered) = oneshot::channel();
        let busy = || TlsError::NotNow("others are changing certificates".to_owned());
        self.asks.try_send(ask(answer)).map_err(|_| busy())?;
        answered.await.map_err(|_| busy())?
    }

    /// How a server speaks TLS 1.2 and 1.3 with what is shown at each time.
    #[must_use]
    pub fn server_config(&self) -> Arc<ServerConfig> {
        let versions = ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("the provider speaks both versions");
        let shown = Arc::new(Shown(self.state.clone()));
        let mut config = versions.with_no_client_auth().with_cert_resolver(shown);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

/// The certificate of the moment.
#[derive(Debug)]
struct Shown(watch::Receiver<State>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        match &*self.0.borrow() {
            State::Waiting(_) => None,
            State::Serving(serving) => Some(serving.shown.clone()),
        }
    }
}
