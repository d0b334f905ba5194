//! The routes behind their entrance, without sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{
    ACCESS_CONTROL_REQUEST_METHOD, ALLOW, AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, LOCATION,
    ORIGIN, RETRY_AFTER, SET_COOKIE, UPGRADE, WWW_AUTHENTICATE,
};
use axum::http::{HeaderName, Method, Request, Response, StatusCode};
use gstreamer::ClockTime;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::access::password;
use super::*;
use crate::config::{self, Layer};

mod configuration;
mod facts;
mod secure;
mod setup;
mod users;

const PASSWORD: &str = "correct horse";

/// A server without cameras, and the senders that stand for its owners.
struct Fixture {
    app: App,
    router: Router,
    recognition: watch::Sender<recognition::Status>,
    predictions: broadcast::Sender<Arc<Prediction>>,
    /// What is known of the device.
    known: watch::Sender<Known>,
    /// How requests are sent.
    scheme: Scheme,
    _state: tempfile::TempDir,
}

fn fixture(entry: Entry) -> Fixture {
    gstreamer::init().unwrap();
    fixture_with(entry, Vec::new(), Clock::start())
}

fn fixture_with(entry: Entry, cameras: Vec<Camera>, clock: Clock) -> Fixture {
    let state = state_for(entry);
    fixture_at(state, entry, cameras, clock, "", None)
}

/// A state directory, with the password if it is asked for.
fn state_for(entry: Entry) -> tempfile::TempDir {
    let state = tempfile::tempdir().unwrap();
    if entry == Entry::Password {
        let hash = password::hash(PASSWORD, &[]).unwrap();
        password::write(&state.path().join("password"), &hash).unwrap();
    }
    state
}

fn fixture_at(
    state: tempfile::TempDir,
    entry: Entry,
    cameras: Vec<Camera>,
    clock: Clock,
    more: &str,
    https: Option<Https>,
) -> Fixture {
    let config = Arc::new(configured(state.path(), more));
    let access = Access::new(&config, entry).unwrap();
    let running = recognition::Status::Running { model: "letters 1".into(), degraded: None };
    let (recognition, status) = watch::channel(running);
    let (predictions, _) = broadcast::channel(32);
    let (limits, ice) = (config.sessions.clone(), config.ice.clone());
    let settings = crate::sessions::Settings { limits, ice, encoder: config.encoder.clone() };
    let sessions = Sessions::start(Vec::new(), &predictions, settings, clock.clone());
    let results = predictions.subscribe();
    let keeper = config::Keeper::new(config.clone());
    let known = watch::Sender::new(Known::default());
    let bundles = Bundles::without_owner(&config);
    let owners = Owners {
        cameras,
        sessions,
        recognition: status,
        bundles,
        predictions: results,
        failed: watch::channel(0).1,
        clock,
        keeper,
        https,
        device_name: Arc::new(watch::Sender::new("door".to_owned())),
        known: known.subscribe(),
    };
    let app = App::new(config, access, owners);
    Fixture {
        router: router(app.clone()),
        app,
        known,
        recognition,
        predictions,
        scheme: Scheme::Http,
        _state: state,
    }
}

fn configured(state: &Path, more: &str) -> Config {
    let text = format!(
        "[http]\nallowed_origins = [\"https://wall.example\"]\n{more}\n[ice]\nservers = \
         [\"stun:s:1\", {{ urls = [\"turn:t:2\"], username = \"u\", credential = \"hunter2\" }}]\n"
    );
    let file = Layer::File { name: "signpost.toml".into(), text };
    config::read(&[file], state).unwrap()
}

