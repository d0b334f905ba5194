//! From settings to values: the only way to make a [`Config`].

use std::path::Path;
use std::time::Duration;

use toml::Value;

use super::keys::{self, CAMERA, Key, Kind};
use super::layer::{Entry, Settings};
use super::problem::{Origin, Problem, shown, without_secrets};
use super::servers;
use super::values::{
    Access, Camera, Config, Effective, Encoder, Http, Ice, Log, Model, Sessions, Source,
    TransportPolicy, Watchdog, Written,
};
use super::words;

/// Checks every value of `settings`; relative file names are taken from
/// `state_dir`. On a problem its value is the default, so that all are found.
pub fn validate(settings: &Settings, state_dir: &Path) -> (Config, Vec<Problem>) {
    let mut check = Check { settings, problems: Vec::new(), effective: Vec::new() };
    let http = Http {
        listen: check.list("http", "listen", |item| words::listen(item.as_str()?)),
        listen_https: check.list("http", "listen_https", |item| words::listen(item.as_str()?)),
        plain: check.text("http", "plain", words::plain),
        allowed_hosts: check.list("http", "allowed_hosts", |item| words::host(item.as_str()?)),
        allowed_origins: check
            .list("http", "allowed_origins", |item| words::origin(item.as_str()?)),
    };
    if !(1..=16).contains(&http.listen.len()) {
        check.reject("http", "listen", None);
    }
    if http.listen_https.len() > 16 {
        check.reject("http", "listen_https", None);
    }
    let access = Access {
        password_file: state_dir.join(check.text("access", "password_file", words::path)),
        login: Duration::from_secs(3600 * check.whole("access", "login_hours")),
    };
    let cameras = check.cameras();
    let encoder = check.encoder();
    let sessions = Sessions {
        max_viewers: check.small("sessions", "max_viewers") as usize,
        keepalive: Duration::from_secs(check.whole("sessions", "keepalive_s")),
        negotiation_timeout: Duration::from_secs(check.whole("sessions", "negotiation_timeout_s")),
        buffer_limit_bytes: check.whole("sessions", "buffer_limit_bytes"),
        offers_per_minute: check.small("sessions", "offers_per_minute"),
        reconnect_waits: check.list("sessions", "reconnect_waits_s", words::wait),
    };
    if !(1..=10).contains(&sessions.reconnect_waits.len()) {
        check.reject("sessions", "reconnect_waits_s", None);
    }
    let ice = Ice {
        servers: check.list("ice", "servers", words::ice_server),
        allowed_servers: check.list("ice", "allowed_servers", servers::Place::parse),
        transport_policy: check.text("ice", "transport_policy", words::transport_policy),
        udp_ports: check.text("ice", "udp_ports", words::ports),
    };
    if ice.transport_policy == TransportPolicy::Relay && !ice.servers.iter().any(words::relays) {
        check.reject("ice", "transport_policy", Some("all without a turn: server in ice.servers"));
    }
    let model = Model {
        bundle: check.text("model", "bundle", words::path),
        hands: check.text("model", "hands", words::path),
        runtime: check.text("model", "runtime", words::path),
        threads: check.small("model", "threads") as usize,
    };
    let log = check.log();
    let watchdog =
        Watchdog { deadline: Duration::from_secs(check.whole("watchdog", "deadline_s")) };
    let Check { problems, effective, .. } = check;
    let config = Config {
        http,
        access,
        cameras,
        encoder,
        sessions,
        ice,
        model,
        log,
        watchdog,
        effective,
        remarks: Vec::new(),
        written: Written::default(),
    };
    (config, problems)
}

/// A value as it may be shown.
fn masked(name: &str, value: &Value) -> serde_json::Value {
    let value = match value {
        Value::String(text) => without_secrets(text).into(),
        other => serde_json::to_value(other).unwrap_or_default(),
    };
    if name == "servers" { words::without_credentials(value) } else { value }
}

/// Whether something of it is not shown.
pub fn holds_secret(name: &str, value: &Value) -> bool {
    serde_json::to_value(value).is_ok_and(|open| open != masked(name, value))
}

struct Check<'a> {
    settings: &'a Settings,
    problems: Vec<Problem>,
    effective: Vec<Effective>,
}

/// A key of one table.
#[derive(Clone, Copy)]
struct Place {
    key: &'static Key,
    index: usize,
}

impl Place {
    fn new(section: &str, index: usize, name: &str) -> Self {
        Self { key: keys::find(section, name).expect("every key that is read is in KEYS"), index }
    }

    fn name(self) -> String {
        let Key { section, name, .. } = self.key;
        if self.index == 0 {
            return format!("{section}.{name}");
        }
        format!("{section}[{}].{name}", self.index)
    }

    fn default(self) -> Value {
        self.key.default()
    }
}

