//! The encoded forms of one camera, as a viewer's pipeline gets them.
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::collections::BTreeSet;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use signpost::camera::handover::Missed;
use signpost::camera::{
    Camera, Encoder, Feed, Form, LEAST_LOW_KBPS, Limit, Settings, Started, Status,
};
use signpost::clock::Clock;
use signpost::config;
use tokio::sync::watch;

/// Longer than anything here takes on a busy machine; reaching it is a failure.
const PATIENCE: Duration = Duration::from_secs(30);

fn start(width: u32, height: u32) -> (Started, watch::Sender<()>) {
    gst::init().unwrap();
    let (stop, stopped) = watch::channel(());
    let camera = config::Camera {
        name: "camera".into(),
        source: config::Source::Test,
        width,
        height,
        framerate: 30,
        flip: config::Flip::None,
        controls: Default::default(),
    };
    let encoding = config::Encoder {
        prefer: None,
        bitrate_kbps: 1500,
        min_bitrate_kbps: 100,
        low_rendition: true,
    };
    let encoder = Encoder::probe(None).unwrap();
    let settings = Settings { camera, encoding, encoder, demo_clip: None, devices: None };
    (Camera::start(settings, Clock::start(), stopped), stop)
}

/// A viewer whose pipeline says what it was given.
struct Screen {
    pipeline: gst::Pipeline,
    sink: gst_app::AppSink,
    feed: Feed,
}

/// A picture as a viewer gets it.
#[derive(Debug)]
struct Shown {
    pts: gst::ClockTime,
    key: bool,
    width: i32,
    height: i32,
    bytes: usize,
}

impl Screen {
    /// `decoding`: elements that find out what the pictures are.
    fn new(started: &Started, form: Form, decoding: &str) -> Self {
        let description = format!(
            "appsrc name=in format=time is-live=true ! {decoding} ! appsink name=out sync=false"
        );
        let pipeline = gst::parse::launch(&description).unwrap();
        let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap();
        let appsrc = pipeline.by_name("in").unwrap().downcast::<gst_app::AppSrc>().unwrap();
        let sink = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let feed = started.camera.renditions().feed(form, &appsrc).unwrap();
        feed.resume();
        Self { pipeline, sink, feed }
    }

    fn next(&self) -> Shown {
        let patience = gst::ClockTime::from_seconds(PATIENCE.as_secs());
        let sample = self.sink.try_pull_sample(patience).expect("a picture in time");
        let caps = sample.caps().unwrap().structure(0).unwrap();
        let buffer = sample.buffer().unwrap();
        Shown {
            pts: buffer.pts().unwrap(),
            key: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
            // VP8 says it only when it is decoded.
            width: caps.get("width").unwrap_or_default(),
            height: caps.get("height").unwrap_or_default(),
            bytes: buffer.size(),
        }
    }

    /// Bytes of each picture, and whether it is a key unit.
    fn sizes(&self, count: usize) -> Vec<(usize, bool)> {
        self.pictures(count).iter().map(|shown| (shown.bytes, shown.key)).collect()
    }

    fn pictures(&self, count: usize) -> Vec<Shown> {
        (0..count).map(|_| self.next()).collect()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.feed.stop();
        self.pipeline.set_state(gst::State::Null).unwrap();
    }
}

const H264: &str = "h264parse";

fn steps(pictures: &[Shown]) -> Vec<gst::ClockTime> {
    pictures.windows(2).map(|pair| pair[1].pts.checked_sub(pair[0].pts).unwrap()).collect()
}

