//! No secret leaves the device: recognisable ones are planted wherever one can stand, and looked
//! for in the log and in the support bundle, over HTTP.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

/// Longer than anything here takes on a busy machine; reaching it is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

const PASSWORD: &str = "canary-Horse-7431";
const TURN: &str = "canary/turn+cre:dential";
const RTSP: &str = "canary-rtsp-pass";
const CODE: &str = "7KQ2-M901";

/// A device whose journal and cores are what the test writes.
struct Device {
    child: Child,
    address: String,
    agent: ureq::Agent,
    token: String,
    folder: tempfile::TempDir,
}

/// A program by this name that prints a file.
fn tool(folder: &Path, name: &str, prints: &str) {
    let file = folder.join("bin").join(name);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, format!("#!/bin/sh\n{prints}\n")).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signpost"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SIGNPOST_") {
            command.env_remove(name);
        }
    }
    command.arg("--config").arg(folder.join("signpost.toml"));
    command.env("STATE_DIRECTORY", folder.join("state"));
    command.env("SIGNPOST_MODEL__RUNTIME", folder.join("none.so"));
    let server = json!([{"urls": ["turn:127.0.0.1:9"], "username": "u", "credential": TURN}]);
    let server = server.to_string().replace("\":", "\"=");
    command.env("SIGNPOST_ICE__SERVERS", server);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// Has the keys made that HTTPS needs.
