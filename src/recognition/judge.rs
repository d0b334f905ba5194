//! From a model's scores to the label that is told and the sign that is committed.

use std::time::Duration;

use super::stabiliser::{Committed, Grip, Observation, Scores, Settings, Stabiliser};
use crate::model::bundle::shown;
use crate::model::manifest::{Activation, Judging, NONE};

/// Labels told with a reading, best first.
pub const TOP: usize = 5;

/// The label that is told, by its place, and its probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// `None` for no label.
    pub label: Option<usize>,
    /// Probability of `label`; without one, that nothing is there to be named. 0 when
    /// nothing is known.
    pub score: f32,
}

impl Verdict {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self { label: None, score: 0.0 };
    /// There is nothing to be named.
    pub const NOTHING: Self = Self { label: None, score: 1.0 };
}

/// What makes a verdict of scores. Pure but for its own memory; allocates nothing.
#[derive(Debug, Clone)]
pub struct Scale {
    activation: Activation,
    thresholds: Vec<f32>,
    /// Place of the label that means nothing.
    none: Option<usize>,
    probabilities: Vec<f32>,
}

impl Scale {
    /// For labels in the order of the model's scores.
    #[must_use]
    pub fn new(judging: &Judging, labels: &[String]) -> Self {
        let threshold = |label: &String| {
            let own = judging.thresholds.iter().find(|(name, _)| shown(name) == *label);
            own.map_or(judging.threshold, |(_, threshold)| *threshold)
        };
        Self {
            activation: judging.activation,
            thresholds: labels.iter().map(threshold).collect(),
            none: labels.iter().position(|label| label == NONE),
            probabilities: vec![0.0; labels.len()],
        }
    }

    /// Takes a model's scores, one a label.
    pub fn weigh(&mut self, scores: &[f32]) -> Verdict {
        self.probabilities.copy_from_slice(scores);
        activate(self.activation, &mut self.probabilities);
        self.verdict()
    }

    /// What makes probabilities of scores.
    #[must_use]
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Probabilities in the order of the labels.
    #[must_use]
    pub fn probabilities(&self) -> &[f32] {
        &self.probabilities
    }

    /// Whether a label is told that is so probable.
    #[must_use]
    pub fn passes(&self, label: usize, probability: f32) -> bool {
        Some(label) != self.none
            && self.thresholds.get(label).is_some_and(|threshold| probability >= *threshold)
    }

    /// Labels with their probabilities, without the one that means nothing.
    pub fn named(&self) -> impl Iterator<Item = (usize, f32)> {
        let all = self.probabilities.iter().copied().enumerate();
        all.filter(|(label, _)| Some(*label) != self.none)
    }

    /// The most probable labels, best first, appended to `top`.
    pub fn top(&self, top: &mut Vec<(usize, f32)>) {
        for (label, &probability) in self.probabilities.iter().enumerate() {
            let place = top.partition_point(|(_, better)| *better >= probability);
            if place < TOP {
                top.truncate(TOP - 1);
                top.insert(place, (label, probability));
            }
        }
    }

    fn verdict(&self) -> Verdict {
        let best =
            self.probabilities.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
        match best {
            Some((label, score)) if self.passes(label, score) => {
                Verdict { label: Some(label), score }
            }
            Some((label, score)) if Some(label) == self.none => Verdict { label: None, score },
            // Too little for a label: what is left is that there is none.
            Some((_, score)) => Verdict { label: None, score: (1.0 - score).clamp(0.0, 1.0) },
            None => Verdict::UNKNOWN,
        }
    }
}

/// Makes probabilities of finite scores. What is a probability already is kept within 0 to 1.
pub fn activate(activation: Activation, scores: &mut [f32]) {
    match activation {
        Activation::None => {
            for score in scores {
                *score = score.clamp(0.0, 1.0);
            }
        }
        Activation::Sigmoid => {
            for score in scores {
                *score = 1.0 / (1.0 + (-*score).exp());
            }
        }
        Activation::Softmax => {
            let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let mut sum = 0.0;
            for score in scores.iter_mut() {
                *score = (*score - most).exp();
                sum += *score;
            }
            scores.iter_mut().for_each(|score| *score /= sum);
        }
    }
}

/// What was shown to the model, for the one who decides whether a sign is meant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sight {
    /// A hand.
    Hand(Grip),
    /// Something that is always there, as a picture is.
    Still,
    /// Nothing: no hand.
    Gone,
}

/// A scale with a stabiliser behind it.
#[derive(Debug, Clone)]
pub struct Judge {
    scale: Scale,
    stabiliser: Stabiliser<usize>,
    /// The scale's labels with their probabilities, without the one that means nothing.
    named: Vec<(usize, f32)>,
    last: Verdict,
    /// The stabiliser's.
    enter: f32,
}

impl Judge {
    /// A judge who has seen nothing.
    #[must_use]
    pub fn new(scale: Scale, settings: Settings<usize>) -> Self {
        let named = Vec::with_capacity(scale.probabilities.len());
        let enter = settings.enter;
        Self { scale, stabiliser: Stabiliser::new(settings), named, last: Verdict::UNKNOWN, enter }
    }

