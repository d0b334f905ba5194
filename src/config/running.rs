//! What a change does to a program that runs: which values are in force at once, and
//! which wait for a restart. Pure.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::keys::{self, Api, By, CAMERA, Key, SECTIONS};
use super::layer::{Entry, Settings, merge, unknown};
use super::overrides::{compose, name_below, shut};
use super::problem::{Origin, Problem, Problems, shown};
use super::servers;
use super::values::{Config, Effective};

/// What the program was started with, and what is configured now.
#[derive(Clone, Debug)]
pub struct Running {
    started: Arc<Config>,
    wanted: Arc<Config>,
}

/// What a change did, in keys as [`Effective::key`] writes them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Change {
    /// Changed, and in force from now on.
    pub applied: Vec<String>,
    /// In force after a restart, or wholly only then; these of earlier changes too.
    pub restart: Vec<String>,
}

/// Why nothing was changed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// What is wrong, all at once.
    #[error(transparent)]
    Invalid(#[from] Problems),
    /// Valid, and of no use: it cannot be stored, and only a restart would apply it.
    #[error("{} cannot be stored, and only a restart applies it: {reason}", .keys.join(", "))]
    NotStored {
        /// What only a restart applies.
        keys: Vec<String>,
        /// What the system said.
        reason: String,
    },
}

/// A change that is valid and not made yet.
#[derive(Debug)]
pub struct Plan {
    /// What is configured then.
    pub wanted: Config,
    /// Whether there is anything to be changed.
    pub changes: bool,
    /// Of what is changed, what only a restart applies.
    pub late: Vec<String>,
}

/// A key with its new value.
struct Wish<'a> {
    section: &'a str,
    index: usize,
    name: &'a str,
    json: &'a Value,
    /// Nothing undoes a change.
    value: Option<toml::Value>,
}

impl Running {
    /// Nothing is changed yet.
    #[must_use]
    pub fn new(started: Arc<Config>) -> Self {
        Self { wanted: started.clone(), started }
    }

    /// As the program was started.
    #[must_use]
    pub fn started(&self) -> &Config {
        &self.started
    }

    /// What is configured, as it is after a restart.
    #[must_use]
    pub fn wanted(&self) -> &Arc<Config> {
        &self.wanted
    }

    /// What is in force: what running owners follow is as configured, all else as the
    /// program was started.
    #[must_use]
    pub fn now(&self) -> Config {
        let (started, wanted) = (&self.started, &self.wanted);
        let mut now = (**wanted).clone();
        now.http.listen.clone_from(&started.http.listen);
        now.http.listen_https.clone_from(&started.http.listen_https);
        now.access.clone_from(&started.access);
        now.cameras.clone_from(&started.cameras);
        if self.has_same_cameras() {
            for (now, wanted) in now.cameras.iter_mut().zip(&wanted.cameras) {
                now.width = now.width.min(wanted.width);
                now.height = now.height.min(wanted.height);
                now.framerate = now.framerate.min(wanted.framerate);
                now.flip = wanted.flip;
                now.controls.clone_from(&wanted.controls);
            }
        }
        now.encoder.prefer.clone_from(&started.encoder.prefer);
        now.encoder.low_rendition = started.encoder.low_rendition;
        now.sessions.negotiation_timeout = started.sessions.negotiation_timeout;
        now.model.clone_from(&started.model);
        now.watchdog.clone_from(&started.watchdog);
        now
    }

    /// What changing what `wish` names would do: sections with their keys, `camera` a list
    /// of which the n-th item is the n-th camera's. Values that are configured already may
    /// stand there, as [`Config::effective`] shows them; null undoes a change.
    ///
    /// # Errors
    /// Why it cannot be changed.
    pub fn plan(&self, wish: &Map<String, Value>, by: By) -> Result<Plan, Problems> {
        let written = &self.wanted.written;
        let mut problems = Vec::new();
        let mut wishes = wishes(wish, self.wanted.cameras.len(), &mut problems);
        wishes.retain(|wish| wish.find(&self.wanted).is_none_or(|entry| entry.value != *wish.json));
        problems.extend(wishes.iter().filter_map(|wish| reserved(wish, by)));
        for wish in &mut wishes {
            problems.extend(self.servers(wish));
        }
        let (above, _) = merge(&written.above);
        let (below, _) = merge(&written.below);
        let mut overrides = written.overrides.clone();
        for wish in &wishes {
            let Wish { section, index, name, value, .. } = wish;
            let camera = name_below(&below, *index);
            // What the files give is no override, and may be what the API may not set.
            let Some(value) = value.as_ref().filter(|value| value_of(&below, wish) != **value)
            else {
                overrides.drop_one(section, &camera, name);
                continue;
            };
            let entry = Entry { value: value.clone(), origin: Origin::Request };
            problems.extend(shut(section, name, &entry));
            problems.extend(
                above
                    .find(section, *index, name)
                    .map(|above| Problem::Held { key: wish.key(), by: above.origin.clone() }),
            );
            overrides.put(section, &camera, name, value.clone());
        }
        let changes = overrides != written.overrides;
        // A value that may not be set may also be out of range; both are told.
        let composed = compose(&written.below, &overrides, &written.above, &written.state_dir);
        match composed {
            Ok(mut wanted) if problems.is_empty() => {
                wanted.written.places.clone_from(&written.places);
                let next = Self { wanted: Arc::new(wanted.clone()), ..self.clone() };
                let changed = next.changed_since(&self.wanted);
                let late = changed.into_iter().filter(|key| !next.follows(key)).map(Effective::key);
                let late = late.collect();
                Ok(Plan { wanted, changes, late })
            }
            Ok(_) => Err(Problems(problems)),
            Err(Problems(more)) => {
                problems.extend(more);
                Err(Problems(problems))
            }
        }
    }

