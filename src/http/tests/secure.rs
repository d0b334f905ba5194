//! With HTTPS beside HTTP.

use std::time::SystemTime;

use super::*;
use crate::http::access::accounts::Role;
use crate::tls::{self, State, Tls};

const TOMORROW: Duration = Duration::from_secs(24 * 3600);

fn certificates(folder: &Path, built: SystemTime) -> Tls {
    let settings = tls::Settings {
        state_dir: folder.to_owned(),
        names: Box::new(|| tls::authority::Names::new("door", ["192.168.1.20".parse().unwrap()])),
        built,
        clock: SystemTime::now,
    };
    tls::start(settings).unwrap().tls
}

/// Where `plain` is what is served without TLS.
async fn secured(entry: Entry, plain: &str) -> Fixture {
    secured_at(state_for(entry), entry, plain).await
}

pub(super) async fn secured_at(state: tempfile::TempDir, entry: Entry, plain: &str) -> Fixture {
    gstreamer::init().unwrap();
    let tls = certificates(state.path(), SystemTime::UNIX_EPOCH);
    tls.follow().wait_for(|state| matches!(state, State::Serving(_))).await.unwrap();
    let https = Some(Https { tls, port: 8443 });
    let more = format!("plain = {plain:?}");
    fixture_at(state, entry, Vec::new(), Clock::start(), &more, https)
}

#[tokio::test]
async fn http_leads_to_https_and_serves_what_is_needed_before() {
    let mut fixture = secured(Entry::Password, "redirect").await;
    for path in ["/", "/login", "/api/v1/status?x=1", "/nowhere"] {
        let response = fixture.get(path).await;
        assert_eq!(response.status(), 307, "{path}");
        assert_eq!(response.headers()[LOCATION], format!("https://127.0.0.1:8443{path}").as_str());
    }
    let refused = problem(fixture.log_in(PASSWORD).await, 403).await;
    assert_eq!(refused["title"], "HTTPS only");
    for path in ["/healthz", "/trust", "/page/page.css", "/api/v1/tls", "/api/v1/tls/authority.crt"]
    {
        assert_eq!(fixture.get(path).await.status(), 200, "{path}");
    }
    fixture.scheme = Scheme::Https;
    let granted = fixture.log_in(PASSWORD).await;
    let cookie = granted.headers()[SET_COOKIE].to_str().unwrap().to_owned();
    assert!(
        cookie.starts_with("__Host-signpost_login=") && cookie.ends_with("; Secure"),
        "{cookie}"
    );
    let cookie = cookie.split(';').next().unwrap();
    let shown = [(COOKIE, cookie)];
    assert_eq!(fixture.send(Method::GET, "/", &shown, Body::empty()).await.status(), 200);
}

#[tokio::test]
async fn http_lets_viewers_watch_where_that_is_allowed_and_nobody_do_more() {
    let mut fixture = secured(Entry::Password, "view").await;
    problem(fixture.log_in(PASSWORD).await, 403).await;
    let access = fixture.app.access.clone();
    access
        .add_user("hall".parse().unwrap(), Role::Viewer, "quiet-river-7431".into())
        .await
        .unwrap();
    let hall = body(fixture.log_in_as("hall", "quiet-river-7431").await).await;
    let hall = hall["token"].as_str().unwrap();
    assert_eq!(fixture.ask(hall, Method::GET, "/api/v1/status", &json!({})).await.status(), 200);
    let root = access.add_token("root".parse().unwrap(), Role::Administrator).await.unwrap();
    let root = root.text();
    let me = body(fixture.ask(root, Method::GET, "/api/v1/me", &json!({})).await).await;
    assert_eq!(me["role"], "viewer", "everybody on the network has heard it");
    assert_eq!(fixture.ask(root, Method::GET, "/api/v1/users", &json!({})).await.status(), 307);
    problem(fixture.ask(root, Method::POST, "/api/v1/users", &json!({})).await, 403).await;
    assert_eq!(fixture.ask(hall, Method::GET, "/settings", &json!({})).await.status(), 307);
    let own = json!({"present": "quiet-river-7431", "new": "low-cloud-2958"});
    problem(fixture.ask(hall, Method::PUT, "/api/v1/me/password", &own).await, 403).await;
    fixture.scheme = Scheme::Https;
    assert_eq!(fixture.ask(root, Method::GET, "/api/v1/users", &json!({})).await.status(), 200);
}

