#![allow(clippy::unwrap_used, reason = "a test may stop at a surprise")]

use super::*;
use proptest::prelude::*;

/// What one frame shows.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sight {
    Gone,
    Hand,
    Hidden,
    Sign(char),
    At(char, f32),
}
use Sight::{At, Gone, Hand, Hidden, Sign};

/// A machine fed at 30 Hz, and the text that it has committed.
struct Bench {
    machine: Stabiliser<char>,
    at: Duration,
    text: String,
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn settings() -> Settings<char> {
    Settings { motions: vec![('I', 'J'), ('D', 'Z')], ..Settings::default() }
}

/// As it stands in a text.
fn text(committed: Committed<char>) -> char {
    match committed {
        Committed::Sign(letter) => letter,
        Committed::Space => ' ',
    }
}

impl Bench {
    fn new() -> Self {
        Self { machine: Stabiliser::new(settings()), at: ms(1000), text: String::new() }
    }

    /// Shows `sight` for `time_ms`; returns the bench for chaining.
    fn show(mut self, sight: Sight, time_ms: u64) -> Self {
        let end = self.at + ms(time_ms);
        while self.at < end {
            self.step(sight);
        }
        self
    }

    fn step(&mut self, sight: Sight) {
        let (x, score) = match sight {
            At(c, x) => (x, Some((c, 0.9))),
            Sign(c) => (0.5, Some((c, 0.9))),
            Hand | Hidden | Gone => (0.5, None),
        };
        let grip = Grip { wrist: [x, 0.5], palm: 0.2 };
        let known: Vec<_> = score.into_iter().collect();
        let scores = if sight == Hidden { Scores::Unknown } else { Scores::Known(&known) };
        let seen = Observation { at: self.at, hand: (sight != Gone).then_some(grip), scores };
        self.text.extend(self.machine.on(&seen).map(text));
        self.at += Duration::from_micros(33_333);
    }

