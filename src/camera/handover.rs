//! Where raw frames wait for recognition, which never holds the camera up: the oldest gives way,
//! and the one who reads is told.
//!
//! A queue behind one lock, which is held for a push or a pop and for nothing else. `tests/handover`
//! tries it in every order of its steps that two threads can have.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};

#[cfg(loom)]
use loom::sync::{Arc, Mutex, MutexGuard};
#[cfg(not(loom))]
use std::sync::{Arc, Mutex, MutexGuard};

/// A queue for so many frames; more than none.
pub fn channel<F>(capacity: usize) -> (Sender<F>, Receiver<F>) {
    let state = State {
        capacity,
        waiting: VecDeque::with_capacity(capacity),
        lost: 0,
        waker: None,
        senders: 1,
        receivers: 1,
    };
    let shared = Arc::new(Mutex::new(state));
    (Sender(shared.clone()), Receiver(shared))
}

/// The camera's end.
#[derive(Debug)]
pub struct Sender<F>(Shared<F>);

/// Recognition's end. Each frame is for one of its clones.
#[derive(Debug)]
pub struct Receiver<F>(Shared<F>);

/// Why there is no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// So many have given way since the last one that was taken.
    Lost(u64),
    /// There will be none.
    Closed,
}

type Shared<F> = Arc<Mutex<State<F>>>;

#[derive(Debug)]
struct State<F> {
    capacity: usize,
    /// Oldest first.
    waiting: VecDeque<F>,
    lost: u64,
    /// Who waits for a frame.
    waker: Option<Waker>,
    senders: usize,
    receivers: usize,
}

fn lock<F>(shared: &Shared<F>) -> MutexGuard<'_, State<F>> {
    shared.lock().expect("nothing under this lock panics")
}

impl<F> Sender<F> {
    /// Hands a frame over; without a receiver it is dropped.
    pub fn send(&self, frame: F) {
        let mut state = lock(&self.0);
        let mut gone = None;
        if state.receivers > 0 {
            if state.waiting.len() == state.capacity {
                gone = state.waiting.pop_front();
                state.lost += 1;
            }
            state.waiting.push_back(frame);
        }
        let waker = state.waker.take();
        drop(state);
        // The lock is for nobody's memory to be freed under, and for nobody to be woken.
        drop(gone);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Whether no frame waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        lock(&self.0).waiting.is_empty()
    }
}

impl<F> Receiver<F> {
    /// The oldest frame that waits, or the next one. Cancel safe.
    ///
    /// # Errors
    /// [`Missed::Lost`] once for each time that frames have given way, [`Missed::Closed`] when
    /// all senders are gone and nothing waits.
    pub async fn recv(&self) -> Result<F, Missed> {
        poll_fn(|context| {
            let mut state = lock(&self.0);
            if state.lost > 0 {
                return Poll::Ready(Err(Missed::Lost(std::mem::take(&mut state.lost))));
            }
            if let Some(frame) = state.waiting.pop_front() {
                return Poll::Ready(Ok(frame));
            }
            if state.senders == 0 {
                return Poll::Ready(Err(Missed::Closed));
            }
            state.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Whether no frame waits, and none has given way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let state = lock(&self.0);
        state.waiting.is_empty() && state.lost == 0
    }
}

impl<F> Clone for Sender<F> {
    fn clone(&self) -> Self {
        lock(&self.0).senders += 1;
        Self(self.0.clone())
    }
}

impl<F> Clone for Receiver<F> {
    fn clone(&self) -> Self {
        lock(&self.0).receivers += 1;
        Self(self.0.clone())
    }
}

impl<F> Drop for Sender<F> {
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        state.senders -= 1;
        let waker = if state.senders == 0 { state.waker.take() } else { None };
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl<F> Drop for Receiver<F> {
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        state.receivers -= 1;
        let left =
            if state.receivers == 0 { std::mem::take(&mut state.waiting) } else { VecDeque::new() };
        drop(state);
        drop(left);
    }
}
