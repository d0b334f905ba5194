//! The program as systemd starts it: with a socket, a place to tell of itself, and a
//! watchdog. Nothing here needs a model or a camera.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than anything here takes on a busy machine; reaching it is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program, with nothing of this machine's configuration and without models.
fn environment(command: &mut Command, state: &Path) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SIGNPOST_") {
            command.env_remove(name);
        }
    }
    command.env("STATE_DIRECTORY", state);
    command.env("SIGNPOST_MODEL__RUNTIME", state.join("none.so"));
    command.stdin(Stdio::null()).stdout(Stdio::null());
}

fn signpost(state: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signpost"));
    environment(&mut command, state);
    command
}

/// A running program; killed when dropped.
struct Running(Child);

impl Running {
    fn terminate(&mut self) -> Option<i32> {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").arg(&id).status().unwrap().success());
        self.0.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already needs no end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What systemd is told, line by line.
struct Systemd {
    socket: UnixDatagram,
    folder: tempfile::TempDir,
}

impl Systemd {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, folder }
    }

    fn run(&self, arguments: &[&str], watchdog: Duration) -> Running {
        Running(self.command(arguments, watchdog).spawn().unwrap())
    }

    fn command(&self, arguments: &[&str], watchdog: Duration) -> Command {
        let mut command = signpost(self.folder.path());
        command.env("NOTIFY_SOCKET", self.folder.path().join("notify"));
        command.env("WATCHDOG_USEC", watchdog.as_micros().to_string());
        command.args(["run", "--open", "--listen", "127.0.0.1:0"]).args(arguments);
        command
    }

    /// Everything that it is told, up to a line that `ends` it.
    fn until(&self, ends: impl Fn(&str) -> bool) -> Vec<String> {
        let mut told = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut message = [0; 4096];
            let length = self.socket.recv(&mut message).expect("it tells systemd of itself");
            let text = String::from_utf8_lossy(&message[..length]).into_owned();
            told.extend(text.lines().map(str::to_owned));
            if told.iter().any(|line| ends(line)) {
                return told;
            }
            assert!(Instant::now() < deadline, "{told:#?}");
        }
    }
}

#[test]
fn systemd_is_told_of_the_first_picture_of_the_state_and_of_the_end() {
    let systemd = Systemd::new();
    let mut running = systemd.run(&["--source", "test"], Duration::from_secs(2));
    let told = systemd.until(|line| line == "READY=1");
    assert!(!told.contains(&"STOPPING=1".to_owned()), "{told:#?}");
    let live = |line: &str| line.starts_with("STATUS=camera: test picture; ");
    if !told.iter().any(|line| live(line)) {
        systemd.until(live);
    }
    for _ in 0..3 {
        systemd.until(|line| line == "WATCHDOG=1");
    }
    assert_eq!(running.terminate(), Some(0));
    systemd.until(|line| line == "STOPPING=1");
}

#[test]
fn a_device_without_its_camera_is_ready_and_alive_and_says_so() {
    let systemd = Systemd::new();
    let mut running = systemd.run(&["--source", "v4l2:/dev/video97"], Duration::from_secs(2));
    let told = systemd.until(|line| line == "READY=1");
    let away = |line: &str| line.starts_with("STATUS=camera: no picture: camera /dev/video97: ");
    if !told.iter().any(|line| away(line)) {
        systemd.until(away);
    }
    for _ in 0..3 {
        systemd.until(|line| line == "WATCHDOG=1");
    }
    assert_eq!(running.terminate(), Some(0));
}

#[test]
fn a_configured_clip_may_come_later() {
    let systemd = Systemd::new();
    let clip = systemd.folder.path().join("clip.mp4");
    let mut command = systemd.command(&[], Duration::from_secs(2));
    command.env("SIGNPOST_CAMERA__SOURCE", format!("file:{}", clip.display()));
    let mut running = Running(command.spawn().unwrap());
    systemd.until(|line| line == "READY=1");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/fingerspelling/golden.mp4");
    std::os::unix::fs::symlink(golden, &clip).unwrap();
    systemd.until(|line| line.starts_with("STATUS=camera: clip "));
    assert_eq!(running.terminate(), Some(0));
}

/// Where Debian's package faketime has its library.
fn faketime() -> Option<std::path::PathBuf> {
    let folders = ["x86_64-linux-gnu", "aarch64-linux-gnu"];
    let path = |folder| Path::new("/usr/lib").join(folder).join("faketime/libfaketime.so.1");
    folders.into_iter().map(path).find(|library| library.exists())
}

