//! When the signer does what: text and seed to a hand for every frame.

use serde::{Deserialize, Serialize};

use crate::dice::Dice;
use crate::hand::{self, PICTURE, Side, Skeleton, View};
use crate::letters;
use crate::pose::{Build, Pose};
use crate::space::{Rotation, Vec3, min_jerk, vec3};
use crate::stroke::Stroke;

/// Frames a second.
pub const FPS: usize = 30;
/// Letters of a text; longer ones are refused, so that memory stays bounded.
pub const LONGEST_TEXT: usize = 2000;

/// Why a text cannot be signed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TextError {
    /// Something else than a letter or a space.
    #[error("text to sign: {0:?} has no sign; use the letters A to Z and spaces")]
    NoSign(char),
    /// Nothing to sign.
    #[error("text to sign: it holds no letter; give some, as in --text \"HELLO WORLD\"")]
    Empty,
    /// Longer than [`LONGEST_TEXT`].
    #[error("text to sign: {0} characters are too many; at most {LONGEST_TEXT}")]
    TooLong(usize),
}

/// How a letter that has a stroke is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strokes {
    /// As it should be.
    #[default]
    Drawn,
    /// The hand holds still for as long as the stroke would take: J looks like
    /// I, Z like D.
    LeftOut,
}

/// What to sign, and who signs.
#[derive(Clone, Debug)]
pub struct Script {
    /// Letters and spaces.
    pub text: String,
    /// Chooses signer, room, light, pace and every small deviation.
    pub seed: u64,
    /// The signing hand.
    pub side: Side,
    /// Whether J and Z move.
    pub strokes: Strokes,
}

/// One signed letter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sign {
    /// The letter, upper case.
    pub sign: String,
    /// First frame of its hold (of its stroke for J and Z), in seconds.
    pub start_s: f64,
    /// End of its hold, in seconds.
    pub end_s: f64,
    /// Whether it is a stroke.
    pub motion: bool,
}

/// A hand at one moment, without the small unrest of a living one.
#[derive(Clone, Copy, Debug)]
struct Station {
    pose: Pose,
    /// Palm lengths from the signer's usual place, to the right and up.
    shift: (f32, f32),
    turn: Vec3,
}

