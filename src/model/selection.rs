//! Which bundle is active, which one stands in for it when it fails, and what was tried.
//!
//! Pure: the owner writes every new state to the disk before it acts on it, so a program that
//! is ended by a model knows at its next start which one that was.

use serde::{Deserialize, Serialize};

/// Bundles whose golden clip this device has read as expected; the oldest is forgotten, and
/// is tried again when it is wanted.
const MAX_PROVEN: usize = 32;

/// A bundle of this device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// The one of `model.bundle`.
    #[default]
    Configured,
    /// One that was brought, by its folder's name in the store.
    Stored(String),
}

/// A bundle that is on trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// What comes back when it fails.
    before: Choice,
    /// Name and version of that one.
    #[serde(default)]
    title: String,
    /// Whether the program may have loaded it and has not ended in order since.
    running: bool,
    /// By what it is known once it has done well, where that is not known yet.
    #[serde(default)]
    proof: Option<String>,
}

/// A bundle that failed its trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnedDown {
    /// Which one.
    pub choice: Choice,
    /// Its name and version.
    pub title: String,
    /// Why, in the operator's words.
    pub reason: String,
}

/// What is on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Selection {
    active: Choice,
    /// Name and version of the active one, for when it can no longer be read.
    title: String,
    trial: Option<Trial>,
    /// The active one has been decided on, and does not read yet.
    loading: bool,
    turned_down: Option<TurnedDown>,
    /// Proofs, oldest first: of which bundle by which program, as the owner writes them.
    proven: Vec<String>,
}

impl Selection {
    /// What is to be loaded.
    #[must_use]
    pub fn active(&self) -> &Choice {
        &self.active
    }

    /// What comes back if the active one fails; `None` when it is on no trial.
    #[must_use]
    pub fn before(&self) -> Option<&Choice> {
        self.trial.as_ref().map(|trial| &trial.before)
    }

    /// Folders of the store that may be needed.
    #[must_use]
    pub fn in_use(&self) -> Vec<&str> {
        let both = [Some(&self.active), self.before()];
        let stored = both.into_iter().flatten().filter_map(|choice| match choice {
            Choice::Stored(id) => Some(id.as_str()),
            Choice::Configured => None,
        });
        stored.collect()
    }

    /// The last one that failed, until another is activated.
    #[must_use]
    pub fn turned_down(&self) -> Option<&TurnedDown> {
        self.turned_down.as_ref()
    }

    /// Whether this device has read its golden clip as expected.
    #[must_use]
    pub fn is_proven(&self, proof: &str) -> bool {
        self.proven.iter().any(|known| known == proof)
    }

    /// Its golden clip was read as expected.
    pub fn prove(&mut self, proof: String) {
        self.proven.retain(|known| *known != proof);
        if self.proven.len() == MAX_PROVEN {
            self.proven.remove(0);
        }
        self.proven.push(proof);
    }

    /// Another bundle is activated, and on trial from now on.
    pub fn activate(&mut self, choice: Choice, title: String) {
        // What is on trial itself is nothing to come back to.
        let now = (self.active.clone(), self.title.clone());
        let (before, good) = self.trial.take().map_or(now, |trial| (trial.before, trial.title));
        self.turned_down = None;
        if choice != before {
            self.trial = Some(Trial { before, title: good, running: true, proof: None });
        }
        (self.active, self.title, self.loading) = (choice, title, true);
    }

    /// The active bundle reads.
    pub fn loaded(&mut self) {
        self.loading = false;
    }

    /// Whether the active bundle does not read yet.
    #[must_use]
    pub fn is_loading(&self) -> bool {
        self.loading
    }

    /// The active bundle is known by this, and was tried by another program only: it is on
    /// trial anew, and the configured one stands in for it.
    pub fn try_anew(&mut self, proof: String) {
        if self.active != Choice::Configured && self.trial.is_none() {
            self.trial = Some(Trial {
                before: Choice::Configured,
                title: String::new(),
                running: true,
                proof: Some(proof),
            });
        }
    }

    /// The active bundle has done well for long enough.
    pub fn pass(&mut self) {
        if let Some(proof) = self.trial.take().and_then(|trial| trial.proof) {
            self.prove(proof);
        }
    }

    /// The active bundle has failed; whether another takes its place.
    pub fn fail(&mut self, reason: String) -> bool {
        let (choice, title) = (self.active.clone(), std::mem::take(&mut self.title));
        self.turned_down = Some(TurnedDown { choice, title, reason });
        self.loading = false;
        match self.trial.take() {
            Some(trial) => {
                (self.active, self.title) = (trial.before, trial.title);
                true
            }
            None => false,
        }
    }

    /// The active bundle has failed, and nothing stands in for it but the configured one.
    pub fn forget(&mut self) {
        self.active = Choice::Configured;
    }

    /// The program ends in order: its end is not the bundle's doing.
    pub fn stop(&mut self) {
        if let Some(trial) = &mut self.trial {
            trial.running = false;
        }
    }

