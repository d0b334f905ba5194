//! Forms that are missing because their encoder gave up, and for how long.

use std::time::{Duration, Instant};

use super::{Form, PerForm};

/// How long an encoder that gave up is left alone: whoever else held it may have let go
/// by then, and each try moves the viewers of the low form there and back.
pub const WAIT: Duration = Duration::from_secs(60);

/// What is missing, and until when.
#[derive(Debug)]
pub(super) struct Absences {
    wait: Duration,
    until: PerForm<Option<Instant>>,
}

impl Absences {
    /// Nothing is missing; what fails will be for `wait`.
    pub(super) fn new(wait: Duration) -> Self {
        Self { wait, until: PerForm::default() }
    }

    /// How long a form is missing.
    pub(super) fn wait(&self) -> Duration {
        self.wait
    }

    /// `form` has failed; false if it is missing already.
    pub(super) fn begin(&mut self, form: Form, now: Instant) -> bool {
        let news = self.until[form].is_none();
        self.until[form].get_or_insert(now + self.wait);
        news
    }

    /// When the next form is to be tried again.
    pub(super) fn due(&self) -> Option<Instant> {
        self.until.iter().filter_map(|(_, until)| *until).min()
    }

    /// The forms to try again now; they no longer count as missing.
    pub(super) fn take(&mut self, now: Instant) -> impl Iterator<Item = Form> {
        self.until
            .iter_mut()
            .filter_map(move |(form, until)| until.take_if(|until| *until <= now).map(|_| form))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_form_is_missing_for_its_wait_from_the_first_failure_on() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut absences = Absences::new(WAIT);
        assert_eq!(absences.due(), None);
        assert!(absences.begin(Form::Low, start));
        assert!(!absences.begin(Form::Low, start + second), "more of the same");
        assert!(absences.begin(Form::Vp8, start + second), "each form for itself");
        assert_eq!(absences.due(), Some(start + WAIT));
        assert_eq!(absences.take(start + WAIT - second).count(), 0);
        assert!(absences.take(start + WAIT).eq([Form::Low]));
        assert_eq!(absences.due(), Some(start + WAIT + second));
        assert!(absences.begin(Form::Low, start + WAIT), "it has failed again");
        assert!(absences.take(start + 2 * WAIT).eq([Form::Low, Form::Vp8]));
        assert_eq!(absences.due(), None);
    }

    proptest! {
        #[test]
        fn who_looks_when_it_is_due_ends_each_absence_after_its_wait(
            steps in prop::collection::vec((0_u64..40, 0_usize..4), 0..100),
        ) {
            let (mut absences, mut now) = (Absences::new(WAIT), Instant::now());
            let mut since = PerForm::<Option<Instant>>::default();
            for (seconds, failed) in steps {
                let next = now + Duration::from_secs(seconds);
                while let Some(due) = absences.due().filter(|due| *due <= next) {
                    for form in absences.take(due).collect::<Vec<_>>() {
                        let began = since[form].take();
                        prop_assert_eq!(began, Some(due - WAIT));
                    }
                }
                now = next;
                if let Some(form) = Form::ALL.get(failed) {
                    prop_assert_eq!(absences.begin(*form, now), since[*form].is_none());
                    since[*form].get_or_insert(now);
                }
                let missing = since.iter().filter_map(|(_, since)| *since).min();
                prop_assert_eq!(absences.due(), missing.map(|since| since + WAIT));
            }
        }
    }
}
