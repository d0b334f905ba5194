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
    let times = w.times().unwrap();
    let newest = *times.last().unwrap();
    assert_eq!(times.len(), shape().elements);
    for (i, t) in times.iter().rev().enumerate() {
        let off = (newest - *t).abs_diff(shape().period * u32::try_from(i).unwrap());
        assert!(off * 2 < shape().period, "place {i} is off by {off:?}");
    }
}

#[test]
fn at_30_fps_every_second_result_is_taken() {
    let mut w = Window::new(shape());
    assert_eq!(feed(&mut w, Duration::ZERO, 30.0, 40), Fill::Ready);
    let snapshot: Vec<usize> = w.snapshot().unwrap().into_iter().copied().collect();
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
    assert_eq!(w.times().unwrap()[0], after);
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
    assert_eq!(w.snapshot().unwrap(), [&7]);
}

#[test]
fn shape_without_elements_or_with_a_wild_rate_is_refused() {
    assert_eq!(Shape::new(0, 15.0), None);
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(Shape::new(10, rate), None);
    }
}

proptest! {
    /// Any camera whose longest interval, jitter included, is within a period
    /// fills the window, and every element is in its place.
    #[test]
    fn fast_camera_fills_the_window_exactly(
        fps in 18.1_f64..60.0,
        jitter in prop::collection::vec(-0.1_f64..0.1, 80),
    ) {
        let mut w = Window::new(shape());
        for (i, j) in jitter.iter().enumerate() {
            let at = Duration::from_secs_f64((i as f64 + 1.0 + j) / fps);
            let fill = w.push(at, i);
            if at > Duration::from_secs_f64(1.0 / fps) + 700 * MS {
                prop_assert_eq!(fill, Fill::Ready, "{} fps, result {}", fps, i);
                assert_in_place(&w);
                prop_assert_eq!(**w.snapshot().unwrap().last().unwrap(), i);
            }
        }
    }

    /// Whatever the schedule: nothing is lost uncounted, memory is bounded,
    /// `Ready` means a snapshot of T different results in their places.
    #[test]
    fn evicted_and_held_make_what_was_pushed(
        gaps in prop::collection::vec(
            prop_oneof![4 => 1_u64..250, 1 => 250_u64..2000, 1 => Just(0_u64)],
            1..300,
        ),
        unit_us in prop_oneof![Just(200_u64), Just(1000)],
    ) {
        let mut w = Window::new(shape());
        let mut at = Duration::ZERO;
        for (i, gap) in gaps.iter().enumerate() {
            at += Duration::from_micros(gap * unit_us);
            let fill = w.push(at, i);
            prop_assert_eq!(w.evicted() + w.held() as u64, i as u64 + 1);
            prop_assert!(w.held() <= shape().capacity());
            prop_assert_eq!(fill == Fill::Ready, w.snapshot().is_some());
            if fill == Fill::Ready {
                assert_in_place(&w);
                let picked: Vec<usize> = w.snapshot().unwrap().into_iter().copied().collect();
                prop_assert!(picked.windows(2).all(|p| p[0] < p[1]));
                prop_assert_eq!(picked[9], i);
            }
        }
    }
}
