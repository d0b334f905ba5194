//! Keys and certificates on the disk, readable by the service alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rcgen::KeyPair;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::authority::{Authority, Certificate};
use crate::files;

/// In the state directory.
const FOLDER: &str = "tls";
/// Key and certificate in one file, so that neither is ever there without the other.
const AUTHORITY: &str = "authority.pem";
const KEY: &str = "server.key";
const CERTIFICATE: &str = "server.pem";
const BROUGHT: &str = "brought.pem";
/// Fingerprint of an authority whose certificate somebody was given.
const OFFERED: &str = "authority.offered";

/// Where it is.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

/// What was found. What cannot be read is made anew, so it counts as absent; why is told.
#[derive(Debug, Default)]
pub struct Kept {
    /// The device's own authority.
    pub authority: Option<Authority>,
    /// Whether somebody may trust it.
    pub offered: bool,
    /// The server's key, of its own certificate and of the one that was brought.
    pub key: Option<KeyPair>,
    /// What the authority has signed.
    pub certificate: Option<Certificate>,
    /// The chain that was brought, in PEM.
    pub brought: Option<String>,
    /// What could not be read.
    pub complaints: Vec<String>,
}

/// Of a device's keys and certificates.
#[must_use]
pub fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join(FOLDER)
}

impl Store {
    /// In this state directory.
    #[must_use]
    pub fn new(state_dir: &Path) -> Self {
        Self { folder: folder(state_dir) }
    }

    /// Everything that is there.
    #[must_use]
    pub fn read(&self) -> Kept {
        let mut kept = Kept::default();
        let mut complaints = Vec::new();
        let mut text = |name: &str| match fs::read_to_string(self.folder.join(name)) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                complaints.push(format!("{}: {error}", self.folder.join(name).display()));
                None
            }
        };
        let (authority, offered) = (text(AUTHORITY), text(OFFERED));
        let (key, certificate) = (text(KEY), text(CERTIFICATE));
        kept.brought = text(BROUGHT);
        let mut told = |name: &str, why: String| {
            complaints.push(format!("{}: {why}", self.folder.join(name).display()));
        };
        kept.authority = authority.and_then(|pem| {
            let read = der(&pem).and_then(|der| {
                let key = KeyPair::from_pem(&pem).map_err(|error| error.to_string())?;
                Authority::read(der, key).map_err(|error| error.to_string())
            });
            read.map_err(|why| told(AUTHORITY, why)).ok()
        });
        kept.offered = kept.authority.as_ref().zip(offered).is_some_and(|(authority, offered)| {
            authority.certificate().fingerprint() == offered.trim()
        });
        kept.key = key.and_then(|pem| {
            KeyPair::from_pem(&pem).map_err(|error| told(KEY, error.to_string())).ok()
        });
        kept.certificate = certificate.and_then(|pem| {
            let read =
                der(&pem).and_then(|der| Certificate::read(der).map_err(|error| error.to_string()));
            read.map_err(|why| told(CERTIFICATE, why)).ok()
        });
        kept.complaints = complaints;
        kept
    }

    /// Keeps an authority, in place of the one before.
    pub fn keep_authority(&self, authority: &Authority) -> io::Result<()> {
        let (key, certificate) = (authority.key(), authority.certificate());
        self.put(AUTHORITY, &format!("{}{}", key.serialize_pem(), pem(&certificate.der)))
    }

    /// Keeps that somebody was given the certificate of this authority.
    pub fn keep_offered(&self, authority: &Authority) -> io::Result<()> {
        self.put(OFFERED, &format!("{}\n", authority.certificate().fingerprint()))
    }

    /// Keeps the server's key.
    pub fn keep_key(&self, key: &KeyPair) -> io::Result<()> {
        self.put(KEY, &key.serialize_pem())
    }

    /// Keeps the server's certificate.
    pub fn keep_certificate(&self, certificate: &Certificate) -> io::Result<()> {
        self.put(CERTIFICATE, &pem(&certificate.der))
    }

    /// Keeps a chain that was brought; `None` forgets it.
    pub fn keep_brought(&self, chain: Option<&str>) -> io::Result<()> {
        chain.map_or_else(|| self.remove(BROUGHT), |chain| self.put(BROUGHT, chain))
    }

    /// Without its key.
    #[must_use]
    pub fn authority_certificate(&self) -> Option<Vec<u8>> {
        der(&fs::read_to_string(self.folder.join(AUTHORITY)).ok()?).ok()
    }

    /// The lines of the keys, of which none is to leave the device.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        let keys = [AUTHORITY, KEY].into_iter();
        let texts = keys.filter_map(|name| fs::read_to_string(self.folder.join(name)).ok());
        let secrets = texts.flat_map(|text| {
            let lines = text.lines().skip_while(|line| !line.contains("BEGIN PRIVATE KEY")).skip(1);
            let lines = lines.take_while(|line| !line.starts_with('-'));
            lines.map(str::to_owned).collect::<Vec<_>>()
        });
        secrets.collect()
    }

    fn put(&self, name: &str, text: &str) -> io::Result<()> {
        files::replace(&self.folder.join(name), &format!("{name}.part"), text)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// A certificate as text (RFC 7468).
#[must_use]
pub fn pem(der: &[u8]) -> String {
    pem::encode_config(
        &pem::Pem::new("CERTIFICATE", der),
        pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF),
    )
}

fn der(pem: &str) -> Result<Vec<u8>, String> {
    let read = CertificateDer::from_pem_slice(pem.as_bytes());
    read.map(|der| der.to_vec()).map_err(|error| format!("{error:?}"))
}
