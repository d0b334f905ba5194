//! The figures that Prometheus scrapes, with a viewer connected.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::appliance::Appliance;
use crate::receiver::{Peer, Seen};
use crate::{connected, eventually, whep};

#[test]
fn a_peer_without_transport_wide_feedback_is_followed_by_its_reports() {
    let appliance = Appliance::start(1);
    let peer = Peer::new();
    let offer = peer.offer();
    let kept = offer.split_inclusive('\n').filter(|line| !line.contains("transport-wide-cc"));
    let reply = whep(&appliance, &kept.collect::<String>());
    assert_eq!(reply.status, 201, "{}", reply.body);
    assert!(!reply.body.contains("transport-wide-cc"));
    peer.accept(&reply.body);
    peer.until("a picture", |seen| matches!(seen, Seen::Picture(_)).then_some(()));
    let estimate =
        || appliance.value("/sessions/sessions")[0]["connections"][0]["estimate_kbps"].as_u64();
    eventually("what it reports is taken", || estimate() >= Some(2500));
}

#[test]
fn prometheus_takes_the_figures_and_finds_no_fault() {
    let appliance = Appliance::start(2);
    let (peer, location) = connected(&appliance);
    peer.until("a picture", |seen| matches!(seen, Seen::Picture(_)).then_some(()));
    eventually("a live viewer", || appliance.status("/sessions/connected") == 1);
    appliance.delete(&location);
    drop(peer);
    let (_peer, _) = connected(&appliance);
    let text = appliance.get("/metrics").body;
    let value = |name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} in {text}")).parse().unwrap()
    };
    assert_eq!(value("signpost_viewers"), 1.0);
    assert!(value(r#"signpost_rendition_encoded_total{camera="camera",rendition="full"}"#) > 0.0);
    assert_eq!(value(r#"signpost_rendition_viewers{camera="camera",rendition="low"}"#), 0.0);
    assert!(value("process_resident_memory_bytes") > 1e7);
    assert!(value("process_cpu_seconds_total") > 0.0);
    let (threads, files) = appliance.threads_and_files();
    assert!((value("process_threads") - threads as f64).abs() <= 8.0, "{threads}");
    assert!((value("process_open_fds") - files as f64).abs() <= 8.0, "{files}");
    assert!(!text.contains("session="), "no series for each viewer");
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, of the Debian package prometheus, which ./dev test installs");
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.trim().is_empty(), "{told}{text}");
}
