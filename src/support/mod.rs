//! The support bundle: what somebody who helps from afar has to know of a device, in one
//! archive without a secret in it. [`http`](crate::http) puts in what the running program knows;
//! [`gather`] what the device does.

mod archive;
mod gather;
mod versions;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

pub use archive::archive;
pub use gather::{core, journal, kernel};
pub use versions::{About, Versions, versions};

use crate::device::redaction::Redaction;

/// What one entry holds at most, in bytes; of a log the newest.
pub const ENTRY_BYTES: usize = 8 << 20;

/// One file of the bundle.
#[derive(Debug)]
pub struct Entry {
    path: &'static str,
    what: &'static str,
    content: Result<String, String>,
}

/// What is told of an entry before the bundle is downloaded, and in the bundle.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Listed {
    /// Its name in the archive.
    #[schema(example = "status.json")]
    pub path: &'static str,
    /// What it is, in plain words.
    #[schema(example = "what the device was doing when this was made")]
    pub what: &'static str,
    /// How long it is, if it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<usize>,
    /// Why it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub absent: Option<String>,
}

impl Entry {
    /// A text, or why there is none; without secrets from here on.
    #[must_use]
    pub fn text(
        path: &'static str,
        what: &'static str,
        content: Result<String, String>,
        redaction: &Redaction,
    ) -> Self {
        let content = content.map(|text| newest(redaction.text(&text)));
        Self { path, what, content: content.map_err(|why| redaction.text(&why)) }
    }

    /// A document; without secrets from here on.
    #[must_use]
    pub fn document(
        path: &'static str,
        what: &'static str,
        document: impl Serialize,
        redaction: &Redaction,
    ) -> Self {
        let written = serde_json::to_value(document).and_then(|mut document: Value| {
            redaction.json(&mut document);
            serde_json::to_string_pretty(&document)
        });
        let content = written.map(|text| newest(text + "\n")).map_err(|error| error.to_string());
        Self { path, what, content }
    }

    /// What is told of it.
    #[must_use]
    pub fn listed(&self) -> Listed {
        Listed {
            path: self.path,
            what: self.what,
            bytes: self.content.as_ref().ok().map(String::len),
            absent: self.content.as_ref().err().cloned(),
        }
    }
}

/// The end of a text that is too long, from the start of a line.
fn newest(mut text: String) -> String {
    let Some(over) = text.len().checked_sub(ENTRY_BYTES).filter(|over| *over > 0) else {
        return text;
    };
    let line = text.as_bytes()[over..].iter().position(|byte| *byte == b'\n');
    let start = line.map_or(text.len(), |line| over + line + 1);
    text.drain(..start);
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn no_entry_is_made_with_a_secret_and_why_it_is_absent_has_none_either() {
        let redaction = Redaction::new(["canary-secret"]);
        let entries = [
            Entry::text("a", "text", Ok("x canary-secret".into()), &redaction),
            Entry::text("b", "text", Err("no canary-secret".into()), &redaction),
            Entry::document("c", "document", json!({"canary-secret": "canary-secret"}), &redaction),
        ];
        let told = format!("{entries:?}");
        assert!(!told.contains("canary") && told.contains("no (removed)"), "{told}");
        assert_eq!(entries[0].listed().bytes, Some("x (removed)".len()));
        assert_eq!(entries[1].listed().absent.as_deref(), Some("no (removed)"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn of_too_much_the_newest_whole_lines_stay(
            line in "[a-zä]{1,40}", count in 0_usize..20, length in 0_usize..3,
        ) {
            let long = "x".repeat(length * ENTRY_BYTES / 2);
            let tail: String = (0..count).map(|_| format!("{line}\n")).collect();
            let whole = format!("{long}\n{tail}");
            let kept = newest(whole.clone());
            prop_assert!(kept.len() <= ENTRY_BYTES && whole.ends_with(&kept));
            prop_assert!(kept.ends_with(&tail));
            prop_assert!(whole.len() > ENTRY_BYTES || kept == whole);
        }
    }
}
