//! A device that has no password yet.

use super::secure::secured_at;
use super::*;
use crate::http::access::accounts::Role;
use crate::http::access::setup;

async fn new_device() -> (Fixture, String) {
    let mut fixture = secured_at(tempfile::tempdir().unwrap(), Entry::Password, "redirect").await;
    fixture.scheme = Scheme::Https;
    let code = fixture.app.access.setup_code().await.unwrap().to_string();
    (fixture, code)
}

impl Fixture {
    async fn set_up(&self, body: Value) -> Response<Body> {
        let json = [(CONTENT_TYPE, "application/json")];
        self.send(Method::POST, "/api/v1/setup", &json, body.to_string()).await
    }
}

#[tokio::test]
async fn a_new_device_shows_its_setup_and_nothing_else() {
    let (mut fixture, _) = new_device().await;
    for path in ["/", "/login"] {
        let response = fixture.get(path).await;
        assert_eq!(response.status(), 303, "{path}");
        assert_eq!(response.headers()[LOCATION], "/setup");
    }
    assert!(text(fixture.get("/setup").await).await.contains("setup.js"));
    let token = fixture.app.access.add_token("wall".parse().unwrap(), Role::Viewer).await.unwrap();
    for path in ["/api/v1/snapshot.jpg", "/api/v1/stream.mjpeg", "/api/v1/status", "/metrics"] {
        let told = problem(fixture.get(path).await, 401).await;
        assert_eq!(told["title"], "no password is set", "{path}");
        let shown = fixture.ask(token.text(), Method::GET, path, &json!({})).await;
        problem(shown, 401).await;
    }
    let offer = fixture.send(Method::POST, "/whep", &[(CONTENT_TYPE, "application/sdp")], "").await;
    problem(offer, 401).await;
    // What is typed there is not for everybody on the network.
    fixture.scheme = Scheme::Http;
    let response = fixture.get("/setup").await;
    assert_eq!(response.status(), 307);
    assert_eq!(response.headers()[LOCATION], "https://127.0.0.1:8443/setup");
    problem(fixture.set_up(json!({"code": "", "password": ""})).await, 403).await;
}

#[tokio::test]
async fn a_set_up_is_never_plain_even_where_watching_is() {
    let state = tempfile::tempdir().unwrap();
    let fixture = secured_at(state, Entry::Password, "view").await;
    let response = fixture.get("/setup").await;
    assert_eq!(response.headers()[LOCATION], "https://127.0.0.1:8443/setup");
    let code = fixture.app.access.setup_code().await.unwrap().to_string();
    let right = json!({"code": code, "password": "quiet-river-7431"});
    assert_eq!(problem(fixture.set_up(right).await, 403).await["title"], "HTTPS only");
    assert!(fixture.app.access.lacks_password());
}

#[tokio::test]
async fn the_code_sets_the_first_password_once() {
    let (fixture, code) = new_device().await;
    let file = setup::file(fixture._state.path());
    assert!(file.exists());
    let wrong = json!({"code": "0000-0000", "password": "quiet-river-7431"});
    problem(fixture.set_up(wrong).await, 401).await;
    let weak = json!({"code": code, "password": "password"});
    let told = problem(fixture.set_up(weak).await, 422).await;
    assert!(told["detail"].as_str().unwrap().contains("too common"), "{told}");
    let named = json!({"code": code, "password": "quiet-river-7431", "name": "-"});
    problem(fixture.set_up(named).await, 422).await;
    assert!(file.exists(), "nothing was changed");
    let right = json!({"code": code.to_lowercase(), "password": "quiet-river-7431"});
    let answer = fixture.set_up(right.clone()).await;
    assert_eq!(answer.status(), 200);
    let cookie = answer.headers()[SET_COOKIE].to_str().unwrap().to_owned();
    assert!(cookie.starts_with("__Host-"), "{cookie}");
    let answer = body(answer).await;
    assert_eq!(answer["status"], "success");
    assert!(!file.exists(), "the code dies with the set-up");
    let token = answer["token"].as_str().unwrap();
    assert_eq!(fixture.ask(token, Method::GET, "/", &json!({})).await.status(), 200);
    problem(fixture.set_up(right).await, 409).await;
    assert_eq!(fixture.get("/setup").await.headers()[LOCATION], "/login");
    assert_eq!(fixture.log_in("quiet-river-7431").await.status(), 200);
}

#[tokio::test]
async fn wrong_codes_have_to_wait_and_so_does_the_right_one() {
    let (fixture, code) = new_device().await;
    for _ in 0..5 {
        let wrong = json!({"code": "0000-0000", "password": "quiet-river-7431"});
        problem(fixture.set_up(wrong).await, 401).await;
    }
    let right = json!({"code": code, "password": "quiet-river-7431"});
    let late = fixture.set_up(right).await;
    assert!(late.headers().contains_key(RETRY_AFTER));
    problem(late, 429).await;
}
