//! The way in, with a real password file.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::Ipv4Addr;
use std::path::Path;
use std::task::Poll;

use axum::http::HeaderValue;

use super::*;
use crate::config::Layer;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn config(listen: &str, state_dir: &Path) -> Config {
    config::read(&[Layer::argument("--listen", "http", "listen", listen)], state_dir).unwrap()
}

fn set(folder: &Path, text: &str) {
    password::write(&folder.join("password"), &password::hash(text, &[]).unwrap()).unwrap();
}

fn bearer(token: &Token) -> HeaderMap {
    let value = HeaderValue::from_str(&format!("Bearer {}", token.text())).unwrap();
    HeaderMap::from_iter([(AUTHORIZATION, value)])
}

#[test]
fn open_is_for_loopback_alone() {
    let folder = tempfile::tempdir().unwrap();
    let new = |listen, entry| Access::new(&config(listen, folder.path()), entry);
    for listen in ["127.0.0.1:0", "127.9.9.9:0,[::1]:0", "[::ffff:127.0.0.1]:0"] {
        assert!(new(listen, Entry::Free).is_ok(), "{listen}");
        assert!(new(listen, Entry::Password).is_ok(), "{listen}");
    }
    set(folder.path(), "correct horse");
    for listen in ["0.0.0.0:0", "[::]:0", "192.168.1.7:80", "127.0.0.1:0,192.168.1.7:0"] {
        assert!(matches!(new(listen, Entry::Free), Err(AccessError::OpenToAll { .. })), "{listen}");
        assert!(new(listen, Entry::Password).is_ok(), "{listen}");
    }
}

#[test]
fn address_that_others_reach_needs_a_password() {
    let folder = tempfile::tempdir().unwrap();
    let error = Access::new(&config("0.0.0.0:80", folder.path()), Entry::Password).unwrap_err();
    let told = errors::chain(&error);
    assert!(told.contains("0.0.0.0:80") && told.contains("`signpost password`"), "{told}");
}

#[tokio::test]
async fn a_password_that_is_changed_while_it_is_checked_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    set(folder.path(), "correct horse");
    let access = Access::new(&config("0.0.0.0:0", folder.path()), Entry::Password).unwrap();
    let access = Arc::new(access);
    let all = u32::try_from(HASHES).unwrap();
    let turns = access.hashing.clone().acquire_many_owned(all).await.unwrap();
    let checked = access.clone();
    let login =
        tokio::spawn(async move { checked.log_in(HERE, None, "correct horse".into()).await });
    while access.refused() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    set(folder.path(), "another horse");
    drop(turns);
    assert!(matches!(login.await.unwrap(), Err(LoginError::Wrong)));
    assert!(access.log_in(HERE, None, "another horse".into()).await.is_ok());
}

#[tokio::test]
async fn right_password_opens_until_logout() {
    let folder = tempfile::tempdir().unwrap();
    set(folder.path(), "correct horse");
    let access = Access::new(&config("0.0.0.0:0", folder.path()), Entry::Password).unwrap();
    assert_eq!(access.recognise(&HeaderMap::new()), None);
    let wrong = access.log_in(HERE, None, "wrong horse".into()).await;
    assert!(matches!(wrong, Err(LoginError::Wrong)));
    let granted = access.log_in(HERE, None, "correct horse".into()).await.unwrap();
    let headers = bearer(&granted.token);
    let caller = access.recognise(&headers).unwrap();
    assert!(caller.login.is_some());
    let cookie = format!("a=b; {COOKIE_NAME}={}; c=d", granted.token.text());
    let cookie = HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(&cookie).unwrap())]);
    assert_eq!(access.recognise(&cookie), Some(caller));
    assert_eq!(access.refused(), 1);
    access.log_out(&cookie);
    assert_eq!(access.recognise(&headers), None);
}

