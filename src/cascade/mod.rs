//! Finds hands: palm detection, a rotated region for each palm, landmarks in the region, and
//! from them the region for the next frame. MediaPipe Hands 0.10.21, re-implemented.
//!
//! Pure over two [`Interpreter`]s: no clock, no I/O, no allocation per frame once running.
//! Reading order: [`frame`], [`colour`], `sampling`, `palm`, [`nms`], [`roi`], [`landmarks`], this file.

pub mod colour;
pub mod frame;
pub mod landmarks;
pub mod nms;
mod palm;
pub mod roi;
mod sampling;
mod sketch;

pub use colour::ToRgb;
pub use frame::{Colour, Frame, FrameError, Matrix, Plane, Range};
pub use landmarks::{Hand, Handedness};
pub use roi::LANDMARKS;

use crate::model::HandModels;
use crate::runtime::RuntimeError;
use landmarks::LandmarkFinder;
use palm::{PalmFinder, View};
use roi::Roi;
use sketch::Sketch;

/// Most hands at a time. Signing has two; a third belongs to somebody else.
pub const MAX_HANDS: usize = 2;

/// With a hand in view but fewer than allowed, palms are looked for in every 30th frame: a
/// second hand that comes later is found within a second at 30 Hz. A search costs more than
/// the landmarks; in every tenth frame it was 0.9 ms a frame, as much as all else beside the
/// models.
const SEARCH_EVERY: u32 = 30;

/// After so many searches in a row that show something like a palm and no hand, while the
/// picture changes, every other one takes another [`View`]. MediaPipe misses some hands for as long as they are held:
/// 88 of 1,975 photographs, 74 of which are found from [`View::Far`], and 10 of 88 signs of
/// a signer in composed clips, 9 of which are found from [`View::Near`]. No view found a
/// hand in 268 of those clips' frames without one. Until then the searches are MediaPipe's; but a
/// picture that stays the same is searched in each view once, and rests.
const PATIENCE: u32 = 8;

/// In a picture that stays the same.
const VIEWS: [View; 3] = [View::Whole, View::Near, View::Far];

/// Regions that overlap more than this are the same hand.
const SAME_HAND: f64 = 0.5;

/// Follows up to `max_hands` hands from frame to frame. One owner feeds it one camera's
/// frames in order.
pub struct Cascade {
    palms: PalmFinder,
    landmarks: LandmarkFinder,
    max_hands: usize,
    /// Where the last frame's hands are expected now.
    tracked: Vec<Roi>,
    /// Where this frame is looked at.
    candidates: Vec<Roi>,
    hands: Vec<Hand>,
    /// Frames since palms were last looked for.
    since_search: u32,
    /// Searches in a row that ended without a hand though there was a hint of one.
    fruitless: u32,
    /// The picture that was searched last, and the present one.
    seen: Box<[Sketch; 2]>,
    /// Views in which the last picture, which stays the same, shows no hand.
    tried: usize,
    size: (usize, usize),
}

/// What [`Cascade::search`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// Palms were looked for.
    Done,
    /// Enough hands are tracked, or the next search is not due.
    Skipped,
}

impl Cascade {
    /// A cascade that follows at most `max_hands` (1 to [`MAX_HANDS`]; others are clamped).
    pub fn new(models: HandModels, max_hands: usize) -> Self {
        Self {
            palms: PalmFinder::new(models.palm),
            landmarks: LandmarkFinder::new(models.landmark),
            max_hands: max_hands.clamp(1, MAX_HANDS),
            tracked: Vec::with_capacity(MAX_HANDS),
            candidates: Vec::with_capacity(2 * MAX_HANDS),
            hands: Vec::with_capacity(MAX_HANDS),
            since_search: 0,
            fruitless: 0,
            seen: Box::new([Sketch::new(), Sketch::new()]),
            tried: 0,
            size: (0, 0),
        }
    }

    /// Both steps for one frame: [`Cascade::search`], then [`Cascade::follow`].
    ///
    /// # Errors
    /// As the steps'.
    pub fn detect(&mut self, frame: &Frame<'_>) -> Result<&[Hand], RuntimeError> {
        self.search(frame)?;
        self.follow(frame)
    }

