//! `classify` and `classify-window`: a label for a picture, or for a window of them.

use std::time::{Duration, Instant};

use super::chain::{Reading, milliseconds, shape};
use super::judge::{Judge, Scale, Sight};
use super::resize::Resizer;
use super::stabiliser::{Committed, Settings};
use super::window::{Fill, Hop, Shape, Window};
use crate::cascade::Frame;
use crate::model::manifest::{Classify, Layout};
use crate::model::tensors::Loaded;
use crate::runtime::RuntimeError;

/// Classifies pictures.
pub struct Pictures {
    resizer: Resizer,
    past: Option<Past>,
    model: Loaded,
    judge: Judge,
    /// The model's input.
    input: Vec<f32>,
}

/// The pictures before this one.
struct Past {
    window: Window<Box<[f32]>>,
    hop: Hop,
    layout: Layout,
    channels: usize,
    values: usize,
}

impl Pictures {
    /// With a loaded model and its labels.
    ///
    /// # Errors
    /// What of the manifest cannot be used, a sentence each.
    pub fn new(task: &Classify, names: &[String], model: Loaded) -> Result<Self, Vec<String>> {
        let past = match task.window {
            Some((window, layout)) => {
                let shape = shape(window)?.thinned();
                let (channels, values) = (task.picture.colour.channels(), task.picture.values());
                let hop = Hop::new(shape, window.hop);
                Some(Past { window: Window::new(shape), hop, layout, channels, values })
            }
            None => None,
        };
        let settings = Settings::from_table(&task.stabiliser, names)?;
        Ok(Self {
            resizer: Resizer::new(&task.picture),
            past,
            model,
            judge: Judge::new(Scale::new(&task.judging, names), settings),
            input: vec![0.0; task.model.input.shape.iter().product()],
        })
    }

    /// How the window is sampled, if there is one.
    pub fn shape(&self) -> Option<Shape> {
        self.past.as_ref().map(|past| past.window.shape())
    }

    /// Reads one frame.
    ///
    /// # Errors
    /// [`RuntimeError`] if the model refuses.
    pub fn read(
        &mut self,
        frame: &Frame<'_>,
        at: Duration,
        reading: &mut Reading,
    ) -> Result<(), RuntimeError> {
        let start = Instant::now();
        let ready = match &mut self.past {
            None => {
                self.resizer.fill(frame, &mut self.input);
                true
            }
            Some(past) => match past.take(&mut self.resizer, frame, at) {
                Fill::Ready => past.hop.takes(at) && past.stack(&mut self.input),
                Fill::Filling => {
                    reading.committed = self.judge.wait(at, Sight::Still);
                    false
                }
                Fill::TooSlow { interval } => {
                    reading.too_slow = Some(interval);
                    reading.committed = self.judge.lose(at, Sight::Still);
                    false
                }
            },
        };
        reading.timing_ms.prepare = milliseconds(start.elapsed());
        if ready {
            let start = Instant::now();
            self.model.run(&self.input)?;
            reading.answered = true;
            reading.committed = self.judge.hear(at, Sight::Still, self.model.output(0));
            self.judge.scale().top(&mut reading.top);
            reading.timing_ms.classify = milliseconds(start.elapsed());
        }
        reading.judge(self.judge.verdict());
        Ok(())
    }

    /// The source has ended: what is held was meant.
    pub fn flush(&mut self, at: Duration) -> Option<Committed<usize>> {
        if let Some(past) = &mut self.past {
            past.window.restart();
        }
        self.judge.nothing(at)
    }
}

impl Past {
    /// Puts a frame's picture into the window.
    fn take(&mut self, resizer: &mut Resizer, frame: &Frame<'_>, at: Duration) -> Fill {
        let spare = self.window.spare();
        let mut picture = spare.unwrap_or_else(|| vec![0.0; self.values].into_boxed_slice());
        resizer.fill(frame, &mut picture);
        self.window.push(at, picture)
    }

    /// Fills the model's input from the window; whether there is one.
    fn stack(&self, input: &mut [f32]) -> bool {
        let Some(pictures) = self.window.snapshot() else { return false };
        match self.layout {
            Layout::Time => {
                for (place, picture) in input.chunks_exact_mut(self.values).zip(pictures) {
                    place.copy_from_slice(picture);
                }
            }
            Layout::Channels => {
                let row = pictures.len() * self.channels;
                for (time, picture) in pictures.enumerate() {
                    let places = input.chunks_exact_mut(row);
                    for (place, pixel) in places.zip(picture.chunks_exact(self.channels)) {
                        let from = time * self.channels;
                        place[from..from + self.channels].copy_from_slice(pixel);
                    }
                }
            }
        }
        true
    }
}
