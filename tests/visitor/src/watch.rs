//! Viewers that count what they get and print it, a line of JSON a second each.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};

use crate::receiver::{Peer, Seen, Sight};
use crate::whep::Device;

/// How often figures are printed.
const PERIOD: Duration = Duration::from_secs(1);

/// Of RTP's clock, from one picture of 30 a second to the next (RFC 6184, 8.2.1).
const TICKS: u32 = 3000;

/// What a viewer got within one period.
#[derive(Default, Serialize)]
struct Figures {
    viewer: usize,
    t: f64,
    pictures: u64,
    key_units: u64,
    bytes: u64,
    longest_gap_ms: u128,
    /// Pictures that RTP time leaves out, of 30 a second.
    left_out: u64,
}

/// Prints one line whole, whoever else prints.
pub fn print(line: &Value) {
    println!("{line}");
}

/// How a viewer watches.
#[derive(Clone, Copy)]
pub struct Visit {
    /// He leaves then.
    pub duration: Duration,
    /// He leaves after so many pictures.
    pub pictures: Option<u64>,
    /// He answers no keepalive, as a player without data channels does not.
    pub silent: bool,
    /// He tells by receiver reports alone what arrives, as aiortc does.
    pub reports_alone: bool,
}

/// `viewers` watch; they leave when the visit is over, or with SIGTERM.
///
/// # Errors
/// If the signal cannot be waited for.
pub fn watch(device: &Device, viewers: usize, visit: Visit) -> Result<()> {
    let begun = Instant::now();
    let told = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGTERM, Arc::clone(&told))?;
    let told = &told;
    thread::scope(|scope| {
        for viewer in 0..viewers {
            scope.spawn(move || {
                if let Err(error) = one(device, viewer, begun, visit, told) {
                    print(&json!({ "viewer": viewer, "event": "failed", "why": format!("{error:#}") }));
                }
            });
        }
    });
    Ok(())
}

fn one(
    device: &Device,
    viewer: usize,
    begun: Instant,
    visit: Visit,
    told: &AtomicBool,
) -> Result<()> {
    let peer = Peer::with(Sight::Counted);
    let mut offer = peer.offer();
    if visit.reports_alone {
        let kept = offer.split_inclusive('\n').filter(|line| !line.contains("transport-wide-cc"));
        offer = kept.collect();
    }
    let answer = device.offer(&offer)?;
    let took_ms = answer.took.as_secs_f64() * 1000.0;
    if answer.status != 201 {
        print(&json!({ "viewer": viewer, "event": "refused", "status": answer.status,
            "retry_after": answer.retry_after, "body": answer.body }));
        return Ok(());
    }
    print(&json!({ "viewer": viewer, "event": "answered", "ms": took_ms }));
    let offered = Instant::now() - answer.took;
    peer.accept(&answer.body);
    count(&peer, viewer, begun, offered, visit, told);
    if let Some(location) = answer.location {
        device.leave(&location)?;
    }
    Ok(())
}

/// Counts until the visit is over.
fn count(
    peer: &Peer,
    viewer: usize,
    begun: Instant,
    offered: Instant,
    visit: Visit,
    told: &AtomicBool,
) {
    let mut pictures = 0;
    let mut figures = Figures::default();
    let (mut last, mut printed) = (None::<Instant>, begun.elapsed());
    let (mut key_unit, mut stamped) = (None, None::<u32>);
    while begun.elapsed() < visit.duration
        && visit.pictures.is_none_or(|enough| pictures < enough)
        && !told.load(Ordering::Relaxed)
    {
        let left = (printed + PERIOD).saturating_sub(begun.elapsed());
        let seen = peer.next(left);
        let now = Instant::now();
        match seen {
            Some(Seen::Packet(bytes)) => figures.bytes += bytes as u64,
            // Told for each of its packets.
            Some(Seen::KeyUnit(stamp)) if key_unit != Some(stamp) => {
                key_unit = Some(stamp);
                figures.key_units += 1;
            }
            Some(Seen::Picture(stamp)) => {
                if let Some(before) = stamped.replace(stamp) {
                    let steps = (stamp.wrapping_sub(before) + TICKS / 2) / TICKS;
                    figures.left_out += u64::from(steps.saturating_sub(1));
                }
                if let Some(last) = last {
                    let gap = now.duration_since(last).as_millis();
                    figures.longest_gap_ms = figures.longest_gap_ms.max(gap);
                } else {
                    let ms = now.duration_since(offered).as_secs_f64() * 1000.0;
                    print(&json!({ "viewer": viewer, "event": "first_picture", "ms": ms }));
                }
                last = Some(now);
                figures.pictures += 1;
                pictures += 1;
            }
            Some(Seen::State(state)) => {
                let state = format!("{state:?}");
                print(&json!({ "viewer": viewer, "event": "state", "state": state }));
            }
            Some(Seen::Binary(label, bytes))
                if label == "commands" && bytes == b"\0PING" && !visit.silent =>
            {
                let _ = peer.commands.send_data_full(Some(&b"\0PONG"[..].into()));
            }
            Some(_) | None => {}
        }
        if begun.elapsed() >= printed + PERIOD {
            printed = begun.elapsed();
            // A gap that has not ended counts as long as it is.
            let open = last.map_or(0, |last| last.elapsed().as_millis());
            figures.longest_gap_ms = figures.longest_gap_ms.max(open);
            let line = Figures { viewer, t: printed.as_secs_f64(), ..std::mem::take(&mut figures) };
            print(&serde_json::to_value(line).expect("figures are plain"));
        }
    }
}

/// Makes an offer in each form and prints what the device said.
///
/// # Errors
/// If the device does not answer.
pub fn ask(device: &Device) -> Result<()> {
    let offer = Peer::with(Sight::Counted).offer();
    for (form, answer) in [("whep", device.offer(&offer)?), ("json", device.offer_in_json(&offer)?)]
    {
        print(&json!({ "event": "asked", "form": form, "status": answer.status,
            "retry_after": answer.retry_after, "body": answer.body,
            "ms": answer.took.as_secs_f64() * 1000.0 }));
    }
    Ok(())
}

/// Makes an offer whose answer nobody applies.
///
/// # Errors
/// If the device does not answer.
pub fn abandon(device: &Device) -> Result<()> {
    let answer = device.offer(&Peer::with(Sight::Counted).offer())?;
    print(&json!({ "event": "abandoned", "status": answer.status }));
    Ok(())
}