    /// The scale.
    #[must_use]
    pub fn scale(&self) -> &Scale {
        &self.scale
    }

    /// What stands now.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.last
    }

    /// Takes the scores of the window that ends at `at`.
    pub fn hear(&mut self, at: Duration, sight: Sight, scores: &[f32]) -> Option<Committed<usize>> {
        self.last = self.scale.weigh(scores);
        self.named.clear();
        let Self { scale, enter, named, .. } = self;
        // A label under its threshold goes on at most: it never begins.
        let heard = |(label, score)| match scale.passes(label, score) {
            true => (label, score),
            false => (label, score.min(enter.next_down())),
        };
        named.extend(scale.named().map(heard));
        let seen = Observation { at, hand: grip(sight), scores: Scores::Known(&self.named) };
        self.stabiliser.on(&seen)
    }

    /// Nothing is asked about this frame; where its hand is has to be known all the same.
    pub fn follow(&mut self, at: Duration, sight: Sight) {
        self.stabiliser.follow(at, grip(sight));
    }

    /// There are no scores for a frame with something in it: what stands, stands on.
    pub fn wait(&mut self, at: Duration, sight: Sight) -> Option<Committed<usize>> {
        self.stabiliser.on(&Observation { at, hand: grip(sight), scores: Scores::Unknown })
    }

    /// There is nothing to be named.
    pub fn nothing(&mut self, at: Duration) -> Option<Committed<usize>> {
        self.last = Verdict::NOTHING;
        self.wait(at, Sight::Gone)
    }

    /// Nothing is known any more.
    pub fn lose(&mut self, at: Duration, sight: Sight) -> Option<Committed<usize>> {
        self.last = Verdict::UNKNOWN;
        self.wait(at, sight)
    }
}

/// A thing that is always there rests at one place.
fn grip(sight: Sight) -> Option<Grip> {
    match sight {
        Sight::Hand(grip) => Some(grip),
        Sight::Still => Some(Grip { wrist: [0.0; 2], palm: 1.0 }),
        Sight::Gone => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn scale(activation: Activation) -> Scale {
        let judging = Judging {
            labels: "labels.txt".into(),
            activation,
            threshold: 0.5,
            thresholds: BTreeMap::from([("b".to_owned(), 0.8)]),
        };
        Scale::new(&judging, &["A", "B", "none"].map(str::to_owned))
    }

    #[test]
    fn a_label_is_told_from_its_own_threshold_on() {
        let mut scale = scale(Activation::None);
        let mut verdict = |scores: [f32; 3]| scale.weigh(&scores);
        assert_eq!(verdict([0.6, 0.1, 0.3]), Verdict { label: Some(0), score: 0.6 });
        assert_eq!(verdict([0.1, 0.7, 0.2]).label, None);
        assert_eq!(verdict([0.1, 0.8, 0.1]), Verdict { label: Some(1), score: 0.8 });
        assert_eq!(verdict([0.1, 0.1, 0.8]), Verdict { label: None, score: 0.8 });
        let weak = verdict([0.4, 0.3, 0.3]);
        assert!(weak.label.is_none() && (weak.score - 0.6).abs() < 1e-6, "{weak:?}");
    }

    #[test]
    fn the_best_labels_come_first() {
        let mut scale = scale(Activation::None);
        scale.weigh(&[0.2, 0.7, 0.1]);
        let mut top = Vec::with_capacity(TOP);
        scale.top(&mut top);
        assert_eq!(top, [(1, 0.7), (0, 0.2), (2, 0.1)]);
    }

    #[test]
    fn logits_become_probabilities() {
        let mut scores = [0.0, 100.0, -100.0];
        activate(Activation::Sigmoid, &mut scores);
        assert_eq!(scores, [0.5, 1.0, 0.0]);
        let mut scores = [1000.0, 1000.0, 0.0];
        activate(Activation::Softmax, &mut scores);
        assert_eq!(scores, [0.5, 0.5, 0.0]);
    }

    #[test]
    fn a_picture_that_stays_is_committed_once() {
        let mut judge = Judge::new(scale(Activation::None), Settings::default());
        let mut committed = Vec::new();
        for frame in 0..60 {
            let at = Duration::from_millis(33 * frame);
            committed.extend(judge.hear(at, Sight::Still, &[0.9, 0.05, 0.05]));
        }
        assert_eq!(committed, [Committed::Sign(0)]);
    }

    proptest! {
        #[test]
        fn probabilities_sum_to_one_and_the_top_is_sorted(
            scores in prop::array::uniform3(-50_f32..50.0),
        ) {
            let mut scale = scale(Activation::Softmax);
            scale.weigh(&scores);
            let sum: f32 = scale.probabilities().iter().sum();
            prop_assert!((sum - 1.0).abs() < 1e-5);
            let mut top = Vec::new();
            scale.top(&mut top);
            prop_assert!(top.len() == 3 && top.is_sorted_by(|a, b| a.1 >= b.1));
        }
    }
}
