//! The signer's performance: text and seed to a hand for every frame.

use crate::dice::Dice;
use crate::hand::{self, Side, Skeleton, View};
use crate::plan::{Plan, Sign, Signer, Station};
use crate::pose::{Build, Pose};
use crate::script::{self, Script, TextError};
use crate::space::{Rotation, vec3};

/// Frames a second.
pub const FPS: usize = 30;

/// A signer's whole performance of a script.
#[derive(Debug)]
pub struct Performance {
    signer: Signer,
    plan: Plan,
    stance: Rotation,
    side: Side,
    phases: [f32; 10],
}

impl Performance {
    /// Plans the performance.
    ///
    /// # Errors
    /// A text that cannot be signed.
    pub fn new(script: &Script) -> Result<Self, TextError> {
        let words = script::words(&script.text)?;
        let mut dice = Dice::new(script.seed, 0x516e);
        let stance = vec3(dice.about(6.0), dice.about(8.0), dice.about(6.0));
        let signer = Signer {
            build: Build::draw(&mut Dice::new(script.seed, 0xb0d1), 1.0),
            palm: dice.within(98.0, 122.0),
            place: (320.0 + dice.about(60.0), 250.0 + dice.about(14.0)),
        };
        let phases = std::array::from_fn(|_| dice.within(0.0, std::f32::consts::TAU));
        Ok(Self {
            plan: Plan::new(&words, &signer, script.strokes, dice),
            signer,
            stance: Rotation::about(stance),
            side: script.side,
            phases,
        })
    }

