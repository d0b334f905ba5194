//! A viewer who looks at the picture and reads along.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};

use crate::receiver::{Peer, Seen};
use crate::watch::print;
use crate::whep::Device;

/// Until decoded pictures have come and the transcript holds `text`, within `limit`.
///
/// # Errors
/// One of the two did not come.
pub fn read(device: &Device, text: &str, limit: Duration) -> Result<()> {
    let peer = Peer::new();
    let answer = device.offer(&peer.offer())?;
    if answer.status != 201 {
        bail!("the offer was answered with {}: {}", answer.status, answer.body);
    }
    peer.accept(&answer.body);
    let begun = Instant::now();
    let (mut decoded, mut transcript) = (0, String::new());
    while begun.elapsed() < limit {
        match peer.next(Duration::from_secs(1)) {
            Some(Seen::Decoded(_)) => decoded += 1,
            Some(Seen::Binary(label, bytes)) if label == "commands" && bytes == b"\0PING" => {
                let _ = peer.commands.send_data_full(Some(&b"\0PONG"[..].into()));
            }
            Some(Seen::Text(label, message)) if label == "predictions" => {
                let message: Value = serde_json::from_str(&message)?;
                transcript = message["transcript"].as_str().unwrap_or_default().to_owned();
            }
            _ => {}
        }
        if decoded > 0 && transcript.contains(text) {
            let seconds = begun.elapsed().as_secs_f64();
            print(&json!({ "event": "read", "text": text, "decoded": decoded, "s": seconds }));
            if let Some(location) = answer.location {
                device.leave(&location)?;
            }
            return Ok(());
        }
    }
    bail!("{decoded} pictures were decoded, and {transcript:?} was read");
}
