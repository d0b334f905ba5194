//! What can be adjusted at a V4L2 camera: brightness, exposure, focus and their like.
//!
//! `v4l2-ctl` (v4l-utils) lists them; v4l2src sets them, under the same names, when it opens the
//! device and while it plays (property `extra-controls`, gstv4l2object.c). The crates that list
//! them need a C compiler's library to be built, or code that is not safe.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde::Serialize;
use utoipa::ToSchema;

/// Controls of one camera, and entries of one menu, that are read: a webcam has some twenty,
/// and what a device says is not ours to bound.
const MOST: usize = 64;

/// Values by the controls' names, which are those of `v4l2-ctl`.
pub type Wanted = BTreeMap<String, i32>;

/// Something that can be adjusted.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Control {
    /// By which it is set.
    pub name: String,
    /// For people.
    pub label: String,
    /// int, bool or menu.
    pub kind: &'static str,
    /// Least value.
    pub min: i32,
    /// Greatest value.
    pub max: i32,
    /// From one value to the next.
    pub step: i32,
    /// The camera's own.
    pub default: i32,
    /// At present; absent where the camera does not say.
    pub value: Option<i32>,
    /// What a menu's values mean, by value.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = HashMap<String, String>)]
    pub menu: BTreeMap<i32, String>,
    /// Whether another one keeps it without effect, such as automatic exposure a time of exposure.
    pub inactive: bool,
    /// Whether the camera only shows it.
    pub read_only: bool,
}

impl Control {
    /// What it may be set to, in words, if not to `value`.
    #[must_use]
    pub fn refuses(&self, value: i32) -> Option<String> {
        if self.read_only {
            return Some("nothing: the camera only shows it".to_owned());
        }
        let on_step = i64::from(value) - i64::from(self.min);
        let fits = (self.min..=self.max).contains(&value)
            && (self.step <= 1 || on_step % i64::from(self.step) == 0);
        if self.kind == "menu" && (!fits || !self.menu.contains_key(&value)) {
            let entries = self.menu.iter().map(|(value, word)| format!("{value} ({word})"));
            return Some(format!("one of {}", entries.collect::<Vec<_>>().join(", ")));
        }
        let steps =
            if self.step > 1 { format!(" in steps of {}", self.step) } else { String::new() };
        (!fits).then(|| format!("a whole number from {} to {}{steps}", self.min, self.max))
    }
}

/// A value that a camera does not take.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// Of the control.
    pub name: String,
    /// As asked for.
    pub value: i32,
    /// What it may be, in words.
    pub allowed: String,
}

/// What of `wanted` a camera with these controls does not take.
#[must_use]
pub fn refused(wanted: &Wanted, offered: &[Control]) -> Vec<Refusal> {
    let judge = |(name, value): (&String, &i32)| {
        let known = offered.iter().find(|control| control.name == *name);
        let allowed = match known {
            Some(control) => control.refuses(*value)?,
            None => {
                let names: Vec<_> = offered.iter().map(|control| &*control.name).collect();
                format!("a control of this camera: {}", names.join(", "))
            }
        };
        Some(Refusal { name: name.clone(), value: *value, allowed })
    };
    wanted.iter().filter_map(judge).collect()
}

/// Values to be set now, in their order: those of `wanted`, and the camera's own of what
/// `before` set and nobody wants any more. Switches and menus are first, because an automatic
/// that is on keeps what depends on it from being set.
#[must_use]
pub fn to_set(wanted: &Wanted, before: &Wanted, offered: &[Control]) -> Vec<(String, i32)> {
    let find = |name: &str| offered.iter().find(|control| control.name == name);
    let mut values: Wanted =
        before.keys().filter_map(|name| Some((name.clone(), find(name)?.default))).collect();
    values.extend(wanted.clone());
    let takes = |(name, value): &(String, i32)| {
        find(name).is_some_and(|control| control.refuses(*value).is_none())
    };
    let mut values: Vec<_> = values.into_iter().filter(takes).collect();
    values.sort_by_key(|(name, _)| find(name).is_none_or(|control| control.kind == "int"));
    values
}

