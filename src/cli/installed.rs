//! The service that the package installs, as systemd knows it. `signpost check` speaks of
//! it where it is there: it has other addresses, runs before there is a password, and has
//! the camera while it runs.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

/// signpost.service and signpost.socket.
#[derive(Debug, PartialEq)]
pub struct Service {
    /// Where the socket listens.
    pub addresses: Vec<SocketAddr>,
    /// Whether it does.
    pub socket: State,
    /// Whether the service runs.
    pub state: State,
    /// The service's own word, STATUS of sd_notify(3).
    pub status: String,
}

/// A unit's ActiveState, systemctl(1).
#[derive(Debug, PartialEq)]
pub enum State {
    /// It runs.
    Active,
    /// It could not.
    Failed,
    /// In systemd's word: nobody has started it, or it is on its way.
    Other(String),
}

impl Service {
    /// Asks systemd; `None` without systemd, or where the package's units are not installed.
    #[must_use]
    pub fn of_this_device() -> Option<Self> {
        let mut ask = Command::new("systemctl");
        ask.args(["show", "signpost.service", "signpost.socket"]);
        ask.args(["--property=Id,LoadState,ActiveState,StatusText,Listen", "--no-pager"]);
        let told = ask.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        Self::read(&String::from_utf8_lossy(&told.stdout))
    }

    /// Reads what `systemctl show` tells of the two units: a block of lines NAME=VALUE for
    /// each.
    #[must_use]
    pub fn read(told: &str) -> Option<Self> {
        let units: HashMap<&str, &str> = told
            .split("\n\n")
            .filter_map(|block| Some((value(block, "Id")?, block)))
            .filter(|(_, block)| value(block, "LoadState") == Some("loaded"))
            .collect();
        let (service, socket) = (units.get("signpost.service")?, units.get("signpost.socket")?);
        let listens = socket.lines().filter_map(|line| line.strip_prefix("Listen="));
        Some(Self {
            addresses: listens
                .filter_map(|text| text.strip_suffix(" (Stream)")?.parse().ok())
                .collect(),
            socket: State::of(socket),
            state: State::of(service),
            status: value(service, "StatusText").unwrap_or_default().to_owned(),
        })
    }

    /// Whether it runs, and so has the camera.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.state == State::Active
    }
}

impl State {
    fn of(block: &str) -> Self {
        match value(block, "ActiveState") {
            Some("active") => Self::Active,
            Some("failed") => Self::Failed,
            other => Self::Other(other.unwrap_or("unknown").to_owned()),
        }
    }
}

fn value<'a>(block: &'a str, name: &str) -> Option<&'a str> {
    block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    /// As systemd 252 tells it.
    const RUNS: &str = "Id=signpost.service\nLoadState=loaded\nActiveState=active\n\
        StatusText=camera: demo clip\n\nListen=[::]:80 (Stream)\nListen=[::]:443 (Stream)\n\
        Id=signpost.socket\nLoadState=loaded\nActiveState=active\n";

    #[test]
    fn a_service_that_runs_is_read() {
        let service = Service::read(RUNS).unwrap();
        assert_eq!(service.addresses, ["[::]:80", "[::]:443"].map(|text| text.parse().unwrap()));
        assert_eq!(
            (&service.socket, service.status.as_str()),
            (&State::Active, "camera: demo clip")
        );
        assert!(service.runs());
    }

    #[test]
    fn a_service_that_does_not_run_is_told_apart() {
        let service = RUNS.replacen("ActiveState=active", "ActiveState=failed", 1);
        let service = Service::read(&service).unwrap();
        assert_eq!((service.runs(), service.state), (false, State::Failed));
        let service = RUNS.replacen("ActiveState=active", "ActiveState=activating", 1);
        let service = Service::read(&service).unwrap();
        assert_eq!(service.state, State::Other("activating".to_owned()));
    }

    #[test]
    fn where_it_is_not_installed_there_is_none() {
        let absent = RUNS.replace("LoadState=loaded", "LoadState=not-found");
        let no_socket = RUNS.split("\n\n").next().unwrap();
        for told in ["", "\n\n", "Id=", &absent, no_socket] {
            assert_eq!(Service::read(told), None, "{told}");
        }
    }
}
