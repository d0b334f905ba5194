//! A camera's pipeline and owner with sources that no configuration has.
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::fs::OpenOptions;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;
use tokio::sync::{mpsc, watch};

use super::absences::Absences;
use super::adjust::Adjust;
use super::branch::Spec;
use super::handover::{self, Missed};
use super::lags::Lags;
use super::owner::{Owner, Settings};
use super::picture::Limit;
use super::pipeline::{Event, Outlets, Pipeline};
use super::renditions::Demand;
use super::requests::Requests;
use super::silence::LOOK;
use super::source::{Chosen, Pace};
use super::stills::Shutter;
use super::{Encoder, Encoding, Feed, Form, PerForm, RawFrame, Renditions, Status, absences};
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
    frames: handover::Receiver<RawFrame>,
    _demand: Demand,
}

fn play(description: &str, flip: config::Flip) -> Playing {
    gst::init().unwrap();
    play_with(description, flip, &Encoder::probe(None).unwrap())
}

fn play_with(description: &str, flip: config::Flip, encoder: &Encoder) -> Playing {
    let (renditions, demand) = Renditions::new(PerForm::default());
    let (captured, newest) = watch::channel(None);
    let (waiting, frames) = handover::channel(8);
    let outlets = Outlets {
        renditions,
        newest: captured,
        frames: waiting,
        pictures: Arc::default(),
        lags: Lags::default(),
        shutter: Shutter::new(),
        moved: Clock::start().mark(),
    };
    let (words, description) = ("front door".into(), description.into());
    let chosen = Chosen { words, description, pace: Pace::Device, device: None };
    let clock = Clock::start();
    let adjust = Adjust { flip, ..Adjust::default() };
    let (pipeline, events) =
        Pipeline::start(&chosen, adjust, encoder, &clock, &outlets, |_| ()).unwrap();
    Playing { pipeline, events, outlets, newest, frames, _demand: demand }
}

