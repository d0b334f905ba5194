//! The share of packets that a network loses, over the last moment.

use std::collections::VecDeque;
use std::time::Duration;

/// Fewer packets say nothing about a share; a full rendition has as many in 150 ms.
const FEWEST: u64 = 30;

/// What is looked at: as short as possible, or congestion lasts; longer where
/// there are few packets.
const SHORT: Duration = Duration::from_millis(400);
const LONG: Duration = Duration::from_secs(2);

/// Packets of one tick.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at: Duration,
    arrived: u64,
    lost: u64,
}

/// The last two seconds of fed back packets.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    marks: VecDeque<Mark>,
}

impl Traffic {
    /// Adds what was fed back since the last call; `at` only rises.
    pub fn add(&mut self, arrived: u64, lost: u64, at: Duration) {
        while self.marks.front().is_some_and(|mark| at - mark.at > LONG) {
            self.marks.pop_front();
        }
        if arrived + lost > 0 {
            self.marks.push_back(Mark { at, arrived, lost });
        }
    }

    /// Share of packets lost in the last moment before `now`; `None` while there are
    /// too few to tell.
    pub fn loss(&self, now: Duration) -> Option<f64> {
        let (mut arrived, mut lost) = (0, 0);
        for mark in self.marks.iter().rev() {
            let recent = now.saturating_sub(mark.at) <= SHORT;
            if !recent && arrived + lost >= FEWEST {
                break;
            }
            arrived += mark.arrived;
            lost += mark.lost;
        }
        (arrived + lost >= FEWEST).then(|| lost as f64 / (arrived + lost) as f64)
    }

    /// What came before says nothing about what comes now.
    pub fn forget(&mut self) {
        self.marks.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn only_the_last_moment_counts_where_there_are_many_packets() {
        let mut traffic = Traffic::default();
        (0..10).for_each(|tick| traffic.add(0, 30, ms(tick * 100)));
        (10..15).for_each(|tick| traffic.add(30, 0, ms(tick * 100)));
        assert_eq!(traffic.loss(ms(1400)), Some(0.0));
    }

    #[test]
    fn few_packets_are_looked_at_for_longer_and_too_few_say_nothing() {
        let mut traffic = Traffic::default();
        (0..10).for_each(|tick| traffic.add(3, 1, ms(tick * 150)));
        assert_eq!(traffic.loss(ms(1350)), Some(0.25));
        traffic.forget();
        traffic.add(10, 10, ms(1500));
        assert_eq!(traffic.loss(ms(1500)), None);
        traffic.add(10, 0, ms(4000));
        assert_eq!(traffic.loss(ms(4000)), None, "what was two seconds ago is forgotten");
    }

    proptest! {
        #[test]
        fn a_share_is_a_share_and_little_is_remembered(
            steps in prop::collection::vec((0_u64..60, 0_u64..60, 50_u64..500), 0..200),
        ) {
            let (mut traffic, mut now) = (Traffic::default(), 0);
            for (arrived, lost, wait) in steps {
                now += wait;
                traffic.add(arrived, lost, ms(now));
                prop_assert!(traffic.loss(ms(now)).is_none_or(|loss| (0.0..=1.0).contains(&loss)));
                prop_assert!(traffic.marks.len() <= 42);
            }
        }
    }
}
