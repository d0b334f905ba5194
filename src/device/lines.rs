//! What of the journal is told: lines, and which of them are wanted. Pure.

use serde::Serialize;
use serde_json::{Map, Value};

use super::redaction::Redaction;
use crate::recognition::worker::{SEES, SIGNED};

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Line {
    /// Seconds since 1970.
    pub time: f64,
    /// As in syslog (RFC 5424, 6.2.1): 3 is an error, 4 a warning, 6 is for information.
    pub priority: u8,
    /// The part of the program that says it, such as `camera`; absent for others' lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// What it says.
    pub message: String,
    /// What it is about: `camera`, `model`, `session`, `remote`.
    #[schema(value_type = HashMap<String, String>)]
    pub fields: Map<String, Value>,
}

/// Fields of the journal that are told.
pub const FIELDS: [&str; 4] = ["CAMERA", "MODEL", "SESSION", "REMOTE"];

/// What stands before a set-up code in the log, by which it is taken out of lines that are read
/// here: it opens a device, if only until that is set up.
pub const SETUP_CODE: &str = "set-up code ";

/// How serious a line is at least.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Level(u8);

impl Level {
    /// The levels of `log.level`, as the journal has them.
    pub const WORDS: [(&str, u8); 5] =
        [("error", 3), ("warn", 4), ("info", 6), ("debug", 7), ("trace", 7)];

    /// A level by its word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, priority)| Self(*priority))
    }

    /// The greatest priority that has it, as journalctl takes it.
    #[must_use]
    pub fn priority(self) -> u8 {
        self.0
    }
}

/// Which lines are wanted; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// How serious at least.
    pub level: Option<Level>,
    /// The part of the program.
    pub part: Option<String>,
    /// What the message contains, in capitals or not.
    pub text: Option<String>,
    /// Not before, in seconds since 1970.
    pub since: Option<f64>,
    /// Not after, in seconds since 1970.
    pub until: Option<f64>,
}

impl Filter {
    /// Whether journalctl alone cannot tell which lines are wanted.
    #[must_use]
    pub fn looks_inside(&self) -> bool {
        self.part.is_some() || self.text.is_some()
    }

    /// Whether a line is wanted.
    #[must_use]
    pub fn wants(&self, line: &Line) -> bool {
        let contains = |text: &str| line.message.to_lowercase().contains(&text.to_lowercase());
        self.level.is_none_or(|level| line.priority <= level.0)
            && self.part.as_ref().is_none_or(|part| line.part.as_ref() == Some(part))
            && self.since.is_none_or(|since| line.time >= since)
            && self.until.is_none_or(|until| line.time <= until)
            && self.text.as_deref().is_none_or(contains)
    }
}

impl Line {
    /// A line of journalctl's `--output=json`, without secrets; what is no line is left out.
    #[must_use]
    pub fn read(text: &str, redaction: &Redaction) -> Option<Self> {
        let entry: Map<String, Value> = serde_json::from_str(text).ok()?;
        let word = |name: &str| entry.get(name).map(words);
        let time = word("__REALTIME_TIMESTAMP")?.parse::<u64>().ok()? as f64 / 1e6;
        let priority = word("PRIORITY").and_then(|text| text.parse().ok()).unwrap_or(6);
        let fields = FIELDS
            .iter()
            .filter_map(|name| Some((name.to_lowercase(), redaction.text(&word(name)?).into())));
        let part = word("TARGET").map(|target| redaction.text(part(&target)));
        let message = redaction.text(&word("MESSAGE")?);
        Some(Self { time, priority, part, message, fields: fields.collect() })
    }

    /// Whether it says what somebody has signed, which is their own.
    #[must_use]
    pub fn tells_signs(&self) -> bool {
        [SIGNED, SEES]
            .iter()
            .any(|begin| self.message.strip_prefix(begin).is_some_and(|rest| rest.starts_with('"')))
    }
}

/// The folder of `src/` of a module, or the library.
fn part(target: &str) -> &str {
    let own = target.strip_prefix("signpost::").unwrap_or(target);
    own.split("::").next().unwrap_or(own)
}

