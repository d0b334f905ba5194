//! Which rendition a viewer's network carries, and what the encoders aim at.
//!
//! One encoder serves everybody, so that a single slow viewer must not pull it
//! down: it moves to the low rendition, and comes back by trial, because an
//! estimator never shows more than a small multiple of what is sent (facts on
//! congestion). Before a trial, which freezes the picture for half a second where it
//! fails, repeats of packets fill up what is sent: they show most failures, and cost
//! the picture nothing or little. Congestion that has begun is ended at once: no
//! pictures and no repeats for a moment, then a key unit; a browser left alone
//! freezes for 3 s before it asks for one.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;

use super::traffic::Traffic;

/// An estimate below this share of the shared bit rate is too little for it.
const ENOUGH: f64 = 0.8;

/// How long it is too little before the viewer moves; on trial it is told sooner.
const TOO_LITTLE: Duration = Duration::from_secs(1);
const TOO_LITTLE_ON_TRIAL: Duration = Duration::from_millis(300);

/// Share of packets lost that is congestion and no bad radio: 5 % of random loss did
/// not reach it in ten minutes of the full rendition's ticks (see the tests), a
/// bottleneck of half the rate does at once.
const HEAVY_LOSS: f64 = 0.2;

/// Share of packets lost with which nobody is sent more.
const SOME_LOSS: f64 = 0.1;

/// Without pictures a bottleneck's queue drains: 25 kB, of which most hold less, at
/// 1 Mbit/s.
const PAUSE: Duration = Duration::from_millis(200);

/// Repeats of what was lost before the key unit would only delay it.
pub(super) const MUTE: Duration = Duration::from_millis(500);

/// Between two pauses: a key unit needs that long through the slowest link.
const BETWEEN_PAUSES: Duration = Duration::from_millis(1500);

/// Key units that a viewer may ask for, and in what time, before it is thought to
/// cost the others too much (decision 6 of the design).
const WISHES: usize = 3;
const WISHES_WITHIN: Duration = Duration::from_secs(10);

/// A trial lasts so long, and comes after so long without trouble.
const TRIAL: Duration = Duration::from_secs(2);
const FIRST_TRIAL_AFTER: Duration = Duration::from_secs(5);
const TRIAL_AFTER_AT_MOST: Duration = Duration::from_secs(60);

/// The key unit with which a trial begins comes at once, and an estimator takes the
/// queue that it makes for congestion: it is asked once more when that is over.
const KEY_UNIT_PASSES: Duration = Duration::from_millis(700);

/// What is sent before a trial grows to so many times the former, each for so long, until
/// it is what the trial needs, and stays there for a while.
const PROBE_GROWS: f64 = 1.3;
const PROBE_STEP: Duration = Duration::from_millis(200);
const PROBE_STAYS: Duration = Duration::from_millis(400);

/// Between two probes; one that fails has no other consequence.
const BETWEEN_PROBES: Duration = Duration::from_secs(10);

/// Who falls back sooner after a trial has not recovered: it waits longer.
const SETTLED: Duration = Duration::from_secs(10);

/// What is kept of an estimate for repeats, key units and its own error.
const SHARE_OF_ESTIMATE: f64 = 0.85;

/// What the owner knows of a viewer's network at a tick.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Reading {
    /// What the network carries, in kbit/s; `None` without fresh feedback.
    pub estimate_kbps: Option<u32>,
    /// Packets that arrived and were lost since the last tick, as fed back.
    pub arrived: u64,
    pub lost: u64,
    /// Key units that the viewer asked for since the last tick.
    pub wishes: u64,
}

/// What the encoders aim at now, in kbit/s.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Targets {
    pub full_kbps: u32,
    /// `None`: this camera has no low rendition.
    pub low_kbps: Option<u32>,
    /// What a trial of the full one begins with.
    pub trial_kbps: u32,
}

/// What is to be done for a viewer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Change {
    /// No pictures and no repeats for a moment.
    Pause,
    /// Pictures again, from the next key unit on.
    Resume,
    /// The low rendition, and why.
    ToLow(Cause),
    /// The full rendition, on trial.
    ToFull,
    /// The estimate begins anew.
    Reset,
    /// Repeats fill up what is sent to this, in kbit/s, until the next tick.
    Probe(u32),
}

/// Why a viewer is shown the low rendition.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// Its network does not carry the full one.
    Network,
    /// It asked for too many key units.
    Requests,
}

