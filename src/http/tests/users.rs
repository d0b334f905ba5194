//! What each role reaches; users, tokens and logins.

use super::*;
use crate::http::access::accounts::Role;

/// Every documented route with every role, and with none.
#[tokio::test]
async fn no_route_is_reached_without_its_role() {
    let fixture = fixture(Entry::Password);
    let mut tokens = vec![(None, String::new())];
    for role in [Role::Viewer, Role::Operator, Role::Administrator] {
        let name = role.to_string().parse().unwrap();
        let token = fixture.app.access.add_token(name, role).await.unwrap();
        tokens.push((Some(role), format!("Bearer {}", token.text())));
    }
    let document = serde_json::to_value(router::routes().into_openapi()).unwrap();
    let mut refused = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let need = roles::need(&method, Some(path));
            let concrete = path.replace("{id}", "0").replace("{name}", "0");
            for (role, shown) in &tokens {
                let shown = role.map(|_| (AUTHORIZATION, shown.as_str()));
                let sent = fixture.send(method.clone(), &concrete, shown.as_slice(), Body::empty());
                let response = sent.await;
                let status = response.status();
                let told = text(response).await;
                let kept_out =
                    told.contains("\"not allowed\"") || told.contains("\"not logged in\"");
                let led_away = status == StatusCode::SEE_OTHER
                    && need != roles::Need::Nothing
                    && pages::is_page(path);
                let enough = match need {
                    roles::Need::Nothing => true,
                    roles::Need::Role(need) => role.is_some_and(|role| role >= need),
                };
                assert_eq!(enough, !(kept_out || led_away), "{method} {path} as {role:?}: {told}");
                if kept_out {
                    assert_eq!(status, if role.is_some() { 403 } else { 401 }, "{method} {path}");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 50, "{refused} refusals");
}

#[tokio::test]
async fn users_and_tokens_are_made_changed_and_revoked() {
    let fixture = fixture(Entry::Password);
    let granted = body(fixture.log_in(PASSWORD).await).await;
    assert_eq!(granted["role"], "administrator");
    let admin = granted["token"].as_str().unwrap();
    let new = json!({"name": "hall", "role": "viewer", "password": "quiet-river-7431"});
    let made = fixture.ask(admin, Method::POST, "/api/v1/users", &new).await;
    assert_eq!(made.status(), 201);
    problem(fixture.ask(admin, Method::POST, "/api/v1/users", &new).await, 409).await;
    let weak = json!({"name": "door", "role": "viewer", "password": "password"});
    let told = problem(fixture.ask(admin, Method::POST, "/api/v1/users", &weak).await, 422).await;
    assert!(told["detail"].as_str().unwrap().contains("too common"), "{told}");
    // Phones begin with a capital.
    let hall = body(fixture.log_in_as("Hall", "quiet-river-7431").await).await;
    assert_eq!(hall["role"], "viewer");
    let hall = hall["token"].as_str().unwrap();
    problem(fixture.log_in_as("hall", PASSWORD).await, 401).await;
    problem(fixture.log_in_as("nobody", PASSWORD).await, 401).await;
    let me = body(fixture.ask(hall, Method::GET, "/api/v1/me", &json!({})).await).await;
    assert_eq!(me, json!({"user": "hall", "role": "viewer"}));
    problem(fixture.ask(hall, Method::GET, "/api/v1/users", &json!({})).await, 403).await;

    let operator = json!({"role": "operator"});
    let changed = fixture.ask(admin, Method::PATCH, "/api/v1/users/hall", &operator).await;
    assert_eq!(changed.status(), 204);
    assert_eq!(fixture.ask(hall, Method::GET, "/api/v1/config", &json!({})).await.status(), 200);
    problem(fixture.ask(admin, Method::PATCH, "/api/v1/users/admin", &operator).await, 409).await;

    let own = json!({"present": "wrong horse", "new": "low-cloud-2958"});
    problem(fixture.ask(hall, Method::PUT, "/api/v1/me/password", &own).await, 401).await;
    let own = json!({"present": "quiet-river-7431", "new": "low-cloud-2958"});
    let other = body(fixture.log_in_as("hall", "quiet-river-7431").await).await;
    let other = other["token"].as_str().unwrap();
    assert_eq!(fixture.ask(hall, Method::PUT, "/api/v1/me/password", &own).await.status(), 204);
    problem(fixture.ask(other, Method::GET, "/api/v1/me", &json!({})).await, 401).await;
    assert_eq!(fixture.ask(hall, Method::GET, "/api/v1/me", &json!({})).await.status(), 200);
    problem(fixture.log_in_as("hall", "quiet-river-7431").await, 401).await;

    let wall = json!({"name": "wall", "role": "viewer"});
    let wall = body(fixture.ask(admin, Method::POST, "/api/v1/tokens", &wall).await).await;
    let wall = wall["token"].as_str().unwrap();
    assert_eq!(fixture.ask(wall, Method::GET, "/api/v1/status", &json!({})).await.status(), 200);
    problem(fixture.ask(wall, Method::PUT, "/api/v1/me/password", &own).await, 409).await;
    let listed = body(fixture.ask(admin, Method::GET, "/api/v1/tokens", &json!({})).await).await;
    assert!(listed["tokens"][0]["made"].as_u64().is_some() && !listed.to_string().contains(wall));
    let revoked = fixture.ask(admin, Method::DELETE, "/api/v1/tokens/wall", &json!({})).await;
    assert_eq!(revoked.status(), 204);
    problem(fixture.ask(wall, Method::GET, "/api/v1/status", &json!({})).await, 401).await;
    problem(fixture.ask(admin, Method::DELETE, "/api/v1/tokens/wall", &json!({})).await, 404).await;

    let logins = body(fixture.ask(admin, Method::GET, "/api/v1/logins", &json!({})).await).await;
    let logins = logins["logins"].as_array().unwrap();
    let of_hall = logins.iter().find(|login| login["user"] == "hall").unwrap();
    assert_eq!(of_hall["own"], false);
    let id = of_hall["id"].as_str().unwrap();
    let path = format!("/api/v1/logins/{id}");
    assert_eq!(fixture.ask(admin, Method::DELETE, &path, &json!({})).await.status(), 204);
    problem(fixture.ask(hall, Method::GET, "/api/v1/me", &json!({})).await, 401).await;
    problem(fixture.ask(admin, Method::DELETE, &path, &json!({})).await, 404).await;

    let again = body(fixture.log_in_as("hall", "low-cloud-2958").await).await;
    let again = again["token"].as_str().unwrap();
    let removed = fixture.ask(admin, Method::DELETE, "/api/v1/users/hall", &json!({})).await;
    assert_eq!(removed.status(), 204);
    problem(fixture.ask(again, Method::GET, "/api/v1/me", &json!({})).await, 401).await;
    problem(fixture.ask(admin, Method::DELETE, "/api/v1/users/hall", &json!({})).await, 404).await;
    problem(fixture.ask(admin, Method::DELETE, "/api/v1/users/admin", &json!({})).await, 409).await;
}
