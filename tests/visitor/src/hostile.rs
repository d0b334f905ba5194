//! A visitor without a login who tries everything, at a pace.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde::Serialize;
use serde_json::json;

use crate::watch::print;

/// Requests at the same time; the device gives an address 32 connections.
const SENDERS: u32 = 24;

/// No answer within this counts as none.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers are shorter, but for the description of the routes, which needs a login.
const LONGEST_ANSWER: usize = 256 * 1024;

/// One connection in so many is kept for the next request, where the device keeps it too.
const KEPT: u32 = 2;

const METHODS: &[&str] =
    &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"];

/// Without /healthz, which answers 503 where recognition has failed, as in this scenario.
const PATHS: &[&str] = &[
    "/",
    "/login",
    "/setup",
    "/trust",
    "/page/live.js",
    "/page/..%2f..%2fetc%2fpasswd",
    "/metrics",
    "/whep",
    "/whep/00000000000000000000000000000000",
    "/api/v1/webrtc/offer",
    "/api/v1/webrtc/candidate",
    "/api/v1/sessions/x",
    "/api/v1/liveview/stop",
    "/api/v1/snapshot.jpg",
    "/api/v1/stream.mjpeg",
    "/api/v1/knock",
    "/api/v1/status",
    "/api/v1/config",
    "/api/v1/models",
    "/api/v1/models/active",
    "/api/v1/device/restart",
    "/api/v1/log",
    "/api/v1/tls",
    "/api/v1/tls/authority.crt",
    "/api/v1/setup",
    "/api/v1/login",
    "/api/v1/me",
    "/api/v1/users",
    "/api/v1/tokens",
    "/api/v1/openapi.json",
];

/// What became of the requests.
#[derive(Default, Serialize)]
struct Tally {
    requests: u32,
    /// 2xx and 3xx
    served: u32,
    /// 4xx
    refused: u32,
    /// 503 with Retry-After: others are served just now
    put_off: u32,
    /// Any other 5xx
    errors: u32,
    /// The connection ended without one: what was sent is no HTTP, or the device is full.
    unanswered: u32,
    seconds: f64,
}

/// Sends `rate` requests a second for `duration`, chosen by chance, and prints what became of
/// them.
pub fn hostile(address: &str, rate: f64, duration: Duration, seed: u64) {
    let begun = Instant::now();
    let mut all = thread::scope(|scope| {
        let one =
            |sender| scope.spawn(move || at_pace(address, rate, sender, begun, duration, seed));
        let senders: Vec<_> = (0..SENDERS).map(one).collect();
        let tallies = senders.into_iter().map(|one| one.join().expect("a sender does not panic"));
        tallies.fold(Tally::default(), Tally::and)
    });
    all.seconds = begun.elapsed().as_secs_f64();
    let mut line = serde_json::to_value(all).expect("a tally is plain");
    line["event"] = json!("tried");
    print(&line);
}

/// Of an answer.
#[derive(Clone, Copy)]
struct Status {
    code: u16,
    /// Whether it says when to come back.
    retries: bool,
}

impl Tally {
    fn count(&mut self, status: Option<Status>) {
        self.requests += 1;
        *match status.map(|status| status.code) {
            Some(503) if status.is_some_and(|status| status.retries) => &mut self.put_off,
            Some(500..) => &mut self.errors,
            Some(400..500) => &mut self.refused,
            Some(_) => &mut self.served,
            None => &mut self.unanswered,
        } += 1;
    }

    fn and(self, more: Self) -> Self {
        Self {
            requests: self.requests + more.requests,
            served: self.served + more.served,
            refused: self.refused + more.refused,
            put_off: self.put_off + more.put_off,
            errors: self.errors + more.errors,
            unanswered: self.unanswered + more.unanswered,
            seconds: self.seconds,
        }
    }
}

fn at_pace(
    address: &str,
    rate: f64,
    sender: u32,
    begun: Instant,
    duration: Duration,
    seed: u64,
) -> Tally {
    let mut chance = Rng::with_seed(seed ^ (u64::from(sender) << 32));
    let (mut tally, mut kept) = (Tally::default(), None);
    while begun.elapsed() < duration {
        let turn = f64::from(tally.requests * SENDERS + sender) / rate;
        thread::sleep(Duration::from_secs_f64(turn).saturating_sub(begun.elapsed()));
        let bytes = request(address, &mut chance);
        let stream = kept.take().or_else(|| TcpStream::connect(address).ok());
        let answered = stream.and_then(|stream| ask(stream, &bytes));
        tally.count(answered.as_ref().map(|(status, _)| *status));
        kept = answered.and_then(|(_, stream)| stream).filter(|_| chance.u32(0..KEPT) > 0);
    }
    tally
}

