//! The same peer against the sessions' owner inside this process, where the
//! test makes the predictions and chooses the limits.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use serde_json::{Value, json};
use signpost::camera::handover::{self, Missed};
use signpost::camera::{self, Camera, Encoder, RawFrame};
use signpost::clock::Clock;
use signpost::config;
use signpost::recognition::{Prediction, Timing};
use signpost::sessions::{self, Offer, OfferError, Sessions, ViewerError};
use tokio::sync::{broadcast, watch};

use super::receiver::{PATIENCE, Peer, Seen};

/// PPIDs of data channels (RFC 8831, 8).
const CONTROL: u32 = 50;
const TEXT: u32 = 51;

struct Inside {
    handle: Camera,
    sessions: Sessions,
    frames: handover::Receiver<RawFrame>,
    predictions: broadcast::Sender<Arc<Prediction>>,
    stop: watch::Sender<()>,
    camera: tokio::task::JoinHandle<()>,
}

impl Inside {
    /// Waits until nobody has a place.
    async fn is_free(&self) {
        let mut status = self.sessions.status();
        let free = status.wait_for(|status| status.viewers == 0 && status.connections == 0);
        tokio::time::timeout(PATIENCE, free).await.expect("a free place in time").unwrap();
    }

    /// Stops everything; a pipeline must not outlive the runtime that stops it.
    async fn end(self) {
        let stopped = tokio::time::timeout(PATIENCE, self.sessions.stop());
        stopped.await.expect("torn down in time");
        assert_eq!(self.sessions.status().borrow().connections, 0);
        assert_eq!(self.sessions.status().borrow().teardowns_stuck, 0);
        drop(self.stop);
        tokio::time::timeout(PATIENCE, self.camera).await.expect("stopped in time").unwrap();
    }
}

/// Addresses of this machine only.
fn lan() -> config::Ice {
    let transport_policy = config::TransportPolicy::All;
    config::Ice {
        servers: Vec::new(),
        allowed_servers: Vec::new(),
        transport_policy,
        udp_ports: None,
    }
}

fn start(negotiation_timeout: Duration) -> Inside {
    start_with(negotiation_timeout, lan(), config::Source::Test)
}

fn start_with(negotiation_timeout: Duration, ice: config::Ice, source: config::Source) -> Inside {
    gst::init().unwrap();
    let clock = Clock::start();
    let (stop, stopped) = watch::channel(());
    let camera = config::Camera {
        name: "door".into(),
        source,
        width: 320,
        height: 240,
        framerate: 30,
        flip: config::Flip::None,
        controls: Default::default(),
    };
    let encoding = config::Encoder {
        prefer: None,
        bitrate_kbps: 500,
        min_bitrate_kbps: 100,
        low_rendition: true,
    };
    let settings = camera::Settings {
        camera,
        encoding,
        encoder: Encoder::probe(None).unwrap(),
        demo_clip: None,
        devices: None,
    };
    let started = Camera::start(settings, clock.clone(), stopped);
    let (predictions, _) = broadcast::channel(32);
    let limits = config::Sessions {
        max_viewers: 1,
        keepalive: Duration::from_secs(5),
        negotiation_timeout,
        buffer_limit_bytes: 1 << 22,
        offers_per_minute: 120,
        reconnect_waits: Vec::new(),
    };
    let encoder = config::Encoder {
        prefer: None,
        bitrate_kbps: 500,
        min_bitrate_kbps: 100,
        low_rendition: true,
    };
    let settings = sessions::Settings { limits, ice, encoder };
    let handle = started.camera.clone();
    let sessions = Sessions::start(vec![started.camera], &predictions, settings, clock);
    let (frames, camera) = (started.frames, started.owner);
    Inside { handle, sessions, frames, predictions, stop, camera }
}

fn prediction(seq: u64, captured_at: gst::ClockTime, transcript: &str) -> Arc<Prediction> {
    Arc::new(Prediction {
        seq,
        captured_at,
        label: None,
        score: 0.5,
        committed: None,
        transcript: transcript.into(),
        committed_total: transcript.len() as u64,
        top: Vec::new(),
        hands: Vec::new(),
        boxes: Vec::new(),
        timing_ms: Timing::default(),
        dropped: 0,
        answered: true,
    })
}

/// Predicts something for every picture of the camera until the test ends.
fn predict_every_picture(inside: &Inside) {
    let (frames, predictions) = (inside.frames.clone(), inside.predictions.clone());
    tokio::spawn(async move {
        loop {
            let RawFrame { index, captured_at, .. } = match frames.recv().await {
                Ok(frame) => frame,
                Err(Missed::Lost(_)) => continue,
                Err(Missed::Closed) => break,
            };
            // Nobody listens before the sessions and after them.
            let _ = predictions.send(prediction(index, captured_at, "HELLO"));
        }
    });
}

