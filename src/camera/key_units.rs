//! How often a form gets a key unit.

use std::time::{Duration, Instant};

use super::{Form, PerForm};

/// At most one key unit of a form in this time for all of its viewers together: each
/// costs everybody several times a delta picture's bits (facts on congestion).
pub(super) const KEY_UNIT_INTERVAL: Duration = Duration::from_millis(500);

/// Lets one wish through per [`KEY_UNIT_INTERVAL`]; those between come together.
#[derive(Debug, Default)]
pub(super) struct KeyUnitLimit {
    last: Option<Instant>,
    due: Option<Instant>,
}

impl KeyUnitLimit {
    /// Somebody wishes for a key unit.
    pub(super) fn wish(&mut self, now: Instant) {
        let next = self.last.map_or(now, |last| now.max(last + KEY_UNIT_INTERVAL));
        self.due.get_or_insert(next);
    }

    /// When the next one is to be asked for.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether one is to be asked for now; then it counts as asked.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let due = self.due.is_some_and(|due| due <= now);
        if due {
            (self.last, self.due) = (Some(now), None);
        }
        due
    }
}

/// The wishes for key units of every form, each form with its own limit.
#[derive(Debug)]
pub(super) struct Wishes {
    seen: PerForm<u64>,
    limits: PerForm<KeyUnitLimit>,
}

impl Wishes {
    /// `seen`: wishes so far, which are answered: an encoder begins with a key unit.
    pub(super) fn new(seen: PerForm<u64>) -> Self {
        Self { seen, limits: PerForm::default() }
    }

    /// So many wishes there are now.
    pub(super) fn wish(&mut self, wishes: PerForm<u64>, now: Instant) {
        for (form, limit) in self.limits.iter_mut() {
            if wishes[form] != self.seen[form] {
                limit.wish(now);
            }
        }
        self.seen = wishes;
    }

    /// When the next key unit is to be asked for.
    pub(super) fn due(&self) -> Option<Instant> {
        self.limits.iter().filter_map(|(_, limit)| limit.due()).min()
    }

    /// The forms to ask for a key unit now; they count as asked.
    pub(super) fn take(&mut self, now: Instant) -> impl Iterator<Item = Form> {
        self.limits.iter_mut().filter_map(move |(form, limit)| limit.take(now).then_some(form))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_second_key_unit_waits_for_its_interval() {
        let mut limit = KeyUnitLimit::default();
        let start = Instant::now();
        assert!(!limit.take(start), "nobody has asked");
        limit.wish(start);
        assert!(limit.take(start));
        let soon = start + Duration::from_millis(200);
        limit.wish(soon);
        assert!(!limit.take(soon));
        assert_eq!(limit.due(), Some(start + KEY_UNIT_INTERVAL));
        assert!(limit.take(start + KEY_UNIT_INTERVAL));
    }

    proptest! {
        #[test]
        fn every_wish_is_answered_and_answers_keep_their_distance(
            steps in prop::collection::vec((0_u64..300, any::<bool>()), 0..100),
        ) {
            let (mut limit, mut now) = (KeyUnitLimit::default(), Instant::now());
            let (mut answers, mut open) = (Vec::new(), None);
            for (step, wished) in steps {
                now += Duration::from_millis(step);
                if wished {
                    limit.wish(now);
                    open.get_or_insert(now);
                }
                if limit.take(now) {
                    answers.push(now);
                    open = None;
                }
                prop_assert_eq!(limit.due().is_some(), open.is_some());
                let waited = open.map_or(Duration::ZERO, |since| now - since);
                prop_assert!(waited < KEY_UNIT_INTERVAL);
            }
            prop_assert!(answers.windows(2).all(|pair| pair[1] - pair[0] >= KEY_UNIT_INTERVAL));
        }
    }
}
