//! The text that committed signs add up to.

use std::collections::VecDeque;

use super::stabiliser::Committed;

/// Letters kept: what a prediction message carries (DESIGN, data channels).
pub const TRANSCRIPT_LEN: usize = 64;

/// How committed labels make a text: those of one character stand beside one another,
/// others are words with a space on both sides. It neither begins with a space nor has two
/// in a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spelling(Last);

/// What the text ends with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Last {
    /// A space, or nothing yet.
    #[default]
    Space,
    Letter,
    Word,
}

impl Spelling {
    /// What is to be appended, in this order.
    pub fn next<'a>(&mut self, committed: Committed<&'a str>) -> [&'a str; 2] {
        let (text, last) = match committed {
            Committed::Space => (" ", Last::Space),
            Committed::Sign(label) if label.chars().nth(1).is_none() => (label, Last::Letter),
            Committed::Sign(label) => (label, Last::Word),
        };
        let parts = match (self.0, last) {
            (Last::Space, Last::Space) => ["", ""],
            (Last::Space, _) | (_, Last::Space) | (Last::Letter, Last::Letter) => ["", text],
            _ => [" ", text],
        };
        self.0 = last;
        parts
    }
}

/// The last [`TRANSCRIPT_LEN`] committed characters, oldest first. Where a viewer's own
/// transcript starts is the viewer's matter: [`Transcript::total`] numbers the characters
/// for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    kept: VecDeque<char>,
    total: u64,
    spelling: Spelling,
}

impl Default for Transcript {
    fn default() -> Self {
        let kept = VecDeque::with_capacity(TRANSCRIPT_LEN);
        Self { kept, total: 0, spelling: Spelling::default() }
    }
}

impl Transcript {
    /// An empty transcript.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends what was committed. Allocates nothing.
    pub fn push(&mut self, committed: Committed<&str>) {
        for character in self.spelling.next(committed).into_iter().flat_map(str::chars) {
            if self.kept.len() == TRANSCRIPT_LEN {
                self.kept.pop_front();
            }
            self.kept.push_back(character);
            self.total += 1;
        }
    }

    /// Characters committed since the transcript was made, those that have
    /// left it included.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The kept characters.
    #[must_use]
    pub fn text(&self) -> String {
        self.since(0)
    }

    /// The kept characters from number `start` on (as [`Transcript::total`]
    /// counts): what a viewer sees who cleared its view at `start`.
    #[must_use]
    pub fn since(&self, start: u64) -> String {
        let first_kept = self.total - self.kept.len() as u64;
        let hidden = usize::try_from(start.saturating_sub(first_kept)).unwrap_or(usize::MAX);
        self.kept.iter().skip(hidden).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> Transcript {
        let mut t = Transcript::new();
        text.chars().for_each(|c| letter(&mut t, c));
        t
    }

    fn letter(t: &mut Transcript, c: char) {
        let sign = c.to_string();
        t.push(if c == ' ' { Committed::Space } else { Committed::Sign(&sign) });
    }

    #[test]
    fn letters_stand_together_and_words_apart() {
        let mut t = of("AB");
        for word in ["HELLO", "YOU", "THANK YOU"] {
            t.push(Committed::Sign(word));
        }
        letter(&mut t, 'C');
        letter(&mut t, 'D');
        t.push(Committed::Space);
        t.push(Committed::Sign("YES"));
        assert_eq!(t.text(), "AB HELLO YOU THANK YOU CD YES");
        assert_eq!(t.total(), t.text().len() as u64);
    }

    #[test]
    fn spaces_neither_begin_nor_repeat() {
        assert_eq!(of("  A  B ").text(), "A B ");
    }

    #[test]
    fn viewer_that_cleared_sees_only_what_came_after() {
        let mut t = of("HELLO");
        let start = t.total();
        assert_eq!(t.since(start), "");
        letter(&mut t, 'W');
        assert_eq!(t.since(start), "W");
        assert_eq!(t.text(), "HELLOW");
    }

    proptest! {
        #[test]
        fn text_is_the_end_of_everything_committed(text in "([A-Z]{1,9} ?){0,30}", start in 0_u64..220) {
            let t = of(&text);
            let all: Vec<char> = text.chars().collect();
            let first = all.len().saturating_sub(TRANSCRIPT_LEN);
            prop_assert_eq!(t.text(), all[first..].iter().collect::<String>());
            prop_assert_eq!(t.total(), all.len() as u64);
            let from = first.max(usize::try_from(start).unwrap_or(0)).min(all.len());
            prop_assert_eq!(t.since(start), all[from..].iter().collect::<String>());
        }
    }
}