/// A field's text. What is not UTF-8 comes as a list of bytes; a field that stands there
/// twice as a list of its texts; one of more than 4 KiB as null.
fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "(longer than 4 KiB; journalctl on the device shows it)".to_owned(),
        Value::Array(items) if items.iter().all(Value::is_u64) => {
            let bytes = items.iter().filter_map(Value::as_u64);
            String::from_utf8_lossy(&bytes.map(|byte| byte as u8).collect::<Vec<_>>()).into_owned()
        }
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Option<Line> {
        Line::read(text, &Redaction::new(["canary-credential"]))
    }

    fn line(time: f64, priority: u8, part: &str, message: &str) -> Line {
        let (part, message) = (Some(part.to_owned()), message.to_owned());
        Line { time, priority, part, message, fields: Map::new() }
    }

    #[test]
    fn lines_of_the_journal_are_read_whatever_their_fields_hold() {
        let text = json!({"__REALTIME_TIMESTAMP": "1790000000500000", "PRIORITY": "4",
            "MESSAGE": "it is gone", "CAMERA": "door", "_PID": "7",
            "TARGET": "signpost::camera::owner"});
        let line = read(&text.to_string()).unwrap();
        assert_eq!((line.time, line.priority), (1_790_000_000.5, 4));
        assert_eq!((line.message.as_str(), line.part.as_deref()), ("it is gone", Some("camera")));
        assert_eq!(Value::from(line.fields), json!({"camera": "door"}));
        let bytes = json!({"__REALTIME_TIMESTAMP": "1", "MESSAGE": [104, 105, 255]});
        let bytes = read(&bytes.to_string()).unwrap();
        assert_eq!((bytes.message.as_str(), bytes.part), ("hi\u{fffd}", None));
        let twice = json!({"__REALTIME_TIMESTAMP": "1", "MESSAGE": ["a", "b"]});
        assert_eq!(read(&twice.to_string()).unwrap().message, "a, b");
        let long = json!({"__REALTIME_TIMESTAMP": "1", "MESSAGE": null, "TARGET": "zbus::x"});
        let long = read(&long.to_string()).unwrap();
        assert!(long.message.contains("longer") && long.part.as_deref() == Some("zbus"));
        for wrong in ["", "{}", "x", r#"{"__REALTIME_TIMESTAMP": "x", "MESSAGE": ""}"#] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn no_field_of_a_line_holds_a_secret() {
        let text = json!({"__REALTIME_TIMESTAMP": "1", "MESSAGE": "x canary-credential",
            "CAMERA": "canary-credential", "TARGET": "canary-credential",
            "REMOTE": "set-up code 7KQ2-M901"});
        let told = serde_json::to_string(&read(&text.to_string()).unwrap()).unwrap();
        assert!(!told.contains("canary") && !told.contains("7KQ2"), "{told}");
    }

    #[test]
    fn what_was_signed_is_recognised_as_it_is_written() {
        let says = |message: &str| line(0.0, 6, "recognition", message).tells_signs();
        assert!(says(&format!("{SIGNED}{:?}", "A")) && says(&format!("{SEES}{:?} (0.97)", "A")));
        assert!(!says("signed by an authority") && !says("model letters 1 reads"));
    }

    #[test]
    fn a_filter_wants_what_fits_in_every_respect() {
        let gone = line(10.0, 4, "camera", "The Camera is gone");
        let filter = |change: fn(&mut Filter)| {
            let mut filter = Filter::default();
            change(&mut filter);
            filter.wants(&gone)
        };
        assert!(filter(|_| ()));
        assert!(filter(|it| it.level = Level::parse("warn")));
        assert!(!filter(|it| it.level = Level::parse("error")));
        assert!(filter(|it| it.part = Some("camera".into())));
        assert!(!filter(|it| it.part = Some("http".into())));
        assert!(filter(|it| it.text = Some("the camera".into())));
        assert!(!filter(|it| it.text = Some("cameras".into())));
        assert!(filter(|it| (it.since, it.until) = (Some(10.0), Some(10.0))));
        assert!(!filter(|it| it.since = Some(10.5)) && !filter(|it| it.until = Some(9.5)));
        assert_eq!(Level::parse("loud"), None);
    }

    proptest! {
        #[test]
        fn each_respect_only_takes_away(
            priority in 0_u8..8, time in 0.0..100.0, since in 0.0..100.0, word in "[a-c]{0,2}",
            message in "[a-d ]{0,9}",
        ) {
            let line = line(time, priority, "http", &message);
            let all = Filter { since: Some(since), text: Some(word), level: Level::parse("info"),
                ..Filter::default() };
            let singly = [
                Filter { since: all.since, ..Filter::default() },
                Filter { text: all.text.clone(), ..Filter::default() },
                Filter { level: all.level, ..Filter::default() },
            ];
            prop_assert_eq!(all.wants(&line), singly.iter().all(|one| one.wants(&line)));
        }
    }
}
