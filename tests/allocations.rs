//! Recognition in its steady state asks for no memory: on a small device an allocator is where
//! threads wait for one another, and where memory is lost in pieces. What is counted is Rust's
//! allocator from a frame to its [`Reading`](signpost::recognition::Reading): not what the
//! runtime's library asks for by itself, nor the message to viewers that is made of a reading.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;

use signpost::cli::clip::Clip;
use signpost::cli::read;
use signpost::config;
use signpost::model::ModelError;
use signpost::recognition::Chain;

/// Counts what a thread asks for.
struct Counting;

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

fn asked() -> u64 {
    ASKED.with(Cell::get)
}

fn count() {
    // Not while a thread ends.
    let _ = ASKED.try_with(|asked| asked.set(asked.get() + 1));
}

#[allow(unsafe_code, reason = "an allocator is one by its contract alone")]
// SAFETY: everything is the system's allocator's, and counting asks for no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on as they are.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on as they are.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on as they are.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on as they are.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The chain of a bundle of this checkout; `None` without the runtime, which is said.
fn chain(bundle: &Path) -> Option<Chain> {
    let settings = config::load(None, Vec::new()).unwrap().model;
    match read::chain(&settings, Some(bundle.to_owned())) {
        Ok(chain) => Some(chain),
        Err(error @ ModelError::NotFound { .. }) => {
            assert!(std::env::var_os("SIGNPOST_MODEL__RUNTIME").is_none(), "{error}");
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn no_frame_asks_for_memory_once_there_were_some() {
    gstreamer::init().unwrap();
    for name in [
        "models/fingerspelling",
        "tests/bundles/colour-uint8",
        "tests/bundles/colour-float16",
        "tests/bundles/motion-time",
        "tests/bundles/motion-channels",
        "tests/bundles/shapes-ssd",
        "tests/bundles/shapes-anchors",
        "tests/bundles/hands",
    ] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let Some(mut chain) = chain(&folder) else { return };
        let mut frames = Vec::new();
        // The whole clip twice: what is seen for the first time has its memory then.
        for round in 0..2 {
            let mut clip = Clip::open(&folder.join("golden.mp4"), None).unwrap();
            let begin = chain.period() * 10_000 * round;
            while let Some(picture) = clip.next_picture().unwrap() {
                let mut after = 0;
                clip.view(&picture, |frame| {
                    let before = asked();
                    chain.read(frame, begin + picture.at).unwrap();
                    after = asked() - before;
                })
                .unwrap();
                if round == 1 {
                    frames.push(after);
                }
            }
        }
        assert!(frames.len() >= 60, "{name}: {}", frames.len());
        assert!(frames.iter().all(|asked| *asked == 0), "{name}: {frames:?}");
    }
}
