//! The manual page names everything that the command line takes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clap::{Arg, Command, CommandFactory as _};

const PAGE: &str = include_str!("../systemd/debian/signpost.8");

/// The page without the marks for type faces, with single spaces.
fn words() -> String {
    let mut words = PAGE.replace("\\-", "-");
    for mark in ["\\fI", "\\fB", "\\fR", "\""] {
        words = words.replace(mark, "");
    }
    let lines = words.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.collect::<Vec<_>>().join("\n")
}

/// The part of the page that tells of a subcommand.
fn part<'a>(page: &'a str, name: &str) -> &'a str {
    let head = format!(".SS signpost {name}");
    let start = page.find(&head).unwrap_or_else(|| panic!("the manual has no part {head:?}"));
    let rest = &page[start + head.len()..];
    rest.find("\n.S").map_or(rest, |end| &rest[..end])
}

/// An option as it stands on the page, `--name VALUE`.
fn form(option: &Arg) -> Option<String> {
    let long = option.get_long()?;
    let value = option.get_value_names().filter(|_| option.get_action().takes_values());
    let value = value.map(|names| format!(" {}", names[0])).unwrap_or_default();
    Some(format!("--{long}{value}"))
}

fn options(command: &Command) -> impl Iterator<Item = String> {
    command.get_arguments().filter(|option| !option.is_global_set()).filter_map(form)
}

#[test]
fn every_subcommand_and_option_is_in_the_manual() {
    let page = words();
    let mut cli = signpost::cli::Cli::command();
    cli.build();
    for option in cli.get_arguments().filter_map(form) {
        assert!(page.contains(&option), "{option} is not in the manual");
    }
    for command in cli.get_subcommands().filter(|command| command.get_name() != "help") {
        let part = part(&page, command.get_name());
        for option in options(command).filter(|option| option != "--help") {
            assert!(part.contains(&option), "{option} of {} is not", command.get_name());
        }
    }
}

#[test]
fn the_manual_names_nothing_that_is_not_there() {
    let page = words();
    let mut cli = signpost::cli::Cli::command();
    cli.build();
    for name in page.lines().filter_map(|line| line.strip_prefix(".SS signpost ")) {
        let name = name.split(' ').next().unwrap();
        let command = cli.find_subcommand(name).unwrap_or_else(|| panic!("no command {name}"));
        let known: Vec<_> = options(command).collect();
        for line in part(&page, name).lines().filter(|line| line.contains("--")) {
            assert!(known.iter().any(|option| line.contains(option)), "{name} has no {line}");
        }
    }
}
