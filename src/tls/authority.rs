//! The device's own certificate authority, and what it signs (RFC 5280).
//!
//! A person who trusts it trusts it for this device's name and addresses alone: they are
//! critical name constraints, so a stolen key signs for nothing else.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PublicKeyData,
    SanType,
};
use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use sha2::{Digest, Sha256};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Clocks of a phone and of a device differ.
const EARLIER: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Trusted once by each visitor, so that it outlives the device.
const AUTHORITY_LASTS: Duration = Duration::from_secs(20 * 365 * 24 * 3600);
/// Browsers refuse longer ones of public authorities (CA/Browser Forum, 398 days).
const LEAF_LASTS: Duration = Duration::from_secs(397 * 24 * 3600);
/// Renewed with a third of it left, so that a device that is seldom on is in time.
const RENEWED_BEFORE: Duration = Duration::from_secs(132 * 24 * 3600);
/// A device has a few; a certificate of hundreds is a burden in each handshake.
const ADDRESSES: usize = 16;

/// What a certificate could not be made or read for.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The library's word on making.
    #[error("the certificate cannot be made: {0}")]
    Making(#[from] rcgen::Error),
    /// Not a certificate, or not one of ours.
    #[error("the certificate cannot be read: {0}")]
    Reading(String),
}

/// What a device is opened by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Names {
    /// As in `door.local`.
    host: String,
    addresses: BTreeSet<IpAddr>,
}

impl Names {
    /// Of a device that is named `device_name` and has these addresses, of which loopback
    /// and link-local ones name no device.
    #[must_use]
    pub fn new(device_name: &str, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let name = device_name.trim().trim_end_matches('.').to_ascii_lowercase();
        let name = if name.is_empty() { "localhost" } else { name.trim_end_matches(".local") };
        let addresses = addresses.into_iter().map(|address| address.to_canonical());
        let addresses = addresses.filter(|address| is_lasting(*address)).take(ADDRESSES);
        Self { host: format!("{name}.local"), addresses: addresses.collect() }
    }

    /// As in `door.local`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Without loopback and link-local ones.
    #[must_use]
    pub fn addresses(&self) -> &BTreeSet<IpAddr> {
        &self.addresses
    }

    /// Those of `self` that `other` has too.
    fn within(&self, other: &Self) -> Self {
        let both = self.addresses.intersection(&other.addresses).copied().collect();
        Self { host: self.host.clone(), addresses: both }
    }
}

fn is_lasting(address: IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !(address.is_loopback() || address.is_unspecified() || address.is_multicast() || link_local)
}

/// A certificate in DER and what of it counts here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Certificate {
    /// RFC 5280.
    pub der: Vec<u8>,
    /// What it is for, or, of an authority, what it may sign for.
    pub names: Names,
    /// It counts from then on.
    pub begins: SystemTime,
    /// ... and until then.
    pub ends: SystemTime,
}

/// A key that signs for one device.
#[derive(Debug)]
pub struct Authority {
    certificate: Certificate,
    key: KeyPair,
}

impl Authority {
    /// A new one for these names.
    pub fn new(names: &Names, key: KeyPair, now: SystemTime) -> Result<Self, CertificateError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "signpost");
        // Told apart in a browser's list from one that it had before.
        let tag: String =
            fingerprint(key.der_bytes()).chars().take(5).filter(|c| *c != ':').collect();
        let name = format!("{} (signpost device CA {tag})", names.host);
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.name_constraints = Some(constraints(names));
        params.not_before = (now - EARLIER).into();
        params.not_after = (now + AUTHORITY_LASTS).into();
        let der = params.self_signed(&key)?.der().to_vec();
        Self::read(der, key)
    }

    /// One that was made before.
    pub fn read(der: Vec<u8>, key: KeyPair) -> Result<Self, CertificateError> {
        let certificate = Certificate::read_authority(der)?;
        Ok(Self { certificate, key })
    }

    /// Its own certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The key, to be kept.
    #[must_use]
    pub fn key(&self) -> &KeyPair {
        &self.key
    }

    /// Whether the key is the certificate's.
    #[must_use]
    pub fn has_its_key(&self) -> bool {
        let known = parse(&self.certificate.der);
        known.is_ok_and(|known| known.public_key().raw == self.key.subject_public_key_info())
    }

    /// Whether a certificate can be signed for the name that the device has now.
    #[must_use]
    pub fn may_sign_for(&self, names: &Names) -> bool {
        self.certificate.names.host == names.host
    }

    /// What of `names` a certificate can be signed for.
    #[must_use]
    pub fn signable(&self, names: &Names) -> Names {
        names.within(&self.certificate.names)
    }

    /// Whether who trusts it takes `leaf` at `now`.
    #[must_use]
    pub fn vouches_for(&self, leaf: &Certificate, now: SystemTime) -> bool {
        let mut roots = RootCertStore::empty();
        let leaf = CertificateDer::from(&*leaf.der);
        let (Ok(()), Ok(leaf), Ok(now)) = (
            roots.add(CertificateDer::from(&*self.certificate.der)),
            ParsedCertificate::try_from(&leaf),
            now.duration_since(SystemTime::UNIX_EPOCH),
        ) else {
            return false;
        };
        let (now, algorithms) = (
            UnixTime::since_unix_epoch(now),
            ring::default_provider().signature_verification_algorithms,
        );
        verify_server_cert_signed_by_trust_anchor(&leaf, &roots, &[], now, algorithms.all).is_ok()
    }

    /// Signs for a key, as far as the constraints go.
    pub fn issue(
        &self,
        key: &KeyPair,
        names: &Names,
        now: SystemTime,
    ) -> Result<Certificate, CertificateError> {
        let names = self.signable(names);
        let mut params = leaf(&names)?;
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_before = (now - EARLIER).into();
        params.not_after = (now + LEAF_LASTS).min(self.certificate.ends).into();
        let issuer = Issuer::from_ca_cert_der(&self.certificate.der.as_slice().into(), &self.key)?;
        let der = params.signed_by(key, &issuer)?.der().to_vec();
        Certificate::read(der)
    }
}