impl Fixture {
    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, &str)],
        body: impl Into<Body>,
    ) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| name == HOST) {
            request = request.header(HOST, "127.0.0.1:8080");
        }
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let (peer, local) = ("127.0.0.1:40000".parse().unwrap(), "127.0.0.1:8080".parse().unwrap());
        let request =
            request.extension(Ends { peer, local, scheme: self.scheme }).body(body.into()).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn get(&self, path: &str) -> Response<Body> {
        self.send(Method::GET, path, &[], Body::empty()).await
    }

    async fn log_in(&self, password: &str) -> Response<Body> {
        let body = json!({ "password": password }).to_string();
        self.send(Method::POST, "/api/v1/login", &[(CONTENT_TYPE, "application/json")], body).await
    }

    async fn log_in_as(&self, user: &str, password: &str) -> Response<Body> {
        let body = json!({ "user": user, "password": password }).to_string();
        self.send(Method::POST, "/api/v1/login", &[(CONTENT_TYPE, "application/json")], body).await
    }

    /// With this token, and a body of JSON.
    async fn ask(&self, token: &str, method: Method, path: &str, body: &Value) -> Response<Body> {
        let bearer = format!("Bearer {token}");
        let headers = [(AUTHORIZATION, &*bearer), (CONTENT_TYPE, "application/json")];
        self.send(method, path, &headers, body.to_string()).await
    }
}

async fn text(response: Response<Body>) -> String {
    let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    // An archive is none, and tells nothing in words.
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn body(response: Response<Body>) -> Value {
    serde_json::from_str(&text(response).await).unwrap()
}

/// Asserts a complete problem of `status`.
async fn problem(response: Response<Body>, status: u16) -> Value {
    assert_eq!(response.status(), status);
    assert_eq!(response.headers()[CONTENT_TYPE], problem::PROBLEM_JSON);
    assert!(response.headers().contains_key("content-security-policy"));
    let body = body(response).await;
    assert_eq!(body["status"], status);
    for key in ["title", "detail", "hint"] {
        assert!(body[key].as_str().is_some_and(|text| !text.is_empty()), "{key} of {body}");
    }
    body
}

#[tokio::test]
async fn every_documented_route_exists_and_no_other_method_of_it() {
    let fixture = fixture(Entry::Free);
    let document = body(fixture.get("/api/v1/openapi.json").await).await;
    let mut documented = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let concrete = path.replace("{id}", "0").replace("{name}", "0");
        for method in ["get", "post", "put", "patch", "delete"] {
            let sent = method.to_uppercase().parse().unwrap();
            let response = fixture.send(sent, &concrete, &[], Body::empty()).await;
            let exists = response.status() != StatusCode::METHOD_NOT_ALLOWED;
            assert_eq!(exists, operations.get(method).is_some(), "{method} {path}");
            documented += usize::from(exists);
        }
        let any = operations.as_object().unwrap().values().next().unwrap();
        assert!(any["summary"].as_str().is_some(), "{path} says what it is");
    }
    assert!(documented >= 10, "{documented} operations");
    let design = [
        "/",
        "/login",
        "/healthz",
        "/metrics",
        "/api/v1/status",
        "/api/v1/config",
        "/api/v1/ice-servers",
        "/api/v1/openapi.json",
        "/api/v1/login",
        "/api/v1/logout",
        "/whep",
        "/whep/{id}",
        "/api/v1/webrtc/offer",
        "/api/v1/webrtc/candidate",
        "/api/v1/liveview/start",
        "/api/v1/liveview/stop",
        "/api/v1/snapshot.jpg",
        "/api/v1/stream.mjpeg",
        "/api/v1/sessions/{id}",
    ];
    for path in design {
        assert!(document["paths"].get(path).is_some(), "{path} is documented");
    }
}

#[tokio::test]
async fn document_refers_to_nothing_that_is_missing() {
    let document = serde_json::to_value(router::routes().into_openapi()).unwrap();
    let written = document.to_string();
    let mut found = 0;
    for reference in written.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
        found += 1;
    }
    assert!(found > 0);
}

#[tokio::test]
async fn nothing_but_the_way_in_is_open() {
    let fixture = fixture(Entry::Password);
    let document = router::routes().into_openapi();
    for path in document.paths.paths.keys().map(String::as_str) {
        let response = fixture.get(&path.replace("{id}", "0").replace("{name}", "0")).await;
        if roles::need(&Method::GET, Some(path)) == roles::Need::Nothing {
            assert_ne!(response.status(), 401, "{path}");
        } else if pages::is_page(path) {
            assert_eq!(response.status(), 303, "{path}");
            assert_eq!(response.headers()[LOCATION], "/login");
        } else {
            assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer", "{path}");
            problem(response, 401).await;
        }
    }
    for asset in pages::ASSETS {
        assert_eq!(fixture.get(asset.path).await.status(), 200, "{}", asset.path);
    }
    assert_eq!(fixture.get("/page/nowhere.js").await.status(), 404);
    problem(fixture.get("/nowhere").await, 401).await;
    for path in ["//", "/login/", "/healthz/x", "/API/v1/login", "/page/../", "/%6cogin"] {
        problem(fixture.get(path).await, 401).await;
    }
}

