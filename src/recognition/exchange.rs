//! The owner of which model reads: it loads models, gives them to the [`worker`], watches a new
//! one in its first minute, and takes the last good one back when that fails.
//!
//! What it decides is in [`selection`], which is on the disk before a model is loaded; how a
//! trial goes, in [`probation`]. A bundle is tried in a process of its own first
//! ([`attempt`]), by whoever asks for it: [`Bundles`].
//!
//! [`selection`]: crate::model::selection
//! [`attempt`]: crate::model::attempt
//! [`probation`]: super::probation

use std::io;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior};

use super::Status;
use super::chain::Chain;
use super::probation::{Observed, Probation, Verdict};
use super::worker::{Loaded, Pulse, Wiring, Worker};
use crate::model::selection::{Choice, Selection};
use crate::model::store::{Incoming, Store, StoreError, Stored};
use crate::model::{self, Bundle, ModelError, Models, Places};
use crate::{config, errors, files};

mod bundles;
mod listing;
mod order;

pub use bundles::{BundleError, Bundles, Turn, proof};
pub use listing::{Listed, Listing, State, TurnedDown};
pub use order::Order;

/// Hands that are followed: signing has two.
const HANDS: usize = crate::cascade::MAX_HANDS;
/// How often a model on trial is looked at, and what the command line has left.
const TICK: Duration = Duration::from_millis(500);
/// A model that is busy with one frame for so long has to be said.
const BUSY: Duration = Duration::from_secs(2);
/// The next model waits so long for the frame that the one before it is busy with.
const PATIENCE: Duration = Duration::from_secs(3);
/// Threads that may be stuck in a model of the past; then it needs a restart.
const MOST_LEFT_BEHIND: usize = 2;
const STUCK: &str = "recognition is stuck in its model";
const NO_RESULT: &str = "it gave no result for 10 s";
const UNSAVED: &str = "it cannot be stored that it is on trial";
/// Recognition that fails once in this time is started anew.
const ONCE: Duration = Duration::from_secs(60);
const IS_BUSY: &str = "the model is busy with one picture for more than 2 s";
/// Requests that wait; who has more waits, too.
const REQUESTS: usize = 8;

const SELECTION: &str = "selection.json";
const PART: &str = "selection.json.part";

/// What the owner needs.
pub struct Settings {
    /// Where the runtime, the hand models and the first bundle are.
    pub model: config::Model,
    /// Where what was brought and what was decided is kept.
    pub state_dir: PathBuf,
    /// This machine's.
    pub places: Places,
    /// Called when a model has been freed.
    pub freed: fn(),
}

/// The started owner.
pub struct Started {
    /// What recognition is doing.
    pub status: watch::Receiver<Status>,
    /// Who is asked for another model.
    pub bundles: Bundles,
    /// Ends when the camera's owner has ended.
    pub owner: JoinHandle<()>,
}

/// What may be asked of the owner. Each is answered, unless it ends.
enum Request {
    /// Store what has arrived and was tried.
    Keep(Box<Incoming>, oneshot::Sender<Result<Stored, BundleError>>),
    /// Let this bundle read, which was tried.
    Activate(Wanted, oneshot::Sender<Result<(), BundleError>>),
    /// Remove it from the store.
    Remove(String, oneshot::Sender<Result<(), BundleError>>),
}

/// A bundle that was tried and is to read.
struct Wanted {
    choice: Choice,
    /// Name and version.
    title: String,
    /// What was tried, and by which program.
    proof: String,
}

/// Starts the owner and its worker, each on a thread of its own: models are loaded and files
/// written there, so that a slow disk delays no picture. Needs tokio.
///
/// # Errors
/// The system gives no thread.
pub fn start(
    settings: Settings,
    wiring: impl FnOnce(watch::Sender<Status>) -> Wiring,
) -> io::Result<Started> {
    let (status, published) = watch::channel(Status::Starting);
    let wiring = wiring(status.clone());
    let worker = Worker::start(wiring.clone(), Pulse::default())?;
    let (asked, requests) = mpsc::channel(REQUESTS);
    let (listing, listed) = watch::channel(Listing::default());
    let store = Store::new(&settings.state_dir);
    let bundles = Bundles::new(asked, listed, store.clone(), &settings);
    let exchange = Exchange {
        selection: Selection::default(),
        probation: Probation::default(),
        known: Pulse::default(),
        settings,
        store,
        worker,
        wiring,
        status,
        listing,
        left_behind: Vec::new(),
        unsaved: false,
        broke: None,
    };
    let (runtime, asking) = (Handle::current(), bundles.clone());
    let run = move || runtime.block_on(exchange.run(requests, asking));
    let owner = thread::Builder::new().name("models".into()).spawn(run)?;
    Ok(Started { status: published, bundles, owner })
}

