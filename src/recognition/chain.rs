//! One frame in, one reading out: cascade, window, classifier, stabiliser, transcript.
//!
//! The owner (the live worker, or `signpost read`) holds it by value and feeds it one source's
//! frames in order.

use std::time::{Duration, Instant};

use super::normalise::{ELEMENT_LEN, palm, tensor, wrist};
use super::prediction::{self, Timing, rounded};
use super::stabiliser::{Grip, Observation, Scores, Settings, Stabiliser};
use super::transcript::Transcript;
use super::window::{Fill, Shape, Window};
use crate::cascade::{Cascade, Frame, Hand, Search};
use crate::model::{ModelError, Models, manifest};
use crate::runtime::{Interpreter, RuntimeError};

/// Labels told with a reading, best first.
const TOP: usize = 5;

/// After a longer pause of the source nobody holds the sign that was seen before it.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What was read in one frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Present sign, or `None` for no sign. While the window fills, the last one stands.
    pub label: Option<char>,
    /// Probability of `label`, or of "none", 0..1; 0 when nothing is known.
    pub score: f32,
    /// The sign or space that this frame committed.
    pub committed: Option<char>,
    /// The most probable labels, best first; empty without a new result.
    pub top: Vec<(String, f32)>,
    /// Hands in the picture, coordinates rounded to four decimals.
    pub hands: Vec<prediction::Hand>,
    /// Where the time went; `capture_to_result` is the owner's to fill in.
    pub timing_ms: Timing,
    /// How far apart frames come, when that is too slow for the model.
    pub too_slow: Option<Duration>,
}

/// The whole recognition of one source.
pub struct Chain {
    cascade: Cascade,
    classifier: Box<dyn Interpreter>,
    letters: Vec<Option<char>>,
    window: Window<Option<Hand>>,
    stabiliser: Stabiliser,
    transcript: Transcript,
    /// The classifier's output, in the order of `letters`.
    scores: Vec<f32>,
    /// The same with its letters, without "none".
    by_letter: Vec<(char, f32)>,
    label: Option<char>,
    score: f32,
    last_at: Option<Duration>,
}

impl Chain {
    /// A chain that follows up to `max_hands` hands and reads the one tracked longest.
    ///
    /// # Errors
    /// [`ModelError::Manifest`] if the bundle's window, input or stabiliser settings are not
    /// ones that a hand can be read with.
    pub fn new(models: Models, max_hands: usize) -> Result<Self, ModelError> {
        let Models { hands, classifier, bundle } = models;
        let refuse =
            |problems| ModelError::Manifest { path: bundle.folder.join(manifest::FILE), problems };
        let asked = bundle.manifest.window;
        let shape = Shape::new(asked.frames, asked.rate_hz)
            .ok_or_else(|| refuse(vec![format!("window {asked:?} cannot be sampled")]))?;
        let input = &bundle.manifest.model.input;
        if input.last() != Some(&ELEMENT_LEN) {
            return Err(refuse(vec![format!(
                "model.input = {input:?}: must end in {ELEMENT_LEN}, the values of a frame's hand"
            )]));
        }
        let settings = Settings::from_table(&bundle.manifest.stabiliser).map_err(refuse)?;
        Ok(Self {
            cascade: Cascade::new(hands, max_hands),
            classifier,
            scores: vec![0.0; bundle.letters.len()],
            by_letter: Vec::with_capacity(bundle.letters.len()),
            letters: bundle.letters,
            window: Window::new(shape),
            stabiliser: Stabiliser::new(settings),
            transcript: Transcript::new(),
            label: None,
            score: 0.0,
            last_at: None,
        })
    }

