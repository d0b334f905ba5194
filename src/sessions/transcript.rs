//! The part of a camera's transcript that a session is shown.

/// Where a session's transcript begins: characters that the camera had committed
/// before it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Start(u64);

impl Start {
    /// A start after everything that was `committed` so far.
    pub fn after(committed: u64) -> Self {
        Self(committed)
    }

    /// What a session with this start sees of `text`, the last characters of the
    /// `committed` ones.
    pub fn of(self, text: &str, committed: u64) -> &str {
        let wanted = committed.saturating_sub(self.0);
        let skipped = (text.chars().count() as u64).saturating_sub(wanted) as usize;
        let from = text.char_indices().nth(skipped).map_or(text.len(), |(at, _)| at);
        &text[from..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cleared_session_sees_only_what_comes_after() {
        let start = Start::after(4);
        assert_eq!(Start::default().of("HELL", 4), "HELL");
        assert_eq!(start.of("HELL", 4), "");
        assert_eq!(start.of("HELLÖ", 5), "Ö");
    }

    #[test]
    fn a_camera_that_counts_anew_shows_nothing_old() {
        assert_eq!(Start::after(100).of("HELLO", 5), "");
    }

    proptest! {
        #[test]
        fn the_session_sees_the_signs_since_its_start(
            signs in "[A-Z ]{0,200}", cleared in 0_usize..200,
        ) {
            let cleared = cleared.min(signs.len());
            let last = &signs[signs.len().saturating_sub(64)..];
            let expected = &signs[cleared.max(signs.len().saturating_sub(64))..];
            let start = Start::after(cleared as u64);
            prop_assert_eq!(start.of(last, signs.len() as u64), expected);
        }
    }
}