    /// Number of frames.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.plan.frames()
    }

    /// The signed letters, in order.
    #[must_use]
    pub fn signs(&self) -> &[Sign] {
        self.plan.signs()
    }

    /// The signer's hand.
    #[must_use]
    pub fn build(&self) -> &Build {
        &self.signer.build
    }

    /// Pose and view of a frame, or nothing while the hand is away.
    #[must_use]
    pub fn hand(&self, frame: usize) -> Option<(Pose, View)> {
        let station = self.plan.at(frame)?;
        Some((station.pose, self.view(&station, frame)))
    }

    /// The view of a station, with the unrest of a living hand.
    fn view(&self, station: &Station, frame: usize) -> View {
        let s = frame as f32 / FPS as f32;
        let p = &self.phases;
        let wave = |i: usize, hertz: f32| (s * hertz * std::f32::consts::TAU + p[i]).sin();
        let tremor = vec3(
            0.5 * wave(0, 1.3) + 0.25 * wave(1, 4.1),
            0.5 * wave(2, 1.1) + 0.25 * wave(3, 3.7),
            0.4 * wave(4, 0.9) + 0.2 * wave(5, 4.6),
        );
        let sway = (
            0.006 * wave(6, 0.7) + 0.003 * wave(7, 3.1),
            0.006 * wave(8, 0.8) + 0.003 * wave(9, 3.4),
        );
        let (palm, place) = (self.signer.palm, self.signer.place);
        View {
            place: (
                place.0 + (station.shift.0 + sway.0) * palm,
                place.1 - (station.shift.1 + sway.1) * palm,
            ),
            palm,
            turn: Rotation::about(station.turn + tremor).then(&self.stance),
            side: self.side,
        }
    }

    /// The joints of a frame's hand, turned as it is seen.
    #[must_use]
    pub fn skeleton(&self, frame: usize) -> Option<(Skeleton, View)> {
        let (pose, view) = self.hand(frame)?;
        Some((Skeleton::new(self.build(), &pose, &view.turn), view))
    }

    /// The landmarks of a frame in MediaPipe's units (see [`hand::landmarks`]),
    /// or nothing while less than half of them are in the picture.
    #[must_use]
    pub fn landmarks(&self, frame: usize) -> Option<[[f32; 3]; 21]> {
        let (pose, view) = self.hand(frame)?;
        let l = hand::landmarks(self.build(), &pose, &view);
        let inside = |p: &&[f32; 3]| (0.0..1.0).contains(&p[0]) && (0.0..1.0).contains(&p[1]);
        (l.iter().filter(inside).count() > 10).then_some(l)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;
    use crate::script::Strokes;
    use proptest::prelude::*;

    fn script(text: &str, seed: u64) -> Script {
        Script { text: text.into(), seed, side: Side::Right, strokes: Strokes::Drawn }
    }

    fn play(text: &str, seed: u64) -> Performance {
        Performance::new(&script(text, seed)).unwrap()
    }

    #[test]
    fn text_without_signs_is_refused_with_the_reason() {
        let refuse = |text: &str| Performance::new(&script(text, 1)).unwrap_err();
        assert_eq!(refuse("A1"), TextError::NoSign('1'));
        assert_eq!(refuse("  "), TextError::Empty);
        assert_eq!(refuse(&"A".repeat(2001)), TextError::TooLong(2001));
    }

    #[test]
    fn pairs_differ_by_their_strokes_alone() {
        for letter in ["J", "Z"] {
            let moving = play(letter, 5);
            let still =
                Performance::new(&Script { strokes: Strokes::LeftOut, ..script(letter, 5) })
                    .unwrap();
            assert_eq!(moving.frames(), still.frames());
            let start = (moving.signs()[0].start_s * FPS as f64).round() as usize;
            assert_eq!(moving.landmarks(start), still.landmarks(start));
            assert_ne!(moving.landmarks(start + 10), still.landmarks(start + 10));
            assert!(moving.signs()[0].motion && !still.signs()[0].motion);
            assert_ne!(moving.signs()[0].sign, still.signs()[0].sign);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn signs_spell_the_text_in_order_and_in_time(
            text in "[A-Z]{1,6}( [A-Z]{1,6}){0,2}", seed in 0u64..1000
        ) {
            let p = play(&text, seed);
            let spelled: String = p.signs().iter().map(|s| s.sign.as_str()).collect();
            prop_assert_eq!(spelled, text.replace(' ', ""));
            let mut last = 0.0;
            for s in p.signs() {
                prop_assert!(s.start_s > last && s.end_s > s.start_s);
                last = s.end_s;
            }
        }

        #[test]
        fn the_hand_stays_in_the_picture_within_a_word_and_away_between(
            a in "[A-Z]{2,6}", b in "[A-Z]{1,4}", seed in 0u64..1000
        ) {
            let p = play(&format!("{a} {b}"), seed);
            let frame = |s: f64| (s * FPS as f64).round() as usize;
            let signs = p.signs();
            let last = frame(signs[a.len() - 1].end_s);
            for f in frame(signs[0].start_s)..last {
                let l = p.landmarks(f);
                prop_assert!(l.is_some(), "frame {} has no hand", f);
                for [x, y, _] in l.unwrap() {
                    prop_assert!((0.0..1.0).contains(&x) && (0.0..1.0).contains(&y), "{} {}", x, y);
                }
            }
            let next = frame(signs[a.len()].start_s);
            let empty = (last..next).filter(|f| p.hand(*f).is_none()).count();
            prop_assert!(empty as f64 >= 0.8 * FPS as f64);
        }

        // The fastest course is the way out: 490 pixels in 8 frames, at its peak
        // 1.875 times as fast as on average (115 pixels, 0.24), and the fingers open.
        #[test]
        fn landmarks_never_jump_from_frame_to_frame(text in "[A-Z]{2,6}", seed in 0u64..1000) {
            let p = play(&text, seed);
            for f in 1..p.frames() {
                if let (Some(a), Some(b)) = (p.landmarks(f - 1), p.landmarks(f)) {
                    for (p, q) in a.iter().zip(&b) {
                        prop_assert!((p[0] - q[0]).abs() < 0.2 && (p[1] - q[1]).abs() < 0.3);
                    }
                }
            }
        }
    }
}
