//! What a bundle must read in its golden clip, and whether it did.

use std::time::Duration;

use serde::Deserialize;

/// Moments that a golden clip may be asked about.
const MAX_MOMENTS: usize = 1000;
/// What is expected at a moment may be seen this much before or after it.
const NEAR: Duration = Duration::from_millis(100);

/// What is expected, as the bundle's file has it (`models/README.md`).
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// What the whole clip reads as.
    pub transcript: Option<String>,
    /// What is seen at moments.
    #[serde(default)]
    pub frames: Vec<Moment>,
}

/// What is seen at a moment.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moment {
    /// Position in the clip in seconds.
    pub t: f64,
    /// Labels of the boxes, in any order, or the one label.
    pub labels: Option<Vec<String>>,
    /// Number of hands.
    pub hands: Option<usize>,
}

/// What one frame of the clip showed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// Position in the clip.
    pub at: Duration,
    /// Labels of its boxes, or its one label.
    pub labels: Vec<String>,
    /// Number of hands.
    pub hands: usize,
}

impl Expected {
    /// Reads the file's text.
    ///
    /// # Errors
    /// What is wrong, a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if expected.transcript.is_none() && expected.frames.is_empty() {
            return Err("nothing is expected: transcript or frames must be there".to_owned());
        }
        if expected.frames.len() > MAX_MOMENTS {
            return Err(format!("frames: at most {MAX_MOMENTS} are allowed"));
        }
        for Moment { t, labels, hands } in &expected.frames {
            if !(0.0..1e6).contains(t) {
                return Err(format!("frames: t = {t}: must be a position in the clip in seconds"));
            }
            if labels.is_none() && hands.is_none() {
                return Err(format!("frames: t = {t}: labels or hands must be there"));
            }
        }
        Ok(expected)
    }

    /// Compares what was read with what is expected; all differences, a sentence each.
    #[must_use]
    pub fn differences(&self, transcript: &str, frames: &[Seen]) -> Vec<String> {
        let mut differences = Vec::new();
        if let Some(expected) = &self.transcript
            && expected != transcript
        {
            differences.push(format!("it reads {transcript:?}, and {expected:?} is expected"));
        }
        for moment in &self.frames {
            let at = Duration::from_secs_f64(moment.t);
            let mut near = frames.iter().filter(|seen| seen.at.abs_diff(at) <= NEAR).peekable();
            let (t, first) = (moment.t, near.peek().copied());
            let Some(first) = first else {
                differences.push(format!("at {t} s: the clip has no frame"));
                continue;
            };
            if !near.any(|seen| moment.is_met(seen)) {
                let Seen { labels, hands, .. } = first;
                let expected = moment.words();
                differences.push(format!(
                    "at {t} s: it sees {labels:?} and {hands} hands, and {expected} expected"
                ));
            }
        }
        differences
    }
}

impl Moment {
    fn is_met(&self, seen: &Seen) -> bool {
        let sorted = |labels: &[String]| {
            let mut labels = labels.to_vec();
            labels.sort();
            labels
        };
        let same = |labels: &Vec<String>| sorted(labels) == sorted(&seen.labels);
        self.labels.as_ref().is_none_or(same) && self.hands.is_none_or(|hands| hands == seen.hands)
    }

    fn words(&self) -> String {
        match (&self.labels, self.hands) {
            (Some(labels), Some(hands)) => format!("{labels:?} and {hands} hands are"),
            (Some(labels), None) => format!("{labels:?} is"),
            (None, hands) => format!("{} hands are", hands.unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use super::*;

    fn seen(at_ms: u64, labels: &[&str], hands: usize) -> Seen {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        Seen { at: Duration::from_millis(at_ms), labels, hands }
    }

    #[test]
    fn a_transcript_is_compared_whole() {
        let expected = Expected::parse(r#"{"transcript": "HELLO"}"#).unwrap();
        assert!(expected.differences("HELLO", &[]).is_empty());
        let told = expected.differences("HELO", &[]);
        assert_eq!(told, ["it reads \"HELO\", and \"HELLO\" is expected"]);
    }

    #[test]
    fn moments_are_met_by_a_frame_near_them() {
        let text = r#"{"frames": [{"t": 1, "labels": ["A", "B"]}, {"t": 2.0, "hands": 1}]}"#;
        let expected = Expected::parse(text).unwrap();
        let good = [seen(930, &[], 0), seen(1060, &["B", "A"], 0), seen(2000, &[], 1)];
        assert!(expected.differences("", &good).is_empty());
        let bad = [seen(1150, &["A", "B"], 0), seen(2010, &["A"], 2)];
        let told = expected.differences("", &bad);
        let second = "at 2 s: it sees [\"A\"] and 2 hands, and 1 hands are expected";
        assert_eq!(told, ["at 1 s: the clip has no frame", second]);
    }

    #[test]
    fn what_expects_nothing_is_refused() {
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"frames": [{"t": 1}]}"#,
            r#"{"frames": [{"t": -1, "hands": 1}]}"#,
            r#"{"frames": [{"t": 1e300, "hands": 1}]}"#,
            r#"{"transcript": 1}"#,
            r#"{"transcript": "", "more": 1}"#,
        ] {
            assert!(Expected::parse(bad).is_err(), "{bad}");
        }
    }
}
