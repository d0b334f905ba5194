//! `detect`: labelled boxes in a picture.

use std::time::Instant;

use super::boxes::{Found, Reader};
use super::chain::{Reading, milliseconds};
use super::judge::{Scale, Verdict};
use super::prediction::rounded;
use super::resize::Resizer;
use crate::cascade::Frame;
use crate::model::manifest::Detect;
use crate::model::tensors::Loaded;
use crate::runtime::RuntimeError;

/// Detects things.
pub struct Detector {
    resizer: Resizer,
    model: Loaded,
    reader: Reader,
    scale: Scale,
    input: Vec<f32>,
}

impl Detector {
    /// With a loaded model and its labels.
    pub fn new(task: &Detect, names: &[String], model: Loaded) -> Self {
        Self {
            resizer: Resizer::new(&task.picture),
            model,
            reader: Reader::new(&task.boxes),
            scale: Scale::new(&task.judging, names),
            input: vec![0.0; task.picture.values()],
        }
    }

    /// Reads one frame: its boxes, and the label of the most probable one.
    ///
    /// # Errors
    /// [`RuntimeError`] if the model refuses.
    pub fn read(&mut self, frame: &Frame<'_>, reading: &mut Reading) -> Result<(), RuntimeError> {
        let start = Instant::now();
        self.resizer.fill(frame, &mut self.input);
        reading.timing_ms.prepare = milliseconds(start.elapsed());
        let start = Instant::now();
        self.model.run(&self.input)?;
        self.reader.read(&self.model, &self.scale, &mut reading.boxes)?;
        reading.answered = true;
        for found in &mut reading.boxes {
            *found = self.in_frame(found);
        }
        let best = reading.boxes.first();
        reading.judge(best.map_or(Verdict::NOTHING, |best| Verdict {
            label: Some(best.label),
            score: best.score,
        }));
        reading.timing_ms.classify = milliseconds(start.elapsed());
        Ok(())
    }

    /// A box of the input as one of the frame, cut at its edges.
    fn in_frame(&self, found: &Found) -> Found {
        let [left, top, right, bottom] = found.edges;
        let [left, top] = self.resizer.in_frame([left, top]);
        let [right, bottom] = self.resizer.in_frame([right, bottom]);
        let edges = [left, top, right, bottom].map(|edge| rounded(edge.clamp(0.0, 1.0)));
        Found { edges, score: rounded(found.score), ..*found }
    }
}
