//! Who may change what.

use super::*;
use crate::http::access::accounts::Role;

#[tokio::test]
async fn network_settings_are_for_administrators_and_their_credentials_are_never_shown() {
    let fixture = fixture(Entry::Password);
    let mut tokens = Vec::new();
    for role in [Role::Operator, Role::Administrator] {
        let token = fixture.app.access.add_token(role.to_string().parse().unwrap(), role).await;
        tokens.push(token.unwrap().text().to_owned());
    }
    let [operator, admin] = &tokens[..] else { panic!("two tokens") };
    let path = "/api/v1/config";
    let turn = |credential: &str| json!({"urls": ["turn:10.0.0.9:3478"], "username": "u", "credential": credential});
    let wish = json!({"ice": {"servers": [turn("hunter3")]}, "encoder": {"bitrate_kbps": 900}});
    let told = problem(fixture.ask(operator, Method::PATCH, path, &wish).await, 403).await;
    assert_eq!(told["title"], "administrators only");
    assert!(told["detail"].as_str().unwrap().contains("ice.servers is for administrators"));
    let done = body(fixture.ask(admin, Method::PATCH, path, &wish).await).await;
    assert_eq!(done["applied"], json!(["encoder.bitrate_kbps", "ice.servers"]));
    assert_eq!(done["values"]["ice"]["servers"], json!([turn("***")]));
    let again = json!({"ice": {"servers": ["stun:10.0.0.9", turn("***")]}});
    let done = fixture.ask(admin, Method::PATCH, path, &again).await;
    let shown = text(done).await;
    assert!(!shown.contains("hunter3"), "{shown}");
    let servers = fixture.ask(operator, Method::GET, "/api/v1/ice-servers", &json!({})).await;
    assert_eq!(body(servers).await["iceServers"][1]["credential"], "hunter3");
    let loopback = json!({"ice": {"servers": ["stun:127.0.0.1:22"]}});
    let told = problem(fixture.ask(admin, Method::PATCH, path, &loopback).await, 422).await;
    assert!(told["detail"].as_str().unwrap().contains("ice.allowed_servers"), "{told}");
}
