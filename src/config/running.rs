//! A configuration of which some values change while the program runs.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::keys::{self, CAMERA, LIVE, SECTIONS};
use super::layer::{Entry, Settings, Table, unknown};
use super::problem::{Origin, Problem, Problems, shown};
use super::validate::validate;
use super::values::{Config, Effective};

/// What is in force, and what the program was started with. Nothing is stored.
#[derive(Clone, Debug)]
pub struct Running {
    started: Arc<Config>,
    now: Arc<Config>,
}

/// What a change did, in keys as [`Effective::key`] writes them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// In force from now on.
    pub applied: Vec<String>,
    /// In force for the encoded picture only: the camera captures as it was started.
    pub restart: Vec<String>,
}

/// Why nothing was changed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// What is wrong, all at once.
    #[error(transparent)]
    Invalid(#[from] Problems),
    /// Valid, but no running owner follows these keys, or not that far.
    #[error("only a restart changes {}", .0.join(", "))]
    Restart(Vec<String>),
}

/// A key with its new value.
struct Wish<'a> {
    section: &'a str,
    index: usize,
    name: &'a str,
    json: &'a Value,
    value: toml::Value,
}

impl Running {
    /// Nothing is changed yet.
    #[must_use]
    pub fn new(started: Arc<Config>) -> Self {
        Self { now: started.clone(), started }
    }

    /// As the program was started.
    #[must_use]
    pub fn started(&self) -> &Config {
        &self.started
    }

    /// What is in force.
    #[must_use]
    pub fn now(&self) -> &Arc<Config> {
        &self.now
    }

    /// Changes what `wish` names: sections with their keys, `camera` a list of which the
    /// n-th item is the n-th camera's. Values that are in force already may stand there,
    /// as [`Config::effective`] shows them. All of it or nothing.
    ///
    /// # Errors
    /// Why nothing was changed.
    pub fn change(&mut self, wish: &Map<String, Value>) -> Result<Change, Refused> {
        let mut problems = Vec::new();
        let mut wishes = wishes(wish, self.now.cameras.len(), &mut problems);
        wishes.retain(|wish| wish.find(&self.now).is_none_or(|entry| entry.value != *wish.json));
        let mut settings = self.now.written.settings.clone();
        wishes.iter().for_each(|wish| wish.lay_over(&mut settings, &self.started));
        let (config, invalid) = validate(&settings, &self.now.written.state_dir);
        problems.extend(invalid);
        if !problems.is_empty() {
            return Err(Problems(problems).into());
        }
        let late = wishes.iter().filter(|wish| !wish.is_followed(&self.started));
        let late: Vec<String> = late.map(Wish::key).collect();
        if !late.is_empty() {
            return Err(Refused::Restart(late));
        }
        self.now = Arc::new(config);
        let pairs = self.now.effective.iter().zip(&self.started.effective);
        let restart = pairs
            .filter(|(now, started)| now.section == CAMERA && now.value != started.value)
            .map(|(now, _)| now.key())
            .collect();
        Ok(Change { applied: wishes.iter().map(Wish::key).collect(), restart })
    }
}

impl Wish<'_> {
    fn key(&self) -> String {
        match self.index {
            0 => format!("{}.{}", self.section, self.name),
            index => format!("{}[{index}].{}", self.section, self.name),
        }
    }

    fn find<'c>(&self, config: &'c Config) -> Option<&'c Effective> {
        let place = (self.section, self.index, self.name);
        config.effective.iter().find(|entry| (entry.section, entry.index, entry.name) == place)
    }

    /// A value that the program was started with stands again where it came from.
    fn lay_over(&self, settings: &mut Settings, started: &Config) {
        let again = self.find(started).is_some_and(|entry| entry.value == *self.json);
        let table = table(settings, self.section, self.index);
        if !again {
            let entry = Entry { value: self.value.clone(), origin: Origin::Request };
            table.insert(self.name.to_owned(), entry);
            return;
        }
        let mut written = started.written.settings.clone();
        match self::table(&mut written, self.section, self.index).remove(self.name) {
            Some(entry) => table.insert(self.name.to_owned(), entry),
            None => table.remove(self.name),
        };
    }

    /// Whether the running owners take this valid value.
    fn is_followed(&self, started: &Config) -> bool {
        let known = LIVE.contains(&format!("{}.{}", self.section, self.name).as_str());
        let captured = self.find(started).and_then(|entry| entry.value.as_u64());
        known && (self.section != CAMERA || self.json.as_u64() <= captured)
    }
}

fn table<'s>(settings: &'s mut Settings, section: &str, index: usize) -> &'s mut Table {
    if section != CAMERA {
        return settings.sections.entry(section.to_owned()).or_default();
    }
    let there = settings.cameras.len().max(index + 1);
    settings.cameras.resize_with(there, Table::new);
    &mut settings.cameras[index]
}

/// The keys in `wish` that exist; what is none goes to `problems`.
fn wishes<'a>(
    wish: &'a Map<String, Value>,
    cameras: usize,
    problems: &mut Vec<Problem>,
) -> Vec<Wish<'a>> {
    let mut wishes = Vec::new();
    for (section, value) in wish {
        match value {
            Value::Array(items) if section == CAMERA && items.len() <= cameras => {
                for (index, item) in items.iter().enumerate() {
                    of_table(section, index, item, &mut wishes, problems);
                }
            }
            _ if section == CAMERA => {
                let allowed = format!("a list of at most {cameras} objects, one for each camera");
                problems.push(invalid(section.clone(), value, allowed));
            }
            _ if SECTIONS.contains(&section.as_str()) => {
                of_table(section, 0, value, &mut wishes, problems);
            }
            _ => {
                let nearest = keys::nearest(section, None).map(|known| format!("section {known}"));
                let value = "(outside of the known sections)".to_owned();
                let (origin, key) = (Origin::Request, section.clone());
                problems.push(Problem::Unknown { origin, key, value, nearest });
            }
        }
    }
    wishes
}

fn of_table<'a>(
    section: &'a str,
    index: usize,
    table: &'a Value,
    wishes: &mut Vec<Wish<'a>>,
    problems: &mut Vec<Problem>,
) {
    let Value::Object(table) = table else {
        problems.push(invalid(section.to_owned(), table, "an object of keys".to_owned()));
        return;
    };
    for (name, json) in table {
        let value = toml::Value::try_from(json);
        match (keys::find(section, name), value) {
            (Some(_), Ok(value)) => wishes.push(Wish { section, index, name, json, value }),
            (Some(key), Err(_)) => {
                problems.push(invalid(format!("{section}.{name}"), json, key.kind.allowed()));
            }
            (None, value) => {
                let value = value.unwrap_or_else(|_| json.to_string().into());
                problems.push(unknown(Origin::Request, section, name, value));
            }
        }
    }
}

/// A value that TOML does not have, such as null, or not in this place.
fn invalid(key: String, value: &Value, allowed: String) -> Problem {
    let value = shown(&key, &value.to_string().into());
    Problem::Value { origin: Origin::Request, key, value, allowed }
}

#[cfg(test)]
#[path = "running_tests.rs"]
mod tests;
