//! From texts to settings: layers are parsed and laid over each other.

use std::collections::BTreeMap;

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{self, CAMERA, Kind, SECTIONS};
use super::problem::{Origin, Problem, shown};

/// A camera list longer than this is a mistake; each camera has its own encoder.
const CAMERAS: usize = 8;

/// One source of values. Later layers win.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// The text of a file, and how the operator names it.
    File {
        /// Path.
        name: String,
        /// Contents.
        text: String,
    },
    /// What was changed through the API; cameras are found by their names.
    Overrides(Settings),
    /// One value from outside of the files. In section `camera` it is the first
    /// camera's.
    One {
        /// Variable or argument.
        origin: Origin,
        /// Section.
        section: String,
        /// Name.
        name: String,
        /// As given; lists are separated by commas or written as in the file.
        text: String,
    },
}

impl Layer {
    /// The value of an environment variable `SIGNPOST_<SECTION>__<KEY>`; others
    /// are none of ours.
    #[must_use]
    pub fn variable(variable: &str, text: &str) -> Option<Self> {
        let (section, name) = variable.strip_prefix("SIGNPOST_")?.split_once("__")?;
        Some(Self::One {
            origin: Origin::Variable(variable.to_owned()),
            section: section.to_lowercase(),
            name: name.to_lowercase(),
            text: text.to_owned(),
        })
    }

    /// The value of a command-line argument.
    #[must_use]
    pub fn argument(argument: &str, section: &str, name: &str, text: &str) -> Self {
        Self::One {
            origin: Origin::Argument(argument.to_owned()),
            section: section.to_owned(),
            name: name.to_owned(),
            text: text.to_owned(),
        }
    }
}

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Not yet validated.
    pub value: toml::Value,
    /// Where it was written.
    pub origin: Origin,
}

/// The keys of one table.
pub type Table = BTreeMap<String, Entry>;

/// All layers laid over each other. Every key in it exists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// By section.
    pub sections: BTreeMap<String, Table>,
    /// One table for each `[[camera]]`.
    pub cameras: Vec<Table>,
}

/// Lays `layers` over each other, the last one on top.
#[must_use]
pub fn merge(layers: &[Layer]) -> (Settings, Vec<Problem>) {
    let mut settings = Settings::default();
    let mut problems = Vec::new();
    for layer in layers {
        match layer {
            Layer::File { name, text } => {
                File { name, text, problems: &mut problems }.lay_over(&mut settings);
            }
            Layer::Overrides(overrides) => settings.change(overrides),
            Layer::One { origin, section, name, text } => match keys::find(section, name) {
                Some(key) => {
                    let entry = Entry { value: read(&key.kind, text), origin: origin.clone() };
                    settings.table(section).insert(name.clone(), entry);
                }
                None => problems.push(unknown(origin.clone(), section, name, text.clone().into())),
            },
        }
    }
    (settings, problems)
}

impl Settings {
    /// Lays changes over what is there. Those of a camera that is not there are left out.
    fn change(&mut self, overrides: &Self) {
        for (section, table) in &overrides.sections {
            self.table(section).extend(table.clone());
        }
        for changed in &overrides.cameras {
            let Some(Entry { value: name, .. }) = changed.get("name") else { continue };
            if self.cameras.is_empty() {
                self.cameras.push(Table::new());
            }
            let default = keys::find(CAMERA, "name").and_then(|key| key.default.parse().ok());
            let known = self.cameras.iter_mut().find(|table| {
                table.get("name").map(|entry| &entry.value).or(default.as_ref()) == Some(name)
            });
            let changed = changed.iter().filter(|(key, _)| *key != "name");
            let changed = changed.map(|(key, entry)| (key.clone(), entry.clone()));
            known.into_iter().for_each(|table| table.extend(changed.clone()));
        }
    }

    /// What stands there, of camera `index` in section `camera`.
    pub(super) fn find(&self, section: &str, index: usize, name: &str) -> Option<&Entry> {
        let table = match section {
            CAMERA => self.cameras.get(index),
            _ => self.sections.get(section),
        };
        table?.get(name)
    }

    /// The table of `section`; of the first camera for `camera`.
    fn table(&mut self, section: &str) -> &mut Table {
        if section != CAMERA {
            return self.sections.entry(section.to_owned()).or_default();
        }
        if self.cameras.is_empty() {
            self.cameras.push(Table::new());
        }
        &mut self.cameras[0]
    }
}

/// What one file says, by itself.
pub(super) fn parse(name: &str, text: &str, problems: &mut Vec<Problem>) -> Settings {
    let mut settings = Settings::default();
    File { name, text, problems }.lay_over(&mut settings);
    settings
}

