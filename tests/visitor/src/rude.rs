//! Visitors who want to do harm over HTTP: too many offers, bodies that never end.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::json;

use crate::receiver::{Peer, Sight};
use crate::watch::print;
use crate::whep::Device;

/// 10,000 a minute.
const OFFERS_PER_S: f64 = 10_000.0 / 60.0;

/// Requests at the same time: with fewer, a slow answer would slow the flood. The device
/// gives an address 32 connections.
const SENDERS: u32 = 24;

/// How often a byte of each slow body comes.
const DRIP: Duration = Duration::from_millis(500);

/// Offers at 10,000 a minute for `duration`, none of them followed up.
pub fn offers(device: &Device, duration: Duration) {
    let offer = Peer::with(Sight::Counted).offer();
    let begun = Instant::now();
    let mut all = thread::scope(|scope| {
        let offer = &offer;
        let one =
            |sender| scope.spawn(move || offer_at_pace(device, offer, sender, begun, duration));
        let senders: Vec<_> = (0..SENDERS).map(one).collect();
        let tallies = senders.into_iter().map(|one| one.join().expect("a sender does not panic"));
        tallies.fold(Tally::default(), Tally::and)
    });
    all.seconds = begun.elapsed().as_secs_f64();
    let mut line = serde_json::to_value(all).expect("a tally is plain");
    line["event"] = json!("offered");
    print(&line);
}

/// What became of offers.
#[derive(Default, Serialize)]
struct Tally {
    offers: u32,
    answered: u32,
    /// 429
    too_many: u32,
    /// 503
    no_place: u32,
    other: u32,
    unanswered: u32,
    seconds: f64,
}

impl Tally {
    fn count(&mut self, status: Option<u16>) {
        self.offers += 1;
        *match status {
            Some(201) => &mut self.answered,
            Some(429) => &mut self.too_many,
            Some(503) => &mut self.no_place,
            Some(_) => &mut self.other,
            None => &mut self.unanswered,
        } += 1;
    }

    fn and(self, more: Self) -> Self {
        Self {
            offers: self.offers + more.offers,
            answered: self.answered + more.answered,
            too_many: self.too_many + more.too_many,
            no_place: self.no_place + more.no_place,
            other: self.other + more.other,
            unanswered: self.unanswered + more.unanswered,
            seconds: self.seconds,
        }
    }
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
        let turn = f64::from(tally.offers * SENDERS + sender) / OFFERS_PER_S;
        thread::sleep(Duration::from_secs_f64(turn).saturating_sub(begun.elapsed()));
        tally.count(device.offer(offer).map(|answer| answer.status).ok());
    }
    tally
}

/// Offers whose bodies come a byte at a time and never end, `many` at once and for all of
/// `duration`: one that the device ends is followed by another.
///
/// # Errors
/// If the device does not take a connection at all.
pub fn loris(address: &str, token: &str, many: usize, duration: Duration) -> Result<()> {
    let head = format!(
        "POST /whep HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/sdp\r\nContent-Length: 60000\r\n\r\n"
    );
    let begun = Instant::now();
    let mut open: Vec<Body> = Vec::new();
    let mut ended: Vec<f64> = Vec::new();
    let (mut rounds, mut held) = (0, 0);
    while begun.elapsed() < duration {
        for _ in open.len()..many {
            open.push(Body::begin(address, &head)?);
        }
        thread::sleep(DRIP);
        open.retain_mut(|body| {
            let goes_on = body.drip();
            if !goes_on {
                ended.push(body.begun.elapsed().as_secs_f64());
            }
            goes_on
        });
        (rounds, held) = (rounds + 1, held + open.len());
    }
    print(&json!({ "event": "dripped", "open": held as f64 / f64::from(rounds.max(1)),
        "ended": ended.len(), "soonest_s": ended.iter().copied().reduce(f64::min),
        "latest_s": ended.iter().copied().reduce(f64::max),
        "oldest_s": open.iter().map(|body| body.begun.elapsed().as_secs_f64()).fold(0.0, f64::max) }));
    Ok(())
}

/// A request that never ends.
struct Body {
    stream: TcpStream,
    begun: Instant,
}

impl Body {
    fn begin(address: &str, head: &str) -> Result<Self> {
        let mut stream = TcpStream::connect(address).context("connecting")?;
        stream.set_nonblocking(true)?;
        // The device may end it at once.
        let _ = stream.write_all(head.as_bytes());
        Ok(Self { stream, begun: Instant::now() })
    }

    /// One more byte; whether the device still waits for the rest. An answer is an end.
    fn drip(&mut self) -> bool {
        let waits = |error: &std::io::Error| error.kind() == ErrorKind::WouldBlock;
        let sent = self.stream.write_all(b"v").map_or_else(|error| waits(&error), |()| true);
        sent && self.stream.read(&mut [0; 1024]).is_err_and(|error| waits(&error))
    }
}
