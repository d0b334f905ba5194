#![allow(clippy::unwrap_used, reason = "a test may stop at a surprise")]

use super::*;
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);

fn shape() -> Shape {
    Shape::new(10, 15.0).unwrap()
}

/// Pushes `n` results at `fps`, numbered from 0, and returns the last fill.
fn feed(w: &mut Window<usize>, start: Duration, fps: f64, n: usize) -> Fill {
    let mut fill = Fill::Filling;
    for i in 0..n {
        fill = w.push(start + Duration::from_secs_f64(i as f64 / fps), i);
    }
    fill
}

fn assert_in_place(w: &Window<usize>) {
    let times: Vec<_> = w.times().unwrap().collect();
    let newest = *times.last().unwrap();
    assert_eq!(times.len(), w.shape().elements);
    for (i, t) in times.iter().rev().enumerate() {
        let off = (newest - *t).abs_diff(w.shape().period * u32::try_from(i).unwrap());
        assert!(off * 2 < w.shape().period, "place {i} is off by {off:?}");
    }
}

#[test]
fn at_30_fps_every_second_result_is_taken() {
    let mut w = Window::new(shape());
    assert_eq!(feed(&mut w, Duration::ZERO, 30.0, 40), Fill::Ready);
    let snapshot: Vec<usize> = w.snapshot().unwrap().copied().collect();
    assert_eq!(snapshot, [21, 23, 25, 27, 29, 31, 33, 35, 37, 39]);
}

#[test]
fn window_is_ready_with_the_result_that_covers_it_and_not_before() {
    let mut w = Window::new(shape());
    for i in 0..18 {
        let fill = w.push(Duration::from_secs_f64(i as f64 / 30.0), i);
        assert_eq!(fill, Fill::Filling, "after result {i}");
        assert!(w.snapshot().is_none());
    }
    assert_eq!(w.push(Duration::from_secs_f64(0.6), 18), Fill::Ready);
}

#[test]
fn camera_at_exactly_the_models_rate_is_fast_enough() {
    for rate in [15.0, 14.985] {
        let mut w = Window::new(shape());
        assert_eq!(feed(&mut w, 5 * MS, rate, 60), Fill::Ready, "{rate} fps");
    }
}

#[test]
fn slower_camera_is_named_and_gives_no_window() {
    for rate in [5.0, 8.0, 10.0, 12.0, 14.0] {
        let mut w = Window::new(shape());
        for i in 0..60 {
            let fill = w.push(Duration::from_secs_f64(i as f64 / rate), i);
            assert_ne!(fill, Fill::Ready, "{rate} fps, result {i}");
            let slow = matches!(fill, Fill::TooSlow { .. });
            assert!(slow || i < 12, "{rate} fps, result {i}: {fill:?}");
        }
    }
}

#[test]
fn camera_that_recovers_gives_windows_again() {
    let mut w = Window::new(shape());
    assert!(matches!(feed(&mut w, Duration::ZERO, 8.0, 20), Fill::TooSlow { .. }));
    assert_eq!(feed(&mut w, Duration::from_secs(3), 30.0, 40), Fill::Ready);
}

#[test]
fn hole_restarts_the_window_and_is_no_slow_camera() {
    let mut w = Window::new(shape());
    feed(&mut w, Duration::ZERO, 30.0, 40);
    let after = Duration::from_secs_f64(39.0 / 30.0) + 300 * MS;
    for i in 0..18 {
        let fill = w.push(after + Duration::from_secs_f64(i as f64 / 30.0), i);
        assert_eq!(fill, Fill::Filling, "{i} results after the hole");
    }
    assert_eq!(w.push(after + 600 * MS, 18), Fill::Ready);
    assert_eq!(w.times().unwrap().next().unwrap(), after);
}

#[test]
fn short_hole_costs_some_results_and_no_restart() {
    // Frames of a 30 fps camera that were passed over, and results of the 18
    // after them that may find no window.
    for (missing, cost) in [(1, 0..=9), (2, 1..=9)] {
        let mut w = Window::new(shape());
        feed(&mut w, Duration::ZERO, 30.0, 40);
        let first = 40 + missing;
        let frames = first..first + 18;
        let fills = frames.map(|i| w.push(Duration::from_secs_f64(i as f64 / 30.0), i));
        let without = fills.filter(|fill| *fill == Fill::Filling).count();
        assert!(cost.contains(&without), "{missing} frames missing cost {without} results");
    }
}