/// Asks a device for its controls. Blocks, for as long as the device does.
///
/// # Errors
/// Why they cannot be had, in words.
pub fn list(device: &Path) -> Result<Vec<Control>, String> {
    read(device, command(device).output())
}

/// The same for who does not want to wait for the device: dropped, it ends the question.
///
/// # Errors
/// Why they cannot be had, in words.
pub async fn listed(device: &Path) -> Result<Vec<Control>, String> {
    let mut command = tokio::process::Command::from(command(device));
    read(device, command.kill_on_drop(true).output().await)
}

fn command(device: &Path) -> Command {
    let mut command = Command::new("v4l2-ctl");
    command.arg("--device").arg(device).arg("--list-ctrls-menus");
    command.env("LC_ALL", "C").stdin(Stdio::null());
    command
}

fn read(device: &Path, output: io::Result<Output>) -> Result<Vec<Control>, String> {
    let output = output.map_err(|error| {
        format!("v4l2-ctl cannot be run ({error}); install the package v4l-utils")
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {}", device.display(), said.trim()));
    }
    Ok(parse(&String::from_utf8_lossy(&output.stdout)))
}

/// Reads what `v4l2-ctl --list-ctrls-menus` prints, a line for each control:
/// `brightness 0x00980900 (int)    : min=0 max=255 step=1 default=128 value=128 flags=..`, after
/// those of menus a line for each entry: `0: Disabled`. What is neither is passed over, as are
/// kinds that are no number.
#[must_use]
pub fn parse(text: &str) -> Vec<Control> {
    let mut controls: Vec<Control> = Vec::new();
    // Entries belong to the control of the last line, also if that one is passed over.
    let mut open = false;
    for line in text.lines() {
        if let Some((head, tail)) = line.split_once(" : ").filter(|(head, _)| head.contains("0x")) {
            let control = control(head, tail).filter(|_| controls.len() < MOST);
            open = control.is_some();
            controls.extend(control);
        } else if let Some((value, word)) = line.trim().split_once(": ")
            && let (Ok(value), true) = (value.parse(), open)
            && let Some(last) = controls.last_mut()
            && last.menu.len() < MOST
        {
            last.menu.insert(value, word.trim().to_owned());
        }
    }
    controls
}

fn control(head: &str, tail: &str) -> Option<Control> {
    let mut words = head.split_whitespace();
    let (name, _id, kind) = (words.next()?, words.next()?, words.next()?);
    let kind = match kind {
        "(int)" => "int",
        "(bool)" => "bool",
        "(menu)" | "(intmenu)" => "menu",
        _ => return None,
    };
    let (figures, flags) = tail.split_once("flags=").unwrap_or((tail, ""));
    let figure = |name: &str| {
        let found = figures.split_whitespace().find_map(|word| word.strip_prefix(name));
        found.and_then(|rest| rest.strip_prefix('=')).and_then(|number| number.parse().ok())
    };
    let flag = |wanted: &str| flags.split(',').any(|flag| flag.trim() == wanted);
    let (least, most) = if kind == "bool" { (Some(0), Some(1)) } else { (None, None) };
    Some(Control {
        name: name.to_owned(),
        label: label(name),
        kind,
        min: figure("min").or(least)?,
        max: figure("max").or(most)?,
        step: figure("step").unwrap_or(1),
        default: figure("default")?,
        value: figure("value"),
        menu: BTreeMap::new(),
        inactive: flag("inactive"),
        read_only: flag("read-only"),
    })
}

/// `exposure_time_absolute` for people.
fn label(name: &str) -> String {
    let mut words = name.replace('_', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    /// In the form of v4l-utils 1.22 and 1.26.
    const WEBCAM: &str = "
User Controls

                     brightness 0x00980900 (int)    : min=0 max=255 step=1 default=128 value=130
        white_balance_automatic 0x0098090c (bool)   : default=1 value=1
           power_line_frequency 0x00980918 (menu)   : min=0 max=2 default=2 value=2 (60 Hz)
				0: Disabled
				1: 50 Hz
				2: 60 Hz
      white_balance_temperature 0x0098091a (int)    : min=2000 max=7500 step=10 default=4000 value=4000 flags=inactive

Camera Controls

                  auto_exposure 0x009a0901 (menu)   : min=0 max=3 default=3 value=3 (Aperture Priority Mode)
				1: Manual Mode
				3: Aperture Priority Mode
         exposure_time_absolute 0x009a0902 (int)    : min=3 max=2047 step=1 default=250 value=250 flags=inactive, volatile
                     pan_reset 0x009a0910 (button) : value=0 flags=write-only, execute-on-write
				9: no entry of the one before
                        privacy 0x009a0911 (bool)   : default=0 value=0 flags=read-only
";

    fn webcam() -> Vec<Control> {
        parse(WEBCAM)
    }

    fn wanted(values: &[(&str, i32)]) -> Wanted {
        values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    #[test]
    fn a_webcams_controls_are_read() {
        let all = webcam();
        let names: Vec<_> = all.iter().map(|control| (&*control.name, control.kind)).collect();
        let expected = [
            ("brightness", "int"),
            ("white_balance_automatic", "bool"),
            ("power_line_frequency", "menu"),
            ("white_balance_temperature", "int"),
            ("auto_exposure", "menu"),
            ("exposure_time_absolute", "int"),
            ("privacy", "bool"),
        ];
        assert_eq!(names, expected);
        assert_eq!(
            (all[0].min, all[0].max, all[0].default, all[0].value),
            (0, 255, 128, Some(130))
        );
        assert_eq!(all[2].menu.len(), 3);
        assert_eq!(all[4].menu[&3], "Aperture Priority Mode");
        assert_eq!(all[4].value, Some(3));
        assert!(all[3].inactive && all[5].inactive && !all[0].inactive && all[6].read_only);
        assert_eq!(all[5].label, "Exposure time absolute");
    }

    #[test]
    fn what_a_camera_does_not_take_is_named_with_what_it_takes() {
        let asked = wanted(&[
            ("auto_exposure", 2),
            ("brightness", 256),
            ("focus", 1),
            ("power_line_frequency", 1),
            ("privacy", 1),
            ("white_balance_temperature", 2005),
        ]);
        let told = refused(&asked, &webcam());
        let told: Vec<_> = told.iter().map(|one| (&*one.name, &*one.allowed)).collect();
        assert_eq!(
            told[0],
            ("auto_exposure", "one of 1 (Manual Mode), 3 (Aperture Priority Mode)")
        );
        assert_eq!(told[1], ("brightness", "a whole number from 0 to 255"));
        assert!(told[2].1.starts_with("a control of this camera: brightness, white"), "{told:?}");
        assert_eq!(told[3], ("privacy", "nothing: the camera only shows it"));
        assert_eq!(told[4].1, "a whole number from 2000 to 7500 in steps of 10");
        assert_eq!(told.len(), 5);
    }

    #[test]
    fn automatics_are_switched_first_and_what_nobody_wants_goes_back() {
        let before = wanted(&[("brightness", 10), ("gone", 1)]);
        let now = wanted(&[("auto_exposure", 1), ("exposure_time_absolute", 100), ("focus", 1)]);
        let expected = [
            ("auto_exposure".to_owned(), 1),
            ("brightness".to_owned(), 128),
            ("exposure_time_absolute".to_owned(), 100),
        ];
        assert_eq!(to_set(&now, &before, &webcam()), expected);
    }

    proptest! {
        #[test]
        fn no_text_panics_and_nothing_is_set_that_is_refused(
            text in "\\PC{0,60}", values in prop::collection::btree_map(
                prop::sample::select(vec!["brightness", "auto_exposure", "privacy", "x"]),
                any::<i32>(), 0..4),
        ) {
            let all = parse(&format!("{WEBCAM}{text}\n a 0x1 (int) : {text}\n"));
            prop_assert!(all.len() <= MOST);
            let asked: Wanted = values.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
            let refused = refused(&asked, &all);
            let set = to_set(&asked, &Wanted::new(), &all);
            prop_assert_eq!(set.len() + refused.len(), asked.len());
        }
    }
}