struct Exchange {
    settings: Settings,
    store: Store,
    selection: Selection,
    probation: Probation,
    /// How the model did when it was last looked at.
    known: Pulse,
    worker: Worker,
    wiring: Wiring,
    status: watch::Sender<Status>,
    listing: watch::Sender<Listing>,
    /// Workers that were stuck in a model of the past, and may be still.
    left_behind: Vec<JoinHandle<()>>,
    /// What is decided is not on the disk.
    unsaved: bool,
    /// When recognition last failed and was started anew.
    broke: Option<Instant>,
}

/// Why a bundle does not read.
struct Refusal {
    reason: String,
    /// Whether its own files are to blame, and not this device.
    is_its_own: bool,
}

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Self { reason, is_its_own: false }
    }
}

impl Exchange {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>, bundles: Bundles) {
        if let Err(error) = self.store.sweep() {
            log::warn!("what an upload left behind cannot be removed: {error}");
        }
        let listed = self.store.list();
        for id in self.store.ids().iter().filter(|id| !listed.iter().any(|it| it.id == **id)) {
            log::warn!("model {id} cannot be read: DELETE /api/v1/models/{id} removes it");
        }
        self.begin().await;
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = Instant::now();
        loop {
            tokio::select! {
                Some(request) = requests.recv() => self.on(request).await,
                now = ticks.tick() => {
                    self.look((now - last).min(TICK * 2)).await;
                    last = now;
                    self.take_up(&bundles);
                }
                () = self.worker.ended() => break,
            }
        }
        if self.worker.in_order() {
            self.selection.stop();
            let _ = self.write();
        }
    }

    /// Reads what was decided, and loads what is active.
    async fn begin(&mut self) {
        self.selection = read(&self.store);
        if self.selection.start() {
            self.tell_turned_down();
        }
        if let Choice::Stored(id) = self.selection.active() {
            // Another program than the one that tried it: it has to do well anew.
            let proof = proof(&self.store.place(id)).unwrap_or_default();
            if !self.selection.is_proven(&proof) {
                self.selection.try_anew(proof);
            }
        }
        if self.selection != Selection::default()
            && self.write().is_err()
            && self.selection.before().is_some()
        {
            self.selection.fail(UNSAVED.to_owned());
            self.tell_turned_down();
        }
        self.load_active().await;
        self.list();
    }

    /// Loads the active bundle, or the one that comes back for it.
    async fn load_active(&mut self) {
        loop {
            let choice = self.selection.active().clone();
            let Err(Refusal { reason, is_its_own }) = self.put(&choice).await else { return };
            // What this device lacks, another bundle may lack as well, and it may come back.
            let alone = choice == Choice::Configured && self.selection.before().is_none();
            if alone || !is_its_own {
                return self.off(reason).await;
            }
            if !self.selection.fail(reason) {
                // It had done well before, and its files are no longer what they were.
                self.selection.forget();
            }
            self.tell_turned_down();
            let _ = self.write();
        }
    }

    /// Loads a bundle and gives it to the worker, between two frames; frees the one before.
    async fn put(&mut self, choice: &Choice) -> Result<(), Refusal> {
        let mut model = self.settings.model.clone();
        if let Choice::Stored(id) = choice {
            model.bundle = self.store.place(id);
        }
        let load = || {
            load(&self.settings.places, &model).map_err(|error| Refusal {
                reason: errors::chain(&error),
                is_its_own: *choice == Choice::Configured
                    || error.path().is_some_and(|path| path.starts_with(&model.bundle)),
            })
        };
        let loaded = load()?;
        let name = loaded.name.clone();
        let before = match self.worker.swap(Some(loaded), PATIENCE).await {
            Ok(before) => before,
            Err(given_back) => {
                // It went down with the worker that took it.
                let loaded = given_back.map_or_else(load, Ok)?;
                self.leave_behind()?;
                let swapped = self.worker.swap(Some(loaded), PATIENCE).await;
                swapped.map_err(|_| STUCK.to_owned())?
            }
        };
        self.free(before);
        log::info!(model = name.as_str(); "model {name} reads");
        self.probation = Probation::default();
        self.known = self.worker.pulse().borrow().clone();
        Ok(())
    }

    /// The worker does not come back from its model: another one goes on in its place.
    fn leave_behind(&mut self) -> Result<(), String> {
        log::error!("{STUCK}: it is left behind, with its thread and its memory");
        let before = self.worker.pulse().borrow().clone();
        let next = Worker::start(self.wiring.clone(), before)
            .map_err(|error| format!("the system gives no thread: {error}"))?;
        self.left_behind.push(std::mem::replace(&mut self.worker, next).give_up());
        Ok(())
    }

    fn free(&self, before: Option<Loaded>) {
        drop(before);
        (self.settings.freed)();
    }

    fn is_busy(&self) -> bool {
        self.worker.pulse().borrow().busy.is_some_and(|since| since.elapsed() > BUSY)
    }

    /// Recognition is off: video goes on, and the reason stays published.
    async fn off(&mut self, reason: String) {
        log::error!("recognition is off: {reason}");
        if let Ok(before) = self.worker.swap(None, PATIENCE).await {
            self.free(before);
        }
        self.known = self.worker.pulse().borrow().clone();
        self.status.send_replace(Status::Failed(reason));
    }

    async fn on(&mut self, request: Request) {
        match request {
            Request::Keep(incoming, reply) => {
                let kept = self.store.keep(*incoming, &self.selection.in_use());
                if let Some(proof) = kept.as_ref().ok().and_then(|it| proof(&it.bundle.folder).ok())
                {
                    self.selection.prove(proof);
                    let _ = self.write();
                }
                self.list();
                let _ = reply.send(kept.map_err(BundleError::from));
            }
            Request::Activate(wanted, reply) => {
                let activated = self.activate(wanted).await;
                self.list();
                let _ = reply.send(activated);
            }
            Request::Remove(id, reply) => {
                let removed = match self.selection.in_use().contains(&&*id) {
                    true => Err(BundleError::InUse),
                    false => self.store.remove(&id).map_err(|error| StoreError::from(error).into()),
                };
                self.list();
                let _ = reply.send(removed);
            }
        }
    }

    /// Lets another bundle read: at once, or not at all.
    async fn activate(&mut self, wanted: Wanted) -> Result<(), BundleError> {
        self.left_behind.retain(|thread| !thread.is_finished());
        if self.left_behind.len() >= MOST_LEFT_BEHIND {
            return Err(BundleError::LeftBehind);
        }
        let Wanted { choice, title, proof } = wanted;
        let before = self.selection.clone();
        self.selection.prove(proof);
        let reads = matches!(*self.status.borrow(), Status::Running { .. });
        if reads && choice == *self.selection.active() && self.selection.turned_down().is_none() {
            return Ok(());
        }
        self.selection.activate(choice.clone(), title);
        // Before it is loaded: should that end the program, its next start knows.
        if let Err(error) = self.write() {
            self.selection = before;
            return Err(StoreError::Io(error).into());
        }
        let was = self.left_behind.len();
        if let Err(Refusal { reason, .. }) = self.put(&choice).await {
            self.selection = before;
            let _ = self.write();
            if self.left_behind.len() > was {
                // The one that goes on has no model.
                self.load_active().await;
            }
            return Err(BundleError::NotTaken(reason));
        }
        self.selection.loaded();
        let _ = self.write();
        Ok(())
    }

    /// Judges a model that is on trial.
    async fn look(&mut self, time: Duration) {
        let pulse = self.worker.pulse().borrow().clone();
        if self.is_busy() {
            self.status.send_if_modified(busy);
        }
        let observed = match () {
            () if pulse.results > self.known.results => Observed::Results,
            () if pulse.failures > self.known.failures || pulse.busy.is_some() => Observed::Silence,
            () => Observed::Nothing,
        };
        self.known = pulse;
        if self.unsaved {
            let _ = self.write();
        }
        if self.known.broken {
            return self.mend().await;
        }
        if self.selection.before().is_none() {
            return;
        }
        match self.probation.on(observed, time) {
            Verdict::Pending => {}
            Verdict::Passed => {
                self.selection.pass();
                let _ = self.write();
                self.list();
            }
            Verdict::Failed => {
                let fault = self.known.fault.take().filter(|_| self.known.busy.is_none());
                self.put_back(fault.unwrap_or_else(|| NO_RESULT.to_owned())).await;
            }
        }
    }

    async fn put_back(&mut self, reason: String) {
        self.selection.fail(reason);
        self.tell_turned_down();
        let _ = self.write();
        self.load_active().await;
        self.list();
    }

    /// Recognition has failed in the midst of a frame, and has no model any more.
    async fn mend(&mut self) {
        let reason = self.known.fault.take().unwrap_or_default();
        let again = self.broke.is_some_and(|broke| broke.elapsed() < ONCE);
        self.broke = Some(Instant::now());
        match self.selection.before().is_some() {
            true => self.put_back(reason).await,
            false if again => self.off(reason).await,
            false => self.load_active().await,
        }
    }

    /// Has a bundle activated that the command line has put into the store.
    fn take_up(&self, bundles: &Bundles) {
        let Some(order) = Order::take(&self.store) else { return };
        self.list();
        let bundles = bundles.clone();
        tokio::spawn(async move {
            let title = order.title.clone();
            if let Err(error) = bundles.follow(order).await {
                log::error!("{title}, asked for on the command line: {}", errors::chain(&error));
            }
        });
    }

    fn tell_turned_down(&self) {
        if let Some(down) = self.selection.turned_down() {
            log::error!("model {} is put back: {}", down.title, down.reason);
        }
    }

    fn list(&self) {
        let configured =
            self.settings.places.find(model::Wanted::Bundle, &self.settings.model.bundle);
        let configured = configured.and_then(|folder| Bundle::open(&folder)).ok();
        self.listing.send_replace(Listing::new(&self.selection, configured, self.store.list()));
    }

    /// Puts what is decided on the disk.
    fn write(&mut self) -> io::Result<()> {
        let file = self.store.folder().join(SELECTION);
        let text = serde_json::to_string(&self.selection).expect("names are JSON");
        let written = files::replace(&file, PART, &text);
        let said = std::mem::replace(&mut self.unsaved, written.is_err());
        written.inspect_err(|error| {
            if !said {
                log::error!("which model is active cannot be stored, and is tried again: {error}");
            }
        })
    }
}

