//! Who is asked for another model: it is checked and tried here, in a process of its own,
//! before the owner hears of it.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::{Listed, Listing, Order, Request, Settings, State, Wanted};
use crate::config;
use crate::model::attempt::{Attempt, AttemptError, Report};
use crate::model::manifest::FILE;
use crate::model::selection::Choice;
use crate::model::store::{Store, StoreError, Stored};
use crate::model::{ModelError, Places, sum_of};

/// A handle on the owner of which model reads.
#[derive(Clone, Debug)]
pub struct Bundles {
    requests: mpsc::Sender<Request>,
    listing: watch::Receiver<Listing>,
    store: Store,
    model: config::Model,
    places: Places,
    /// One is tried at a time: it takes as much of the device as recognition does.
    trying: Arc<Semaphore>,
}

/// Why a bundle is not taken or not removed. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It is not stored.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its files are not what they were.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// It does not work on this device.
    #[error(transparent)]
    Attempt(#[from] AttemptError),
    /// There is none of this name.
    #[error(
        "there is no model {0:?} on this device; GET /api/v1/models lists those that there are"
    )]
    Unknown(String),
    /// None reads.
    #[error("no model reads on this device; GET /api/v1/models lists those that there are")]
    None,
    /// Another one is being tried.
    #[error("another model is being tried just now, and this device tries one at a time")]
    Busy,
    /// It was good, and cannot be loaded all the same.
    #[error("it cannot be loaded beside the one that reads: {0}")]
    NotTaken(String),
    /// It reads, or comes back if the one that reads fails.
    #[error("it is in use: it reads, or comes back if the one that reads fails")]
    InUse,
    /// It is the device's own.
    #[error("it is the device's own (model.bundle) and not kept with those that were brought")]
    Own,
    /// Models of the past do not end.
    #[error("several models did not end and still take memory: restart signpost first")]
    LeftBehind,
    /// The program ends.
    #[error("signpost is ending")]
    Ending,
}

impl Bundles {
    pub(super) fn new(
        requests: mpsc::Sender<Request>,
        listing: watch::Receiver<Listing>,
        store: Store,
        settings: &Settings,
    ) -> Self {
        let (model, places) = (settings.model.clone(), settings.places.clone());
        Self { requests, listing, store, model, places, trying: Arc::new(Semaphore::new(1)) }
    }

    /// One without an owner: there is no model, and none can be brought.
    #[cfg(any(test, feature = "fuzzing"))]
    #[must_use]
    pub fn without_owner(config: &config::Config) -> Self {
        let (requests, listing) = (mpsc::channel(1).0, watch::channel(Listing::default()).1);
        let (model, state_dir) = (config.model.clone(), config.state_dir().to_owned());
        let store = Store::new(&state_dir);
        Self::new(
            requests,
            listing,
            store,
            &Settings { model, state_dir, places: Places::default(), freed: || () },
        )
    }

    /// The models of this device.
    #[must_use]
    pub fn listing(&self) -> watch::Receiver<Listing> {
        self.listing.clone()
    }

    /// A place on the disk for an archive that arrives in parts.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The place of the one that is brought or tried.
    ///
    /// # Errors
    /// [`BundleError::Busy`]: another one has it.
    pub fn turn(&self) -> Result<Turn, BundleError> {
        self.trying.clone().try_acquire_owned().map(Turn).map_err(|_| BundleError::Busy)
    }

    /// Takes an archive in: unpacks, checks and tries it, and stores it.
    ///
    /// # Errors
    /// [`BundleError`].
    pub async fn add(
        &self,
        turn: Turn,
        archive: impl Read + Send + 'static,
    ) -> Result<Stored, BundleError> {
        let store = self.store.clone();
        // Who asked may go; the work has its turn until it is done.
        let receiving = tokio::task::spawn_blocking(move || (store.receive(archive), turn));
        let (received, turn) = receiving.await.expect("unpacking answers, whatever it is given");
        let incoming = received?;
        if let Err(error) = self.attempt(&incoming.bundle.folder).await {
            let removing = tokio::task::spawn_blocking(move || drop((incoming, turn)));
            let _ = removing.await;
            return Err(error);
        }
        self.ask(|reply| Request::Keep(Box::new(incoming), reply)).await?
    }

