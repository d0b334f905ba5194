//! The owner of the device's facts: reads them every few seconds, and says what changed.

use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::facts::{Facts, Places, Reader};
use super::warnings::{self, Warning};

/// How often is read: some twenty small files, under a millisecond.
const EVERY: Duration = Duration::from_secs(5);

/// What is known of the device at present.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// Facts; none has been read in the first moments.
    pub facts: Facts,
    /// What an operator should act on.
    pub warnings: Vec<Warning>,
}

/// Reads until nobody follows any more.
#[must_use]
pub fn start(state_dir: &Path) -> watch::Receiver<Known> {
    let (publish, known) = watch::channel(Known::default());
    tokio::spawn(read(Reader::new(Places::of_this_machine(state_dir)), publish));
    known
}

async fn read(mut reader: Reader, publish: watch::Sender<Known>) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = publish.closed() => return,
        }
        // A disk that hangs must not hold the others up.
        let reading = tokio::task::spawn_blocking(move || (reader.read(), reader)).await;
        let Ok((facts, read)) = reading else {
            log::error!("who reads the device's facts has failed; they stay as they are");
            return;
        };
        reader = read;
        let before = publish.borrow().warnings.clone();
        let warnings = warnings::warnings(&facts, &before);
        told(&before, &warnings).iter().for_each(|change| match change {
            Change::Began(line) => log::warn!("device: {line}"),
            Change::Ended(what) => log::info!("device: no longer so: {what}"),
        });
        publish.send_replace(Known { facts, warnings });
    }
}

/// A line of the log.
#[derive(Debug, Eq, PartialEq)]
enum Change {
    Began(String),
    Ended(String),
}

/// What the log says when these warnings follow those: each once, however its figures waver.
fn told(before: &[Warning], now: &[Warning]) -> Vec<Change> {
    let lacks = |all: &[Warning], one: &Warning| all.iter().all(|other| other.kind != one.kind);
    let began = now.iter().filter(|one| lacks(before, one)).map(|one| Change::Began(one.line()));
    let ended = before.iter().filter(|one| lacks(now, one));
    began.chain(ended.map(|one| Change::Ended(one.what.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::warnings::Kind;
    use super::*;

    #[test]
    fn the_log_hears_of_a_warning_when_it_begins_and_when_it_ends() {
        let hot = |celsius: u32| {
            vec![Warning { kind: Kind::Hot, what: format!("{celsius} °C"), todo: "give it air" }]
        };
        assert_eq!(told(&[], &hot(81)), [Change::Began("81 °C: give it air".into())]);
        assert_eq!(told(&hot(81), &hot(82)), []);
        assert_eq!(told(&hot(82), &[]), [Change::Ended("82 °C".into())]);
    }
}
