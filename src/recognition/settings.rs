//! The `[stabiliser]` table of a bundle's manifest.

use std::time::Duration;

use serde::Deserialize;

use super::stabiliser::Settings;
use crate::model::bundle::shown;

/// Longest time that a setting may ask for: nobody holds a letter for longer.
const LONGEST_MS: u64 = 5_000;
/// Largest distance in palm lengths, and speed in palm lengths a second.
const FARTHEST: f32 = 50.0;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    enter: Option<f32>,
    leave: Option<f32>,
    hold_ms: Option<u64>,
    hold_starter_ms: Option<u64>,
    release_ms: Option<u64>,
    space_ms: Option<u64>,
    slide: Option<f32>,
    rest: Option<f32>,
    motions: Option<Vec<[String; 2]>>,
}

impl Settings<usize> {
    /// The defaults with what the table says on top. `names` are the labels, which the
    /// settings know by their places.
    ///
    /// # Errors
    /// All problems, a sentence each.
    pub fn from_table(table: &toml::Table, names: &[String]) -> Result<Self, Vec<String>> {
        let table: Table = table
            .clone()
            .try_into()
            .map_err(|error| vec![format!("stabiliser: {}", error.message())])?;
        let mut check = Check { problems: Vec::new() };
        let default = Self::default();
        let settings = Self {
            enter: check.number("enter", table.enter, default.enter, 1.0),
            leave: check.number("leave", table.leave, default.leave, 1.0),
            hold: check.time("hold_ms", table.hold_ms, default.hold),
            hold_starter: check.time(
                "hold_starter_ms",
                table.hold_starter_ms,
                default.hold_starter,
            ),
            release: check.time("release_ms", table.release_ms, default.release),
            space: check.time("space_ms", table.space_ms, default.space),
            slide: check.number("slide", table.slide, default.slide, FARTHEST),
            rest: check.number("rest", table.rest, default.rest, FARTHEST),
            motions: table.motions.map_or(default.motions, |pairs| check.motions(&pairs, names)),
        };
        if settings.slide <= 0.0 {
            let slide = settings.slide;
            check.problems.push(format!("stabiliser.slide = {slide}: must be over 0"));
        }
        if settings.leave > settings.enter {
            let Self { leave, enter, .. } = settings;
            check
                .problems
                .push(format!("stabiliser.leave = {leave}: must not be over enter = {enter}"));
        }
        if check.problems.is_empty() { Ok(settings) } else { Err(check.problems) }
    }
}

struct Check {
    problems: Vec<String>,
}

impl Check {
    fn number(&mut self, key: &str, given: Option<f32>, default: f32, most: f32) -> f32 {
        let value = given.unwrap_or(default);
        if !(0.0..=most).contains(&value) {
            self.problems.push(format!("stabiliser.{key} = {value}: must be 0 to {most}"));
        }
        value
    }

    fn time(&mut self, key: &str, given: Option<u64>, default: Duration) -> Duration {
        let Some(value) = given else { return default };
        if value > LONGEST_MS {
            self.problems.push(format!("stabiliser.{key} = {value}: must be 0 to {LONGEST_MS}"));
        }
        Duration::from_millis(value)
    }

    fn motions(&mut self, pairs: &[[String; 2]], names: &[String]) -> Vec<(usize, usize)> {
        let mut place = |label: &String| {
            let place = names.iter().position(|name| *name == shown(label));
            if place.is_none() {
                self.problems.push(format!("stabiliser.motions: there is no label {label:?}"));
            }
            place
        };
        pairs.iter().filter_map(|[from, to]| place(from).zip(place(to))).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn read(text: &str) -> Result<Settings<usize>, Vec<String>> {
        let names = ["A", "I", "J"].map(str::to_owned);
        Settings::from_table(&text.parse().unwrap(), &names)
    }

    #[test]
    fn an_empty_table_is_the_defaults() {
        assert_eq!(read("").unwrap(), Settings::default());
    }

    #[test]
    fn what_is_said_lies_over_the_defaults() {
        let settings = read("hold_ms = 250\nmotions = [[\"i\", \"J\"]]\nenter = 1.0").unwrap();
        let expected = Settings {
            enter: 1.0,
            hold: Duration::from_millis(250),
            motions: vec![(1, 2)],
            ..Settings::default()
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn all_problems_are_told() {
        let problems =
            read("enter = 0.2\nspace_ms = 60000\nslide = -1.0\nmotions = [[\"I\", \"K\"]]")
                .unwrap_err();
        assert_eq!(problems.len(), 5, "{problems:?}");
        assert!(problems[4].starts_with("stabiliser.leave"), "{problems:?}");
    }

    #[test]
    fn an_unknown_key_is_named() {
        let problems = read("hold = 3").unwrap_err();
        assert!(problems[0].contains("unknown field `hold`"), "{problems:?}");
    }
}
