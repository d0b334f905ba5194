//! `signpost diagnose` against the real program: a healthy device passes all steps, and each
//! trouble fails at its step, with what to do.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

const PASSWORD: &str = "quiet-river-7431";

fn signpost(state: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signpost"));
    command.env("STATE_DIRECTORY", state).stdin(Stdio::null());
    command
}

/// A running device; killed when dropped.
struct Device {
    child: Child,
    url: String,
    state: tempfile::TempDir,
}

impl Device {
    fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let state = tempfile::tempdir().unwrap();
        if !arguments.contains(&"--open") {
            let mut child = signpost(state.path());
            child.arg("password").stdin(Stdio::piped()).stdout(Stdio::null());
            let mut child = child.spawn().unwrap();
            writeln!(child.stdin.take().unwrap(), "{PASSWORD}").unwrap();
            assert!(child.wait().unwrap().success());
        }
        let mut run = signpost(state.path());
        run.args(["run", "--source", "demo"]).args(arguments);
        if !arguments.contains(&"--listen") {
            run.args(["--listen", "127.0.0.1:0"]);
        }
        run.envs(variables.iter().copied()).stdout(Stdio::piped());
        let mut child = run.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening ").expect("the first line says where");
        Self { child, url: url.to_owned(), state }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Steps as they were told, the summary, and the exit code.
#[derive(Debug)]
struct Told {
    steps: Vec<Value>,
    summary: Value,
    code: Option<i32>,
}

impl Told {
    fn read(output: &Output) -> Self {
        let text = String::from_utf8_lossy(&output.stdout);
        let mut steps: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let summary = steps.pop().unwrap_or_else(|| panic!("nothing was told: {output:?}"));
        Self { steps, summary, code: output.status.code() }
    }

    fn of(&self, verdict: &str) -> Vec<&str> {
        let of = self.steps.iter().filter(|step| step["verdict"] == verdict);
        of.map(|step| step["name"].as_str().unwrap()).collect()
    }

    /// The one step that failed.
    fn fault(&self) -> &Value {
        assert_eq!((self.code, self.of("fail").len()), (Some(1), 1), "{self:#?}");
        assert_eq!(self.summary["passed"], false);
        let fault = self.steps.iter().find(|step| step["verdict"] == "fail").unwrap();
        assert!(fault["hint"].as_str().is_some_and(|hint| hint.len() > 10), "{fault}");
        fault
    }
}

/// What is told of `url`, with `typed` on standard input.
fn diagnose(url: &str, more: &[&str], typed: &str) -> Told {
    let state = tempfile::tempdir().unwrap();
    let mut command = signpost(state.path());
    command.args(["diagnose", "--json", url]).args(more);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // One that does not ask does not read.
    let _ = writeln!(child.stdin.take().unwrap(), "{typed}");
    Told::read(&child.wait_with_output().unwrap())
}

#[test]
fn a_healthy_device_passes_every_step() {
    let device = Device::start(&["--open"], &[]);
    let told = diagnose(&device.url, &[], "");
    assert_eq!((told.of("pass").len(), told.code), (13, Some(0)), "{told:#?}");
    assert_eq!(told.summary["passed"], true);
    let picture = told.steps.iter().find(|step| step["name"] == "first picture").unwrap();
    assert!(picture["detail"].as_str().unwrap().contains("640x480"), "{picture}");
    let plain = signpost(device.state.path()).args(["diagnose", &device.url]).output().unwrap();
    let text = String::from_utf8_lossy(&plain.stdout);
    assert!(plain.status.success() && text.contains("\nok     prediction: "), "{text}");
}

#[test]
fn a_device_that_is_stopped_fails_at_the_connection() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let told = diagnose(&format!("http://{free}/"), &[], "");
    let fault = told.fault();
    assert_eq!(fault["name"], "connection");
    assert!(fault["hint"].as_str().unwrap().contains("switched on"), "{fault}");
    assert_eq!((told.of("pass"), told.of("skipped").len()), (vec!["name"], 11));
    let unknown = diagnose("nowhere.invalid", &[], "");
    assert_eq!(unknown.fault()["name"], "name");
}