/// The status of the answer, and the connection if it can be used again.
fn ask(mut stream: TcpStream, bytes: &[u8]) -> Option<(Status, Option<TcpStream>)> {
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    // The device may have answered and shut before it has all.
    let sent = stream.write_all(bytes);
    let bodiless = bytes.starts_with(b"HEAD ");
    if !bytes.windows(4).any(|window| window == b"\r\n\r\n") {
        // It would wait for the rest.
        stream.shutdown(Shutdown::Write).ok()?;
    }
    let (mut answer, mut part) = (Vec::new(), [0; 16 * 1024]);
    while answer.len() < LONGEST_ANSWER {
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&part[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
        if complete(&answer, bodiless) {
            let status = status(&answer)?;
            return Some((status, sent.is_ok().then_some(stream)));
        }
    }
    Some((status(&answer)?, None))
}

fn status(answer: &[u8]) -> Option<Status> {
    let line = answer.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    let code = std::str::from_utf8(line).ok()?.parse().ok()?;
    let head = answer.split(|byte| *byte == b'{').next().unwrap_or_default();
    let retries = String::from_utf8_lossy(head).to_ascii_lowercase().contains("\r\nretry-after:");
    Some(Status { code, retries })
}

/// Whether all of it is there.
fn complete(answer: &[u8], bodiless: bool) -> bool {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    if bodiless || head.starts_with("http/1.1 204") || head.starts_with("http/1.1 304") {
        return true;
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    match length.and_then(|length| length.trim().parse::<usize>().ok()) {
        Some(length) => answer.len() >= end + 4 + length,
        None => answer.ends_with(b"\r\n0\r\n\r\n"),
    }
}

/// A request by chance.
fn request(address: &str, chance: &mut Rng) -> Vec<u8> {
    let method = pick(METHODS, chance);
    let path =
        if chance.u8(0..4) == 0 { random_path(chance) } else { pick(PATHS, chance).to_owned() };
    match chance.u8(0..12) {
        0 => (0..chance.usize(1..2000)).map(|_| chance.u8(..)).collect(),
        1 => whole(method, &path, "Host: rebound.example\r\n", b""),
        2 => {
            whole(method, &path, &format!("Host: {address}\r\nOrigin: https://x.example\r\n"), b"")
        }
        3 => {
            whole(method, &path, &format!("Host: {address}\r\nX: {}\r\n", "y".repeat(30_000)), b"")
        }
        4 => logs_in(address, chance),
        5 => offers(address, chance),
        6 => nests(address, &path, chance),
        7 => format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nHost: b\r\n\r\n").into_bytes(),
        8 => format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nTransfer-Encoding: chunked\r\n\
             Content-Length: 5\r\n\r\nzz\r\n"
        )
        .into_bytes(),
        9 => with_token(address, method, &path, chance),
        _ => whole(method, &path, &format!("Host: {address}\r\n"), b""),
    }
}

fn pick<'a>(all: &[&'a str], chance: &mut Rng) -> &'a str {
    chance.choice(all).expect("the list is not empty")
}

fn whole(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\n{headers}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn random_path(chance: &mut Rng) -> String {
    let mut path = String::from("/api/v1/");
    for _ in 0..chance.usize(0..300) {
        let byte = chance.u8(..);
        if byte.is_ascii_alphanumeric() || b"/._-?=&".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02x}"));
        }
    }
    path
}

fn json(address: &str, path: &str, body: &str) -> Vec<u8> {
    let headers = format!("Host: {address}\r\nContent-Type: application/json\r\n");
    whole("POST", path, &headers, body.as_bytes())
}

/// Each wrong password costs who checks it more than who sends it.
fn logs_in(address: &str, chance: &mut Rng) -> Vec<u8> {
    let password: String = (0..12).map(|_| chance.alphanumeric()).collect();
    json(address, "/api/v1/login", &json!({ "password": password }).to_string())
}

fn offers(address: &str, chance: &mut Rng) -> Vec<u8> {
    let body: Vec<u8> = (0..chance.usize(0..60_000)).map(|_| chance.u8(..)).collect();
    let headers = format!("Host: {address}\r\nContent-Type: application/sdp\r\n");
    whole("POST", "/whep", &headers, &body)
}

fn nests(address: &str, path: &str, chance: &mut Rng) -> Vec<u8> {
    let depth = chance.usize(1..20_000);
    json(address, path, &format!("{}{}", "[".repeat(depth), "]".repeat(depth)))
}

fn with_token(address: &str, method: &str, path: &str, chance: &mut Rng) -> Vec<u8> {
    let token: String = (0..chance.usize(1..200)).map(|_| chance.alphanumeric()).collect();
    let headers = format!(
        "Host: {address}\r\nAuthorization: Bearer {token}\r\nCookie: signpost_login={token}\r\n"
    );
    whole(method, path, &headers, b"")
}
