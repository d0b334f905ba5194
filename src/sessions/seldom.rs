//! Log lines that a peer can cause: one in a while, with the count of the others.

use std::time::Duration;

/// Time between two lines.
const EVERY: Duration = Duration::from_secs(10);

/// When the last line was written, and what was not said since.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    said: Option<Duration>,
    suppressed: u64,
}

impl Seldom {
    /// Counts an event at `now`, a time that only rises. `Some`: it is to be told,
    /// with how many before it were not.
    pub fn tell(&mut self, now: Duration) -> Option<u64> {
        if self.said.is_some_and(|said| now.saturating_sub(said) < EVERY) {
            self.suppressed += 1;
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_event_is_told_or_counted_and_lines_keep_their_distance(
            steps in prop::collection::vec(0_u64..15, 0..80),
        ) {
            let (mut seldom, mut now, mut told, mut lines) = (Seldom::default(), 0, 0, Vec::new());
            for step in &steps {
                now += step;
                if let Some(suppressed) = seldom.tell(Duration::from_secs(now)) {
                    told += suppressed + 1;
                    lines.push(now);
                }
            }
            prop_assert_eq!(told + seldom.suppressed, steps.len() as u64);
            prop_assert!(lines.windows(2).all(|pair| pair[1] - pair[0] >= 10));
        }
    }
}
