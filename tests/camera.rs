//! Cameras with real elements: what flows, what stops, and what is said.
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_rtsp_server as gst_rtsp_server;
use gstreamer_rtsp_server::prelude::*;
use signpost::camera::{Camera, Encoder, RawFrame, Settings, Started, Status};
use signpost::clock::Clock;
use signpost::config;
use tokio::sync::watch;

/// Longer than anything here takes on a busy machine; reaching it is a failure.
const PATIENCE: Duration = Duration::from_secs(30);

fn start(source: config::Source, demo_clip: Option<&Path>) -> (Started, watch::Sender<()>) {
    gst::init().unwrap();
    let (stop, stopped) = watch::channel(());
    let camera = config::Camera {
        name: "camera".into(),
        source,
        width: 320,
        height: 240,
        framerate: 30,
        flip: config::Flip::None,
    };
    let encoder = Encoder::probe(None).unwrap();
    let settings =
        Settings { camera, bitrate_kbps: 500, encoder, demo_clip: demo_clip.map(PathBuf::from) };
    (Camera::start(settings, Clock::start(), stopped), stop)
}

async fn next(frames: &mut watch::Receiver<Option<RawFrame>>) -> RawFrame {
    tokio::time::timeout(PATIENCE, frames.changed()).await.expect("a frame in time").unwrap();
    frames.borrow_and_update().clone().unwrap()
}

async fn failure(started: &Started) -> String {
    let mut status = started.camera.status();
    let failed = status.wait_for(|status| matches!(status, Status::Failed(_)));
    match tokio::time::timeout(PATIENCE, failed).await.expect("an error in time").unwrap().clone() {
        Status::Failed(why) => why,
        other => panic!("waited for a failure, got {other:?}"),
    }
}

/// Half a second of moving picture.
fn short_clip(folder: &Path) -> PathBuf {
    gst::init().unwrap();
    let path = folder.join("short \"clip\".mp4");
    let pipeline = gst::parse::launch(
        "videotestsrc num-buffers=15 ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 \
         ! x264enc bframes=0 ! mp4mux ! filesink name=out",
    )
    .unwrap()
    .downcast::<gst::Pipeline>()
    .unwrap();
    pipeline.by_name("out").unwrap().set_property("location", path.to_str().unwrap());
    pipeline.set_state(gst::State::Playing).unwrap();
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    let ended =
        pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(30), &kinds);
    assert_eq!(ended.unwrap().type_(), gst::MessageType::Eos);
    pipeline.set_state(gst::State::Null).unwrap();
    path
}

/// A viewer that counts what it is given.
fn viewer() -> gstreamer_app::AppSrc {
    gstreamer_app::AppSrc::builder().build()
}

#[tokio::test(flavor = "multi_thread")]
async fn encodes_only_while_somebody_looks() {
    let (mut started, stop) = start(config::Source::Test, None);
    next(&mut started.frames).await;
    let attachment = started.camera.rendition().attach(&viewer());
    while attachment.pushed() < 10 {
        next(&mut started.frames).await;
    }
    drop(attachment);
    // The picture goes on for recognition.
    let last = next(&mut started.frames).await.index;
    while next(&mut started.frames).await.index < last + 10 {}
    let again = started.camera.rendition().attach(&viewer());
    while again.pushed() < 10 {
        next(&mut started.frames).await;
    }
    drop(stop);
    started.owner.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_loops_and_its_time_only_rises() {
    let folder = tempfile::tempdir().unwrap();
    let clip = short_clip(folder.path());
    let (mut started, stop) = start(config::Source::File(clip), None);
    let first = next(&mut started.frames).await;
    let mut last = first.captured_at;
    let mut index = first.index;
    // Four times its length.
    while index < first.index + 60 {
        let frame = next(&mut started.frames).await;
        assert!(frame.captured_at > last, "{} after {last}", frame.captured_at);
        assert!(frame.index > index);
        (last, index) = (frame.captured_at, frame.index);
    }
    // In real time: 60 pictures at 30 fps, less what a loop may cut off.
    assert!(last - first.captured_at > gst::ClockTime::from_mseconds(1700));
    drop(stop);
    started.owner.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_camera_the_demo_clip_is_shown_and_said() {
    if Path::new("/dev/video0").exists() {
        println!("skipped: this machine has a camera");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let clip = short_clip(folder.path());
    let (mut started, _stop) = start(config::Source::Auto, Some(&clip));
    next(&mut started.frames).await;
    let mut status = started.camera.status();
    let live = status.wait_for(|status| matches!(status, Status::Live(_)));
    let live = tokio::time::timeout(PATIENCE, live).await.unwrap().unwrap().clone();
    let Status::Live(live) = live else { panic!("{live:?}") };
    assert_eq!(live.source, "demo clip (no camera was found)");
    assert_eq!((live.width, live.height), (320, 240));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_camera_says_what_to_do() {
    let (started, _stop) = start(config::Source::V4l2("/dev/video97".into()), None);
    let why = failure(&started).await;
    assert!(why.starts_with("camera /dev/video97: "), "{why}");
    assert!(why.contains("is it connected"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_video_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "buy milk\n".repeat(100)).unwrap();
    let (started, _stop) = start(config::Source::File(path), None);
    let why = failure(&started).await;
    assert!(why.contains("is it a video file"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_camera_is_shown() {
    gst::init().unwrap();
    let server = gst_rtsp_server::RTSPServer::new();
    server.set_address("127.0.0.1");
    server.set_service("0");
    let factory = gst_rtsp_server::RTSPMediaFactory::new();
    factory.set_launch(
        "( videotestsrc is-live=true ! video/x-raw,width=640,height=480,framerate=25/1 \
         ! x264enc tune=zerolatency key-int-max=25 ! rtph264pay name=pay0 pt=96 )",
    );
    server.mount_points().unwrap().add_factory("/camera", factory);
    let context = gst::glib::MainContext::new();
    let _id = server.attach(Some(&context)).unwrap();
    let main_loop = gst::glib::MainLoop::new(Some(&context), false);
    let serving = main_loop.clone();
    let thread = std::thread::spawn(move || serving.run());

    let url = format!("rtsp://127.0.0.1:{}/camera", server.bound_port());
    let (mut started, stop) = start(config::Source::Rtsp(url), None);
    let frame = next(&mut started.frames).await;
    assert_eq!((frame.info.width(), frame.info.height()), (640, 480));
    let attachment = started.camera.rendition().attach(&viewer());
    while attachment.pushed() < 10 {
        next(&mut started.frames).await;
    }
    drop(stop);
    started.owner.await.unwrap();
    main_loop.quit();
    thread.join().unwrap();
}
