//! The validated configuration: every value in it can be used as it is.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::LevelFilter;
use serde::Serialize;

use super::layer::{Layer, Settings};
use super::load::Places;
use super::servers::Place;

/// Everything that can be configured, valid.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where the HTTP server listens, and who may talk to it.
    pub http: Http,
    /// Who may log in.
    pub access: Access,
    /// At least one; the first is the default.
    pub cameras: Vec<Camera>,
    /// How pictures are encoded.
    pub encoder: Encoder,
    /// Limits of the viewers.
    pub sessions: Sessions,
    /// How viewers' connections find a path.
    pub ice: Ice,
    /// What recognises.
    pub model: Model,
    /// How much is logged.
    pub log: Log,
    /// When an owner counts as stuck.
    pub watchdog: Watchdog,
    /// Every key with its value and where it came from, in the table's order,
    /// for `signpost check` and the API. Secrets are masked.
    pub effective: Vec<Effective>,
    /// What an operator should know of how this came about, a sentence each.
    pub remarks: Vec<String>,
    /// What all of this was made of.
    pub(super) written: Written,
}

impl Config {
    /// Where the password, what was changed through the API, and models that were brought are
    /// kept.
    #[must_use]
    pub fn state_dir(&self) -> &Path {
        &self.written.state_dir
    }
}

/// What a configuration is made of, for the next one that differs in a few values.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Written {
    /// All layers.
    pub settings: Settings,
    /// The files.
    pub below: Vec<Layer>,
    /// What was changed through the API.
    pub overrides: Settings,
    /// Environment and arguments.
    pub above: Vec<Layer>,
    /// Where relative file names begin.
    pub state_dir: PathBuf,
    /// Where the layers can be read again.
    pub places: Option<Places>,
}

/// `[http]`
#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    /// 1 to 16 addresses.
    pub listen: Vec<SocketAddr>,
    /// Host names that requests may ask for, beside our own; lower case.
    pub allowed_hosts: Vec<String>,
    /// Addresses of HTTPS; none is usual where systemd hands over sockets.
    pub listen_https: Vec<SocketAddr>,
    /// What is served without TLS where there is HTTPS.
    pub plain: Plain,
    /// Origins of foreign pages that may use WHEP; lower case, no slash at the end.
    pub allowed_origins: Vec<String>,
}

/// What is served without TLS where there is HTTPS too.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Plain {
    /// The way to HTTPS.
    Redirect,
    /// What viewers may do.
    View,
}

/// `[access]`
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    /// File that holds the password's hash; absolute unless the state directory is not.
    pub password_file: PathBuf,
    /// How long a login lasts.
    pub login: Duration,
}

/// `[[camera]]`
#[derive(Clone, Debug, PartialEq)]
pub struct Camera {
    /// 1 to 32 of a-z, 0-9, - and _; no other camera has it.
    pub name: String,
    /// Where pictures come from.
    pub source: Source,
    /// Pixels, even.
    pub width: u32,
    /// Pixels, even.
    pub height: u32,
    /// Frames a second.
    pub framerate: u32,
    /// How pictures are turned before they are encoded.
    pub flip: Flip,
    /// What is set at the camera itself, by the names of its controls.
    pub controls: BTreeMap<String, i32>,
}

/// Where a camera's pictures come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// A camera if there is one, else the demo clip.
    Auto,
    /// The clip that is shipped.
    Demo,
    /// A test picture with a barcode of its time.
    Test,
    /// A V4L2 device, such as `/dev/video0`.
    V4l2(PathBuf),
    /// The first camera that libcamera knows.
    Libcamera,
    /// A video file, in real time and in a loop.
    File(PathBuf),
    /// An address `rtsp://..` or `rtsps://..`; may hold credentials.
    Rtsp(String),
}

impl Source {
    /// Reads one of [`super::keys::SOURCE_WORDS`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "auto" => return Some(Self::Auto),
            "demo" => return Some(Self::Demo),
            "test" => return Some(Self::Test),
            "libcamera" => return Some(Self::Libcamera),
            _ => {}
        }
        // "rtsp://.." is what everybody writes first; "rtsp:rtsp://.." is the rule.
        let (word, rest) = text.split_once(':')?;
        match word {
            "v4l2" if rest.starts_with("/dev/") => Some(Self::V4l2(rest.into())),
            "file" if !rest.is_empty() => Some(Self::File(rest.into())),
            "rtsp" if is_rtsp(rest) => Some(Self::Rtsp(rest.to_owned())),
            "rtsp" | "rtsps" if is_rtsp(text) => Some(Self::Rtsp(text.to_owned())),
            _ => None,
        }
    }
}