impl Station {
    fn lerp(&self, to: &Self, t: f32) -> Self {
        Self {
            pose: self.pose.lerp(&to.pose, t),
            shift: (
                self.shift.0 + (to.shift.0 - self.shift.0) * t,
                self.shift.1 + (to.shift.1 - self.shift.1) * t,
            ),
            turn: self.turn.lerp(to.turn, t),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Course {
    /// No hand in the picture.
    Away,
    /// From one station to the other.
    Move(Station, Station),
    /// The same letter again: the hand opens a little on its way.
    Release(Station, Station),
    Stroke(Station, Stroke),
}

#[derive(Clone, Copy, Debug)]
struct Beat {
    first: usize,
    frames: usize,
    course: Course,
}

/// A signer's whole performance of a script.
#[derive(Debug)]
pub struct Performance {
    build: Build,
    beats: Vec<Beat>,
    frames: usize,
    signs: Vec<Sign>,
    stance: Rotation,
    place: (f32, f32),
    palm: f32,
    side: Side,
    phases: [f32; 10],
}

/// Writes beats one after the other.
struct Writer {
    dice: Dice,
    beats: Vec<Beat>,
    signs: Vec<Sign>,
    now: usize,
    place: (f32, f32),
    palm: f32,
    strokes: Strokes,
}

impl Performance {
    /// Plans the performance.
    ///
    /// # Errors
    /// A text that cannot be signed.
    pub fn new(script: &Script) -> Result<Self, TextError> {
        let words = words(&script.text)?;
        let mut dice = Dice::new(script.seed, 0x516e);
        let build = Build::draw(&mut Dice::new(script.seed, 0xb0d1), 1.0);
        let stance = vec3(dice.about(6.0), dice.about(8.0), dice.about(6.0));
        let palm = dice.within(98.0, 122.0);
        let place = (320.0 + dice.about(60.0), 250.0 + dice.about(14.0));
        let phases = std::array::from_fn(|_| dice.within(0.0, std::f32::consts::TAU));
        let mut writer = Writer {
            dice,
            beats: Vec::new(),
            signs: Vec::new(),
            now: 0,
            place,
            palm,
            strokes: script.strokes,
        };
        writer.away(15, 18);
        for (i, word) in words.iter().enumerate() {
            if i > 0 {
                writer.away(26, 34);
            }
            writer.word(word);
        }
        writer.away(15, 18);
        Ok(Self {
            build,
            frames: writer.now,
            beats: writer.beats,
            signs: writer.signs,
            stance: Rotation::about(stance),
            place,
            palm,
            side: script.side,
            phases,
        })
    }

    /// Number of frames.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// The signed letters, in order.
    #[must_use]
    pub fn signs(&self) -> &[Sign] {
        &self.signs
    }

    /// The signer's hand.
    #[must_use]
    pub fn build(&self) -> &Build {
        &self.build
    }

    /// Pose and view of a frame, or nothing while the hand is away.
    #[must_use]
    pub fn hand(&self, frame: usize) -> Option<(Pose, View)> {
        let at = self.beats.partition_point(|b| b.first + b.frames <= frame);
        let beat = self.beats.get(at)?;
        let t = (frame - beat.first) as f32 / beat.frames as f32;
        let station = match beat.course {
            Course::Away => return None,
            Course::Move(from, to) => from.lerp(&to, min_jerk(t)),
            Course::Release(from, to) => {
                let mut station = from.lerp(&to, min_jerk(t));
                let open = 0.55 * (std::f32::consts::PI * t).sin().powi(2);
                let relaxed = letters::pose(' ');
                let turn = station.pose.turn;
                station.pose = station.pose.lerp(&relaxed, open);
                station.pose.turn = turn;
                station
            }
            Course::Stroke(from, stroke) => stroked(&from, stroke, t),
        };
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
        let turn = Rotation::about(station.turn + tremor).then(&self.stance);
        View {
            place: (
                self.place.0 + (station.shift.0 + sway.0) * self.palm,
                self.place.1 - (station.shift.1 + sway.1) * self.palm,
            ),
            palm: self.palm,
            turn,
            side: self.side,
        }
    }

    /// The joints of a frame's hand, turned as it is seen.
    #[must_use]
    pub fn skeleton(&self, frame: usize) -> Option<(Skeleton, View)> {
        let (pose, view) = self.hand(frame)?;
        Some((Skeleton::new(&self.build, &pose, &view.turn), view))
    }

    /// The landmarks of a frame in MediaPipe's units (see [`hand::landmarks`]),
    /// or nothing while less than half of them are in the picture.
    #[must_use]
    pub fn landmarks(&self, frame: usize) -> Option<[[f32; 3]; 21]> {
        let (pose, view) = self.hand(frame)?;
        let l = hand::landmarks(&self.build, &pose, &view);
        let inside = |p: &&[f32; 3]| (0.0..1.0).contains(&p[0]) && (0.0..1.0).contains(&p[1]);
        (l.iter().filter(inside).count() > 10).then_some(l)
    }
}

fn stroked(from: &Station, stroke: Stroke, t: f32) -> Station {
    let offset = stroke.at(t);
    Station {
        shift: (from.shift.0 + offset.shift.0, from.shift.1 + offset.shift.1),
        turn: from.turn + offset.turn,
        ..*from
    }
}

/// Words of a text, in upper case.
fn words(text: &str) -> Result<Vec<Vec<char>>, TextError> {
    let length = text.chars().count();
    if length > LONGEST_TEXT {
        return Err(TextError::TooLong(length));
    }
    let upper = text.to_ascii_uppercase();
    if let Some(odd) = upper.chars().find(|c| !c.is_ascii_uppercase() && *c != ' ') {
        return Err(TextError::NoSign(odd));
    }
    let words: Vec<Vec<char>> = upper.split_whitespace().map(|w| w.chars().collect()).collect();
    if words.is_empty() { Err(TextError::Empty) } else { Ok(words) }
}

impl Writer {
    fn frames(&mut self, low: usize, high: usize) -> usize {
        low + (self.dice.draw() % (high - low + 1) as u64) as usize
    }

    fn push(&mut self, frames: usize, course: Course) {
        self.beats.push(Beat { first: self.now, frames, course });
        self.now += frames;
    }

    fn away(&mut self, low: usize, high: usize) {
        let frames = self.frames(low, high);
        self.push(frames, Course::Away);
    }

    fn word(&mut self, word: &[char]) {
        let mut last = self.below();
        let mut before = None;
        for letter in word {
            let next = match before {
                Some(same) if same == *letter => self.again(&last, *letter),
                _ => self.go(&last, *letter, before.is_none()),
            };
            last = self.show(next, *letter);
            before = Some(*letter);
        }
        let frames = self.frames(8, 10);
        let below = self.below();
        self.push(frames, Course::Move(last, below));
    }

    /// A relaxed hand below the picture's lower edge.
    fn below(&mut self) -> Station {
        let depth = PICTURE.1 as f32 + 2.1 * self.palm - self.place.1;
        Station {
            pose: letters::pose(' '),
            shift: (self.dice.about(0.5), -depth / self.palm),
            turn: Vec3::default(),
        }
    }

    /// Where and how the signer shows a letter this time.
    fn station(&mut self, letter: char) -> Station {
        let start = Stroke::of(letter).map_or((0.0, 0.0), Stroke::start);
        Station {
            pose: letters::pose(letter).jitter(&mut self.dice, 4.0),
            shift: (start.0 + self.dice.about(0.09), start.1 + self.dice.about(0.07)),
            turn: Vec3::default(),
        }
    }

    /// The way to another letter: the farther the hand turns the longer it takes.
    fn go(&mut self, last: &Station, letter: char, entering: bool) -> Station {
        let next = self.station(letter);
        let far = (next.pose.turn - last.pose.turn).len() / 40.0;
        let frames = match entering {
            true => self.frames(10, 13),
            false => (self.frames(5, 7) + far.round() as usize).min(9),
        };
        self.push(frames, Course::Move(*last, next));
        next
    }

    /// The same letter once more: mostly by a slide to the signer's outside.
    fn again(&mut self, last: &Station, letter: char) -> Station {
        let mut next = self.station(letter);
        if Stroke::of(letter).is_some() {
            let frames = self.frames(7, 9);
            self.push(frames, Course::Move(*last, next));
        } else if self.dice.unit() < 0.75 {
            next.pose = last.pose.lerp(&next.pose, 0.3);
            next.shift = (last.shift.0 - self.dice.within(0.45, 0.6), last.shift.1);
            let frames = self.frames(6, 8);
            self.push(frames, Course::Move(*last, next));
        } else {
            let frames = self.frames(9, 11);
            self.push(frames, Course::Release(*last, next));
        }
        next
    }

    /// Holds or draws the letter; gives the station it ends in.
    fn show(&mut self, at: Station, letter: char) -> Station {
        let first = self.now;
        let mut end = at;
        let stroke = Stroke::of(letter).filter(|_| self.strokes == Strokes::Drawn);
        match (Stroke::of(letter), stroke) {
            (_, Some(stroke)) => {
                let frames = self.frames(13, 17);
                self.push(frames, Course::Stroke(at, stroke));
                end = stroked(&at, stroke, 1.0);
                let rest = self.frames(3, 5);
                self.push(rest, Course::Move(end, end));
            }
            (Some(_), None) => {
                let frames = self.frames(13, 17) + self.frames(3, 5);
                self.push(frames, Course::Move(at, at));
            }
            (None, None) => {
                let frames = self.frames(11, 18);
                self.push(frames, Course::Move(at, at));
            }
        }
        let sign = match (letter, self.strokes) {
            ('J', Strokes::LeftOut) => 'I',
            ('Z', Strokes::LeftOut) => 'D',
            _ => letter,
        };
        self.signs.push(Sign {
            sign: sign.to_string(),
            start_s: first as f64 / FPS as f64,
            end_s: self.now as f64 / FPS as f64,
            motion: stroke.is_some(),
        });
        end
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;
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

        #[test]
        fn landmarks_never_jump_from_frame_to_frame(text in "[A-Z]{2,6}", seed in 0u64..1000) {
            let p = play(&text, seed);
            for f in 1..p.frames() {
                if let (Some(a), Some(b)) = (p.landmarks(f - 1), p.landmarks(f)) {
                    for (p, q) in a.iter().zip(&b) {
                        prop_assert!((p[0] - q[0]).abs() < 0.16 && (p[1] - q[1]).abs() < 0.25);
                    }
                }
            }
        }
    }
}
