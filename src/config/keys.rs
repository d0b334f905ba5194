//! Every key that exists, with what it may hold: the one table that parsing,
//! error messages, the API and the shipped example agree on.

/// The sections that hold one table each.
pub const SECTIONS: &[&str] =
    &["http", "access", "encoder", "sessions", "ice", "model", "log", "watchdog"];

/// The section that may be written several times, once for each camera.
pub const CAMERA: &str = "camera";

/// One key of the configuration.
#[derive(Debug)]
pub struct Key {
    /// Section, without brackets.
    pub section: &'static str,
    /// Name within the section.
    pub name: &'static str,
    /// What it may hold.
    pub kind: Kind,
    /// Default, as it would be written in the file.
    pub default: &'static str,
    /// What a number counts, in the operator's words; empty where there is nothing to say.
    pub unit: &'static str,
    /// Whether running owners follow it.
    pub live: bool,
    /// Whether it can be set through the API.
    pub api: Api,
}

/// Whether a key can be set through the API. Who is asked with a stolen login, or by a page
/// that got one, must not be able to do more harm than to the picture.
#[derive(Debug)]
pub enum Api {
    /// The worst it can do is to the picture, and the API can undo it.
    Open,
    /// Open for administrators; why for no others.
    Administrator(&'static str),
    /// Likewise, for servers in the places of `ice.allowed_servers`; why for no others.
    AllowedServers(&'static str),
    /// Only files, environment and arguments set it; why.
    Shut(&'static str),
    /// Open for sources that name no file, no address, and no device but a camera; why.
    PlainSource(&'static str),
}

/// Who asks for a change, as far as it matters for keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum By {
    /// Who may change settings.
    Operator,
    /// Who may do everything.
    Administrator,
}

/// What a key may hold.
#[derive(Debug)]
pub enum Kind {
    /// A whole number within these bounds, both included.
    Whole(u64, u64),
    /// An even number within these bounds: chroma has half as many pixels.
    Even(u64, u64),
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Text, described in the operator's words.
    Text(&'static str),
    /// A list whose items are described in the operator's words.
    List(&'static str),
    /// The same, of numbers.
    Numbers(&'static str),
    /// A table, whose entries are described in the operator's words.
    Table(&'static str),
}

impl Kind {
    /// The allowed range, in words.
    #[must_use]
    pub fn allowed(&self) -> String {
        match self {
            Self::Whole(low, high) => format!("a whole number from {low} to {high}"),
            Self::Even(low, high) => format!("an even number from {low} to {high}"),
            Self::Flag => "true or false".to_owned(),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Text(what) => (*what).to_owned(),
            Self::List(item) | Self::Numbers(item) => format!("a list of {item}"),
            Self::Table(entry) => format!("a table of {entry}"),
        }
    }
}

const fn key(section: &'static str, name: &'static str, kind: Kind, default: &'static str) -> Key {
    Key { section, name, kind, default, unit: "", live: false, api: Api::Open }
}

impl Key {
    const fn in_unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    /// Running owners follow it.
    const fn live(mut self) -> Self {
        self.live = true;
        self
    }

    const fn api(mut self, api: Api) -> Self {
        self.api = api;
        self
    }

    /// The default, as a value.
    ///
    /// # Panics
    /// Never: a test reads every default.
    #[must_use]
    pub fn default(&self) -> toml::Value {
        self.default.parse().expect("every default is TOML, as a test shows")
    }

    /// What the shipped example says of every key.
    #[must_use]
    pub fn range(&self) -> String {
        let unit = if self.unit.is_empty() { String::new() } else { format!(", in {}", self.unit) };
        format!("Range: {}{unit}. Default: {}.", self.kind.allowed(), self.default)
    }
}

/// The words of `source`, as `--source` takes them too.
pub const SOURCE_WORDS: &str =
    "auto, demo, test, v4l2:/dev/DEVICE, libcamera, file:PATH or rtsp:URL";

/// The table, in the order of the shipped example.
///
/// Live: flip and controls of a camera; sizes and frame rates of a camera as far as the encoded picture is no larger and no
/// faster than what it was started with, because capture goes on as it is; a keepalive and a
/// buffer's limit for the viewers that connect from then on.
pub const KEYS: &[Key] = &[
    key("http", "listen", Kind::List("1 to 16 of ADDRESS:PORT"), r#"["127.0.0.1:8080"]"#)
        .api(Api::Shut(NETWORK)),
    key("http", "listen_https", Kind::List("up to 16 of ADDRESS:PORT"), "[]")
        .api(Api::Shut(NETWORK)),
    key("http", "plain", Kind::Word(PLAIN), r#""redirect""#).live().api(Api::Administrator(OPENLY)),
    key("http", "allowed_hosts", Kind::List("host names without port"), "[]")
        .live()
        .api(Api::Administrator(FOREIGN)),
    key("http", "allowed_origins", Kind::List("http(s)://HOST[:PORT]"), "[]")
        .live()
        .api(Api::Administrator(FOREIGN)),
    key("access", "password_file", Kind::Text("a file name or path"), r#""password""#)
        .api(Api::Shut(LOGIN)),
    key("access", "login_hours", Kind::Whole(1, 720), "168").in_unit("hours").api(Api::Shut(LOGIN)),
    key(CAMERA, "name", Kind::Text("1 to 32 of a-z, 0-9, - and _, each name once"), r#""camera""#)
        .api(Api::Shut(NAME)),
    key(CAMERA, "source", Kind::Text(SOURCE_WORDS), r#""auto""#).api(Api::PlainSource(SOURCES)),
    key(CAMERA, "width", Kind::Even(160, 3840), "1280").in_unit("pixels").live(),
    key(CAMERA, "height", Kind::Even(120, 2160), "720").in_unit("pixels").live(),
    key(CAMERA, "framerate", Kind::Whole(1, 60), "30").in_unit("frames a second").live(),
    key(CAMERA, "flip", Kind::Word(FLIPS), r#""none""#).live(),
    key(CAMERA, "controls", Kind::Table(CONTROL), "{}").live(),
    key("encoder", "prefer", Kind::Word(ENCODERS), r#""auto""#),
    key("encoder", "bitrate_kbps", Kind::Whole(100, 20_000), "2500").in_unit("kbit/s").live(),
    key("encoder", "min_bitrate_kbps", Kind::Whole(50, 20_000), "300").in_unit("kbit/s").live(),
    key("encoder", "low_rendition", Kind::Flag, "true"),
    key("sessions", "max_viewers", Kind::Whole(1, MOST_VIEWERS), "16").in_unit("viewers").live(),
    key("sessions", "keepalive_s", Kind::Whole(1, 60), "5").in_unit("seconds").live(),
    key("sessions", "negotiation_timeout_s", Kind::Whole(1, 60), "10").in_unit("seconds"),
    key("sessions", "buffer_limit_bytes", Kind::Whole(65_536, 67_108_864), "4194304")
        .in_unit("bytes")
        .live(),
    key("sessions", "offers_per_minute", Kind::Whole(6, 60_000), "120")
        .in_unit("offers a minute")
        .live(),
    key("sessions", "reconnect_waits_s", RECONNECT_WAITS, "[1, 2, 4, 8, 10]")
        .in_unit("seconds")
        .live(),
    key("ice", "servers", Kind::List(ICE_SERVER), "[]").live().api(Api::AllowedServers(ADDRESS)),
    key("ice", "allowed_servers", Kind::List(SERVER_PLACE), SERVER_PLACES)
        .live()
        .api(Api::Shut(LIMIT)),
    key("ice", "transport_policy", Kind::Word(&["all", "relay"]), r#""all""#)
        .live()
        .api(Api::Administrator(PATHS)),
    key("ice", "udp_ports", Kind::Text("FIRST-LAST within 1024-65535, or empty"), r#""""#)
        .live()
        .api(Api::Administrator(PATHS)),
    key("model", "bundle", PATH, r#""/usr/share/signpost/models/fingerspelling""#)
        .api(Api::Shut(FILES)),
    key("model", "hands", PATH, r#""/usr/share/signpost/models/hands""#).api(Api::Shut(FILES)),
    key("model", "runtime", PATH, r#""/usr/lib/signpost/libLiteRt.so""#).api(Api::Shut(CODE)),
    key("model", "threads", Kind::Whole(1, 8), "1").in_unit("threads"),
    key("log", "level", Kind::Word(LEVELS), r#""info""#).live(),
    key("log", "modules", Kind::List(MODULE_LEVEL), "[]").live(),
    key("log", "signs", Kind::Flag, "false").live().api(Api::Shut(PRIVATE)),
    key("watchdog", "deadline_s", Kind::Whole(2, 120), "10")
        .in_unit("seconds")
        .api(Api::Shut(LOOP)),
];

/// The folders of `src/`, each of which logs at a level of its own if that is wanted.
pub const MODULES: &[&str] = &[
    "camera",
    "cascade",
    "checks",
    "config",
    "device",
    "diagnose",
    "history",
    "http",
    "model",
    "recognition",
    "runtime",
    "sessions",
    "support",
    "tls",
    "cli",
];

/// How much is logged.
pub const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];

/// Viewers at most.
pub const MOST_VIEWERS: u64 = 64;

/// What is served without TLS where there is HTTPS.
const PLAIN: &[&str] = &["redirect", "view"];

const NETWORK: &str = "it decides who reaches this device, and a wrong one locks everybody out";
const FOREIGN: &str = "it lets pages of others reach this device";
const LOGIN: &str = "it decides who may log in, and a stolen login could keep itself";
const NAME: &str = "changes made through the API find their camera by it";
const SOURCES: &str = "file:, rtsp: and devices that are no camera would let a login read files and \
    reach addresses from here";
const ADDRESS: &str = "it has this device and its viewers send to other addresses";
const PATHS: &str = "a wrong one keeps viewers from their picture";
const OPENLY: &str = "it lets the picture go through the network unencrypted";
const LIMIT: &str = "it limits what may be set there";
const SERVER_PLACE: &str = "ADDRESS/BITS or domains";
/// Networks of sites and companies (RFC 1918, RFC 6598, RFC 4193), and what mDNS names.
const SERVER_PLACES: &str =
    r#"["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "local"]"#;
const FILES: &str = "it names files of this device";
const CODE: &str = "it names code that this device runs";
const PRIVATE: &str = "what people sign is their own";
const LOOP: &str = "too short a time restarts the device again and again";
/// What `log.modules` takes, in words.
pub const MODULE_LEVEL: &str = "MODULE=LEVEL, each MODULE once, of camera, cascade, checks, \
    config, device, diagnose, history, http, model, recognition, runtime, sessions, support, \
    tls, cli; LEVEL as log.level";
const CONTROL: &str = "up to 32 of NAME = a whole number, as GET /api/v1/cameras lists them";
const PATH: Kind = Kind::Text("a path");
const RECONNECT_WAITS: Kind = Kind::Numbers("1 to 10 numbers from 0.5 to 60");
const ICE_SERVER: &str =
    r#""stun:HOST:PORT" or { urls = ["turn:HOST:PORT"], username = "..", credential = ".." }"#;
const ENCODERS: &[&str] = &["auto", "v4l2h264enc", "x264enc", "openh264enc"];
const FLIPS: &[&str] = &["none", "horizontal", "vertical", "rotate-180"];

/// The key of that name, if there is one.
#[must_use]
pub fn find(section: &str, name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.section == section && key.name == name)
}

/// The module that looks most like a wrong one.
#[must_use]
pub fn nearest_module(wrong: &str) -> &'static str {
    let likeness = |known: &&str| strsim::jaro_winkler(known, wrong);
    let best = MODULES.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    best.expect("there are modules")
}

/// The known key (`section.name`) or section that looks most like a wrong one.
#[must_use]
pub fn nearest(section: &str, name: Option<&str>) -> Option<String> {
    let all = SECTIONS.iter().chain([&CAMERA]);
    let scored: Vec<(f64, String)> = match name {
        None => all.map(|known| (strsim::jaro_winkler(known, section), (*known).into())).collect(),
        Some(name) => KEYS
            .iter()
            .map(|key| {
                // The right name in the wrong section beats a likeness within it.
                let elsewhere = if key.section == section { 0.0 } else { 0.1 };
                let likeness = strsim::jaro_winkler(key.name, name) - elsewhere;
                (likeness, format!("{}.{}", key.section, key.name))
            })
            .collect(),
    };
    let best = scored.into_iter().max_by(|a, b| a.0.total_cmp(&b.0))?;
    // Below this, strsim's likeness names keys that only share a letter or two.
    (best.0 >= 0.7).then_some(best.1)
}
