//! Pictures on their way to real appsrcs.

use std::time::{Duration, Instant};

use gstreamer::prelude::*;

use Form::{Full, Low, Vp8};

use super::*;

fn renditions() -> (Renditions, Demand) {
    gst::init().expect("GStreamer starts");
    Renditions::new(PerForm::default())
}

fn appsrc() -> gst_app::AppSrc {
    gst_app::AppSrc::builder().format(gst::Format::Time).is_live(true).build()
}

/// A viewer whose pictures the test pulls.
struct Screen {
    pipeline: gst::Pipeline,
    appsrc: gst_app::AppSrc,
    sink: gst_app::AppSink,
}

impl Screen {
    fn new() -> Self {
        let appsrc = appsrc();
        let sink = gst_app::AppSink::builder().sync(false).max_buffers(1).build();
        let pipeline = gst::Pipeline::new();
        pipeline.add_many([appsrc.upcast_ref(), sink.upcast_ref::<gst::Element>()]).expect("added");
        appsrc.link(&sink).expect("linked");
        pipeline.set_state(gst::State::Playing).expect("it plays");
        Self { pipeline, appsrc, sink }
    }

    /// The next picture's time, and whether it is a key unit.
    fn pull(&self) -> (u64, bool) {
        let sample = self.sink.pull_sample().expect("a picture");
        let buffer = sample.buffer().expect("a picture");
        let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        (buffer.pts().expect("a time").mseconds(), key)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.pipeline.set_state(gst::State::Null).expect("it stops");
    }
}

fn picture(pts_ms: u64, unit: Unit) -> gst::Buffer {
    let mut buffer = gst::Buffer::with_size(1).expect("a byte");
    let picture = buffer.get_mut().expect("the only reference");
    picture.set_pts(gst::ClockTime::from_mseconds(pts_ms));
    if unit == Unit::Delta {
        picture.set_flags(gst::BufferFlags::DELTA_UNIT);
    }
    buffer
}

fn push(renditions: &Renditions, form: Form, picture: &gst::Buffer) {
    renditions.push(form, picture, &gst::Caps::new_empty_simple("video/x-h264"));
}

/// Whether somebody has wished for a key unit of `form` since the last look.
fn wished(demand: &mut Demand, seen: &mut PerForm<u64>, form: Form) -> bool {
    let now = *demand.key_units.borrow_and_update();
    now[form] > std::mem::replace(&mut seen[form], now[form])
}

#[test]
fn a_viewer_counts_from_its_beginning_to_its_stop() {
    let (renditions, demand) = renditions();
    let counts = || Form::ALL.map(|form| demand.viewers.borrow()[form]);
    let first = renditions.feed(Full, &appsrc()).expect("there is one");
    let second = renditions.feed(Vp8, &appsrc()).expect("there is one");
    assert_eq!(counts(), [0, 0, 0]);
    first.resume();
    second.resume();
    assert_eq!(counts(), [1, 0, 1]);
    first.pause();
    assert_eq!(counts(), [1, 0, 1], "it is for a moment");
    first.stop();
    assert_eq!(counts(), [0, 0, 1]);
    first.pause();
    assert_eq!(counts(), [0, 0, 1], "there is nothing to pause");
    first.resume();
    first.want(Low).expect("there is one");
    assert_eq!(counts(), [0, 1, 1], "it has shown nothing that could go on");
    drop((first, second));
    assert_eq!(counts(), [0, 0, 0]);
}

#[test]
fn a_form_that_is_not_there_says_why() {
    gst::init().expect("GStreamer starts");
    let why = |form| (form == Low).then(|| "encoder.low_rendition is false".to_owned());
    let (renditions, _demand) = Renditions::new(PerForm::from_fn(why));
    let refused = renditions.feed(Low, &appsrc()).expect_err("there is none").to_string();
    assert_eq!(refused, "there is no low picture: encoder.low_rendition is false");
    let feed = renditions.feed(Full, &appsrc()).expect("there is one");
    assert!(feed.want(Low).is_err() && feed.want(Vp8).is_err());
    assert_eq!((feed.shown(), feed.wanted()), (Full, Full));
}

