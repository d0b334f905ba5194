//! A camera's pipeline and owner with sources that no configuration has.
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::fs::OpenOptions;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gstreamer as gst;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;
use tokio::sync::{broadcast, mpsc, watch};

use super::branch::Spec;
use super::owner::{Owner, Settings, direction};
use super::pipeline::{Event, Outlets, Pipeline};
use super::renditions::Demand;
use super::requests::Requests;
use super::source::{Chosen, Pace};
use super::stills::Shutter;
use super::{Encoder, Form, PerForm, RawFrame, Renditions, Status};
use crate::clock::Clock;
use crate::config;

/// Longer than anything here takes on a busy machine; reaching it is a failure.
const PATIENCE: Duration = Duration::from_secs(30);

fn encoding() -> config::Encoder {
    let (bitrate_kbps, min_bitrate_kbps) = (500, 100);
    config::Encoder { prefer: None, bitrate_kbps, min_bitrate_kbps, low_rendition: true }
}

struct Playing {
    pipeline: Pipeline,
    events: mpsc::Receiver<Event>,
    outlets: Outlets,
    newest: watch::Receiver<Option<gst::ClockTime>>,
    frames: broadcast::Receiver<RawFrame>,
    _demand: Demand,
}

fn play(description: &str, flip: config::Flip) -> Playing {
    gst::init().unwrap();
    let (renditions, demand) = Renditions::new(PerForm::default());
    let (captured, newest) = watch::channel(None);
    let (waiting, frames) = broadcast::channel(8);
    let outlets = Outlets {
        renditions,
        newest: captured,
        frames: waiting,
        pictures: Arc::default(),
        shutter: Shutter::new(),
    };
    let encoder = Encoder::probe(None).unwrap();
    let chosen =
        Chosen { words: "front door".into(), description: description.into(), pace: Pace::Device };
    let (pipeline, events) =
        Pipeline::start(&chosen, direction(flip), &encoder, &Clock::start(), &outlets).unwrap();
    Playing { pipeline, events, outlets, newest, frames, _demand: demand }
}

async fn frame(frames: &mut broadcast::Receiver<RawFrame>) -> RawFrame {
    tokio::time::timeout(PATIENCE, frames.recv()).await.expect("a frame in time").unwrap()
}

