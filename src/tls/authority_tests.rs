//! Certificates as a browser would look at them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

use super::*;

const ADDRESS: &str = "192.168.1.20";

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn names(device: &str, addresses: &[&str]) -> Names {
    Names::new(device, addresses.iter().map(|address| address.parse().unwrap()))
}

fn authority(names: &Names) -> Authority {
    Authority::new(names, KeyPair::generate().unwrap(), now()).unwrap()
}

/// Whether who trusts `authority` takes `leaf` for `name` at `then`.
fn takes(authority: &Certificate, leaf: &[u8], name: &str, then: SystemTime) -> bool {
    let provider = rustls::crypto::ring::default_provider();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(authority.der.clone())).unwrap();
    let verifier =
        WebPkiServerVerifier::builder_with_provider(roots.into(), provider.into()).build().unwrap();
    let since = then.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let leaf = CertificateDer::from(leaf.to_vec());
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let then = UnixTime::since_unix_epoch(since);
    verifier.verify_server_cert(&leaf, &[], &name, &[], then).is_ok()
}

#[test]
fn who_trusts_the_authority_trusts_the_device_by_name_and_address() {
    let names = names("Door", &[ADDRESS, "2001:db8::7", "127.0.0.1", "fe80::1"]);
    assert_eq!(names.addresses().len(), 2);
    let authority = authority(&names);
    let leaf = authority.issue(&KeyPair::generate().unwrap(), &names, now()).unwrap();
    assert_eq!(leaf.names, names);
    assert_eq!(authority.certificate().names, names);
    for name in ["door.local", ADDRESS, "2001:db8::7"] {
        assert!(takes(authority.certificate(), &leaf.der, name, now()), "{name}");
    }
    for name in ["hall.local", "192.168.1.21", "example.org"] {
        assert!(!takes(authority.certificate(), &leaf.der, name, now()), "{name}");
    }
    let year = Duration::from_secs(366 * 24 * 3600);
    assert!(takes(authority.certificate(), &leaf.der, "door.local", now() + year));
    assert!(!takes(authority.certificate(), &leaf.der, "door.local", now() + 2 * year));
}

/// As somebody does who has stolen the key.
#[test]
fn a_stolen_key_signs_for_nothing_else() {
    for addresses in [&[ADDRESS][..], &[], &["2001:db8::7"]] {
        let authority = authority(&names("door", addresses));
        let forged = |name: SanType| {
            let mut params = CertificateParams::default();
            params.subject_alt_names = vec![name];
            params.not_before = now().into();
            params.not_after = (now() + DAY).into();
            let issuer = Issuer::from_ca_cert_der(
                &authority.certificate().der.as_slice().into(),
                authority.key(),
            );
            params
                .signed_by(&KeyPair::generate().unwrap(), &issuer.unwrap())
                .unwrap()
                .der()
                .to_vec()
        };
        let by_name = |name: &str| SanType::DnsName(name.try_into().unwrap());
        let by_address = |address: &str| SanType::IpAddress(address.parse().unwrap());
        let fine = forged(by_name("door.local"));
        assert!(takes(authority.certificate(), &fine, "door.local", now()));
        for (name, text) in [
            (by_name("example.org"), "example.org"),
            (by_name("hall.local"), "hall.local"),
            (by_address("192.168.1.21"), "192.168.1.21"),
            (by_address("2001:db8::8"), "2001:db8::8"),
        ] {
            assert!(
                !takes(authority.certificate(), &forged(name), text, now()),
                "{text}, {addresses:?}"
            );
        }
    }
}

