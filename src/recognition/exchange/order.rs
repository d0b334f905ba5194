//! What `signpost model use` leaves for the program that runs, or runs next.

use std::{fs, io};

use serde::{Deserialize, Serialize};

use crate::files;
use crate::model::store::Store;

const FILE: &str = "wanted.json";
const PART: &str = "wanted.json.part";

/// A bundle of the store that is to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Its folder's name.
    pub id: String,
    /// Its name and version.
    pub title: String,
    /// That it was tried; see [`super::proof`].
    pub proof: Option<String>,
}

impl Order {
    /// As it is written.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("names are JSON")
    }

    /// Reads what [`Order::text`] gives; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Leaves it; an earlier one that nobody has taken is forgotten.
    ///
    /// # Errors
    /// The system's.
    pub fn leave(&self, store: &Store) -> io::Result<()> {
        files::replace(&store.folder().join(FILE), PART, &self.text())
    }

    /// Whether nobody has taken it.
    #[must_use]
    pub fn waits(&self, store: &Store) -> bool {
        store.folder().join(FILE).exists()
    }

    /// Takes the one that was left.
    pub(super) fn take(store: &Store) -> Option<Self> {
        let file = store.folder().join(FILE);
        let text = fs::read_to_string(&file).ok()?;
        if let Err(error) = fs::remove_file(&file) {
            // It would be followed again and again.
            log::error!("{}: cannot be removed, and is not followed: {error}", file.display());
            return None;
        }
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use super::*;

    #[test]
    fn an_order_is_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        assert_eq!(Order::take(&store), None);
        let order = Order { id: "a-1".into(), title: "a 1".into(), proof: Some("x".into()) };
        order.leave(&store).unwrap();
        assert!(order.waits(&store));
        assert_eq!(Order::take(&store), Some(order.clone()));
        assert!(!order.waits(&store));
        fs::write(store.folder().join(FILE), "nonsense").unwrap();
        assert_eq!(Order::take(&store), None);
        assert!(!order.waits(&store));
    }
}
