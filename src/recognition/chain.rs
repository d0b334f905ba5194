//! One frame in, one reading out, whatever the bundle's task is.
//!
//! The owner (the live worker, or `signpost read`) holds it by value and feeds it one source's
//! frames in order.

use std::sync::Arc;
use std::time::Duration;

use super::boxes::Found;
use super::detector::Detector;
use super::judge::Verdict;
use super::pictures::Pictures;
use super::prediction::{self, Timing, rounded};
use super::signs::{Landmarks, Signs};
use super::stabiliser::Committed;
use super::transcript::Transcript;
use super::window::Shape;
use crate::cascade::Frame;
use crate::model::manifest::{self, Task, Window};
use crate::model::{ModelError, Models};
use crate::runtime::RuntimeError;

/// After a longer pause of the source nobody holds the sign that was seen before it.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What was read in one frame. Labels are told by their places in [`Chain::names`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Present label, or `None` for none. While a window fills, the last one stands.
    pub label: Option<usize>,
    /// Probability of `label`, or of there being none, 0..1; 0 when nothing is known.
    pub score: f32,
    /// The sign or space that this frame committed.
    pub committed: Option<Committed<usize>>,
    /// The most probable labels, best first; empty without a new result.
    pub top: Vec<(usize, f32)>,
    /// Hands in the picture, coordinates rounded to four decimals.
    pub hands: Vec<prediction::Hand>,
    /// Boxes in the picture as fractions of it, best first, rounded to four decimals.
    pub boxes: Vec<Found>,
    /// Where the time went; `capture_to_result` is the owner's to fill in.
    pub timing_ms: Timing,
    /// How far apart frames come, when that is too slow for the model.
    pub too_slow: Option<Duration>,
    /// Whether the model was asked, or there was nothing that it could be asked about, such as
    /// no hand. Not while a window fills, and not between two hops.
    pub answered: bool,
}

impl Reading {
    /// Forgets the frame before, and keeps its memory.
    fn clear(&mut self) {
        let Self { top, hands, boxes, .. } = std::mem::take(self);
        let (mut top, mut hands, mut boxes) = (top, hands, boxes);
        top.clear();
        hands.clear();
        boxes.clear();
        *self = Self { top, hands, boxes, ..Self::default() };
    }

    /// Takes a verdict over.
    pub(super) fn judge(&mut self, verdict: Verdict) {
        (self.label, self.score) = (verdict.label, rounded(verdict.score));
    }
}

/// The whole recognition of one source.
pub struct Chain {
    reader: Reader,
    names: Arc<[String]>,
    transcript: Transcript,
    reading: Reading,
    last_at: Option<Duration>,
}

/// What the task asks for.
enum Reader {
    Landmarks(Box<Landmarks>),
    Signs(Box<Signs>),
    Pictures(Box<Pictures>),
    Boxes(Box<Detector>),
}

impl Chain {
    /// A chain that follows up to `max_hands` hands and reads the one tracked longest.
    ///
    /// # Errors
    /// [`ModelError::Manifest`] if the stabiliser's settings or the window are none, or models
    /// are missing that the task needs.
    pub fn new(models: Models, max_hands: usize) -> Result<Self, ModelError> {
        let Models { hands, model, bundle } = models;
        let refuse =
            |problems| ModelError::Manifest { path: bundle.folder.join(manifest::FILE), problems };
        let absent = |what: &str| refuse(vec![format!("{what} is not loaded")]);
        let (names, task) = (&bundle.labels, &bundle.manifest.task);
        let hands = || hands.ok_or_else(|| absent("the pair of hand models"));
        let model = || model.ok_or_else(|| absent("the model"));
        let reader = match task {
            Task::HandLandmarks => Reader::Landmarks(Box::new(Landmarks::new(hands()?, max_hands))),
            Task::HandSign(task) => {
                let signs = Signs::new(task, names, Landmarks::new(hands()?, max_hands), model()?);
                Reader::Signs(Box::new(signs.map_err(refuse)?))
            }
            Task::Classify(task) => {
                let pictures = Pictures::new(task, names, model()?).map_err(refuse)?;
                Reader::Pictures(Box::new(pictures))
            }
            Task::Detect(task) => Reader::Boxes(Box::new(Detector::new(task, names, model()?))),
        };
        Ok(Self {
            reader,
            names: names.as_slice().into(),
            transcript: Transcript::new(),
            reading: Reading::default(),
            last_at: None,
        })
    }