#[tokio::test]
async fn password_opens_by_cookie_and_by_token_until_logout() {
    let fixture = fixture(Entry::Password);
    problem(fixture.log_in("wrong horse").await, 401).await;
    let response = fixture.log_in(PASSWORD).await;
    assert_eq!(response.status(), 200);
    let cookie = response.headers()[SET_COOKIE].to_str().unwrap().to_owned();
    for part in ["; HttpOnly", "; SameSite=Strict", "; Path=/", "; Max-Age=604800"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let answer = body(response).await;
    let bearer = format!("Bearer {}", answer["token"].as_str().unwrap());
    for (header, value) in [(COOKIE, &cookie), (AUTHORIZATION, &bearer)] {
        let shown = [(header, value.as_str())];
        for path in ["/", "/metrics", "/api/v1/status", "/page/live.js"] {
            let response = fixture.send(Method::GET, path, &shown, Body::empty()).await;
            assert_eq!(response.status(), 200, "{path} with {}", shown[0].0);
        }
        let login = fixture.send(Method::GET, "/login", &shown, Body::empty()).await;
        assert_eq!(login.headers()[LOCATION], "/");
    }
    let shown = [(COOKIE, cookie.as_str())];
    let out = fixture.send(Method::POST, "/api/v1/logout", &shown, Body::empty()).await;
    assert!(out.headers()[SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    for shown in [(COOKIE, cookie.as_str()), (AUTHORIZATION, bearer.as_str())] {
        problem(fixture.send(Method::GET, "/api/v1/status", &[shown], "").await, 401).await;
    }
}

#[tokio::test]
async fn sixth_wrong_password_in_a_row_has_to_wait() {
    let fixture = fixture(Entry::Password);
    for _ in 0..5 {
        problem(fixture.log_in("wrong horse").await, 401).await;
    }
    let response = fixture.log_in(PASSWORD).await;
    let wait: u64 = response.headers()[RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    problem(response, 429).await;
}

#[tokio::test]
async fn too_many_offers_of_one_address_have_to_wait() {
    let fixture = fixture(Entry::Free);
    let sdp = [(CONTENT_TYPE, "application/sdp")];
    let json = [(CONTENT_TYPE, "application/json")];
    for _ in 0..60 {
        problem(fixture.send(Method::POST, "/whep", &sdp, "").await, 503).await;
        let offer = fixture.send(Method::POST, "/api/v1/webrtc/offer", &json, "{");
        problem(offer.await, 400).await;
    }
    let late = fixture.send(Method::POST, "/whep", &sdp, "").await;
    assert_eq!(late.headers()[RETRY_AFTER], "1");
    problem(late, 429).await;
    let status = body(fixture.get("/api/v1/status").await).await;
    assert_eq!(status["refused"], json!({ "connections": 0, "offers": 1, "streams": 0 }));
    assert!(text(fixture.get("/metrics").await).await.contains("signpost_offers_refused_total 1"));
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_refused_before_anything_else() {
    let fixture = fixture(Entry::Free);
    let evil = [(HOST, "evil.example:8080")];
    for path in ["/", "/login", "/healthz", "/nowhere", "/api/v1/status"] {
        problem(fixture.send(Method::GET, path, &evil, Body::empty()).await, 403).await;
    }
    let foreign = [(ORIGIN, "http://evil.example"), (CONTENT_TYPE, "application/json")];
    let post = fixture.send(Method::POST, "/api/v1/login", &foreign, r#"{"password":"x"}"#);
    problem(post.await, 403).await;
    let own = [(ORIGIN, "http://127.0.0.1:8080")];
    let out = fixture.send(Method::POST, "/api/v1/logout", &own, Body::empty()).await;
    assert_eq!(out.status(), 200);
    assert!(!out.headers().contains_key("access-control-allow-origin"), "CORS is closed");
}

#[tokio::test]
async fn allowed_origin_may_read_whep_answers_and_no_others() {
    let fixture = fixture(Entry::Password);
    let wall = [(ORIGIN, "https://wall.example")];
    let preflight = fixture.send(Method::OPTIONS, "/whep", &wall, Body::empty()).await;
    assert_eq!(preflight.status(), 200);
    assert_eq!(preflight.headers()["accept-post"], "application/sdp");
    let asks = [wall[0].clone(), (ACCESS_CONTROL_REQUEST_METHOD, "DELETE")];
    let of_session = fixture.send(Method::OPTIONS, "/whep/0", &asks, Body::empty()).await;
    assert_eq!(of_session.status(), 200);
    let allowed = of_session.headers()["access-control-allow-methods"].to_str().unwrap();
    assert!(allowed.contains("DELETE") && allowed.contains("PATCH"), "{allowed}");
    assert_eq!(of_session.headers()["accept-patch"], "application/trickle-ice-sdpfrag");
    assert_eq!(of_session.headers()[ALLOW], "DELETE, OPTIONS, PATCH");
    assert_eq!(of_session.headers()["access-control-allow-origin"], "https://wall.example");
    let headers = preflight.headers();
    assert_eq!(headers["access-control-allow-origin"], "https://wall.example");
    assert!(headers["access-control-allow-headers"].to_str().unwrap().contains("Authorization"));
    assert_eq!(headers["vary"], "Origin");
    let refused = fixture.send(Method::POST, "/whep", &wall, Body::empty()).await;
    assert!(refused.headers().contains_key("access-control-allow-origin"));
    problem(refused, 401).await;
    let elsewhere = fixture.send(Method::GET, "/healthz", &wall, Body::empty()).await;
    assert!(!elsewhere.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn every_wrong_request_is_a_problem() {
    let fixture = fixture(Entry::Free);
    let json = [(CONTENT_TYPE, "application/json")];
    let login = |headers, body: String| fixture.send(Method::POST, "/api/v1/login", headers, body);
    problem(fixture.get("/nowhere").await, 404).await;
    let wrong = fixture.send(Method::DELETE, "/api/v1/status", &[], Body::empty()).await;
    assert!(wrong.headers()[ALLOW].to_str().unwrap().contains("GET"));
    problem(wrong, 405).await;
    for method in [Method::GET, Method::POST, Method::PUT] {
        let wrong = fixture.send(method, "/whep/0", &[], Body::empty()).await;
        let allowed = wrong.headers()[ALLOW].to_str().unwrap().to_owned();
        assert!(allowed.contains("PATCH") && allowed.contains("DELETE"), "{allowed}");
        problem(wrong, 405).await;
    }
    problem(login(&json, "x".repeat(router::BODY_LIMIT + 1)).await, 413).await;
    problem(login(&[], "{}".into()).await, 415).await;
    problem(login(&json, "{".into()).await, 400).await;
    let unknown = problem(login(&json, r#"{"pasword":"x"}"#.into()).await, 422).await;
    assert!(unknown["detail"].as_str().unwrap().contains("pasword"), "{unknown}");
}

#[tokio::test]
async fn health_follows_the_owners_and_not_the_picture() {
    let fixture = fixture(Entry::Password);
    assert_eq!(body(fixture.get("/healthz").await).await["status"], "healthy");
    let slow = Some("camera too slow".to_owned());
    let degraded = recognition::Status::Running { model: "letters 1".into(), degraded: slow };
    fixture.recognition.send_replace(degraded);
    let response = fixture.get("/healthz").await;
    assert_eq!(response.status(), 200);
    assert_eq!(body(response).await["status"], "degraded");
    fixture.recognition.send_replace(recognition::Status::Failed("no library".into()));
    assert_eq!(problem(fixture.get("/healthz").await, 503).await["detail"], "model");
    fixture.recognition.send_replace(recognition::Status::Starting);
    let Fixture { app, router, recognition, predictions, known, scheme, _state } = fixture;
    drop(recognition);
    let (recognition, _) = watch::channel(recognition::Status::Starting);
    let gone = Fixture { app, router, recognition, predictions, known, scheme, _state };
    assert_eq!(problem(gone.get("/healthz").await, 503).await["detail"], "recognition");
}

#[tokio::test]
async fn a_knock_is_opened_and_the_connection_ends() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let fixture = fixture(Entry::Free);
    let listeners = bind(&["127.0.0.1:0".parse().unwrap()], &[]).await.unwrap();
    let address = listeners.addresses()[0];
    let (_running, stop) = watch::channel(());
    tokio::spawn(serve(listeners, None, fixture.router.clone(), Refusals::default(), || (), stop));
    let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
    // The example of RFC 6455, 1.2 and 1.3.
    let handshake = format!(
        "GET /api/v1/knock HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\nOrigin: http://{address}\r\n\r\n"
    );
    client.write_all(handshake.as_bytes()).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer}");
    let foreign = [(ORIGIN, "http://evil.example"), (UPGRADE, "websocket")];
    problem(fixture.send(Method::GET, "/api/v1/knock", &foreign, Body::empty()).await, 403).await;
    let plain = fixture.get("/api/v1/knock").await;
    assert!(plain.status().is_client_error());
    let status = plain.status().as_u16();
    assert_eq!(problem(plain, status).await["title"], "no WebSocket");
}

#[tokio::test]
async fn what_is_asked_of_the_device_is_checked_first() {
    let fixture = fixture(Entry::Free);
    let long = format!("text={}", "x".repeat(201));
    for wrong in [
        "since=2&until=1",
        "of=door",
        "lines=0",
        "lines=1001",
        "level=loud",
        "part=",
        "text=",
        &long,
        "since=-1",
        "until=NaN",
        "format=csv",
    ] {
        problem(fixture.get(&format!("/api/v1/log?{wrong}")).await, 422).await;
    }
    for wrong in ["lines=x", "unit=ssh", "since=yesterday"] {
        problem(fixture.get(&format!("/api/v1/log?{wrong}")).await, 400).await;
    }
    let json = [(CONTENT_TYPE, "application/json")];
    for wrong in ["Front Door", "", "-", "a.b"] {
        let body = json!({"name": wrong}).to_string();
        let answer = fixture.send(Method::PUT, "/api/v1/device/name", &json, body).await;
        problem(answer, 422).await;
    }
    for path in ["/api/v1/device/name", "/api/v1/device/restart", "/api/v1/log"] {
        let method = if path.ends_with("name") { Method::PUT } else { Method::POST };
        let method = if path.ends_with("log") { Method::GET } else { method };
        let fixture = self::fixture(Entry::Password);
        problem(fixture.send(method, path, &json, "{}").await, 401).await;
    }
}

#[tokio::test]
async fn one_check_and_one_bundle_at_a_time() {
    let fixture = fixture(Entry::Free);
    let post = |path| fixture.send(Method::POST, path, &[], Body::empty());
    let checking = fixture.app.checking.clone().acquire_owned().await.unwrap();
    for path in ["/api/v1/checks/configuration", "/api/v1/checks/golden-clip"] {
        let busy = post(path).await;
        assert!(busy.headers().contains_key(RETRY_AFTER), "{path}");
        problem(busy, 409).await;
    }
    drop(checking);
    let checked = body(post("/api/v1/checks/configuration").await).await;
    assert_eq!(checked["passed"], true, "{checked}");
    let login = &checked["steps"][1];
    assert_eq!((&login["name"], &login["verdict"]), (&json!("login"), &json!("pass")));
    assert!(login["hint"].as_str().is_some(), "that nobody is asked is a note: {login}");
    fixture.recognition.send_replace(recognition::Status::Failed("no hunter2".into()));
    let checked = body(post("/api/v1/checks/configuration").await).await;
    let model = checked["steps"].as_array().unwrap().iter().find(|step| step["name"] == "model");
    assert_eq!(model.unwrap()["verdict"], "fail");
    assert!(checked["passed"] == false && !checked.to_string().contains("hunter2"), "{checked}");
    let clip = body(post("/api/v1/checks/golden-clip").await).await;
    assert_eq!(clip["steps"][0]["verdict"], "fail", "there is no model: {clip}");
    let gathering = fixture.app.gathering.clone().acquire_owned().await.unwrap();
    for path in ["/api/v1/support-bundle", "/api/v1/support-bundle/contents"] {
        problem(fixture.get(path).await, 503).await;
    }
    drop(gathering);
}

#[tokio::test(start_paused = true)]
async fn status_counts_results() {
    let fixture = fixture(Entry::Free);
    let prediction = Prediction {
        seq: 0,
        captured_at: gstreamer::ClockTime::ZERO,
        label: None,
        score: 1.0,
        committed: None,
        transcript: String::new(),
        committed_total: 0,
        top: Vec::new(),
        hands: Vec::new(),
        boxes: Vec::new(),
        timing_ms: recognition::Timing::default(),
        dropped: 7,
        answered: true,
    };
    for _ in 0..3 {
        fixture.predictions.send(Arc::new(prediction.clone())).unwrap();
    }
    // The clock stands still, so this passes once everything else has run.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let status = body(fixture.get("/api/v1/status").await).await;
    assert_eq!(status["recognition"]["results"], 3);
    assert_eq!(status["recognition"]["dropped"], 7);
    assert_eq!(status["recognition"]["model"], "letters 1");
    assert_eq!(status["login"], false);
    assert_eq!(status["reconnect_waits_s"], json!([1.0, 2.0, 4.0, 8.0, 10.0]));
    assert_eq!(status["sessions"]["viewers"], 0);
    assert_eq!(status["sessions"]["max_viewers"], 16);
    assert_eq!(status["degraded"], json!([]));
    let metrics = text(fixture.get("/metrics").await).await;
    assert!(metrics.contains("\nsignpost_results_total 3\n"), "{metrics}");
}

#[tokio::test]
async fn configuration_is_shown_without_secrets() {
    let fixture = fixture(Entry::Free);
    let config = body(fixture.get("/api/v1/config").await).await;
    assert_eq!(config["values"]["sessions"]["max_viewers"], 16);
    assert_eq!(config["values"]["camera"][0]["source"], "auto");
    assert_eq!(config["origins"]["http.allowed_origins"], "signpost.toml:2");
    assert_eq!(config["origins"]["camera.source"], "default");
    assert!(!config.to_string().contains("hunter2"));
    let servers = body(fixture.get("/api/v1/ice-servers").await).await;
    let expected = json!([{"urls": ["stun:s:1"]},
        {"urls": ["turn:t:2"], "username": "u", "credential": "hunter2"}]);
    assert_eq!(servers["iceServers"], expected, "viewers need the credential");
}

#[tokio::test]
async fn configuration_changes_as_a_whole_or_is_refused_with_words() {
    let fixture = fixture(Entry::Free);
    let json = [(CONTENT_TYPE, "application/json")];
    let patch = async |wish: Value| {
        fixture.send(Method::PATCH, "/api/v1/config", &json, wish.to_string()).await
    };
    let wish = json!({"encoder": {"bitrate_kbps": 1500}, "camera": [{"width": 640}]});
    let done = patch(wish).await;
    assert_eq!(done.status(), 200);
    let done = body(done).await;
    assert_eq!(done["applied"], json!(["camera.width", "encoder.bitrate_kbps"]));
    assert_eq!(done["restart"], json!(["camera.width"]));
    assert_eq!(done["values"]["encoder"]["bitrate_kbps"], 1500);
    let config = body(fixture.get("/api/v1/config").await).await;
    assert_eq!(config["values"], done["values"]);
    let origin = config["origins"]["camera.width"].as_str().unwrap();
    assert!(origin.contains("overrides.toml:"), "{origin}");
    assert_eq!(config["restart"], done["restart"]);
    assert_eq!((&done["stored"], &done["remarks"]), (&json!(true), &json!([])));
    assert_eq!(config["origins"]["http.allowed_origins"], "signpost.toml:2");

    let wrong = json!({"encoder": {"bitrate_kbps": 5, "bitrate": 1000}});
    let wrong = problem(patch(wrong).await, 422).await;
    for words in ["from 100 to 20000", "the nearest is encoder.bitrate_kbps"] {
        assert!(wrong["detail"].as_str().unwrap().contains(words), "{wrong}");
    }
    let shut = json!({"encoder": {"bitrate_kbps": 1000}, "model": {"runtime": "/tmp/x.so"}});
    let shut = problem(patch(shut).await, 403).await;
    let detail = shut["detail"].as_str().unwrap();
    assert!(
        detail.contains("model.runtime cannot be set through the API: it names code"),
        "{shut}"
    );
    problem(patch(json!([])).await, 422).await;
    let unchanged = body(fixture.get("/api/v1/config").await).await;
    assert_eq!(unchanged, config);
    let secret = json!({"ice": {"servers": [{"urls": ["turn:t:2"], "credential": "hunter3"}]}});
    let told = problem(patch(secret).await, 422).await;
    assert!(!told.to_string().contains("hunter3"), "{told}");
}

#[tokio::test]
async fn what_owners_follow_is_in_force_after_the_answer_and_the_rest_is_named() {
    let fixture = fixture(Entry::Free);
    let json = [(CONTENT_TYPE, "application/json")];
    let wish =
        json!({"sessions": {"max_viewers": 3, "reconnect_waits_s": [7]}, "model": {"threads": 2}});
    let done = fixture.send(Method::PATCH, "/api/v1/config", &json, wish.to_string()).await;
    let done = body(done).await;
    assert_eq!(done["applied"], json!(["sessions.max_viewers", "sessions.reconnect_waits_s"]));
    assert_eq!(done["restart"], json!(["model.threads"]));
    let status = body(fixture.get("/api/v1/status").await).await;
    assert_eq!(status["reconnect_waits_s"], json!([7.0]));
    assert_eq!(status["degraded"], json!([]));
    let reload = fixture.send(Method::POST, "/api/v1/config/reload", &[], Body::empty()).await;
    let reload = body(reload).await;
    assert_eq!((&reload["applied"], &reload["restart"]), (&json!([]), &json!(["model.threads"])));
}

#[tokio::test]
async fn who_does_not_answer_in_time_is_named() {
    gstreamer::init().unwrap();
    let clock = Clock::start();
    let (camera, status, [moved, ticked]) = Camera::without_owner("door", &clock);
    let (gate, gate_status, [gate_moved, gate_ticked]) = Camera::without_owner("gate", &clock);
    let Fixture { app, recognition, .. } =
        fixture_with(Entry::Free, vec![camera, gate], clock.clone());
    let names = |at| -> Vec<String> { app.silent_at(at).iter().map(ToString::to_string).collect() };
    assert_eq!(names(clock.running_time()), [""; 0]);
    while app.sessions.ticked().is_none() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    let now = ClockTime::from_seconds(1000);
    let late = ClockTime::from_seconds(1000 - 11);
    let all = [&moved, &ticked, &gate_moved, &gate_ticked, &app.served, &app.kept];
    all.iter().for_each(|mark| mark.set_at(now));
    // Its owner ticks on the runtime's own time, long before.
    let sessions = ["sessions"];
    assert_eq!(names(now), sessions);
    for (mark, name) in [
        (&moved, "camera door"),
        (&ticked, "camera door"),
        (&gate_moved, "camera gate"),
        (&gate_ticked, "camera gate"),
    ] {
        mark.set_at(late);
        assert_eq!(names(now), [name, "sessions"]);
        mark.set_at(now);
    }
    app.served.set_at(late);
    assert_eq!(names(now), ["sessions", "the HTTP server"]);
    app.served.set_at(now);
    app.kept.set_at(late);
    assert_eq!(names(now), sessions, "it may be slow");
    app.kept.set_at(ClockTime::from_seconds(1000 - 61));
    assert_eq!(names(now), ["sessions", "the configuration"]);
    app.kept.set_at(now);
    drop(status);
    assert_eq!(names(now), ["camera door", "sessions"]);
    drop((gate_status, recognition));
    assert_eq!(names(now), ["camera door", "camera gate", "recognition", "sessions"]);
}
