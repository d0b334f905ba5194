//! What systemd hands over, and what it is told: sd_listen_fds(3), sd_notify(3). Without
//! systemd nothing of this does anything.

use std::convert::Infallible;
use std::net::TcpListener;
use std::time::Duration;

use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::time::{Instant, MissedTickBehavior};

use crate::http::{App, Silent};

/// How often it is looked whether there is something new to tell: the start is to be
/// told at once, the rest within a second.
const LOOK: Duration = Duration::from_millis(20);
const LATER_LOOK: Duration = Duration::from_millis(500);

/// The sockets of signpost.socket; none without systemd.
///
/// # Errors
/// A socket that is none of TCP that listens.
pub fn sockets() -> std::io::Result<Vec<TcpListener>> {
    let mut handed = ListenFd::from_env();
    let mut listeners = Vec::new();
    for index in 0..handed.len() {
        listeners.extend(handed.take_tcp_listener(index)?);
    }
    Ok(listeners)
}

/// Tells systemd how the program is: READY after the first picture, of the camera or in
/// its place; STATUS when it changes; and that it is alive only while every owner answers
/// and pictures move. Who does not is named in the log, and systemd ends the program.
pub async fn tell(app: App) -> Infallible {
    let alive = sd_notify::watchdog_enabled().map(|most| most / 4);
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = Told { ready: false, status: String::new(), silent: Vec::new() };
    let mut due = Instant::now();
    loop {
        looks.tick().await;
        if !told.ready && app.shows_pictures() {
            told.ready = true;
            looks = tokio::time::interval(LATER_LOOK);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let words = in_a_line(&app);
            log::info!("ready: {words}");
            notify(&[NotifyState::Ready, NotifyState::Status(&words)]);
            told.status = words;
        }
        told.status(&app);
        if let Some(alive) = alive
            && Instant::now() >= due
        {
            due = Instant::now() + alive;
            told.alive(app.silent_owners());
        }
    }
}

/// Tells that the program ends.
pub fn stopping() {
    notify(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// What was told last.
struct Told {
    ready: bool,
    status: String,
    silent: Vec<Silent>,
}

impl Told {
    fn status(&mut self, app: &App) {
        let status = if self.ready { in_a_line(app) } else { "waiting for a picture".to_owned() };
        if status != self.status {
            notify(&[NotifyState::Status(&status)]);
            self.status = status;
        }
    }

    fn alive(&mut self, silent: Vec<Silent>) {
        if silent.is_empty() {
            if !self.silent.is_empty() {
                log::info!("everything answers again");
            }
            notify(&[NotifyState::Watchdog]);
        } else if silent != self.silent {
            let names: Vec<String> = silent.iter().map(|silent| silent.to_string()).collect();
            log::error!(
                "{} answers no more or shows nothing: systemd is no longer told that the program \
                 is alive, and will start it again",
                names.join(", ")
            );
        }
        self.silent = silent;
    }
}

/// A line of sd_notify(3) is an assignment: what an element or a server says may hold more.
fn in_a_line(app: &App) -> String {
    app.in_words().replace(['\n', '\r'], " ")
}

/// Who does not listen is not told: no systemd, or one that has gone.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        log::debug!("systemd cannot be told of the program: {error}");
    }
}
