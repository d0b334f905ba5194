//! What is taken of the boot partition, and what is left.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;
use crate::http::access::accounts::Role;

fn device(is_set_up: bool) -> Device<'static> {
    Device {
        layers: vec![("/etc/s.toml".into(), "[sessions]\nmax_viewers = 3\n".into())],
        drop_in: "/etc/s.toml.d/50-boot.toml".into(),
        state_dir: Path::new("/state"),
        is_set_up,
        accounts: Some(Accounts::default()),
        host: "door.local".into(),
        now: SystemTime::now(),
    }
}

fn found(files: &[(&'static str, &str)]) -> Found {
    files.iter().map(|(name, text)| (*name, (*text).to_owned())).collect()
}

/// The only step or why there is none.
fn one(file: &'static str, text: &str) -> Result<Action, String> {
    let (mut steps, left) = plan(&found(&[(file, text)]), device(false));
    assert_eq!(steps.len() + left.len(), 1, "{file}");
    steps.pop().map(|step| step.action).ok_or_else(|| left[0].why.clone())
}

#[test]
fn a_configuration_is_taken_only_as_a_whole_with_those_that_are_there() {
    let good = "[encoder]\nbitrate_kbps = 900\n";
    assert!(matches!(one(CONFIGURATION, good), Ok(Action::Configuration(text)) if text == good));
    let told = one(CONFIGURATION, "[encoder]\nbitrate_kbps = 5\nbit = 1\n").unwrap_err();
    for words in ["2 problems", "50-boot.toml:2: encoder.bitrate_kbps = 5: allowed is a whole"] {
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn a_set_up_code_opens_a_new_device_alone() {
    assert!(matches!(one(SETUP_CODE, "7kq2-m9o1\n"), Ok(Action::SetupCode(_))));
    assert!(one(SETUP_CODE, "short").unwrap_err().contains("8 digits and letters"));
    let both = found(&[(SETUP_CODE, "7KQ2M901")]);
    let (steps, left) = plan(&both, device(true));
    assert!(steps.is_empty() && left[0].why.contains("a file reset-password beside it"));
    let both = found(&[(SETUP_CODE, "7KQ2M901"), (RESET, "")]);
    let (steps, left) = plan(&both, device(true));
    assert!(matches!(steps[0].action, Action::Reset), "first");
    assert!(matches!(steps[1].action, Action::SetupCode(_)) && left.is_empty());
}

#[test]
fn a_token_is_a_name_a_role_and_a_value_or_its_hash() {
    let text = "0123456789abcdef0123456789abcdef";
    let Ok(Action::Accounts(accounts)) = one(TOKEN, &format!("fleet operator {text}\n")) else {
        panic!("it is taken")
    };
    let [token] = accounts.tokens() else { panic!("one token") };
    assert_eq!((token.name.text(), token.role), ("fleet", Role::Operator));
    assert_eq!(token.hash, TokenHash::of(text));
    let hash = format!("fleet viewer sha256:{}", String::from(TokenHash::of(text)));
    let Ok(Action::Accounts(hashed)) = one(TOKEN, &hash) else { panic!("it is taken") };
    assert_eq!(hashed.tokens()[0].hash, token.hash);
    for (wrong, words) in [
        ("fleet operator", "one line"),
        ("fleet operator short", "at least 32"),
        (&*format!("fleet root {text}"), "viewer, operator or administrator"),
        (&*format!("Fleet viewer {text}"), "a name has 1 to 32"),
        ("fleet viewer sha256:12", "64 hexadecimal digits"),
    ] {
        let told = one(TOKEN, wrong).unwrap_err();
        assert!(told.contains(words), "{told}");
    }
    // Again, as after a power cut, and of another value.
    let again = || Device { accounts: Some(accounts.clone()), ..device(true) };
    let (steps, _) = plan(&found(&[(TOKEN, &format!("fleet operator {text}"))]), again());
    assert!(matches!(&steps[0].action, Action::Accounts(same) if *same == accounts));
    let (_, left) = plan(&found(&[(TOKEN, &format!("fleet operator {text}0"))]), again());
    assert!(left[0].why.contains("already one named fleet"));
}

#[test]
fn a_wireless_network_has_a_name_and_is_one() {
    let good = "[connection]\nid=site\ntype=wifi\n\n[wifi]\nssid=hall\n# psk below\n\
                [wifi-security]\npsk=secret\n";
    assert!(matches!(one(WIFI, good), Ok(Action::Wifi(_))));
    for (wrong, words) in [
        (good.replace("ssid", "sid"), "[wifi] lacks ssid"),
        (good.replace("type=wifi", "type=vpn"), "type is vpn, and allowed is wifi"),
        (good.replace("id=site\n", ""), "[connection] lacks id"),
        (good.replace("psk=secret", "psk"), "line 9 is neither"),
        ("id=x".to_owned(), "line 1 is neither"),
    ] {
        let told = one(WIFI, &wrong).unwrap_err();
        assert!(told.contains(words) && !told.contains("secret"), "{told}");
    }
}

#[test]
fn an_authority_and_a_certificate_need_their_keys() {
    let key = || KeyPair::generate().unwrap();
    let names = Names::new("door", []);
    let own = Authority::new(&names, key(), SystemTime::now()).unwrap();
    let pem = crate::tls::pem(&own.certificate().der);
    let secret = own.key().serialize_pem();
    let (steps, left) = plan(&found(&[(AUTHORITY, &pem), (AUTHORITY_KEY, &secret)]), device(false));
    assert!(left.is_empty() && steps[0].files == [AUTHORITY, AUTHORITY_KEY]);
    assert!(one(AUTHORITY, &pem).unwrap_err().contains("authority.key is not beside it"));
    let other = key().serialize_pem();
    let (_, left) = plan(&found(&[(AUTHORITY, &pem), (AUTHORITY_KEY, &other)]), device(false));
    assert_eq!(left.len(), 2, "both stay");
    assert!(left[0].why.contains("authority.key is not the key of authority.pem"));
    let gate = Device { host: "gate.local".into(), ..device(false) };
    let (_, left) = plan(&found(&[(AUTHORITY, &pem), (AUTHORITY_KEY, &secret)]), gate);
    assert!(left[0].why.contains("is for door.local, not for gate.local"), "{left:?}");

    let server = key();
    let issued = own.issue(&server, &names, SystemTime::now()).unwrap();
    let (chain, secret) = (crate::tls::pem(&issued.der), server.serialize_pem());
    let both = found(&[(CERTIFICATE, &chain), (CERTIFICATE_KEY, &secret)]);
    let (steps, left) = plan(&both, device(false));
    assert!(left.is_empty() && matches!(steps[0].action, Action::Certificate { .. }));
    let (_, left) = plan(&both, Device { host: "gate.local".into(), ..device(false) });
    assert!(left[0].why.contains("it is for door.local, not for gate.local"), "{left:?}");
}

proptest! {
    #[test]
    fn every_file_is_taken_or_left_and_none_panics(
        files in prop::collection::btree_map(prop::sample::select(FILES.to_vec()), "\\PC{0,60}\n?", 0..9),
        set_up in any::<bool>(),
    ) {
        let (steps, left) = plan(&files, device(set_up));
        let taken = steps.iter().flat_map(|step| step.files).copied();
        let mut all: Vec<_> = taken.chain(left.iter().map(|left| left.file)).collect();
        all.sort_unstable();
        prop_assert_eq!(all, files.keys().copied().collect::<Vec<_>>());
    }
}