fn make_keys(folder: &Path) {
    let mut run = command(folder);
    run.args(["run", "--listen", "127.0.0.1:0", "--listen-https", "127.0.0.1:0"]);
    let mut child = run.spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !folder.join("state/tls/server.pem").exists() {
        assert!(Instant::now() < deadline, "a certificate in time");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

impl Device {
    /// With programs of the system from this path.
    fn start(folder: tempfile::TempDir, path: &str) -> Self {
        let camera = format!("rtsp://root:{RTSP}@127.0.0.1:9/door");
        let text = format!("[[camera]]\nname = \"door\"\nsource = \"{camera}\"\n");
        std::fs::write(folder.path().join("signpost.toml"), text).unwrap();
        let mut password = command(folder.path());
        let mut child = password.arg("password").stdin(Stdio::piped()).spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "{PASSWORD}").unwrap();
        assert!(child.wait().unwrap().success());
        std::fs::write(folder.path().join("state/setup-code"), CODE).unwrap();
        make_keys(folder.path());
        let mut run = command(folder.path());
        run.args(["run", "--listen", "127.0.0.1:0"]);
        let mut child = run.env("PATH", path).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let address = first.trim().strip_prefix("listening ").unwrap().trim_end_matches('/');
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut device =
            Self { child, address: address.to_owned(), agent, token: String::new(), folder };
        let login = device.post("/api/v1/login", &json!({"password": PASSWORD}));
        device.token = login["token"].as_str().unwrap().to_owned();
        device
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let request = self.agent.post(format!("{}{path}", self.address));
        let request = request.header("Authorization", format!("Bearer {}", self.token));
        let request = request.header("Content-Type", "application/json");
        let mut answer = request.send(body.to_string()).unwrap();
        serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
    }

    fn get(&self, path: &str) -> (u16, Vec<u8>) {
        let request = self.agent.get(format!("{}{path}", self.address));
        let request = request.header("Authorization", format!("Bearer {}", self.token));
        let mut answer = request.call().unwrap();
        let status = answer.status().as_u16();
        (status, answer.body_mut().read_to_vec().unwrap())
    }

    fn text(&self, path: &str) -> String {
        let (status, body) = self.get(path);
        let text = String::from_utf8(body).unwrap();
        assert_eq!(status, 200, "{path}: {text}");
        text
    }

    /// The files of a bundle, by name.
    fn bundle(&self) -> BTreeMap<String, String> {
        let (status, body) = self.get("/api/v1/support-bundle");
        assert_eq!(status, 200);
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&body[..]));
        let files = archive.entries().unwrap().map(|file| {
            let mut file = file.unwrap();
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            (file.path().unwrap().file_name().unwrap().to_string_lossy().into_owned(), text)
        });
        files.collect()
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn line(message: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    json!({"__REALTIME_TIMESTAMP": now.to_string(), "PRIORITY": "4", "MESSAGE": message,
        "TARGET": "signpost::camera::owner", "CAMERA": message})
    .to_string()
}

/// What is written into journal and core, and what of it must not come out.
fn planted(device: &Device, tokens: &[String]) -> (Vec<String>, Vec<String>) {
    let read = |name: &str| std::fs::read_to_string(device.state().join(name)).unwrap();
    let lines = |name: &str| -> Vec<String> {
        let text = read(name);
        let key = text.split("PRIVATE KEY-----").nth(1).unwrap().lines();
        key.filter(|line| !line.is_empty() && !line.starts_with('-')).map(str::to_owned).collect()
    };
    let keys = [lines("tls/server.key"), lines("tls/authority.pem")].concat().into_iter();
    let accounts: Value = serde_json::from_str(&read("accounts.json")).unwrap();
    let hash = |pointer: &str| accounts.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut secrets: Vec<String> = keys.chain(tokens.iter().cloned()).collect();
    secrets.extend([
        read("password").trim().to_owned(),
        hash("/users/0/password"),
        hash("/tokens/0/hash"),
        TURN.to_owned(),
        RTSP.to_owned(),
        CODE.to_owned(),
        CODE.replace('-', "").to_lowercase(),
        BASE64_STANDARD.encode(TURN),
        BASE64_STANDARD.encode(format!("root:{RTSP}")),
        "canary%2Fturn%2Bcre%3Adential".to_owned(),
        hex(TURN),
    ]);
    let mut messages: Vec<String> =
        secrets.iter().map(|secret| format!("refused: no route for {secret}; again")).collect();
    messages.extend([
        format!("login of admin with password: {PASSWORD}"),
        format!("POST /api/v1/login {{\"user\":\"admin\",\"password\":\"{PASSWORD}\"}}"),
        "open https://door.local/, set-up code 9ZZZ-9YYY".to_owned(),
        "rtsp://x:canary-old-pass@cam/1: 401".to_owned(),
        "Authorization: Bearer canary0old0token".to_owned(),
        "Cookie: __Host-signpost_login=canary0cookie".to_owned(),
        "a=ice-pwd:canaryIcePassword0123".to_owned(),
        "-----BEGIN PRIVATE KEY-----\ncanaryOldKey\n-----END PRIVATE KEY-----".to_owned(),
        "signed \"Q\"".to_owned(),
        "sees \"Q\" (0.97)".to_owned(),
    ]);
    secrets.extend(["canary", "9ZZZ", "signed \\\"Q", "sees \\\"Q"].map(str::to_owned));
    secrets.push(PASSWORD.to_owned());
    (messages, secrets)
}

fn assert_without(what: &str, text: &str, secrets: &[String]) {
    let lower = text.to_lowercase();
    for secret in secrets {
        assert!(!lower.contains(&secret.to_lowercase()), "{what} holds {secret}");
    }
}

#[test]
fn no_secret_is_in_the_log_or_in_the_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let written = |name: &str| format!("cat '{}'", folder.path().join(name).display());
    tool(folder.path(), "journalctl", &written("journal"));
    tool(folder.path(), "coredumpctl", &written("core"));
    let path = format!("{}:/usr/bin:/bin", folder.path().join("bin").display());
    let device = Device::start(folder, &path);
    let hall = json!({"name": "hall", "role": "viewer", "password": "quiet-canary-river-7431"});
    device.post("/api/v1/users", &hall);
    let token = device.post("/api/v1/tokens", &json!({"name": "wall", "role": "viewer"}));
    let tokens = [device.token.clone(), token["token"].as_str().unwrap().to_owned()];
    let (messages, secrets) = planted(&device, &tokens);
    let journal: Vec<String> = messages.iter().map(|message| line(message)).collect();
    let folder = device.folder.path();
    std::fs::write(folder.join("journal"), journal.join("\n") + "\n").unwrap();
    std::fs::write(folder.join("core"), messages.join("\n")).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !device.text("/api/v1/status").contains("\"state\":\"failed\",\"reason\"") {
        assert!(Instant::now() < deadline, "the camera's failure is told in time");
        std::thread::sleep(Duration::from_millis(50));
    }

    for path in ["/api/v1/log?lines=1000", "/api/v1/log?format=jsonl&lines=1000&text=refused"] {
        let told = device.text(path);
        assert_without(path, &told, &secrets);
        assert!(told.matches("(removed)").count() > secrets.len() - 10, "{path}: {told}");
    }
    let listed = device.text("/api/v1/support-bundle/contents");
    assert_without("contents", &listed, &secrets);
    let files = device.bundle();
    for (name, text) in &files {
        assert_without(name, text, &secrets);
    }
    let listed: Value = serde_json::from_str(&listed).unwrap();
    for entry in listed["entries"].as_array().unwrap() {
        let path = entry["path"].as_str().unwrap();
        if path == "kernel.jsonl" {
            continue;
        }
        assert!(files.contains_key(path), "{path} is listed and not there: {entry}");
    }
    for (name, holds) in [
        ("journal.jsonl", "refused: no route for (removed); again"),
        ("crash.txt", "refused: no route for (removed)"),
        ("configuration.json", "turn:127.0.0.1:9"),
        ("status.json", "\"door\""),
        ("metrics.txt", "signpost_info"),
        ("versions.json", env!("CARGO_PKG_VERSION")),
        ("contents.json", "plain words"),
    ] {
        let found = files.get(name).unwrap_or_else(|| panic!("{name} is missing"));
        assert!(name == "contents.json" || found.contains(holds), "{name}: {found}");
    }
    let checked = device.post("/api/v1/checks/configuration", &json!({})).to_string();
    assert_without("the check", &checked, &secrets);
}

#[test]
fn what_cannot_be_had_says_why_and_the_rest_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bin").display().to_string();
    let device = Device::start(folder, &path);
    let files = device.bundle();
    let list: Value = serde_json::from_str(&files["contents.json"]).unwrap();
    for entry in list["entries"].as_array().unwrap() {
        let path = entry["path"].as_str().unwrap();
        let absent = ["journal.jsonl", "kernel.jsonl", "crash.txt"].contains(&path);
        assert_eq!(entry["absent"].is_string(), absent, "{entry}");
        assert_eq!(files.contains_key(path), !absent, "{entry}");
    }
    assert!(list.to_string().contains("systemd-coredump"), "{list}");
}
