//! How many lines the log takes. Pure: time is a parameter.

use std::collections::VecDeque;
use std::time::Duration;

pub(super) const WINDOW: Duration = Duration::from_secs(1);

/// What becomes of a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// It is written.
    Write,
    /// It is written, after a line that says how many others were not.
    WriteAfter(u64),
    /// It is counted.
    LeaveOut,
}

/// When the last lines were written, and how many were not since.
#[derive(Debug)]
pub(super) struct Limit {
    most: usize,
    written: VecDeque<Duration>,
    left_out: u64,
}

impl Limit {
    /// `most`: lines in any [`WINDOW`], two at least.
    pub(super) fn new(most: usize) -> Self {
        Self { most, written: VecDeque::new(), left_out: 0 }
    }

    /// Lines in any [`WINDOW`].
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Decides on a line at `now`, a time that only rises.
    pub(super) fn take(&mut self, now: Duration) -> Verdict {
        if self.left_out == 0 && self.has_room(1, now) {
            self.written.push_back(now);
            return Verdict::Write;
        }
        if self.left_out > 0 && self.has_room(2, now) {
            self.written.extend([now, now]);
            return Verdict::WriteAfter(std::mem::take(&mut self.left_out));
        }
        self.left_out += 1;
        Verdict::LeaveOut
    }

    /// How many lines were left out, if that may be said now.
    pub(super) fn tell(&mut self, now: Duration) -> Option<u64> {
        if self.left_out == 0 || !self.has_room(1, now) {
            return None;
        }
        self.written.push_back(now);
        Some(std::mem::take(&mut self.left_out))
    }

    fn has_room(&mut self, lines: usize, now: Duration) -> bool {
        self.written.retain(|written| now.saturating_sub(*written) < WINDOW);
        self.written.len() + lines <= self.most
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_line_is_written_or_counted_and_no_second_has_too_many(
            most in 2_usize..20,
            steps in prop::collection::vec((0_u64..600, any::<bool>()), 0..200),
        ) {
            let (mut limit, mut now, mut lines) = (Limit::new(most), 0, Vec::new());
            let (mut asked, mut written, mut counted) = (0, 0, 0);
            for (step, asks) in steps {
                now += step;
                let at = Duration::from_millis(now);
                if asks {
                    asked += 1;
                    match limit.take(at) {
                        Verdict::Write => (written += 1, lines.push(at)).0,
                        Verdict::WriteAfter(others) => {
                            (written, counted) = (written + 1, counted + others);
                            lines.extend([at, at]);
                        }
                        Verdict::LeaveOut => {}
                    }
                } else if let Some(others) = limit.tell(at) {
                    counted += others;
                    lines.push(at);
                }
            }
            prop_assert_eq!(written + counted + limit.left_out, asked);
            prop_assert!(lines.windows(most + 1).all(|some| some[most] - some[0] >= WINDOW));
        }
    }
}
