#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_webrtc::WebRTCDataChannel;
use proptest::prelude::*;

use super::association::{Number, holds_shutdown, keep_channels, parts, shut, stop};

/// Longer than anything here takes on a busy machine; reaching it is a failure.
const PATIENCE: Duration = Duration::from_secs(30);

fn element(name: &str) -> gst::Element {
    gst::ElementFactory::make(name).build().unwrap()
}

fn id(element: &gst::Element) -> u32 {
    element.property("sctp-association-id")
}

/// A webrtcbin with an association, which is what an offer with a data channel makes.
fn associated() -> (gst::Pipeline, gst::Element) {
    gst::init().unwrap();
    let webrtc = element("webrtcbin");
    let pipeline = gst::Pipeline::new();
    pipeline.add(&webrtc).unwrap();
    pipeline.set_state(gst::State::Ready).unwrap();
    let options = None::<gst::Structure>;
    let _channel: WebRTCDataChannel =
        webrtc.emit_by_name("create-data-channel", &[&"commands", &options]);
    let (post, created) = mpsc::channel();
    let promise = gst::Promise::with_change_func(move |_| post.send(()).unwrap());
    webrtc.emit_by_name::<()>("create-offer", &[&options, &promise]);
    created.recv_timeout(PATIENCE).expect("an offer in time");
    (pipeline, webrtc)
}

#[test]
fn both_parts_of_each_association_get_its_own_number() {
    let mut seen = HashSet::new();
    let held: Vec<_> = [associated(), associated()]
        .into_iter()
        .map(|(pipeline, webrtc)| {
            let number = Number::give();
            number.set(&webrtc);
            let ids = |name| parts(&webrtc, name).iter().map(id).collect::<Vec<_>>();
            let own = vec![u32::from(number.0)];
            assert_eq!((ids("sctpdec"), ids("sctpenc")), (own.clone(), own));
            seen.insert(number.0);
            (number, pipeline, webrtc)
        })
        .collect();
    assert_eq!(seen.len(), held.len());
    for (_, pipeline, webrtc) in &held {
        pipeline.set_state(gst::State::Null).unwrap();
        stop(webrtc);
    }
}

#[test]
fn a_channel_stays_as_long_as_its_webrtcbin() {
    gst::init().unwrap();
    let webrtc = element("webrtcbin");
    keep_channels(&webrtc);
    // Another one's, because webrtcbin itself would hold a channel of its own.
    let (pipeline, other) = associated();
    let channel: WebRTCDataChannel =
        other.emit_by_name("create-data-channel", &[&"predictions", &None::<gst::Structure>]);
    webrtc.emit_by_name::<()>("prepare-data-channel", &[&channel, &false]);
    pipeline.set_state(gst::State::Null).unwrap();
    let left = channel.downgrade();
    drop((channel, other, pipeline));
    assert!(left.upgrade().is_some());
    drop(webrtc);
    assert!(left.upgrade().is_none());
}

/// Of an association; it takes packets, though there is no peer.
fn open_sink(webrtc: &gst::Element) -> gst::Pad {
    let sink = parts(webrtc, "sctpdec")[0].static_pad("sink").unwrap();
    sink.set_active(true).unwrap();
    sink.send_event(gst::event::StreamStart::new("packets"));
    sink.send_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
    sink
}

#[test]
fn what_comes_after_it_is_shut_is_not_taken() {
    let (pipeline, webrtc) = associated();
    let sink = open_sink(&webrtc);
    shut(&webrtc);
    let taken = Arc::new(AtomicBool::new(false));
    let told = taken.clone();
    sink.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        told.store(true, Ordering::Relaxed);
        gst::PadProbeReturn::Drop
    });
    assert_eq!(sink.chain(gst::Buffer::from_slice([0; 12])), Ok(gst::FlowSuccess::Ok));
    assert!(!taken.load(Ordering::Relaxed));
    pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn it_is_shut_when_the_last_packet_is_taken() {
    let (pipeline, webrtc) = associated();
    let sink = open_sink(&webrtc);
    let ((came, comes), (go, goes)) = (mpsc::channel(), mpsc::channel::<()>());
    let goes = Mutex::new(goes);
    sink.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        came.send(()).unwrap();
        goes.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        gst::PadProbeReturn::Drop
    });
    let packet = thread::spawn(move || sink.chain(gst::Buffer::from_slice([0; 12])));
    comes.recv_timeout(PATIENCE).expect("a packet is being taken");
    let (done, shuts) = mpsc::channel();
    let part = webrtc.clone();
    thread::spawn(move || {
        shut(&part);
        done.send(()).unwrap();
    });
    let early = shuts.recv_timeout(Duration::from_millis(200));
    assert!(early.is_err(), "it did not wait for the packet");
    go.send(()).unwrap();
    shuts.recv_timeout(PATIENCE).expect("it is shut in time");
    assert_eq!(packet.join().unwrap(), Ok(gst::FlowSuccess::Ok));
    pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn an_encoder_that_could_not_start_can_be_dropped() {
    gst::init().unwrap();
    let number = Number::give();
    let make = |name| {
        let (bin, part) = (gst::Bin::new(), element(name));
        bin.add(&part).unwrap();
        number.set(bin.upcast_ref());
        (bin, part)
    };
    let (_holder, first) = make("sctpenc");
    first.set_state(gst::State::Paused).unwrap();
    // Its decoder comes and goes, as in a connection that is closed at once: the
    // association is closed, and is not gone as long as one has it.
    let (_, decoder) = make("sctpdec");
    decoder.set_state(gst::State::Paused).unwrap();
    decoder.set_state(gst::State::Null).unwrap();

    let (bin, encoder) = make("sctpenc");
    assert!(encoder.set_state(gst::State::Paused).is_err(), "the association is closed");
    encoder.set_state(gst::State::Null).unwrap();
    let (done, dropped) = mpsc::channel();
    thread::spawn(move || {
        stop(bin.upcast_ref());
        let source = encoder.static_pad("src").unwrap();
        assert_eq!(source.task_state(), gst::TaskState::Stopped);
        drop((bin, encoder, source));
        done.send(()).unwrap();
    });
    dropped.recv_timeout(PATIENCE).expect("it can be dropped");
    first.set_state(gst::State::Null).unwrap();
}

fn packet(kinds: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut packet = vec![0; 12];
    for (kind, value) in kinds {
        let length = u16::try_from(4 + value.len()).unwrap().to_be_bytes();
        packet.extend([*kind, 0, length[0], length[1]]);
        packet.extend(value);
        packet.resize(packet.len().next_multiple_of(4), 0);
    }
    packet
}

proptest! {
    #[test]
    fn a_shutdown_is_found_among_the_chunks_of_a_packet(
        chunks in prop::collection::vec((0_u8..20, prop::collection::vec(7..=7_u8, 0..9)), 0..6),
    ) {
        let has_one = chunks.iter().any(|(kind, _)| *kind == 7);
        prop_assert_eq!(holds_shutdown(&packet(&chunks)), has_one);
    }

    #[test]
    fn no_packet_makes_the_search_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = holds_shutdown(&bytes);
    }

    #[test]
    fn no_number_is_held_twice(keep in 1_usize..200, more in 0_usize..2000) {
        let oldest = Number::give();
        let mut held = VecDeque::new();
        // So many that each number comes twice.
        for _ in 0..(2 << 16) + more {
            held.push_back(Number::give());
            if held.len() > keep {
                held.pop_front();
            }
        }
        held.push_back(oldest);
        let different: HashSet<u16> = held.iter().map(|one| one.0).collect();
        prop_assert_eq!(different.len(), held.len());
    }
}
