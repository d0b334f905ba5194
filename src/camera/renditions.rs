//! Encoded pictures on their way to the viewers.
//!
//! Renditions outlive the camera pipeline that feeds them: viewers stay attached
//! while a camera restarts. They count the viewers of each form, so that its encoder
//! runs only while somebody looks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gstreamer as gst;
use gstreamer_app as gst_app;
use tokio::sync::watch;

use super::feed::{Counters, Feed};
use super::flow::{Arrival, Change, Flow, Queue, Unit, Verdict, after};
use super::{Form, PerForm};

/// A viewer's queue of encoded pictures: longer, and it would only show the past.
/// Pictures that find it full are left out and counted.
const VIEWER_QUEUE: gst::ClockTime = gst::ClockTime::from_mseconds(500);

/// Longer than the camera keeps a wish back and its encoder has pictures in hand.
const KEY_UNIT_PATIENCE: gst::ClockTime = gst::ClockTime::from_mseconds(700);

/// The encoded forms of one camera's picture, each shared by all of its viewers.
#[derive(Clone, Debug)]
pub struct Renditions {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    viewers: Mutex<Vec<Viewer>>,
    next_id: AtomicU64,
    missing: watch::Sender<PerForm<Option<NoForm>>>,
    encoded: PerForm<AtomicU64>,
    encoded_bytes: PerForm<AtomicU64>,
    dropped: PerForm<AtomicU64>,
    counts: watch::Sender<PerForm<usize>>,
    wishes: watch::Sender<PerForm<u64>>,
}

#[derive(Debug)]
struct Viewer {
    id: u64,
    appsrc: gst_app::AppSrc,
    flow: Flow,
    awaits: Awaits,
    last: Option<gst::ClockTime>,
    counters: Arc<Counters>,
}

/// Whether a viewer has asked for a key unit that may still be on its way: a hardware
/// encoder has some pictures in hand, and each wish costs all viewers.
#[derive(Clone, Copy, Debug)]
enum Awaits {
    Nothing,
    /// Since the picture of this time; none has come since it asked.
    KeyUnit {
        since: Option<gst::ClockTime>,
    },
}

/// The camera's end of the renditions: how many look, and who wants a key unit.
#[derive(Clone, Debug)]
pub(super) struct Demand {
    /// Number of viewers for whom each form is encoded.
    pub viewers: watch::Receiver<PerForm<usize>>,
    /// Wishes for a key unit so far; several that are seen together are one.
    pub key_units: watch::Receiver<PerForm<u64>>,
}

/// A form that this camera does not have.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there is no {form} picture: {reason}")]
pub struct NoForm {
    /// The form.
    pub form: Form,
    /// Why not, and what to do about it.
    pub reason: String,
    /// Whether it was there and will be tried again.
    pub for_now: bool,
}

impl Renditions {
    /// Renditions without viewers, and the demand that their encoders follow.
    /// `missing` says why a form is not there at first.
    pub(super) fn new(missing: PerForm<Option<String>>) -> (Self, Demand) {
        let lasting = PerForm::from_fn(|form| {
            let reason = missing[form].clone()?;
            Some(NoForm { form, reason, for_now: false })
        });
        let (counts, viewers) = watch::channel(PerForm::default());
        let (wishes, key_units) = watch::channel(PerForm::default());
        let shared = Shared {
            viewers: Mutex::default(),
            next_id: AtomicU64::new(0),
            missing: watch::Sender::new(lasting),
            encoded: PerForm::default(),
            encoded_bytes: PerForm::default(),
            dropped: PerForm::default(),
            counts,
            wishes,
        };
        (Self { shared: Arc::new(shared) }, Demand { viewers, key_units })
    }

    /// A viewer of `form`, stopped at first. Its pictures go to `appsrc`, whose PTS is
    /// running time. `appsrc` has the format TIME before it starts, or it does not know
    /// the length of its queue; it neither blocks nor leaks: what finds no room is left
    /// out here.
    ///
    /// # Errors
    /// [`NoForm`] if this camera does not have it.
    pub fn feed(&self, form: Form, appsrc: &gst_app::AppSrc) -> Result<Feed, NoForm> {
        self.shared.has(form)?;
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let counters = Arc::<Counters>::default();
        let viewer = Viewer {
            id,
            appsrc: appsrc.clone(),
            flow: Flow::Idle(form),
            awaits: Awaits::Nothing,
            last: None,
            counters: counters.clone(),
        };
        self.shared.lock().push(viewer);
        Ok(Feed::new(self.shared.clone(), id, form.codec(), counters))
    }

