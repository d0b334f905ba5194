//! Models brought to a device that runs, over its API and by the command line.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use signpost::model::archive;

use super::{Copy, here, installed, shipped, signpost, text};

/// What does not happen within this never does; a busy builder may take seconds.
const PATIENCE: Duration = Duration::from_secs(240);

fn program(state: &Path, bundle: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signpost"));
    command
        .args(["run", "--open", "--listen", "127.0.0.1:0"])
        .env("STATE_DIRECTORY", state)
        .env("SIGNPOST_MODEL__BUNDLE", bundle)
        .stdout(Stdio::piped());
    command
}

/// A device that shows the test picture, and the folder that outlives it.
struct Device<'a> {
    child: Child,
    address: String,
    agent: ureq::Agent,
    state: &'a Path,
}

impl<'a> Device<'a> {
    fn start(state: &'a Path) -> Self {
        let device = Self::of(state, program(state, &shipped()).args(["--source", "test"]));
        device.until("results", |device| device.results() > 0 && !device.models().is_empty());
        device
    }

    /// Whether it gives results or not.
    fn of(state: &'a Path, command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening ").unwrap().trim_end_matches('/');
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        Self { child, address: address.to_owned(), agent, state }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    fn get(&self, path: &str) -> Value {
        self.agent.get(self.url(path)).call().unwrap().body_mut().read_json().unwrap()
    }

    /// Status and body of an answer.
    fn post(&self, archive: &[u8]) -> (u16, Value) {
        let request = self.agent.post(self.url("/api/v1/models"));
        let mut reply = request.header("Content-Type", "application/x-tar").send(archive).unwrap();
        (reply.status().as_u16(), reply.body_mut().read_json().unwrap())
    }

    fn activate(&self, name: &str) -> (u16, Value) {
        let request = self.agent.put(self.url("/api/v1/models/active"));
        let mut reply = request.send_json(json!({ "name": name })).unwrap();
        (reply.status().as_u16(), reply.body_mut().read_json().unwrap())
    }

    fn delete(&self, name: &str) -> u16 {
        let request = self.agent.delete(self.url(&format!("/api/v1/models/{name}")));
        request.call().unwrap().status().as_u16()
    }

    /// Brings a bundle and lets it read.
    fn bring(&self, folder: &Path, name: &str) {
        let (status, told) = self.post(&packed(folder));
        assert_eq!(status, 201, "{told}");
        let (status, told) = self.activate(name);
        assert_eq!(status, 200, "{told}");
    }

    fn results(&self) -> u64 {
        self.get("/api/v1/status")["recognition"]["results"].as_u64().unwrap()
    }

    /// Name and version of the model that reads.
    fn model(&self) -> String {
        self.get("/api/v1/status")["recognition"]["model"].as_str().unwrap_or_default().to_owned()
    }

    /// Names of all models with their states.
    fn models(&self) -> Vec<(String, String)> {
        let all = self.get("/api/v1/models")["models"].clone();
        let text = |model: &Value, key: &str| model[key].as_str().unwrap().to_owned();
        all.as_array()
            .unwrap()
            .iter()
            .map(|model| (text(model, "name"), text(model, "state")))
            .collect()
    }

    fn put_back(&self) -> Value {
        self.get("/api/v1/models")["put_back"].clone()
    }

    fn until(&self, what: &str, reached: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !reached(self) {
            assert!(begun.elapsed() < PATIENCE, "no {what}: {}", self.get("/api/v1/status"));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends it and waits.
    fn end(mut self, signal: Signal) -> &'a Path {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.child.wait().unwrap();
        self.state
    }
}

impl Drop for Device<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn packed(folder: &Path) -> Vec<u8> {
    let names = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
    let names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    let mut bytes = Vec::new();
    archive::pack(folder, names.iter().map(String::as_str), &mut bytes).unwrap();
    bytes
}

fn both(models: &[(&str, &str)]) -> Vec<(String, String)> {
    models.iter().map(|(name, state)| ((*name).to_owned(), (*state).to_owned())).collect()
}

#[test]
fn a_model_is_brought_reads_and_is_removed() {
    if !installed() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let device = Device::start(state.path());
    assert_eq!(device.models(), both(&[("fingerspelling", "active")]));
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    std::io::Write::write_all(&mut gzip, &packed(&here("shapes-anchors"))).unwrap();
    let (status, told) = device.post(&gzip.finish().unwrap());
    assert_eq!((status, &told["signs"]), (201, &json!(["DISC", "SQUARE"])), "{told}");
    assert_eq!(device.model(), "fingerspelling 1");
    assert_eq!(device.activate("shapes-anchors").0, 200);
    assert_eq!(device.model(), "shapes-anchors 1");
    let now = both(&[("fingerspelling", "before"), ("shapes-anchors", "trial")]);
    assert_eq!(device.models(), now);
    let before = device.results();
    device.until("results of the new one", |device| device.results() > before + 5);
    assert_eq!(device.delete("shapes-anchors"), 409);
    assert_eq!(device.delete("fingerspelling"), 409);
    assert_eq!(device.activate("fingerspelling").0, 200);
    assert_eq!(device.model(), "fingerspelling 1");
    assert_eq!(device.delete("shapes-anchors"), 204);
    assert_eq!(device.delete("shapes-anchors"), 404);
    assert_eq!(device.activate("shapes-anchors").0, 404);
    assert_eq!(device.models(), both(&[("fingerspelling", "active")]));
}

#[test]
fn versions_of_one_name_are_told_apart() {
    if !installed() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let device = Device::start(state.path());
    let newer = Copy::of(&shipped());
    newer.replace("version = \"1\"", "version = \"2\"");
    let (status, told) = device.post(&packed(newer.path()));
    assert_eq!(status, 201, "{told}");
    let id = told["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("fingerspelling-"), "{id}");
    // By its name the one that was brought last is meant, however often it is asked for.
    for _ in 0..3 {
        assert_eq!(device.activate("fingerspelling").0, 200);
        assert_eq!(device.model(), "fingerspelling 2");
    }
    assert_eq!(device.activate("device").0, 200);
    assert_eq!(device.model(), "fingerspelling 1");
    assert_eq!(device.delete("device"), 409);
    assert_eq!(device.activate(&id).0, 200);
    assert_eq!(device.model(), "fingerspelling 2");
    assert_eq!(device.activate("device").0, 200);
    assert_eq!(device.delete(&id), 204);
    assert_eq!(device.models(), both(&[("fingerspelling", "active")]));
}

#[test]
fn a_model_that_fails_on_every_picture_is_counted_and_no_reason_to_restart() {
    if !installed() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let mut command = program(state.path(), &here("dark-only"));
    command.args(["--source", "test"]).env("SIGNPOST_WATCHDOG__DEADLINE_S", "2");
    let device = Device::of(state.path(), &mut command);
    let failed = |device: &Device<'_>| {
        device.get("/api/v1/status")["recognition"]["failed"].as_u64().unwrap()
    };
    device.until("failures", |device| failed(device) > 0);
    // Three times watchdog.deadline_s.
    let (begun, mut before) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(6) {
        device.until("further failures", |device| failed(device) > before);
        before = failed(&device);
        let mut health = device.agent.get(device.url("/healthz")).call().unwrap();
        let told = health.body_mut().read_to_string().unwrap();
        // A machine that stalls may be late with anything else.
        assert!(!told.contains("recognition") && !told.contains("model"), "{told}");
    }
    assert_eq!(device.results(), 0);
    let metrics = device.agent.get(device.url("/metrics")).call().unwrap();
    let metrics = metrics.into_body().read_to_string().unwrap();
    assert!(metrics.contains("signpost_recognition_failed_total "), "{metrics}");
}

/// Signs are people's own words: only who asks for it has them in the log.
#[test]
fn signs_are_logged_where_that_is_switched_on_and_nowhere_else() {
    if !installed() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let device = |switch| {
        let mut command = program(state.path(), &shipped());
        command.args(["--source", "demo"]).env("SIGNPOST_LOG__SIGNS", switch);
        let mut device = Device::of(state.path(), command.stderr(Stdio::piped()));
        let log = follow(device.child.stderr.take().unwrap());
        (device, log)
    };
    let words = ["signed \"H\"", "sees \"H\" (0.", "signed \"E\""];
    let has = |log: &Log, words: &str| log.lock().unwrap().iter().any(|line| line.contains(words));
    let signs = ["signed", "sees"];
    let (with, log) = device("true");
    let begun = Instant::now();
    with.until("signs in the log", |_| words.iter().all(|words| has(&log, words)));
    let lines = log.lock().unwrap().clone();
    let told = lines.iter().filter(|line| signs.iter().any(|words| line.contains(words))).count();
    assert!(told as f64 <= 5.0 * begun.elapsed().as_secs_f64() + 5.0, "{lines:#?}");
    let seen = with.results();
    drop(with);
    let (without, log) = device("false");
    without.until("as many results", |device| device.results() >= seen);
    for words in signs {
        assert!(!has(&log, words), "{:#?}", log.lock().unwrap());
    }
}

/// The lines of a log so far.
type Log = Arc<Mutex<Vec<String>>>;

fn follow(log: ChildStderr) -> Log {
    let lines = Log::default();
    let all = lines.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            all.lock().unwrap().push(line);
        }
    });
    lines
}

