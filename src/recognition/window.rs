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
/// The same for elements that take much memory: half of it, and places that are met less well.
const COARSE_THINNING: u32 = 4;
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
    /// Results that are kept in a period, at most.
    thinning: u32,
}

impl Shape {
    /// `elements` of a window sampled at `rate_hz`; `None` unless there is at
    /// least one element and the rate is a number from 1 to 240.
    #[must_use]
    pub fn new(elements: usize, rate_hz: f64) -> Option<Self> {
        let valid = elements >= 1 && (1.0..=240.0).contains(&rate_hz);
        let period = || Duration::from_secs_f64(1.0 / rate_hz);
        valid.then(|| Self { elements, period: period(), thinning: THINNING })
    }

    /// The same for elements that take much memory.
    #[must_use]
    pub fn thinned(self) -> Self {
        Self { thinning: COARSE_THINNING, ..self }
    }

    /// Most results a window of this shape ever holds.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.elements * self.thinning as usize + 2
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

/// Which of the results of a window the model is asked for: one in so many of its own
/// elements, or all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hop {
    every: Option<Duration>,
    /// When the next one is due.
    next: Option<Duration>,
    /// The frame before.
    last: Option<Duration>,
}

impl Hop {
    /// One in `elements` of a window of this shape; without a number, with every frame.
    #[must_use]
    pub fn new(shape: Shape, elements: Option<usize>) -> Self {
        let every = elements.map(|n| shape.period * u32::try_from(n).unwrap_or(u32::MAX));
        Self { every, next: None, last: None }
    }

    /// Whether the result that ends at `at` is asked for. A frame counts that is nearer to the
    /// due time than the next one will be, if that comes as soon as this one did: neither
    /// jitter nor a rate that is no multiple of the hop's changes the pace.
    pub fn takes(&mut self, at: Duration) -> bool {
        let Some(every) = self.every else { return true };
        let last = self.last.replace(at);
        let Some(next) = self.next else {
            self.next = Some(at + every);
            return true;
        };
        let interval = last.map_or(every, |last| at.saturating_sub(last));
        let anew = at + every * 2 < next;
        if !anew && at + interval.min(every) / 2 < next {
            return false;
        }
        // On its own grid, unless that has been left.
        let on_grid = !anew && at < next + every / 2;
        self.next = Some(if on_grid { next + every } else { at + every });
        true
    }
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
    /// Where in `held` the elements of the snapshot are, oldest first; empty without one.
    places: Vec<usize>,
    /// Elements that were let go, to be filled anew.
    spare: Vec<E>,
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
            places: Vec::with_capacity(shape.elements),
            spare: Vec::with_capacity(shape.capacity()),
        }
    }

    /// An element that was let go, so that its memory can be used for the next.
    pub fn spare(&mut self) -> Option<E> {
        self.spare.pop()
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
    pub fn snapshot(&self) -> Option<impl ExactSizeIterator<Item = &E>> {
        self.taken().map(|taken| taken.map(|(_, element)| element))
    }

    /// The times of the elements that [`Window::snapshot`] gives.
    #[must_use]
    pub fn times(&self) -> Option<impl ExactSizeIterator<Item = Duration>> {
        self.taken().map(|taken| taken.map(|(at, _)| *at))
    }

    fn taken(&self) -> Option<impl ExactSizeIterator<Item = &(Duration, E)>> {
        let taken = self.places.iter().map(|place| &self.held[*place]);
        (!self.places.is_empty()).then_some(taken)
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
        self.places.clear();
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
        if n >= 2
            && self.held[n - 1].0 - self.held[n - 2].0 < self.shape.period / self.shape.thinning
        {
            let element = self.held.pop_back();
            self.let_go(element);
        }
    }

    /// Drops what no window that ends at `at` or later can reach.
    fn forget_before(&mut self, at: Duration) {
        let reach = self.span() + self.shape.period / 2;
        let old = self.held.iter().take_while(|(t, _)| at - *t > reach).count();
        self.evict(old);
    }

    /// What can be given now.
    fn fill(&mut self) -> Fill {
        self.find_places();
        if !self.places.is_empty() {
            return Fill::Ready;
        }
        self.slow_interval().map_or(Fill::Filling, |interval| Fill::TooSlow { interval })
    }

    fn evict(&mut self, oldest: usize) {
        for _ in 0..oldest {
            let element = self.held.pop_front();
            self.let_go(element);
        }
    }

    fn let_go(&mut self, element: Option<(Duration, E)>) {
        let Some((_, element)) = element else { return };
        self.evicted += 1;
        // More are never needed at once.
        if self.spare.len() < self.shape.capacity() {
            self.spare.push(element);
        }
    }

    /// Time from a window's first to its last element.
    fn span(&self) -> Duration {
        self.shape.period * (self.steps())
    }

    fn steps(&self) -> u32 {
        u32::try_from(self.shape.elements - 1).unwrap_or(u32::MAX)
    }

    /// Finds the result of each place; none if a place has none.
    ///
    /// A result belongs to the one place that it is less than half a period
    /// from, so that T different results stand in a row.
    fn find_places(&mut self) {
        self.places.clear();
        let Some(&(newest, _)) = self.held.back() else { return };
        for step in (0..=self.steps()).rev() {
            let Some(place) = self.nearest(newest, self.shape.period * step) else {
                self.places.clear();
                return;
            };
            self.places.push(place);
        }
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
        let mut sorted = [Duration::ZERO; INTERVALS];
        sorted.iter_mut().zip(&self.intervals).for_each(|(place, interval)| *place = *interval);
        sorted.sort_unstable();
        let median = sorted[INTERVALS / 2];
        let limit = self.shape.period + self.shape.period / SLOW_TOLERANCE;
        (median > limit).then_some(median)
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