    /// First step: looks for palms, if that is due, and decides where hands are looked for.
    ///
    /// # Errors
    /// [`RuntimeError`] of the palm model; the tracked hands are kept.
    pub fn search(&mut self, frame: &Frame<'_>) -> Result<Search, RuntimeError> {
        let size = (frame.width(), frame.height());
        if self.size != size {
            self.forget();
            self.size = size;
        }
        self.candidates.clear();
        self.since_search = self.since_search.saturating_add(1);
        let due = match self.tracked.len() {
            0 => self.shows_something_else(frame) || self.since_search >= SEARCH_EVERY,
            tracked => tracked < self.max_hands && self.since_search >= SEARCH_EVERY,
        };
        if due {
            self.since_search = 0;
            let usable =
                self.palms.search(frame, self.view())?.filter(|roi| roi.is_usable(size.0, size.1));
            for roi in usable.take(self.max_hands) {
                add(&mut self.candidates, roi);
            }
        }
        for &roi in &self.tracked {
            add(&mut self.candidates, roi);
        }
        // Tracked hands evict palms but not one another, so they are the last ones now.
        self.candidates.rotate_right(self.tracked.len());
        self.candidates.truncate(self.max_hands);
        Ok(if due { Search::Done } else { Search::Skipped })
    }

    /// Whether there is something in the picture that was not searched. What stays the same
    /// shows no hand again, but perhaps from another view.
    fn shows_something_else(&mut self, frame: &Frame<'_>) -> bool {
        let [searched, present] = &mut *self.seen;
        present.draw(frame);
        if !present.is_like(searched) {
            std::mem::swap(searched, present);
            self.tried = 0;
        }
        self.tried < VIEWS.len()
    }

    fn view(&self) -> View {
        if self.tracked.is_empty() && self.tried > 0 {
            return VIEWS[self.tried % VIEWS.len()];
        }
        match self.fruitless.checked_sub(PATIENCE) {
            Some(more) => [View::Near, View::Whole, View::Far, View::Whole][more as usize % 4],
            None => View::Whole,
        }
    }

    /// Second step: the hands where [`Cascade::search`] said. They are tracked into the next
    /// frame; without any, the next frame is searched. Longest tracked first.
    ///
    /// # Errors
    /// [`RuntimeError`] of the landmark model; hands after the failing one are forgotten.
    pub fn follow(&mut self, frame: &Frame<'_>) -> Result<&[Hand], RuntimeError> {
        self.tracked.clear();
        self.hands.clear();
        for roi in self.candidates.drain(..) {
            let Some((hand, next)) = self.landmarks.look(frame, &roi)? else { continue };
            if self.tracked.iter().any(|other| other.overlap(&next) > SAME_HAND) {
                continue;
            }
            if next.is_usable(frame.width(), frame.height()) {
                self.tracked.push(next);
                self.hands.push(hand);
            }
        }
        let searched = self.since_search == 0;
        let missed = searched && self.hands.is_empty() && self.palms.hinted();
        self.tried = match () {
            () if !self.hands.is_empty() => 0,
            () if missed => self.tried + 1,
            () if searched => VIEWS.len(),
            () => self.tried,
        };
        self.fruitless = match () {
            () if missed => self.fruitless.saturating_add(1),
            () if searched || !self.hands.is_empty() => 0,
            () => self.fruitless,
        };
        Ok(&self.hands)
    }

    /// Forgets all hands, as after a hole in the frame sequence: the next frame is searched.
    pub fn forget(&mut self) {
        self.tracked.clear();
        self.candidates.clear();
        self.hands.clear();
        self.fruitless = 0;
        self.tried = 0;
    }
}

/// Adds a region after evicting those that mean the same hand: what comes later wins, so a
/// tracked hand wins over a fresh palm (`association_calculator.h`).
fn add(candidates: &mut Vec<Roi>, roi: Roi) {
    candidates.retain(|earlier| earlier.overlap(&roi) <= SAME_HAND);
    candidates.push(roi);
}

#[cfg(test)]
pub(crate) mod tests;