fn is_rtsp(url: &str) -> bool {
    let rest = url.strip_prefix("rtsp://").or_else(|| url.strip_prefix("rtsps://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && url.chars().all(|c| c.is_ascii_graphic())
}

/// How pictures are turned.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Flip {
    /// As they come.
    #[default]
    None,
    /// Left and right change places.
    Horizontal,
    /// Up and down change places.
    Vertical,
    /// Upside down, for a camera that hangs.
    Rotate180,
}

/// `[encoder]`
#[derive(Clone, Debug, PartialEq)]
pub struct Encoder {
    /// The element to use; `None` takes the first that works.
    pub prefer: Option<String>,
    /// Bit rate at the start and at most.
    pub bitrate_kbps: u32,
    /// Bit rate of the whole picture at least; not over `bitrate_kbps`.
    pub min_bitrate_kbps: u32,
    /// Whether there is a smaller picture for slow viewers.
    pub low_rendition: bool,
}

/// `[sessions]`
#[derive(Clone, Debug, PartialEq)]
pub struct Sessions {
    /// Viewers at the same time.
    pub max_viewers: usize,
    /// Time between two keepalives.
    pub keepalive: Duration,
    /// Time from offer to connection.
    pub negotiation_timeout: Duration,
    /// Bytes in a `commands` channel's buffer, over which the connection ends.
    pub buffer_limit_bytes: u64,
    /// Offers that one address may make in a minute, all at once too.
    pub offers_per_minute: u32,
    /// 1 to 10 waits of a page that has lost its picture, each before an attempt.
    pub reconnect_waits: Vec<Duration>,
}

/// `[ice]`
#[derive(Clone, Debug, PartialEq)]
pub struct Ice {
    /// STUN and TURN servers, for viewers and for us.
    pub servers: Vec<IceServer>,
    /// Where those may be that are set through the API.
    pub allowed_servers: Vec<Place>,
    /// Which paths are tried.
    pub transport_policy: TransportPolicy,
    /// Local UDP ports of the connections; `None` is any.
    pub udp_ports: Option<RangeInclusive<u16>>,
}

/// One server, in the form of RTCConfiguration's `iceServers`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IceServer {
    /// `stun:`, `stuns:`, `turn:` or `turns:` addresses, at least one.
    pub urls: Vec<String>,
    /// For TURN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// For TURN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// Which paths a connection may take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TransportPolicy {
    /// Any.
    All,
    /// Through a TURN server only.
    Relay,
}

/// `[model]`
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Folder of the model bundle.
    pub bundle: PathBuf,
    /// Folder of MediaPipe's two hand models.
    pub hands: PathBuf,
    /// `libLiteRt.so`.
    pub runtime: PathBuf,
    /// Threads of each interpreter.
    pub threads: usize,
}

/// `[log]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Log {
    /// Of everything that has no level of its own.
    pub level: LevelFilter,
    /// Modules of this program with a level of their own, each once.
    pub modules: Vec<(String, LevelFilter)>,
    /// Whether the log may say what is signed.
    pub signs: bool,
}

/// `[watchdog]`
#[derive(Clone, Debug, PartialEq)]
pub struct Watchdog {
    /// An owner that is silent for longer is stuck.
    pub deadline: Duration,
}

/// A value in force, as it may be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Effective {
    /// `http`, or `camera`.
    pub section: &'static str,
    /// Number of the camera; 0 elsewhere.
    pub index: usize,
    /// Name within the section.
    pub name: &'static str,
    /// Without credentials.
    pub value: serde_json::Value,
    /// Where it came from, in words.
    pub origin: String,
}

impl Effective {
    /// `section.name`, or `camera[1].name` from the second camera on.
    #[must_use]
    pub fn key(&self) -> String {
        match self.index {
            0 => format!("{}.{}", self.section, self.name),
            index => format!("{}[{index}].{}", self.section, self.name),
        }
    }
}

/// `127.0.0.0/8`, `::1`, and the former written as IPv6.
#[must_use]
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}
