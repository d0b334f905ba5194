//! Moves between the renditions, tick by tick.

use proptest::prelude::*;

use super::*;

const TICK_MS: u64 = 100;
const TARGETS: Targets = Targets { full_kbps: 2500, low_kbps: Some(400), trial_kbps: 2500 };

/// A viewer with its clock.
struct Viewer {
    adaptation: Adaptation,
    now: Duration,
}

impl Viewer {
    fn new() -> Self {
        Self { adaptation: Adaptation::new(Duration::ZERO), now: Duration::ZERO }
    }

    fn tick(&mut self, reading: Reading) -> Vec<Change> {
        self.now += Duration::from_millis(TICK_MS);
        self.adaptation.on(reading, TARGETS, self.now)
    }

    /// The first change within some seconds of the same reading, and when it came.
    fn first(&mut self, reading: Reading, seconds: u64) -> Option<(Change, Duration)> {
        let began = self.now;
        (0..seconds * 1000 / TICK_MS).find_map(|_| {
            let change = self.tick(reading).first().copied();
            change.map(|change| (change, self.now - began))
        })
    }

    /// When the next trial begins on a network that carries probes of it.
    fn trial(&mut self) -> Duration {
        let began = self.now;
        while !self.tick(carries(3000)).contains(&Change::ToFull) {
            assert!(self.now - began < ms(100_000), "no trial");
        }
        self.now - began
    }
}

fn carries(kbps: u32) -> Reading {
    Reading { estimate_kbps: Some(kbps), arrived: 25, lost: 0, wishes: 0 }
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_good_network_changes_nothing() {
    assert_eq!(Viewer::new().first(carries(2100), 600), None);
    let quiet = Reading::default();
    assert_eq!(Viewer::new().first(quiet, 600), None, "a peer without feedback");
}

#[test]
fn too_little_for_a_second_moves_a_viewer_down_and_a_dip_does_not() {
    let mut viewer = Viewer::new();
    for _ in 0..20 {
        assert_eq!(viewer.first(carries(1900), 1), None);
        assert_eq!(viewer.tick(carries(2100)), []);
    }
    let (change, after) = viewer.first(carries(1900), 5).expect("it moves");
    assert_eq!((change, after), (Change::ToLow(Cause::Network), ms(1100)));
    assert!(!viewer.adaptation.on_full());
}

#[test]
fn heavy_loss_pauses_at_once_and_moves_down() {
    let mut viewer = Viewer::new();
    let flooded = Reading { estimate_kbps: Some(2400), arrived: 15, lost: 15, wishes: 0 };
    assert_eq!(viewer.tick(flooded), [Change::Pause, Change::ToLow(Cause::Network)]);
    assert_eq!(viewer.first(flooded, 1), Some((Change::Resume, ms(200))));
    // A key unit is on its way: no second pause before it had its time.
    assert_eq!(viewer.first(flooded, 3), Some((Change::Pause, ms(1300))));
}

#[test]
fn five_percent_of_random_loss_changes_nothing() {
    let mut viewer = Viewer::new();
    let mut seed = 1_u64;
    let mut coin = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % 100 < 5
    };
    for _ in 0..6000 {
        let lost = (0..25).filter(|_| coin()).count() as u64;
        let reading = Reading { arrived: 25 - lost, lost, ..carries(3000) };
        assert_eq!(viewer.tick(reading), []);
    }
}

#[test]
fn without_a_low_rendition_a_viewer_stays_and_is_only_paused() {
    let targets = Targets { low_kbps: None, ..TARGETS };
    let mut adaptation = Adaptation::new(Duration::ZERO);
    let poor = (1..100).flat_map(|tick| adaptation.on(carries(500), targets, ms(100 * tick)));
    assert_eq!(poor.count(), 0);
    let flooded = Reading { arrived: 10, lost: 30, ..carries(500) };
    assert_eq!(adaptation.on(flooded, targets, ms(10_000)), [Change::Pause]);
    assert!(adaptation.on_full());
}

