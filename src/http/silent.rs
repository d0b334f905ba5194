//! Which parts do not answer: what the watchdog and /healthz judge by.

use std::fmt;
use std::time::Duration;

use gstreamer::ClockTime;

use super::App;

/// The owner of the configuration may write to a slow card for so long, whatever
/// `watchdog.deadline_s` is.
const KEPT: Duration = Duration::from_secs(60);

impl App {
    /// Owners that do not answer: gone, so that nobody publishes their state any
    /// more, or for longer than their deadline without a tick, without a picture
    /// of the camera or in its place, or running without a result; or clogged by
    /// pipelines that hang, of which only another process is free.
    pub fn silent_owners(&self) -> Vec<Silent> {
        self.silent_at(self.clock.running_time())
    }

    pub(super) fn silent_at(&self, now: ClockTime) -> Vec<Silent> {
        let deadline = self.settled.borrow().now.watchdog.deadline;
        let late = |last| is_older(Some(last), now, deadline);
        let mut silent: Vec<Silent> = (self.cameras.iter().zip(1..))
            .filter(|(camera, _)| {
                let gone = camera.status().has_changed().is_err();
                gone || late(camera.moved()) || late(camera.ticked())
            })
            .map(|(camera, number)| Silent::Camera { number, name: camera.name().to_owned() })
            .collect();
        let waits = self.tally.borrow().silent;
        if self.recognition.has_changed().is_err() || waits > deadline {
            silent.push(Silent::Recognition);
        }
        let stuck = is_older(self.sessions.ticked(), now, deadline);
        let sessions = self.sessions.status();
        let clogged = sessions.borrow().is_clogged();
        if sessions.has_changed().is_err() || stuck || clogged {
            silent.push(Silent::Sessions);
        }
        if late(self.served.last()) {
            silent.push(Silent::Server);
        }
        if is_older(Some(self.kept.last()), now, deadline.max(KEPT)) {
            silent.push(Silent::Keeper);
        }
        silent
    }
}

/// A part that does not answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Silent {
    /// A camera's owner, or its pictures.
    Camera {
        /// Counted from 1.
        number: usize,
        /// As configured, which may say where it is.
        name: String,
    },
    /// The one that runs the model.
    Recognition,
    /// The owner of the viewers' pipelines.
    Sessions,
    /// The HTTP server.
    Server,
    /// The owner of the configuration.
    Keeper,
}

impl Silent {
    /// For anybody, who need not know where a camera is.
    #[must_use]
    pub fn in_public(&self) -> String {
        match self {
            Self::Camera { number, .. } => format!("camera {number}"),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Silent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Camera { name, .. } => write!(out, "camera {name}"),
            Self::Recognition => out.write_str("recognition"),
            Self::Sessions => out.write_str("sessions"),
            Self::Server => out.write_str("the HTTP server"),
            Self::Keeper => out.write_str("the configuration"),
        }
    }
}

/// Whether a picture or a tick is from more than `deadline` before `now`, both in
/// running time. Who has just started has none yet.
fn is_older(newest: Option<ClockTime>, now: ClockTime, deadline: Duration) -> bool {
    newest.is_some_and(|newest| Duration::from(now.saturating_sub(newest)) > deadline)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picture_is_older_than_the_deadline_only_after_it() {
        let (deadline, captured) = (Duration::from_secs(10), ClockTime::from_seconds(100));
        let at = |seconds| is_older(Some(captured), ClockTime::from_seconds(seconds), deadline);
        assert!(!at(99) && !at(100) && !at(110));
        assert!(at(111));
        assert!(!is_older(None, ClockTime::from_seconds(1000), deadline));
    }
}