#[test]
fn a_wrong_password_fails_at_the_login_and_the_right_one_passes() {
    let device = Device::start(&[], &[]);
    let told = diagnose(&device.url, &[], "loud-river-7431");
    let fault = told.fault();
    assert_eq!(fault["name"], "login");
    assert!(fault["hint"].as_str().unwrap().contains("signpost password"), "{fault}");
    assert_eq!(told.of("skipped").len(), 8, "{told:#?}");
    let right = diagnose(&device.url, &[], PASSWORD);
    assert_eq!((right.of("pass").len(), right.code), (13, Some(0)), "{right:#?}");
    let file = device.state.path().join("token");
    std::fs::write(&file, "0".repeat(64)).unwrap();
    let told = diagnose(&device.url, &["--token-file", file.to_str().unwrap()], "");
    assert!(told.fault()["detail"].as_str().unwrap().contains("token"), "{told:#?}");
}

#[test]
fn a_stun_server_out_of_reach_is_named_and_the_rest_passes() {
    // A socket that never answers.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let url = format!("stun:{}", silent.local_addr().unwrap());
    let servers = format!("[\"{url}\"]");
    let device = Device::start(&["--open"], &[("SIGNPOST_ICE__SERVERS", &servers)]);
    let told = diagnose(&device.url, &[], "");
    let fault = told.fault();
    assert_eq!(fault["name"], format!("ICE server {url}"));
    assert!(fault["hint"].as_str().unwrap().contains("ice.servers"), "{fault}");
    assert_eq!(told.of("pass").len(), 12, "{told:#?}");
}

#[test]
fn without_trust_nothing_is_told_to_who_answers() {
    let device = Device::start(&["--listen-https", "127.0.0.1:0"], &[]);
    let told = diagnose(&device.url, &[], PASSWORD);
    let fault = told.fault();
    assert_eq!(fault["name"], "TLS", "{told:#?}");
    assert!(fault["hint"].as_str().unwrap().contains("--authority"), "{fault}");
    assert_eq!(told.of("skipped").len(), 10);
}

/// Only TCP to and from the device's own port passes, as behind a strict firewall.
#[test]
fn a_network_without_udp_fails_at_ice() {
    let state = tempfile::tempdir().unwrap();
    let script = "set -e
        ip link set lo up
        ip link add v0 type veth peer name v1
        ip address add 10.93.0.1/24 dev v0
        ip link set v0 up
        ip link set v1 up
        ip rule add pref 5 ipproto tcp sport 8113 lookup local
        ip rule add pref 6 ipproto tcp dport 8113 lookup local
        ip rule add pref 7 prohibit
        ip rule del pref 0
        ip -6 rule add pref 7 prohibit
        ip -6 rule del pref 0
        \"$0\" run --open --source demo --listen 127.0.0.1:8113 >\"$STATE_DIRECTORY/out\" &
        device=$!
        until grep -q listening \"$STATE_DIRECTORY/out\"; do sleep 0.1; done
        code=0
        \"$0\" diagnose --json http://127.0.0.1:8113/ || code=$?
        kill $device
        wait $device || true
        exit $code";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "sh", "-c", script]);
    command.arg(env!("CARGO_BIN_EXE_signpost")).env("STATE_DIRECTORY", state.path());
    let output = command.stdin(Stdio::null()).output().unwrap();
    let told = Told::read(&output);
    let fault = told.fault();
    assert_eq!(fault["name"], "ICE", "{told:#?}");
    assert!(fault["hint"].as_str().unwrap().contains("UDP"), "{fault}");
    assert_eq!(told.of("skipped"), ["DTLS", "first picture", "data channel", "prediction"]);
}
