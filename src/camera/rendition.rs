//! Encoded pictures on their way to the viewers.
//!
//! A rendition outlives the camera pipeline that feeds it: viewers stay attached
//! while a camera restarts. It counts its viewers, so that its encoder runs only
//! while somebody looks. A viewer that does not keep up misses whole groups of
//! pictures: one lost out of the middle would stay broken until the next key
//! unit, and nobody would ask for it, because RTP shows no gap.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer_app as gst_app;
use tokio::sync::{mpsc, watch};

/// A viewer's queue of encoded pictures: longer, and it would only show the past.
/// Pictures that find it full are left out and counted.
const VIEWER_QUEUE: gst::ClockTime = gst::ClockTime::from_mseconds(500);

/// At most one key unit in this time for all viewers together: each costs
/// everybody several times a delta picture's bits (facts on congestion).
pub const KEY_UNIT_INTERVAL: Duration = Duration::from_millis(500);

/// One encoded form of a camera's picture, shared by all of its viewers.
#[derive(Clone, Debug)]
pub struct Rendition {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    viewers: Mutex<Vec<Viewer>>,
    next_id: AtomicU64,
    encoded: AtomicU64,
    dropped: AtomicU64,
    count: watch::Sender<usize>,
    key_units: mpsc::Sender<()>,
}

#[derive(Debug)]
struct Viewer {
    id: u64,
    appsrc: gst_app::AppSrc,
    flow: Flow,
    pushed: Arc<AtomicU64>,
}

/// What a viewer can do with the next picture.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Flow {
    /// Begin, if it is a key unit.
    Waiting,
    /// Go on.
    Running,
    /// Nothing: its queue was full, and is still to be emptied. Only then is a key
    /// unit worth its price, which all viewers pay.
    Behind,
}

/// A viewer's hold on a rendition. Dropping it detaches the viewer.
#[derive(Debug)]
#[must_use = "dropping an attachment detaches the viewer"]
pub struct Attachment {
    shared: Arc<Shared>,
    id: u64,
    pushed: Arc<AtomicU64>,
}

/// The camera's end of a rendition: how many look, and who wants a key unit.
#[derive(Debug)]
pub struct Demand {
    /// Number of attached viewers.
    pub viewers: watch::Receiver<usize>,
    /// One message a wish; wishes that meet a full queue are the same wish.
    pub key_units: mpsc::Receiver<()>,
}

impl Rendition {
    /// A rendition without viewers, and the demand that its encoder follows.
    #[must_use]
    pub fn new() -> (Self, Demand) {
        let (count, viewers) = watch::channel(0);
        // One pending wish says all: the encoder answers every viewer at once.
        let (key_units, wishes) = mpsc::channel(1);
        let shared = Shared {
            viewers: Mutex::default(),
            next_id: AtomicU64::new(0),
            encoded: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            count,
            key_units,
        };
        (Self { shared: Arc::new(shared) }, Demand { viewers, key_units: wishes })
    }

    /// Sends every picture from the next key unit on to `appsrc`, whose PTS is
    /// running time, and asks for that key unit. `appsrc` has the format TIME before
    /// it starts, or it does not know the length of its queue; it neither blocks nor
    /// leaks: what finds no room is left out here.
    pub fn attach(&self, appsrc: &gst_app::AppSrc) -> Attachment {
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let pushed = Arc::new(AtomicU64::new(0));
        let viewer =
            Viewer { id, appsrc: appsrc.clone(), flow: Flow::Waiting, pushed: pushed.clone() };
        self.shared.change(|viewers| viewers.push(viewer));
        self.request_key_unit();
        Attachment { shared: self.shared.clone(), id, pushed }
    }

    /// Asks the encoder for a key unit; the camera limits how often it obeys.
    pub fn request_key_unit(&self) {
        // A full queue already holds the same wish.
        let _ = self.shared.key_units.try_send(());
    }

    /// Pictures encoded since the start.
    #[must_use]
    pub fn encoded(&self) -> u64 {
        self.shared.encoded.load(Ordering::Relaxed)
    }