/// A request for a certificate of another authority (RFC 2986), in PEM.
pub fn request(key: &KeyPair, names: &Names) -> Result<String, CertificateError> {
    Ok(leaf(names)?.serialize_request(key)?.pem()?)
}

fn leaf(names: &Names) -> Result<CertificateParams, CertificateError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, names.host.as_str());
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.subject_alt_names = vec![SanType::DnsName(names.host.as_str().try_into()?)];
    params.subject_alt_names.extend(names.addresses.iter().map(|&one| SanType::IpAddress(one)));
    Ok(params)
}

/// The name with what is below it, and each address alone. A kind of which nothing is
/// permitted is open (RFC 5280, 4.2.1.10), so where there is no address all are excluded.
fn constraints(names: &Names) -> NameConstraints {
    let mut permitted_subtrees = vec![GeneralSubtree::DnsName(names.host.clone())];
    let alone = |address: &IpAddr| {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(*address, bits))
    };
    permitted_subtrees.extend(names.addresses.iter().map(alone));
    let all = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    let all = all.map(|zero| GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(zero, 0)));
    let excluded_subtrees = if names.addresses.is_empty() { all.to_vec() } else { Vec::new() };
    NameConstraints { permitted_subtrees, excluded_subtrees }
}

impl Certificate {
    /// One that a server shows.
    pub fn read(der: Vec<u8>) -> Result<Self, CertificateError> {
        let parsed = parse(&der)?;
        let names = parsed.subject_alternative_name().ok().flatten();
        let names = names.map(|names| names.value.general_names.iter()).into_iter().flatten();
        let names = collected(names.cloned());
        Ok(Self { names, begins: begins(&parsed), ends: ends(&parsed), der })
    }

    fn read_authority(der: Vec<u8>) -> Result<Self, CertificateError> {
        let parsed = parse(&der)?;
        let constraints = parsed.extensions().iter().find_map(|extension| {
            let ParsedExtension::NameConstraints(constraints) = extension.parsed_extension() else {
                return None;
            };
            constraints.permitted_subtrees.as_ref().filter(|_| extension.critical)
        });
        let permitted = constraints
            .ok_or_else(|| CertificateError::Reading("it may sign for everything".to_owned()))?;
        let names = collected(permitted.iter().map(|subtree| subtree.base.clone()));
        Ok(Self { names, begins: begins(&parsed), ends: ends(&parsed), der })
    }

    /// Whether it is time for a new one for `names`.
    #[must_use]
    pub fn is_due(&self, names: &Names, now: SystemTime) -> bool {
        let lacks = !names.addresses().is_subset(self.names.addresses());
        // With an address too many it is as good, and a browser that trusts it goes on to.
        self.names.host() != names.host()
            || lacks
            || now + RENEWED_BEFORE >= self.ends
            || now + DAY < self.begins
    }

    /// SHA-256 in the form in which browsers show it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.der)
    }
}

/// SHA-256 in pairs of capital digits.
#[must_use]
pub fn fingerprint(der: &[u8]) -> String {
    Sha256::digest(der).iter().enumerate().fold(String::new(), |mut text, (place, byte)| {
        let colon = if place == 0 { "" } else { ":" };
        let _ = write!(text, "{colon}{byte:02X}");
        text
    })
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, CertificateError> {
    let (rest, parsed) = X509Certificate::from_der(der)
        .map_err(|error| CertificateError::Reading(error.to_string()))?;
    if rest.is_empty() {
        Ok(parsed)
    } else {
        Err(CertificateError::Reading("something follows it".to_owned()))
    }
}

fn begins(parsed: &X509Certificate<'_>) -> SystemTime {
    parsed.validity().not_before.to_datetime().into()
}

fn ends(parsed: &X509Certificate<'_>) -> SystemTime {
    parsed.validity().not_after.to_datetime().into()
}

/// Names and addresses; the first name is the host's.
fn collected<'a>(names: impl Iterator<Item = GeneralName<'a>>) -> Names {
    let (mut host, mut addresses) = (String::new(), BTreeSet::new());
    for name in names {
        match name {
            GeneralName::DNSName(name) if host.is_empty() => name.clone_into(&mut host),
            // In a constraint a mask follows the address.
            GeneralName::IPAddress(bytes) => {
                let v4 = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).map(IpAddr::from);
                let v6 = |bytes: &[u8]| <[u8; 16]>::try_from(bytes).map(IpAddr::from);
                let read = match bytes.len() {
                    4 => v4(bytes),
                    8 => v4(&bytes[..4]),
                    16 => v6(bytes),
                    32 => v6(&bytes[..16]),
                    _ => continue,
                };
                addresses.extend(read);
            }
            _ => {}
        }
    }
    Names { host, addresses }
}

#[cfg(test)]
#[path = "authority_tests.rs"]
mod tests;
