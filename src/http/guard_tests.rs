//! Hosts and origins, friendly and not.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::http::{HeaderMap, HeaderValue, Method, Uri};
use proptest::prelude::*;

use super::*;
use crate::config::Http;

fn http() -> Http {
    Http {
        listen: vec!["0.0.0.0:8080".parse().unwrap(), "[fd00::7]:80".parse().unwrap()],
        listen_https: Vec::new(),
        plain: config::Plain::Redirect,
        allowed_hosts: vec!["door.example".into(), "203.0.113.9".into()],
        allowed_origins: vec!["https://wall.example".into()],
    }
}

fn guard() -> Guard {
    Guard::new(&http(), "Door\n")
}

/// `GET` becomes `POST /x` for state-changing requests.
fn check(method: &Method, uri: &str, host: &str, origin: Option<&str>) -> Result<bool, Refusal> {
    let uri: Uri = uri.parse().unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_str(host).unwrap());
    if let Some(origin) = origin {
        headers.insert(ORIGIN, HeaderValue::from_str(origin).unwrap());
    }
    let local = "192.168.1.7:8080".parse().unwrap();
    let request = Request { method, uri: &uri, headers: &headers, local, scheme: Scheme::Http };
    guard().check(request).map(|origin| origin.is_some())
}

#[test]
fn the_names_of_before_are_the_devices_for_a_while() {
    let mut guard = guard();
    let knows = |guard: &Guard, host: &'static str| {
        let (uri, headers) =
            ("/".parse().unwrap(), HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]));
        let local = "192.168.1.7:8080".parse().unwrap();
        let method = &Method::GET;
        guard
            .check(Request { method, uri: &uri, headers: &headers, local, scheme: Scheme::Http })
            .is_ok()
    };
    guard.rename("hall");
    for host in ["hall", "hall.local", "door.local", "door"] {
        assert!(knows(&guard, host), "{host}");
    }
    let mut http = http();
    http.allowed_hosts = vec!["gate.example".into()];
    guard.configure(&http);
    assert!(knows(&guard, "hall.local") && knows(&guard, "gate.example"));
    assert!(!knows(&guard, "door.example"));
    for name in ["roof", "hall", "gate"] {
        guard.rename(name);
    }
    assert!(knows(&guard, "gate.local") && knows(&guard, "hall.local"));
    assert!(!knows(&guard, "door.local") && !knows(&guard, "door"));
}

#[test]
fn own_names_and_addresses_pass() {
    let ours = [
        "localhost",
        "LOCALHOST:8080",
        "192.168.1.7:8080",
        "192.168.1.7",
        "[fd00::7]",
        "door",
        "door.local:8080",
        "DOOR.local.",
        "door.example:443",
        "203.0.113.9:80",
        "[::ffff:192.168.1.7]:1",
    ];
    for host in ours {
        assert_eq!(check(&Method::GET, "/", host, None), Ok(false), "{host}");
    }
}

#[test]
fn foreign_names_and_addresses_are_refused() {
    let foreign = [
        "evil.example",
        "0.0.0.0:8080",
        "192.168.1.8",
        "127.0.0.1",
        "door.local.evil.example",
        "localhost.evil.example",
        "[::1]",
        "other.local",
        "notdoor",
    ];
    for host in foreign {
        assert_eq!(check(&Method::GET, "/", host, None), Err(Refusal::ForeignHost), "{host}");
    }
    for host in ["", ":80", "localhost:x", "localhost:99999", "a:b:c"] {
        assert_eq!(check(&Method::GET, "/", host, None), Err(Refusal::NoHost), "{host}");
    }
}

#[test]
fn absolute_request_line_cannot_name_another_host() {
    let uri = "http://evil.example/";
    assert_eq!(check(&Method::GET, uri, "localhost", None), Err(Refusal::ForeignHost));
    assert_eq!(check(&Method::GET, "http://localhost/", "localhost", None), Ok(false));
}

