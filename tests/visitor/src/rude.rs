//! Visitors who want to do harm: too many offers, a request that never ends, too
//! many messages, messages on a channel that they closed.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use gstreamer as gst;
use gstreamer::prelude::*;
use serde_json::json;

use crate::receiver::{Peer, Seen, Sight};
use crate::watch::print;
use crate::whep::Device;

/// 10,000 a minute.
const OFFERS_PER_S: f64 = 10_000.0 / 60.0;

/// Requests at the same time: with fewer, a slow answer would slow the flood.
const SENDERS: u32 = 8;

/// One message of the 100 MB.
const MESSAGE_BYTES: usize = 16 * 1024;

/// What waits in the visitor's own SCTP before he pauses, or he would only fill his own memory.
const OWN_BUFFER_BYTES: u64 = 1 << 20;

/// Offers at 10,000 a minute for `duration`, none of them followed up.
pub fn offers(device: &Device, duration: Duration) {
    let offer = Peer::with(Sight::Counted).offer();
    let begun = Instant::now();
    let tallies = thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                scope.spawn({
                    let offer = &offer;
                    move || offer_at_pace(device, offer, sender, begun, duration)
                })
            })
            .collect();
        senders
            .into_iter()
            .map(|sender| sender.join().expect("a sender does not panic"))
            .collect::<Vec<_>>()
    });
    let sum = |pick: fn(&Tally) -> u32| tallies.iter().map(pick).sum::<u32>();
    print(&json!({ "event": "offered", "offers": sum(|t| t.sent), "answered": sum(|t| t.answered),
        "refused": sum(|t| t.refused), "unanswered": sum(|t| t.unanswered),
        "seconds": begun.elapsed().as_secs_f64() }));
}

#[derive(Default)]
struct Tally {
    sent: u32,
    answered: u32,
    refused: u32,
    unanswered: u32,
}

fn offer_at_pace(
    device: &Device,
    offer: &str,
    sender: u32,
    begun: Instant,
    duration: Duration,
) -> Tally {
    let mut tally = Tally::default();
    while begun.elapsed() < duration {
        let turn = f64::from(tally.sent * SENDERS + sender) / OFFERS_PER_S;
        thread::sleep(Duration::from_secs_f64(turn).saturating_sub(begun.elapsed()));
        tally.sent += 1;
        match device.offer(offer).map(|answer| answer.status) {
            Ok(201) => tally.answered += 1,
            Ok(_) => tally.refused += 1,
            Err(_) => tally.unanswered += 1,
        }
    }
    tally
}

/// A request whose body comes a byte a second, `many` times at once.
///
/// # Errors
/// If the device does not take a connection at all.
pub fn loris(address: &str, many: usize, duration: Duration) -> Result<()> {
    let head = format!(
        "POST /whep HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/sdp\r\nContent-Length: 60000\r\n\r\n"
    );
    let begun = Instant::now();
    let mut streams = Vec::new();
    for _ in 0..many {
        let mut stream = TcpStream::connect(address).context("connecting")?;
        stream.set_read_timeout(Some(Duration::from_millis(1)))?;
        // The device may end it at once.
        let _ = stream.write_all(head.as_bytes());
        streams.push(stream);
    }
    while begun.elapsed() < duration {
        thread::sleep(Duration::from_secs(1));
        streams.retain_mut(|stream| stream.write_all(b"v").is_ok() && is_open(stream));
    }
    print(&json!({ "event": "dripped", "begun": many, "still_open": streams.len() }));
    Ok(())
}

fn is_open(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 1024]) {
        Ok(0) => false,
        Ok(_) => true,
        Err(error) => {
            matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
        }
    }
}

/// `bytes` of messages on `commands`, then messages on a channel that this side closed.
///
/// # Errors
/// If there is no connection, or `commands` does not open.
pub fn messages(device: &Device, bytes: u64, duration: Duration) -> Result<()> {
    let peer = Peer::with(Sight::Counted);
    let answer = device.offer(&peer.offer())?;
    anyhow::ensure!(answer.status == 201, "status {}: {}", answer.status, answer.body);
    peer.accept(&answer.body);
    peer.until("commands", |seen| (seen == Seen::Opened("commands".into())).then_some(()));
    let begun = Instant::now();
    let message = gst::glib::Bytes::from_owned(vec![b'x'; MESSAGE_BYTES]);
    let (mut sent, mut closed) = (0, false);
    while sent < bytes && begun.elapsed() < duration && !closed {
        while peer.next(Duration::ZERO).is_some_and(|seen| {
            closed |= is_end(&seen);
            true
        }) {}
        let waiting: u64 = peer.commands.property("buffered-amount");
        if waiting > OWN_BUFFER_BYTES {
            thread::sleep(Duration::from_millis(5));
        } else if peer.commands.send_data_full(Some(&message)).is_ok() {
            sent += MESSAGE_BYTES as u64;
        } else {
            closed = true;
        }
    }
    print(
        &json!({ "event": "sent", "bytes": sent, "ended_by_device": closed, "seconds": begun.elapsed().as_secs_f64() }),
    );
    after_closing(&peer);
    if let Some(location) = answer.location {
        let _ = device.leave(&location);
    }
    // webrtcbin 1.22 did not come down after sends on a channel that it was closing.
    std::process::exit(0);
}

fn is_end(seen: &Seen) -> bool {
    matches!(seen, Seen::Closed(label) if label == "commands")
}

/// The peer closes a channel while the device has things to say on it, and goes on talking.
fn after_closing(peer: &Peer) {
    let more = peer.open("predictions", "more");
    let _ = more.send_string_full(Some("{}"));
    more.close();
    let refused = (0..100).filter(|_| more.send_string_full(Some("{}")).is_err()).count();
    print(&json!({ "event": "closed", "sends_refused_here": refused }));
}
