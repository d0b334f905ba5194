//! Time from an offer to its answer over HTTP, with a real peer's offer.
//! `cargo bench --bench answer`

#![allow(clippy::unwrap_used, reason = "a figure without its parts is no figure")]
#![allow(dead_code, reason = "the tests use more of the peer and the appliance than this")]

#[path = "../peer/appliance.rs"]
mod appliance;
#[path = "../peer/receiver.rs"]
mod receiver;

use std::time::Instant;

use appliance::Appliance;
use receiver::{Peer, Seen};

/// Offers that are timed.
const OFFERS: usize = 40;

/// Goal: milliseconds, once warm.
const GOAL_MS: f64 = 50.0;

fn main() {
    let appliance = Appliance::start(2);
    // Only what the first viewer shares with the later ones is loaded before.
    appliance.recognition();
    let first = answer_ms(&appliance);
    let mut warm: Vec<f64> = (0..OFFERS).map(|_| answer_ms(&appliance)).collect();
    warm.sort_by(f64::total_cmp);
    let at = |share: f64| warm[((warm.len() - 1) as f64 * share).round() as usize];
    let picture = picture_ms(&appliance);
    // Exiting does not drop it.
    drop(appliance);
    println!("first answer {first:.0} ms");
    println!(
        "warm answers ({OFFERS}) min {:.1} median {:.1} p95 {:.1} max {:.1} ms; goal {GOAL_MS} ms: {}",
        at(0.0),
        at(0.5),
        at(0.95),
        at(1.0),
        if at(0.95) <= GOAL_MS { "reached" } else { "missed" }
    );
    println!("offer to the first complete picture, this peer {picture:.0} ms");
    std::process::exit(i32::from(at(0.95) > GOAL_MS));
}

fn answer_ms(appliance: &Appliance) -> f64 {
    let peer = Peer::new();
    let offer = peer.offer();
    let started = Instant::now();
    let reply = appliance.post("/whep", "application/sdp", offer.as_bytes());
    let took = started.elapsed().as_secs_f64() * 1e3;
    assert_eq!(reply.status, 201, "{}", reply.body);
    assert_eq!(appliance.delete(reply.header("location").unwrap()).status, 200);
    took
}

fn picture_ms(appliance: &Appliance) -> f64 {
    let peer = Peer::new();
    let offer = peer.offer();
    let started = Instant::now();
    let reply = appliance.post("/whep", "application/sdp", offer.as_bytes());
    peer.accept(&reply.body);
    peer.until("a picture", |seen| matches!(seen, Seen::Picture(_)).then_some(()));
    started.elapsed().as_secs_f64() * 1e3
}
