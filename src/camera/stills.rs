//! Pictures of a camera as JPEGs, made only while somebody wants them.
//!
//! Capture does one thing for them: when a picture is wanted, it copies the next
//! frame. Scaling and encoding are a task's, on blocking threads, so that whatever
//! goes wrong or takes long there delays neither video nor recognition.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gstreamer as gst;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until, timeout};

use super::RawFrame;
use super::press::{Press, StillError};

/// A picture that is not there within this is not the present one any more.
const PATIENCE: Duration = Duration::from_secs(2);

/// The pipeline ends so long after the last reader: a page that asks for a picture
/// now and then should not build one each time.
const LINGER: Duration = Duration::from_secs(10);

/// Single pictures of a wished width at the same time; each builds a pipeline and
/// takes a core for some 20 ms.
const SINGLE: usize = 2;

/// After a failure the next try waits, or it would heat the processor.
const PAUSE: Duration = Duration::from_secs(1);

/// JPEGs of what the model sees go through a data channel in one message each.
pub const SMALL_BYTES: usize = 64 * 1024;

/// Wide enough to see a hand's fingers.
pub const SMALL_WIDTH: u32 = 640;

/// One JPEG.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Still {
    /// Running time of its capture.
    pub captured_at: gst::ClockTime,
    /// The picture.
    pub jpeg: Vec<u8>,
}

/// Newest pictures of one kind; they are made as long as this lives. `None` is
/// there before the first.
pub type Stills = watch::Receiver<Option<Arc<Still>>>;

/// Where pictures of one camera are to be had.
#[derive(Clone, Debug)]
pub struct Gallery {
    shutter: Shutter,
    full: Wall,
    small: Wall,
    single: Arc<Semaphore>,
}

/// How capture hands frames over: one, when one is wanted.
#[derive(Clone, Debug)]
pub(super) struct Shutter {
    wanted: Arc<AtomicBool>,
    newest: watch::Sender<Option<RawFrame>>,
}

/// The newest picture of one kind, and a way to wake who makes it.
#[derive(Clone, Debug)]
struct Wall {
    newest: watch::Sender<Option<Arc<Still>>>,
    asked: Arc<Notify>,
}

/// A kind of picture.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// As the camera gives it, 10 a second.
    Full,
    /// At most [`SMALL_WIDTH`] wide and [`SMALL_BYTES`] long, 5 a second.
    Small,
}

impl Kind {
    fn period(self) -> Duration {
        match self {
            Self::Full => Duration::from_millis(100),
            Self::Small => Duration::from_millis(200),
        }
    }

    fn width(self) -> Option<u32> {
        (self == Self::Small).then_some(SMALL_WIDTH)
    }

    /// libjpeg's qualities in the order in which they are tried.
    fn qualities(self) -> &'static [i32] {
        match self {
            Self::Full => &[80],
            Self::Small => &[75, 50, 30, 15],
        }
    }

    fn fits(self, jpeg: &[u8]) -> bool {
        self == Self::Full || jpeg.len() <= SMALL_BYTES
    }

    fn print(self, press: &mut Press, frame: &RawFrame) -> Result<Option<Still>, StillError> {
        for quality in self.qualities() {
            let jpeg = press.print(frame, self.width(), *quality)?;
            if self.fits(&jpeg) {
                return Ok(Some(Still { captured_at: frame.captured_at, jpeg }));
            }
        }
        Ok(None)
    }
}

impl Shutter {
    pub fn new() -> Self {
        Self { wanted: Arc::default(), newest: watch::Sender::new(None) }
    }

    /// Called by capture with every frame; a copy is made of one that is wanted.
    pub fn offer(&self, frame: &RawFrame) {
        if self.wanted.swap(false, Ordering::Relaxed)
            && let Some(copy) = frame.clone().detach()
        {
            self.newest.send_replace(Some(copy));
        }
    }

    /// The next frame that is captured; `None` if none is within [`PATIENCE`].
    async fn next(&self) -> Option<RawFrame> {
        let mut newest = self.newest.subscribe();
        let next = async {
            loop {
                self.wanted.store(true, Ordering::Relaxed);
                newest.changed().await.ok()?;
                // None: another reader has let go of the last one, perhaps of ours.
                if let Some(frame) = newest.borrow_and_update().clone() {
                    return Some(frame);
                }
            }
        };
        timeout(PATIENCE, next).await.ok()?
    }

    /// Lets go of the last frame's memory.
    fn rest(&self) {
        self.newest.send_replace(None);
    }
}