/// One viewer's place between the two renditions.
#[derive(Debug)]
pub(super) struct Adaptation {
    step: Step,
    traffic: Traffic,
    fed_back: bool,
    paused_until: Option<Duration>,
    next_pause: Duration,
    wishes: VecDeque<Duration>,
    /// Before the next trial; `None`: there was no fall yet.
    wait: Option<Duration>,
    next_probe: Duration,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    /// On the full rendition since, and since when the estimate is too low for it.
    Full { since: Duration, poor_since: Option<Duration> },
    /// On the low one, and since when there was no trouble.
    Low { clean_since: Duration },
    /// On the low one, with repeats to see whether a trial is worth it.
    Probe { began: Duration },
    /// On the full one to see whether it is carried.
    Trial { began: Duration, reset: Reset, poor_since: Option<Duration> },
}

/// Whether the estimate began anew after the key unit with which a trial began.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Reset {
    NotYet,
    Done,
}

impl Adaptation {
    /// A viewer that begins with the full rendition at `now`.
    pub fn new(now: Duration) -> Self {
        Self {
            step: Step::Full { since: now, poor_since: None },
            traffic: Traffic::default(),
            fed_back: false,
            paused_until: None,
            next_pause: now,
            wishes: VecDeque::new(),
            wait: None,
            next_probe: now,
        }
    }

    /// Whether it is shown the full rendition.
    pub fn on_full(&self) -> bool {
        !matches!(self.step, Step::Low { .. } | Step::Probe { .. })
    }

    /// What follows from a reading at `now`, a time that only rises. In this order.
    pub fn on(&mut self, reading: Reading, targets: Targets, now: Duration) -> Vec<Change> {
        self.fed_back |= reading.estimate_kbps.is_some();
        self.traffic.add(reading.arrived, reading.lost, now);
        self.count_wishes(reading.wishes, now);
        if let Some(until) = self.paused_until {
            if now < until {
                return Vec::new();
            }
            self.paused_until = None;
            return vec![Change::Resume];
        }
        let mut changes = Vec::new();
        // What a probe loses is its own doing, and ends with it.
        let probes = matches!(self.step, Step::Probe { .. });
        if !probes
            && now >= self.next_pause
            && self.traffic.loss(now).is_some_and(|loss| loss > HEAVY_LOSS)
        {
            self.paused_until = Some(now + PAUSE);
            self.next_pause = now + BETWEEN_PAUSES;
            self.traffic.forget();
            changes.push(Change::Pause);
            changes.extend(self.fall(Cause::Network, targets, now));
            return changes;
        }
        if self.wishes.len() > WISHES {
            self.wishes.clear();
            changes.extend(self.fall(Cause::Requests, targets, now));
            return changes;
        }
        changes.extend(self.judge(reading, targets, now));
        changes
    }

    fn judge(&mut self, reading: Reading, targets: Targets, now: Duration) -> Option<Change> {
        let poor = reading
            .estimate_kbps
            .is_some_and(|estimate| f64::from(estimate) < ENOUGH * f64::from(targets.full_kbps));
        match self.step {
            Step::Full { since, poor_since } => {
                let poor_since = poor.then(|| poor_since.unwrap_or(now));
                self.step = Step::Full { since, poor_since };
                let long = poor_since.is_some_and(|since| now - since >= TOO_LITTLE);
                long.then(|| self.fall(Cause::Network, targets, now)).flatten()
            }
            Step::Trial { began, reset: Reset::NotYet, .. } => {
                let passed = now - began >= KEY_UNIT_PASSES;
                let reset = Reset::Done;
                passed.then(|| {
                    self.step = Step::Trial { began, reset, poor_since: None };
                    Change::Reset
                })
            }
            Step::Trial { began, reset, poor_since } => {
                let poor_since = poor.then(|| poor_since.unwrap_or(now));
                self.step = Step::Trial { began, reset, poor_since };
                if poor_since.is_some_and(|since| now - since >= TOO_LITTLE_ON_TRIAL) {
                    return self.fall(Cause::Network, targets, now);
                }
                if now - began >= TRIAL {
                    self.step = Step::Full { since: now, poor_since };
                }
                None
            }
            Step::Low { clean_since } => self.rest(clean_since, reading, targets, now),
            Step::Probe { began } => Some(self.probe(began, reading, targets, now)),
        }
    }

