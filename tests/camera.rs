//! Cameras with real elements: what flows, what stops, and what is said.
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_rtsp_server as gst_rtsp_server;
use gstreamer_rtsp_server::prelude::*;
use signpost::camera::handover::{self, Missed};
use signpost::camera::{Camera, Encoder, Feed, Form, RawFrame, Settings, Started, Status, devices};
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
        controls: Default::default(),
    };
    let encoder = Encoder::probe(None).unwrap();
    let encoding = config::Encoder {
        prefer: None,
        bitrate_kbps: 500,
        min_bitrate_kbps: 100,
        low_rendition: true,
    };
    let devices = (camera.source == config::Source::Auto).then(devices::watch);
    let demo_clip = demo_clip.map(PathBuf::from);
    let settings = Settings { camera, encoding, encoder, demo_clip, devices };
    (Camera::start(settings, Clock::start(), stopped), stop)
}

/// Lets go of the frames that wait.
async fn pass_over(frames: &handover::Receiver<RawFrame>) {
    while !frames.is_empty() {
        next(frames).await;
    }
}

async fn next(frames: &handover::Receiver<RawFrame>) -> RawFrame {
    loop {
        match tokio::time::timeout(PATIENCE, frames.recv()).await.expect("a frame in time") {
            Ok(frame) => return frame,
            // A test that looks away misses some.
            Err(Missed::Lost(_)) => {}
            Err(Missed::Closed) => panic!("the camera's owner has ended"),
        }
    }
}

async fn failure(started: &Started) -> String {
    let mut status = started.camera.status();
    let failed = status.wait_for(|status| matches!(status, Status::Failed(_)));
    match tokio::time::timeout(PATIENCE, failed).await.expect("an error in time").unwrap().clone() {
        Status::Failed(away) => away.reason,
        other => panic!("waited for a failure, got {other:?}"),
    }
}

/// Half a second of moving picture.
fn short_clip(folder: &Path) -> PathBuf {
    let path = folder.join("short \"clip\".mp4");
    make(
        &path,
        "videotestsrc num-buffers=15 ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 \
         ! x264enc bframes=0 ! mp4mux",
    );
    path
}

/// Writes what `description` gives to a file.
fn make(path: &Path, description: &str) {
    gst::init().unwrap();
    let pipeline = gst::parse::launch(&format!("{description} ! filesink name=out"))
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
}

/// A viewer of `form` that counts what it is given.
fn look(started: &Started, form: Form) -> Feed {
    let feed = started.camera.renditions().feed(form, &viewer()).unwrap();
    feed.resume();
    feed
}

fn viewer() -> gst_app::AppSrc {
    gst_app::AppSrc::builder().format(gst::Format::Time).is_live(true).build()
}

