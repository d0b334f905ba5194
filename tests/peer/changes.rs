//! Bit rate, size and frame rate are changed while a viewer looks.

use serde_json::{Value, json};

use crate::appliance::{Appliance, Reply};
use crate::receiver::{Peer, Seen};
use crate::{connected, eventually, is_problem};

fn change(appliance: &Appliance, wish: &Value) -> Reply {
    appliance.patch("/api/v1/config", "application/json", None, &wish.to_string())
}

/// Bit/s of RTP time over the next `count` pictures.
fn bitrate(peer: &Peer, count: usize) -> f64 {
    let (mut bytes, mut stamps) = (0, Vec::new());
    peer.until("pictures", |seen| {
        match seen {
            Seen::Packet(size) => bytes += size,
            Seen::Picture(stamp) => stamps.push(stamp),
            _ => {}
        }
        (stamps.len() > count).then_some(())
    });
    let ticks = stamps[count].wrapping_sub(stamps[0]);
    8.0 * bytes as f64 / (f64::from(ticks) / 90e3)
}

/// Waits until pictures of this size are decoded, and the page is told so.
fn shows(peer: &Peer, picture: &Value) {
    let expected = [&picture["width"], &picture["height"]].map(|pixels| pixels.as_u64().unwrap());
    let (mut decoded, mut told) = (false, false);
    peer.until("the picture and the message", |seen| {
        match seen {
            Seen::Size(width, height) => {
                decoded = expected == [u64::from(width), u64::from(height)];
            }
            Seen::Text(label, text) if label == "commands" => {
                let message: Value = serde_json::from_str(&text).unwrap();
                let is = |key: &str| message[key] == picture[key];
                if message["type"] == "renditions" {
                    told = ["current", "width", "height", "framerate"].into_iter().all(is);
                }
            }
            _ => {}
        }
        (decoded && told).then_some(())
    });
}

#[test]
fn a_lower_bit_rate_is_sent_on_the_same_connection() {
    let appliance = Appliance::start(1);
    let (peer, _) = connected(&appliance);
    let aims = || appliance.value("/cameras/0/renditions/full/bitrate_kbps");
    bitrate(&peer, 30);
    eventually("the encoder aims at what is configured", || aims() == 2500);
    let before = bitrate(&peer, 60);
    let wish = json!({"encoder": {"bitrate_kbps": 400}});
    let done = change(&appliance, &wish);
    assert_eq!(done.status, 200, "{}", done.body);
    assert_eq!(done.json()["applied"], json!(["encoder.bitrate_kbps"]));
    eventually("the encoder aims lower", || aims().as_u64().is_some_and(|kbps| kbps <= 400));
    // What was encoded before, and the rate control's way down.
    bitrate(&peer, 30);
    let after = bitrate(&peer, 60);
    assert!(2.0 * after < before, "{after} bit/s after {before}");
    let back = json!({"encoder": {"bitrate_kbps": 2500}});
    assert_eq!(change(&appliance, &back).status, 200);
    eventually("the encoder aims higher", || aims().as_u64() > Some(400));
    assert_eq!(appliance.status("/sessions/answered"), 1);
    assert_eq!(appliance.status("/sessions/connections"), 1);
}

#[test]
fn another_size_and_rate_are_shown_on_the_same_connection() {
    let appliance = Appliance::start(1);
    let (peer, _) = connected(&appliance);
    let picture = |width, height, framerate| json!({"current": "full", "width": width, "height": height, "framerate": framerate});
    shows(&peer, &picture(1280, 720, 30.0));
    let wish = json!({"camera": [{"width": 640, "framerate": 15}]});
    let done = change(&appliance, &wish);
    assert_eq!(done.status, 200, "{}", done.body);
    assert_eq!(done.json()["restart"], json!(["camera.width", "camera.framerate"]));
    shows(&peer, &picture(640, 360, 15.0));
    let shown = "/cameras/0/renditions/full";
    assert_eq!(appliance.value(&format!("{shown}/height")), 360);
    assert_eq!(appliance.value(&format!("{shown}/viewers")), 1);
    assert_eq!(appliance.value("/cameras/0/width"), 1280, "what is captured stays");
    let back = json!({"camera": [{"width": 1280, "framerate": 30}]});
    assert_eq!(change(&appliance, &back).json()["restart"], json!([]));
    shows(&peer, &picture(1280, 720, 30.0));
    assert_eq!(appliance.status("/sessions/answered"), 1);
}

#[test]
fn a_bad_value_is_refused_in_words_and_the_viewer_goes_on() {
    let appliance = Appliance::start(1);
    let (peer, _) = connected(&appliance);
    let before = appliance.get("/api/v1/config").json();
    let wrong = json!({"encoder": {"bitrate_kbps": 1, "bitrate": 1}, "camera": [{"width": 801}]});
    let told = is_problem(&change(&appliance, &wrong), 422);
    for words in
        ["from 100 to 20000", "the nearest is encoder.bitrate_kbps", "an even number from 160"]
    {
        assert!(told["detail"].as_str().unwrap().contains(words), "{told}");
    }
    let shut = json!({"encoder": {"bitrate_kbps": 1000}, "camera": [{"source": "file:/x.mp4"}]});
    let told = is_problem(&change(&appliance, &shut), 403);
    assert!(told["detail"].as_str().unwrap().contains("camera.source cannot be set"), "{told}");
    assert_eq!(appliance.get("/api/v1/config").json(), before);
    let broken = appliance.patch("/api/v1/config", "application/json", None, "{");
    is_problem(&broken, 400);
    peer.until("a picture", |seen| matches!(seen, Seen::Picture(_)).then_some(()));
}
