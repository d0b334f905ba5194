//! The release binary, started on a free port of loopback.

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A running `signpost run`.
pub struct Appliance {
    child: Child,
    address: String,
    agent: ureq::Agent,
    /// The login that requests show from now on.
    pub token: Option<String>,
    state: tempfile::TempDir,
}

/// What an HTTP request gets.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Appliance {
    /// Shows the test picture to at most `viewers`.
    pub fn start(viewers: usize) -> Self {
        Self::run(viewers, &["--open"], tempfile::tempdir().unwrap())
    }

    /// The same for those who know `password`.
    pub fn locked(viewers: usize, password: &str) -> Self {
        let state = tempfile::tempdir().unwrap();
        set_password(&state, password);
        Self::run(viewers, &[], state)
    }

    fn run(viewers: usize, entry: &[&str], state: tempfile::TempDir) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_signpost"))
            .args(["run", "--source", "test", "--listen", "127.0.0.1:0"])
            .args(entry)
            .env("SIGNPOST_SESSIONS__MAX_VIEWERS", viewers.to_string())
            .env("SIGNPOST_SESSIONS__KEEPALIVE_S", "1")
            .env("STATE_DIRECTORY", state.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening ").expect("the first line says where");
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let address = address.trim_end_matches('/').to_owned();
        Self { address, child, agent, token: None, state }
    }

    /// Logs in and shows that login from now on.
    pub fn log_in(&mut self, password: &str) -> String {
        let body = serde_json::json!({ "password": password }).to_string();
        let reply = self.post("/api/v1/login", "application/json", body.as_bytes());
        let token = reply.json()["token"].as_str().expect("a token").to_owned();
        self.token = Some(token.clone());
        token
    }

    /// What `signpost password` does while this runs.
    pub fn change_password(&self, password: &str) {
        set_password(&self.state, password);
    }

    pub fn post(&self, path: &str, kind: &str, body: &[u8]) -> Reply {
        let request = self.agent.post(format!("{}{path}", self.address));
        let request = request.header("Authorization", self.bearer());
        read(request.header("Content-Type", kind).send(body).unwrap())
    }

    pub fn patch(&self, path: &str, kind: &str, tag: Option<&str>, body: &str) -> Reply {
        let request = self.agent.patch(format!("{}{path}", self.address));
        let request = request.header("Authorization", self.bearer()).header("Content-Type", kind);
        let request = tag.into_iter().fold(request, |request, tag| request.header("If-Match", tag));
        read(request.send(body).unwrap())
    }

    pub fn delete(&self, path: &str) -> Reply {
        let request = self.agent.delete(format!("{}{path}", self.address));
        read(request.header("Authorization", self.bearer()).call().unwrap())
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token.as_deref().unwrap_or("none"))
    }

    pub fn options(&self, path: &str) -> Reply {
        read(self.agent.options(format!("{}{path}", self.address)).call().unwrap())
    }

    pub fn get(&self, path: &str) -> Reply {
        read(self.ask(path))
    }

    /// Status and body of what is no text.
    pub fn bytes(&self, path: &str) -> (u16, Vec<u8>) {
        let mut response = self.ask(path);
        let body = response.body_mut().read_to_vec().unwrap();
        (response.status().as_u16(), body)
    }

    /// Status of an answer whose body is not read.
    pub fn starts(&self, path: &str) -> u16 {
        self.ask(path).status().as_u16()
    }

    fn ask(&self, path: &str) -> ureq::http::Response<ureq::Body> {
        let request = self.agent.get(format!("{}{path}", self.address));
        request.header("Authorization", self.bearer()).call().unwrap()
    }

    /// Address and port.
    pub fn authority(&self) -> &str {
        self.address.trim_start_matches("http://")
    }

    /// A value of `/api/v1/status`, by its JSON pointer.
    pub fn value(&self, pointer: &str) -> Value {
        let request = self.agent.get(format!("{}/api/v1/status", self.address));
        let reply = read(request.header("Authorization", self.bearer()).call().unwrap());
        reply.json().pointer(pointer).unwrap_or_else(|| panic!("{pointer}: {reply:?}")).clone()
    }

    /// A number of `/api/v1/status`.
    pub fn status(&self, pointer: &str) -> u64 {
        self.value(pointer).as_u64().unwrap()
    }

    /// Whether recognition runs, once it has loaded its models or failed.
    pub fn recognition(&self) -> String {
        loop {
            let state = self.value("/recognition/state").as_str().unwrap().to_owned();
            if state != "starting" {
                return state;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    /// Threads and open files.
    pub fn threads_and_files(&self) -> (usize, usize) {
        let count = |folder: &str| {
            std::fs::read_dir(format!("/proc/{}/{folder}", self.child.id())).unwrap().count()
        };
        (count("task"), count("fd"))
    }
}

fn set_password(state: &tempfile::TempDir, password: &str) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_signpost"))
        .arg("password")
        .env("STATE_DIRECTORY", state.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
    assert!(child.wait().unwrap().success());
}

impl Drop for Appliance {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

fn read(mut response: ureq::http::Response<ureq::Body>) -> Reply {
    let headers = response.headers().iter();
    let headers = headers
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let body = response.body_mut().read_to_string().unwrap();
    Reply { status: response.status().as_u16(), headers, body }
}