impl Check<'_> {
    /// What stands at `place`, or its default.
    fn written(&self, place: Place) -> Entry {
        let Key { section, name, .. } = *place.key;
        let entry = self.settings.find(section, place.index, name).cloned();
        entry.unwrap_or_else(|| Entry { value: place.default(), origin: Origin::Default })
    }

    /// The value at `place` as `read` takes it, else a problem and the default.
    fn value<T>(&mut self, place: Place, read: impl Fn(&Value) -> Option<T>) -> T {
        let Entry { value, origin } = self.written(place);
        self.show(place, &value, &origin);
        read(&value).unwrap_or_else(|| {
            self.report(place, &value, origin, None);
            read(&place.default()).expect("every default is valid, as a test shows")
        })
    }

    fn report(&mut self, place: Place, value: &Value, origin: Origin, allowed: Option<&str>) {
        let key = place.name();
        let value = shown(&key, value);
        let allowed = allowed.map_or_else(|| place.key.kind.allowed(), str::to_owned);
        self.problems.push(Problem::Value { origin, key, value, allowed });
    }

    /// Reports a value that is wrong only as a whole or together with others.
    fn reject(&mut self, section: &str, name: &str, allowed: Option<&str>) {
        self.reject_at(Place::new(section, 0, name), allowed);
    }

    fn reject_at(&mut self, place: Place, allowed: Option<&str>) {
        let Entry { value, origin } = self.written(place);
        self.report(place, &value, origin, allowed);
    }

    fn show(&mut self, place: Place, value: &Value, origin: &Origin) {
        let Key { section, name, .. } = *place.key;
        let value = masked(name, value);
        let origin = origin.to_string();
        self.effective.push(Effective { section, index: place.index, name, value, origin });
    }

    fn whole(&mut self, section: &str, name: &str) -> u64 {
        self.whole_at(Place::new(section, 0, name))
    }

    fn whole_at(&mut self, place: Place) -> u64 {
        self.value(place, |value| {
            let number = u64::try_from(value.as_integer()?).ok()?;
            match place.key.kind {
                Kind::Whole(low, high) => (low..=high).contains(&number),
                Kind::Even(low, high) => (low..=high).contains(&number) && number % 2 == 0,
                Kind::Flag
                | Kind::Word(_)
                | Kind::Text(_)
                | Kind::List(_)
                | Kind::Numbers(_)
                | Kind::Table(_) => false,
            }
            .then_some(number)
        })
    }

    fn small(&mut self, section: &str, name: &str) -> u32 {
        self.small_at(Place::new(section, 0, name))
    }

    fn small_at(&mut self, place: Place) -> u32 {
        u32::try_from(self.whole_at(place)).expect("the range of this key fits 32 bits")
    }

    fn text<T>(&mut self, section: &str, name: &str, read: impl Fn(&str) -> Option<T>) -> T {
        self.text_at(Place::new(section, 0, name), read)
    }

    fn text_at<T>(&mut self, place: Place, read: impl Fn(&str) -> Option<T>) -> T {
        self.value(place, |value| {
            let text = value.as_str()?;
            match place.key.kind {
                Kind::Word(words) if !words.contains(&text) => None,
                _ => read(text),
            }
        })
    }

    /// The items of a list; one wrong item is the list's problem.
    fn list<T>(&mut self, section: &str, name: &str, read: fn(&Value) -> Option<T>) -> Vec<T> {
        let place = Place::new(section, 0, name);
        self.value(place, |value| value.as_array()?.iter().map(read).collect())
    }

    fn cameras(&mut self) -> Vec<Camera> {
        let mut cameras: Vec<Camera> = Vec::new();
        for index in 0..self.settings.cameras.len().max(1) {
            let at = |name| Place::new(CAMERA, index, name);
            let camera = Camera {
                name: self.text_at(at("name"), words::name),
                source: self.text_at(at("source"), Source::parse),
                width: self.small_at(at("width")),
                height: self.small_at(at("height")),
                framerate: self.small_at(at("framerate")),
                flip: self.text_at(at("flip"), words::flip),
                controls: self.value(at("controls"), words::controls),
            };
            if cameras.iter().any(|other| other.name == camera.name) {
                self.reject_at(at("name"), Some("a name that no other camera has"));
            }
            cameras.push(camera);
        }
        cameras
    }

    fn log(&mut self) -> Log {
        let level = self.text("log", "level", words::level);
        let place = Place::new("log", 0, "modules");
        let Entry { value, origin } = self.written(place);
        let modules = match words::wrong_module(&value) {
            Some(advice) => {
                self.show(place, &value, &origin);
                self.report(place, &value, origin, Some(&advice));
                Vec::new()
            }
            None => self.list("log", "modules", words::module_level),
        };
        let signs = self.value(Place::new("log", 0, "signs"), toml::Value::as_bool);
        Log { level, modules, signs }
    }

    fn encoder(&mut self) -> Encoder {
        let encoder = Encoder {
            prefer: self.text("encoder", "prefer", words::encoder),
            bitrate_kbps: self.small("encoder", "bitrate_kbps"),
            min_bitrate_kbps: self.small("encoder", "min_bitrate_kbps"),
            low_rendition: self
                .value(Place::new("encoder", 0, "low_rendition"), toml::Value::as_bool),
        };
        if encoder.min_bitrate_kbps > encoder.bitrate_kbps {
            self.reject("encoder", "min_bitrate_kbps", Some("at most encoder.bitrate_kbps"));
        }
        encoder
    }
}
