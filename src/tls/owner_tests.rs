//! The owner with a folder, names and a clock of the test's.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use super::*;

const NOW: Duration = Duration::from_secs(1_800_000_000);
const BUILT: SystemTime = SystemTime::UNIX_EPOCH;

fn names(
    device: &'static str,
    addresses: &'static [&'static str],
) -> Box<dyn Fn() -> Names + Send> {
    Box::new(move || Names::new(device, addresses.iter().map(|address| address.parse().unwrap())))
}

fn owner(folder: &Path, names: Box<dyn Fn() -> Names + Send>) -> Owner {
    let clock = || SystemTime::UNIX_EPOCH + NOW;
    let settings = Settings { state_dir: folder.to_owned(), names, built: BUILT, clock };
    let store = Store::new(folder);
    let kept = store.read();
    assert_eq!(kept.complaints, Vec::<String>::new());
    let (publish, _) = watch::channel(State::Waiting("starting".to_owned()));
    Owner::new(settings, store, kept, publish)
}

fn shown(owner: &mut Owner) -> Arc<Serving> {
    owner.look();
    match &*owner.publish.borrow() {
        State::Serving(serving) => serving.clone(),
        State::Waiting(why) => panic!("{why}"),
    }
}

#[test]
fn everything_is_there_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let first = shown(&mut owner(folder.path(), names("door", &["192.168.1.20"])));
    let again = shown(&mut owner(folder.path(), names("door", &["192.168.1.20"])));
    assert!(first.is_as(&again));
    assert_eq!((first.source, first.left_out.len()), (Source::Own, 0));
}

#[test]
fn an_authority_that_nobody_knows_follows_the_addresses() {
    let folder = tempfile::tempdir().unwrap();
    let first = shown(&mut owner(folder.path(), names("door", &["192.168.1.20"])));
    let moved = shown(&mut owner(folder.path(), names("door", &["192.168.1.21"])));
    assert_ne!(first.authority, moved.authority);
    assert!(moved.left_out.is_empty());
}

#[test]
fn one_that_somebody_trusts_stays_and_leaves_new_addresses_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut before = owner(folder.path(), names("door", &["192.168.1.20"]));
    let first = shown(&mut before);
    before.answer(Ask::Offered);
    let mut after = owner(folder.path(), names("door", &["192.168.1.20", "10.0.0.9"]));
    let moved = shown(&mut after);
    assert_eq!(first.authority, moved.authority);
    assert_eq!(moved.left_out, ["10.0.0.9".parse::<std::net::IpAddr>().unwrap()]);
    let (answer, mut answered) = tokio::sync::oneshot::channel();
    after.answer(Ask::NewAuthority(answer));
    answered.try_recv().unwrap().unwrap();
    let new = shown(&mut after);
    assert_ne!(new.authority, first.authority);
    assert!(new.left_out.is_empty() && new.certificate.names.addresses().len() == 2);
    // Another name is another device to who trusts it.
    after.answer(Ask::Offered);
    let renamed = shown(&mut owner(folder.path(), names("hall", &["192.168.1.20", "10.0.0.9"])));
    assert_ne!(renamed.authority, new.authority);
    assert_eq!(renamed.certificate.names.host(), "hall.local");
}

#[test]
fn before_the_day_of_the_build_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let mut early = owner(folder.path(), names("door", &[]));
    early.settings.built = SystemTime::UNIX_EPOCH + 2 * NOW;
    early.look();
    let State::Waiting(why) = early.publish.borrow().clone() else { panic!("it waits") };
    assert!(why.contains("clock"), "{why}");
    assert!(!folder.path().join("tls").exists());
    early.settings.built = BUILT;
    shown(&mut early);
}

#[test]
fn an_authority_of_the_future_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut early = owner(folder.path(), names("door", &[]));
    early.settings.clock = || SystemTime::UNIX_EPOCH + 2 * NOW;
    let first = shown(&mut early);
    early.answer(Ask::Offered);
    let mended = shown(&mut owner(folder.path(), names("door", &[])));
    assert_ne!(first.authority, mended.authority, "no browser takes it before it begins");
}

#[test]
fn a_disk_that_takes_nothing_keeps_nobody_away() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tls"), "where the folder should be").unwrap();
    let settings = owner_settings(folder.path());
    let (publish, _) = watch::channel(State::Waiting(String::new()));
    let (store, kept) = (Store::new(folder.path()), Kept::default());
    let mut device = Owner::new(settings, store, kept, publish);
    let first = shown(&mut device);
    assert!(first.is_as(&shown(&mut device)), "what is not stored counts all the same");
    let (answer, mut answered) = tokio::sync::oneshot::channel();
    device.answer(Ask::NewAuthority(answer));
    assert!(matches!(answered.try_recv().unwrap(), Err(TlsError::Storing(_))));
    assert!(first.is_as(&shown(&mut device)), "nothing was changed");
    std::fs::remove_file(folder.path().join("tls")).unwrap();
    assert!(first.is_as(&shown(&mut device)));
    let again = shown(&mut owner(folder.path(), names("door", &[])));
    assert!(first.is_as(&again), "it is stored as soon as it can be");
}

