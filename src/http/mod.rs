//! Flow B's front door: HTTP routes, who may use them, and what goes wrong.
//!
//! [`bind`] takes the addresses, [`router`] puts every route behind the checks of
//! [`guard`] (Host, Origin) and [`access`] (login), [`serve`] runs it.

pub mod access;
mod api;
mod guard;
mod health;
mod login;
mod metrics;
mod pages;
mod problem;
mod router;
mod server;
mod status;
mod tally;
#[cfg(test)]
mod tests;
mod whep;

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{broadcast, watch};

pub use access::{Access, AccessError, Caller, Entry};
pub use problem::Problem;
pub use router::{BODY_LIMIT, router};
pub use server::{BindError, Ends, Listeners, bind, serve};

use crate::camera::Camera;
use crate::config::Config;
use crate::recognition::{self, Prediction};
use crate::sessions::Sessions;
use tally::Tally;

/// What the routes know: configuration, and handles on the owners.
#[derive(Clone, Debug)]
pub struct App {
    /// In force since the start.
    pub config: Arc<Config>,
    /// As configured, the default first.
    pub cameras: Vec<Camera>,
    /// Who may come in.
    pub access: Arc<Access>,
    /// Who looks.
    pub sessions: Sessions,
    guard: Arc<guard::Guard>,
    recognition: watch::Receiver<recognition::Status>,
    tally: watch::Receiver<Tally>,
    started: Instant,
}

impl App {
    /// Puts the parts together and starts counting results. `device_name`: the
    /// host name, under which the device's own page is opened. Needs tokio.
    #[must_use]
    pub fn new(
        config: Arc<Config>,
        access: Access,
        cameras: Vec<Camera>,
        sessions: Sessions,
        predictions: &broadcast::Sender<Arc<Prediction>>,
        recognition: watch::Receiver<recognition::Status>,
        device_name: &str,
    ) -> Self {
        let guard = Arc::new(guard::Guard::new(&config.http, device_name));
        let tally = tally::start(predictions.subscribe());
        let (access, started) = (Arc::new(access), Instant::now());
        Self { config, cameras, access, sessions, guard, recognition, tally, started }
    }
}