    /// Lets the bundle of this name or id read from the next frame on. It is tried first, unless
    /// this program has tried just this bundle before.
    ///
    /// # Errors
    /// [`BundleError`].
    pub async fn activate(&self, name: &str) -> Result<(), BundleError> {
        let listing = self.listing.borrow().clone();
        let unknown = || BundleError::Unknown(name.to_owned());
        self.activate_listed(&listing, listing.named(name).ok_or_else(unknown)?).await
    }

    /// Does what the command line has asked for.
    pub(super) async fn follow(&self, order: Order) -> Result<(), BundleError> {
        let listing = self.listing.borrow().clone();
        let wanted = Choice::Stored(order.id);
        let found = listing.models.iter().find(|listed| listed.choice == wanted);
        let found = found.ok_or(BundleError::Unknown(order.title))?;
        match order.proof {
            Some(known) if known == proof(&found.bundle.folder)? => self.take(found, known).await,
            _ => self.activate_listed(&listing, found).await,
        }
    }

    async fn activate_listed(&self, listing: &Listing, listed: &Listed) -> Result<(), BundleError> {
        let folder = &listed.bundle.folder;
        let proof = proof(folder)?;
        if !listing.selection.is_proven(&proof) {
            let _turn = self.turn()?;
            self.attempt(folder).await?;
        }
        self.take(listed, proof).await
    }

    async fn take(&self, listed: &Listed, proof: String) -> Result<(), BundleError> {
        let (choice, title) = (listed.choice.clone(), listed.bundle.title());
        self.ask(|reply| Request::Activate(Wanted { choice, title, proof }, reply)).await?
    }

    /// Removes the bundle of this name or id from the store, which may be one that cannot be
    /// read.
    ///
    /// # Errors
    /// [`BundleError`].
    pub async fn remove(&self, name: &str) -> Result<(), BundleError> {
        let named = self.listing.borrow().named(name).map(|listed| listed.choice.clone());
        let id = match named {
            Some(Choice::Configured) => return Err(BundleError::Own),
            Some(Choice::Stored(id)) => id,
            None => {
                let unread = self.store.ids().into_iter().find(|id| id == name);
                unread.ok_or_else(|| BundleError::Unknown(name.to_owned()))?
            }
        };
        self.ask(|reply| Request::Remove(id, reply)).await?
    }

    /// Reads the golden clip of the model that reads, as it is tried before an activation: its
    /// name and version, and what came of it.
    ///
    /// # Errors
    /// [`BundleError`]: it does not do what it says, or there is none.
    pub async fn prove(&self) -> Result<(String, Report), BundleError> {
        let listing = self.listing.borrow().clone();
        let reads = |listed: &&Listed| matches!(listed.state, State::Active | State::OnTrial);
        let active = listing.models.iter().find(reads).ok_or(BundleError::None)?;
        let _turn = self.turn()?;
        let bundle = active.bundle.clone();
        let files = tokio::task::spawn_blocking(move || bundle.check_files()).await;
        files.expect("comparing sums answers, whatever the files hold")?;
        let report = self.attempt(&active.bundle.folder).await?;
        Ok((active.bundle.title(), report))
    }

    async fn attempt(&self, folder: &Path) -> Result<Report, BundleError> {
        Ok(Attempt::new(folder, &self.places, &self.model)?.run().await?)
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, BundleError> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.map_err(|_| BundleError::Ending)?;
        answer.await.map_err(|_| BundleError::Ending)
    }
}

/// The place of the one that is brought or tried, as long as it is kept.
#[derive(Debug)]
pub struct Turn(
    #[expect(dead_code, reason = "it is given back when dropped")] OwnedSemaphorePermit,
);

/// What was tried, and by which program: the manifest has the sums of all else.
///
/// # Errors
/// The manifest cannot be read.
pub fn proof(folder: &Path) -> Result<String, ModelError> {
    Ok(format!("{} {}", sum_of(&folder.join(FILE))?, env!("CARGO_PKG_VERSION")))
}