    /// Pictures that viewers missed since the start because their queue was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Hands one encoded picture, PTS in running time, to all viewers. Never
    /// blocks: a viewer whose queue is full goes without.
    pub(super) fn push(&self, buffer: &gst::Buffer, caps: &gst::Caps) {
        self.shared.encoded.fetch_add(1, Ordering::Relaxed);
        let key_unit = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let mut wanted = false;
        for viewer in self.shared.lock().iter_mut() {
            viewer.flow = viewer.flow.on(&viewer.appsrc);
            match viewer.flow {
                Flow::Behind => {
                    self.shared.dropped.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                Flow::Waiting if !key_unit => {
                    wanted = true;
                    continue;
                }
                Flow::Waiting => viewer.appsrc.set_caps(Some(caps)),
                Flow::Running => {}
            }
            viewer.flow = Flow::Running;
            // A flushing appsrc belongs to a viewer that is being torn down.
            if viewer.appsrc.push_buffer(buffer.clone()).is_ok() {
                viewer.pushed.fetch_add(1, Ordering::Relaxed);
            }
        }
        if wanted {
            self.request_key_unit();
        }
    }

    /// Makes every viewer wait for the next key unit: the pictures that follow
    /// do not continue those before.
    pub(super) fn interrupt(&self) {
        let mut viewers = self.shared.lock();
        let running = viewers.iter_mut().filter(|viewer| viewer.flow == Flow::Running);
        running.for_each(|viewer| viewer.flow = Flow::Waiting);
    }
}

impl Flow {
    /// What the queue of encoded pictures makes of it.
    fn on(self, queue: &gst_app::AppSrc) -> Self {
        match self {
            Self::Running if queue.current_level_time() >= VIEWER_QUEUE => Self::Behind,
            Self::Behind if queue.current_level_buffers() == 0 => Self::Waiting,
            other => other,
        }
    }
}

impl Attachment {
    /// Pictures handed to this viewer so far.
    #[must_use]
    pub fn pushed(&self) -> u64 {
        self.pushed.load(Ordering::Relaxed)
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.shared.change(|viewers| viewers.retain(|viewer| viewer.id != self.id));
    }
}

impl Shared {
    /// The one lock on a streaming thread, against "callbacks only post": posting
    /// each picture to each viewer would need a queue more. Held for a list walk
    /// only, in which nothing waits: `push_buffer` never blocks, `set_caps` queues.
    fn lock(&self) -> MutexGuard<'_, Vec<Viewer>> {
        self.viewers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes the count before the next change: sent after the lock, an older
    /// count could come last and shut the gate on a viewer.
    fn change(&self, edit: impl FnOnce(&mut Vec<Viewer>)) {
        let mut viewers = self.lock();
        edit(&mut viewers);
        self.count.send_replace(viewers.len());
    }
}

/// Lets one wish through per [`KEY_UNIT_INTERVAL`].
#[derive(Debug, Default)]
pub struct KeyUnitLimit {
    last: Option<Instant>,
}

impl KeyUnitLimit {
    /// How long from `now` until a key unit may be asked for; zero means now,
    /// and then it counts as asked.
    pub fn ask(&mut self, now: Instant) -> Duration {
        let due = self.last.map_or(now, |last| last + KEY_UNIT_INTERVAL);
        if due <= now {
            self.last = Some(now);
        }
        due.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gstreamer::prelude::*;

    #[test]
    fn a_second_key_unit_waits_for_its_interval() {
        let mut limit = KeyUnitLimit::default();
        let start = Instant::now();
        assert_eq!(limit.ask(start), Duration::ZERO);
        let soon = start + Duration::from_millis(200);
        assert_eq!(limit.ask(soon), Duration::from_millis(300));
        assert_eq!(limit.ask(start + KEY_UNIT_INTERVAL), Duration::ZERO);
    }

    #[test]
    fn the_count_follows_attachments() {
        gst::init().expect("GStreamer starts");
        let (rendition, demand) = Rendition::new();
        let appsrc = gst_app::AppSrc::builder().build();
        let first = rendition.attach(&appsrc);
        let second = rendition.attach(&appsrc);
        assert_eq!(*demand.viewers.borrow(), 2);
        drop(first);
        assert_eq!(*demand.viewers.borrow(), 1);
        drop(second);
        assert_eq!(*demand.viewers.borrow(), 0);
    }

    #[test]
    fn the_published_count_is_that_of_the_list_at_every_moment() {
        gst::init().expect("GStreamer starts");
        let (rendition, demand) = Rendition::new();
        let appsrc = gst_app::AppSrc::builder().build();
        std::thread::scope(|threads| {
            let busy = threads.spawn(|| (0..100_000).for_each(|_| drop(rendition.attach(&appsrc))));
            while !busy.is_finished() {
                let viewers = rendition.shared.lock();
                assert_eq!(viewers.len(), *demand.viewers.borrow());
            }
        });
    }

    fn picture(number: u64, flags: gst::BufferFlags) -> gst::Buffer {
        let mut buffer = gst::Buffer::with_size(1).expect("a byte");
        let picture = buffer.get_mut().expect("the only reference");
        picture.set_pts(gst::ClockTime::from_mseconds(40 * number));
        picture.set_flags(flags);
        buffer
    }

    #[test]
    fn a_viewer_starts_with_a_key_unit() {
        gst::init().expect("GStreamer starts");
        let (rendition, mut demand) = Rendition::new();
        let attachment = rendition.attach(&gst_app::AppSrc::builder().build());
        assert!(demand.key_units.try_recv().is_ok());
        let caps = gst::Caps::new_empty_simple("video/x-h264");
        rendition.push(&picture(0, gst::BufferFlags::DELTA_UNIT), &caps);
        assert_eq!(attachment.pushed(), 0);
        assert!(demand.key_units.try_recv().is_ok(), "it asks again");
        rendition.push(&picture(1, gst::BufferFlags::empty()), &caps);
        rendition.push(&picture(2, gst::BufferFlags::DELTA_UNIT), &caps);
        assert_eq!((attachment.pushed(), rendition.encoded()), (2, 3));
    }

    #[test]
    fn a_viewer_that_fell_behind_goes_on_with_a_key_unit() {
        gst::init().expect("GStreamer starts");
        let (rendition, mut demand) = Rendition::new();
        let appsrc = gst_app::AppSrc::builder().format(gst::Format::Time).is_live(true).build();
        let sink = gst_app::AppSink::builder().sync(false).max_buffers(1).build();
        let pipeline = gst::Pipeline::new();
        pipeline.add_many([appsrc.upcast_ref(), sink.upcast_ref::<gst::Element>()]).expect("added");
        appsrc.link(&sink).expect("linked");
        pipeline.set_state(gst::State::Playing).expect("it plays");
        let attachment = rendition.attach(&appsrc);
        let caps = gst::Caps::new_empty_simple("video/x-h264");
        rendition.push(&picture(0, gst::BufferFlags::empty()), &caps);
        assert!(demand.key_units.try_recv().is_ok());
        let delta = |number| rendition.push(&picture(number, gst::BufferFlags::DELTA_UNIT), &caps);

        // Nobody pulls: the sink holds a picture or two, the queue half a second.
        (1..100).for_each(delta);
        let taken = attachment.pushed();
        assert!((12..20).contains(&taken), "{taken} pictures of 40 ms");
        assert_eq!(rendition.dropped(), 100 - taken);
        assert!(demand.key_units.try_recv().is_err(), "a key unit would find no room");

        // All that was queued comes without a hole, and then a key unit.
        let number = |sample: gst::Sample| {
            let pts = sample.buffer().and_then(|buffer| buffer.pts()).expect("a time");
            pts.mseconds() / 40
        };
        let pull = || number(sink.pull_sample().expect("a picture"));
        assert!((0..taken).all(|expected| pull() == expected));
        delta(100);
        assert!(demand.key_units.try_recv().is_ok(), "now there is room");
        rendition.push(&picture(101, gst::BufferFlags::empty()), &caps);
        delta(102);
        assert_eq!((pull(), pull()), (101, 102));
        pipeline.set_state(gst::State::Null).expect("it stops");
    }
}
