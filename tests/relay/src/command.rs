//! The control lines: `stats`, or `VISITOR down|up|both KEY=VALUE ..`.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::link::Settings;

/// What a line asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// The tallies of all links.
    Stats,
    /// New settings for a visitor's link.
    Set {
        /// As given at the start.
        visitor: String,
        /// From the device to the visitor.
        down: bool,
        /// From the visitor to the device.
        up: bool,
        /// What changes; the rest stays.
        changes: Vec<Change>,
    },
}

/// One `KEY=VALUE`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// `delay_ms`
    Delay(Duration),
    /// `jitter_ms`
    Jitter(Duration),
    /// `loss`, a share
    Loss(f64),
    /// `burst`, packets
    Burst(f64),
    /// `rate_bps`
    Rate(u64),
    /// `queue_bytes`
    Queue(usize),
    /// `outage`, on or off
    Outage(bool),
}

impl Change {
    /// The settings with this change.
    #[must_use]
    pub fn on(self, mut settings: Settings) -> Settings {
        match self {
            Self::Delay(delay) => settings.delay = delay,
            Self::Jitter(jitter) => settings.jitter = jitter,
            Self::Loss(loss) => settings.loss = loss,
            Self::Burst(burst) => settings.burst = burst,
            Self::Rate(rate_bps) => settings.rate_bps = rate_bps,
            Self::Queue(queue_bytes) => settings.queue_bytes = queue_bytes,
            Self::Outage(outage) => settings.outage = outage,
        }
        settings
    }
}

/// Reads a line.
///
/// # Errors
/// Says what is wrong with it.
pub fn parse(line: &str) -> Result<Command> {
    let mut words = line.split_whitespace();
    let visitor = words.next().context("the line is empty")?;
    let Some(direction) = words.next() else {
        return if visitor == "stats" { Ok(Command::Stats) } else { bail!("unknown: {visitor}") };
    };
    let (down, up) = match direction {
        "down" => (true, false),
        "up" => (false, true),
        "both" => (true, true),
        _ => bail!("direction {direction}: down, up or both is expected"),
    };
    let changes = words.map(change).collect::<Result<Vec<_>>>()?;
    Ok(Command::Set { visitor: visitor.to_owned(), down, up, changes })
}

fn change(word: &str) -> Result<Change> {
    let (key, value) = word.split_once('=').with_context(|| format!("{word}: no value"))?;
    let number = || {
        let number: f64 = value.parse().with_context(|| format!("{key}: {value} is no number"))?;
        if number.is_finite() && (0.0..=1e12).contains(&number) {
            return Ok(number);
        }
        bail!("{key}: {value} is out of range")
    };
    // An hour is longer than any delay that a program waits for.
    let duration = || number().map(|ms| Duration::from_secs_f64(ms.min(3.6e6) / 1000.0));
    Ok(match key {
        "delay_ms" => Change::Delay(duration()?),
        "jitter_ms" => Change::Jitter(duration()?),
        "loss" => Change::Loss(number()?.min(1.0)),
        "burst" => Change::Burst(number()?),
        "rate_bps" => Change::Rate(number()? as u64),
        "queue_bytes" => Change::Queue(number()? as usize),
        "outage" if matches!(value, "on" | "off") => Change::Outage(value == "on"),
        _ => bail!("unknown: {word}"),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_names_visitor_direction_and_changes() {
        let changes = vec![Change::Rate(1_000_000), Change::Outage(true)];
        let expected = Command::Set { visitor: "slow".into(), down: true, up: false, changes };
        assert_eq!(parse("slow down rate_bps=1000000 outage=on").ok(), Some(expected));
        assert_eq!(parse("stats").ok(), Some(Command::Stats));
    }

    #[test]
    fn a_change_leaves_the_rest_alone() {
        let before = Settings { loss: 0.1, ..Settings::default() };
        let after = Change::Rate(5).on(before);
        assert_eq!(after, Settings { rate_bps: 5, ..before });
    }

    #[test]
    fn what_is_wrong_is_named() {
        let lines = ["", "slow", "slow left", "slow up rate_bps", "slow up loss=-1", "slow up x=1"];
        for line in lines {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_line_is_a_panic(line in ".{0,80}") {
            let _ = parse(&line);
        }
    }
}