/// A value that was given as bare text. What does not fit its kind stays text,
/// so that validation can show it.
fn read(kind: &Kind, text: &str) -> toml::Value {
    let as_toml = || text.trim().parse::<toml::Value>().ok();
    let bare = || toml::Value::String(text.to_owned());
    match kind {
        Kind::Whole(..) | Kind::Even(..) | Kind::Flag => as_toml().unwrap_or_else(bare),
        Kind::Word(_) | Kind::Text(_) => bare(),
        // "[::1]:80" begins like a list and is none.
        Kind::List(_) => as_toml().filter(toml::Value::is_array).unwrap_or_else(|| {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            toml::Value::Array(items.map(|item| item.to_owned().into()).collect())
        }),
        Kind::Table(_) => as_toml().unwrap_or_else(bare),
        Kind::Numbers(_) => as_toml()
            .filter(toml::Value::is_array)
            .or_else(|| format!("[{text}]").parse().ok())
            .unwrap_or_else(bare),
    }
}

/// A key that does not exist, with the one that was meant, perhaps.
pub(super) fn unknown(origin: Origin, section: &str, name: &str, value: toml::Value) -> Problem {
    let key = format!("{section}.{name}");
    let nearest = keys::nearest(section, Some(name)).or_else(|| keys::nearest(section, None));
    Problem::Unknown { origin, value: shown(&key, &value), key, nearest }
}

struct File<'a> {
    name: &'a str,
    text: &'a str,
    problems: &'a mut Vec<Problem>,
}

impl File<'_> {
    fn lay_over(mut self, settings: &mut Settings) {
        let document = match DeTable::parse(self.text) {
            Ok(document) => document.into_inner(),
            Err(error) => {
                let origin = self.origin(error.span().map_or(0, |span| span.start));
                let message = error.message().lines().collect::<Vec<_>>().join("; ");
                self.problems.push(Problem::Syntax { origin, message });
                return;
            }
        };
        for (section, value) in document {
            let origin = self.origin(section.span().start);
            let section = section.into_inner();
            match value.into_inner() {
                DeValue::Table(table) if section == CAMERA => {
                    settings.cameras = vec![self.table(CAMERA, table)];
                }
                DeValue::Array(items) if section == CAMERA => {
                    settings.cameras = self.cameras(&origin, items.into_iter());
                }
                DeValue::Table(table) if SECTIONS.contains(&&*section) => {
                    let table = self.table(&section, table);
                    settings.sections.entry(section.into_owned()).or_default().extend(table);
                }
                _ => self.not_a_section(origin, &section),
            }
        }
    }

    fn cameras<'i>(
        &mut self,
        origin: &Origin,
        items: impl ExactSizeIterator<Item = Spanned<DeValue<'i>>>,
    ) -> Vec<Table> {
        let fits = (1..=CAMERAS).contains(&items.len());
        let tables: Vec<Table> = items
            .filter_map(|item| match item.into_inner() {
                DeValue::Table(table) => Some(self.table(CAMERA, table)),
                _ => None,
            })
            .collect();
        if !fits || tables.is_empty() {
            self.problems.push(Problem::Value {
                origin: origin.clone(),
                key: CAMERA.to_owned(),
                value: format!("{} of them", tables.len()),
                allowed: format!("1 to {CAMERAS} sections [[camera]]"),
            });
        }
        tables
    }

    fn table(&mut self, section: &str, table: DeTable<'_>) -> Table {
        let mut entries = Table::new();
        for (name, value) in table {
            let origin = self.origin(name.span().start);
            let name = name.into_inner().into_owned();
            let value = match toml::Value::deserialize(toml::de::ValueDeserializer::from(value)) {
                Ok(value) => value,
                Err(error) => {
                    let message = format!("{section}.{name}: {}", error.message());
                    self.problems.push(Problem::Syntax { origin, message });
                    continue;
                }
            };
            match keys::find(section, &name) {
                Some(_) => drop(entries.insert(name, Entry { value, origin })),
                None => self.problems.push(unknown(origin, section, &name, value)),
            }
        }
        entries
    }

    fn not_a_section(&mut self, origin: Origin, section: &str) {
        let nearest = keys::nearest(section, None).map(|known| format!("section [{known}]"));
        let value = "(outside of the known sections)".to_owned();
        self.problems.push(Problem::Unknown { origin, key: section.to_owned(), value, nearest });
    }

    fn origin(&self, offset: usize) -> Origin {
        let before = self.text.as_bytes().iter().take(offset);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        Origin::File { file: self.name.to_owned(), line }
    }
}