    /// The program starts; whether the bundle before comes back, because the active one may
    /// have ended the program.
    pub fn start(&mut self) -> bool {
        match &mut self.trial {
            Some(Trial { running: true, .. }) => {
                self.fail("the program ended while it was on trial".to_owned())
            }
            Some(trial) => {
                trial.running = true;
                false
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stored(id: &str) -> Choice {
        Choice::Stored(id.to_owned())
    }

    fn on_trial(id: &str) -> Selection {
        let mut selection = Selection::default();
        selection.activate(stored(id), id.to_owned());
        selection
    }

    #[test]
    fn a_bundle_that_does_well_stays() {
        let mut selection = on_trial("a");
        assert_eq!(selection.before(), Some(&Choice::Configured));
        selection.pass();
        assert!(!selection.start());
        assert_eq!((selection.active(), selection.before()), (&stored("a"), None));
    }

    #[test]
    fn one_that_fails_makes_room_for_the_last_good_one() {
        let mut selection = on_trial("a");
        selection.pass();
        selection.activate(stored("b"), "b 1".into());
        selection.activate(stored("c"), "c 1".into());
        assert!(selection.fail("it reads nothing".into()));
        assert_eq!(selection.active(), &stored("a"));
        let told = selection.turned_down().map(|it| (it.title.as_str(), it.reason.as_str()));
        assert_eq!(told, Some(("c 1", "it reads nothing")));
        selection.activate(stored("d"), "d 1".into());
        assert_eq!(selection.turned_down(), None);
    }

    #[test]
    fn a_crash_is_the_trials_end_and_an_orderly_stop_is_not() {
        let mut stopped = on_trial("a");
        stopped.stop();
        assert!(!stopped.start());
        assert_eq!(stopped.active(), &stored("a"));
        // On trial anew, and now the program is ended.
        assert!(stopped.start());
        assert_eq!(stopped.active(), &Choice::Configured);
        assert!(!stopped.start());
    }

    #[test]
    fn what_another_program_tried_is_on_trial_anew_and_known_when_it_has_passed() {
        let mut selection = on_trial("a");
        selection.pass();
        selection.try_anew("a by 2".into());
        assert_eq!(selection.before(), Some(&Choice::Configured));
        assert!(!selection.is_proven("a by 2"));
        selection.pass();
        assert!(selection.is_proven("a by 2"));
        selection.try_anew("a by 3".into());
        assert!(selection.start(), "it has ended the program");
        let told = selection.turned_down().map(|it| it.title.as_str());
        assert_eq!((selection.active(), told), (&Choice::Configured, Some("a")));
        selection.try_anew("by 3".into());
        assert_eq!(selection.before(), None, "nothing stands in for the configured one");
    }

    #[test]
    fn a_title_comes_back_with_its_bundle() {
        let mut selection = on_trial("a");
        selection.pass();
        selection.activate(stored("b"), "b 1".into());
        assert!(selection.fail("x".into()) && !selection.fail("y".into()));
        let told = selection.turned_down().map(|it| (it.title.as_str(), it.reason.as_str()));
        assert_eq!(told, Some(("a", "y")));
    }

    #[test]
    fn back_to_the_last_good_one_is_no_trial() {
        let mut selection = on_trial("a");
        selection.activate(Choice::Configured, "fingerspelling 1".into());
        assert_eq!(selection.before(), None);
        assert!(!selection.fail("cannot be read".into()), "nothing can take its place");
    }

    #[test]
    fn proofs_are_bounded_and_the_newest_are_kept() {
        let mut selection = Selection::default();
        (0..100).for_each(|n| selection.prove(n.to_string()));
        selection.prove("70".into());
        assert_eq!(selection.proven.len(), MAX_PROVEN);
        assert!(
            selection.is_proven("99") && selection.is_proven("70") && !selection.is_proven("3")
        );
    }

    proptest! {
        /// Whatever happens: what comes back was active and passed, or is the configured one.
        #[test]
        fn only_what_passed_comes_back(events in prop::collection::vec(0_u8..6, 0..60)) {
            let (mut selection, mut good, mut n) = (Selection::default(), vec![Choice::Configured], 0);
            for event in events {
                match event {
                    0 => { n += 1; selection.activate(stored(&n.to_string()), n.to_string()); }
                    1 => { selection.loaded(); selection.pass(); good.push(selection.active().clone()); }
                    2 => { selection.fail("x".into()); prop_assert!(good.contains(selection.active())); }
                    3 => selection.stop(),
                    4 => { if selection.start() { prop_assert!(good.contains(selection.active())); } }
                    _ => {
                        let text = serde_json::to_string(&selection).unwrap_or_default();
                        let read: Selection = serde_json::from_str(&text).unwrap_or_default();
                        prop_assert_eq!(&read, &selection);
                    }
                }
                if let Some(before) = selection.before() { prop_assert!(good.contains(before)); }
            }
        }
    }
}
