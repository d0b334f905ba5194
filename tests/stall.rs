//! A viewer's pipeline that does not stop: it is parked, and nobody waits for it.
//!
//! In a process of its own: it registers an element under a name that viewers use,
//! and that element hangs on its way down.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(dead_code, reason = "other tests use more of the peer than this")]

#[path = "peer/receiver.rs"]
mod receiver;
#[path = "stuck/src/element.rs"]
mod stuck;

use std::time::Duration;

use gstreamer as gst;
use receiver::{PATIENCE, Peer, Seen};
use signpost::camera::{self, Camera, Encoder};
use signpost::clock::Clock;
use signpost::config;
use signpost::sessions::{self, Offer, Sessions};
use tokio::sync::{broadcast, watch};

fn start(stop: watch::Receiver<()>) -> (Sessions, tokio::task::JoinHandle<()>) {
    gst::init().unwrap();
    stuck::register(None).unwrap();
    let clock = Clock::start();
    let encoding = config::Encoder {
        prefer: None,
        bitrate_kbps: 500,
        min_bitrate_kbps: 100,
        low_rendition: true,
    };
    let settings = camera::Settings {
        camera: config::Camera {
            name: "door".into(),
            source: config::Source::Test,
            width: 320,
            height: 240,
            framerate: 30,
            flip: config::Flip::None,
            controls: Default::default(),
        },
        encoding: encoding.clone(),
        encoder: Encoder::probe(None).unwrap(),
        demo_clip: None,
        devices: None,
    };
    let started = Camera::start(settings, clock.clone(), stop);
    let limits = config::Sessions {
        max_viewers: 2,
        keepalive: Duration::from_secs(5),
        negotiation_timeout: Duration::from_secs(10),
        buffer_limit_bytes: 1 << 22,
        offers_per_minute: 120,
        reconnect_waits: Vec::new(),
    };
    let transport_policy = config::TransportPolicy::All;
    let ice = config::Ice {
        servers: Vec::new(),
        allowed_servers: Vec::new(),
        transport_policy,
        udp_ports: None,
    };
    let settings = sessions::Settings { limits, ice, encoder: encoding };
    let (predictions, _) = broadcast::channel(1);
    (Sessions::start(vec![started.camera], &predictions, settings, clock), started.owner)
}

async fn watch_it(sessions: &Sessions) -> (Peer, String) {
    let peer = Peer::new();
    let offer = Offer { sdp: peer.offer(), ..Offer::default() };
    let answer = sessions.offer(offer).await.unwrap();
    peer.accept(&answer.sdp);
    tokio::task::block_in_place(|| {
        peer.until("a picture", |seen| matches!(seen, Seen::Picture(_)).then_some(()));
    });
    (peer, answer.session.to_string())
}

/// Lets what hangs go on when it is dropped.
struct Release;

impl Drop for Release {
    fn drop(&mut self) {
        stuck::release();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_does_not_stop_keeps_nobody_waiting_and_is_parked() {
    // A failed test ends too: the runtime waits for its threads.
    let release = Release;
    let (stop, stopped) = watch::channel(());
    let (sessions, camera) = start(stopped);
    let mut status = sessions.status();
    let (first, session) = watch_it(&sessions).await;
    sessions.close(&session, None).await.unwrap();

    // Its place is free before the teardown's limit, and the next viewer sees a picture beside it.
    let free = status.wait_for(|status| status.viewers == 0);
    let free = tokio::time::timeout(PATIENCE, free).await.expect("it is free").unwrap().clone();
    assert_eq!((free.connections, free.teardowns_stuck), (1, 0), "it is being torn down");
    let (second, _) = watch_it(&sessions).await;
    let parked = status.wait_for(|status| status.parked == 1 && status.connections == 1);
    tokio::time::timeout(PATIENCE, parked).await.expect("it is parked").unwrap();
    assert_eq!(sessions.status().borrow().teardowns_stuck, 1);

    drop(release);
    let stopped = status.wait_for(|status| status.parked == 0);
    tokio::time::timeout(PATIENCE, stopped).await.expect("it stops after all").unwrap();
    tokio::time::timeout(PATIENCE, sessions.stop()).await.expect("all ends");
    drop((first, second, stop));
    tokio::time::timeout(PATIENCE, camera).await.expect("stopped in time").unwrap();
}
