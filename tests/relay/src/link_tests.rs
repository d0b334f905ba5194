use proptest::prelude::*;

use super::*;

const PACKET: usize = 1000;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn link(settings: Settings) -> Link {
    let mut link = Link::new(7);
    link.set(settings, Duration::ZERO);
    link
}

/// Sends a packet a millisecond for `count` milliseconds and returns when each arrived.
fn arrivals(link: &mut Link, count: u64) -> Vec<Duration> {
    for n in 0..count {
        link.push(vec![0; PACKET], ms(n));
    }
    let mut times = Vec::new();
    while let Some(at) = link.wakes_at() {
        while link.pop(at).is_some() {
            times.push(at);
        }
    }
    times
}

#[test]
fn an_idle_link_passes_everything_at_once() {
    let times = arrivals(&mut link(Settings::default()), 3);
    assert_eq!(times, [ms(0), ms(1), ms(2)]);
}

#[test]
fn delay_moves_every_packet_by_itself() {
    let times = arrivals(&mut link(Settings { delay: ms(50), ..Settings::default() }), 3);
    assert_eq!(times, [ms(50), ms(51), ms(52)]);
}

#[test]
fn jitter_stretches_and_never_overtakes() {
    let settings = Settings { delay: ms(10), jitter: ms(20), ..Settings::default() };
    let times = arrivals(&mut link(settings), 200);
    assert!(times.is_sorted());
    let late = |(n, at): (usize, &Duration)| *at - ms(n as u64);
    let added: Vec<Duration> = times.iter().enumerate().map(late).collect();
    assert!(added.iter().all(|added| (ms(10)..=ms(30)).contains(added)), "{added:?}");
    assert!(added.iter().any(|added| *added > ms(20)), "{added:?}");
}

#[test]
fn a_bottleneck_sends_at_its_rate_and_drops_the_tail() {
    // 1000 bytes a millisecond come, 1000 bytes in 8 ms leave, 5 packets fit.
    let settings = Settings { rate_bps: 1_000_000, queue_bytes: 5 * PACKET, ..Settings::default() };
    let mut link = link(settings);
    let times = arrivals(&mut link, 80);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == ms(8)), "{times:?}");
    let tally = link.tally();
    assert_eq!((tally.packets, tally.packets + tally.overflowed), (times.len() as u64, 80));
    assert_eq!(times.len(), 80 / 8 + 5 - 1);
}

#[test]
fn what_is_queued_meets_a_new_rate() {
    let slow = Settings { rate_bps: 8_000, queue_bytes: 5 * PACKET, ..Settings::default() };
    let mut link = link(slow);
    link.push(vec![0; PACKET], ms(0));
    link.push(vec![0; PACKET], ms(0));
    link.set(Settings { rate_bps: 8_000_000, ..slow }, ms(500));
    assert_eq!(link.wakes_at(), Some(ms(1000)), "the one that is being sent keeps its time");
    assert!(link.pop(ms(1000)).is_some());
    assert_eq!(link.wakes_at(), Some(ms(1001)));
    link.set(Settings::default(), ms(1000));
    assert!(link.pop(ms(1000)).is_some(), "without a bottleneck nothing waits");
}

#[test]
fn an_outage_swallows_what_enters_and_nothing_else() {
    let settings = Settings { delay: ms(50), ..Settings::default() };
    let mut link = link(settings);
    link.push(vec![1], ms(0));
    link.set(Settings { outage: true, ..settings }, ms(10));
    link.push(vec![2], ms(10));
    link.set(settings, ms(20));
    link.push(vec![3], ms(20));
    assert_eq!(link.pop(ms(100)), Some(vec![1]));
    assert_eq!(link.pop(ms(100)), Some(vec![3]));
    assert_eq!(link.tally().cut, 1);
}

#[test]
fn losses_come_in_their_share_and_in_runs_of_their_length() {
    for burst in [0.0, 8.0] {
        let mut link = link(Settings { loss: 0.05, burst, ..Settings::default() });
        let (mut runs, mut losing) = (0_u32, false);
        for n in 0..100_000 {
            link.push(vec![0], ms(n));
            let lost = link.pop(ms(n)).is_none();
            runs += u32::from(lost && !losing);
            losing = lost;
        }
        let lost = link.tally().lost as f64;
        assert!((0.04..0.06).contains(&(lost / 100_000.0)), "burst {burst}: {lost} lost");
        let length = lost / f64::from(runs.max(1));
        let expected = if burst > 1.0 { burst } else { 1.05 };
        assert!((0.8..1.25).contains(&(length / expected)), "burst {burst}: runs of {length}");
    }
}

proptest! {
    #[test]
    fn every_packet_is_counted_once(
        loss in 0.0..1.0_f64,
        burst in 0.0..10.0_f64,
        rate_bps in 0_u64..2_000_000,
        queue_bytes in 0_usize..20_000,
        delay in 0_u64..300,
        count in 0_u64..300,
    ) {
        let rate_bps = if rate_bps < 8_000 { 0 } else { rate_bps };
        let settings =
            Settings { loss, burst, rate_bps, queue_bytes, delay: ms(delay), ..Settings::default() };
        let mut link = link(settings);
        let times = arrivals(&mut link, count);
        let Tally { packets, lost, overflowed, cut, bytes } = link.tally();
        prop_assert!(times.is_sorted());
        prop_assert_eq!(packets, times.len() as u64);
        prop_assert_eq!(bytes, packets * PACKET as u64);
        prop_assert_eq!(packets + lost + overflowed + cut, count);
    }
}