#[test]
fn time_that_goes_back_restarts_the_window() {
    let mut w = Window::new(shape());
    feed(&mut w, Duration::from_secs(9), 30.0, 40);
    assert_eq!(w.push(Duration::from_secs(1), 0), Fill::Filling);
    assert_eq!(w.held(), 1);
}

#[test]
fn window_of_one_element_is_the_newest_result() {
    let mut w = Window::new(Shape::new(1, 15.0).unwrap());
    assert_eq!(w.push(MS, 7), Fill::Ready);
    assert!(w.snapshot().unwrap().eq([&7]));
}

#[test]
fn shape_without_elements_or_with_a_wild_rate_is_refused() {
    assert_eq!(Shape::new(0, 15.0), None);
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(Shape::new(10, rate), None);
    }
}

#[test]
fn what_is_let_go_can_be_filled_anew() {
    let mut w = Window::new(shape());
    let mut made = 0;
    for i in 0..1000_u64 {
        let element = w.spare().unwrap_or_else(|| {
            made += 1;
            Box::new(0)
        });
        w.push(Duration::from_millis(33 * i), element);
    }
    assert!(made <= 21, "{made}");
}

#[test]
fn a_hop_of_two_at_15_hz_is_every_fourth_frame_at_30_fps_and_jitter_changes_nothing() {
    for fps in [30.0, 29.97, 25.0, 17.2, 60.0] {
        let mut hop = Hop::new(shape(), Some(2));
        let frames = 0..(fps * 100.0) as u32;
        let jitter = |i: u32| f64::from(i % 3) * 0.004;
        let at = |i: u32| Duration::from_secs_f64(f64::from(i) / fps + jitter(i));
        let taken = frames.filter(|i| hop.takes(at(*i))).count();
        assert!((740..=760).contains(&taken), "{fps} fps: {taken} in 100 s");
    }
    let mut all = Hop::new(shape(), None);
    assert!((0..90).all(|i| all.takes(Duration::from_millis(i))));
}

#[test]
fn a_hop_goes_on_after_a_hole_and_when_time_starts_anew() {
    let mut hop = Hop::new(shape(), Some(3));
    assert!(hop.takes(9000 * MS) && !hop.takes(9100 * MS));
    assert!(hop.takes(20_000 * MS) && !hop.takes(20_100 * MS) && hop.takes(20_200 * MS));
    assert!(hop.takes(MS) && !hop.takes(100 * MS));
}

/// Shapes of the format: 1 to 120 elements at 1 to 60 Hz, of pictures or of hands.
fn shapes() -> impl Strategy<Value = Shape> {
    let elements = prop_oneof![3 => 1_usize..=16, 1 => 17_usize..=120];
    let rates = prop_oneof![(1_u32..=60).prop_map(f64::from), 1.0..=60.0];
    (elements, rates, any::<bool>()).prop_map(|(elements, rate_hz, thinned)| {
        let shape = Shape::new(elements, rate_hz).unwrap();
        if thinned { shape.thinned() } else { shape }
    })
}

/// How many frames a camera makes in a period of the model.
fn paces() -> impl Strategy<Value = f64> {
    prop_oneof![1 => Just(1.0), 2 => 1.0..1.3, 3 => 1.3..8.0]
}

/// Of each frame in turn.
fn jitter(most: f64) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-most..most, 97)
}

/// What a camera of so many frames a period fills the window with, frame by frame, each up to
/// so much of their distance from its time.
fn steady(shape: Shape, pace: f64, jitter: &[f64]) -> Vec<Fill> {
    let interval = shape.period.as_secs_f64() / pace;
    let frames = ((shape.elements + 4) as f64 * pace).ceil() as usize + jitter.len();
    let mut w = Window::new(shape);
    let mut fills = Vec::new();
    for (i, jitter) in (0..frames).zip(jitter.iter().cycle()) {
        let at = Duration::from_secs_f64((i as f64 + 1.0 + jitter) * interval);
        let fill = w.push(at, i);
        if fill == Fill::Ready {
            assert_in_place(&w);
            assert_eq!(*w.snapshot().unwrap().last().unwrap(), i);
        }
        // The first of them may be as late as the newest is early.
        if i as f64 * interval >= w.span().as_secs_f64() + 2.0 * interval {
            fills.push(fill);
        }
    }
    fills
}

