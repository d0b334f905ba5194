//! The model's view of time: exactly T elements at the bundle's own rate.
//!
//! Results arrive at the camera's pace, with its jitter. [`Window`] keeps the
//! recent ones and, for every new one, picks T of them that end at the newest
//! and lie one period apart, each within half a period of its place. A model
//! trained at 15 Hz must never be fed at 12 or 30 Hz: it would see every
//! motion at another speed.

use std::collections::VecDeque;
use std::time::Duration;

/// Two results nearer than this part of a period are one for the model; the
/// older gives way. It bounds the memory whatever the camera's rate is.
const THINNING: u32 = 8;
/// Intervals whose median says how fast the camera is: one window's worth.
const INTERVALS: usize = 9;
/// A camera is slow when its median interval is over the period by more than
/// one part in this many; 14.985 fps (15/1.001) must still pass for 15.
const SLOW_TOLERANCE: u32 = 50;

/// How many elements the model takes and how far apart they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Elements in a window, at least 1.
    pub elements: usize,
    /// Time from one element to the next, above 0.
    pub period: Duration,
}

impl Shape {
    /// `elements` of a window sampled at `rate_hz`; `None` unless there is at
    /// least one element and the rate is a number from 1 to 240.
    #[must_use]
    pub fn new(elements: usize, rate_hz: f64) -> Option<Self> {
        let valid = elements >= 1 && (1.0..=240.0).contains(&rate_hz);
        valid.then(|| Self { elements, period: Duration::from_secs_f64(1.0 / rate_hz) })
    }

    /// Most results a window of this shape ever holds.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.elements * THINNING as usize + 2
    }
}

/// What the window can give after a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// T elements are in place: [`Window::snapshot`] has them.
    Ready,
    /// Too little time is covered, at the start or after a hole, or the newest
    /// result's places fall into a short one.
    Filling,
    /// Results come more slowly than the model's rate, `interval` apart: no
    /// window can be made from this camera.
    TooSlow {
        /// Median time between the last results.
        interval: Duration,
    },
}

/// Recent results, oldest first, with the times at which their frames were
/// taken. `E` is one element, a picture without a hand included.
#[derive(Debug, Clone)]
pub struct Window<E> {
    shape: Shape,
    held: VecDeque<(Duration, E)>,
    intervals: VecDeque<Duration>,
    last: Option<Duration>,
    evicted: u64,
}

impl<E> Window<E> {
    /// An empty window.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        Self {
            shape,
            held: VecDeque::with_capacity(shape.capacity()),
            intervals: VecDeque::with_capacity(INTERVALS),
            last: None,
            evicted: 0,
        }
    }

    /// Takes the result of the frame taken at `at` (running time).
    ///
    /// A frame that is not newer than the last one restarts the window, and so
    /// does a hole of two periods or more: whatever the newest result's time, a
    /// place lies in it that no result is near enough to. Over a shorter one some
    /// results find their T places filled and others do not, and nothing is lost.
    pub fn push(&mut self, at: Duration, element: E) -> Fill {
        if self.last.is_some_and(|last| at <= last) {
            self.restart();
        }
        if let Some(last) = self.last {
            self.note_interval(at - last);
        }
        self.last = Some(at);
        self.thin();
        if self.held.back().is_some_and(|(last, _)| at - *last >= self.shape.period * 2) {
            self.evict(self.held.len());
        }
        self.held.push_back((at, element));
        self.forget_before(at);
        self.fill()
    }

    /// How many elements it gives and how far apart they are.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The T elements that end at the newest one, oldest first; `None` while
    /// the window is filling or the camera is too slow.
    #[must_use]
    pub fn snapshot(&self) -> Option<Vec<&E>> {
        self.places().map(|places| places.into_iter().map(|i| &self.held[i].1).collect())
    }

    /// The times of the elements that [`Window::snapshot`] gives.
    #[must_use]
    pub fn times(&self) -> Option<Vec<Duration>> {
        self.places().map(|places| places.into_iter().map(|i| self.held[i].0).collect())
    }

    /// Results held now, at most [`Shape::capacity`].
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Results let go since the window was made.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Lets go of everything, the camera's pace included: for a new source.
    pub fn restart(&mut self) {
        self.evict(self.held.len());
        self.intervals.clear();
        self.last = None;
    }

    fn note_interval(&mut self, interval: Duration) {
        if self.intervals.len() == INTERVALS {
            self.intervals.pop_front();
        }
        self.intervals.push_back(interval);
    }

    /// Makes room for the next result where the last one stands too near to
    /// its predecessor. Only the last can: earlier ones were spaced before.
    fn thin(&mut self) {
        let n = self.held.len();
        if n >= 2 && self.held[n - 1].0 - self.held[n - 2].0 < self.shape.period / THINNING {
            self.held.pop_back();
            self.evicted += 1;
        }
    }

    /// Drops what no window that ends at `at` or later can reach.
    fn forget_before(&mut self, at: Duration) {
        let reach = self.span() + self.shape.period / 2;
        let old = self.held.iter().take_while(|(t, _)| at - *t > reach).count();
        self.evict(old);
    }

    /// What can be given now.
    fn fill(&self) -> Fill {
        if self.places().is_some() {
            return Fill::Ready;
        }
        self.slow_interval().map_or(Fill::Filling, |interval| Fill::TooSlow { interval })
    }

    fn evict(&mut self, oldest: usize) {
        self.held.drain(..oldest);
        self.evicted += oldest as u64;
    }

    /// Time from a window's first to its last element.
    fn span(&self) -> Duration {
        self.shape.period * (self.steps())
    }

    fn steps(&self) -> u32 {
        u32::try_from(self.shape.elements - 1).unwrap_or(u32::MAX)
    }

    /// Index of the result at each place, oldest first, if every place has one.
    ///
    /// A result belongs to the one place that it is less than half a period
    /// from, so that T different results stand in a row.
    fn places(&self) -> Option<Vec<usize>> {
        let newest = self.held.back()?.0;
        let mut places = Vec::with_capacity(self.shape.elements);
        for step in 0..=self.steps() {
            places.push(self.nearest(newest, self.shape.period * step)?);
        }
        places.reverse();
        Some(places)
    }

    /// The result whose age at `newest` is nearest to `age`, if it is less
    /// than half a period off.
    fn nearest(&self, newest: Duration, age: Duration) -> Option<usize> {
        self.held
            .iter()
            .enumerate()
            .map(|(i, (t, _))| (i, (newest - *t).abs_diff(age)))
            .min_by_key(|(_, off)| *off)
            .filter(|(_, off)| *off * 2 < self.shape.period)
            .map(|(i, _)| i)
    }

    /// The median interval if it is longer than the model's period. Known
    /// only after a few results: two frames say nothing about a camera.
    fn slow_interval(&self) -> Option<Duration> {
        if self.intervals.len() < INTERVALS {
            return None;
        }
        let mut sorted: Vec<_> = self.intervals.iter().copied().collect();
        sorted.sort_unstable();
        let median = sorted[INTERVALS / 2];
        let limit = self.shape.period + self.shape.period / SLOW_TOLERANCE;
        (median > limit).then_some(median)
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