    /// On the low rendition, until a trial is worth a probe.
    fn rest(
        &mut self,
        clean_since: Duration,
        reading: Reading,
        targets: Targets,
        now: Duration,
    ) -> Option<Change> {
        // Without the low rendition there is nothing to stay for.
        let Some(low_kbps) = targets.low_kbps else { return Some(self.try_full(now)) };
        let trouble = self.traffic.loss(now).is_some_and(|loss| loss > SOME_LOSS);
        let carried = reading.estimate_kbps.map_or(!self.fed_back, |estimate| estimate >= low_kbps);
        if trouble || !carried {
            self.step = Step::Low { clean_since: now };
            return None;
        }
        if self.wait.is_some_and(|wait| now - clean_since < wait) || now < self.next_probe {
            return None;
        }
        if !self.fed_back {
            return Some(self.try_full(now));
        }
        self.step = Step::Probe { began: now };
        Some(Change::Reset)
    }

    /// Sends more and more, until there is a sign of trouble or enough for a trial.
    fn probe(
        &mut self,
        began: Duration,
        reading: Reading,
        targets: Targets,
        now: Duration,
    ) -> Change {
        let wanted = f64::from(targets.trial_kbps);
        let poor = reading.estimate_kbps.is_none_or(|kbps| f64::from(kbps) < ENOUGH * wanted);
        if poor || self.traffic.loss(now).is_some_and(|loss| loss > SOME_LOSS) {
            self.step = Step::Low { clean_since: now };
            self.next_probe = now + BETWEEN_PROBES;
            self.next_pause = now + BETWEEN_PAUSES;
            self.traffic.forget();
            return Change::Probe(0);
        }
        match probe_kbps(targets, now - began) {
            Some(kbps) => Change::Probe(kbps),
            None => self.try_full(now),
        }
    }

    fn try_full(&mut self, now: Duration) -> Change {
        self.step = Step::Trial { began: now, reset: Reset::NotYet, poor_since: None };
        Change::ToFull
    }

    /// Moves to the low rendition, if there is one and it is not shown already.
    fn fall(&mut self, cause: Cause, targets: Targets, now: Duration) -> Option<Change> {
        targets.low_kbps?;
        let settled = match self.step {
            Step::Low { .. } | Step::Probe { .. } => {
                self.step = Step::Low { clean_since: now };
                return None;
            }
            Step::Full { since, .. } => now - since >= SETTLED,
            Step::Trial { .. } => false,
        };
        self.wait = Some(match self.wait {
            Some(wait) if !settled => (wait * 2).min(TRIAL_AFTER_AT_MOST),
            _ => FIRST_TRIAL_AFTER,
        });
        self.step = Step::Low { clean_since: now };
        Some(Change::ToLow(cause))
    }

    fn count_wishes(&mut self, wishes: u64, now: Duration) {
        // More than one too many says nothing new.
        (0..wishes.min(WISHES as u64 + 1)).for_each(|_| self.wishes.push_back(now));
        while self.wishes.front().is_some_and(|at| now - *at > WISHES_WITHIN) {
            self.wishes.pop_front();
        }
        while self.wishes.len() > WISHES + 1 {
            self.wishes.pop_front();
        }
    }
}

/// What is sent after a probe has lasted for `lasted`; `None` when it is over.
fn probe_kbps(targets: Targets, lasted: Duration) -> Option<u32> {
    let goal = f64::from(targets.trial_kbps);
    let mut rate = f64::from(targets.low_kbps?);
    let mut until = Duration::ZERO;
    while rate < goal {
        rate = (rate * PROBE_GROWS).min(goal);
        until += PROBE_STEP;
        if lasted < until {
            return Some(rate as u32);
        }
    }
    (lasted < until + PROBE_STAYS).then_some(goal as u32)
}

/// What the full rendition is encoded with: as much as its best viewer's network
/// carries, so that it goes down only when all need it. `estimates`: of viewers
/// with fresh feedback; without any, the most.
pub(super) fn full_kbps(estimates: impl Iterator<Item = u32>, least: u32, most: u32) -> u32 {
    estimates.max().map_or(most, |best| share(best).clamp(least, most))
}

/// What a rendition is encoded with that has no smaller one beside it: as little as
/// its worst viewer needs.
pub(super) fn only_kbps(estimates: impl Iterator<Item = u32>, least: u32, most: u32) -> u32 {
    estimates.min().map_or(most, |worst| share(worst).clamp(least, most))
}

fn share(estimate_kbps: u32) -> u32 {
    (f64::from(estimate_kbps) * SHARE_OF_ESTIMATE) as u32
}

#[cfg(test)]
#[path = "adaptation_tests.rs"]
mod tests;
