//! The one owner of the configuration of a program that runs, and of `overrides.toml`.

use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::sync::watch;

use super::load::ConfigError;
use super::overrides::{self, Candidate};
use super::running::{Change, Plan, Refused, Running};
use super::{By, Config, shelf};

/// What owners follow and the API shows.
#[derive(Clone, Debug)]
pub struct Settled {
    /// In force.
    pub now: Arc<Config>,
    /// As configured, which is in force after a restart.
    pub wanted: Arc<Config>,
    /// Keys that wait for a restart, or are wholly in force only then.
    pub restart: Vec<String>,
    /// What an operator should know, a sentence each.
    pub remarks: Vec<String>,
}

/// What was done.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// To which keys.
    pub change: Change,
    /// Why it is not stored and ends with the program, if so.
    pub not_stored: Option<String>,
    /// What is in force and configured from now on.
    pub settled: Settled,
}

/// See the module's words. Its methods read and write files.
#[derive(Debug)]
pub struct Keeper {
    running: Running,
    not_stored: Option<String>,
    published: watch::Sender<Settled>,
}

impl Keeper {
    /// Nothing is changed yet.
    #[must_use]
    pub fn new(started: Arc<Config>) -> Self {
        let running = Running::new(started);
        let published = watch::Sender::new(settled(&running, None));
        Self { running, not_stored: None, published }
    }

    /// What is in force, and what follows.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<Settled> {
        self.published.subscribe()
    }

    /// As the program was started.
    #[must_use]
    pub fn started(&self) -> &Config {
        self.running.started()
    }

    /// Changes what `wish` names ([`Running::plan`]) and stores it. All of it or nothing.
    /// What running owners follow is changed also where it cannot be stored: a device with
    /// a full disk can still be tuned.
    ///
    /// # Errors
    /// Why nothing was changed.
    pub fn change(&mut self, wish: &Map<String, Value>, by: By) -> Result<Outcome, Refused> {
        let Plan { wanted, changes, late } = self.running.plan(wish, by)?;
        if !changes && self.not_stored.is_none() {
            let change = Change { restart: self.running.restart(), ..Change::default() };
            return Ok(self.outcome(change));
        }
        let (wanted, not_stored) = match self.store(&wanted) {
            Ok(stored) => (stored, None),
            Err(reason) if !late.is_empty() => {
                return Err(Refused::NotStored { keys: late, reason });
            }
            Err(reason) => (wanted, Some(reason)),
        };
        Ok(self.settle(wanted, not_stored))
    }

    /// Reads all files again. What could not be stored is tried again and stays.
    ///
    /// # Errors
    /// What is wrong with the files; then nothing is changed.
    pub fn reload(&mut self) -> Result<Outcome, ConfigError> {
        let wanted = self.running.wanted().clone();
        let Some(places) = &wanted.written.places else {
            // Made of texts that lie nowhere; nothing can have changed.
            let change = Change { restart: self.running.restart(), ..Change::default() };
            return Ok(self.outcome(change));
        };
        let (unsaved, not_stored) = match self.not_stored.as_ref().map(|_| self.store(&wanted)) {
            Some(Err(reason)) => (Some(kept(&wanted)), Some(reason)),
            _ => (None, None),
        };
        match places.read(unsaved) {
            Ok(wanted) => Ok(self.settle(wanted, not_stored)),
            Err(error) => {
                // What could be stored now is, whatever else the files say.
                self.settle(Config::clone(&wanted), not_stored);
                Err(error)
            }
        }
    }

    /// Stores the overrides of `wanted`; gives it back as it is read from there.
    fn store(&self, wanted: &Config) -> Result<Config, String> {
        let (written, before) = (&wanted.written, &self.running.wanted().written);
        let text = overrides::write(&written.overrides);
        // What was not stored was never good to fall back to, and is as good as any.
        let put = shelf::put(&written.state_dir, &text, &overrides::write(&before.overrides));
        put.map_err(|error| format!("{}: {error}", shelf::file(&written.state_dir).display()))?;
        let file = shelf::file(&written.state_dir).display().to_string();
        let read = overrides::read(&file, &text).and_then(|overrides| {
            overrides::compose(&written.below, &overrides, &written.above, &written.state_dir)
        });
        let read = read.map(|mut config| {
            config.written.places.clone_from(&written.places);
            config
        });
        // The same values as those that were planned, with their lines.
        Ok(read.unwrap_or_else(|_| wanted.clone()))
    }

    fn settle(&mut self, wanted: Config, not_stored: Option<String>) -> Outcome {
        let change = self.running.take(wanted);
        self.not_stored = not_stored;
        self.published.send_replace(settled(&self.running, self.not_stored.as_ref()));
        self.outcome(change)
    }

    fn outcome(&self, change: Change) -> Outcome {
        let settled = self.published.borrow().clone();
        Outcome { change, not_stored: self.not_stored.clone(), settled }
    }
}

/// What is in memory alone, in place of what is on the disk.
fn kept(config: &Config) -> Candidate {
    let text = Ok(Some(overrides::write(&config.written.overrides)));
    Candidate { file: "overrides.toml, not stored".to_owned(), text }
}

fn settled(running: &Running, not_stored: Option<&String>) -> Settled {
    let wanted = running.wanted().clone();
    let mut remarks = wanted.remarks.clone();
    remarks.extend(not_stored.map(|reason| {
        format!(
            "what was changed through the API is not stored and ends with the program: {reason}"
        )
    }));
    Settled { now: Arc::new(running.now()), wanted, restart: running.restart(), remarks }
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