    /// Whether this camera has `form`.
    ///
    /// # Errors
    /// [`NoForm`] with the reason if it does not.
    pub fn has(&self, form: Form) -> Result<(), NoForm> {
        self.shared.has(form)
    }

    /// Says from now on why `form` is not there for now, or that it is. Its viewers stay with it:
    /// who can be shown another moves them.
    pub(super) fn set_missing(&self, form: Form, reason: Option<String>) {
        let missing = reason.map(|reason| NoForm { form, reason, for_now: true });
        self.shared.missing.send_modify(|all| all[form] = missing);
    }

    /// Viewers for whom `form` is encoded now, or would be if it were there.
    #[must_use]
    pub fn viewers(&self, form: Form) -> usize {
        self.shared.counts.borrow()[form]
    }

    /// Pictures of `form` encoded since the start.
    #[must_use]
    pub fn encoded(&self, form: Form) -> u64 {
        self.shared.encoded[form].load(Ordering::Relaxed)
    }

    /// What they hold.
    #[must_use]
    pub fn encoded_bytes(&self, form: Form) -> u64 {
        self.shared.encoded_bytes[form].load(Ordering::Relaxed)
    }

    /// Pictures of `form` that viewers missed since the start because their queue was
    /// full.
    #[must_use]
    pub fn dropped(&self, form: Form) -> u64 {
        self.shared.dropped[form].load(Ordering::Relaxed)
    }

    /// Hands one encoded picture, PTS in running time, to all viewers of its form. Never
    /// blocks: a viewer whose queue is full goes without.
    pub(super) fn push(&self, form: Form, buffer: &gst::Buffer, caps: &gst::Caps) {
        self.shared.encoded[form].fetch_add(1, Ordering::Relaxed);
        self.shared.encoded_bytes[form].fetch_add(buffer.size() as u64, Ordering::Relaxed);
        let delta = buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let unit = if delta { Unit::Delta } else { Unit::Key };
        let (mut dropped, mut wished) = (0, false);
        self.shared.change(|viewers| {
            for verdict in viewers.iter_mut().map(|viewer| viewer.take(form, unit, buffer, caps)) {
                dropped += u64::from(verdict == Verdict::Drop);
                wished |= verdict == Verdict::Wish;
            }
        });
        self.shared.dropped[form].fetch_add(dropped, Ordering::Relaxed);
        if wished {
            self.shared.wish(form);
        }
    }

    /// Makes every viewer wait for the next key unit: the pictures that follow
    /// do not continue those before.
    pub(super) fn interrupt(&self) {
        self.shared.change(|viewers| {
            viewers.iter_mut().for_each(|viewer| viewer.flow = viewer.flow.on(Change::Interrupt));
        });
    }
}

impl Viewer {
    fn take(&mut self, form: Form, unit: Unit, buffer: &gst::Buffer, caps: &gst::Caps) -> Verdict {
        let (flow, verdict) = self.flow.take(Arrival { form, unit, queue: self.queue() });
        self.flow = flow;
        match verdict {
            Verdict::Push => self.push(buffer.clone(), caps),
            Verdict::Drop => self.counters.dropped.fetch_add(1, Ordering::Relaxed),
            Verdict::Wish | Verdict::Pass => 0,
        };
        match verdict {
            Verdict::Push if unit == Unit::Key => self.awaits = Awaits::Nothing,
            Verdict::Wish => return self.wish(buffer.pts().unwrap_or_default()),
            Verdict::Push | Verdict::Drop | Verdict::Pass => {}
        }
        verdict
    }

    /// Whether the picture of `pts` is reason to ask for a key unit.
    fn wish(&mut self, pts: gst::ClockTime) -> Verdict {
        match self.awaits {
            Awaits::Nothing => {}
            Awaits::KeyUnit { since: Some(since) } if pts >= since + KEY_UNIT_PATIENCE => {}
            Awaits::KeyUnit { since: Some(_) } => return Verdict::Pass,
            Awaits::KeyUnit { since: None } => {
                self.awaits = Awaits::KeyUnit { since: Some(pts) };
                return Verdict::Pass;
            }
        }
        self.awaits = Awaits::KeyUnit { since: Some(pts) };
        Verdict::Wish
    }