async fn end(started: Started, stop: watch::Sender<()>) {
    drop(stop);
    tokio::time::timeout(PATIENCE, started.owner).await.expect("stopped in time").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_low_form_is_small_and_keeps_the_time_of_capture() {
    let (started, stop) = start(1280, 720);
    let screen = Screen::new(&started, Form::Low, H264);
    let seen = tokio::task::spawn_blocking(move || screen.pictures(30));
    let mut captured = BTreeSet::new();
    while !seen.is_finished() {
        match tokio::time::timeout(PATIENCE, started.frames.recv()).await.unwrap() {
            Ok(frame) => drop(captured.insert(frame.captured_at)),
            Err(Missed::Lost(_)) => {}
            Err(Missed::Closed) => panic!("the camera's owner has ended"),
        }
    }
    let seen = seen.await.unwrap();
    assert!(seen.iter().all(|shown| (shown.width, shown.height) == (640, 360)), "{seen:?}");
    assert!(seen[0].key);
    let known = seen.iter().filter(|shown| captured.contains(&shown.pts)).count();
    assert!(known >= 15, "{known} of {} have the time of a frame", seen.len());
    end(started, stop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_moves_to_the_low_form_and_back_with_key_units() {
    let (started, stop) = start(1280, 720);
    let screen = Screen::new(&started, Form::Full, H264);
    tokio::task::block_in_place(|| {
        let mut last = None;
        for (form, width) in [(Form::Full, 1280), (Form::Low, 640), (Form::Full, 1280)] {
            screen.feed.want(form).unwrap();
            let mut first = screen.next();
            // What was under way when it was asked, a few seconds on a busy machine.
            for _ in 0..200 {
                if first.width == width {
                    break;
                }
                assert!(last < Some(first.pts), "{first:?} after {last:?}");
                last = Some(first.pts);
                first = screen.next();
            }
            assert!(first.key, "{form} begins with {first:?}");
            let mut pictures = vec![first];
            pictures.extend(screen.pictures(20));
            assert!(pictures.iter().all(|shown| shown.width == width), "{pictures:?}");
            assert!(last < Some(pictures[0].pts), "{pictures:?} after {last:?}");
            assert!(steps(&pictures).iter().all(|step| !step.is_zero()), "{pictures:?}");
            last = pictures.last().map(|shown| shown.pts);
        }
    });
    drop(screen);
    end(started, stop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_unit_of_the_low_form_does_not_disturb_the_full_one() {
    let (started, stop) = start(320, 240);
    let full = Screen::new(&started, Form::Full, H264);
    let low = Screen::new(&started, Form::Low, H264);
    tokio::task::block_in_place(|| {
        while !full.next().key {}
        while !low.next().key {}
        // The viewers' first wishes are answered by now, or their limit is over.
        full.pictures(20);
        low.feed.key_units().request();
        // What the small one has had in the meantime comes first.
        let answered = (0..40).any(|_| {
            assert!(full.pictures(2).iter().all(|shown| !shown.key));
            low.next().key
        });
        assert!(answered, "the key unit that was asked for");
    });
    drop((full, low));
    end(started, stop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vp8_comes_out_as_vp8_and_is_the_whole_picture() {
    let (started, stop) = start(640, 480);
    let screen = Screen::new(&started, Form::Vp8, "vp8dec");
    tokio::task::block_in_place(|| {
        let pictures = screen.pictures(30);
        assert!(pictures.iter().all(|shown| (shown.width, shown.height) == (640, 480)));
        assert!(steps(&pictures).iter().all(|step| !step.is_zero()));
    });
    assert!(screen.feed.want(Form::Full).is_err(), "its payloader knows VP8 only");
    drop(screen);
    end(started, stop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_cameras_have_forms_of_their_own() {
    let (first, stop_first) = start(1280, 720);
    let (second, stop_second) = start(640, 480);
    let low = Screen::new(&first, Form::Low, H264);
    let full = Screen::new(&second, Form::Full, H264);
    tokio::task::block_in_place(|| {
        assert!(low.pictures(10).iter().all(|shown| shown.height == 360));
        assert!(full.pictures(10).iter().all(|shown| shown.height == 480));
    });
    assert_eq!(first.camera.renditions().encoded(Form::Full), 0);
    assert_eq!(second.camera.renditions().encoded(Form::Low), 0);
    drop((low, full));
    end(first, stop_first).await;
    end(second, stop_second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lower_bit_rate_shows_in_the_bytes_without_a_key_unit() {
    for form in Form::ALL {
        // The noise in a large test picture takes VP8 more than any bit rate at its worst.
        let (decoding, width, height) = match form {
            Form::Vp8 => ("identity", 320, 240),
            Form::Full | Form::Low => (H264, 1280, 720),
        };
        let (started, stop) = start(width, height);
        let screen = Screen::new(&started, form, decoding);
        tokio::task::block_in_place(|| {
            let bytes = |pictures: &[(usize, bool)]| -> usize {
                pictures.iter().map(|(bytes, _)| bytes).sum()
            };
            screen.sizes(30);
            let before = bytes(&screen.sizes(30));
            started.camera.set_bitrate(form, 100);
            // What was encoded before it was set, and the rate control's way down.
            screen.sizes(30);
            let low = screen.sizes(30);
            assert!(bytes(&low) * 2 < before, "{form}: {} after {before}", bytes(&low));
            assert!(low.iter().all(|(_, key)| !key), "{form} goes on");
        });
        let told = started.camera.encodings().borrow()[form].unwrap();
        let least = if form == Form::Low { LEAST_LOW_KBPS } else { 100 };
        assert_eq!(told.bitrate_kbps, least);
        drop(screen);
        end(started, stop).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_size_and_rate_come_with_a_key_unit_and_no_pause() {
    let (started, stop) = start(1280, 720);
    let screen = Screen::new(&started, Form::Full, H264);
    tokio::task::block_in_place(|| {
        screen.pictures(15);
        let half = Limit { width: 640, framerate: 15, ..Limit::NONE };
        let longest = gst::ClockTime::from_mseconds(3 * 67);
        // A busy machine makes pauses, too, but not in every round.
        let without_a_pause = (0..5).any(|_| {
            let pauses = [(half, 640), (Limit::NONE, 1280)].map(|(most, width)| {
                started.camera.set_picture(most);
                let pictures = screen.pictures(40);
                let first = pictures.iter().position(|shown| shown.width == width);
                let first = first.expect("the new size within 40 pictures");
                assert!(pictures[first].key);
                assert!(pictures[first..].iter().all(|shown| shown.width == width));
                *steps(&pictures).iter().max().unwrap()
            });
            pauses.iter().all(|pause| *pause <= longest)
        });
        assert!(without_a_pause, "more than {longest} without a picture");
    });
    drop(screen);
    end(started, stop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn capture_stops_and_starts_on_request_and_viewers_go_on() {
    let (started, stop) = start(320, 240);
    let screen = Screen::new(&started, Form::Full, H264);
    let mut status = started.camera.status();
    let last = tokio::task::block_in_place(|| screen.pictures(5)).pop().unwrap();
    for _ in 0..2 {
        started.camera.stop_capture();
        let stopped = status.wait_for(|status| *status == Status::Stopped);
        tokio::time::timeout(PATIENCE, stopped).await.expect("stopped in time").unwrap();
    }
    let before = screen.feed.pushed();
    assert_eq!(started.camera.newest_picture(), None);
    started.camera.start_capture();
    started.camera.start_capture();
    let live = status.wait_for(|status| matches!(status, Status::Live(_)));
    tokio::time::timeout(PATIENCE, live).await.expect("live in time").unwrap();
    tokio::task::block_in_place(|| {
        while screen.feed.pushed() < before + 10 {
            assert!(last.pts < screen.next().pts);
        }
    });
    drop(screen);
    end(started, stop).await;
}
