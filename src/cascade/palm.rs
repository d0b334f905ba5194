//! Palm detection: a view of the frame through the first model, its 2,016 boxes decoded and
//! merged.
//!
//! Source: MediaPipe 0.10.21 `palm_detection_cpu.pbtxt`, `ssd_anchors_calculator.cc`,
//! `tensors_to_detections_calculator.cc`.

use super::frame::Frame;
use super::nms::{Detection, KEYPOINTS, weighted_nms};
use super::roi::{Point, Roi};
use super::sampling::{Border, sample};
use crate::model::hands::{PALM_BOX_VALUES, PALM_BOXES, PALM_SIDE};
use crate::runtime::{Interpreter, RuntimeError};

/// MediaPipe's `min_detection_confidence` of 0.5, as a logit: most of the 2,016 boxes need no
/// exponential.
const MIN_LOGIT: f32 = 0.0;
/// Beyond this a logit changes nothing.
const MAX_LOGIT: f64 = 100.0;
/// The model's two grids: cells along a side, boxes in each cell.
const GRIDS: [(usize, usize); 2] = [(24, 2), (12, 6)];
/// A best box under this looks like no palm at all: a black picture gives -4.9, the 88
/// photographs of hands that the whole view misses -3.6 to 0.8.
const HINT_LOGIT: f32 = -4.0;
/// Key points that give the hand's direction.
const WRIST: usize = 0;
const MIDDLE: usize = 2;

/// Which part of the frame the model sees. It knows palms of some sizes better than of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// All of it: MediaPipe's.
    Whole,
    /// Its middle, so that palms look larger.
    Near,
    /// All of it and a margin, so that palms look smaller.
    Far,
}

impl View {
    fn square(self, frame: &Frame<'_>) -> Roi {
        let whole = Roi::letterbox(frame.width(), frame.height());
        let scale = match self {
            Self::Whole => 1.0,
            Self::Near => 2.0 / 3.0,
            Self::Far => 1.25,
        };
        Roi { size: whole.size * scale, ..whole }
    }
}

/// The palm model with the memory that its steps need, so that a search allocates nothing.
pub(super) struct PalmFinder {
    model: Box<dyn Interpreter>,
    anchors: Vec<Point>,
    picture: Vec<f32>,
    boxes: Vec<f32>,
    logits: Vec<f32>,
    found: Vec<Detection>,
    palms: Vec<Detection>,
}

impl PalmFinder {
    pub(super) fn new(model: Box<dyn Interpreter>) -> Self {
        Self {
            model,
            anchors: anchors(),
            picture: vec![0.0; PALM_SIDE * PALM_SIDE * 3],
            boxes: vec![0.0; PALM_BOXES * PALM_BOX_VALUES],
            logits: vec![0.0; PALM_BOXES],
            found: Vec::with_capacity(PALM_BOXES),
            palms: Vec::with_capacity(PALM_BOXES),
        }
    }

    /// Looks at a view of the frame; gives the regions of the palms in it, best first.
    pub(super) fn search(
        &mut self,
        frame: &Frame<'_>,
        view: View,
    ) -> Result<impl Iterator<Item = Roi> + '_, RuntimeError> {
        let square = view.square(frame);
        sample(frame, &square, PALM_SIDE, Border::Black, &mut self.picture);
        self.model.run(&[&self.picture], &mut [&mut self.boxes, &mut self.logits])?;
        self.found.clear();
        self.found.extend(decode(&self.anchors, &self.boxes, &self.logits));
        weighted_nms(&mut self.found, &mut self.palms);
        Ok(self.palms.iter().map(move |palm| region(palm, &square)))
    }

    /// Whether anything in the last view looked at all like a palm, be it far from enough.
    pub(super) fn hinted(&self) -> bool {
        self.logits.iter().any(|logit| *logit >= HINT_LOGIT)
    }
}

/// Centres of the boxes in the model's order: grid, row, column, box. Fractions of the square.
fn anchors() -> Vec<Point> {
    let centre = |index: usize, cells: usize| (index as f64 + 0.5) / cells as f64;
    let mut anchors = Vec::with_capacity(PALM_BOXES);
    for (cells, boxes) in GRIDS {
        for row in 0..cells {
            for column in 0..cells {
                let anchor = [centre(column, cells), centre(row, cells)];
                anchors.extend(std::iter::repeat_n(anchor, boxes));
            }
        }
    }
    anchors
}

/// The boxes that are likely enough, in fractions of the square. Values that are not numbers
/// never pass.
fn decode<'a>(
    anchors: &'a [Point],
    boxes: &'a [f32],
    logits: &'a [f32],
) -> impl Iterator<Item = Detection> + 'a {
    let boxes = boxes.chunks_exact(PALM_BOX_VALUES);
    anchors.iter().zip(boxes).zip(logits).filter_map(|((anchor, values), &logit)| {
        if logit.is_nan() || logit < MIN_LOGIT {
            return None;
        }
        let score = 1.0 / (1.0 + (-f64::from(logit).min(MAX_LOGIT)).exp());
        let value = |index: usize| f64::from(values[index]) / PALM_SIDE as f64;
        let point = |index: usize| [value(index) + anchor[0], value(index + 1) + anchor[1]];
        let ([x, y], [width, height]) = (point(0), [value(2), value(3)]);
        let sound = width >= 0.0 && height >= 0.0 && values.iter().all(|value| value.is_finite());
        sound.then(|| Detection {
            score,
            low: [x - width / 2.0, y - height / 2.0],
            high: [x + width / 2.0, y + height / 2.0],
            keypoints: std::array::from_fn::<_, KEYPOINTS, _>(|index| point(4 + 2 * index)),
        })
    })
}

/// A palm's region in the image.
fn region(palm: &Detection, square: &Roi) -> Roi {
    let image = |[x, y]: Point| square.to_image(x - 0.5, y - 0.5);
    let (wrist, middle) = (palm.keypoints[WRIST], palm.keypoints[MIDDLE]);
    Roi::from_palm(image(palm.low), image(palm.high), image(wrist), image(middle))
}