impl Gallery {
    /// Starts who makes the pictures, a task of each kind that sleeps until it is
    /// asked. Needs tokio.
    pub(super) fn start() -> (Self, Shutter) {
        let shutter = Shutter::new();
        let wall = |kind| {
            let (newest, asked) = (watch::Sender::new(None), Arc::new(Notify::new()));
            tokio::spawn(make(kind, shutter.clone(), newest.clone(), asked.clone()));
            Wall { newest, asked }
        };
        let (full, small) = (wall(Kind::Full), wall(Kind::Small));
        (
            Self {
                shutter: shutter.clone(),
                full,
                small,
                single: Arc::new(Semaphore::new(SINGLE)),
            },
            shutter,
        )
    }

    /// Pictures as the camera gives them, at most 10 a second.
    #[must_use]
    pub fn full(&self) -> Stills {
        self.full.look()
    }

    /// Pictures for a data channel: at most 5 a second, [`SMALL_WIDTH`] pixels wide
    /// and [`SMALL_BYTES`] long; one that would be longer is left out.
    #[must_use]
    pub fn small(&self) -> Stills {
        self.small.look()
    }

    /// The present picture, at most `width` pixels wide if one is given. `None` if
    /// there is none within 2 s.
    pub async fn present(&self, width: Option<u32>) -> Option<Arc<Still>> {
        timeout(PATIENCE, async {
            match width {
                None => fresh(&mut self.full()).await,
                Some(width) => self.single(width).await,
            }
        })
        .await
        .ok()?
    }

    async fn single(&self, width: u32) -> Option<Arc<Still>> {
        let place = self.single.clone().acquire_owned().await.ok()?;
        let frame = self.shutter.next().await?;
        let printed = spawn_blocking(move || {
            let printed = Press::new().and_then(|mut press| press.print(&frame, Some(width), 80));
            drop(place);
            printed.map(|jpeg| Still { captured_at: frame.captured_at, jpeg })
        });
        match printed.await.ok()? {
            Ok(still) => Some(Arc::new(still)),
            Err(error) => {
                log::debug!("a single picture: {}", crate::errors::chain(&error));
                None
            }
        }
    }
}

impl Wall {
    fn look(&self) -> Stills {
        let stills = self.newest.subscribe();
        self.asked.notify_one();
        stills
    }
}

/// The next picture that is made.
async fn fresh(stills: &mut Stills) -> Option<Arc<Still>> {
    loop {
        stills.changed().await.ok()?;
        if let Some(still) = stills.borrow_and_update().clone() {
            return Some(still);
        }
    }
}

/// Makes pictures whenever somebody looks, until the program ends.
async fn make(
    kind: Kind,
    shutter: Shutter,
    newest: watch::Sender<Option<Arc<Still>>>,
    asked: Arc<Notify>,
) {
    let mut told = None;
    loop {
        asked.notified().await;
        if let Err(error) = make_while_wanted(kind, &shutter, &newest).await {
            // Who looks makes it try again each second: a cause is told once.
            let cause = crate::errors::chain(&error);
            if told.as_ref() != Some(&cause) {
                log::warn!("no JPEGs: {cause}");
                told = Some(cause);
            }
            tokio::time::sleep(PAUSE).await;
            // Who still looks does not ask again.
            if newest.receiver_count() > 0 {
                asked.notify_one();
            }
        }
        newest.send_replace(None);
        shutter.rest();
    }
}

/// Until nobody has looked for [`LINGER`], with one pipeline.
async fn make_while_wanted(
    kind: Kind,
    shutter: &Shutter,
    newest: &watch::Sender<Option<Arc<Still>>>,
) -> Result<(), StillError> {
    let broken = |_| StillError::Failed("its thread panicked".to_owned());
    let mut press = spawn_blocking(Press::new).await.map_err(broken)??;
    let mut looked = Instant::now();
    while looked.elapsed() < LINGER {
        let next = Instant::now() + kind.period();
        if newest.receiver_count() > 0 {
            looked = Instant::now();
            if let Some(frame) = shutter.next().await {
                let printed = spawn_blocking(move || {
                    let printed = kind.print(&mut press, &frame);
                    (press, printed)
                });
                let (back, printed) = printed.await.map_err(broken)?;
                press = back;
                match printed {
                    Ok(None) => {}
                    Ok(Some(still)) => drop(newest.send_replace(Some(Arc::new(still)))),
                    Err(error) => {
                        end(press).await;
                        return Err(error);
                    }
                }
            }
        }
        sleep_until(next).await;
    }
    end(press).await;
    Ok(())
}

/// Its threads end where waiting for them delays nobody.
async fn end(press: Press) {
    // Stopping does not panic; if it did, there would be nothing left to stop.
    let _ = spawn_blocking(move || drop(press)).await;
}