#[test]
fn a_viewer_of_a_low_rendition_that_is_gone_is_shown_the_full_one() {
    let gone = Targets { low_kbps: None, ..TARGETS };
    let poor = |viewer: &mut Viewer| {
        while !viewer.tick(carries(1500)).contains(&Change::ToLow(Cause::Network)) {}
    };
    let back = |viewer: &mut Viewer| {
        let mut changes = Vec::new();
        // A pause goes on until it is over.
        while !viewer.adaptation.on_full() {
            viewer.now += ms(TICK_MS);
            changes.extend(viewer.adaptation.on(carries(1500), gone, viewer.now));
        }
        changes
    };
    let mut resting = Viewer::new();
    poor(&mut resting);
    assert_eq!(back(&mut resting), [Change::ToFull]);

    let mut probing = Viewer::new();
    poor(&mut probing);
    while !probing.tick(carries(1500)).contains(&Change::Reset) {}
    assert_eq!(back(&mut probing), [Change::Probe(0), Change::ToFull]);

    let mut paused = Viewer::new();
    let flooded = Reading { estimate_kbps: Some(2400), arrived: 15, lost: 15, wishes: 0 };
    assert_eq!(paused.tick(flooded), [Change::Pause, Change::ToLow(Cause::Network)]);
    assert_eq!(back(&mut paused), [Change::Resume, Change::ToFull]);

    // It stays, however poor its network, until there is a low one again.
    for _ in 0..100 {
        paused.now += ms(TICK_MS);
        let changes = paused.adaptation.on(carries(1500), gone, paused.now);
        assert!(changes.iter().all(|change| *change == Change::Reset), "{changes:?}");
    }
    assert!(paused.adaptation.on_full());
    poor(&mut paused);
}

#[test]
fn a_fourth_wish_within_ten_seconds_is_one_too_many() {
    let wish = Reading { wishes: 1, ..carries(9000) };
    let mut viewer = Viewer::new();
    for _ in 0..30 {
        assert_eq!(viewer.tick(wish), []);
        assert_eq!(viewer.first(carries(9000), 4), None, "one each four seconds is fine");
    }
    let mut changes = Vec::new();
    (0..4).for_each(|_| changes.extend(viewer.tick(wish)));
    assert_eq!(changes, [Change::ToLow(Cause::Requests)]);
}

/// From the beginning of a probe to that of the trial.
const PROBE: Duration = ms(1800);

#[test]
fn a_probe_grows_to_what_a_trial_needs() {
    let mut viewer = Viewer::new();
    viewer.first(carries(900), 5);
    assert_eq!(viewer.first(carries(3000), 10), Some((Change::Reset, FIRST_TRIAL_AFTER)));
    let probed: Vec<Change> = (0..19).flat_map(|_| viewer.tick(carries(3000))).collect();
    let grows = [520, 676, 676, 878, 878, 1142, 1142, 1485, 1485, 1930, 1930];
    let rates = grows.into_iter().chain([2500; 6]).map(Change::Probe);
    let (grown, rest) = probed.split_at(17);
    assert!(grown.iter().copied().eq(rates), "{grown:?}");
    assert_eq!(rest, [Change::ToFull]);
}

#[test]
fn a_probe_that_is_not_carried_ends_at_once_and_comes_again_after_ten_seconds() {
    let slow = carries(1900);
    let lossy = Reading { lost: 40, ..carries(3000) };
    for trouble in [slow, lossy, Reading::default()] {
        let mut viewer = Viewer::new();
        viewer.first(carries(900), 5);
        for wait in [5000, 10_000, 10_000, 10_000, 10_000, 10_000, 10_000] {
            assert_eq!(viewer.first(carries(3000), 20), Some((Change::Reset, ms(wait))));
            viewer.tick(carries(3000));
            assert_eq!(viewer.tick(Reading { arrived: 40, ..trouble }), [Change::Probe(0)]);
            assert!(!viewer.adaptation.on_full());
        }
    }
}

#[test]
fn what_a_probe_loses_pauses_nobody() {
    let mut viewer = Viewer::new();
    viewer.first(carries(900), 5);
    viewer.first(carries(3000), 20);
    viewer.tick(carries(3000));
    let flooded = Reading { estimate_kbps: Some(900), arrived: 30, lost: 30, wishes: 0 };
    assert_eq!(viewer.tick(flooded), [Change::Probe(0)]);
    (0..14).for_each(|_| assert_eq!(viewer.tick(flooded), []));
    assert_eq!(viewer.first(flooded, 1).map(|(change, _)| change), Some(Change::Pause));
}

#[test]
fn who_feeds_nothing_back_is_not_probed() {
    let mut viewer = Viewer::new();
    let wishes = Reading { wishes: 4, ..Reading::default() };
    assert_eq!(viewer.tick(wishes), [Change::ToLow(Cause::Requests)]);
    let (change, after) = viewer.first(Reading::default(), 20).expect("a trial");
    assert_eq!((change, after), (Change::ToFull, FIRST_TRIAL_AFTER));
}