    /// Reads the frame taken at `at` (running time, or position in the clip). Blocks for the
    /// whole inference, 8 to 20 ms on a PC.
    ///
    /// # Errors
    /// [`RuntimeError`] if a model refuses; the next frame may be read.
    pub fn read(&mut self, frame: &Frame<'_>, at: Duration) -> Result<Reading, RuntimeError> {
        let mut timing_ms = Timing::default();
        let start = Instant::now();
        let search = self.cascade.search(frame)?;
        let searched = Instant::now();
        if search == Search::Done {
            timing_ms.detect = milliseconds(searched - start);
        }
        let hands = self.cascade.follow(frame)?;
        let primary = hands.first().copied();
        let hands = hands.iter().map(prediction::Hand::from).collect();
        let followed = Instant::now();
        timing_ms.landmarks = milliseconds(followed - searched);
        let aspect = frame.height() as f32 / frame.width() as f32;
        let paused = self.last_at.is_some_and(|last| at.saturating_sub(last) > LONGEST_PAUSE);
        let ended = if paused { self.flush() } else { None };
        let fill = self.window.push(at, primary);
        let fresh = self.classify(primary, aspect, fill)?;
        timing_ms.classify = milliseconds(followed.elapsed());
        let committed = ended.or_else(|| self.settle(at, primary, aspect, fresh));
        let top = if fresh { self.top() } else { Vec::new() };
        let (label, score) = (self.label, self.score);
        let too_slow = match fill {
            Fill::TooSlow { interval } => Some(interval),
            Fill::Ready | Fill::Filling => None,
        };
        Ok(Reading { label, score, committed, top, hands, timing_ms, too_slow })
    }

    /// Ends the source: a sign that was held long enough is committed although it never
    /// ended. The next frame starts anew.
    pub fn flush(&mut self) -> Option<char> {
        let at = self.last_at.take()? + self.period();
        let gone = Observation { at, hand: None, scores: Scores::Unknown };
        let committed = self.stabiliser.on(&gone);
        self.commit(committed);
        self.cascade.forget();
        self.window.restart();
        committed
    }

    /// Time from one of the window's elements to the next.
    pub fn period(&self) -> Duration {
        self.window.shape().period
    }

    /// The same where a window has more than one element; for others only the newest
    /// frame matters.
    pub fn spacing(&self) -> Option<Duration> {
        (self.window.shape().elements > 1).then(|| self.period())
    }

    /// What was committed so far.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Runs the classifier if there is a hand now and the window is full; says whether the
    /// scores are new.
    fn classify(
        &mut self,
        primary: Option<Hand>,
        aspect: f32,
        fill: Fill,
    ) -> Result<bool, RuntimeError> {
        if matches!(fill, Fill::TooSlow { .. }) {
            // Nothing is known, and what was known is too old to stand.
            (self.label, self.score) = (None, 0.0);
            return Ok(false);
        }
        if primary.is_none() {
            // No hand is no sign: what the classifier would say about its past is not asked.
            (self.label, self.score) = (None, 1.0);
            return Ok(false);
        }
        let Some(window) = self.window.snapshot() else { return Ok(false) };
        let window: Vec<Option<Hand>> = window.into_iter().copied().collect();
        let input = tensor(&window, aspect);
        self.classifier.run(&[&input], &mut [&mut self.scores])?;
        let best = self.scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        if let Some((index, &score)) = best {
            (self.label, self.score) = (self.letters[index], score);
        }
        Ok(true)
    }

    fn settle(
        &mut self,
        at: Duration,
        primary: Option<Hand>,
        aspect: f32,
        fresh: bool,
    ) -> Option<char> {
        self.last_at = Some(at);
        let scores = if fresh {
            self.by_letter.clear();
            let letters = self.letters.iter().zip(&self.scores);
            self.by_letter.extend(letters.filter_map(|(letter, &score)| Some(((*letter)?, score))));
            Scores::Known(&self.by_letter)
        } else {
            Scores::Unknown
        };
        let hand = primary
            .as_ref()
            .map(|hand| Grip { wrist: wrist(hand, aspect), palm: palm(hand, aspect) });
        let committed = self.stabiliser.on(&Observation { at, hand, scores });
        self.commit(committed);
        committed
    }

    fn commit(&mut self, committed: Option<char>) {
        if let Some(sign) = committed {
            self.transcript.push(sign);
        }
    }

    fn top(&self) -> Vec<(String, f32)> {
        let mut order: Vec<usize> = (0..self.scores.len()).collect();
        order.sort_by(|a, b| self.scores[*b].total_cmp(&self.scores[*a]));
        let name = |letter: Option<char>| letter.map_or(manifest::NONE.to_owned(), String::from);
        let best = order.into_iter().take(TOP);
        best.map(|index| (name(self.letters[index]), rounded(self.scores[index]))).collect()
    }
}

fn milliseconds(time: Duration) -> f32 {
    time.as_secs_f32() * 1e3
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