/// webpki does not look at the path length of who is trusted; the names count all the same.
#[test]
fn an_authority_below_it_signs_for_nothing_else_either() {
    let names = names("door", &[ADDRESS]);
    let authority = authority(&names);
    let parsed = parse(&authority.certificate().der).unwrap();
    let basic = parsed.basic_constraints().unwrap().unwrap().value;
    assert!(basic.ca && basic.path_len_constraint == Some(0));
    let key = KeyPair::generate().unwrap();
    let lasting = |mut params: CertificateParams| {
        params.not_before = now().into();
        params.not_after = (now() + DAY).into();
        params
    };
    let mut between = lasting(CertificateParams::default());
    between.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    between.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let issuer =
        Issuer::from_ca_cert_der(&authority.certificate().der.as_slice().into(), authority.key());
    let between = between.signed_by(&key, &issuer.unwrap()).unwrap();
    let next = Issuer::from_ca_cert_der(between.der(), &key).unwrap();
    let below = lasting(CertificateParams::new(["example.org".to_owned()]).unwrap());
    let below = below.signed_by(&KeyPair::generate().unwrap(), &next).unwrap();
    let provider = rustls::crypto::ring::default_provider();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(authority.certificate().der.clone())).unwrap();
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.into());
    let then = UnixTime::since_unix_epoch(now().duration_since(SystemTime::UNIX_EPOCH).unwrap());
    let name = ServerName::try_from("example.org").unwrap();
    let between = [between.der().clone()];
    let verified =
        verifier.build().unwrap().verify_server_cert(below.der(), &between, &name, &[], then);
    assert!(verified.is_err());
}

#[test]
fn another_address_is_left_out_and_another_name_needs_another_authority() {
    let before = names("door", &[ADDRESS]);
    let authority = authority(&before);
    let moved = names("door", &[ADDRESS, "10.0.0.9"]);
    assert!(authority.may_sign_for(&moved));
    assert_eq!(authority.signable(&moved), before);
    let leaf = authority.issue(&KeyPair::generate().unwrap(), &moved, now()).unwrap();
    assert_eq!(leaf.names, before);
    assert!(!authority.may_sign_for(&names("hall", &[ADDRESS])));
}

#[test]
fn what_was_kept_is_read_as_it_was() {
    let names = names("door", &[ADDRESS, "2001:db8::7"]);
    let authority = authority(&names);
    let key = KeyPair::from_pem(&authority.key().serialize_pem()).unwrap();
    let again = Authority::read(authority.certificate().der.clone(), key).unwrap();
    assert_eq!(again.certificate(), authority.certificate());
    let leaf = again.issue(&KeyPair::generate().unwrap(), &names, now()).unwrap();
    assert!(takes(authority.certificate(), &leaf.der, "door.local", now()));
}

#[test]
fn an_authority_without_constraints_is_not_taken() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let der = params.self_signed(&key).unwrap().der().to_vec();
    let told = Authority::read(der, key).unwrap_err().to_string();
    assert!(told.contains("everything"), "{told}");
    let key = KeyPair::generate().unwrap();
    assert!(Authority::read(b"no certificate".to_vec(), key).is_err());
}

#[test]
fn a_certificate_is_due_in_time_and_when_names_change() {
    let here = names("door", &[ADDRESS]);
    let leaf = authority(&here).issue(&KeyPair::generate().unwrap(), &here, now()).unwrap();
    assert!(!leaf.is_due(&here, now()));
    assert!(!leaf.is_due(&here, now() + 264 * DAY));
    assert!(leaf.is_due(&here, now() + 266 * DAY));
    assert!(leaf.is_due(&here, leaf.ends + DAY));
    assert!(leaf.is_due(&here, now() - 2 * DAY), "the clock was wrong when it was made");
    assert!(!leaf.is_due(&names("door", &[]), now()), "an address too many does no harm");
    assert!(leaf.is_due(&names("door", &[ADDRESS, "192.0.2.8"]), now()));
    assert!(leaf.is_due(&names("hall", &[ADDRESS]), now()));
}

#[test]
fn a_request_names_the_device() {
    use x509_parser::prelude::X509CertificationRequest;
    let pem = request(&KeyPair::generate().unwrap(), &names("door", &[ADDRESS])).unwrap();
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap();
    let (_, request) = X509CertificationRequest::from_der(&pem.contents).unwrap();
    request.verify_signature().unwrap();
    let told = format!("{:?}", request.requested_extensions().unwrap().collect::<Vec<_>>());
    assert!(told.contains("door.local") && told.contains("192, 168, 1, 20"), "{told}");
}

#[test]
fn fingerprints_are_as_browsers_show_them() {
    let told = fingerprint(b"abc");
    assert!(told.starts_with("BA:78:16:BF:8F:01:CF:EA"), "{told}");
    assert_eq!(told.len(), 95);
}