#[test]
fn a_key_that_was_brought_has_a_certificate_of_its_own_too() {
    let folder = tempfile::tempdir().unwrap();
    let first = shown(&mut owner(folder.path(), names("door", &[])));
    let key = KeyPair::generate().unwrap();
    Store::new(folder.path()).keep_key(&key).unwrap();
    let again = shown(&mut owner(folder.path(), names("door", &[])));
    assert_ne!(first.certificate, again.certificate);
    assert!(again.shown.keys_match().is_ok(), "a browser could not be answered");
    assert_eq!(first.authority, again.authority);
}

#[test]
fn a_certificate_of_another_authority_than_the_kept_one_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let first = shown(&mut owner(folder.path(), names("door", &[])));
    let now = SystemTime::UNIX_EPOCH + NOW;
    let other = new_authority(&Names::new("door", []), now).unwrap();
    Store::new(folder.path()).keep_authority(&other).unwrap();
    let again = shown(&mut owner(folder.path(), names("door", &[])));
    assert_ne!(first.certificate, again.certificate);
    assert_eq!(&again.authority, other.certificate());
    assert!(other.vouches_for(&again.certificate, now));
}

#[test]
fn who_looks_from_outside_sees_what_browsers_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let now = SystemTime::UNIX_EPOCH + NOW;
    assert_eq!(super::super::kept(folder.path(), now), None);
    let own = shown(&mut owner(folder.path(), names("door", &[])));
    assert_eq!(super::super::kept(folder.path(), now).as_ref(), Some(&own.certificate));
    let key = Store::new(folder.path()).read().key.unwrap();
    let fleet = new_authority(&Names::new("door", []), now).unwrap();
    let brought = fleet.issue(&key, &Names::new("door", []), now).unwrap();
    Store::new(folder.path()).keep_brought(Some(&store_pem(&brought.der))).unwrap();
    assert_eq!(super::super::kept(folder.path(), now).as_ref(), Some(&brought));
    assert_eq!(super::super::kept(folder.path(), brought.ends).as_ref(), Some(&own.certificate));
}

#[test]
fn a_brought_certificate_is_shown_while_it_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = owner(folder.path(), names("door", &["192.168.1.20"]));
    let own = shown(&mut device);
    let asked = device.request().unwrap();
    let asked = rcgen::CertificateSigningRequestParams::from_pem(&asked).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut fleet = rcgen::CertificateParams::default();
    fleet.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = rcgen::Issuer::new(fleet, key);
    let signed = |begins: SystemTime, ends: SystemTime| {
        let mut asked =
            rcgen::CertificateSigningRequestParams::from_pem(&device.request().unwrap()).unwrap();
        asked.params.not_before = begins.into();
        asked.params.not_after = ends.into();
        asked.signed_by(&issuer).unwrap().pem()
    };
    drop(asked);
    let (now, hour) = (SystemTime::UNIX_EPOCH + NOW, Duration::from_secs(3600));
    let fine = signed(now - hour, now + hour);
    let late = signed(now - 2 * hour, now - hour);
    assert!(device.bring("no certificate".to_owned()).is_err());
    assert!(device.bring(late.clone()).is_err());
    let foreign = store_pem(&own.authority.der);
    let told = device.bring(foreign).unwrap_err().to_string();
    assert!(told.contains("the key is another one"), "{told}");
    device.bring(fine.clone()).unwrap();
    let brought = shown(&mut device);
    assert_eq!(brought.source, Source::Brought);
    assert_ne!(brought.certificate, own.certificate);
    let again = shown(&mut owner(folder.path(), names("door", &["192.168.1.20"])));
    assert!(again.is_as(&brought));
    // When it has ended, or the device has another name, its own is shown, with a word on it.
    let mut renamed = owner(folder.path(), names("hall", &["192.168.1.20"]));
    let passed = shown(&mut renamed);
    assert_eq!(passed.source, Source::Own);
    assert!(passed.passed_over.as_ref().unwrap().contains("door.local"), "{passed:?}");
    let (answer, mut answered) = tokio::sync::oneshot::channel();
    renamed.answer(Ask::Forget(answer));
    answered.try_recv().unwrap().unwrap();
    assert_eq!(shown(&mut renamed).passed_over, None);
}

#[test]
fn what_is_damaged_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    shown(&mut owner(folder.path(), names("door", &[])));
    for name in ["authority.pem", "server.key", "server.pem"] {
        std::fs::write(folder.path().join("tls").join(name), "damaged").unwrap();
        let store = Store::new(folder.path());
        let mut kept = store.read();
        assert_eq!(kept.complaints.len(), 1, "{name}: {:?}", kept.complaints);
        kept.complaints.clear();
        let settings = owner_settings(folder.path());
        let (publish, _) = watch::channel(State::Waiting(String::new()));
        shown(&mut Owner::new(settings, store, kept, publish));
        let mode = {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::metadata(folder.path().join("tls").join(name)).unwrap().permissions().mode()
        };
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

fn owner_settings(folder: &Path) -> Settings {
    let clock = || SystemTime::UNIX_EPOCH + NOW;
    Settings { state_dir: folder.to_owned(), names: names("door", &[]), built: BUILT, clock }
}

fn store_pem(der: &[u8]) -> String {
    super::super::pem(der)
}