proptest! {
    /// Any camera whose longest interval, jitter included, is within a period
    /// fills the window, and every element is in its place.
    #[test]
    fn fast_camera_fills_the_window_exactly(
        shape in shapes(), pace in paces(), jitter in jitter(1.0),
    ) {
        let most = ((pace - 1.0) / 2.0).min(0.2) * 0.99;
        let jitter: Vec<f64> = jitter.iter().map(|part| part * most).collect();
        let fills = steady(shape, pace, &jitter);
        prop_assert!(fills.iter().all(|fill| *fill == Fill::Ready), "{fills:?}");
    }

    /// Each element has its own frame.
    #[test]
    fn camera_of_just_the_models_rate_fills_the_window_in_spite_of_jitter(
        shape in shapes(), jitter in jitter(0.24),
    ) {
        let fills = steady(shape, 1.0, &jitter);
        prop_assert!(fills.iter().all(|fill| *fill == Fill::Ready), "{fills:?}");
    }

    /// Between the two: at 16 fps the eighth place is nearly as far from one frame as from the
    /// next, and jitter leaves it empty now and then.
    #[test]
    fn camera_a_little_faster_than_the_model_loses_some_results_to_jitter(
        fps in 15.0_f64..18.2, jitter in jitter(0.1),
    ) {
        let fills = steady(shape(), fps / 15.0, &jitter);
        let ready = fills.iter().filter(|fill| **fill == Fill::Ready).count();
        prop_assert!(ready * 10 >= fills.len() * 6, "{fps} fps: {ready} of {}", fills.len());
    }

    /// Whatever the schedule: nothing is lost uncounted, memory is bounded,
    /// `Ready` means a snapshot of T different results in their places.
    #[test]
    fn evicted_and_held_make_what_was_pushed(
        shape in shapes(),
        gaps in prop::collection::vec(
            prop_oneof![4 => 1_u32..250, 1 => 250_u32..2000, 1 => Just(0_u32)],
            1..300,
        ),
        part in prop_oneof![Just(333), Just(67)],
    ) {
        let mut w = Window::new(shape);
        let mut at = Duration::ZERO;
        for (i, gap) in gaps.iter().enumerate() {
            at += shape.period * *gap / part;
            let fill = w.push(at, i);
            prop_assert_eq!(w.evicted() + w.held() as u64, i as u64 + 1);
            prop_assert!(w.held() <= shape.capacity());
            prop_assert_eq!(fill == Fill::Ready, w.snapshot().is_some());
            if fill == Fill::Ready {
                assert_in_place(&w);
                let picked: Vec<usize> = w.snapshot().unwrap().copied().collect();
                prop_assert!(picked.windows(2).all(|p| p[0] < p[1]));
                prop_assert_eq!(picked.last(), Some(&i));
            }
        }
    }

    /// A result may be early or late by half a hop; more than that two of them are never nearer
    /// than their hops, however many lie between.
    #[test]
    fn a_hop_never_takes_more_than_it_allows(
        shape in shapes(), elements in 1_usize..=120,
        gaps in prop::collection::vec(1_u32..2000, 1..300),
        part in prop::sample::select(vec![50_u32, 1000, 10_000]),
    ) {
        let every = shape.period * elements as u32;
        let mut hop = Hop::new(shape, Some(elements));
        let mut at = Duration::ZERO;
        let frames = gaps.iter().map(|gap| {
            at += every * *gap / part;
            at
        });
        let taken: Vec<Duration> = frames.filter(|at| hop.takes(*at)).collect();
        for (i, first) in taken.iter().enumerate() {
            for (hops, later) in (1..).zip(&taken[i + 1..]) {
                let apart = *later - *first;
                prop_assert!(apart + every > every * hops, "{hops} hops in {apart:?}");
            }
        }
    }

    /// The pace is the hop's own: the first and the last result are a frame off at most.
    #[test]
    fn a_hop_at_a_steady_camera_is_kept(
        shape in shapes(), elements in 1_usize..=120, pace in paces(), start in 0_u64..1_000_000,
    ) {
        let every = shape.period * elements as u32;
        let interval = shape.period.div_f64(pace);
        let mut hop = Hop::new(shape, Some(elements));
        let start = Duration::from_micros(start);
        let frames = (50.0 * elements as f64 * pace) as u32;
        let times = (0..frames).map(|i| start + interval * i);
        let taken: Vec<Duration> = times.filter(|at| hop.takes(*at)).collect();
        let hops = taken.len() as u32 - 1;
        let apart = taken[taken.len() - 1] - taken[0];
        prop_assert!(apart.abs_diff(every * hops) <= interval, "{hops} in {apart:?}");
    }
}
