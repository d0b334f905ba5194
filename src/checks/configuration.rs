//! What can be said of a configuration without starting anything.

use crate::config::{Config, TransportPolicy, complaints};

/// One thing that was looked at.
#[derive(Debug, PartialEq)]
pub struct Finding {
    /// Its name.
    pub what: String,
    /// How it is.
    pub outcome: Outcome,
}

/// How it is, in the operator's words.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    /// As it should be.
    Fine(String),
    /// The program would start, with less.
    Note(String),
    /// The program would not start, or not work.
    Wrong(String),
}

use Outcome::{Fine, Note, Wrong};

impl Finding {
    /// What was found of `what`.
    pub fn new(what: impl Into<String>, outcome: Outcome) -> Self {
        Self { what: what.into(), outcome }
    }
}

/// The values, and what an operator should know of how they came about.
#[must_use]
pub fn values(config: &Config) -> Vec<Finding> {
    let remarks = config.remarks.iter().cloned().map(Note);
    let outcomes = std::iter::once(Fine(differences(config))).chain(remarks);
    outcomes.map(|outcome| Finding::new("configuration", outcome)).collect()
}

/// What is wrong with who may read and write its files.
#[must_use]
pub fn files(config: &Config) -> Vec<Finding> {
    let complaints = complaints(config).into_iter().map(Wrong);
    complaints.map(|complaint| Finding::new("files", complaint)).collect()
}

/// For how many, and by which ways.
#[must_use]
pub fn promises(config: &Config) -> [Finding; 2] {
    [Finding::new("viewers", Fine(viewers(config))), Finding::new("network", Fine(network(config)))]
}

/// How many values are not the default.
fn differences(config: &Config) -> String {
    let set = config.effective.iter().filter(|value| value.origin != "default").count();
    let all = config.effective.len();
    format!("every key and value is known and valid; {set} of {all} are set")
}

fn viewers(config: &Config) -> String {
    let (sessions, encoder) = (&config.sessions, &config.encoder);
    let low = if encoder.low_rendition { "; a smaller picture for slow networks" } else { "" };
    format!(
        "{} at the same time, {} to {} kbit/s each{low}",
        sessions.max_viewers, encoder.min_bitrate_kbps, encoder.bitrate_kbps
    )
}

/// Which ways lead to viewers.
fn network(config: &Config) -> String {
    let ice = &config.ice;
    let urls: Vec<&str> =
        ice.servers.iter().flat_map(|server| &server.urls).map(String::as_str).collect();
    let ports = ice.udp_ports.as_ref().map_or_else(
        || "any UDP port".to_owned(),
        |ports| format!("UDP ports {} to {}", ports.start(), ports.end()),
    );
    let servers = match (&urls[..], ice.transport_policy) {
        ([], _) => "no STUN or TURN server, so viewers in this network only".to_owned(),
        (urls, TransportPolicy::All) => format!("servers {}", urls.join(", ")),
        (urls, TransportPolicy::Relay) => format!("only through a relay of {}", urls.join(", ")),
    };
    format!("{servers}; {ports}")
}
