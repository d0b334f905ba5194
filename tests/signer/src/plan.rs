//! When the signer does what: words to beats, frame by frame.

use serde::{Deserialize, Serialize};

use crate::dice::Dice;
use crate::hand::PICTURE;
use crate::letters;
use crate::pose::{Build, Pose};
use crate::script::Strokes;
use crate::space::{Vec3, min_jerk};
use crate::stroke::Stroke;
use crate::timeline::FPS;
use crate::touch;

/// Frames without a hand before the first word and after the last: together a
/// space, for a clip that is played in a loop.
const EDGE: (usize, usize) = (15, 18);
/// Frames without a hand between words: 0.87 s at least.
const SPACE: (usize, usize) = (26, 34);
/// Frames in which the hand comes up.
const ENTRY: (usize, usize) = (10, 13);
/// Frames in which it goes down.
const EXIT: (usize, usize) = (8, 10);
/// Frames from letter to letter while the hand does not turn.
const TRANSITION: (usize, usize) = (5, 7);
/// Frames from letter to letter at most: 0.3 s.
const SLOWEST: usize = 9;
/// Degrees of turn that take another frame.
const TURN_PER_FRAME: f32 = 40.0;
/// Frames that a letter is held: 0.37 to 0.6 s.
const HOLD: (usize, usize) = (11, 18);
/// Frames of a stroke: 0.43 to 0.57 s.
const STROKE: (usize, usize) = (13, 17);
/// Frames in which the hand rests after a stroke.
const REST: (usize, usize) = (3, 5);
/// Frames of a double letter's slide.
const SLIDE: (usize, usize) = (6, 8);
/// Frames of a double letter's release.
const RELEASED: (usize, usize) = (9, 11);
/// Frames from a stroke's end back to its beginning.
const BACK: (usize, usize) = (7, 9);
/// How many double letters are slid rather than released.
const SLIDERS: f32 = 0.75;
/// How far a released hand opens towards the relaxed one.
const RELEASE: f32 = 0.55;

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
pub struct Station {
    /// Joint angles.
    pub pose: Pose,
    /// Palm lengths from the signer's usual place, to the right and up.
    pub shift: (f32, f32),
    /// Turn beyond the pose's own: axis times degrees.
    pub turn: Vec3,
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

    /// Where a stroke that begins here is after the share `t` of its time.
    fn stroked(&self, stroke: Stroke, t: f32) -> Self {
        let offset = stroke.at(t);
        Self {
            shift: (self.shift.0 + offset.shift.0, self.shift.1 + offset.shift.1),
            turn: self.turn + offset.turn,
            ..*self
        }
    }
}

/// What the hand does for a while.
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

