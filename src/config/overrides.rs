//! What was changed through the API: what `overrides.toml` says, and what of it is in
//! force. Pure: texts come from outside.

use std::path::Path;

use toml::Value;

use super::keys::{self, Api, CAMERA, Key};
use super::layer::{Entry, Layer, Settings, Table, merge, parse};
use super::problem::{Origin, Problem, Problems, counted};
use super::validate::validate;
use super::values::{Config, Written};

/// What the file begins with.
const HEAD: &str = "# Written by signpost: what was changed through PATCH /api/v1/config. These win over\n\
    # signpost.toml and its drop-ins. A camera is found by its name. Remove a line to undo\n\
    # a change; what is to stay is better written into signpost.toml.d/.\n";
/// The last line: without it the file was cut off.
const END: &str = "# end of overrides";

/// A file that may hold the overrides.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// As the operator would name it.
    pub file: String,
    /// Its text, nothing where there is no file, or why it cannot be used.
    pub text: Result<Option<String>, String>,
}

/// Lays the first candidate that is good between the layers below and those above. One
/// that is not is never a reason to have no configuration: the next is taken, or none, and
/// the configuration's remarks say so. Without the first there are no overrides.
///
/// # Errors
/// What is wrong with the other layers.
pub fn settle(
    below: &[Layer],
    candidates: &[Candidate],
    above: &[Layer],
    state_dir: &Path,
) -> Result<Config, Problems> {
    let plain = compose(below, &Settings::default(), above, state_dir)?;
    let mut bad: Option<String> = None;
    for Candidate { file, text } in candidates {
        let text = match (text, &bad) {
            (Ok(None), None) => return Ok(plain),
            (Ok(None), Some(_)) => continue,
            (text, _) => text,
        };
        let tried = match text {
            Ok(text) => read(file, text.as_deref().unwrap_or_default())
                .and_then(|overrides| compose(below, &overrides, above, state_dir))
                .map_err(|problems| counted(&problems)),
            Err(reason) => Err(format!("{file}: {reason}")),
        };
        match (tried, &bad) {
            (Ok(mut config), bad) => {
                config.remarks.splice(
                    0..0,
                    bad.as_ref().map(|bad| format!("{bad}; in force is the last good one, {file}")),
                );
                return Ok(config);
            }
            (Err(why), None) => bad = Some(why),
            (Err(_), Some(_)) => {}
        }
    }
    let remarks = bad.map(|bad| {
        format!("{bad}; there is no good one before it, so nothing is in force that was changed through the API")
    });
    Ok(Config { remarks: remarks.into_iter().collect(), ..plain })
}

/// The configuration of these layers, with the overrides between the two parts.
pub fn compose(
    below: &[Layer],
    overrides: &Settings,
    above: &[Layer],
    state_dir: &Path,
) -> Result<Config, Problems> {
    let mut layers = below.to_vec();
    layers.push(Layer::Overrides(overrides.clone()));
    layers.extend_from_slice(above);
    let (settings, mut problems) = merge(&layers);
    let (mut config, invalid) = validate(&settings, state_dir);
    problems.extend(invalid);
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    config.remarks = strangers(overrides, below);
    config.written = Written {
        settings,
        below: below.to_vec(),
        overrides: overrides.clone(),
        above: above.to_vec(),
        state_dir: state_dir.to_owned(),
        ..Written::default()
    };
    Ok(config)
}

/// Overrides of cameras that there are no more.
fn strangers(overrides: &Settings, below: &[Layer]) -> Vec<String> {
    let (below, _) = merge(below);
    let known: Vec<String> =
        (0..below.cameras.len().max(1)).map(|index| name_below(&below, index)).collect();
    let names = overrides.cameras.iter().filter_map(name_of);
    let strange = names.filter(|name| !known.iter().any(|known| known == name));
    strange
        .map(|name| {
            format!("what was changed of camera {name} has no effect: there is no such camera")
        })
        .collect()
}

