//! Which of the frames that wait is read next.
//!
//! A device that is fast enough on the whole may still be busy with something
//! else for a tenth of a second. Were only the newest frame read after that, the
//! window would have a hole, and the sign under way would be lost. So frames wait
//! for a moment and are taken one period of the model apart until none waits. A
//! device that is too slow on the whole would only fall behind by that: it reads
//! the newest. Pure: time is the frames' own.

use std::collections::VecDeque;
use std::time::Duration;

/// A step may be longer than the period by one part in this many: a camera's
/// frames are not quite evenly apart.
const JITTER: u32 = 8;
/// Frames that wait at most: 0.4 s at 30 a second, and no more than 40 MB in 1080p.
const LIMIT: usize = 12;
/// How long only the newest is taken after frames were lost twice within
/// [`GOOD_WHILE`]; doubled each time that it was in vain.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A device that kept up for so long is fast enough, and was busy with something else.
const GOOD_WHILE: Duration = Duration::from_secs(10);

/// Frames that wait, oldest first, with the times at which they were taken.
#[derive(Debug)]
pub struct Backlog<F> {
    /// Longest time from one frame to the next that still fills a window.
    step: Option<Duration>,
    waiting: VecDeque<(Duration, F)>,
    /// When the frame that was read last was taken.
    last: Duration,
    /// Only the newest is read until then, and steps are taken since.
    until: Duration,
    /// The next pause, if it comes before a good while is over.
    pause: Duration,
}

impl<F> Backlog<F> {
    /// For windows whose elements lie `period` apart; without one only the newest
    /// frame matters.
    #[must_use]
    pub fn new(period: Option<Duration>) -> Self {
        Self {
            step: period.map(|period| period + period / JITTER),
            waiting: VecDeque::new(),
            last: Duration::ZERO,
            until: Duration::ZERO,
            pause: Duration::ZERO,
        }
    }

    /// One more frame waits, taken at `at`; behind too many others, it alone does.
    pub fn push(&mut self, at: Duration, frame: F) {
        if self.waiting.len() >= LIMIT {
            self.lost();
        }
        self.waiting.push_back((at, frame));
    }

    /// More frames came than could wait, and the oldest are gone: there is a hole
    /// already, so that nothing is gained by reading the rest.
    pub fn lost(&mut self) {
        let at = self.waiting.back().map_or(self.last, |(at, _)| *at);
        self.waiting.clear();
        if at < self.until {
            return;
        }
        if at > self.until + GOOD_WHILE {
            self.pause = Duration::ZERO;
        }
        self.until = at + self.pause;
        self.pause = (self.pause * 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
    }

    /// Whether no frame waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The frame to read now; those before it are let go.
    pub fn take(&mut self) -> Option<F> {
        let newest = self.waiting.back()?.0;
        let due = match self.step {
            Some(step) if newest >= self.until => self.last + step,
            _ => newest,
        };
        let due = self.waiting.iter().take_while(|(at, _)| *at <= due).count();
        self.waiting.drain(..due.saturating_sub(1));
        let (at, frame) = self.waiting.pop_front()?;
        self.last = at;
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PERIOD: Duration = Duration::from_nanos(66_666_667);

    /// Running time of a 30 fps camera's frame.
    fn at(frame: u64) -> Duration {
        Duration::from_nanos(frame * 1_000_000_000 / 30)
    }

    /// Frame 1 was read.
    fn begun(period: Option<Duration>) -> Backlog<u64> {
        let mut backlog = Backlog::new(period);
        backlog.push(at(1), 1);
        assert_eq!(backlog.take(), Some(1));
        backlog
    }

    fn backlog() -> Backlog<u64> {
        begun(Some(PERIOD))
    }

    fn push(backlog: &mut Backlog<u64>, frames: std::ops::RangeInclusive<u64>) {
        frames.for_each(|frame| backlog.push(at(frame), frame));
    }

    fn all(backlog: &mut Backlog<u64>) -> Vec<u64> {
        std::iter::from_fn(|| backlog.take()).collect()
    }

    #[test]
    fn a_fast_device_reads_every_frame() {
        let mut backlog = backlog();
        for frame in 2..40 {
            push(&mut backlog, frame..=frame);
            assert_eq!(all(&mut backlog), [frame]);
        }
    }

    #[test]
    fn what_waited_is_read_a_period_apart_until_none_waits() {
        let mut backlog = backlog();
        push(&mut backlog, 2..=8);
        assert_eq!(all(&mut backlog), [3, 5, 7, 8]);
    }

    #[test]
    fn without_a_window_the_newest_is_read() {
        let mut backlog = begun(None);
        push(&mut backlog, 2..=8);
        assert_eq!(all(&mut backlog), [8]);
    }

    #[test]
    fn after_one_loss_steps_go_on_at_once() {
        let mut backlog = backlog();
        push(&mut backlog, 2..=8);
        backlog.lost();
        assert!(backlog.is_empty());
        push(&mut backlog, 20..=24);
        assert_eq!(all(&mut backlog), [20, 22, 24]);
    }

    #[test]
    fn more_than_the_limit_is_a_loss() {
        let mut backlog = backlog();
        push(&mut backlog, 2..=14);
        assert_eq!(all(&mut backlog), [14]);
    }

    #[test]
    fn a_device_that_is_too_slow_reads_the_newest() {
        let mut backlog = backlog();
        let mut late = 0;
        for frame in (2..6000).step_by(3) {
            push(&mut backlog, frame..=frame + 2);
            late += u64::from(backlog.take() != Some(frame + 2));
        }
        assert!(late < 200, "{late} of 2000 were not the newest");
    }

    #[test]
    fn losses_in_a_row_make_pauses_longer_and_a_good_while_ends_that() {
        let mut backlog = backlog();
        let mut frame = 1;
        let mut pause = |backlog: &mut Backlog<u64>, good: u64| {
            frame += good;
            push(backlog, frame..=frame);
            backlog.take();
            backlog.lost();
            let lost = frame;
            while at(frame) < backlog.until {
                frame += 1;
                push(backlog, frame..=frame);
                backlog.take();
            }
            (frame - lost) / 30
        };
        assert_eq!([0; 9].map(|_| pause(&mut backlog, 1)), [0, 1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pause(&mut backlog, 11 * 30), 0);
    }

    #[test]
    fn time_that_starts_anew_is_read_on() {
        let mut backlog = backlog();
        push(&mut backlog, 900..=903);
        assert_eq!(all(&mut backlog), [900, 902, 903]);
        push(&mut backlog, 1..=3);
        assert_eq!(backlog.take(), Some(3));
    }

    proptest! {
        /// Whatever comes when: order is kept, nothing is read twice, and no step is longer
        /// than a window can bear while a nearer frame waited.
        #[test]
        fn order_is_kept_and_steps_are_bounded(busy in prop::collection::vec(0_u64..9, 1..200)) {
            let (mut backlog, mut next, mut last) = (backlog(), 2, 1);
            for arrived in busy {
                for frame in next..next + arrived {
                    backlog.push(at(frame), frame);
                }
                next += arrived;
                let waited = backlog.waiting.front().map(|(_, frame)| *frame);
                let Some(taken) = backlog.take() else { continue };
                prop_assert!(taken < next && backlog.waiting.len() < LIMIT);
                let stepped = at(next - 1) >= backlog.until;
                prop_assert!(taken > last);
                prop_assert!(!stepped || taken <= last + 2 || Some(taken) == waited);
                last = taken;
            }
        }
    }
}
