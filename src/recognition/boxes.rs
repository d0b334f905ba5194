//! From a detector's tensors to labelled boxes in the picture.

use super::judge::{Scale, activate};
use crate::model::manifest::{Activation, Anchors, Boxes, Order, Size};
use crate::model::tensors::Loaded;
use crate::runtime::RuntimeError;

/// Boxes that are told of one picture, the most probable ones.
pub const MOST: usize = 20;

/// A labelled box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// The label's place.
    pub label: usize,
    /// Its probability.
    pub score: f32,
    /// Left, top, right and bottom as fractions.
    pub edges: [f32; 4],
}

impl Found {
    fn area(&self) -> f32 {
        let [left, top, right, bottom] = self.edges;
        (right - left).max(0.0) * (bottom - top).max(0.0)
    }

    /// Intersection over union.
    fn overlap(&self, other: &Self) -> f32 {
        let ([a, b, c, d], [e, f, g, h]) = (self.edges, other.edges);
        let shared = (c.min(g) - a.max(e)).max(0.0) * (d.min(h) - b.max(f)).max(0.0);
        let all = self.area() + other.area() - shared;
        if all > 0.0 { shared / all } else { 0.0 }
    }
}

/// Reads a detector's outputs; its memory is kept from picture to picture.
#[derive(Clone, Debug)]
pub struct Reader {
    form: Form,
    candidates: Vec<Found>,
    /// One anchor's, to be made probabilities.
    scores: Vec<f32>,
}

#[derive(Clone, Debug)]
enum Form {
    Ssd,
    Anchors {
        settings: Anchors,
        /// Centre and sides of each: x, y, width, height.
        places: Vec<[f32; 4]>,
        /// Values of a box, of which the first four are read.
        values: usize,
    },
}

impl Reader {
    /// For outputs of this form.
    #[must_use]
    pub fn new(boxes: &Boxes) -> Self {
        let form = match boxes {
            Boxes::Ssd { .. } => Form::Ssd,
            Boxes::Anchors { anchors, boxes, .. } => Form::Anchors {
                settings: anchors.clone(),
                places: places(anchors),
                values: boxes.shape.last().copied().unwrap_or(4),
            },
        };
        let (rows, scores) = match boxes {
            Boxes::Ssd { boxes, .. } => (boxes.shape[1], 0),
            Boxes::Anchors { scores, .. } => (scores.shape[1], scores.shape[2]),
        };
        Self { form, candidates: Vec::with_capacity(rows), scores: vec![0.0; scores] }
    }

    /// Appends what the model's last run has found to `found`: in fractions of its input, best
    /// first, at most [`MOST`].
    ///
    /// # Errors
    /// [`RuntimeError::Label`] for a class that no label stands for.
    pub fn read(
        &mut self,
        model: &Loaded,
        scale: &Scale,
        found: &mut Vec<Found>,
    ) -> Result<(), RuntimeError> {
        self.candidates.clear();
        match &self.form {
            Form::Ssd => ssd(model, scale, &mut self.candidates)?,
            Form::Anchors { settings, places, values } => {
                let boxes = model.output(0).chunks_exact(*values).zip(places);
                let scores = model.output(1).chunks_exact(self.scores.len());
                for ((values, place), scores) in boxes.zip(scores) {
                    let first = usize::from(settings.background);
                    let named = scores[first..].iter().copied().enumerate();
                    let Some((label, raw)) = named.max_by(|a, b| a.1.total_cmp(&b.1)) else {
                        continue;
                    };
                    let score = match scale.activation() {
                        Activation::Softmax => {
                            self.scores.copy_from_slice(scores);
                            activate(Activation::Softmax, &mut self.scores);
                            self.scores[first + label]
                        }
                        // Of the best alone: most of the anchors are nothing.
                        single => {
                            let mut score = [raw];
                            activate(single, &mut score);
                            score[0]
                        }
                    };
                    if !scale.passes(label, score) {
                        continue;
                    }
                    let edges = decode(values, place, settings);
                    if edges.iter().all(|edge| edge.is_finite()) {
                        self.candidates.push(Found { label, score, edges });
                    }
                }
            }
        }
        let overlap = match &self.form {
            // The graph has thinned them out.
            Form::Ssd => 1.0,
            Form::Anchors { settings, .. } => settings.overlap,
        };
        thin(&mut self.candidates, overlap, found);
        Ok(())
    }
}

/// Keeps the best of boxes of one label that overlap.
fn thin(candidates: &mut [Found], overlap: f32, found: &mut Vec<Found>) {
    candidates.sort_unstable_by(|a, b| b.score.total_cmp(&a.score));
    for candidate in candidates.iter() {
        if found.len() == MOST {
            return;
        }
        let same = |other: &&Found| other.label == candidate.label;
        if !found.iter().filter(same).any(|other| other.overlap(candidate) >= overlap) {
            found.push(*candidate);
        }
    }
}

/// Classes are numbers, and may come from a tensor with steps of its own.
fn ssd(model: &Loaded, scale: &Scale, candidates: &mut Vec<Found>) -> Result<(), RuntimeError> {
    let (boxes, classes, scores) = (model.output(0), model.output(1), model.output(2));
    let labels = scale.probabilities().len();
    let rows = boxes.chunks_exact(4).zip(classes).zip(scores);
    for ((edges, class), score) in rows {
        let mut score = [*score];
        activate(scale.activation(), &mut score);
        let class = class.round();
        if !(0.0..labels as f32).contains(&class) {
            return Err(RuntimeError::Label { class, labels });
        }
        let label = class as usize;
        let &[top, left, bottom, right] = edges else { continue };
        let edges = [left, top, right, bottom];
        if scale.passes(label, score[0]) && edges.iter().all(|edge| edge.is_finite()) {
            candidates.push(Found { label, score: score[0], edges });
        }
    }
    Ok(())
}

/// Centres and sides of the anchors, in the order of the tensor.
fn places(anchors: &Anchors) -> Vec<[f32; 4]> {
    let mut places = Vec::with_capacity(anchors.count());
    for layer in &anchors.layers {
        let [rows, columns] = layer.grid;
        for row in 0..rows {
            for column in 0..columns {
                let x = (column as f32 + 0.5) / columns as f32;
                let y = (row as f32 + 0.5) / rows as f32;
                places.extend(layer.boxes.iter().map(|[width, height]| [x, y, *width, *height]));
            }
        }
    }
    places
}

/// The edges that a box's values mean (SSD, Liu et al. 2016, 2.2).
fn decode(values: &[f32], &[x, y, width, height]: &[f32; 4], settings: &Anchors) -> [f32; 4] {
    let [a, b, c, d] = [values[0], values[1], values[2], values[3]];
    let [dx, dy, w, h] = match settings.order {
        Order::Xywh => [a, b, c, d],
        Order::Yxhw => [b, a, d, c],
    };
    let [sx, sy, sw, sh] = settings.scale;
    let (cx, cy) = (dx / sx * width + x, dy / sy * height + y);
    let side = |value: f32, side: f32| match settings.size {
        Size::Linear => value * side,
        Size::Exponential => value.exp() * side,
    };
    let (w, h) = (side(w / sw, width) / 2.0, side(h / sh, height) / 2.0);
    [cx - w, cy - h, cx + w, cy + h]
}

#[cfg(test)]
#[path = "boxes_tests.rs"]
mod tests;