#[test]
fn the_published_count_is_that_of_the_list_at_every_moment() {
    let (renditions, demand) = renditions();
    let (full, low) = (appsrc(), appsrc());
    std::thread::scope(|threads| {
        let busy = |form, appsrc| {
            let renditions = &renditions;
            threads.spawn(move || {
                for _ in 0..20_000 {
                    renditions.feed(form, appsrc).expect("there is one").resume();
                }
            })
        };
        let (first, second) = (busy(Full, &full), busy(Low, &low));
        while !(first.is_finished() && second.is_finished()) {
            let viewers = renditions.shared.lock();
            for (form, count) in demand.viewers.borrow().iter() {
                let needed = viewers.iter().filter(|viewer| viewer.flow.needs(form)).count();
                assert_eq!(needed, *count);
            }
        }
    });
}

#[test]
fn a_viewer_starts_with_a_key_unit() {
    let (renditions, mut demand) = renditions();
    let mut seen = PerForm::default();
    let feed = renditions.feed(Full, &appsrc()).expect("there is one");
    assert!(!wished(&mut demand, &mut seen, Full), "it has not begun");
    feed.resume();
    assert!(wished(&mut demand, &mut seen, Full));
    push(&renditions, Full, &picture(0, Unit::Delta));
    push(&renditions, Full, &picture(699, Unit::Delta));
    assert_eq!(feed.pushed(), 0);
    assert!(!wished(&mut demand, &mut seen, Full), "it is on its way");
    push(&renditions, Full, &picture(700, Unit::Delta));
    assert!(wished(&mut demand, &mut seen, Full), "it asks again");
    push(&renditions, Full, &picture(1040, Unit::Key));
    push(&renditions, Full, &picture(1080, Unit::Delta));
    assert_eq!((feed.pushed(), renditions.encoded(Full)), (2, 5));
    feed.pause();
    push(&renditions, Full, &picture(1120, Unit::Key));
    assert_eq!(feed.pushed(), 2);
    feed.key_units().request();
    assert!(!wished(&mut demand, &mut seen, Full), "who is paused needs none");
}

#[test]
fn a_viewer_that_fell_behind_goes_on_with_a_key_unit() {
    let (renditions, mut demand) = renditions();
    let mut seen = PerForm::default();
    let screen = Screen::new();
    let feed = renditions.feed(Full, &screen.appsrc).expect("there is one");
    feed.resume();
    push(&renditions, Full, &picture(0, Unit::Key));
    assert!(wished(&mut demand, &mut seen, Full));
    let delta = |number: u64| push(&renditions, Full, &picture(40 * number, Unit::Delta));

    // Nobody pulls: the sink holds a picture or two, the queue half a second.
    (1..100).for_each(delta);
    let taken = feed.pushed();
    assert!((12..20).contains(&taken), "{taken} pictures of 40 ms");
    assert_eq!((renditions.dropped(Full), feed.dropped()), (100 - taken, 100 - taken));
    assert!(!wished(&mut demand, &mut seen, Full), "a key unit would find no room");

    // All that was queued comes without a hole, and then a key unit.
    assert!((0..taken).all(|expected| screen.pull().0 == 40 * expected));
    delta(100);
    assert!(wished(&mut demand, &mut seen, Full), "now there is room");
    push(&renditions, Full, &picture(4040, Unit::Key));
    delta(102);
    assert_eq!((screen.pull(), screen.pull()), ((4040, true), (4080, false)));
}