#[tokio::test]
async fn before_there_is_a_certificate_nothing_is_served_but_why() {
    gstreamer::init().unwrap();
    let state = tempfile::tempdir().unwrap();
    let tls = certificates(state.path(), SystemTime::now() + TOMORROW);
    let waits = |state: &State| matches!(state, State::Waiting(why) if why.contains("clock"));
    tls.follow().wait_for(waits).await.unwrap();
    let https = Some(Https { tls, port: 443 });
    let fixture = fixture_at(state, Entry::Password, Vec::new(), Clock::start(), "", https);
    let page = fixture.get("/").await;
    assert_eq!(page.status(), 503);
    assert!(text(page).await.contains("waits for the time"));
    let told = problem(fixture.get("/api/v1/status").await, 503).await;
    assert!(told["detail"].as_str().unwrap().contains("clock"), "{told}");
    problem(fixture.log_in(PASSWORD).await, 503).await;
    problem(fixture.get("/api/v1/tls/authority.crt").await, 409).await;
    assert_eq!(fixture.get("/healthz").await.status(), 200);
    let about = body(fixture.get("/api/v1/tls").await).await;
    assert!(about["https"] == true && about["waiting"].is_string(), "{about}");
}

#[tokio::test]
async fn the_authority_can_be_had_in_every_form() {
    let fixture = secured(Entry::Password, "redirect").await;
    let about = body(fixture.get("/api/v1/tls").await).await;
    let fingerprint = about["authority"]["fingerprint"].as_str().unwrap();
    assert_eq!(about["certificate"]["names"], json!(["door.local", "192.168.1.20"]));
    let file = fixture.get("/api/v1/tls/authority.crt").await;
    assert_eq!(file.headers()[CONTENT_TYPE], "application/x-x509-ca-cert");
    let der = to_bytes(file.into_body(), 1 << 20).await.unwrap();
    assert_eq!(tls::authority::fingerprint(&der), fingerprint);
    let profile = text(fixture.get("/api/v1/tls/authority.mobileconfig").await).await;
    let pem = tls::pem(&der);
    let data: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    assert_eq!(text(fixture.get("/api/v1/tls/authority.pem").await).await, pem);
    assert!(profile.contains(&data) && profile.contains("com.apple.security.root"), "{profile}");
    let code = text(fixture.get("/api/v1/tls/fingerprint.svg").await).await;
    assert!(code.contains("<svg"), "{code:.80}");
}

#[tokio::test]
async fn another_certificate_is_asked_for_and_brought_by_administrators() {
    let mut fixture = secured(Entry::Free, "redirect").await;
    fixture.scheme = Scheme::Https;
    let request = text(fixture.get("/api/v1/tls/request").await).await;
    assert!(request.starts_with("-----BEGIN CERTIFICATE REQUEST-----"), "{request}");
    let wrong = fixture.send(Method::PUT, "/api/v1/tls/certificate", &[], "no certificate").await;
    problem(wrong, 422).await;
    let before = body(fixture.get("/api/v1/tls").await).await;
    let made = fixture.send(Method::POST, "/api/v1/tls/authority", &[], Body::empty()).await;
    assert_eq!(made.status(), 204);
    let after = body(fixture.get("/api/v1/tls").await).await;
    assert_ne!(before["authority"]["fingerprint"], after["authority"]["fingerprint"]);
    let forgotten =
        fixture.send(Method::DELETE, "/api/v1/tls/certificate", &[], Body::empty()).await;
    assert_eq!(forgotten.status(), 204);
}
