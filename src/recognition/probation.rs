//! Whether a model that is new on this device does well in its first minute.
//!
//! Pure: its owner tells it at times what has happened since.

use std::time::Duration;

/// Time with results after which a model is trusted.
const MINUTE: Duration = Duration::from_secs(60);
/// A model that gives nothing for so long, while there are frames, does not work.
const SILENCE: Duration = Duration::from_secs(10);

/// How far a trial has got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probation {
    /// Time in which results came.
    good: Duration,
    /// Time without a result since the last one, in which there was something to read.
    silent: Duration,
}

/// What has happened in a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observed {
    /// There were results.
    Results,
    /// Frames were read, or one is being read, and gave none.
    Silence,
    /// There was nothing to read.
    Nothing,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Pending,
    /// The model is good.
    Passed,
    /// The model does not work.
    Failed,
}

impl Probation {
    /// Takes what has happened in the last `time`.
    pub fn on(&mut self, observed: Observed, time: Duration) -> Verdict {
        match observed {
            Observed::Results => {
                self.good += time;
                self.silent = Duration::ZERO;
            }
            Observed::Silence => self.silent += time,
            Observed::Nothing => {}
        }
        match () {
            () if self.silent >= SILENCE => Verdict::Failed,
            () if self.good >= MINUTE => Verdict::Passed,
            () => Verdict::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STEP: Duration = Duration::from_millis(500);

    fn after(steps: &[(Observed, u32)]) -> Verdict {
        let mut probation = Probation::default();
        let all = steps.iter().flat_map(|(observed, times)| (0..*times).map(|_| *observed));
        all.map(|observed| probation.on(observed, STEP)).last().unwrap_or(Verdict::Pending)
    }

    #[test]
    fn a_minute_with_results_is_enough() {
        assert_eq!(after(&[(Observed::Results, 119)]), Verdict::Pending);
        assert_eq!(after(&[(Observed::Results, 120)]), Verdict::Passed);
        let halting = [(Observed::Results, 60), (Observed::Silence, 19), (Observed::Results, 60)];
        assert_eq!(after(&halting), Verdict::Passed);
    }

    #[test]
    fn ten_seconds_of_silence_are_too_much() {
        assert_eq!(after(&[(Observed::Silence, 19)]), Verdict::Pending);
        assert_eq!(after(&[(Observed::Silence, 20)]), Verdict::Failed);
        let halting = [(Observed::Silence, 10), (Observed::Results, 1), (Observed::Silence, 10)];
        assert_eq!(after(&halting), Verdict::Pending);
    }

    #[test]
    fn without_a_camera_nothing_is_decided() {
        assert_eq!(after(&[(Observed::Nothing, 10_000)]), Verdict::Pending);
        let unplugged = [(Observed::Silence, 19), (Observed::Nothing, 999), (Observed::Silence, 1)];
        assert_eq!(after(&unplugged), Verdict::Failed);
    }

    proptest! {
        #[test]
        fn it_passes_with_results_and_fails_without(
            seen in prop::collection::vec(0_u8..3, 0..400),
        ) {
            let mut probation = Probation::default();
            let mut last = None;
            for kind in seen {
                let observed = [Observed::Results, Observed::Silence, Observed::Nothing][usize::from(kind)];
                let verdict = probation.on(observed, STEP);
                match verdict {
                    Verdict::Passed => prop_assert!(probation.good >= MINUTE),
                    Verdict::Failed => prop_assert!(probation.silent >= SILENCE),
                    Verdict::Pending => {}
                }
                last = Some(verdict);
                if verdict != Verdict::Pending { break }
            }
            let _ = last;
        }
    }
}
