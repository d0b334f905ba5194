//! HTTP requests, given to the router of a device without cameras.
//!
//! An input is a request as it stands in HTTP, with LF or CRLF: method and path,
//! headers, an empty line, the body.

#![no_main]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::request::Builder;
use axum::http::{Method, Request, Response, StatusCode};
use signpost::clock::Clock;
use signpost::config::{self, Config, Keeper, Layer};
use signpost::device::watch::Known;
use signpost::http::{Access, App, Ends, Entry, Owners, Scheme, router};
use signpost::recognition::{self, exchange::Bundles};
use signpost::sessions::{Sessions, Settings};
use tokio::runtime::Runtime;
use tokio::sync::{broadcast, watch};
use tower::ServiceExt as _;

/// The address that every request comes to, and where it comes from.
const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 80);

/// The only routes that change something for who is not logged in.
const OPEN: [&str; 2] = ["/api/v1/login", "/api/v1/setup"];

/// No answer is longer: the largest is the description of the routes.
const LONGEST_ANSWER: usize = 1 << 20;

/// The limit on offers is lifted as far as it can be, or it is all that is tried.
const CONFIG: &str = "[http]\nallowed_origins = [\"https://wall.example\"]\n\
    [sessions]\noffers_per_minute = 60000\n";

static DEVICE: LazyLock<Device> = LazyLock::new(Device::start);

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for entry in [Entry::Free, Entry::Password] {
        let Some(request) = request(bytes) else { return };
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = DEVICE.answer(entry, request);
        let refused = [StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
        let changes = ![Method::GET, Method::HEAD, Method::OPTIONS].contains(&method);
        if entry == Entry::Password && changes && !OPEN.contains(&&*path) {
            assert!(refused.contains(&response.status()), "{method} {path} without a login");
        }
    }
});

/// A device that asks for no login and one that does, though it has no password.
struct Device {
    runtime: Runtime,
    free: Router,
    closed: Router,
    /// Dropped, they would say that recognition is gone.
    _owners: (watch::Sender<recognition::Status>, broadcast::Sender<Arc<recognition::Prediction>>),
}

impl Device {
    fn start() -> Self {
        gstreamer::init().expect("GStreamer is installed");
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().build().expect("there are threads");
        let running = recognition::Status::Running { model: "letters 1".into(), degraded: None };
        let (recognition, status) = watch::channel(running);
        let (predictions, _) = broadcast::channel(32);
        let file = Layer::File { name: "signpost.toml".into(), text: CONFIG.into() };
        // The state directory does not exist, and none can be made there: nothing is read or
        // written.
        let config =
            config::read(&[file], Path::new("/proc/absent")).expect("it is a configuration");
        let config = Arc::new(config);
        let entered = runtime.enter();
        let serve = |entry| served(&config, entry, &status, &predictions);
        let (free, closed) = (serve(Entry::Free), serve(Entry::Password));
        drop(entered);
        Self { runtime, free, closed, _owners: (recognition, predictions) }
    }

    /// The answer, once it has been seen to be one that a client can use.
    fn answer(&self, entry: Entry, request: Request<Body>) -> Response<()> {
        let router = match entry {
            Entry::Free => &self.free,
            Entry::Password => &self.closed,
        };
        let answer = async {
            let Ok(response) = router.clone().oneshot(request).await;
            let (parts, body) = response.into_parts();
            let body = to_bytes(body, LONGEST_ANSWER).await.expect("an answer has an end");
            (Response::from_parts(parts, ()), body)
        };
        let (response, body) = self.runtime.block_on(answer);
        let status = response.status();
        assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR);
        if status.is_client_error() || status.is_server_error() {
            assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
            let problem: serde_json::Value =
                serde_json::from_slice(&body).expect("a problem is JSON");
            assert_eq!(problem["status"], status.as_u16());
            for key in ["title", "detail", "hint"] {
                assert!(problem[key].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
            }
        }
        response
    }
}

fn served(
    config: &Arc<Config>,
    entry: Entry,
    recognition: &watch::Receiver<recognition::Status>,
    predictions: &broadcast::Sender<Arc<recognition::Prediction>>,
) -> Router {
    let access = Access::new(config, entry).expect("it listens on loopback");
    let clock = Clock::start();
    let (limits, ice) = (config.sessions.clone(), config.ice.clone());
    let settings = Settings { limits, ice, encoder: config.encoder.clone() };
    let sessions = Sessions::start(Vec::new(), predictions, settings, clock.clone());
    let (recognition, predictions) = (recognition.clone(), predictions.subscribe());
    let keeper = Keeper::new(config.clone());
    let (cameras, bundles) = (Vec::new(), Bundles::without_owner(config));
    let failed = watch::channel(0).1;
    let owners = Owners {
        cameras,
        sessions,
        recognition,
        bundles,
        predictions,
        failed,
        clock,
        keeper,
        https: None,
        device_name: Arc::new(watch::Sender::new("door".to_owned())),
        known: watch::channel(Known::default()).1,
    };
    router(App::new(config.clone(), access, owners))
}

/// Reads an input; `None` if hyper would not have let it through.
fn request(bytes: &[u8]) -> Option<Request<Body>> {
    let (first, mut rest) = line(bytes)?;
    let (method, path) = std::str::from_utf8(first).ok()?.split_once(' ')?;
    let mut request = Request::builder().method(method).uri(path);
    let mut host = false;
    while let Some((header, after)) = line(rest) {
        rest = after;
        if header.is_empty() {
            break;
        }
        let colon = header.iter().position(|byte| *byte == b':')?;
        let (name, value) = (&header[..colon], header[colon + 1..].trim_ascii());
        host |= name.eq_ignore_ascii_case(HOST.as_str().as_bytes());
        request = request.header(name, value);
    }
    finished(if host { request } else { request.header(HOST, "127.0.0.1") }, rest)
}

fn finished(request: Builder, body: &[u8]) -> Option<Request<Body>> {
    let peer = SocketAddr::new(LOCAL.ip(), 40000);
    request
        .extension(Ends { peer, local: LOCAL, scheme: Scheme::Http })
        .body(Body::from(body.to_vec()))
        .ok()
}

/// The first line without its end, and what follows.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let line = &bytes[..end];
    Some((line.strip_suffix(b"\r").unwrap_or(line), &bytes[end + 1..]))
}