#[test]
fn a_viewer_moves_without_a_hole_and_its_time_rises() {
    let (renditions, mut demand) = renditions();
    let mut seen = PerForm::default();
    let screen = Screen::new();
    let feed = renditions.feed(Full, &screen.appsrc).expect("there is one");
    feed.resume();
    let show = |form, pts_ms, unit| {
        let before = feed.pushed();
        push(&renditions, form, &picture(pts_ms, unit));
        (feed.pushed() > before).then(|| screen.pull())
    };
    assert_eq!(show(Full, 100, Unit::Key), Some((100, true)));
    feed.want(Low).expect("there is one");
    assert!(wished(&mut demand, &mut seen, Low));
    assert_eq!(Form::ALL.map(|form| renditions.viewers(form)), [1, 1, 0]);
    assert_eq!(show(Low, 100, Unit::Delta), None);
    assert_eq!(show(Full, 133, Unit::Delta), Some((133, false)));
    assert_eq!((feed.shown(), feed.wanted()), (Full, Low));
    // The small picture was captured before the last of the whole one.
    assert_eq!(show(Low, 100, Unit::Key), Some((134, true)));
    assert_eq!(Form::ALL.map(|form| renditions.viewers(form)), [0, 1, 0]);
    assert_eq!(show(Full, 166, Unit::Key), None);
    assert_eq!(show(Low, 134, Unit::Delta), Some((135, false)));
    assert_eq!(show(Low, 200, Unit::Delta), Some((200, false)));
    feed.want(Full).expect("there is one");
    assert_eq!(show(Full, 233, Unit::Key), Some((233, true)));
    assert_eq!(Form::ALL.map(|form| renditions.viewers(form)), [1, 0, 0]);
}

/// Two encoders' threads, a peer that wishes, and an owner that changes its mind: none
/// waits for another for ever, and each viewer's pictures can be decoded.
#[test]
fn moves_between_two_threads_keep_time_and_order() {
    const TURNS: usize = 20_000;
    const PICTURES: u64 = 100;
    let (renditions, _demand) = renditions();
    let screens = [Screen::new(), Screen::new()];
    let feeds = screens.each_ref().map(|s| renditions.feed(Full, &s.appsrc).expect("there is one"));
    feeds.iter().for_each(Feed::resume);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|threads| {
        let encoder = |form, period_ms: u64| {
            let (renditions, done) = (&renditions, &done);
            threads.spawn(move || {
                for number in (0..).take_while(|_| !done.load(Ordering::Relaxed)) {
                    let unit = if number % 10 == 0 { Unit::Key } else { Unit::Delta };
                    push(renditions, form, &picture(number * period_ms, unit));
                }
            })
        };
        encoder(Full, 2);
        encoder(Low, 3);
        for screen in &screens {
            threads.spawn(|| {
                let mut last = None;
                while !done.load(Ordering::Relaxed) {
                    let limit = gst::ClockTime::from_mseconds(10);
                    let Some(sample) = screen.sink.try_pull_sample(limit) else { continue };
                    let pts = sample.buffer().and_then(|buffer| buffer.pts());
                    assert!(last < pts, "{last:?} before {pts:?}");
                    last = pts;
                }
            });
        }
        let _done = Done(&done);
        let deadline = Instant::now() + Duration::from_secs(60);
        for (turn, feed) in (0..).zip(feeds.iter().cycle()) {
            match turn % 7 {
                0 | 3 => feed.want(Low).expect("there is one"),
                1 | 5 => feed.want(Full).expect("there is one"),
                2 if turn % 4 < 2 => feed.pause(),
                2 => feed.stop(),
                4 => feed.key_units().request(),
                _ => feed.resume(),
            }
            let enough = turn >= TURNS && feeds.iter().all(|feed| feed.pushed() > PICTURES);
            if enough || Instant::now() > deadline {
                break;
            }
        }
    });
    assert!(feeds.iter().all(|feed| feed.pushed() > PICTURES));
}

/// Lets the threads end, however their test does.
struct Done<'a>(&'a std::sync::atomic::AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
