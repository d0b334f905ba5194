//! A viewer's hold on its camera's encoded pictures.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::flow::{Change, Flow};
use super::renditions::{NoForm, Shared};
use super::{Codec, Form};

/// One viewer's pictures: one appsrc, and so one payloader and SSRC, whichever form
/// they are of. Begins stopped. Dropping it detaches the viewer.
#[derive(Debug)]
#[must_use = "dropping a feed detaches its viewer"]
pub struct Feed {
    shared: Arc<Shared>,
    id: u64,
    codec: Codec,
    counters: Arc<Counters>,
}

/// What a viewer was given, and what it missed.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub pushed: AtomicU64,
    pub dropped: AtomicU64,
}

/// Why a viewer does not change its form.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum WantError {
    /// The camera does not have it.
    #[error(transparent)]
    NoForm(#[from] NoForm),
    /// A payloader knows one codec.
    #[error("a viewer of {0:?} cannot go on with another codec: make a new connection")]
    OtherCodec(Codec),
}

/// Takes a viewer's wishes for key units on any thread.
#[derive(Clone, Debug)]
pub struct KeyUnits {
    shared: Arc<Shared>,
    id: u64,
}

impl Feed {
    pub(super) fn new(shared: Arc<Shared>, id: u64, codec: Codec, counters: Arc<Counters>) -> Self {
        Self { shared, id, codec, counters }
    }

    /// Moves to `form`: what it shows goes on until the first key unit of `form`, which
    /// is asked for. At once, if it shows nothing now.
    ///
    /// # Errors
    /// [`WantError`] if the camera or this viewer's codec does not have it; nothing
    /// changes then.
    pub fn want(&self, form: Form) -> Result<(), WantError> {
        if form.codec() != self.codec {
            return Err(WantError::OtherCodec(self.codec));
        }
        Ok(self.shared.ask(self.id, Change::Want(form))?)
    }

    /// Lets no picture through for a moment, once this has returned; what its pipeline
    /// already has goes on. Its encoder goes on, too.
    pub fn pause(&self) {
        self.ask(Change::Pause);
    }

    /// Lets no picture through once this has returned, and nothing is encoded for this
    /// viewer. What its pipeline already has goes on.
    pub fn stop(&self) {
        self.ask(Change::Stop);
    }

    /// Lets pictures through from the next key unit on, which is asked for.
    pub fn resume(&self) {
        self.ask(Change::Resume);
    }

    fn ask(&self, change: Change) {
        // Only a form that is wanted can be missing.
        let _ = self.shared.ask(self.id, change);
    }

    /// For the viewer's peer, when it cannot decode.
    #[must_use]
    pub fn key_units(&self) -> KeyUnits {
        KeyUnits { shared: self.shared.clone(), id: self.id }
    }

    /// The form that the viewer sees; the old one until a move is done.
    #[must_use]
    pub fn shown(&self) -> Form {
        self.flow().shown()
    }

    /// The form that it shall show.
    #[must_use]
    pub fn wanted(&self) -> Form {
        self.flow().target()
    }

    fn flow(&self) -> Flow {
        self.shared.flow(self.id).expect("a viewer is in the list as long as its feed")
    }

    /// Pictures handed to this viewer so far.
    #[must_use]
    pub fn pushed(&self) -> u64 {
        self.counters.pushed.load(Ordering::Relaxed)
    }

    /// Pictures that this viewer missed because its queue was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.counters.dropped.load(Ordering::Relaxed)
    }
}

impl KeyUnits {
    /// Asks for a key unit of the form that the viewer sees. The camera limits how often
    /// it obeys; a viewer that takes none or is gone asks for nothing.
    pub fn request(&self) {
        self.shared.refresh(self.id);
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.shared.detach(self.id);
    }
}
