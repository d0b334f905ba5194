//! Which rendition a viewer's network carries, and what the encoders aim at.
//!
//! One encoder serves everybody, so that a single slow viewer must not pull it
//! down: it moves to the low rendition, and comes back by trial, because an
//! estimator never shows more than a small multiple of what is sent (facts on
//! congestion). Congestion that has begun is ended at once: no pictures and no
//! repeats for a moment, then a key unit; a browser left alone freezes for 3 s
//! before it asks for one.

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
    Probe,
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
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    /// On the full rendition since, and since when the estimate is too low for it.
    Full { since: Duration, poor_since: Option<Duration> },
    /// On the low one, and since when there was no trouble.
    Low { clean_since: Duration },
    /// On the full one to see whether it is carried.
    Trial { began: Duration, probed: Probed, poor_since: Option<Duration> },
}

/// Whether the key unit with which a trial began is thought to have passed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Probed {
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
        }
    }

    /// Whether it is shown the full rendition.
    pub fn on_full(&self) -> bool {
        !matches!(self.step, Step::Low { .. })
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
        if now >= self.next_pause && self.traffic.loss(now).is_some_and(|loss| loss > HEAVY_LOSS) {
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
            Step::Trial { began, probed: Probed::NotYet, .. } => {
                let passed = now - began >= KEY_UNIT_PASSES;
                let probed = Probed::Done;
                passed.then(|| {
                    self.step = Step::Trial { began, probed, poor_since: None };
                    Change::Probe
                })
            }
            Step::Trial { began, probed, poor_since } => {
                let poor_since = poor.then(|| poor_since.unwrap_or(now));
                self.step = Step::Trial { began, probed, poor_since };
                if poor_since.is_some_and(|since| now - since >= TOO_LITTLE_ON_TRIAL) {
                    return self.fall(Cause::Network, targets, now);
                }
                if now - began >= TRIAL {
                    self.step = Step::Full { since: now, poor_since };
                }
                None
            }
            Step::Low { clean_since } => {
                let trouble = self.traffic.loss(now).is_some_and(|loss| loss > SOME_LOSS);
                // Without the low rendition there is nothing to stay for.
                let carried = targets.low_kbps.is_none_or(|low| match reading.estimate_kbps {
                    Some(estimate) => estimate >= low,
                    None => !self.fed_back,
                });
                if trouble || !carried {
                    self.step = Step::Low { clean_since: now };
                } else if self.wait.is_none_or(|wait| now - clean_since >= wait)
                    || targets.low_kbps.is_none()
                {
                    let probed = Probed::NotYet;
                    self.step = Step::Trial { began: now, probed, poor_since: None };
                    return Some(Change::ToFull);
                }
                None
            }
        }
    }

    /// Moves to the low rendition, if there is one and it is not shown already.
    fn fall(&mut self, cause: Cause, targets: Targets, now: Duration) -> Option<Change> {
        targets.low_kbps?;
        let settled = match self.step {
            Step::Low { .. } => {
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