/// Luma in the middle of each quarter: top left, top right, bottom left, bottom right.
fn quarters(frame: &RawFrame) -> [bool; 4] {
    let video = gst_video::VideoFrameRef::from_buffer_ref_readable(&frame.buffer, &frame.info);
    let video = video.unwrap();
    let (luma, stride) = (video.plane_data(0).unwrap(), video.plane_stride()[0] as usize);
    let (width, height) = (video.width() as usize, video.height() as usize);
    [(1, 1), (3, 1), (1, 3), (3, 3)]
        .map(|(x, y)| luma[height * y / 4 * stride + width * x / 4] > 128)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flip_turns_the_picture_in_both_formats() {
    let white_at = [
        (config::Flip::None, [false, false, false, true]),
        (config::Flip::Horizontal, [false, false, true, false]),
        (config::Flip::Vertical, [false, true, false, false]),
        (config::Flip::Rotate180, [true, false, false, false]),
    ];
    for format in [gst_video::VideoFormat::I420, gst_video::VideoFormat::Nv12] {
        for (flip, expected) in white_at {
            let description = format!(
                "videotestsrc is-live=true pattern=white ! video/x-raw,format=I420,width=160,\
                 height=120,framerate=30/1 ! videobox left=-160 top=-120 ! videoconvert \
                 ! video/x-raw,format={format},width=320,height=240"
            );
            let mut playing = play(&description, flip);
            let frame = frame(&mut playing.frames).await;
            assert_eq!(frame.info.format(), format);
            assert_eq!(quarters(&frame), expected, "{flip:?} {format}");
            // Every encoder takes this format, too.
            let viewers = Form::ALL.map(|form| {
                let appsrc = gst_app::AppSrc::builder().build();
                let viewer = playing.outlets.renditions.feed(form, &appsrc).unwrap();
                viewer.resume();
                viewer
            });
            let spec = Spec { picture: None, bitrate_kbps: 500 };
            playing.pipeline.encode(PerForm::from_fn(|_| Some(spec)));
            while viewers.iter().any(|viewer| viewer.pushed() == 0) {
                playing.newest.changed().await.unwrap();
            }
            playing.pipeline.stop().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_pipeline_gives_no_frame_more() {
    let source = "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1";
    let mut playing = play(source, config::Flip::None);
    frame(&mut playing.frames).await;
    let down = playing.pipeline.stop();
    assert!(playing.newest.borrow().is_none());
    let mut after = playing.frames.resubscribe();
    down.await.unwrap();
    assert!(playing.newest.borrow().is_none(), "no time follows the last word");
    assert!(after.try_recv().is_err(), "no frame follows the last word");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_ends_is_told() {
    let mut playing = play("videotestsrc num-buffers=3 is-live=true", config::Flip::None);
    let ended = async {
        while let Some(event) = playing.events.recv().await {
            if matches!(event, Event::Ended) {
                return;
            }
        }
        panic!("it never ended");
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("an end in time");
    playing.pipeline.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_hangs_while_it_is_opened_is_stopped_after_that() {
    let folder = tempfile::tempdir().unwrap();
    let device = folder.path().join("device");
    assert!(Command::new("mkfifo").arg(&device).status().unwrap().success());
    // Opening a FIFO waits for its other end; filesrc opens what it reads more than once.
    let source = format!("filesrc location=\"{}\" ! decodebin", device.display());
    let playing = play(&source, config::Flip::None);
    let down = playing.pipeline.stop();
    assert!(!down.is_finished());
    let released = Arc::new(AtomicBool::new(false));
    let (done, other_end) = (released.clone(), device.clone());
    let answering = std::thread::spawn(move || {
        while !done.load(Ordering::Relaxed) {
            drop(OpenOptions::new().write(true).open(&other_end).unwrap());
        }
    });
    tokio::time::timeout(PATIENCE, down).await.expect("stopped in time").unwrap();
    released.store(true, Ordering::Relaxed);
    // Both ends at once: whoever waits for one goes on.
    let _both = OpenOptions::new().read(true).write(true).open(device).unwrap();
    answering.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_pipeline_follows_one_that_does_not_stop() {
    gst::init().unwrap();
    let (renditions, demand) = Renditions::new(PerForm::default());
    let (newest, _) = watch::channel(None);
    let (frames, _) = broadcast::channel(1);
    let (status, mut published) = watch::channel(Status::Starting);
    let (_stop, stop) = watch::channel(());
    let camera = config::Camera {
        name: "camera".into(),
        source: config::Source::Test,
        width: 320,
        height: 240,
        framerate: 30,
        flip: config::Flip::None,
    };
    let encoder = Encoder::probe(None).unwrap();
    let mut owner = Owner {
        settings: Settings { camera, encoding: encoding(), encoder, demo_clip: None },
        clock: Clock::start(),
        outlets: Outlets {
            renditions,
            newest,
            frames,
            pictures: Arc::default(),
            shutter: Shutter::new(),
        },
        demand,
        status,
        requests: watch::channel(Requests::new(&encoding())).1,
        encodings: watch::channel(PerForm::default()).0,
        stop,
    };
    let (let_go, held) = std::sync::mpsc::channel::<()>();
    let down = tokio::task::spawn_blocking(move || assert!(held.recv().is_err()));
    let waiting = tokio::spawn(async move {
        let words = "camera /dev/video0".into();
        let chosen = Chosen { words, description: String::new(), pace: Pace::Device };
        owner.let_go(down, &chosen).await;
    });
    let stuck = published.wait_for(|status| matches!(status, Status::Failed(_)));
    let stuck = tokio::time::timeout(PATIENCE, stuck).await.expect("told in time").unwrap().clone();
    let words = "camera /dev/video0: the device does not let go; unplug it, or restart this device";
    assert_eq!(stuck, Status::Failed(words.into()));
    assert!(!waiting.is_finished(), "it waits for the device");
    drop(let_go);
    tokio::time::timeout(PATIENCE, waiting).await.expect("it goes on").unwrap();
}