async fn shown(started: &mut Started, feed: &Feed, pictures: u64) {
    let enough = feed.pushed() + pictures;
    while feed.pushed() < enough {
        next(&started.frames).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_is_encoded_only_while_somebody_looks() {
    let (mut started, stop) = start(config::Source::Test, None);
    let renditions = started.camera.renditions().clone();
    while next(&started.frames).await.index < 10 {}
    let none = Form::ALL.iter().all(|form| renditions.encoded(*form) == 0);
    assert!(none, "nobody has looked yet");
    for form in Form::ALL {
        let before = Form::ALL.map(|form| renditions.encoded(form));
        let feed = look(&started, form);
        shown(&mut started, &feed, 10).await;
        drop(feed);
        // The picture goes on for recognition; what is in the encoder still comes out.
        let mut tries = 0;
        loop {
            let (encoded, last) = (renditions.encoded(form), next(&started.frames).await.index);
            while next(&started.frames).await.index < last + 10 {}
            if renditions.encoded(form) == encoded {
                break;
            }
            tries += 1;
            assert!(tries < 20, "it goes on encoding for nobody");
        }
        for (other, before) in Form::ALL.into_iter().zip(before) {
            assert!(other == form || renditions.encoded(other) == before, "{other} for {form}");
        }
    }
    let again = look(&started, Form::Full);
    shown(&mut started, &again, 10).await;
    drop(stop);
    started.owner.await.unwrap();
    assert_eq!(*started.camera.status().borrow(), Status::Stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_loops_and_its_time_only_rises() {
    let folder = tempfile::tempdir().unwrap();
    let clip = short_clip(folder.path());
    let (started, stop) = start(config::Source::File(clip), None);
    let first = next(&started.frames).await;
    let mut last = first.captured_at;
    let mut index = first.index;
    // Four times its length.
    while index < first.index + 60 {
        let frame = next(&started.frames).await;
        assert!(frame.captured_at > last, "{} after {last}", frame.captured_at);
        assert!(frame.index > index);
        (last, index) = (frame.captured_at, frame.index);
    }
    // In real time: 60 pictures at 30 fps, less what a loop may cut off.
    assert!(last - first.captured_at > gst::ClockTime::from_mseconds(1700));
    drop(stop);
    started.owner.await.unwrap();
}

/// A viewer's pipeline, and the pictures that it is given.
fn watching(started: &Started) -> (gst::Pipeline, Feed, gst_app::AppSink) {
    let appsrc = viewer();
    let sink = gst_app::AppSink::builder().sync(false).build();
    let pipeline = gst::Pipeline::new();
    pipeline.add_many([appsrc.upcast_ref(), sink.upcast_ref::<gst::Element>()]).unwrap();
    appsrc.link(&sink).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let feed = started.camera.renditions().feed(Form::Full, &appsrc).unwrap();
    feed.resume();
    (pipeline, feed, sink)
}

/// The times of the next pictures.
async fn times(sink: &gst_app::AppSink, pictures: usize) -> Vec<gst::ClockTime> {
    let sink = sink.clone();
    let pull = move || {
        let patience = gst::ClockTime::from_seconds(30);
        let picture = |_| sink.try_pull_sample(patience).expect("a picture in time");
        (0..pictures).map(|at| picture(at).buffer().unwrap().pts().unwrap()).collect()
    };
    tokio::task::spawn_blocking(pull).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_see_something_whatever_the_camera_does_and_its_time_rises() {
    let folder = tempfile::tempdir().unwrap();
    let clip = folder.path().join("late.mp4");
    let (started, stop) = start(config::Source::File(clip.clone()), None);
    let (pipeline, feed, sink) = watching(&started);
    failure(&started).await;
    let mut seen = times(&sink, 8).await;
    let away = started.frames.is_empty() && started.camera.newest_picture().is_none();
    assert!(away, "recognition reads no placeholder");

    std::fs::rename(short_clip(folder.path()), &clip).unwrap();
    next(&started.frames).await;
    seen.extend(times(&sink, 30).await);
    assert!(matches!(*started.camera.status().borrow(), Status::Live(_)));

    started.camera.stop_capture();
    let mut status = started.camera.status();
    status.wait_for(|status| *status == Status::Stopped).await.unwrap();
    seen.extend(times(&sink, 12).await);
    started.camera.start_capture();
    pass_over(&started.frames).await;
    next(&started.frames).await;
    seen.extend(times(&sink, 30).await);
    assert!(seen.is_sorted_by(|before, after| before < after), "{seen:?}");
    pipeline.set_state(gst::State::Null).unwrap();
    drop((feed, stop));
    started.owner.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn encoded_pictures_of_a_looping_clip_have_the_time_of_their_frames() {
    let folder = tempfile::tempdir().unwrap();
    let clip = short_clip(folder.path());
    let (started, stop) = start(config::Source::File(clip), None);
    let (pipeline, feed, sink) = watching(&started);
    let received = tokio::spawn(async move { times(&sink, 60).await });
    let mut captured = BTreeSet::new();
    while !received.is_finished() {
        captured.insert(next(&started.frames).await.captured_at);
    }
    let encoded = received.await.unwrap();
    assert!(encoded.is_sorted_by(|before, after| before < after), "{encoded:?}");
    // 60 pictures at 30 fps, less what a loop may cut off: four times round.
    assert!(encoded[59] - encoded[0] > gst::ClockTime::from_mseconds(1700));
    let known = encoded.iter().filter(|time| captured.contains(time)).count();
    assert!(known >= 30, "{known} of {encoded:?} are among {captured:?}");
    pipeline.set_state(gst::State::Null).unwrap();
    drop((feed, stop));
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
    let (started, _stop) = start(config::Source::Auto, Some(&clip));
    next(&started.frames).await;
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
    assert!(why.contains("is it a whole video file"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_that_is_cut_off_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let clip = short_clip(folder.path());
    let whole = std::fs::read(&clip).unwrap();
    std::fs::write(&clip, &whole[..whole.len() / 2]).unwrap();
    let (started, _stop) = start(config::Source::File(clip), None);
    let why = failure(&started).await;
    assert!(why.contains("is it a whole video file"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_of_sound_alone_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("song.wav");
    make(&path, "audiotestsrc num-buffers=50 ! wavenc");
    let (started, _stop) = start(config::Source::File(path), None);
    let why = failure(&started).await;
    assert!(why.contains("is it a whole video file"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photograph_is_no_clip() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("photograph.jpg");
    make(&path, "videotestsrc num-buffers=1 ! video/x-raw,width=320,height=240 ! jpegenc");
    let (started, _stop) = start(config::Source::File(path), None);
    let why = failure(&started).await;
    assert!(why.contains("only a file that can be wound back is looped"), "{why}");
}

/// A network camera, as far as this program can tell.
struct NetworkCamera {
    server: gst_rtsp_server::RTSPServer,
    main_loop: gst::glib::MainLoop,
    thread: std::thread::JoinHandle<()>,
    /// Lets no picture through while its property `drop` is set.
    tap: mpsc::Receiver<gst::Element>,
}

impl NetworkCamera {
    /// On this port of loopback; 0 is a free one.
    fn switch_on(port: i32) -> Self {
        gst::init().unwrap();
        let server = gst_rtsp_server::RTSPServer::new();
        server.set_address("127.0.0.1");
        server.set_service(&port.to_string());
        let factory = gst_rtsp_server::RTSPMediaFactory::new();
        factory.set_launch(
            "( videotestsrc is-live=true ! video/x-raw,width=640,height=480,framerate=25/1 \
             ! x264enc tune=zerolatency key-int-max=25 ! valve name=tap ! rtph264pay name=pay0 pt=96 )",
        );
        let (post, tap) = mpsc::channel();
        factory.connect_media_configure(move |_, media| {
            let media = media.element().downcast::<gst::Bin>().unwrap();
            let _ = post.send(media.by_name("tap").unwrap());
        });
        server.mount_points().unwrap().add_factory("/camera", factory);
        let context = gst::glib::MainContext::new();
        let _id = server.attach(Some(&context)).unwrap();
        let main_loop = gst::glib::MainLoop::new(Some(&context), false);
        let serving = main_loop.clone();
        let thread = std::thread::spawn(move || serving.run());
        // A wish to quit is lost on a loop that does not run yet.
        while !main_loop.is_running() {
            std::thread::yield_now();
        }
        Self { server, main_loop, thread, tap }
    }

    fn port(&self) -> i32 {
        self.server.bound_port()
    }

    fn switch_off(self) {
        let close = |_: &_, _: &_| gst_rtsp_server::RTSPFilterResult::Remove;
        self.server.client_filter(Some(&mut { close }));
        self.main_loop.quit();
        self.thread.join().unwrap();
    }
}

fn at(port: i32) -> config::Source {
    config::Source::Rtsp(format!("rtsp://127.0.0.1:{port}/camera"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_camera_is_shown() {
    let network = NetworkCamera::switch_on(0);
    let (mut started, stop) = start(at(network.port()), None);
    let frame = next(&started.frames).await;
    assert_eq!((frame.info.width(), frame.info.height()), (640, 480));
    let feed = look(&started, Form::Full);
    shown(&mut started, &feed, 10).await;
    drop(stop);
    started.owner.await.unwrap();
    network.switch_off();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_comes_late_and_again_is_shown_to_who_waits() {
    // A port that was free a moment ago.
    let network = NetworkCamera::switch_on(0);
    let port = network.port();
    network.switch_off();
    let (mut started, stop) = start(at(port), None);
    let feed = look(&started, Form::Full);
    let why = failure(&started).await;
    assert!(why.contains("is it switched on"), "{why}");

    let network = NetworkCamera::switch_on(port);
    shown(&mut started, &feed, 10).await;
    let before = next(&started.frames).await;
    network.switch_off();
    failure(&started).await;
    assert!(started.camera.newest_picture().is_none(), "no picture of the past");

    // What waits for recognition may be of the past.
    pass_over(&started.frames).await;
    let network = NetworkCamera::switch_on(port);
    let after = next(&started.frames).await;
    assert!(after.index > before.index && after.captured_at > before.captured_at);
    shown(&mut started, &feed, 10).await;
    drop(stop);
    started.owner.await.unwrap();
    network.switch_off();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_falls_silent_is_started_again() {
    let network = NetworkCamera::switch_on(0);
    let (started, stop) = start(at(network.port()), None);
    let before = next(&started.frames).await;
    network.tap.recv().unwrap().set_property("drop", true);
    let why = failure(&started).await;
    assert!(why.contains("no picture within 2 s; is it switched on"), "{why}");
    // The server makes a new pipeline for whoever comes next.
    assert!(next(&started.frames).await.index > before.index);
    drop(stop);
    started.owner.await.unwrap();
    network.switch_off();
}
