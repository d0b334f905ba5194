//! What of the facts an operator should act on. Pure.

use serde::Serialize;
use utoipa::ToSchema;

use super::facts::Facts;

/// Degrees at which a Raspberry Pi begins to slow itself down (80, its documentation of
/// frequency management), and what it has to fall to until nothing is said any more: at the
/// edge it would be said and taken back with every reading.
const HOT: (f64, f64) = (80.0, 75.0);

/// Free bytes of the state directory's disk, under which models are refused soon and settings
/// after them; and what must be free until nothing is said any more.
const FULL: (u64, u64) = (256 << 20, 320 << 20);

/// Share of the memory that is still to be had, likewise: under it the kernel begins to end
/// programs.
const SCARCE: (f64, f64) = (0.05, 0.08);

/// What is wrong.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The power supply is too weak, now.
    UnderVoltage,
    /// It was.
    UnderVoltageBefore,
    /// Too hot, now.
    Hot,
    /// Slowed down, now.
    Throttled,
    /// The disk is nearly full.
    DiskFull,
    /// Memory is nearly used up.
    MemoryScarce,
}

/// A warning in plain words.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Warning {
    /// What is wrong, for programs.
    pub kind: Kind,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub todo: &'static str,
}

impl Warning {
    /// Both on one line.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{}: {}", self.what, self.todo)
    }
}

/// What is to be said of `facts` when `before` was said last.
#[must_use]
pub fn warnings(facts: &Facts, before: &[Warning]) -> Vec<Warning> {
    let said = |kind| before.iter().any(|warning| warning.kind == kind);
    [power(facts), hot(facts, said(Kind::Hot)), throttled(facts)]
        .into_iter()
        .chain([disk(facts, said(Kind::DiskFull)), memory(facts, said(Kind::MemoryScarce))])
        .flatten()
        .collect()
}

fn power(facts: &Facts) -> Option<Warning> {
    let power = facts.power?;
    let todo = "use the maker's own supply and a short cable, and unplug what it feeds by USB";
    if power.now.under_voltage {
        let what = "the power supply is too weak".to_owned();
        return Some(Warning { kind: Kind::UnderVoltage, what, todo });
    }
    let what = "the power supply was too weak since the device was switched on".to_owned();
    let was = power.since_boot.under_voltage;
    was.then_some(Warning { kind: Kind::UnderVoltageBefore, what, todo })
}

fn hot(facts: &Facts, said: bool) -> Option<Warning> {
    let hottest = facts.temperatures.iter().max_by(|a, b| a.celsius.total_cmp(&b.celsius))?;
    let most = if said { HOT.1 } else { HOT.0 };
    let what = format!("too hot, {:.0} °C", hottest.celsius);
    let todo = "give it air or shade, or a heat sink; it slows itself down until then";
    (hottest.celsius >= most).then_some(Warning { kind: Kind::Hot, what, todo })
}

/// Slowed down for another reason than those that are said already.
fn throttled(facts: &Facts) -> Option<Warning> {
    let now = facts.power?.now;
    let slowed = now.throttled || now.temperature_limit || now.frequency_capped;
    let what = "the processor is slowed down".to_owned();
    let todo = "look at its temperature and its power supply; recognition may be slower";
    (slowed && !now.under_voltage).then_some(Warning { kind: Kind::Throttled, what, todo })
}

fn disk(facts: &Facts, said: bool) -> Option<Warning> {
    let disk = facts.disk.as_ref()?;
    let least = if said { FULL.1 } else { FULL.0 };
    let what = format!("the disk is nearly full, {} MB are free", disk.free_bytes / 1_000_000);
    let todo = "remove models that are not needed, or what else fills it";
    (disk.free_bytes < least).then_some(Warning { kind: Kind::DiskFull, what, todo })
}

fn memory(facts: &Facts, said: bool) -> Option<Warning> {
    let memory = facts.memory?;
    let least = if said { SCARCE.1 } else { SCARCE.0 };
    let mb = memory.available_bytes / 1_000_000;
    let what = format!("memory is nearly used up, {mb} MB are left");
    let todo = "allow fewer viewers or take a smaller picture, and end other programs";
    let share = memory.available_bytes as f64 / memory.total_bytes.max(1) as f64;
    (share < least).then_some(Warning { kind: Kind::MemoryScarce, what, todo })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::facts::{Disk, Power, Temperature};
    use super::super::parse::{Memory, Strain};
    use super::*;

    fn of(celsius: f64) -> Facts {
        let temperatures = vec![Temperature { name: "cpu".into(), celsius }];
        Facts { temperatures, ..Facts::default() }
    }

    fn kinds(warnings: &[Warning]) -> Vec<Kind> {
        warnings.iter().map(|warning| warning.kind).collect()
    }

    #[test]
    fn each_fact_that_needs_somebody_is_told_with_what_to_do() {
        let weak = Strain { under_voltage: true, throttled: true, ..Strain::default() };
        let slow = Strain { throttled: true, ..Strain::default() };
        let power = |now, since_boot| Some(Power { now, since_boot });
        let disk = Some(Disk { path: "/".into(), total_bytes: 1 << 40, free_bytes: 100_000_000 });
        let memory = Some(Memory { total_bytes: 1 << 30, available_bytes: 1 << 20 });
        let cases = [
            (Facts::default(), vec![]),
            (of(79.9), vec![]),
            (of(80.0), vec![Kind::Hot]),
            (Facts { power: power(weak, weak), ..of(20.0) }, vec![Kind::UnderVoltage]),
            (
                Facts { power: power(Strain::default(), weak), ..of(20.0) },
                vec![Kind::UnderVoltageBefore],
            ),
            (Facts { power: power(slow, slow), ..of(85.0) }, vec![Kind::Hot, Kind::Throttled]),
            (Facts { disk, memory, ..of(20.0) }, vec![Kind::DiskFull, Kind::MemoryScarce]),
        ];
        for (facts, expected) in cases {
            let told = warnings(&facts, &[]);
            assert_eq!(kinds(&told), expected, "{facts:?}");
            for warning in told {
                assert!(warning.line().len() > warning.what.len() + 10, "{warning:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_wavers_at_an_edge_is_said_once(steps in prop::collection::vec(75.1_f64..84.0, 1..50)) {
            let mut said = warnings(&of(80.0), &[]);
            for celsius in steps {
                said = warnings(&of(celsius), &said);
                prop_assert_eq!(kinds(&said), vec![Kind::Hot]);
            }
            prop_assert!(warnings(&of(74.9), &said).is_empty());
        }
    }
}