    fn push(&mut self, mut buffer: gst::Buffer, caps: &gst::Caps) -> u64 {
        let Some(pts) = buffer.pts() else { return 0 };
        if self.last.is_none() {
            // Once and for all: a change of form or size is none of the payloader's (facts
            // on congestion, 4). With profile and level, or it refuses them (1.22).
            self.appsrc.set_caps(Some(&lasting(caps)));
        }
        let stamped = after(self.last, pts);
        self.last = Some(stamped);
        if stamped != pts {
            buffer.make_mut().set_pts(stamped);
        }
        // A flushing appsrc belongs to a viewer that is being torn down.
        let taken = self.appsrc.push_buffer(buffer).is_ok();
        self.counters.pushed.fetch_add(u64::from(taken), Ordering::Relaxed)
    }

    fn queue(&self) -> Queue {
        match self.appsrc.current_level_time() {
            _ if self.appsrc.current_level_buffers() == 0 => Queue::Empty,
            level if level >= VIEWER_QUEUE => Queue::Full,
            _ => Queue::Filling,
        }
    }
}

impl Shared {
    fn has(&self, form: Form) -> Result<(), NoForm> {
        self.missing.borrow()[form].clone().map_or(Ok(()), Err)
    }

    /// Changes what a viewer does, and asks for the key unit that it then waits for.
    pub(super) fn ask(&self, id: u64, change: Change) -> Result<(), NoForm> {
        if let Change::Want(form) = change {
            self.has(form)?;
        }
        let mut awaited = None;
        self.change(|viewers| {
            let viewer = viewers.iter_mut().find(|viewer| viewer.id == id);
            let viewer = viewer.expect("a viewer is in the list as long as its feed");
            let before = viewer.flow;
            viewer.flow = before.on(change);
            awaited = viewer.flow.awaited().filter(|_| viewer.flow != before);
            if awaited.is_some() {
                viewer.awaits = Awaits::KeyUnit { since: None };
            }
        });
        awaited.into_iter().for_each(|form| self.wish(form));
        Ok(())
    }

    /// Asks for a key unit of what a viewer sees, if it sees anything.
    pub(super) fn refresh(&self, id: u64) {
        if let Some(flow) = self.flow(id).filter(|flow| !flow.rests()) {
            self.wish(flow.shown());
        }
    }

    /// What the viewer does; none once its feed is gone.
    pub(super) fn flow(&self, id: u64) -> Option<Flow> {
        self.lock().iter().find(|viewer| viewer.id == id).map(|viewer| viewer.flow)
    }

    pub(super) fn detach(&self, id: u64) {
        self.change(|viewers| viewers.retain(|viewer| viewer.id != id));
    }

    /// Asks the encoder for a key unit; the camera limits how often it obeys.
    fn wish(&self, form: Form) {
        self.wishes.send_modify(|wishes| wishes[form] += 1);
    }

    /// The one lock on streaming threads, against "callbacks only post": posting each
    /// picture to each viewer would need a queue more. One for all forms, so that there
    /// is no order of locks to keep between two encoders' threads, and a viewer that
    /// moves from one to the other is never seen half-way. Held for a list walk only, in
    /// which nothing waits: `push_buffer` never blocks.
    fn lock(&self) -> MutexGuard<'_, Vec<Viewer>> {
        self.viewers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes the counts before the next change: sent after the lock, an older
    /// count could come last and shut an encoder that a viewer needs.
    fn change(&self, edit: impl FnOnce(&mut Vec<Viewer>)) {
        let mut viewers = self.lock();
        edit(&mut viewers);
        let needed = |form| viewers.iter().filter(|viewer| viewer.flow.needs(form)).count();
        let counts = PerForm::from_fn(needed);
        self.counts.send_if_modified(|published| std::mem::replace(published, counts) != counts);
    }
}

/// What stays true of a viewer's pictures when their form or size changes.
fn lasting(caps: &gst::Caps) -> gst::Caps {
    let mut lasting = caps.copy();
    for structure in lasting.make_mut().iter_mut() {
        structure.remove_fields(["width", "height", "framerate"]);
    }
    lasting
}

#[cfg(test)]
#[path = "renditions_tests.rs"]
mod tests;
