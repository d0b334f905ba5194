//! `hand-landmarks` and `hand-sign`: the cascade's hands, and what a window of them says.

use std::time::{Duration, Instant};

use super::chain::{Reading, milliseconds, shape};
use super::judge::{Judge, Scale, Sight};
use super::normalise::{palm, tensor, wrist};
use super::prediction;
use super::stabiliser::{Committed, Grip, Settings};
use super::window::{Fill, Hop, Shape, Window};
use crate::cascade::{Cascade, Frame, Hand, Search};
use crate::model::HandModels;
use crate::model::manifest::HandSign;
use crate::model::tensors::Loaded;
use crate::runtime::RuntimeError;

/// Finds and follows hands.
pub struct Landmarks(Cascade);

impl Landmarks {
    /// Follows up to `max_hands` hands.
    pub fn new(models: HandModels, max_hands: usize) -> Self {
        Self(Cascade::new(models, max_hands))
    }

    /// Tells the frame's hands; gives the one that is tracked longest.
    ///
    /// # Errors
    /// [`RuntimeError`] if a model refuses.
    pub fn read(
        &mut self,
        frame: &Frame<'_>,
        reading: &mut Reading,
    ) -> Result<Option<Hand>, RuntimeError> {
        let start = Instant::now();
        let search = self.0.search(frame)?;
        let searched = Instant::now();
        if search == Search::Done {
            reading.timing_ms.detect = milliseconds(searched - start);
        }
        let hands = self.0.follow(frame)?;
        reading.hands.extend(hands.iter().map(prediction::Hand::from));
        reading.timing_ms.landmarks = milliseconds(searched.elapsed());
        Ok(hands.first().copied())
    }

    /// The next frame is another source's.
    pub fn forget(&mut self) {
        self.0.forget();
    }
}

/// Reads signs in windows of hands.
pub struct Signs {
    landmarks: Landmarks,
    model: Loaded,
    window: Window<Option<Hand>>,
    hop: Hop,
    judge: Judge,
    /// The window's hands, oldest first.
    hands: Vec<Option<Hand>>,
    /// The model's input.
    input: Vec<f32>,
}

impl Signs {
    /// With a loaded model and its labels.
    ///
    /// # Errors
    /// What of the manifest cannot be used, a sentence each.
    pub fn new(
        task: &HandSign,
        names: &[String],
        landmarks: Landmarks,
        model: Loaded,
    ) -> Result<Self, Vec<String>> {
        let shape = shape(task.window)?;
        let settings = Settings::from_table(&task.stabiliser, names)?;
        Ok(Self {
            landmarks,
            model,
            window: Window::new(shape),
            hop: Hop::new(shape, task.window.hop),
            judge: Judge::new(Scale::new(&task.judging, names), settings),
            hands: Vec::with_capacity(shape.elements),
            input: vec![0.0; task.model.input.shape.iter().product()],
        })
    }

    /// How the window is sampled.
    pub fn shape(&self) -> Shape {
        self.window.shape()
    }

    /// Reads one frame.
    ///
    /// # Errors
    /// [`RuntimeError`] if a model refuses.
    pub fn read(
        &mut self,
        frame: &Frame<'_>,
        at: Duration,
        reading: &mut Reading,
    ) -> Result<(), RuntimeError> {
        let hand = self.landmarks.read(frame, reading)?;
        let start = Instant::now();
        let fill = self.window.push(at, hand);
        if let Fill::TooSlow { interval } = fill {
            reading.too_slow = Some(interval);
        }
        let aspect = frame.height() as f32 / frame.width() as f32;
        let sight = hand.as_ref().map_or(Sight::Gone, |hand| {
            Sight::Hand(Grip { wrist: wrist(hand, aspect), palm: palm(hand, aspect) })
        });
        reading.committed = self.decide(at, sight, fill, aspect, reading)?;
        reading.judge(self.judge.verdict());
        reading.timing_ms.classify = milliseconds(start.elapsed());
        Ok(())
    }

    fn decide(
        &mut self,
        at: Duration,
        sight: Sight,
        fill: Fill,
        aspect: f32,
        reading: &mut Reading,
    ) -> Result<Option<Committed<usize>>, RuntimeError> {
        if matches!(fill, Fill::TooSlow { .. }) {
            // What was known is too old to stand.
            return Ok(self.judge.lose(at, sight));
        }
        if sight == Sight::Gone {
            reading.answered = true;
            // No hand is no sign: what the model would say about its past is not asked.
            return Ok(self.judge.nothing(at));
        }
        let Some(window) = self.window.snapshot() else { return Ok(self.judge.wait(at, sight)) };
        if !self.hop.takes(at) {
            self.judge.follow(at, sight);
            return Ok(None);
        }
        self.hands.clear();
        self.hands.extend(window.copied());
        tensor(&self.hands, aspect, &mut self.input);
        self.model.run(&self.input)?;
        reading.answered = true;
        let committed = self.judge.hear(at, sight, self.model.output(0));
        self.judge.scale().top(&mut reading.top);
        Ok(committed)
    }

    /// The source has ended: what is held was meant.
    pub fn flush(&mut self, at: Duration) -> Option<Committed<usize>> {
        let committed = self.judge.nothing(at);
        self.landmarks.forget();
        self.window.restart();
        committed
    }
}
