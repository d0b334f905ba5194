#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::{HashSet, VecDeque};
use std::sync::mpsc;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use proptest::prelude::*;

use super::association::{Number, parts, stop};

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
    let _channel: gstreamer_webrtc::WebRTCDataChannel =
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
    std::thread::spawn(move || {
        stop(bin.upcast_ref());
        let source = encoder.static_pad("src").unwrap();
        assert_eq!(source.task_state(), gst::TaskState::Stopped);
        drop((bin, encoder, source));
        done.send(()).unwrap();
    });
    dropped.recv_timeout(PATIENCE).expect("it can be dropped");
    first.set_state(gst::State::Null).unwrap();
}

proptest! {
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