async fn answer(inside: &Inside, sdp: String) -> Result<String, OfferError> {
    let offer = Offer { sdp, ..Offer::default() };
    inside.sessions.offer(offer).await.map(|answer| answer.sdp)
}

fn predicted(seen: &Seen) -> Option<Value> {
    match seen {
        Seen::Text(label, text) if label == "predictions" => serde_json::from_str(text).ok(),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn predictions_carry_the_rtp_time_of_their_picture() {
    let inside = start(Duration::from_secs(10));
    predict_every_picture(&inside);
    let peer = Peer::new();
    peer.accept(&answer(&inside, peer.offer()).await.unwrap());
    let (mut pictures, mut named, mut first) = (BTreeSet::new(), BTreeSet::new(), None);
    tokio::task::block_in_place(|| {
        peer.until("60 pictures and predictions", |seen| {
            // RTP time from the first picture on, so that a wrap does not matter.
            let since = |stamp: u32, first: u32| stamp.wrapping_sub(first).cast_signed();
            if let Seen::Picture(stamp) = seen {
                pictures.insert(since(stamp, *first.get_or_insert(stamp)));
            }
            if let (Some(message), Some(first)) = (predicted(&seen), first) {
                let stamp = message["rtp_timestamp"].as_u64().unwrap() as u32;
                named.insert(since(stamp, first));
            }
            (pictures.len() >= 60 && named.len() >= 60).then_some(())
        });
    });
    let last = *pictures.last().unwrap();
    let within: Vec<i32> = named.into_iter().filter(|s| (0..=last).contains(s)).collect();
    let shown = within.iter().filter(|stamp| pictures.contains(stamp)).count();
    assert!(shown >= 20, "{shown} of {within:?} are pictures' times: {pictures:?}");
    // A busy encoder skips pictures that were recognised; their time is still one
    // of the source's 30 a second, to the tick.
    let stray: Vec<&i32> = within.iter().filter(|s| (**s + 1).rem_euclid(3000) > 2).collect();
    assert!(stray.is_empty(), "{stray:?} are no pictures' times");
    inside.end().await;
}

/// Half a second of moving picture.
fn write_clip(path: &Path) {
    gst::init().unwrap();
    let pipeline = gst::parse::launch(
        "videotestsrc num-buffers=15 ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 \
         ! x264enc bframes=0 ! mp4mux ! filesink name=out",
    );
    let pipeline = pipeline.unwrap().downcast::<gst::Pipeline>().unwrap();
    pipeline.by_name("out").unwrap().set_property("location", path.to_str().unwrap());
    pipeline.set_state(gst::State::Playing).unwrap();
    let ended = pipeline.bus().unwrap().timed_pop_filtered(None, &[gst::MessageType::Eos]);
    assert!(ended.is_some());
    pipeline.set_state(gst::State::Null).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rtp_time_rises_over_ten_restarts_of_the_camera_and_two_loops_of_a_clip() {
    let folder = tempfile::tempdir().unwrap();
    let clip = folder.path().join("clip.mp4");
    write_clip(&clip);
    let whole = std::fs::read(&clip).unwrap();
    let source = config::Source::File(clip.clone());
    let inside = start_with(Duration::from_secs(10), lan(), source);
    let peer = Peer::new();
    peer.accept(&answer(&inside, peer.offer()).await.unwrap());
    let mut last = None;
    let mut rises = |what: &str, pictures: usize| {
        let mut count = 0;
        peer.until(what, |seen| {
            let Seen::Picture(stamp) = seen else { return None };
            let step = last.replace(stamp).map(|last: u32| stamp.wrapping_sub(last).cast_signed());
            assert!(step.is_none_or(|step| step > 0), "{what}: {step:?} after {last:?}");
            count += 1;
            (count >= pictures).then_some(())
        });
    };
    let mut status = inside.handle.status();
    for restart in 1..=10 {
        // Each is three times the clip's length.
        tokio::task::block_in_place(|| rises(&format!("pictures before restart {restart}"), 45));
        if restart % 2 == 0 {
            inside.handle.stop_capture();
            status.wait_for(|status| *status == camera::Status::Stopped).await.unwrap();
            inside.handle.start_capture();
        } else {
            // Found damaged when it is played again from its start.
            std::fs::write(&clip, b"no video").unwrap();
            let failed = |status: &camera::Status| matches!(status, camera::Status::Failed(_));
            let away = format!("{:?}", *status.wait_for(failed).await.unwrap());
            assert!(!away.contains("no picture within"), "it is played again and again: {away}");
            tokio::task::block_in_place(|| rises("pictures in its place", 2));
            std::fs::write(&clip, &whole).unwrap();
        }
        let live = |status: &camera::Status| matches!(status, camera::Status::Live(_));
        tokio::time::timeout(PATIENCE, status.wait_for(live)).await.expect("it is back").unwrap();
    }
    tokio::task::block_in_place(|| rises("two loops after the last restart", 45));
    inside.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cleared_transcript_shows_only_what_comes_after() {
    let inside = start(Duration::from_secs(10));
    predict_every_picture(&inside);
    let peer = Peer::new();
    peer.accept(&answer(&inside, peer.offer()).await.unwrap());
    tokio::task::block_in_place(|| {
        let opened = Seen::Opened("commands".into());
        peer.until("commands", |seen| (seen == opened).then_some(()));
        let shown = peer.until("a transcript", |seen| predicted(&seen));
        assert_eq!(shown["transcript"], "HELLO");
        let clear = json!({"type": "transcript.clear"}).to_string();
        peer.commands.send_string_full(Some(&clear)).unwrap();
        let cleared = |seen| predicted(&seen).filter(|m| m["transcript"] == "");
        peer.until("an empty transcript", cleared);
        inside.predictions.send(prediction(1 << 40, gst::ClockTime::ZERO, "HELLOW")).unwrap();
        peer.until("the next sign", |seen| predicted(&seen).filter(|m| m["transcript"] == "W"));
    });
    inside.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_never_connects_gives_its_place_back() {
    let inside = start(Duration::from_millis(300));
    let (silent, late) = (Peer::new(), Peer::new());
    answer(&inside, silent.offer()).await.unwrap();
    assert!(matches!(answer(&inside, late.offer()).await, Err(OfferError::AtCapacity { .. })));
    inside.is_free().await;
    inside.end().await;
}

/// Longer than any test: only something else frees a place in time.
const NEVER: Duration = Duration::from_secs(3600);

/// On one thread: the owner has admitted the offer, and still answers it, when it is left.
#[tokio::test]
async fn a_peer_that_left_before_its_answer_holds_no_place() {
    let inside = start(NEVER);
    let (hasty, next) = (Peer::new(), Peer::new());
    let (hasty, next) = (hasty.offer(), next.offer());
    let mut status = inside.sessions.status();
    let mut offered = Box::pin(answer(&inside, hasty));
    tokio::select! {
        biased;
        admitted = status.wait_for(|status| status.connections == 1) => drop(admitted.unwrap()),
        answered = &mut offered => panic!("answered before it was admitted: {answered:?}"),
    }
    drop(offered);
    // With one place, whoever comes next would meet the ghost.
    answer(&inside, next).await.expect("the place is free");
    let one = status.wait_for(|status| status.connections == 1);
    tokio::time::timeout(PATIENCE, one).await.expect("the ghost gone in time").unwrap();
    inside.end().await;
}

/// On one thread: the owner serves the offers when their peer has gone already.
#[tokio::test]
async fn an_offer_that_nobody_waits_for_is_not_taken_up() {
    let inside = start(NEVER);
    let (hasty, next) = (Peer::new(), Peer::new());
    let sdp = hasty.offer();
    for _ in 0..2 {
        let mut offered = Box::pin(answer(&inside, sdp.clone()));
        let polled = std::future::poll_fn(|context| Poll::Ready(offered.as_mut().poll(context)));
        assert!(polled.await.is_pending());
    }
    answer(&inside, next.offer()).await.expect("the place is free");
    let status = inside.sessions.status().borrow().clone();
    assert_eq!((status.connections, status.answered, status.failed), (1, 1, 0), "{status:?}");
    inside.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_relay_that_answers_the_servers_are_blamed() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = config::IceServer {
        urls: vec![format!("turn:{}", silent.local_addr().unwrap())],
        username: Some("u".into()),
        credential: Some("p".into()),
    };
    let transport_policy = config::TransportPolicy::Relay;
    let ice = config::Ice { servers: vec![server], transport_policy, ..lan() };
    let inside = start_with(Duration::from_secs(10), ice, config::Source::Test);
    let refused = answer(&inside, Peer::new().offer()).await;
    let error = refused.unwrap_err();
    assert!(matches!(error, OfferError::Viewer(ViewerError::NoRelay { .. })), "{error:?}");
    inside.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_channel_of_a_name_is_not_heard() {
    let inside = start(Duration::from_secs(10));
    let peer = Peer::new();
    peer.accept(&answer(&inside, peer.offer()).await.unwrap());
    // What it is shown is told whenever that changes.
    let said = |seen: Seen| match seen {
        Seen::Text(label, text) if label == "commands" => {
            let message: Value = serde_json::from_str(&text).unwrap();
            (message["type"] != "renditions").then_some(message)
        }
        _ => None,
    };
    tokio::task::block_in_place(|| {
        let hello = peer.until("hello", said);
        assert_eq!(hello["type"], "hello");
        let second = peer.open("commands", "second");
        peer.until("a second one", |seen| (seen == Seen::Opened("second".into())).then_some(()));
        let echo = json!({"type": "echo"}).to_string();
        second.send_string_full(Some(&echo)).unwrap();
        second.close();
        for _ in 0..3 {
            peer.commands.send_string_full(Some(&echo)).unwrap();
            // Nobody is greeted twice, and the first channel is still open.
            assert_eq!(peer.until("an echo", said)["type"], "echo");
        }
    });
    inside.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_opens_a_channel_for_frames_is_sent_jpegs() {
    let inside = start(NEVER);
    let peer = Peer::new();
    peer.accept(&answer(&inside, peer.offer()).await.unwrap());
    tokio::task::block_in_place(|| {
        let opened = Seen::Opened("commands".into());
        peer.until("commands", |seen| (seen == opened).then_some(()));
        let channel = peer.open("frames", "frames");
        let jpeg = |seen: Seen| match seen {
            Seen::Binary(label, bytes) if label == "frames" => Some(bytes),
            _ => None,
        };
        let frames: Vec<Vec<u8>> = (0..5).map(|_| peer.until("a frame", jpeg)).collect();
        for frame in &frames {
            assert!(frame.len() <= 64 * 1024);
            assert_eq!(
                (&frame[..2], &frame[frame.len() - 2..]),
                (&[0xff, 0xd8][..], &[0xff, 0xd9][..])
            );
        }
        assert!(frames.windows(2).all(|pair| pair[0] != pair[1]), "the picture moves");
        channel.close();
    });
    inside.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_opens_channels_without_end_is_let_go() {
    let inside = start(NEVER);
    let peer = Peer::new();
    peer.accept(&answer(&inside, peer.offer()).await.unwrap());
    let channels: Vec<_> = tokio::task::block_in_place(|| {
        let opened = Seen::Opened("commands".into());
        peer.until("commands", |seen| (seen == opened).then_some(()));
        (0..3).map(|n| peer.open("commands", &format!("further {n}"))).collect()
    });
    inside.is_free().await;
    drop(channels);
    inside.end().await;
}

/// A message on a stream makes a channel at our side, also where nobody opened one.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_sends_on_streams_without_end_is_let_go() {
    let inside = start(NEVER);
    let peer = Peer::new();
    let names = ["first", "second", "third"];
    let unopened = [100, 101, 102].into_iter().zip(names);
    let unopened: Vec<_> = unopened.map(|(stream, name)| peer.agreed(stream, name)).collect();
    peer.accept(&answer(&inside, peer.offer()).await.unwrap());
    tokio::task::block_in_place(|| {
        let mut closed: BTreeSet<_> = ["commands"].into_iter().chain(names).collect();
        peer.until("all channels", |seen| {
            if let Seen::Opened(name) = seen {
                closed.remove(name.as_str());
            }
            closed.is_empty().then_some(())
        });
        for channel in &unopened {
            channel.send_string_full(Some("unasked")).unwrap();
        }
    });
    inside.is_free().await;
    drop(unopened);
    inside.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn words_that_are_no_text_end_nothing() {
    let inside = start(NEVER);
    let peer = Peer::new();
    peer.accept(&answer(&inside, peer.offer()).await.unwrap());
    tokio::task::block_in_place(|| {
        let opened = Seen::Opened("commands".into());
        peer.until("commands", |seen| (seen == opened).then_some(()));
        // DATA_CHANNEL_OPEN (RFC 8832, 5.1) of a reliable channel without a protocol.
        let open = |label: &[u8]| {
            let length = u8::try_from(label.len()).unwrap();
            [&[3, 0, 0, 0, 0, 0, 0, 0, 0, length, 0, 0], label].concat()
        };
        peer.raw(200).send(CONTROL, &open(b"\xff")).unwrap();
        let frames = peer.raw(202);
        frames.send(CONTROL, &open(b"frames")).unwrap();
        frames.send(TEXT, b"\xff").unwrap();
        let echo = json!({"type": "echo"}).to_string();
        peer.commands.send_string_full(Some(&echo)).unwrap();
        peer.until("an echo", |seen| match seen {
            Seen::Text(label, text) if label == "commands" => text.contains("echo").then_some(()),
            _ => None,
        });
    });
    assert_eq!(inside.sessions.status().borrow().viewers, 1);
    inside.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_tears_every_pipeline_down() {
    let inside = start(Duration::from_secs(10));
    let peer = Peer::new();
    peer.accept(&answer(&inside, peer.offer()).await.unwrap());
    tokio::task::block_in_place(|| {
        peer.until("a picture", |seen| matches!(seen, Seen::Picture(_)).then_some(()));
    });
    let sessions = inside.sessions.clone();
    inside.end().await;
    let refused = sessions.offer(Offer { sdp: peer.offer(), ..Offer::default() }).await;
    assert!(matches!(refused, Err(OfferError::Unavailable(_))), "{refused:?}");
}