    /// Slides a sign from x to x over `time_ms`, then nothing.
    fn slide(mut self, sign: char, from: f32, to: f32, time_ms: u64) -> Self {
        let steps = time_ms * 30 / 1000;
        for i in 1..=steps {
            self.step(At(sign, from + (to - from) * i as f32 / steps as f32));
        }
        self
    }
}

#[test]
fn word_without_the_hand_leaving_is_read() {
    let b =
        Bench::new().show(Sign('C'), 400).show(Hand, 200).show(Sign('A'), 400).show(Sign('B'), 400);
    assert_eq!(b.text, "CAB");
}

#[test]
fn letter_in_passing_is_not_committed() {
    let b = Bench::new().show(Sign('U'), 400).show(Sign('V'), 80).show(Sign('W'), 400);
    assert_eq!(b.text, "UW");
}

#[test]
fn flicker_neither_ends_nor_repeats_a_sign() {
    let mut b = Bench::new().show(Sign('S'), 300);
    for _ in 0..8 {
        b = b.show(Hand, 66).show(Sign('S'), 66).show(Sign('T'), 33);
        b = b.show(Sign('S'), 100).show(Gone, 66).show(Sign('S'), 66);
    }
    assert_eq!(b.text, "S");
}

#[test]
fn score_between_the_thresholds_keeps_a_sign_but_starts_none() {
    let settings = settings();
    let between = f32::midpoint(settings.enter, settings.leave);
    let grip = Grip { wrist: [0.5; 2], palm: 0.2 };
    let feed = |machine: &mut Stabiliser<char>, from: u64, score: f32| {
        (0..15).find_map(|i| {
            machine.on(&Observation {
                at: ms(from + 33 * i),
                hand: Some(grip),
                scores: Scores::Known(&[('A', score)]),
            })
        })
    };
    let mut machine = Stabiliser::new(settings);
    assert_eq!(feed(&mut machine, 0, between), None);
    assert_eq!(feed(&mut machine, 500, 0.9), Some(Committed::Sign('A')));
    assert_eq!(feed(&mut machine, 1000, between), None);
    assert!(matches!(machine.state, State::Held { label: 'A', .. }));
}

#[test]
fn release_and_the_same_sign_again_is_a_double_letter() {
    for between in [Hand, Gone] {
        let b = Bench::new().show(Sign('L'), 500).show(between, 267).show(Sign('L'), 500);
        assert_eq!(b.text, "LL", "{between:?}");
    }
}

#[test]
fn slide_doubles_a_letter_and_slow_drift_does_not() {
    let slid =
        Bench::new().show(At('L', 0.3), 400).slide('L', 0.3, 0.45, 200).show(At('L', 0.45), 400);
    assert_eq!(slid.text, "LL");
    let drifted =
        Bench::new().show(At('L', 0.3), 400).slide('L', 0.3, 0.45, 2000).show(At('L', 0.45), 400);
    assert_eq!(drifted.text, "L");
}

#[test]
fn hand_away_for_600_ms_is_one_space() {
    let b = Bench::new().show(Sign('A'), 400).show(Gone, 560);
    assert_eq!(b.text, "A");
    let b = b.show(Gone, 100);
    assert_eq!(b.text, "A ");
    let b = b.show(Gone, 5000).show(Sign('A'), 400);
    assert_eq!(b.text, "A A");
}

#[test]
fn single_frame_taken_for_a_hand_does_not_delay_the_space() {
    let b = Bench::new().show(Sign('A'), 400).show(Gone, 330).show(Sign('Q'), 33).show(Gone, 330);
    assert_eq!(b.text, "A ");
}

#[test]
fn transcript_never_begins_with_a_space() {
    let b = Bench::new().show(Gone, 3000).show(Hand, 500).show(Gone, 3000);
    assert_eq!(b.text, "");
}

#[test]
fn hand_without_a_sign_between_two_absences_gives_no_second_space() {
    let b = Bench::new().show(Sign('A'), 400).show(Gone, 800).show(Hand, 400).show(Gone, 800);
    assert_eq!(b.text, "A ");
}

#[test]
fn starter_that_moves_is_only_the_motion_letter() {
    for lead in [100, 200, 300] {
        let b = Bench::new().show(Sign('I'), lead).show(Hand, 150).show(Sign('J'), 300);
        assert_eq!(b.text, "J", "after {lead} ms of I");
        let b = b.show(Hand, 100).show(Sign('I'), 150).show(Sign('A'), 300);
        assert_eq!(b.text, "JA", "an I where the stroke ended");
    }
}

#[test]
fn starter_on_its_way_to_the_stroke_is_not_committed() {
    let b = Bench::new().slide('I', 0.1, 0.5, 700).slide('J', 0.5, 0.7, 300);
    assert_eq!(b.text, "J");
}

#[test]
fn starter_that_leaves_after_its_hold_is_committed() {
    let b = Bench::new().show(At('D', 0.3), 300).slide('D', 0.3, 0.6, 200).show(Gone, 100);
    assert_eq!(b.text, "D");
}

#[test]
fn starter_after_its_motion_letter_is_a_letter_if_it_is_held() {
    let j = || Bench::new().show(Sign('J'), 300);
    assert_eq!(j().show(Sign('I'), 250).show(Sign('T'), 300).text, "JT");
    assert_eq!(j().show(Sign('I'), 470).show(Sign('T'), 300).text, "JIT");
}

#[test]
fn stroke_is_no_slide() {
    let b = Bench::new().slide('Z', 0.3, 0.5, 400).show(At('Z', 0.5), 200);
    assert_eq!(b.text, "Z");
    let twice = b.show(Hand, 267).slide('Z', 0.3, 0.5, 400).show(At('Z', 0.5), 200);
    assert_eq!(twice.text, "ZZ");
}

#[test]
fn starter_held_still_is_itself_however_it_ends() {
    for (then, time) in [(Hand, 700), (Gone, 100), (Sign('T'), 300)] {
        let b = Bench::new().show(Sign('D'), 220).show(then, time);
        let expected = if then == Sign('T') { "DT" } else { "D" };
        assert_eq!(b.text, expected, "followed by {then:?}");
    }
    assert_eq!(Bench::new().show(Sign('D'), 600).text, "D");
}

fn past(label: Option<char>) -> Past<char> {
    Past { label, seen: ms(700), space_due: label.is_some() }
}

/// Every state with every kind of sight, at 1,000 ms: what comes out, and the
/// state's name afterwards.
#[test]
fn every_state_answers_every_sight() {
    let grip = Grip { wrist: [0.5; 2], palm: 0.2 };
    let away = State::Away { since: ms(300), back: None, past: past(Some('A')) };
    let back = State::Away { since: ms(300), back: Some(ms(960)), past: past(None) };
    let open = State::Open { past: past(None) };
    let young = State::Candidate { label: 'A', since: ms(960), past: past(None) };
    let ripe = State::Candidate { label: 'A', since: ms(800), past: past(None) };
    let starter = State::Candidate { label: 'I', since: ms(800), past: past(None) };
    let armed = State::Armed {
        label: 'I',
        since: ms(700),
        faded: ms(900),
        next: Some(('J', ms(850))),
        past: past(None),
    };
    let held = State::Held { label: 'A', seen: ms(967), rest: Some(grip) };
    let rows = [
        (away, Gone, "Away", Some(' ')),
        (away, Hidden, "Away", None),
        (away, Hand, "Away", None),
        (away, Sign('A'), "Away", None),
        (back, Gone, "Away", None),
        (back, Hidden, "Open", None),
        (back, Hand, "Open", None),
        (back, Sign('A'), "Candidate", None),
        (open, Gone, "Away", None),
        (open, Hidden, "Open", None),
        (open, Hand, "Open", None),
        (open, Sign('A'), "Candidate", None),
        (young, Gone, "Away", None),
        (young, Hidden, "Candidate", None),
        (young, Hand, "Open", None),
        (young, Sign('A'), "Candidate", None),
        (young, Sign('B'), "Candidate", None),
        (ripe, Gone, "Away", Some('A')),
        (ripe, Hidden, "Candidate", None),
        (ripe, Hand, "Open", None),
        (ripe, Sign('A'), "Held", Some('A')),
        (ripe, Sign('B'), "Candidate", None),
        (starter, Gone, "Away", Some('I')),
        (starter, Hidden, "Candidate", None),
        (starter, Hand, "Armed", None),
        (starter, Sign('I'), "Candidate", None),
        (starter, Sign('J'), "Armed", None),
        (starter, Sign('B'), "Armed", None),
        (armed, Gone, "Away", Some('I')),
        (armed, Hidden, "Armed", None),
        (armed, Hand, "Armed", None),
        (armed, Sign('I'), "Candidate", None),
        (armed, Sign('J'), "Held", Some('J')),
        (armed, Sign('B'), "Armed", None),
        (held, Gone, "Away", None),
        (held, Hidden, "Held", None),
        (held, Hand, "Open", None),
        (held, Sign('A'), "Held", None),
        (held, Sign('B'), "Candidate", None),
    ];
    for (state, sight, expected, committed) in rows {
        let mut b = Bench::new();
        b.machine.state = state;
        b.step(sight);
        let name = format!("{:?}", b.machine.state);
        let name = name.split(' ').next().unwrap();
        assert_eq!(name, expected, "{state:?} and {sight:?}");
        assert_eq!(b.text.chars().next(), committed, "{state:?} and {sight:?}");
    }
}

fn sight() -> impl Strategy<Value = Sight> {
    prop_oneof![
        3 => Just(Gone),
        2 => Just(Hand),
        2 => Just(Hidden),
        6 => prop::sample::select(vec!['A', 'D', 'I', 'J', 'L', 'Z']).prop_map(Sign),
        2 => (prop::sample::select(vec!['A', 'I', 'L']), 0.0_f32..1.0).prop_map(|(c, x)| At(c, x)),
    ]
}

proptest! {
    /// Whatever is shown: only letters that were shown are committed, no text
    /// begins with a space, no two spaces follow each other, and no letter
    /// takes less time than its hold.
    #[test]
    fn committed_text_is_made_of_what_was_shown(
        scenes in prop::collection::vec((sight(), 20_u64..900), 1..40),
    ) {
        let mut b = Bench::new();
        for (sight, time) in &scenes {
            b = b.show(*sight, *time);
        }
        let shown: String = scenes.iter().filter_map(|(s, _)| match s {
            Sign(c) | At(c, _) => Some(*c),
            Gone | Hand | Hidden => None,
        }).collect();
        prop_assert!(b.text.chars().all(|c| c == ' ' || shown.contains(c)));
        prop_assert!(!b.text.starts_with(' '));
        prop_assert!(!b.text.contains("  "));
        let letters = b.text.chars().filter(|c| *c != ' ').count() as u64;
        let total: u64 = scenes.iter().map(|(_, t)| t + 34).sum();
        prop_assert!(letters * 120 <= total);
    }

    /// A sign shown once, well held, is committed exactly once, whatever the
    /// frame rate.
    #[test]
    fn held_sign_is_committed_once(fps in 15_u32..60, hold in 700_u64..3000) {
        let mut b = Bench::new();
        let (mut at, grip) = (ms(5), Grip { wrist: [0.5; 2], palm: 0.2 });
        let mut committed = String::new();
        while at < ms(hold) {
            let seen = Observation { at, hand: Some(grip), scores: Scores::Known(&[('D', 0.8), ('Z', 0.1)]) };
            committed.extend(b.machine.on(&seen).map(text));
            at += Duration::from_secs(1) / fps;
        }
        prop_assert_eq!(committed, "D");
    }

    /// What cannot be judged for a while neither ends a sign nor begins it anew,
    /// and takes nothing of the time that a sign is seen.
    #[test]
    fn what_is_hidden_changes_no_text(
        letters in prop::collection::vec(prop::sample::select(vec!['A', 'D', 'I', 'L']), 1..5),
        at in 0_usize..100, hidden in 1_u64..2000,
    ) {
        let signs = |label: char| [vec![Sign(label); 20], vec![Hand; 8]].concat();
        let sights: Vec<Sight> = letters.iter().flat_map(|letter| signs(*letter)).collect();
        let whole = sights.iter().fold(Bench::new(), |b, sight| b.show(*sight, 33));
        let (before, after) = sights.split_at(1 + at % sights.len());
        let b = before.iter().fold(Bench::new(), |b, sight| b.show(*sight, 33));
        let b = b.show(Hidden, hidden);
        let b = after.iter().fold(b, |b, sight| b.show(*sight, 33));
        prop_assert_eq!(b.text, whole.text);
    }
}
