//! What each key of the configuration may hold, so that a page can offer it as a field.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::config::keys::{Api, KEYS, Key, Kind};

/// One key.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyForm {
    /// number, even, flag, word, text, list or table.
    kind: &'static str,
    /// The lowest number.
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<u64>,
    /// The highest number.
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<u64>,
    /// All words that it can be.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    words: &'static [&'static str],
    /// What it may be, in words.
    allowed: String,
    /// What a number counts; empty where there is nothing to say.
    unit: &'static str,
    /// What is in force where nobody says anything else.
    default: Value,
    /// Whether running owners follow it, in whole or in part.
    live: bool,
    /// Why the API does not set it, where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    shut: Option<&'static str>,
}

/// Every key, as `section.key`.
#[must_use]
pub fn forms() -> BTreeMap<String, KeyForm> {
    KEYS.iter().map(|key| (format!("{}.{}", key.section, key.name), form(key))).collect()
}

fn form(key: &Key) -> KeyForm {
    let (kind, min, max, words) = match key.kind {
        Kind::Whole(low, high) => ("number", Some(low), Some(high), &[][..]),
        Kind::Even(low, high) => ("even", Some(low), Some(high), &[][..]),
        Kind::Flag => ("flag", None, None, &[][..]),
        Kind::Word(words) => ("word", None, None, words),
        Kind::Text(_) => ("text", None, None, &[][..]),
        Kind::List(_) | Kind::Numbers(_) => ("list", None, None, &[][..]),
        Kind::Table(_) => ("table", None, None, &[][..]),
    };
    KeyForm {
        kind,
        min,
        max,
        words,
        allowed: key.kind.allowed(),
        unit: key.unit,
        default: serde_json::to_value(key.default()).unwrap_or_default(),
        live: key.live,
        shut: if let Api::Shut(reason) = key.api { Some(reason) } else { None },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn every_key_has_a_form_that_its_default_fits() {
        let forms = forms();
        assert_eq!(forms.len(), KEYS.len());
        for (name, form) in &forms {
            let fits = match form.kind {
                "number" | "even" => {
                    let default = form.default.as_u64().unwrap();
                    (form.min.unwrap()..=form.max.unwrap()).contains(&default)
                }
                "flag" => form.default.is_boolean(),
                "word" => form.words.contains(&form.default.as_str().unwrap()),
                "text" => form.default.is_string(),
                "list" => form.default.is_array(),
                "table" => form.default.is_object(),
                other => panic!("{name} is a {other}"),
            };
            assert!(fits, "{name}: {form:?}");
        }
        assert!(forms["http.listen"].shut.is_some());
        assert!(forms["encoder.bitrate_kbps"].shut.is_none());
    }
}