/// What was decided; nothing, where that cannot be read.
#[must_use]
pub fn read(store: &Store) -> Selection {
    let file = store.folder().join(SELECTION);
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Selection::default(),
        Err(error) => {
            log::error!("{}: cannot be read ({error}); the configured model reads", file.display());
            return Selection::default();
        }
    };
    serde_json::from_str(&text).unwrap_or_else(|error| {
        log::error!("{}: {error}; the configured model reads", file.display());
        Selection::default()
    })
}

/// The settings with the bundle that reads in place of the configured one.
#[must_use]
pub fn active(settings: &config::Model, state_dir: &Path) -> config::Model {
    let store = Store::new(state_dir);
    let mut settings = settings.clone();
    if let Choice::Stored(id) = read(&store).active() {
        settings.bundle = store.place(id);
    }
    settings
}

/// Says of what runs that it is busy; whether that was to be said.
fn busy(status: &mut Status) -> bool {
    match status {
        Status::Running { degraded, .. } if degraded.as_deref() != Some(IS_BUSY) => {
            *degraded = Some(IS_BUSY.to_owned());
            true
        }
        _ => false,
    }
}

/// Loads a bundle and all that it needs.
///
/// # Errors
/// What is missing, damaged or does not fit.
pub fn load(places: &Places, model: &config::Model) -> Result<Loaded, ModelError> {
    let models = Models::load(places, model, model.threads)?;
    let name = models.bundle.title();
    Ok(Loaded { chain: Chain::new(models, HANDS)?, name })
}
