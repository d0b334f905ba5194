//! What is signed, in the log: only where the configuration allows it, because what
//! people sign is their own. Pure: time is a parameter.

use std::time::Duration;

/// Lines in a second; nobody signs faster, and what flickers must not fill the log.
const LINES: u32 = 5;
const SECOND: Duration = Duration::from_secs(1);

/// How many lines there were in this second, and how many signs were left out.
#[derive(Debug, Default)]
pub struct Diary {
    began: Option<Duration>,
    lines: u32,
    left_out: u64,
}

impl Diary {
    /// Counts a sign at `now`, a time that only rises. `Some`: it may be told, with how
    /// many before it were not.
    pub fn note(&mut self, now: Duration) -> Option<u64> {
        if self.began.is_none_or(|began| now.saturating_sub(began) >= SECOND) {
            (self.began, self.lines) = (Some(now), 0);
        }
        if self.lines >= LINES {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_sign_is_told_or_counted_and_no_second_has_more_than_its_lines(
            steps in prop::collection::vec(0_u64..700, 0..120),
        ) {
            let (mut diary, mut now, mut told, mut lines) = (Diary::default(), 0, 0, Vec::new());
            for step in &steps {
                now += step;
                if let Some(left_out) = diary.note(Duration::from_millis(now)) {
                    told += left_out + 1;
                    lines.push(now);
                }
            }
            prop_assert_eq!(told + diary.left_out, steps.len() as u64);
            // Two neighbouring seconds may share what a moving second sees.
            let most = lines.iter().map(|from| {
                lines.iter().filter(|at| (*from..from + 1000).contains(*at)).count()
            });
            prop_assert!(most.max().unwrap_or(0) <= 2 * LINES as usize);
        }
    }
}