    /// Puts the stored credentials into a wish for other ICE servers; what is wrong with it, if
    /// one is not known or a server is where none may be.
    fn servers(&self, wish: &mut Wish<'_>) -> Option<Problem> {
        let Api::AllowedServers(_) = keys::find(wish.section, wish.name)?.api else { return None };
        let sent = wish.value.as_ref()?;
        let stored = value_of(&self.wanted.written.settings, wish);
        let problem = |value: String, allowed: String| {
            let (origin, key) = (Origin::Request, wish.key());
            Some(Problem::Value { origin, key, value, allowed })
        };
        let places = &self.wanted.ice.allowed_servers;
        if let Some(url) = servers::outside(sent, places) {
            let places: Vec<String> = places.iter().map(ToString::to_string).collect();
            let allowed = format!(
                "a server in {}, which ice.allowed_servers of signpost.toml says",
                places.join(", ")
            );
            return problem(url, allowed);
        }
        match servers::unmasked(sent, &stored) {
            Ok(whole) => {
                wish.value = Some(whole);
                None
            }
            Err(urls) => {
                let allowed = "the credential itself, unless addresses and user stay as they are";
                problem(format!("{urls} with {}", servers::MASK), allowed.to_owned())
            }
        }
    }

    /// Makes `wanted` what is configured.
    pub fn take(&mut self, wanted: Config) -> Change {
        let before = std::mem::replace(&mut self.wanted, Arc::new(wanted));
        let changed = self.changed_since(&before);
        let applied = changed.into_iter().filter(|key| self.follows(key)).map(Effective::key);
        Change { applied: applied.collect(), restart: self.restart() }
    }

    /// The keys that wait for a restart, or are wholly in force only then.
    #[must_use]
    pub fn restart(&self) -> Vec<String> {
        let differs = self.changed_since(&self.started).into_iter();
        let same = self.has_same_cameras();
        let whole =
            |key: &&Effective| is_live(key) && (key.section != CAMERA || same && !is_captured(key));
        let late = differs.filter(|key| !whole(key));
        let mut late: Vec<String> = late.map(Effective::key).collect();
        if self.wanted.cameras.len() < self.started.cameras.len() {
            late.push(CAMERA.to_owned());
        }
        late
    }

    /// The keys of what is configured that were not so before.
    fn changed_since(&self, before: &Config) -> Vec<&Effective> {
        let raw = |config: &Config, entry: &Effective| raw(config, entry);
        let differs = |entry: &&Effective| raw(&self.wanted, entry) != raw(before, entry);
        self.wanted.effective.iter().filter(differs).collect()
    }

    /// Whether the running owners take the configured value of this key.
    fn follows(&self, key: &Effective) -> bool {
        if key.section != CAMERA {
            return is_live(key);
        }
        if !is_captured(key) {
            return self.has_same_cameras() && is_live(key);
        }
        let captured = self.started.effective.iter().find(|entry| entry.key() == key.key());
        let captured = captured.and_then(|entry| entry.value.as_u64());
        self.has_same_cameras() && is_live(key) && key.value.as_u64() <= captured
    }

    /// Whether the n-th configured camera is the n-th that runs.
    fn has_same_cameras(&self) -> bool {
        let names = |config: &Config| -> Vec<String> {
            config.cameras.iter().map(|camera| camera.name.clone()).collect()
        };
        names(&self.wanted) == names(&self.started)
    }
}

/// Why the one who asks may not change this key, if so.
fn reserved(wish: &Wish<'_>, by: By) -> Option<Problem> {
    let key = keys::find(wish.section, wish.name)?;
    match (&key.api, by) {
        (Api::Administrator(reason) | Api::AllowedServers(reason), By::Operator) => {
            Some(Problem::Reserved { key: wish.key(), reason })
        }
        _ => None,
    }
}

/// Whether it says how a camera captures, which goes on as it was started.
fn is_captured(entry: &Effective) -> bool {
    ["width", "height", "framerate"].contains(&entry.name)
}

fn is_live(entry: &Effective) -> bool {
    keys::find(entry.section, entry.name).is_some_and(|key| key.live)
}

/// The value itself, secrets included; nothing where there is no such camera.
fn raw(config: &Config, entry: &Effective) -> Option<toml::Value> {
    let Effective { section, index, name, .. } = *entry;
    if section == CAMERA && index >= config.cameras.len() {
        return None;
    }
    let written = config.written.settings.find(section, index, name);
    written.map(|entry| entry.value.clone()).or_else(|| keys::find(section, name).map(Key::default))
}

/// What a wish's key holds in these layers.
fn value_of(layers: &Settings, wish: &Wish<'_>) -> toml::Value {
    let written = layers.find(wish.section, wish.index, wish.name);
    let default = || keys::find(wish.section, wish.name).map(Key::default);
    let value = written.map(|entry| entry.value.clone()).or_else(default);
    value.expect("a wish's key exists")
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
        let value = match json {
            Value::Null => Ok(None),
            json => toml::Value::try_from(json).map(Some),
        };
        match (keys::find(section, name), value) {
            (Some(_), Ok(value)) => wishes.push(Wish { section, index, name, json, value }),
            (Some(key), Err(_)) => {
                problems.push(invalid(format!("{section}.{name}"), json, key.kind.allowed()));
            }
            (None, value) => {
                let value = value.ok().flatten().unwrap_or_else(|| json.to_string().into());
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
