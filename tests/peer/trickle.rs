//! Candidates that come after the offer, against the release binary.

use gstreamer_webrtc::WebRTCPeerConnectionState;
use serde_json::json;

use crate::appliance::{Appliance, Reply};
use crate::receiver::{Peer, Seen};
use crate::{eventually, is_problem, whep};

const KIND: &str = "application/trickle-ice-sdpfrag";

/// A peer whose offer had no candidates, its candidates' lines, and the answer.
fn without_candidates(appliance: &Appliance) -> (Peer, Vec<String>, Reply) {
    let peer = Peer::new();
    let offer = peer.offer();
    let is_candidate = |line: &&str| line.starts_with("a=candidate:");
    let candidates = offer.lines().filter(is_candidate).map(str::to_owned).collect();
    let plain: Vec<&str> = offer.lines().filter(|line| !is_candidate(line)).collect();
    let reply = whep(appliance, &(plain.join("\r\n") + "\r\n"));
    assert_eq!(reply.status, 201, "{}", reply.body);
    (peer, candidates, reply)
}

/// The peer's end of the path is one that it told, not one that its packets came from.
fn connects_to_what_was_told(appliance: &Appliance, peer: &Peer, answer: &str) {
    peer.accept(answer);
    let up = WebRTCPeerConnectionState::Connected;
    peer.until("a connection", |seen| (seen == Seen::State(up)).then_some(()));
    eventually("a path to the candidate that was told", || {
        appliance.value("/sessions/sessions").to_string().contains("\"remote\":\"host\"")
    });
}

#[test]
fn candidates_of_a_whep_player_are_tried() {
    let appliance = Appliance::start(2);
    let (peer, candidates, reply) = without_candidates(&appliance);
    let (location, tag) = (reply.header("location").unwrap(), reply.header("etag"));
    let fragment = format!("{}\r\na=end-of-candidates\r\n", candidates.join("\r\n"));
    let send = |kind, tag, body: &str| appliance.patch(location, kind, tag, body);
    let taken = send(KIND, tag, &fragment);
    assert_eq!((taken.status, taken.body.as_str()), (204, ""), "{taken:?}");
    is_problem(&send("application/sdp", tag, &fragment), 415);
    is_problem(&send(KIND, None, &fragment), 428);
    is_problem(&send(KIND, Some("\"another\""), &fragment), 412);
    let weak = format!("W/{}", tag.unwrap());
    is_problem(&send(KIND, Some(&weak), &fragment), 412);
    is_problem(&send(KIND, tag, &fragment.repeat(1000)), 413);
    is_problem(&send(KIND, tag, "hello"), 400);
    is_problem(&send(KIND, tag, ""), 400);
    let restart = is_problem(&send(KIND, tag, "a=ice-ufrag:other\r\na=ice-pwd:other\r\n"), 422);
    assert!(restart["hint"].as_str().unwrap().contains("DELETE"), "{restart}");
    is_problem(&send(KIND, Some("*"), &fragment), 422);
    is_problem(&appliance.patch("/whep/0", KIND, tag, &fragment), 404);
    connects_to_what_was_told(&appliance, &peer, &reply.body);
    assert_eq!(appliance.delete(location).status, 200);
    is_problem(&send(KIND, tag, &fragment), 404);
}

#[test]
fn candidates_of_a_page_are_tried() {
    let mut appliance = Appliance::locked(2, "correct horse");
    appliance.log_in("correct horse");
    let (peer, candidates, reply) = without_candidates(&appliance);
    let connection = reply.header("etag").unwrap().trim_matches('"').to_owned();
    let send = |appliance: &Appliance, candidate: &str| {
        let body = json!({"connection": connection, "candidate": candidate, "sdpMid": "0",
            "sdpMLineIndex": 0, "usernameFragment": null});
        let body = body.to_string();
        appliance.post("/api/v1/webrtc/candidate", "application/json", body.as_bytes())
    };
    let first = appliance.token.clone();
    appliance.log_in("correct horse");
    is_problem(&send(&appliance, &candidates[0][2..]), 404);
    appliance.token = first;
    for candidate in &candidates {
        assert_eq!(send(&appliance, &candidate[2..]).status, 204, "{candidate}");
    }
    assert_eq!(send(&appliance, "").status, 204);
    is_problem(&send(&appliance, "hello"), 400);
    connects_to_what_was_told(&appliance, &peer, &reply.body);
}