/// The name by which overrides find a camera: that of the files.
#[must_use]
pub fn name_below(below: &Settings, index: usize) -> String {
    let written = below.find(CAMERA, index, "name").map(|entry| entry.value.clone());
    let value = written.or_else(|| keys::find(CAMERA, "name").map(Key::default));
    value.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The camera that a table of the overrides is about.
pub fn name_of(table: &Table) -> Option<&str> {
    table.get("name")?.value.as_str()
}

/// What a file of overrides says.
///
/// # Errors
/// It is no such file, was cut off, or holds what does not come through the API.
pub fn read(file: &str, text: &str) -> Result<Settings, Problems> {
    let mut problems = Vec::new();
    let overrides = parse(file, text, &mut problems);
    if !text.ends_with(&format!("{END}\n")) {
        let origin = Origin::File { file: file.to_owned(), line: text.lines().count() };
        let message = format!("it was cut off: the last line is not {END:?}");
        problems.push(Problem::Syntax { origin, message });
    }
    for table in &overrides.cameras {
        if name_of(table).is_none() {
            let origin =
                table.values().next().map_or(Origin::Default, |entry| entry.origin.clone());
            let message = "a camera without a name".to_owned();
            problems.push(Problem::Syntax { origin, message });
        }
    }
    let sections = overrides.sections.iter().map(|(section, table)| (section.as_str(), table));
    let cameras = overrides.cameras.iter().map(|table| (CAMERA, table));
    for (section, table) in sections.chain(cameras) {
        let entries = table.iter().filter(|(name, _)| (section, name.as_str()) != (CAMERA, "name"));
        problems.extend(entries.filter_map(|(name, entry)| shut(section, name, entry)));
    }
    if problems.is_empty() { Ok(overrides) } else { Err(Problems(problems)) }
}

/// Why this value does not come through the API, if it does not.
pub fn shut(section: &str, name: &str, entry: &Entry) -> Option<Problem> {
    let key = keys::find(section, name)?;
    let reason = match key.api {
        Api::Open | Api::Administrator(_) | Api::AllowedServers(_) => return None,
        Api::Shut(reason) => reason,
        Api::PlainSource(_) if entry.value.as_str().is_none_or(is_plain_source) => return None,
        Api::PlainSource(reason) => reason,
    };
    let (origin, key) = (entry.origin.clone(), format!("{section}.{name}"));
    Some(Problem::Shut { origin, key, reason })
}

/// Whether a source names no file, no address, and no device but a camera. What is no
/// source at all passes: that is validation's matter.
fn is_plain_source(source: &str) -> bool {
    let Some((word, rest)) = source.split_once(':') else { return true };
    let number = rest.strip_prefix("/dev/video");
    let listed = ["/dev/v4l/by-id/", "/dev/v4l/by-path/"]
        .iter()
        .find_map(|folder| rest.strip_prefix(folder));
    match word {
        "v4l2" => {
            number.is_some_and(|n| {
                (1..=3).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit())
            }) || listed.is_some_and(|name| !name.contains('/') && !name.starts_with('.'))
        }
        "file" | "rtsp" | "rtsps" => false,
        _ => true,
    }
}

/// The text of the file that says this.
#[must_use]
pub fn write(overrides: &Settings) -> String {
    let mut text = HEAD.to_owned();
    let mut add = |head: String, table: &Table| {
        text.push_str(&format!("\n{head}\n"));
        for (name, entry) in table {
            text.push_str(&format!("{name} = {}\n", entry.value));
        }
    };
    for (section, table) in &overrides.sections {
        add(format!("[{section}]"), table);
    }
    for table in &overrides.cameras {
        add("[[camera]]".to_owned(), table);
    }
    text.push_str(&format!("\n{END}\n"));
    text
}

impl Settings {
    /// Notes a change; `camera` is the name of the camera that it is about.
    pub(super) fn put(&mut self, section: &str, camera: &str, name: &str, value: Value) {
        let entry = Entry { value, origin: Origin::Request };
        self.own(section, camera).insert(name.to_owned(), entry);
    }

    /// Undoes a change.
    pub(super) fn drop_one(&mut self, section: &str, camera: &str, name: &str) {
        self.own(section, camera).remove(name);
        self.sections.retain(|_, table| !table.is_empty());
        self.cameras.retain(|table| table.len() > 1);
    }

    fn own(&mut self, section: &str, camera: &str) -> &mut Table {
        if section != CAMERA {
            return self.sections.entry(section.to_owned()).or_default();
        }
        let known = self.cameras.iter().position(|table| name_of(table) == Some(camera));
        let index = known.unwrap_or_else(|| {
            let name = Entry { value: camera.into(), origin: Origin::Request };
            self.cameras.push(Table::from([("name".to_owned(), name)]));
            self.cameras.len() - 1
        });
        &mut self.cameras[index]
    }
}

#[cfg(test)]
#[path = "overrides_tests.rs"]
mod tests;