#[test]
fn what_is_no_good_bundle_changes_nothing() {
    if !installed() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let device = Device::start(state.path());
    let lying = Copy::of(&here("colour-float32"));
    lying.replace("[1, 32, 32, 3]", "[1, 32, 32, 1]").replace("\"rgb\"", "\"grey\"");
    let cut = Copy::of(&here("colour-float32"));
    let model = std::fs::read(cut.path().join("colour.tflite")).unwrap();
    cut.put("colour.tflite", &model[..model.len() / 2]);
    let links = Copy::of(&here("colour-float32"));
    let mut link = tar::Builder::new(packed(links.path()));
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    link.append_link(&mut header, "passwd", "/etc/passwd").unwrap();
    // The end of the first archive is cut off: two blocks of zeros.
    let links = link.into_inner().unwrap();
    let first = packed(here("colour-float32").as_path()).len() - 1024;
    let links = [&links[..first], &links[first + 1024..]].concat();
    // GStreamer would fetch what it names.
    let playlist = Copy::of(&here("colour-float32"));
    playlist.put("golden.mp4", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n");
    let noise: Vec<u8> = (0..50_000_u32).map(|n| ((n * n) >> 7) as u8).collect();
    for (status, archive, words) in [
        (422, packed(lying.path()), "input.shape = [1, 32, 32, 1]: the model's is [1, 32, 32, 3]"),
        (422, packed(cut.path()), "failed"),
        (422, packed(&here("not-a-number")), "not a number"),
        (422, packed(playlist.path()), "is no MP4, Matroska or WebM file"),
        (422, links, "\"passwd\", which is no plain file"),
        (422, noise, "the archive cannot be read"),
        (422, Vec::new(), "the archive is empty"),
        (413, vec![0x1f; 98 << 20], "more than 97 MiB"),
    ] {
        let (found, told) = device.post(&archive);
        let detail = told["detail"].as_str().unwrap_or_default();
        assert!(found == status && detail.contains(words), "{found} {told}, not {words:?}");
        assert_eq!(device.models(), both(&[("fingerspelling", "active")]));
    }
    let arriving = state.path().join("models/arriving");
    assert_eq!(std::fs::read_dir(arriving).unwrap().count(), 0, "nothing is left behind");
    let before = device.results();
    device.until("results as before", |device| device.results() > before + 5);
}

#[test]
fn a_model_that_ends_the_program_is_put_back_at_its_next_start() {
    if !installed() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let device = Device::start(state.path());
    device.bring(&here("colour-uint8"), "colour-uint8");
    // As a crash of the runtime would.
    let device = Device::start(device.end(Signal::KILL));
    assert_eq!(device.model(), "fingerspelling 1");
    let told = device.put_back();
    assert_eq!(told["model"], "colour-uint8 1");
    assert!(told["reason"].as_str().unwrap().contains("ended"), "{told}");
    // It stays on the device, and an orderly end is not its fault.
    assert_eq!(device.activate("colour-uint8").0, 200);
    let device = Device::start(device.end(Signal::TERM));
    assert_eq!(device.model(), "colour-uint8 1");
    assert_eq!(device.put_back(), Value::Null);
}

#[test]
fn a_model_without_results_is_put_back_while_the_program_runs() {
    if !installed() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let device = Device::start(state.path());
    device.bring(&here("dark-only"), "dark-only");
    device.until("word that it fails", |device| {
        let degraded = device.get("/api/v1/status")["degraded"].to_string();
        degraded.contains("not a number")
    });
    device.until("the one before", |device| device.model() == "fingerspelling 1");
    device.until("word of it", |device| !device.put_back().is_null());
    let told = device.put_back();
    assert!(told["reason"].as_str().unwrap().contains("not a number"), "{told}");
    let before = device.results();
    device.until("results as before", |device| device.results() > before + 5);
}

#[test]
fn a_model_that_is_busy_for_seconds_is_told_and_left_behind_for_the_next() {
    if !installed() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let device = Device::start(state.path());
    device.bring(&here("blocked"), "blocked");
    device.until("word that it is busy", |device| {
        let degraded = device.get("/api/v1/status")["degraded"].to_string();
        degraded.contains("busy with one picture")
    });
    let metrics =
        device.agent.get(device.url("/metrics")).call().unwrap().body_mut().read_to_string();
    assert!(metrics.unwrap().contains("signpost_degraded_info{reason=\"the model is busy"));
    assert_eq!(device.activate("fingerspelling").0, 200);
    let before = device.results();
    device.until("results of the next one", |device| device.results() > before + 30);
    assert_eq!(device.model(), "fingerspelling 1");
    device.until("end of what was said", |device| {
        !device.get("/api/v1/status")["degraded"].to_string().contains("busy")
    });
}

#[test]
fn the_command_line_has_a_model_read_now_or_at_the_next_start() {
    if !installed() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let take = |bundle: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_signpost"));
        command.args(["model", "use"]).arg(bundle).env("STATE_DIRECTORY", state.path());
        let output = command.output().unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, told, wrong) = take(&here("motion-time"));
    assert_eq!(code, Some(0), "{wrong}");
    assert_eq!(told, "motion-time 1 is good and reads as soon as signpost runs.\n");
    let device = Device::start(state.path());
    device.until("the one that was left", |device| device.model() == "motion-time 1");
    let (code, told, wrong) = take(&here("colour-int8"));
    assert_eq!(code, Some(0), "{wrong}");
    assert!(told.starts_with("colour-int8 1 reads; "), "{told}");
    assert_eq!(device.model(), "colour-int8 1");
    // By its name, since it is here.
    let (code, told, wrong) = take(Path::new("motion-time"));
    assert!(code == Some(0) && told.starts_with("motion-time 1 reads; "), "{told}{wrong}");
    let (code, _, wrong) = take(Path::new("nothing"));
    assert!(code == Some(5) && wrong.contains("\"nothing\""), "{wrong}");
    let (code, _, wrong) = take(&here("not-a-number"));
    assert!(code == Some(1) && wrong.contains("not a number"), "{wrong}");
    assert_eq!(device.model(), "motion-time 1");
}

#[test]
fn what_is_said_of_a_model_is_in_the_help() {
    let output = signpost(&["model", "--help"]);
    let told = text(&output.stdout);
    assert!(told.contains("check") && told.contains("use") && !told.contains("try"), "{told}");
}