#[test]
fn going_up_is_a_trial_that_comes_back_after_longer_each_time() {
    let mut viewer = Viewer::new();
    viewer.first(carries(900), 5);
    for wait in [5, 10, 20, 40, 60, 60] {
        assert_eq!(viewer.trial(), ms(wait * 1000) + PROBE);
        assert!(viewer.adaptation.on_full());
        assert_eq!(viewer.first(carries(900), 5), Some((Change::Reset, ms(700))));
        let (change, after) = viewer.first(carries(900), 5).expect("its end");
        assert_eq!((change, after), (Change::ToLow(Cause::Network), ms(400)));
    }
}

#[test]
fn a_trial_that_is_carried_stays_and_the_next_fall_starts_anew() {
    let mut viewer = Viewer::new();
    viewer.first(carries(900), 5);
    viewer.trial();
    viewer.first(carries(900), 1);
    viewer.first(carries(900), 1);
    assert_eq!(viewer.trial(), FIRST_TRIAL_AFTER * 2 + PROBE);
    assert_eq!(viewer.first(carries(3000), 15), Some((Change::Reset, ms(700))));
    assert_eq!(viewer.first(carries(3000), 15), None);
    viewer.first(carries(900), 5);
    assert_eq!(viewer.trial(), FIRST_TRIAL_AFTER + PROBE);
}

#[test]
fn who_falls_right_after_a_trial_waits_longer() {
    let mut viewer = Viewer::new();
    viewer.first(carries(900), 5);
    viewer.trial();
    viewer.first(carries(3000), 1);
    assert_eq!(viewer.first(carries(3000), 3), None, "the trial is over");
    assert!(viewer.first(carries(900), 5).is_some());
    assert_eq!(viewer.trial(), FIRST_TRIAL_AFTER * 2 + PROBE);
}

#[test]
fn trouble_on_the_low_rendition_puts_the_trial_off() {
    let mut viewer = Viewer::new();
    viewer.first(carries(900), 5);
    assert_eq!(viewer.first(carries(900), 4), None);
    viewer.tick(carries(300));
    assert_eq!(viewer.first(carries(900), 4), None);
    // A link that is down feeds nothing back.
    assert_eq!(viewer.first(Reading::default(), 30), None);
    assert_eq!(viewer.first(carries(900), 10), Some((Change::Reset, ms(5000))));
}

#[test]
fn the_encoder_follows_its_best_viewer_and_the_only_one_its_worst() {
    let full = |estimates: &[u32]| full_kbps(estimates.iter().copied(), 300, 2500);
    assert_eq!(full(&[]), 2500);
    assert_eq!(full(&[800, 9000]), 2500);
    assert_eq!(full(&[800, 1000]), 850);
    assert_eq!(full(&[100]), 300);
    let only = |estimates: &[u32]| only_kbps(estimates.iter().copied(), 300, 2500);
    assert_eq!((only(&[800, 9000]), only(&[])), (680, 2500));
}

proptest! {
    #[test]
    fn every_pause_ends_and_moves_alternate(
        readings in prop::collection::vec(
            (prop::option::of(100_u32..9000), 0_u64..30, 0_u64..30, 0_u64..3), 0..600,
        ),
    ) {
        let mut viewer = Viewer::new();
        let (mut full, mut paused) = (true, None);
        for (estimate_kbps, arrived, lost, wishes) in readings {
            for change in viewer.tick(Reading { estimate_kbps, arrived, lost, wishes }) {
                match change {
                    Change::Pause => prop_assert_eq!(paused.replace(viewer.now), None),
                    Change::Resume => prop_assert!(paused.take().is_some()),
                    Change::ToLow(_) => prop_assert!(std::mem::replace(&mut full, false)),
                    Change::ToFull => prop_assert!(!std::mem::replace(&mut full, true)),
                    Change::Reset => {}
                    Change::Probe(kbps) => {
                        prop_assert!(!full && kbps <= TARGETS.trial_kbps);
                    }
                }
            }
            prop_assert_eq!(viewer.adaptation.on_full(), full);
            prop_assert!(paused.is_none_or(|at| viewer.now - at <= PAUSE));
            prop_assert!(viewer.adaptation.wishes.len() <= WISHES + 1);
        }
    }
}
