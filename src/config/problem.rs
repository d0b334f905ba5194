//! What is wrong with a configuration, in the operator's words.

use std::fmt;

/// Where a value came from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A line of a file, counted from 1.
    File {
        /// As the operator would name it.
        file: String,
        /// Line of the key.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A command-line argument, such as `--listen`.
    Argument(String),
    /// A request, while the program runs; not stored, or not yet.
    Request,
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => out.write_str("default"),
            Self::File { file, line } => write!(out, "{file}:{line}"),
            Self::Variable(name) => write!(out, "environment variable {name}"),
            Self::Argument(name) => write!(out, "argument {name}"),
            Self::Request => out.write_str("changed at run time"),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Problem {
    /// A file that cannot be read.
    #[error("{file}: cannot be read: {reason}")]
    Unreadable {
        /// Its path.
        file: String,
        /// The system's words.
        reason: String,
    },
    /// Text that is not TOML.
    #[error("{origin}: {message}")]
    Syntax {
        /// File and line.
        origin: Origin,
        /// The parser's words, on one line.
        message: String,
    },
    /// A key or section that does not exist.
    #[error("{origin}: {key} = {value}: there is no such key{}", hint(nearest.as_ref()))]
    Unknown {
        /// File and line, or variable.
        origin: Origin,
        /// `section.name`, or a section.
        key: String,
        /// As written, unless it may be a secret.
        value: String,
        /// The known key that looks most like it.
        nearest: Option<String>,
    },
    /// A value outside of its range.
    #[error("{origin}: {key} = {value}: allowed is {allowed}")]
    Value {
        /// File and line, variable or argument.
        origin: Origin,
        /// `section.name`.
        key: String,
        /// As written, unless it may be a secret.
        value: String,
        /// The allowed range, in words.
        allowed: String,
    },
    /// A value that does not come through the API.
    #[error("{origin}: {key} cannot be set through the API: {reason}; set it in signpost.toml")]
    Shut {
        /// The request, or file and line.
        origin: Origin,
        /// `section.name`.
        key: String,
        /// What it could do there.
        reason: &'static str,
    },
    /// A value that is not for everybody who may change settings.
    #[error("{key} is for administrators only: {reason}")]
    Reserved {
        /// `section.name`.
        key: String,
        /// What it could do.
        reason: &'static str,
    },
    /// A value that the environment or an argument sets, which win over the API.
    #[error("{key} is set by {by}, which wins over what is changed here: change it there")]
    Held {
        /// `section.name`.
        key: String,
        /// Variable or argument.
        by: Origin,
    },
}

fn hint(nearest: Option<&String>) -> String {
    nearest.map_or_else(String::new, |known| format!("; the nearest is {known}"))
}

/// All that is wrong, in the order of the layers. Never empty.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the configuration has {} problem", self.0.len())?;
        out.write_str(if self.0.len() == 1 { ":" } else { "s:" })?;
        self.0.iter().try_for_each(|problem| write!(out, "\n  {problem}"))
    }
}

impl std::error::Error for Problems {}

/// All in one line: the first, and how many there are besides.
#[must_use]
pub fn counted(problems: &Problems) -> String {
    let first = problems.0.first().map(ToString::to_string).unwrap_or_default();
    match problems.0.len() {
        0 | 1 => first,
        more => format!("{first} (and {} more)", more - 1),
    }
}

/// `value` as it may be shown: without credentials, on one line, not endless.
#[must_use]
pub fn shown(key: &str, value: &toml::Value) -> String {
    const LONGEST: usize = 80;
    if ["pass", "secret", "token", "credential", "servers"].iter().any(|word| key.contains(word))
        && key != "access.password_file"
    {
        return "(hidden)".to_owned();
    }
    let text = match value {
        toml::Value::String(text) => format!("{:?}", without_secrets(text)),
        other => other.to_string().replace('\n', " "),
    };
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// An address as it may be shown: scheme, host, port and path. Cameras take
/// passwords before the host and in the query; both are masked.
#[must_use]
pub fn without_secrets(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (user, query) = (rest.rfind('@'), rest.find('?'));
    match (user, query) {
        // A password with '?' in it, or a query with '@': which cannot be told.
        (Some(user), Some(query)) if query < user => format!("{scheme}://***"),
        _ => {
            let from = user.map_or(0, |at| at + 1);
            let shown = &rest[from..query.unwrap_or(rest.len())];
            let (user, query) = (user.map_or("", |_| "***@"), query.map_or("", |_| "?***"));
            format!("{scheme}://{user}{shown}{query}")
        }
    }
}
