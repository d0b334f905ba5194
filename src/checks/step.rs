//! One step of a check in plain words, the same on the page, in the API and on a terminal.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Finding, Outcome};

/// How a step went.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Pass,
    /// Not so.
    Fail,
    /// It could not be tried; counts as not passed.
    Skipped,
}

/// One step of a check.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct Step {
    /// What was looked at.
    #[schema(example = "login")]
    pub name: String,
    /// How it went.
    pub verdict: Verdict,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// What was found, or why it was skipped.
    #[schema(example = "logged in as admin")]
    pub detail: String,
    /// What to do about it, where there is something to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// All steps of a check, in their order.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct Checked {
    /// Whether every step passed.
    pub passed: bool,
    /// In the order in which they were done.
    pub steps: Vec<Step>,
}

impl Step {
    /// A step that went well.
    #[must_use]
    pub fn pass(name: impl Into<String>, took: Duration, detail: impl Into<String>) -> Self {
        Self::new(name, Verdict::Pass, took, detail, None)
    }

    /// A step that did not, and what to do.
    #[must_use]
    pub fn fail(
        name: impl Into<String>,
        took: Duration,
        detail: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::new(name, Verdict::Fail, took, detail, Some(hint.into()))
    }

    /// A step that could not be tried, and why.
    #[must_use]
    pub fn skipped(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(name, Verdict::Skipped, Duration::ZERO, why, None)
    }

    /// With something to mind although it went well.
    #[must_use]
    pub fn but(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// With the time that it took.
    #[must_use]
    pub fn taking(self, took: Duration) -> Self {
        Self { took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX), ..self }
    }

    /// With what was found as `redacted` makes it.
    #[must_use]
    pub fn without(self, redacted: impl Fn(&str) -> String) -> Self {
        Self { detail: redacted(&self.detail), ..self }
    }

    /// Whether it went well.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.verdict == Verdict::Pass
    }

    fn new(
        name: impl Into<String>,
        verdict: Verdict,
        took: Duration,
        detail: impl Into<String>,
        hint: Option<String>,
    ) -> Self {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        Self { name: name.into(), verdict, took_ms, detail: detail.into(), hint }
    }
}

impl From<Finding> for Step {
    fn from(Finding { what, outcome }: Finding) -> Self {
        match outcome {
            Outcome::Fine(text) => Self::pass(what, Duration::ZERO, text),
            Outcome::Note(text) => Self::pass(what, Duration::ZERO, text)
                .but("signpost runs with this; look whether it is meant so"),
            Outcome::Wrong(text) => {
                let hint = hint(&what);
                Self::fail(what, Duration::ZERO, text, hint)
            }
        }
    }
}

/// Where to begin, beside what the finding itself says.
fn hint(what: &str) -> &'static str {
    match what {
        "configuration" => "mend the files that are named, then `sudo systemctl reload signpost`",
        "files" => "run the command that is named on the device",
        "login" => "set the password anew on the device: `sudo signpost password`",
        "model" => "activate another model, or bring the missing files: Settings, Model",
        camera if camera.starts_with("camera") => {
            "look at the camera's cable and power; it is tried again by itself"
        }
        _ => "`signpost check` on the device tells more",
    }
}

impl FromIterator<Step> for Checked {
    fn from_iter<I: IntoIterator<Item = Step>>(steps: I) -> Self {
        let steps: Vec<Step> = steps.into_iter().collect();
        Self { passed: steps.iter().all(Step::passed), steps }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_check_passes_with_all_of_its_steps_and_skipped_is_not_passed() {
        let pass = || Step::pass("a", Duration::from_millis(7), "well");
        let all: Checked = [pass(), pass().but("mind it")].into_iter().collect();
        assert!(all.passed);
        let some: Checked = [pass(), Step::skipped("b", "a failed")].into_iter().collect();
        assert!(!some.passed);
        let failed: Checked = [Step::fail("b", Duration::ZERO, "no", "do")].into_iter().collect();
        assert!(!failed.passed);
    }

    #[test]
    fn steps_have_one_form() {
        let step = Step::pass("a", Duration::from_micros(7900), "well");
        let form = json!({"name": "a", "verdict": "pass", "took_ms": 7, "detail": "well"});
        assert_eq!(serde_json::to_value(step).ok(), Some(form));
        let step: Step = Finding::new("login", Outcome::Wrong("damaged".into())).into();
        assert_eq!((step.verdict, step.hint.is_some()), (Verdict::Fail, true));
        let step: Step = Finding::new("x", Outcome::Note("less".into())).into();
        assert_eq!((step.verdict, step.hint.is_some()), (Verdict::Pass, true));
    }
}
