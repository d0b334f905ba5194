//! Lines of the systemd journal, by `journalctl`: the library behind it has no interface
//! that is safe to use.

use std::process::Stdio;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::process::Command;

use super::DeviceError;

/// It looks through files that a slow card holds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whose lines.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Of {
    /// This program's, those of systemd about it too.
    Service,
    /// The kernel's.
    Kernel,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Line {
    /// Seconds since 1970.
    pub time: f64,
    /// As in syslog (RFC 5424, 6.2.1): 3 is an error, 4 a warning, 6 is for information.
    pub priority: u8,
    /// What it says.
    pub message: String,
    /// What it is about: `camera`, `model`, `session`, `remote`.
    #[schema(value_type = HashMap<String, String>)]
    pub fields: Map<String, Value>,
}

/// Fields of the journal that are told.
const FIELDS: [&str; 4] = ["CAMERA", "MODEL", "SESSION", "REMOTE"];

/// The newest `most` lines, the oldest first; those from before a restart of the device
/// too, which is when somebody asks.
///
/// # Errors
/// [`DeviceError::Journal`].
pub async fn lines(of: Of, most: u32) -> Result<Vec<Line>, DeviceError> {
    let fields = format!("MESSAGE,PRIORITY,{}", FIELDS.join(","));
    let mut command = Command::new("journalctl");
    command.args(["--quiet", "--no-pager", "--output=json"]);
    command.arg(format!("--lines={most}")).arg(format!("--output-fields={fields}"));
    command.arg(match of {
        Of::Service => "--unit=signpost.service",
        Of::Kernel => "_TRANSPORT=kernel",
    });
    command.stdin(Stdio::null()).kill_on_drop(true);
    let failed = |reason: String| DeviceError::Journal(reason);
    let output = match tokio::time::timeout(PATIENCE, command.output()).await {
        Ok(output) => output.map_err(|error| failed(format!("journalctl: {error}")))?,
        Err(_) => return Err(failed(format!("no answer within {} s", PATIENCE.as_secs()))),
    };
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(read).collect())
}

/// A line of `--output=json`; what is no line of ours is left out.
fn read(text: &str) -> Option<Line> {
    let entry: Map<String, Value> = serde_json::from_str(text).ok()?;
    let word = |name: &str| entry.get(name).map(words);
    let time = word("__REALTIME_TIMESTAMP")?.parse::<u64>().ok()? as f64 / 1e6;
    let priority = word("PRIORITY").and_then(|text| text.parse().ok()).unwrap_or(6);
    let known = FIELDS.iter().filter_map(|name| Some((name.to_lowercase(), word(name)?.into())));
    let message = redacted(&word("MESSAGE")?);
    Some(Line { time, priority, message, fields: known.collect() })
}

/// A field's text. What is not UTF-8 comes as a list of bytes; a field that stands there
/// twice as a list of its texts.
fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(Value::is_u64) => {
            let bytes = items.iter().filter_map(Value::as_u64);
            String::from_utf8_lossy(&bytes.map(|byte| byte as u8).collect::<Vec<_>>()).into_owned()
        }
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// What stands before a set-up code in the log, by which it is taken out of lines that are read
/// here: it opens a device, if only until that is set up.
pub const SETUP_CODE: &str = "set-up code ";

/// A line of the log without a code in it.
#[must_use]
pub fn redacted(line: &str) -> String {
    let Some((before, after)) = line.split_once(SETUP_CODE) else { return line.to_owned() };
    let end = after.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
    let rest = redacted(&after[end.unwrap_or(after.len())..]);
    format!("{before}{SETUP_CODE}(removed){rest}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::*;

    #[test]
    fn the_log_is_shown_without_it() {
        let told =
            redacted("open https://door.local/, set-up code 7KQ2-M901, and set-up code x; y");
        let expected =
            "open https://door.local/, set-up code (removed), and set-up code (removed); y";
        assert_eq!(told, expected);
        assert_eq!(redacted("nothing"), "nothing");
    }

    #[test]
    fn lines_of_the_journal_are_read_whatever_their_fields_hold() {
        let text = json!({"__REALTIME_TIMESTAMP": "1790000000500000", "PRIORITY": "4",
            "MESSAGE": "it is gone", "CAMERA": "door", "_PID": "7"});
        let line = read(&text.to_string()).unwrap();
        assert_eq!((line.time, line.priority), (1_790_000_000.5, 4));
        assert_eq!(line.message, "it is gone");
        assert_eq!(Value::from(line.fields), json!({"camera": "door"}));
        let bytes = json!({"__REALTIME_TIMESTAMP": "1", "MESSAGE": [104, 105, 255]});
        assert_eq!(read(&bytes.to_string()).unwrap().message, "hi\u{fffd}");
        let twice = json!({"__REALTIME_TIMESTAMP": "1", "MESSAGE": ["a", "b"]});
        assert_eq!(read(&twice.to_string()).unwrap().message, "a, b");
        for wrong in ["", "{}", "x", r#"{"__REALTIME_TIMESTAMP": "x", "MESSAGE": ""}"#] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
