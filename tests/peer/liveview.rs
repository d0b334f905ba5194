//! Capture is stopped and started on request.

use serde_json::json;

use crate::appliance::{Appliance, Reply};
use crate::receiver::{Peer, Seen};
use crate::{eventually, is_problem, whep};

fn ask(appliance: &Appliance, what: &str, protocol: &str, camera: Option<&str>) -> Reply {
    let body = json!({"protocol": protocol, "camera": camera}).to_string();
    appliance.post(&format!("/api/v1/liveview/{what}"), "application/json", body.as_bytes())
}

#[test]
fn a_stopped_camera_takes_no_viewer_until_it_is_started() {
    let appliance = Appliance::start(1);
    let is = |state: &str| appliance.value("/cameras/0/state") == state;
    eventually("a camera", || is("live"));
    let stopped = ask(&appliance, "stop", "webrtc", None);
    assert_eq!(stopped.status, 200, "{}", stopped.body);
    assert_eq!(
        stopped.json(),
        json!({"status": "success", "camera": "camera", "state": "stopped"})
    );
    eventually("a stopped camera", || is("stopped"));
    let peer = Peer::new();
    let offer = peer.offer();
    let refused = whep(&appliance, &offer);
    let problem = is_problem(&refused, 409);
    assert!(problem["hint"].as_str().unwrap().contains("/api/v1/liveview/start"), "{problem}");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(appliance.status("/sessions/connections"), 0);
    is_problem(&ask(&appliance, "start", "rtmp", None), 422);
    is_problem(&ask(&appliance, "start", "webrtc", Some("cellar")), 404);
    let started = ask(&appliance, "start", "webrtc", Some("camera"));
    assert_eq!(started.json()["state"], "starting", "{}", started.body);
    eventually("a live camera", || is("live"));
    peer.accept(&whep(&appliance, &offer).body);
    peer.until("a picture", |seen| matches!(seen, Seen::Picture(_)).then_some(()));
}
