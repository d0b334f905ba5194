//! The device's facts and warnings; figures of the last ten minutes.

use super::*;
use crate::device::facts::{Facts, Temperature};
use crate::device::warnings::warnings;

#[tokio::test]
async fn a_device_that_is_too_hot_says_so_in_the_status_and_with_its_facts() {
    let fixture = fixture(Entry::Free);
    let calm = body(fixture.get("/api/v1/status").await).await;
    assert_eq!(calm["degraded"].as_array().unwrap().len(), 0, "{calm}");
    let temperatures = vec![Temperature { name: "cpu-thermal".into(), celsius: 82.4 }];
    let facts = Facts { temperatures, ..Facts::default() };
    let warnings = warnings(&facts, &[]);
    fixture.known.send_replace(Known { facts, warnings });
    let status = body(fixture.get("/api/v1/status").await).await;
    let told = status["degraded"][0].as_str().unwrap();
    assert!(told.starts_with("device: too hot, 82 °C: give it air"), "{told}");
    let device = body(fixture.get("/api/v1/device").await).await;
    assert_eq!(device["mdns_name"], "door.local");
    assert_eq!(device["temperatures"][0]["celsius"], 82.4);
    assert_eq!(device["warnings"][0]["kind"], "hot");
    assert!(device["power"].is_null() && device["memory"].is_null(), "{device}");
    let clock = &device["clock"];
    assert!(clock["now_s"].as_f64().unwrap() > 1.7e9, "{clock}");
    assert!(clock["zone"].is_string() || clock["missing"].is_string(), "{clock}");
}

#[tokio::test]
async fn a_wrong_time_or_zone_is_refused_before_anybody_is_asked() {
    let fixture = fixture(Entry::Free);
    let put = async |wish: Value| {
        let headers = [(CONTENT_TYPE, "application/json")];
        fixture.send(Method::PUT, "/api/v1/device/time", &headers, wish.to_string()).await
    };
    for wrong in [json!({"zone": "../x"}), json!({"ntp": false, "now_s": 1})] {
        problem(put(wrong).await, 422).await;
    }
    problem(put(json!({"ntp": true, "now_s": 4_000_000_000_u64})).await, 409).await;
    problem(put(json!({"zone": 1})).await, 422).await;
}

#[tokio::test]
async fn figures_are_asked_for_by_number_and_sessions_are_listed_without_what_opens_them() {
    let fixture = fixture(Entry::Free);
    let told = body(fixture.get("/api/v1/history").await).await;
    assert_eq!(
        (&told["first"], &told["next"], &told["sample_s"]),
        (&json!(0), &json!(0), &json!(2))
    );
    assert!(told["newest_s"].is_null() && told["connections"].as_array().unwrap().is_empty());
    assert_eq!(body(fixture.get("/api/v1/history?from=4294967295").await).await, told);
    for wrong in ["from=-1", "from=x", "form=1", "from=4294967296"] {
        problem(fixture.get(&format!("/api/v1/history?{wrong}")).await, 400).await;
    }
    let told = body(fixture.get("/api/v1/sessions").await).await;
    assert_eq!(told, json!({"sessions": [], "ended": []}));
}

#[tokio::test]
async fn what_was_left_on_the_boot_partition_is_in_the_status() {
    gstreamer::init().unwrap();
    let state = state_for(Entry::Free);
    let told = "set-up data /boot/signpost/token: a token has at least 32 characters".to_owned();
    crate::device::provisioned::keep(state.path(), std::slice::from_ref(&told)).unwrap();
    let fixture = fixture_at(state, Entry::Free, Vec::new(), Clock::start(), "", None);
    let status = body(fixture.get("/api/v1/status").await).await;
    assert_eq!(status["degraded"], json!([told]));
}

#[tokio::test]
async fn a_camera_that_is_no_device_says_why_it_has_no_controls() {
    gstreamer::init().unwrap();
    let clock = Clock::start();
    let (camera, _status, _) = Camera::without_owner("door", &clock);
    let fixture = fixture_with(Entry::Free, vec![camera], clock);
    let told = body(fixture.get("/api/v1/cameras").await).await;
    let expected = json!({"cameras": [{"name": "door", "source": null, "modes": [],
        "controls": [], "why": "no camera with controls is there now"}]});
    assert_eq!(told, expected);
    // Nobody knows yet what the camera takes that will be there.
    let json = [(CONTENT_TYPE, "application/json")];
    let wish = json!({"camera": [{"controls": {"brightness": 10}, "flip": "vertical"}]});
    let done = fixture.send(Method::PATCH, "/api/v1/config", &json, wish.to_string()).await;
    let done = body(done).await;
    assert_eq!(done["applied"], json!(["camera.flip", "camera.controls"]));
    assert_eq!((&done["restart"], &done["stored"]), (&json!([]), &json!(true)));
    let wrong = json!({"camera": [{"controls": {"Brightness": 10}}]});
    problem(fixture.send(Method::PATCH, "/api/v1/config", &json, wrong.to_string()).await, 422)
        .await;
}
