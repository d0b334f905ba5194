//! Flow B's front door: HTTP routes, who may use them, and what goes wrong.
//!
//! [`bind`] takes the addresses, [`router`] puts every route behind the checks of
//! [`guard`] (Host, Origin) and [`access`] (login), [`serve`] runs it.

pub mod access;
mod address;
mod api;
mod body;
mod cameras;
mod checks;
mod configuration;
mod device;
mod facts;
mod forms;
mod guard;
mod health;
mod history;
mod liveview;
mod login;
mod metrics;
mod models;
mod offers;
mod pages;
mod problem;
mod process;
mod refusals;
mod roles;
mod router;
mod secrets;
mod secure;
mod server;
mod setup;
mod silent;
mod status;
mod stills;
mod support;
mod tally;
#[cfg(test)]
mod tests;
mod tokens;
mod trickle;
mod unread;
mod users;
mod whep;

use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::sync::{Semaphore, broadcast, watch};

pub use access::{Access, AccessError, Caller, Entry};
pub use problem::Problem;
pub use refusals::Refusals;
pub use router::{BODY_LIMIT, router};
pub use secure::Https;
pub use server::{BindError, Ends, HTTPS, Listeners, Scheme, bind, inherit, serve};
pub use silent::Silent;

use crate::camera::Camera;
use crate::clock::{Clock, Mark};
use crate::config::{Config, Keeper, Settled};
use crate::device::provisioned;
use crate::device::watch::Known;
use crate::history::{self as figures, History};
use crate::recognition::exchange::Bundles;
use crate::recognition::{self, Prediction};
use crate::sessions::Sessions;
use tally::Tally;

/// What the routes know: configuration, and handles on the owners.
#[derive(Clone, Debug)]
pub struct App {
    /// As the program was started; what may change since is in `settled`.
    pub config: Arc<Config>,
    /// As configured, the default first.
    pub cameras: Vec<Camera>,
    /// Who may come in.
    pub access: Arc<Access>,
    /// Who looks.
    pub sessions: Sessions,
    /// What is refused at limits; [`serve`] counts here too.
    pub refusals: Refusals,
    /// Where HTTPS is served, if it is.
    https: Option<Https>,
    /// Who changes the configuration, one change at a time.
    keeper: Arc<tokio::sync::Mutex<Keeper>>,
    settled: watch::Receiver<Settled>,
    guard: Arc<watch::Sender<guard::Guard>>,
    /// The host name, under which the device's own page is opened.
    device_name: Arc<watch::Sender<String>>,
    offers: Arc<Mutex<offers::Offers>>,
    /// Places for streams of pictures.
    readers: Arc<Semaphore>,
    /// Places for those who read the journal.
    journals: Arc<Semaphore>,
    /// The place of who gathers a support bundle.
    gathering: Arc<Semaphore>,
    /// The place of who has something checked.
    checking: Arc<Semaphore>,
    /// What is known of the device.
    known: watch::Receiver<Known>,
    /// What of the boot partition's set-up data was left there at the start.
    left: Arc<[String]>,
    recognition: watch::Receiver<recognition::Status>,
    bundles: Bundles,
    tally: watch::Receiver<Tally>,
    /// Figures of the last ten minutes.
    history: History,
    clock: Clock,
    /// When the server last said that it is well.
    served: Mark,
    /// When the owner of the configuration last was free.
    kept: Mark,
    started: Instant,
}

/// Handles on the owners that the routes speak for.
#[derive(Debug)]
pub struct Owners {
    /// As configured, the default first.
    pub cameras: Vec<Camera>,
    /// Who looks.
    pub sessions: Sessions,
    /// What recognition is doing.
    pub recognition: watch::Receiver<recognition::Status>,
    /// Who is asked for another model.
    pub bundles: Bundles,
    /// Its results, to be counted.
    pub predictions: broadcast::Receiver<Arc<Prediction>>,
    /// Its errors since the start.
    pub failed: watch::Receiver<u64>,
    /// What pictures are stamped by.
    pub clock: Clock,
    /// Who changes the configuration.
    pub keeper: Keeper,
    /// Where HTTPS is served, if it is.
    pub https: Option<Https>,
    /// The host name, under which the device's own page is opened.
    pub device_name: Arc<watch::Sender<String>>,
    /// What is known of the device.
    pub known: watch::Receiver<Known>,
}

impl App {
    /// Puts the parts together, starts counting results and ending the sessions of
    /// logins that end. Needs tokio.
    #[must_use]
    pub fn new(config: Arc<Config>, access: Access, owners: Owners) -> Self {
        let Owners { cameras, sessions, recognition, bundles, clock, keeper, .. } = owners;
        let Owners { predictions, failed, https, device_name, known, .. } = owners;
        let guard = guard::Guard::new(&config.http, &device_name.borrow());
        let guard = Arc::new(watch::Sender::new(guard));
        let offers = offers::Offers::new(config.sessions.offers_per_minute);
        let offers = Arc::new(Mutex::new(offers));
        let readers = Arc::new(Semaphore::new(stills::READERS));
        let journals = Arc::new(Semaphore::new(device::JOURNALS));
        let gathering = Arc::new(Semaphore::new(support::AT_ONCE));
        let checking = Arc::new(Semaphore::new(checks::AT_ONCE));
        let left = provisioned::remarks(config.state_dir()).into();
        let (recognition, camera) = (recognition, cameras.first().cloned());
        let history = figures::start(figures::Followed {
            cameras: cameras.clone(),
            predictions: predictions.resubscribe(),
            sessions: sessions.status(),
        });
        let work = tally::Work { recognition: recognition.clone(), failed, camera };
        let tally = tally::start(predictions, work);
        let settled = keeper.follow();
        let keeper = Arc::new(tokio::sync::Mutex::new(keeper));
        let (served, kept) = (clock.mark(), clock.mark());
        let (access, started) = (Arc::new(access), Instant::now());
        login::follow(&access, sessions.clone());
        setup::follow(&access, https.clone());
        Self {
            config,
            cameras,
            access,
            sessions,
            refusals: Refusals::default(),
            https,
            keeper,
            settled,
            guard,
            device_name,
            offers,
            readers,
            journals,
            gathering,
            checking,
            known,
            left,
            recognition,
            bundles,
            tally,
            history,
            clock,
            served,
            kept,
            started,
        }
    }

    /// The device is opened under this name from now on.
    fn rename(&self, device_name: &str) {
        self.device_name.send_replace(device_name.to_owned());
        self.guard.send_modify(|guard| guard.rename(device_name));
        if let Some(https) = &self.https {
            https.tls.look();
        }
    }

    /// The server says that it is well.
    pub fn tick(&self) {
        self.served.set();
    }

    /// Resolves when the owner of the configuration is free for the next change.
    pub async fn is_free(&self) {
        drop(self.keeper.lock().await);
        self.kept.set();
    }
}
