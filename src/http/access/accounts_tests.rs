//! Users and tokens.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::super::password;
use super::*;

fn user(name: &str, role: Role) -> User {
    // Hashing is slow; what is hashed is none of the accounts' business.
    let phc = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA";
    let password = PasswordHash::new(phc).unwrap().serialize();
    User { name: name.parse().unwrap(), role, password }
}

fn token(name: &str, text: &str) -> ApiToken {
    let hash = TokenHash::of(text);
    ApiToken { name: name.parse().unwrap(), role: Role::Viewer, hash, made: 1_700_000_000 }
}

#[test]
fn a_role_may_what_those_before_it_may() {
    assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Administrator);
    for role in [Role::Viewer, Role::Operator, Role::Administrator] {
        assert_eq!(serde_json::to_value(role).unwrap(), role.to_string());
    }
}

#[test]
fn names_are_short_and_plain() {
    for fine in ["a", "7", "hall-2.door_b", &"x".repeat(32)] {
        assert_eq!(fine.parse::<Name>().unwrap().text(), fine);
    }
    for wrong in ["", "-a", ".", "Hall", "a b", "ä", "a/b", "a\n", &"x".repeat(33)] {
        assert_eq!(wrong.parse::<Name>(), Err(AccountsError::Name), "{wrong:?}");
    }
}

#[test]
fn the_administrator_is_always_there_and_stays_it() {
    let mut accounts = Accounts::default();
    let admin = Name::administrator();
    assert_eq!(accounts.role(&admin), Some(Role::Administrator));
    let taken = Err(AccountsError::Taken(ADMINISTRATOR.into()));
    assert_eq!(accounts.add_user(user(ADMINISTRATOR, Role::Viewer)), taken);
    let demoted = accounts.change_user(&admin, Some(Role::Viewer), None);
    assert_eq!(demoted, Err(AccountsError::Fixed));
    assert_eq!(accounts.remove_user(&admin), Err(AccountsError::Fixed));
}

#[test]
fn users_and_tokens_come_change_and_go() {
    let mut accounts = Accounts::default();
    accounts.add_user(user("hall", Role::Viewer)).unwrap();
    assert_eq!(
        accounts.add_user(user("hall", Role::Viewer)),
        Err(AccountsError::Taken("hall".into()))
    );
    let hall: Name = "hall".parse().unwrap();
    let new = password::hash("correct horse", &[]).unwrap();
    accounts.change_user(&hall, Some(Role::Operator), None).unwrap();
    accounts.change_user(&hall, None, Some(new.clone())).unwrap();
    let changed = User { role: Role::Operator, password: new, ..user("hall", Role::Viewer) };
    assert_eq!(accounts.user(&hall), Some(&changed));
    accounts.add_token(token("hall", "abc")).unwrap();
    assert!(accounts.add_token(token("hall", "abcd")).is_err());
    assert_eq!(accounts.token(&TokenHash::of("abc")), Some(&token("hall", "abc")));
    assert_eq!(accounts.token(&TokenHash::of("abcd")), None);
    assert_eq!(Accounts::parse(&accounts.text()), Ok(accounts.clone()));
    accounts.remove_user(&hall).unwrap();
    accounts.remove_token(&hall).unwrap();
    assert_eq!(accounts, Accounts::default());
    let unknown = AccountsError::Unknown("hall".into());
    assert_eq!(accounts.remove_user(&hall), Err(unknown.clone()));
    assert_eq!(accounts.remove_token(&hall), Err(unknown.clone()));
    assert_eq!(accounts.change_user(&hall, None, None), Err(unknown));
}

#[test]
fn there_are_only_so_many() {
    let mut accounts = Accounts::default();
    for place in 0..USERS {
        accounts.add_user(user(&format!("u{place}"), Role::Viewer)).unwrap();
    }
    assert_eq!(accounts.add_user(user("more", Role::Viewer)), Err(AccountsError::Full(USERS)));
    for place in 0..TOKENS {
        accounts.add_token(token(&format!("t{place}"), &place.to_string())).unwrap();
    }
    assert_eq!(accounts.add_token(token("more", "more")), Err(AccountsError::Full(TOKENS)));
}

#[test]
fn a_file_that_could_not_have_been_made_here_is_refused() {
    let mut accounts = Accounts::default();
    accounts.add_user(user("hall", Role::Administrator)).unwrap();
    accounts.add_token(token("wall", "abc")).unwrap();
    let text = accounts.text();
    let wrong = [
        String::new(),
        text.replace("\"hall\"", "\"Hall\""),
        text.replace("\"hall\"", "\"admin\""),
        text.replace("administrator", "root"),
        text.replace("argon2id", "?"),
        text.replace("\"made\"", "\"born\""),
        text.replace("ba7816bf", "ba7816b"),
    ];
    for text in wrong {
        assert!(Accounts::parse(&text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_panics_and_what_is_read_is_written_as_it_was(text in "\\PC{0,80}") {
        if let Ok(accounts) = Accounts::parse(&text) {
            prop_assert_eq!(Accounts::parse(&accounts.text()), Ok(accounts));
        }
    }
}
