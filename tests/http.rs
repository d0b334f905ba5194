//! The program from outside: exit codes, the first line, the way in, what bad
//! requests get. Nothing here needs a model or a camera.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const PASSWORD: &str = "correct horse";

/// No answer within this is a failure; a busy builder may take seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program with nothing of this machine's configuration and without models.
fn signpost(state: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signpost"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SIGNPOST_") {
            command.env_remove(name);
        }
    }
    let config = state.join("signpost.toml");
    if !config.exists() {
        std::fs::write(&config, "").unwrap();
    }
    command.arg("--config").arg(config).env("STATE_DIRECTORY", state);
    command.env("SIGNPOST_MODEL__RUNTIME", state.join("none.so"));
    command.env_remove("RUST_BACKTRACE");
    command.stdin(Stdio::null());
    command
}

fn output(state: &Path, arguments: &[&str]) -> Output {
    signpost(state).args(arguments).output().unwrap()
}

fn set_password(state: &Path) {
    let mut child = signpost(state).arg("password").stdin(Stdio::piped()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{PASSWORD}").unwrap();
    assert!(child.wait().unwrap().success());
}

/// A running appliance; killed when dropped.
struct Device {
    child: Child,
    address: SocketAddr,
}

impl Device {
    fn start(state: &Path, arguments: &[&str]) -> Self {
        let mut command = signpost(state);
        command.args(["run", "--listen", "127.0.0.1:0"]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening http://").and_then(|l| l.strip_suffix("/\n"));
        let address = address.unwrap_or_else(|| panic!("first line {line:?}")).parse().unwrap();
        Self { child, address }
    }

    fn send(&self, request: &str, headers: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let host = if headers.contains("Host:") {
            String::new()
        } else {
            format!("Host: {}\r\n", self.address)
        };
        let length = body.len();
        let head = format!(
            "{request} HTTP/1.1\r\n{host}{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        let mut text = Vec::new();
        stream.read_to_end(&mut text).unwrap();
        Answer::read(&String::from_utf8_lossy(&text))
    }

    fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path}"), "", "")
    }

    fn log_in(&self, password: &str) -> Answer {
        let body = format!("{{\"password\":\"{password}\"}}");
        self.send("POST /api/v1/login", "Content-Type: application/json\r\n", &body)
    }

    /// Asks for the status until `is_so`.
    fn status_when(&self, is_so: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = self.get("/api/v1/status").json();
            if is_so(&status) {
                return status;
            }
            assert!(Instant::now() < deadline, "{status:#}");
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // One that has ended already needs no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no answer: {text:?}"));
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        found.next().unwrap_or_else(|| panic!("no {name} in {self:?}")).1
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    fn is_problem(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        let json = self.json();
        assert_eq!(json["status"], status);
        for key in ["title", "detail", "hint"] {
            assert!(json[key].as_str().is_some_and(|text| !text.is_empty()), "{json}");
        }
    }
}

/// Runs and compares exit code and words of the one message.
#[track_caller]
fn ends(state: &Path, arguments: &[&str], code: i32, words: &[&str]) {
    let output = output(state, arguments);
    let told = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
    for word in words {
        assert!(told.contains(word), "{arguments:?}: no {word:?} in {told}");
    }
    assert!(!told.contains("panicked"), "{told}");
}

#[test]
fn wrong_command_lines_and_configurations_have_their_exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    ends(state, &["--help"], 0, &["run", "check", "read", "bench", "password"]);
    ends(state, &["fly"], 2, &["fly"]);
    ends(state, &["run", "--nonsense"], 2, &["--nonsense"]);
    ends(state, &["run", "--source", "moon"], 3, &["--source", "\"moon\"", "rtsp:URL"]);
    ends(state, &["run", "--listen", "nowhere"], 3, &["--listen", "ADDRESS:PORT"]);
    ends(state, &["run", "--config", "none.toml"], 3, &["none.toml does not exist"]);
    std::fs::write(state.join("signpost.toml"), "[sessions]\nmax_viewer = 3\n").unwrap();
    let unknown = ["signpost.toml:2", "max_viewer = 3", "the nearest is sessions.max_viewers"];
    ends(state, &["run"], 3, &unknown);
    ends(state, &["read", "x.mp4"], 3, &unknown);
    ends(state, &["check"], 1, &unknown);
}

#[test]
fn who_can_reach_us_needs_a_password() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let all = ["run", "--source", "test", "--listen", "0.0.0.0:0"];
    ends(state, &all, 3, &["0.0.0.0:0 needs a password", "`signpost password`"]);
    ends(state, &[&all[..], &["--open"]].concat(), 3, &["--open", "loopback"]);
    std::fs::write(state.join("password"), "damaged").unwrap();
    ends(state, &all, 3, &["is damaged"]);
}

#[test]
fn occupied_port_ends_in_one_line_that_helps() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let arguments = ["run", "--source", "test", "--listen", &address.to_string()];
    let output = output(folder.path(), &arguments);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains(&format!("port {} is in use", address.port())), "{told}");
    assert!(told.contains("--listen 127.0.0.1:0"), "{told}");
    assert!(output.stdout.is_empty(), "nothing is announced");
}

#[test]
fn clips_and_models_that_are_missing_have_their_exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let missing = state.join("none.mp4");
    let missing = missing.to_str().unwrap();
    let source = format!("file:{missing}");
    ends(
        state,
        &["run", "--source", &source, "--listen", "127.0.0.1:0"],
        4,
        &["none.mp4", "does not exist"],
    );
    ends(state, &["read", missing], 4, &["none.mp4"]);
    ends(state, &["bench"], 5, &["signpost: "]);
}

