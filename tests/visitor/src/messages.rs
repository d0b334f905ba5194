//! Visitors who want to do harm over data channels: too many messages, and messages on
//! a channel that they closed.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use gstreamer as gst;
use gstreamer::prelude::*;
use serde_json::json;

use crate::receiver::{Peer, Seen, Sight};
use crate::watch::print;
use crate::whep::Device;

/// One message of a flood: the longest that the device reads.
const MESSAGE_BYTES: usize = 16 * 1024;

/// What waits in the visitor's own SCTP before he pauses, or he would only fill his own memory.
const OWN_BUFFER_BYTES: u64 = 1 << 20;

/// Who has not sent all after so many times his time will not.
const PATIENCE: u32 = 5;

/// PPID of a text (RFC 8831, 8).
const TEXT: u32 = 51;

/// Messages on `commands` for `duration`, and longer if they are not `bytes` by then.
///
/// # Errors
/// If there is no connection, or `commands` does not open.
pub fn flood(device: &Device, bytes: u64, duration: Duration) -> Result<()> {
    let (peer, _) = connected(device)?;
    let begun = Instant::now();
    let message = gst::glib::Bytes::from_owned(vec![b'x'; MESSAGE_BYTES]);
    let (mut sent, mut ended) = (0, false);
    let goes_on =
        |sent| begun.elapsed() < duration || sent < bytes && begun.elapsed() < PATIENCE * duration;
    while !ended && goes_on(sent) {
        while let Some(seen) = peer.next(Duration::ZERO) {
            ended |= is_end(&seen);
        }
        if waiting(&peer) > OWN_BUFFER_BYTES {
            thread::sleep(Duration::from_millis(5));
        } else if peer.commands.send_data_full(Some(&message)).is_ok() {
            sent += MESSAGE_BYTES as u64;
        } else {
            ended = true;
        }
    }
    print(&json!({ "event": "sent", "bytes": sent.saturating_sub(waiting(&peer)),
        "ended_by_device": ended, "seconds": begun.elapsed().as_secs_f64() }));
    // webrtcbin 1.22 does not always come down with messages under way.
    crate::end(0);
}

/// Closes `commands` and sends on its stream for `duration`.
///
/// webrtcbin refuses messages on a channel that it closed, so they go past it: into the
/// stream of its SCTP, which it has reset and given up.
///
/// # Errors
/// If there is no connection, or `commands` does not open.
pub fn after_closing(device: &Device, duration: Duration) -> Result<()> {
    let (peer, location) = connected(device)?;
    let stream: i32 = peer.commands.property("id");
    let _ = peer.commands.send_string_full(Some("{}"));
    peer.commands.close();
    peer.until("the channel's end", |seen| (seen == Seen::Closed("commands".into())).then_some(()));
    let refused = peer.commands.send_string_full(Some("{}")).is_err();
    let source = peer.raw(stream);
    let begun = Instant::now();
    let (mut bytes, message) = (0, vec![b'x'; 1000]);
    let pushed = loop {
        if begun.elapsed() >= duration {
            break Ok(());
        }
        if let Err(error) = source.send(TEXT, &message) {
            break Err(error);
        }
        bytes += message.len();
        thread::sleep(Duration::from_millis(1));
    };
    print(&json!({ "event": "sent", "bytes": bytes, "refused_by_webrtcbin": refused,
        "ended": pushed.is_err(), "seconds": begun.elapsed().as_secs_f64() }));
    let _ = device.leave(&location);
    crate::end(0);
}

/// A peer whose `commands` is open, and where its connection lives.
fn connected(device: &Device) -> Result<(Peer, String)> {
    let peer = Peer::with(Sight::Counted);
    let answer = device.offer(&peer.offer())?;
    ensure!(answer.status == 201, "status {}: {}", answer.status, answer.body);
    peer.accept(&answer.body);
    peer.until("commands", |seen| (seen == Seen::Opened("commands".into())).then_some(()));
    Ok((peer, answer.location.context("an answer has a location")?))
}

fn waiting(peer: &Peer) -> u64 {
    peer.commands.property("buffered-amount")
}

fn is_end(seen: &Seen) -> bool {
    matches!(seen, Seen::Closed(label) if label == "commands")
}
