//! A second real peer against the release binary: an offer becomes a picture.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod appliance;
mod changes;
mod figures;
mod inside;
mod liveview;
mod receiver;
mod stills;
mod trickle;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use appliance::{Appliance, Reply};
use gstreamer_webrtc::WebRTCPeerConnectionState;
use receiver::{PATIENCE, Peer, Seen};
use serde_json::{Value, json};

fn whep(appliance: &Appliance, sdp: &str) -> Reply {
    appliance.post("/whep", "application/sdp", sdp.as_bytes())
}

/// A peer that will be connected, and its session.
fn accepted(appliance: &Appliance) -> (Peer, String) {
    let peer = Peer::new();
    let reply = whep(appliance, &peer.offer());
    assert_eq!(reply.status, 201, "{}", reply.body);
    peer.accept(&reply.body);
    (peer, reply.header("location").unwrap().to_owned())
}

/// The same once it is.
fn connected(appliance: &Appliance) -> (Peer, String) {
    let (peer, session) = accepted(appliance);
    let up = WebRTCPeerConnectionState::Connected;
    peer.until("a connection", |seen| (seen == Seen::State(up)).then_some(()));
    (peer, session)
}

/// Waits until `reached`; fails when it never is.
fn eventually(what: &str, mut reached: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !reached() {
        assert!(Instant::now() < deadline, "{what} in time");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn is_problem(reply: &Reply, status: u16) -> Value {
    assert_eq!(reply.status, status, "{}", reply.body);
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    let problem = reply.json();
    assert_eq!(problem["status"], status);
    assert!(problem["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{problem}");
    problem
}

#[test]
fn pictures_arrive_from_a_key_unit_on_and_their_time_rises() {
    let appliance = Appliance::start(1);
    // Its state comes by another way than its pictures, and may come after the first of them.
    let (peer, _) = accepted(&appliance);
    let (mut first, mut stamps, mut decoded) = (None, Vec::new(), Vec::new());
    peer.until("60 pictures", |seen| {
        match seen {
            Seen::KeyUnit(stamp) => drop(first.get_or_insert(stamp)),
            Seen::Picture(stamp) => stamps.push(stamp),
            Seen::Decoded(luma) => decoded.push(luma),
            _ => {}
        }
        (stamps.len() >= 60 && decoded.len() >= 30).then_some(())
    });
    assert_eq!(first, Some(stamps[0]), "the first picture is a key unit");
    for pair in stamps.windows(2) {
        let ahead = pair[1].wrapping_sub(pair[0]);
        // A busy machine may leave some out, and never ten seconds of them.
        assert!((1..900_000).contains(&ahead), "{ahead} ticks");
    }
    let seconds = f64::from(stamps[stamps.len() - 1].wrapping_sub(stamps[0])) / 90e3;
    let rate = (stamps.len() - 1) as f64 / seconds;
    // The source makes 30; a busy machine's camera skips some.
    assert!((5.0..=31.0).contains(&rate), "{rate} pictures a second of RTP time");
    assert!(decoded.iter().all(|luma| *luma > 20), "not black: {decoded:?}");
}

#[test]
fn channels_greet_keep_alive_and_echo() {
    let appliance = Appliance::start(1);
    let (peer, location) = connected(&appliance);
    let commands = |text: &Seen| match text {
        Seen::Text(label, text) if label == "commands" => serde_json::from_str(text).ok(),
        _ => None,
    };
    let hello: Value = peer.until("hello", |seen| commands(&seen));
    assert_eq!(hello["type"], "hello");
    assert_eq!(format!("/whep/{}", hello["session"].as_str().unwrap()), location);
    assert_eq!(hello["keepalive_s"], 1.0);
    let ping = Seen::Binary("commands".into(), b"\0PING".to_vec());
    for _ in 0..2 {
        peer.until("a keepalive", |seen| (seen == ping).then_some(()));
        peer.commands.send_data_full(Some(&gstreamer::glib::Bytes::from(b"\0PONG"))).unwrap();
    }
    eventually("two answers counted", || appliance.status("/sessions/keepalives_answered") >= 2);
    let echo = json!({"type": "echo", "n": 17});
    peer.commands.send_string_full(Some(&echo.to_string())).unwrap();
    let back = peer.until("an echo", |seen| commands(&seen).filter(|v| v["type"] == "echo"));
    assert_eq!(back, echo);
}

#[test]
fn delete_ends_it_and_threads_and_files_come_back() {
    let appliance = Appliance::start(2);
    // The first viewer loads what later ones share.
    let (peer, location) = connected(&appliance);
    assert_eq!(appliance.delete(&location).status, 200);
    drop(peer);
    eventually("no connection", || appliance.status("/sessions/connections") == 0);
    let settled = |before: Option<(usize, usize)>| {
        let mut last = None;
        eventually("threads and files that stay", || {
            let now = appliance.threads_and_files();
            let enough = before.is_none_or(|(t, f)| now.0 <= t && now.1 <= f);
            let stays = last.replace(now) == Some(now);
            stays && enough
        });
        appliance.threads_and_files()
    };
    let before = settled(None);
    for _ in 0..3 {
        let (peer, location) = connected(&appliance);
        assert_eq!(appliance.status("/sessions/viewers"), 1);
        assert_eq!(appliance.delete(&location).status, 200);
        is_problem(&appliance.delete(&location), 404);
        drop(peer);
    }
    eventually("no connection", || appliance.status("/sessions/connections") == 0);
    settled(Some(before));
}

#[test]
fn a_peer_that_closes_frees_its_place_and_a_full_house_says_when_to_come_back() {
    let appliance = Appliance::start(1);
    let (peer, location) = connected(&appliance);
    let other = Peer::new();
    let offer = other.offer();
    let full = whep(&appliance, &offer);
    let problem = is_problem(&full, 503);
    assert_eq!(problem["title"], "server at capacity");
    assert!(full.header("retry-after").is_some_and(|after| after.parse::<u32>().is_ok()));
    // A second connection of the same session is no second viewer.
    let session = location.rsplit('/').next().unwrap();
    let body = json!({"sdp": offer, "type": "offer", "session": session}).to_string();
    let second = appliance.post("/api/v1/webrtc/offer", "application/json", body.as_bytes());
    assert_eq!(second.status, 200, "{}", second.body);
    assert_eq!(
        (second.json()["session"].as_str(), second.json()["type"].as_str()),
        (Some(session), Some("answer"))
    );
    other.accept(second.json()["sdp"].as_str().unwrap());
    let up = WebRTCPeerConnectionState::Connected;
    other.until("a connection", |seen| (seen == Seen::State(up)).then_some(()));
    assert_eq!(appliance.status("/sessions/viewers"), 1);
    drop(peer);
    drop(other);
    assert_eq!(appliance.delete(&format!("/api/v1/sessions/{session}")).status, 200);
    let (_third, _) = connected(&appliance);
}

#[test]
fn a_session_is_its_login_s_alone() {
    let mut appliance = Appliance::locked(2, "correct horse");
    let anna = appliance.log_in("correct horse");
    let (_peer, location) = connected(&appliance);
    let session = location.rsplit('/').next().unwrap().to_owned();
    appliance.log_in("correct horse");
    is_problem(&appliance.delete(&location), 404);
    is_problem(&appliance.delete(&format!("/api/v1/sessions/{session}")), 404);
    let other = Peer::new();
    let body = json!({"sdp": other.offer(), "type": "offer", "session": session}).to_string();
    let reply = appliance.post("/api/v1/webrtc/offer", "application/json", body.as_bytes());
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_ne!(reply.json()["session"].as_str(), Some(session.as_str()));
    assert_eq!(appliance.status("/sessions/viewers"), 2);
    appliance.token = Some(anna);
    assert_eq!(appliance.delete(&location).status, 200);
}

#[test]
fn who_is_no_longer_logged_in_no_longer_watches() {
    let mut appliance = Appliance::locked(3, "correct horse");
    let guest = appliance.log_in("correct horse");
    let (peer, location) = connected(&appliance);
    let host = appliance.log_in("correct horse");
    let (other, _) = connected(&appliance);
    appliance.token = Some(guest);
    assert_eq!(appliance.post("/api/v1/logout", "application/json", b"").status, 200);
    is_problem(&appliance.delete(&location), 401);
    appliance.token = Some(host);
    eventually("one viewer", || appliance.status("/sessions/viewers") == 1);
    appliance.change_password("another horse");
    eventually("the host's login ended", || appliance.delete("/whep/0").status == 401);
    appliance.log_in("another horse");
    eventually("no viewer", || appliance.status("/sessions/viewers") == 0);
    drop((peer, other));
}

#[test]
fn predictions_name_pictures_that_arrive() {
    let appliance = Appliance::start(1);
    if appliance.recognition() != "running" {
        println!("skipped: recognition does not run here (no LiteRT library or model)");
        return;
    }
    let (peer, _) = connected(&appliance);
    let (mut pictures, mut named) = (HashSet::new(), HashSet::new());
    peer.until("ten predictions on pictures", |seen| {
        match seen {
            Seen::Picture(stamp) => drop(pictures.insert(stamp)),
            Seen::Text(label, text) if label == "predictions" => {
                let message: Value = serde_json::from_str(&text).unwrap();
                assert_eq!((&message["v"], &message["type"]), (&json!(1), &json!("prediction")));
                named.insert(message["rtp_timestamp"].as_u64().unwrap() as u32);
            }
            _ => {}
        }
        (pictures.intersection(&named).count() >= 10).then_some(())
    });
}

#[test]
fn every_bad_offer_is_told_what_is_wrong_and_the_program_goes_on() {
    let appliance = Appliance::start(1);
    let peer = Peer::new();
    let good = peer.offer();
    let video = good.find("m=video").unwrap();
    let application = good.find("m=application").unwrap();
    let without_video = format!("{}{}", &good[..video], &good[application..]);
    let sdp = "application/sdp";
    let data = |from: &str, to: &str| {
        format!("{}{}", &good[..application], good[application..].replace(from, to)).into_bytes()
    };
    assert!(application > video, "the video section comes first");
    let fingerprint = good.lines().find(|line| line.starts_with("a=fingerprint:")).unwrap();
    let ufrag = good.lines().find(|line| line.starts_with("a=ice-ufrag:")).unwrap();
    let table: [(&str, Vec<u8>, u16); 17] = [
        (sdp, Vec::new(), 400),
        (sdp, format!("{good}{}", "a=x\r\n".repeat(200_000)).into_bytes(), 413),
        (sdp, without_video.into_bytes(), 400),
        (sdp, good.replace("H264", "VP9").into_bytes(), 406),
        (sdp, (0..=255_u8).cycle().take(5000).map(|n| n.wrapping_mul(167)).collect(), 400),
        (sdp, good.replace("a=ice-pwd", "a=x").into_bytes(), 400),
        (sdp, good.replace("a=recvonly", "a=sendonly").into_bytes(), 400),
        ("application/json", good.clone().into_bytes(), 415),
        (sdp, data("a=fingerprint", "a=x"), 400),
        (sdp, data("a=mid", "a=x"), 400),
        (sdp, data("a=sctp-port", "a=x"), 400),
        (sdp, data("UDP/DTLS/SCTP", "RTP/AVP"), 400),
        (sdp, good.replace("a=setup:actpass", "a=setup:holdconn").into_bytes(), 400),
        (sdp, good.replace(fingerprint, "a=fingerprint:garbage").into_bytes(), 400),
        (sdp, good.replace(ufrag, "a=ice-ufrag: ").into_bytes(), 400),
        (sdp, good.replace(" 97", " 0").replace(":97 ", ":0 ").into_bytes(), 406),
        // Our checks do not compare the sections' certificates; webrtcbin does.
        (sdp, data("a=fingerprint:sha-256 ", "a=fingerprint:sha-256 00:"), 400),
    ];
    for (kind, body, status) in table {
        is_problem(&appliance.post("/whep", kind, &body), status);
    }
    let json = |body: Value| {
        let body = body.to_string();
        appliance.post("/api/v1/webrtc/offer", "application/json", body.as_bytes())
    };
    is_problem(&json(json!({"sdp": "", "type": "offer"})), 400);
    is_problem(&json(json!({"sdp": good, "type": "offer", "camera": "cellar"})), 404);
    is_problem(&json(json!({"sdp": "a=x\r\n".repeat(200_000), "type": "offer"})), 413);
    is_problem(&json(json!({"sdp": good, "type": "answer"})), 422);
    is_problem(&appliance.post("/api/v1/webrtc/offer", "application/json", b"{"), 400);
    is_problem(&appliance.delete("/whep/0"), 404);
    // A key is of no use to us and no reason to refuse.
    let keyed = whep(&appliance, &good.replace("t=0 0\r\n", "t=0 0\r\nk=prompt\r\n"));
    assert_eq!(keyed.status, 201, "{}", keyed.body);
    assert_eq!(appliance.delete(keyed.header("location").unwrap()).status, 200);
    assert_eq!(appliance.options("/whep").header("accept-post"), Some(sdp));
    peer.accept(&whep(&appliance, &good).body);
    peer.until("a picture", |seen| matches!(seen, Seen::Picture(_)).then_some(()));
}

#[test]
fn offers_with_audio_a_thousand_candidates_or_none_still_show_a_picture() {
    let appliance = Appliance::start(1);
    // Ports of this machine on which nobody answers.
    let crowd = |good: &str| -> String {
        let own = good.lines().find_map(|line| line.strip_prefix("a=candidate:")).unwrap();
        let address = own.split(' ').nth(4).unwrap();
        let line = |n| format!("a=candidate:{n} 1 udp 1 {address} {} typ host\r\n", 20_000 + n);
        (0..1000).map(line).collect()
    };
    let audio =
        "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=mid:sound\r\na=sendrecv\r\n";
    let plain = |text: &str| -> String {
        let lines = text.split_inclusive("\r\n");
        lines.filter(|line| !line.starts_with("a=candidate:")).collect()
    };
    type Edit<'a> = (&'a str, &'a dyn Fn(&str) -> String);
    let edits: [Edit; 3] = [
        ("none", &plain),
        ("a thousand", &|good| {
            plain(good).replacen("a=mid:", &format!("{}a=mid:", crowd(good)), 1)
        }),
        ("audio", &|good| {
            format!("{good}{audio}").replace("a=group:BUNDLE", "a=group:BUNDLE sound")
        }),
    ];
    for (name, edit) in edits {
        let peer = Peer::new();
        let offer = edit(&peer.offer());
        assert!(offer.len() < 64 * 1024);
        let reply = whep(&appliance, &offer);
        assert_eq!(reply.status, 201, "{name}: {}", reply.body);
        let answer = match reply.body.split_once("m=audio") {
            Some((before, rejected)) => {
                assert!(rejected.starts_with(" 0 "), "{rejected}");
                before.to_owned()
            }
            None => reply.body.clone(),
        };
        assert_eq!(answer != reply.body, name == "audio");
        peer.accept(&answer);
        peer.until(name, |seen| matches!(seen, Seen::Picture(_)).then_some(()));
        assert_eq!(appliance.delete(reply.header("location").unwrap()).status, 200);
    }
}