#[test]
fn password_has_a_length_and_stays_private() {
    let folder = tempfile::tempdir().unwrap();
    ends(folder.path(), &["password"], 2, &["8 to 1024"]);
    set_password(folder.path());
    use std::os::unix::fs::PermissionsExt as _;
    let about = std::fs::metadata(folder.path().join("password")).unwrap();
    assert_eq!(about.permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(folder.path().join("password")).unwrap();
    assert!(text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
    assert!(!text.contains("horse"));
}

#[test]
fn login_opens_the_page_and_the_api() {
    let folder = tempfile::tempdir().unwrap();
    set_password(folder.path());
    let device = Device::start(folder.path(), &["--source", "test"]);
    let page = device.get("/");
    assert_eq!((page.status, page.header("location")), (303, "/login"));
    let login = device.get("/login");
    assert_eq!(login.status, 200);
    assert!(login.header("content-security-policy").contains("frame-ancestors 'none'"));
    assert!(!login.header("content-security-policy").contains("unsafe"));
    device.get("/api/v1/status").is_problem(401);
    device.send("POST /whep", "Content-Type: application/sdp\r\n", "v=0\r\n").is_problem(401);
    device.log_in("wrong horse").is_problem(401);
    let granted = device.log_in(PASSWORD);
    assert_eq!(granted.status, 200, "{granted:?}");
    let cookie = granted.header("set-cookie").split(';').next().unwrap().to_owned();
    let token = granted.json()["token"].as_str().unwrap().to_owned();
    for shown in [format!("Cookie: {cookie}\r\n"), format!("Authorization: Bearer {token}\r\n")] {
        for path in ["/", "/api/v1/status", "/metrics"] {
            assert_eq!(device.send(&format!("GET {path}"), &shown, "").status, 200, "{path}");
        }
    }
    let shown = format!("Cookie: {cookie}\r\n");
    assert_eq!(device.send("POST /api/v1/logout", &shown, "").status, 200);
    device.send("GET /api/v1/status", &shown, "").is_problem(401);
    // With the one before: a right password in between forgives none.
    for _ in 0..4 {
        device.log_in("wrong horse").is_problem(401);
    }
    let late = device.log_in(PASSWORD);
    late.is_problem(429);
    assert!(late.header("retry-after").parse::<u64>().unwrap() <= 60);
}

#[test]
fn bad_requests_get_problems() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::start(folder.path(), &["--open", "--source", "test"]);
    let sdp = "Content-Type: application/sdp\r\n";
    device.get("/nowhere").is_problem(404);
    device.send("DELETE /api/v1/status", "", "").is_problem(405);
    device.send("POST /whep", "", "v=0\r\n").is_problem(415);
    device.send("POST /whep", sdp, "").is_problem(400);
    device.send("POST /whep", sdp, &"a".repeat(1 << 20)).is_problem(413);
    device.send("DELETE /whep/0", "", "").is_problem(404);
    let json = "Content-Type: application/json\r\n";
    device.send("POST /api/v1/webrtc/offer", json, "{").is_problem(400);
    device.send("POST /api/v1/webrtc/offer", json, "{}").is_problem(422);
    for host in ["evil.example", "192.0.2.1", "localhost.evil.example:80"] {
        device.send("GET /", &format!("Host: {host}\r\n"), "").is_problem(403);
    }
    let port = device.address.port();
    assert_eq!(device.send("GET /", &format!("Host: localhost:{port}\r\n"), "").status, 200);
    for origin in ["http://evil.example", "null", "http://127.0.0.1"] {
        let foreign = format!("Origin: {origin}\r\n{sdp}");
        device.send("POST /whep", &foreign, "").is_problem(403);
        device.send("POST /api/v1/logout", &foreign, "").is_problem(403);
    }
    let own = format!("Origin: http://{}\r\n", device.address);
    assert_eq!(device.send("POST /api/v1/logout", &own, "").status, 200);
}

#[test]
fn missing_camera_and_model_are_told_and_the_server_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::start(folder.path(), &["--open", "--source", "v4l2:/dev/video987"]);
    let status = device.status_when(|status| {
        status["cameras"][0]["state"] == "failed" && status["recognition"]["state"] == "failed"
    });
    let reason = status["cameras"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("/dev/video987"), "{reason}");
    let reason = status["recognition"]["reason"].as_str().unwrap();
    assert!(reason.contains("none.so"), "{reason}");
    assert_eq!(status["degraded"].as_array().unwrap().len(), 2, "{status:#}");
    let health = device.get("/healthz");
    health.is_problem(503);
    assert_eq!(health.json()["detail"], "model", "a missing camera is no reason to restart");
    assert!(device.get("/metrics").body.contains("signpost_camera_live{camera=\"camera\"} 0"));
}

#[test]
fn status_names_source_and_encoder_and_a_signal_ends_it_well() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = Device::start(folder.path(), &["--open", "--source", "test"]);
    let status = device.status_when(|status| status["cameras"][0]["state"] == "live");
    let camera = &status["cameras"][0];
    for key in ["source", "encoder", "encoder_reason"] {
        assert!(camera[key].as_str().is_some_and(|text| !text.is_empty()), "{camera}");
    }
    assert_eq!((&camera["width"], &camera["height"]), (&1280.into(), &720.into()));
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    let config = device.get("/api/v1/config").json();
    assert_eq!(config["origins"]["camera.source"], "argument --source");
    let pid = device.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(device.child.wait().unwrap().code(), Some(0));
}
