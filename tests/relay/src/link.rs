//! One direction of a link, without a clock: what goes in comes out later, or never.
//!
//! A packet meets, in this order, an outage, chance, the bottleneck with its
//! bounded queue, and the delay. Order is kept: jitter stretches and never overtakes.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;

/// What a link does to packets. All zero: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Settings {
    /// Added to every packet.
    pub delay: Duration,
    /// At most added on top, evenly spread.
    pub jitter: Duration,
    /// Share of packets that are lost, 0..1.
    pub loss: f64,
    /// Mean length of a run of lost packets; up to 1: each is lost on its own.
    pub burst: f64,
    /// Bits a second of the bottleneck; 0: none.
    pub rate_bps: u64,
    /// Bytes that wait before the bottleneck; what comes on top is dropped (drop-tail).
    pub queue_bytes: usize,
    /// Whether nothing passes at all.
    pub outage: bool,
}

/// What became of the packets since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Tally {
    /// Packets that left the link.
    pub packets: u64,
    /// Bytes of those, IP headers included.
    pub bytes: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Dropped because the queue was full.
    pub overflowed: u64,
    /// Swallowed by an outage.
    pub cut: u64,
}

/// Packets that wait for their time, at most: 1 s of 100 Mbit/s in full packets.
const UNDER_WAY: usize = 8192;

/// One direction. Times are those since any fixed moment.
pub struct Link {
    settings: Settings,
    tally: Tally,
    chance: fastrand::Rng,
    /// Within a run of lost packets.
    losing: bool,
    /// Before the bottleneck; the first one is being sent.
    queue: VecDeque<Vec<u8>>,
    queued_bytes: usize,
    /// When the first one of the queue is through.
    through_at: Duration,
    /// Behind the bottleneck, each with the time of its arrival.
    under_way: VecDeque<(Duration, Vec<u8>)>,
}

impl Link {
    /// A link that does nothing yet; `seed` decides what is lost.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            settings: Settings::default(),
            tally: Tally::default(),
            chance: fastrand::Rng::with_seed(seed),
            losing: false,
            queue: VecDeque::new(),
            queued_bytes: 0,
            through_at: Duration::ZERO,
            under_way: VecDeque::new(),
        }
    }

    /// What it does now.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// From now on; what is under way keeps its time, what is queued meets the new rate.
    pub fn set(&mut self, settings: Settings, now: Duration) {
        self.advance(now);
        self.settings = settings;
        if settings.rate_bps == 0 {
            self.release_all(now);
        }
    }

    /// What became of the packets.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// A packet enters.
    pub fn push(&mut self, packet: Vec<u8>, now: Duration) {
        self.advance(now);
        if self.settings.outage {
            self.tally.cut += 1;
        } else if self.loses() {
            self.tally.lost += 1;
        } else if self.settings.rate_bps == 0 {
            self.send(packet, now);
        } else if self.queued_bytes + packet.len() > self.settings.queue_bytes {
            self.tally.overflowed += 1;
        } else {
            if self.queue.is_empty() {
                self.through_at = now + self.takes(&packet);
            }
            self.queued_bytes += packet.len();
            self.queue.push_back(packet);
        }
    }

    /// The next packet that has arrived.
    pub fn pop(&mut self, now: Duration) -> Option<Vec<u8>> {
        self.advance(now);
        if self.under_way.front()?.0 > now {
            return None;
        }
        let (_, packet) = self.under_way.pop_front()?;
        self.tally.packets += 1;
        self.tally.bytes += packet.len() as u64;
        Some(packet)
    }

    /// When there is something to do next.
    #[must_use]
    pub fn wakes_at(&self) -> Option<Duration> {
        let arrival = self.under_way.front().map(|(arrival, _)| *arrival);
        let through = (!self.queue.is_empty()).then_some(self.through_at);
        arrival.into_iter().chain(through).min()
    }

    /// Lets pass what the bottleneck has sent by now.
    fn advance(&mut self, now: Duration) {
        while self.through_at <= now {
            let Some(packet) = self.queue.pop_front() else { break };
            self.queued_bytes -= packet.len();
            let through_at = self.through_at;
            self.send(packet, through_at);
            if let Some(next) = self.queue.front() {
                self.through_at = through_at + self.takes(next);
            }
        }
    }

    fn release_all(&mut self, now: Duration) {
        self.queued_bytes = 0;
        for packet in std::mem::take(&mut self.queue) {
            self.send(packet, now);
        }
    }

    fn send(&mut self, packet: Vec<u8>, at: Duration) {
        if self.under_way.len() == UNDER_WAY {
            self.tally.overflowed += 1;
            return;
        }
        let arrival = at + self.settings.delay + self.settings.jitter.mul_f64(self.chance.f64());
        let last = self.under_way.back().map_or(Duration::ZERO, |(last, _)| *last);
        self.under_way.push_back((arrival.max(last), packet));
    }

    /// Time that the bottleneck needs for a packet.
    fn takes(&self, packet: &[u8]) -> Duration {
        Duration::from_secs_f64(packet.len() as f64 * 8.0 / self.settings.rate_bps.max(1) as f64)
    }

    /// Two states after Gilbert: within a run everything is lost, a run ends after
    /// `burst` packets in the mean, and runs begin so often that the share is `loss`.
    fn loses(&mut self) -> bool {
        let Settings { loss, burst, .. } = self.settings;
        if burst <= 1.0 || loss >= 1.0 {
            return self.chance.f64() < loss;
        }
        let begins = loss / (burst * (1.0 - loss));
        let turn = if self.losing { 1.0 / burst } else { begins };
        if self.chance.f64() < turn {
            self.losing = !self.losing;
        }
        self.losing
    }
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
