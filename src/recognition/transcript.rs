//! The text that committed signs add up to.

use std::collections::VecDeque;

/// Letters kept: what a prediction message carries (DESIGN, data channels).
pub const TRANSCRIPT_LEN: usize = 64;

/// The last [`TRANSCRIPT_LEN`] committed characters, in upper case, oldest
/// first. Where a viewer's own transcript starts is the viewer's matter:
/// [`Transcript::total`] numbers the characters for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transcript {
    kept: VecDeque<char>,
    total: u64,
}

impl Transcript {
    /// An empty transcript.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a committed sign or space.
    pub fn push(&mut self, committed: char) {
        if self.kept.len() == TRANSCRIPT_LEN {
            self.kept.pop_front();
        }
        self.kept.push_back(committed.to_ascii_uppercase());
        self.total += 1;
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
        text.chars().for_each(|c| t.push(c));
        t
    }

    #[test]
    fn letters_are_kept_in_upper_case() {
        assert_eq!(of("hello World").text(), "HELLO WORLD");
    }

    #[test]
    fn viewer_that_cleared_sees_only_what_came_after() {
        let mut t = of("HELLO");
        let start = t.total();
        assert_eq!(t.since(start), "");
        t.push('W');
        assert_eq!(t.since(start), "W");
        assert_eq!(t.text(), "HELLOW");
    }

    proptest! {
        #[test]
        fn text_is_the_end_of_everything_committed(text in "[A-Z ]{0,200}", start in 0_u64..220) {
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