#[tokio::test]
async fn sixth_wrong_password_waits_and_so_does_the_right_one() {
    let folder = tempfile::tempdir().unwrap();
    set(folder.path(), "correct horse");
    let access = Access::new(&config("0.0.0.0:0", folder.path()), Entry::Password).unwrap();
    for _ in 0..attempts::FREE {
        let wrong = access.log_in(HERE, None, "wrong horse".into()).await;
        assert!(matches!(wrong, Err(LoginError::Wrong)));
    }
    let right = access.log_in(HERE, None, "correct horse".into()).await;
    assert!(matches!(right, Err(LoginError::TooMany(_))));
    let elsewhere = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 9));
    assert!(access.log_in(elsewhere, None, "correct horse".into()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_is_told_to_come_back_has_not_tried() {
    let folder = tempfile::tempdir().unwrap();
    set(folder.path(), "correct horse");
    let access = Access::new(&config("0.0.0.0:0", folder.path()), Entry::Password).unwrap();
    let others = access.hashing.clone().acquire_owned().await.unwrap();
    for _ in 0..2 * attempts::FREE {
        let busy = access.log_in(HERE, None, "correct horse".into()).await;
        assert!(matches!(busy, Err(LoginError::Busy)));
    }
    for _ in 0..2 * attempts::FREE {
        let mut given_up = Box::pin(access.log_in(HERE, None, "correct horse".into()));
        while access.refused() == 0 {
            let poll = std::future::poll_fn(|context| Poll::Ready(given_up.as_mut().poll(context)));
            assert!(poll.await.is_pending());
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(access.refused(), 0);
    drop(others);
    assert!(access.log_in(HERE, None, "correct horse".into()).await.is_ok());
}

#[tokio::test]
async fn new_password_ends_the_logins_of_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    set(folder.path(), "correct horse");
    let access = Access::new(&config("0.0.0.0:0", folder.path()), Entry::Password).unwrap();
    let old = access.log_in(HERE, None, "correct horse".into()).await.unwrap();
    set(folder.path(), "another horse");
    assert!(matches!(
        access.log_in(HERE, None, "correct horse".into()).await,
        Err(LoginError::Wrong)
    ));
    let new = access.log_in(HERE, None, "another horse".into()).await.unwrap();
    assert_eq!(access.recognise(&bearer(&old.token)), None);
    assert!(access.recognise(&bearer(&new.token)).is_some());
    // Whoever does not log in anew is out too.
    let ended = access.ended().await;
    assert_eq!(ended.len(), 1, "the old one");
    let caller = access.recognise(&bearer(&new.token)).unwrap();
    assert!(access.ended().await.is_empty() && access.counts(&caller));
    set(folder.path(), "third horse");
    assert_eq!(access.ended().await, [caller.login.clone().unwrap()]);
    assert_eq!(access.recognise(&bearer(&new.token)), None);
    assert!(!access.counts(&caller));
}

#[tokio::test]
async fn a_password_that_is_taken_away_ends_all_logins() {
    let folder = tempfile::tempdir().unwrap();
    set(folder.path(), "correct horse");
    let access = Access::new(&config("0.0.0.0:0", folder.path()), Entry::Password).unwrap();
    let granted = access.log_in(HERE, None, "correct horse".into()).await.unwrap();
    std::fs::remove_file(folder.path().join("password")).unwrap();
    assert_eq!(access.ended().await.len(), 1);
    assert_eq!(access.recognise(&bearer(&granted.token)), None);
}

#[tokio::test]
async fn without_a_password_nobody_logs_in() {
    let folder = tempfile::tempdir().unwrap();
    let access = Access::new(&config("127.0.0.1:0", folder.path()), Entry::Password).unwrap();
    let absent = access.log_in(HERE, None, "correct horse".into()).await;
    assert!(matches!(absent, Err(LoginError::Password(PasswordError::Absent))));
    assert_eq!(access.recognise(&HeaderMap::new()), None);
    assert!(access.lacks_password());
    set(folder.path(), "correct horse");
    assert!(access.ended().await.is_empty() && !access.lacks_password());
}