/// The next frame, whichever are missed.
async fn next(frames: &handover::Receiver<RawFrame>) -> RawFrame {
    loop {
        match tokio::time::timeout(PATIENCE, frames.recv()).await.expect("a frame in time") {
            Ok(frame) => return frame,
            Err(Missed::Lost(_)) => {}
            Err(Missed::Closed) => panic!("the camera has ended"),
        }
    }
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
            let frame = next(&playing.frames).await;
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
    let playing = play(source, config::Flip::None);
    next(&playing.frames).await;
    let down = playing.pipeline.stop();
    assert!(playing.newest.borrow().is_none());
    while !playing.frames.is_empty() {
        next(&playing.frames).await;
    }
    down.await.unwrap();
    assert!(playing.newest.borrow().is_none(), "no time follows the last word");
    assert!(playing.frames.is_empty(), "no frame follows the last word");
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

/// A camera's owner that does not run yet, and what it is driven by.
struct Rig {
    owner: Owner,
    renditions: Renditions,
    frames: handover::Receiver<RawFrame>,
    status: watch::Receiver<Status>,
    requests: watch::Sender<Requests>,
    encodings: watch::Receiver<PerForm<Option<Encoding>>>,
    stop: watch::Sender<()>,
}

/// `absence`: how long a form is missing that has failed.
fn rig(encoder: Encoder, absence: Duration) -> Rig {
    let (renditions, demand) = Renditions::new(PerForm::default());
    let (newest, _) = watch::channel(None);
    let (sent, frames) = handover::channel(8);
    let (told, status) = watch::channel(Status::Starting);
    let (requests, asked) = watch::channel(Requests::new(&encoding()));
    let (encoded, encodings) = watch::channel(PerForm::default());
    let (stop, stopped) = watch::channel(());
    let camera = config::Camera {
        name: "camera".into(),
        source: config::Source::Test,
        width: 800,
        height: 600,
        framerate: 30,
        flip: config::Flip::None,
        controls: Default::default(),
    };
    let outlets = Outlets {
        renditions: renditions.clone(),
        newest,
        frames: sent,
        pictures: Arc::default(),
        lags: Lags::default(),
        shutter: Shutter::new(),
        moved: Clock::start().mark(),
    };
    let owner = Owner {
        settings: Settings {
            camera,
            encoding: encoding(),
            encoder,
            demo_clip: None,
            devices: None,
        },
        clock: Clock::start(),
        outlets,
        demand,
        status: told,
        requests: asked,
        adjusted: watch::channel(Adjust::default()).1,
        encodings: encoded,
        absences: Absences::new(absence),
        had_camera: false,
        ticked: Clock::start().mark(),
        stop: stopped,
    };
    Rig { owner, renditions, frames, status, requests, encodings, stop }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_pipeline_follows_one_that_does_not_stop() {
    gst::init().unwrap();
    let Rig { mut owner, mut status, stop: _stop, .. } =
        rig(Encoder::probe(None).unwrap(), absences::WAIT);
    let (ticked, since) = (owner.ticked.clone(), Instant::now() - Duration::from_secs(60));
    let (let_go, held) = std::sync::mpsc::channel::<()>();
    let down = tokio::task::spawn_blocking(move || assert!(held.recv().is_err()));
    let waiting = tokio::spawn(async move {
        let words = "camera /dev/video0".into();
        let chosen = Chosen { words, description: String::new(), pace: Pace::Device, device: None };
        let placeholder = owner.placeholder();
        owner.let_go(down, &chosen, &placeholder, since).await;
        assert!(placeholder.is_shown(), "viewers are told");
    });
    let stuck = status.wait_for(|status| matches!(status, Status::Failed(_)));
    let stuck = tokio::time::timeout(PATIENCE, stuck).await.expect("told in time").unwrap().clone();
    let words = "camera /dev/video0: the device does not let go; unplug it, or restart this device";
    assert!(matches!(stuck, Status::Failed(away) if away.reason == words && away.since == since));
    let before = ticked.last();
    let ticks = async {
        while ticked.last() == before {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, ticks).await.expect("a device that hangs is no owner that does");
    assert!(!waiting.is_finished(), "it waits for the device");
    drop(let_go);
    tokio::time::timeout(PATIENCE, waiting).await.expect("it goes on").unwrap();
}

fn x264enc(description: &'static str) -> Encoder {
    gst::init().unwrap();
    Encoder { description, ..Encoder::probe(Some("x264enc")).unwrap() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_fails_takes_nothing_with_it() {
    let source = "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1";
    for encoder in [
        "nosuchenc",
        // It does not start, it gives up, it ends without a word, it takes other pictures.
        "tee name=split ! fakesink state-error=ready-to-paused split. ! x264enc name=encoder",
        "identity error-after=5 ! x264enc name=encoder",
        "identity eos-after=5 ! x264enc name=encoder",
        "video/x-raw,width=100 ! x264enc name=encoder",
    ] {
        let mut playing = play_with(source, config::Flip::None, &x264enc(encoder));
        next(&playing.frames).await;
        let spec = Spec { picture: None, bitrate_kbps: 500 };
        for _ in 0..2 {
            let low = |form| (form == Form::Low).then_some(spec);
            playing.pipeline.encode(PerForm::from_fn(low));
            let failed = async {
                loop {
                    match playing.events.recv().await.expect("it plays") {
                        Event::Picture(_) => {}
                        Event::BranchFailed(Form::Low, error) => return error,
                        other => panic!("{encoder}: {other:?}"),
                    }
                }
            };
            tokio::time::timeout(PATIENCE, failed).await.expect(encoder);
            let first = next(&playing.frames).await.index;
            while next(&playing.frames).await.index < first + 20 {}
            playing.pipeline.encode(PerForm::default());
            while next(&playing.frames).await.index < first + 40 {}
            while let Ok(event) = playing.events.try_recv() {
                assert!(matches!(event, Event::BranchFailed(Form::Low, _)), "{encoder}: {event:?}");
            }
        }
        playing.pipeline.stop().await.unwrap();
    }
}

/// Encodes no picture of the low form's first size, which is 640 wide.
const NONE_OF_640: &str = "video/x-raw,width={400,800} ! x264enc name=encoder tune=zerolatency";

fn look(renditions: &Renditions, form: Form) -> Feed {
    let feed = renditions.feed(form, &gst_app::AppSrc::builder().build()).unwrap();
    feed.resume();
    feed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_goes_on_without_a_form_that_cannot_be_encoded() {
    let mut rig = rig(x264enc(NONE_OF_640), absences::WAIT);
    let running = tokio::spawn(rig.owner.run());
    let (full, moving) = (look(&rig.renditions, Form::Full), look(&rig.renditions, Form::Full));
    shown(&rig.frames, [&full, &moving]).await;
    let live = matches!(*rig.status.borrow_and_update(), Status::Live(_));
    assert!(live, "it shows pictures");

    moving.want(Form::Low).unwrap();
    while rig.renditions.has(Form::Low).is_ok() {
        next(&rig.frames).await;
    }
    let missing = rig.renditions.has(Form::Low).map_err(|missing| missing.to_string());
    let words = "there is no low picture: the encoder x264enc gave up: ";
    assert!(missing.is_err_and(|why| why.starts_with(words)));
    shown(&rig.frames, [&full, &moving]).await;
    let tried = rig.encodings.borrow()[Form::Low].is_some();
    assert!(!tried, "it is left alone, though a viewer waits for it");

    moving.want(Form::Full).unwrap();
    shown(&rig.frames, [&full, &moving]).await;
    assert!(!rig.status.has_changed().unwrap(), "the camera went on all the while");
    drop((full, moving, rig.stop));
    tokio::time::timeout(PATIENCE, running).await.expect("stopped in time").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_was_missing_is_tried_again() {
    let rig = rig(x264enc(NONE_OF_640), Duration::from_millis(100));
    let running = tokio::spawn(rig.owner.run());
    let (full, low) = (look(&rig.renditions, Form::Full), look(&rig.renditions, Form::Low));
    while rig.renditions.has(Form::Low).is_ok() {
        next(&rig.frames).await;
    }
    let most = Limit { width: 400, ..Limit::NONE };
    rig.requests.send_modify(|requests| requests.most = most);
    shown(&rig.frames, [&full, &low]).await;
    rig.renditions.has(Form::Low).unwrap();
    drop((full, low, rig.stop));
    tokio::time::timeout(PATIENCE, running).await.expect("stopped in time").unwrap();
}

/// Waits until each viewer has had some pictures more.
async fn shown(frames: &handover::Receiver<RawFrame>, feeds: [&Feed; 2]) {
    let enough = feeds.map(|feed| feed.pushed() + 20);
    while feeds.iter().zip(enough).any(|(feed, enough)| feed.pushed() < enough) {
        next(frames).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_picture_that_cannot_be_encoded_names_the_encoder() {
    let mut rig = rig(x264enc("identity error-after=5 ! x264enc name=encoder"), absences::WAIT);
    let running = tokio::spawn(rig.owner.run());
    let feed = look(&rig.renditions, Form::Full);
    let failed = rig.status.wait_for(|status| matches!(status, Status::Failed(_)));
    let failed = tokio::time::timeout(PATIENCE, failed).await.expect("told in time").unwrap();
    let words = "test picture: the encoder x264enc gave up: Failed after iterations as requested; \
                 encoder.prefer names another to try first";
    assert!(matches!(&*failed, Status::Failed(away) if away.reason == words), "{failed:?}");
    drop((failed, feed, rig.stop));
    tokio::time::timeout(PATIENCE, running).await.expect("stopped in time").unwrap();
}