impl Course {
    /// The hand after the share `t` of the course's time.
    fn at(&self, t: f32) -> Option<Station> {
        match self {
            Self::Away => None,
            Self::Move(from, to) => Some(from.lerp(to, min_jerk(t))),
            Self::Release(from, to) => {
                let mut station = from.lerp(to, min_jerk(t));
                let open = RELEASE * (std::f32::consts::PI * t).sin().powi(2);
                let turn = station.pose.turn;
                station.pose = station.pose.lerp(&letters::pose(' '), open);
                station.pose.turn = turn;
                Some(station)
            }
            Self::Stroke(from, stroke) => Some(from.stroked(*stroke, t)),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Beat {
    first: usize,
    frames: usize,
    course: Course,
}

/// A signer as far as the plan depends on them.
#[derive(Clone, Debug)]
pub struct Signer {
    /// Their hand.
    pub build: Build,
    /// Pixel of their palm's usual place.
    pub place: (f32, f32),
    /// Palm length in pixels.
    pub palm: f32,
}

/// Everything that a signer does in a clip.
#[derive(Debug)]
pub struct Plan {
    beats: Vec<Beat>,
    signs: Vec<Sign>,
    frames: usize,
}

impl Plan {
    /// Plans words for a signer.
    #[must_use]
    pub fn new(words: &[Vec<char>], signer: &Signer, strokes: Strokes, dice: Dice) -> Self {
        let mut writer =
            Writer { dice, beats: Vec::new(), signs: Vec::new(), now: 0, signer, strokes };
        writer.away(EDGE);
        for (i, word) in words.iter().enumerate() {
            if i > 0 {
                writer.away(SPACE);
            }
            writer.word(word);
        }
        writer.away(EDGE);
        Self { beats: writer.beats, signs: writer.signs, frames: writer.now }
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

    /// The hand of a frame, or nothing while it is away or the clip is over.
    #[must_use]
    pub fn at(&self, frame: usize) -> Option<Station> {
        let beat = self.beats.partition_point(|b| b.first + b.frames <= frame);
        let beat = self.beats.get(beat)?;
        beat.course.at((frame - beat.first) as f32 / beat.frames as f32)
    }
}

/// A frame's time in seconds, to a tenth of a millisecond.
fn seconds(frame: usize) -> f64 {
    (frame as f64 / FPS as f64 * 1e4).round() / 1e4
}

/// Writes beats one after the other.
struct Writer<'a> {
    dice: Dice,
    beats: Vec<Beat>,
    signs: Vec<Sign>,
    now: usize,
    signer: &'a Signer,
    strokes: Strokes,
}

impl Writer<'_> {
    /// Evenly drawn from a range of frames, both ends included.
    fn frames(&mut self, (low, high): (usize, usize)) -> usize {
        low + (self.dice.draw() % (high - low + 1) as u64) as usize
    }

    fn push(&mut self, frames: usize, course: Course) {
        self.beats.push(Beat { first: self.now, frames, course });
        self.now += frames;
    }

    fn away(&mut self, range: (usize, usize)) {
        let frames = self.frames(range);
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
        let frames = self.frames(EXIT);
        let below = self.below();
        self.push(frames, Course::Move(last, below));
    }

    /// A relaxed hand below the picture's lower edge.
    fn below(&mut self) -> Station {
        let depth = PICTURE.1 as f32 + 2.1 * self.signer.palm - self.signer.place.1;
        Station {
            pose: letters::pose(' '),
            shift: (self.dice.about(0.5), -depth / self.signer.palm),
            turn: Vec3::default(),
        }
    }

    /// Where and how the signer shows a letter this time.
    fn station(&mut self, letter: char) -> Station {
        let start = Stroke::of(letter).map_or((0.0, 0.0), Stroke::start);
        let pose = letters::pose(letter).jitter(&mut self.dice, 4.0);
        Station {
            pose: touch::keep(letter, &self.signer.build, &pose),
            shift: (start.0 + self.dice.about(0.09), start.1 + self.dice.about(0.07)),
            turn: Vec3::default(),
        }
    }

    /// The way to another letter: the farther the hand turns the longer it takes.
    fn go(&mut self, last: &Station, letter: char, entering: bool) -> Station {
        let next = self.station(letter);
        let far = (next.pose.turn - last.pose.turn).len() / TURN_PER_FRAME;
        let frames = match entering {
            true => self.frames(ENTRY),
            false => (self.frames(TRANSITION) + far.round() as usize).min(SLOWEST),
        };
        self.push(frames, Course::Move(*last, next));
        next
    }

    /// The same letter once more: mostly by a slide to the signer's outside.
    fn again(&mut self, last: &Station, letter: char) -> Station {
        let mut next = self.station(letter);
        if Stroke::of(letter).is_some() {
            let frames = self.frames(BACK);
            self.push(frames, Course::Move(*last, next));
        } else if self.dice.unit() < SLIDERS {
            next.pose = last.pose.lerp(&next.pose, 0.3);
            next.shift = (last.shift.0 - self.dice.within(0.45, 0.6), last.shift.1);
            let frames = self.frames(SLIDE);
            self.push(frames, Course::Move(*last, next));
        } else {
            let frames = self.frames(RELEASED);
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
                let frames = self.frames(STROKE);
                self.push(frames, Course::Stroke(at, stroke));
                end = at.stroked(stroke, 1.0);
                let rest = self.frames(REST);
                self.push(rest, Course::Move(end, end));
            }
            (Some(_), None) => {
                let frames = self.frames(STROKE) + self.frames(REST);
                self.push(frames, Course::Move(at, at));
            }
            (None, None) => {
                let frames = self.frames(HOLD);
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
            start_s: seconds(first),
            end_s: seconds(self.now),
            motion: stroke.is_some(),
        });
        end
    }
}