#[test]
fn a_clock_that_begins_in_1970_and_jumps_later_harms_nothing() {
    let Some(library) = faketime() else {
        assert!(std::env::var_os("CI").is_none(), "the package faketime is missing");
        println!("skipped: the package faketime is missing");
        return;
    };
    let systemd = Systemd::new();
    let clock = systemd.folder.path().join("clock");
    std::fs::write(&clock, "@1970-01-01 00:00:10").unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = systemd.command(&["--source", "v4l2:/dev/video97"], Duration::from_secs(2));
    command.args(["--listen", &format!("127.0.0.1:{port}")]);
    command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", &clock);
    // A real clock that is not set: the monotonic one is as always.
    command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let mut running = Running(command.spawn().unwrap());
    systemd.until(|line| line == "READY=1");
    systemd.until(|line| line == "WATCHDOG=1");
    // RFC 9110, 6.6.1: the program's own clock, beside a page that works.
    let year = || {
        let answer = ureq::get(format!("http://127.0.0.1:{port}/")).call().unwrap();
        let date = answer.headers()["date"].to_str().unwrap().to_owned();
        date.split(' ').nth(3).unwrap().to_owned()
    };
    let beats = |jump: &str| {
        std::fs::write(&clock, jump).unwrap();
        for _ in 0..4 {
            systemd.until(|line| line == "WATCHDOG=1");
        }
    };
    assert_eq!(year(), "1970");
    beats("@2026-11-22 12:00:00");
    assert_eq!(year(), "2026");
    beats("@1970-01-01 00:00:20");
    // Each of hyper's threads has a date of its own that never goes back.
    assert!(["1970", "2026"].contains(&year().as_str()));
    assert_eq!(running.terminate(), Some(0));
}

#[test]
fn a_service_without_password_shows_its_set_up_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new("systemd-socket-activate");
    environment(&mut command, folder.path());
    for name in ["STATE_DIRECTORY", "SIGNPOST_MODEL__RUNTIME"] {
        command.args(["--setenv", name]);
    }
    // All addresses, as signpost.socket listens; nobody but this test asks.
    command.args(["--listen", &format!("0.0.0.0:{port}")]);
    command.args([env!("CARGO_BIN_EXE_signpost"), "run", "--source", "test"]);
    let Ok(child) = command.stderr(Stdio::null()).spawn() else {
        assert!(std::env::var_os("CI").is_none(), "systemd-socket-activate is missing");
        println!("skipped: systemd-socket-activate is missing");
        return;
    };
    let mut running = Running(child);
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
    let get = |path: &str| {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match agent.get(format!("http://127.0.0.1:{port}{path}")).call() {
                Ok(mut answer) => {
                    let status = answer.status().as_u16();
                    return (status, answer.body_mut().read_to_string().unwrap());
                }
                Err(error) => assert!(Instant::now() < deadline, "{path}: {error}"),
            }
        }
    };
    let (status, page) = get("/setup");
    assert!(status == 200 && page.contains("id=\"setup\""), "{status}: {page}");
    assert_eq!(get("/login").0, 303);
    for path in ["/api/v1/snapshot.jpg", "/api/v1/status", "/api/v1/config", "/metrics"] {
        let (status, problem) = get(path);
        assert!(status == 401 && problem.contains("no password is set"), "{path}: {problem}");
    }
    assert_eq!(get("/").0, 303);
    // It has no model here; until that is found, recognition is starting.
    let deadline = Instant::now() + PATIENCE;
    while get("/healthz").0 != 503 {
        assert!(Instant::now() < deadline, "a missing model is told");
        std::thread::sleep(Duration::from_millis(50));
    }

    let mut set = signpost(folder.path()).arg("password").stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut set.stdin.take().unwrap(), b"correct horse\n").unwrap();
    assert!(set.wait().unwrap().success());
    let deadline = Instant::now() + PATIENCE;
    while !get("/login").1.contains("current-password") {
        assert!(Instant::now() < deadline, "the page to log in is shown once there is a password");
        std::thread::sleep(Duration::from_millis(100));
    }
    let (_, problem) = get("/api/v1/status");
    assert!(problem.contains("not logged in"), "{problem}");
    assert_eq!(running.terminate(), Some(0));
}