#[test]
fn two_hosts_are_no_host() {
    let mut headers = HeaderMap::new();
    headers.append(HOST, HeaderValue::from_static("localhost"));
    headers.append(HOST, HeaderValue::from_static("evil.example"));
    let (uri, local) = (Uri::from_static("/"), "127.0.0.1:1".parse().unwrap());
    let request =
        Request { method: &Method::GET, uri: &uri, headers: &headers, local, scheme: Scheme::Http };
    assert_eq!(guard().check(request), Err(Refusal::NoHost));
}

#[test]
fn state_changes_come_from_our_own_page() {
    let post = |origin| check(&Method::POST, "/api/v1/login", "door.local:8080", origin);
    assert_eq!(post(None), Ok(false));
    assert_eq!(post(Some("http://door.local:8080")), Ok(false));
    assert_eq!(post(Some("HTTP://Door.local:8080")), Ok(false));
    let foreign = [
        "http://door.local",
        "http://door.local:80",
        "http://localhost:8080",
        "null",
        "",
        "https://wall.example",
        "http://evil.example",
        "http://door.local:8080.evil.example",
    ];
    for origin in foreign {
        assert_eq!(post(Some(origin)), Err(Refusal::ForeignOrigin), "{origin}");
    }
}

#[test]
fn default_ports_are_the_same_origin() {
    let post = |host, origin| check(&Method::POST, "/", host, Some(origin));
    assert_eq!(post("door.local", "http://door.local"), Ok(false));
    assert_eq!(post("door.local:80", "http://door.local"), Ok(false));
    assert_eq!(post("door.local", "https://door.local"), Ok(false));
    assert_eq!(post("door.local:80", "https://door.local"), Err(Refusal::ForeignOrigin));
}

#[test]
fn by_tls_no_page_without_it_is_the_same_origin() {
    let same = |origin| same_origin(origin, "door.local", Scheme::Https);
    assert!(same("https://door.local") && !same("http://door.local"));
}

#[test]
fn whep_is_open_to_allowed_origins_alone() {
    for (method, path) in [
        (Method::OPTIONS, "/whep"),
        (Method::POST, "/whep"),
        (Method::DELETE, "/whep/0"),
        (Method::GET, "/whep/0"),
    ] {
        let from = |origin| check(&method, path, "door", Some(origin));
        assert_eq!(from("https://wall.example"), Ok(true), "{method} {path}");
        assert_eq!(from("https://evil.example"), Err(Refusal::ForeignOrigin), "{method} {path}");
    }
    // Beside WHEP, an allowed origin is as foreign as any other.
    let read = check(&Method::GET, "/api/v1/status", "door", Some("https://wall.example"));
    assert_eq!(read, Ok(false), "readable without CORS headers only");
    assert!(!is_whep("/whepx"));
}

proptest! {
    #[test]
    fn no_header_panics(host in "[ -~]{0,40}", origin in "[ -~]{0,40}") {
        let _ = check(&Method::POST, "/whep", &host, Some(&origin));
    }

    #[test]
    fn no_name_with_a_foreign_part_is_ours(
        name in "localhost|door|door\\.local|door\\.example|192\\.168\\.1\\.7|203\\.0\\.113\\.9",
        port in "|:80|:8080", dot in "|\\.",
    ) {
        for host in [format!("evil.{name}{dot}{port}"), format!("{name}.evil{dot}{port}")] {
            let refused = check(&Method::GET, "/", &host, None);
            prop_assert_eq!(refused, Err(Refusal::ForeignHost), "{}", host);
        }
    }

    #[test]
    fn no_subdomain_or_neighbour_of_our_names_passes(before in "[a-z.]{1,9}", after in "[a-z.]{1,9}") {
        for host in [format!("{before}door"), format!("localhost{after}"), format!("door.{after}")] {
            let known = ["localhost.", "door.local", "door.local.", "door.example", "door.example.", "door.."];
            let passes = check(&Method::GET, "/", &host, None).is_ok();
            prop_assert!(!passes || known.contains(&host.as_str()) || host.ends_with('.'), "{}", host);
        }
    }
}