    /// Reads the frame taken at `at` (running time, or position in the clip). Blocks for the
    /// whole inference, 8 to 20 ms on a PC with hands; allocates nothing once it has seen a
    /// few frames of one size.
    ///
    /// # Errors
    /// [`RuntimeError`] if a model refuses; the next frame may be read.
    pub fn read(&mut self, frame: &Frame<'_>, at: Duration) -> Result<&Reading, RuntimeError> {
        self.reading.clear();
        let paused = self.last_at.is_some_and(|last| at.saturating_sub(last) > LONGEST_PAUSE);
        let ended = if paused { self.flush() } else { None };
        self.last_at = Some(at);
        let reading = &mut self.reading;
        match &mut self.reader {
            Reader::Landmarks(landmarks) => {
                landmarks.read(frame, reading)?;
                reading.answered = true;
            }
            Reader::Signs(signs) => signs.read(frame, at, reading)?,
            Reader::Pictures(pictures) => pictures.read(frame, at, reading)?,
            Reader::Boxes(detector) => detector.read(frame, reading)?,
        }
        let committed = self.reading.committed;
        self.commit(committed);
        self.reading.committed = ended.or(committed);
        Ok(&self.reading)
    }

    /// Takes over from a chain before it: the text goes on.
    pub fn go_on(&mut self, before: &mut Self) {
        self.transcript = std::mem::take(&mut before.transcript);
    }

    /// What was read in the last frame.
    #[must_use]
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// Ends the source: a sign that was held long enough is committed although it never
    /// ended. The next frame starts anew.
    pub fn flush(&mut self) -> Option<Committed<usize>> {
        let at = self.last_at.take()? + self.period();
        let committed = match &mut self.reader {
            Reader::Landmarks(landmarks) => {
                landmarks.forget();
                None
            }
            Reader::Signs(signs) => signs.flush(at),
            Reader::Pictures(pictures) => pictures.flush(at),
            Reader::Boxes(_) => None,
        };
        self.commit(committed);
        committed
    }

    /// Time from one of the window's elements to the next; that of a camera of 30 frames a
    /// second where there is no window.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.shape().map_or(Duration::from_secs(1) / 30, |shape| shape.period)
    }

    /// The same where a window has more than one element; for others only the newest
    /// frame matters.
    #[must_use]
    pub fn spacing(&self) -> Option<Duration> {
        self.shape().filter(|shape| shape.elements > 1).map(|shape| shape.period)
    }

    /// The labels, in upper case.
    #[must_use]
    pub fn names(&self) -> &Arc<[String]> {
        &self.names
    }

    /// What was committed so far.
    #[must_use]
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    fn shape(&self) -> Option<Shape> {
        match &self.reader {
            Reader::Signs(signs) => Some(signs.shape()),
            Reader::Pictures(pictures) => pictures.shape(),
            Reader::Landmarks(_) | Reader::Boxes(_) => None,
        }
    }

    fn commit(&mut self, committed: Option<Committed<usize>>) {
        if let Some(committed) = committed {
            self.transcript.push(committed.named(&self.names));
        }
    }
}

/// What the manifest's window is sampled like.
pub(super) fn shape(window: Window) -> Result<Shape, Vec<String>> {
    Shape::new(window.frames, window.rate_hz)
        .ok_or_else(|| vec![format!("window {window:?} cannot be sampled")])
}

pub(super) fn milliseconds(time: Duration) -> f32 {
    time.as_secs_f32() * 1e3
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
