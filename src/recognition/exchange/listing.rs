//! What is told about the models of this device.

use std::time::SystemTime;

use crate::model::Bundle;
use crate::model::selection::{Choice, Selection};
use crate::model::store::Stored;

/// The models of this device.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// The configured one first, then those that were brought, by name.
    pub models: Vec<Listed>,
    /// The last one that failed its trial, until another is activated.
    pub turned_down: Option<TurnedDown>,
    /// Proofs of those that this device has tried; see [`Selection::is_proven`].
    pub(super) selection: Selection,
}

/// One model.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Which one.
    pub choice: Choice,
    /// What it is.
    pub bundle: Bundle,
    /// What it does.
    pub state: State,
    /// When it was brought; none for the device's own.
    pub brought: Option<SystemTime>,
}

impl Listed {
    /// What no other is called.
    #[must_use]
    pub fn id(&self) -> &str {
        match &self.choice {
            Choice::Configured => OWN,
            Choice::Stored(id) => id,
        }
    }
}

/// The device's own among the others' ids, which have digits at their ends.
const OWN: &str = "device";

/// What a model of this device does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It reads.
    Active,
    /// It reads, and is put back if it fails in its first minute.
    OnTrial,
    /// It comes back if the one on trial fails.
    Before,
    /// It could be activated.
    Stored,
}

/// A model that was put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnedDown {
    /// Its name and version.
    pub title: String,
    /// Why.
    pub reason: String,
}

impl Listing {
    pub(super) fn new(
        selection: &Selection,
        configured: Option<Bundle>,
        stored: Vec<Stored>,
    ) -> Self {
        let listed = |choice: Choice, bundle, brought| {
            let state = match selection.before() {
                Some(_) if choice == *selection.active() => State::OnTrial,
                Some(before) if choice == *before => State::Before,
                None if choice == *selection.active() => State::Active,
                _ => State::Stored,
            };
            Listed { choice, bundle, state, brought }
        };
        let configured = configured.map(|bundle| listed(Choice::Configured, bundle, None));
        let stored = stored.into_iter().map(|Stored { id, bundle, brought }| {
            listed(Choice::Stored(id), bundle, Some(brought))
        });
        let turned_down = selection
            .turned_down()
            .map(|down| TurnedDown { title: down.title.clone(), reason: down.reason.clone() });
        let models = configured.into_iter().chain(stored).collect();
        Self { models, turned_down, selection: selection.clone() }
    }

    /// What the one does that reads.
    #[must_use]
    pub fn task(&self) -> Option<&'static str> {
        let reads = |listed: &&Listed| matches!(listed.state, State::Active | State::OnTrial);
        self.models.iter().find(reads).map(|listed| listed.bundle.manifest.task.name())
    }

    /// The one of this id, or of this name; of several versions the one that was brought last.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Listed> {
        let of_name = |listed: &&Listed| listed.bundle.manifest.name == name;
        let newest = || self.models.iter().filter(of_name).max_by_key(|listed| listed.brought);
        self.models.iter().find(|listed| listed.id() == name).or_else(newest)
    }
}
