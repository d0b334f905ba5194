//! Every class of wrong configuration from outside: what is said, and the exit code. And
//! what is stored, read again, and not stored.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod busy;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// No answer within this is a failure; a busy builder may take seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program with the configuration and the state in `folder`, and nothing of this
/// machine's; without models.
fn signpost(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signpost"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SIGNPOST_") {
            command.env_remove(name);
        }
    }
    let config = folder.join("signpost.toml");
    if !config.exists() {
        fs::write(&config, "").unwrap();
    }
    command.arg("--config").arg(config).env("STATE_DIRECTORY", folder.join("state"));
    command.env("SIGNPOST_MODEL__RUNTIME", folder.join("none.so"));
    command.env_remove("RUST_BACKTRACE").stdin(Stdio::null());
    command
}

/// Ends with this exit code and says these words, and nothing of a panic.
#[track_caller]
fn ends(command: &mut Command, code: i32, words: &[&str]) {
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{told}");
    for word in words {
        assert!(told.contains(word), "no {word:?} in {told}");
    }
    assert!(!told.contains("panicked"), "{told}");
}

/// What cannot be tried here is said; CI can try everything.
fn left_out(what: &str) {
    assert!(std::env::var_os("CI").is_none(), "{what}");
    eprintln!("left out: {what}");
}

/// A running appliance and what it logs; killed when dropped.
struct Device {
    child: Child,
    address: String,
    log: Receiver<String>,
    _out: BufReader<ChildStdout>,
}

impl Device {
    fn start(folder: &Path) -> Self {
        Self::of(signpost(folder).args(["run", "--open", "--source", "test"]))
    }

    fn of(command: &mut Command) -> Self {
        command.args(["--listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (said, log) = channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| said.send(line)));
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let Some(address) = line.trim().strip_prefix("listening ") else {
            panic!("first line {line:?}; {:?}", log.iter().collect::<Vec<_>>());
        };
        Self { child, address: address.trim_end_matches('/').to_owned(), log, _out: out }
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.address))
            .header("content-type", "application/json")
            .body(body.to_owned())
            .unwrap();
        let mut answer = agent.run(request).unwrap();
        let body = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&body).unwrap())
    }

    fn change(&self, wish: &Value) -> (u16, Value) {
        self.ask("PATCH", "/api/v1/config", &wish.to_string())
    }

    fn config(&self) -> Value {
        self.ask("GET", "/api/v1/config", "").1
    }

    /// The first line of the log, from now on, with these words.
    #[track_caller]
    fn says(&self, words: &str) -> String {
        let (deadline, mut before) = (Instant::now() + PATIENCE, Vec::new());
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.log.recv_timeout(left) else {
                panic!("no {words:?} in {before:#?}")
            };
            if line.contains(words) {
                return line;
            }
            before.push(line);
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn bitrate(kbps: u32) -> Value {
    json!({"encoder": {"bitrate_kbps": kbps}})
}

#[test]
fn every_wrong_value_is_told_with_file_line_range_and_nearest_key() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(
        folder.join("signpost.toml"),
        "[sessions]\nmax_viewer = 3\nkeepalive_s = \"5\"\n[encoder]\nbitrate_kbps = 200\n\
         min_bitrate_kbps = 300\n[log]\nmodules = [\"camra=debug\"]\n",
    )
    .unwrap();
    fs::create_dir(folder.join("signpost.toml.d")).unwrap();
    fs::write(folder.join("signpost.toml.d/a.toml"), "[sessions]\nmax_viewers = 65\n").unwrap();
    let words = [
        "the configuration has 5 problems:",
        "signpost.toml:2: sessions.max_viewer = 3: there is no such key; the nearest is sessions.max_viewers",
        "signpost.toml:3: sessions.keepalive_s = \"5\": allowed is a whole number from 1 to 60",
        "signpost.toml.d/a.toml:2: sessions.max_viewers = 65: allowed is a whole number from 1 to 64",
        "signpost.toml:6: encoder.min_bitrate_kbps = 300: allowed is at most encoder.bitrate_kbps",
        "the nearest to \"camra\" is camera",
    ];
    ends(signpost(folder).arg("run"), 3, &words);
    ends(signpost(folder).arg("check"), 1, &words);
    ends(signpost(folder).arg("password"), 3, &words);
    let variable = "environment variable SIGNPOST_SESSIONS__KEEPALIVE_S: sessions.keepalive_s = 0";
    ends(signpost(folder).arg("run").env("SIGNPOST_SESSIONS__KEEPALIVE_S", "0"), 3, &[variable]);
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Root reads everything, so a folder in a file's place stands for a file without rights.
    fs::create_dir(folder.join("signpost.toml")).unwrap();
    let words = ["signpost.toml: cannot be read: Is a directory"];
    ends(signpost(folder).arg("run"), 3, &words);
    ends(signpost(folder).arg("check"), 1, &words);
    fs::remove_dir(folder.join("signpost.toml")).unwrap();
    fs::write(folder.join("signpost.toml"), b"[log]\n\xff\xfe").unwrap();
    ends(signpost(folder).arg("run"), 3, &["signpost.toml: cannot be read", "UTF-8"]);
    fs::write(folder.join("signpost.toml"), "[log\n").unwrap();
    ends(signpost(folder).arg("run"), 3, &["signpost.toml:1: "]);
    ends(
        Command::new(env!("CARGO_BIN_EXE_signpost")).args(["check", "--config", "none.toml"]),
        1,
        &["none.toml does not exist"],
    );
}

#[test]
fn wrong_owners_and_permissions_are_told_with_what_mends_them() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let config = folder.join("signpost.toml");
    fs::write(&config, "[[camera]]\nsource = \"test\"\n").unwrap();
    let name = config.display().to_string();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o666)).unwrap();
    let writable = format!("{name}: others can write it: sudo chmod go-w {name}");
    ends(signpost(folder).arg("check"), 1, &[&writable]);
    let device = Device::start(folder);
    device.says(&writable);
    drop(device);

    let secret =
        "[ice]\nservers = [{ urls = [\"turn:t:1\"], username = \"u\", credential = \"x\" }]\n";
    fs::write(&config, format!("{secret}[[camera]]\nsource = \"test\"\n")).unwrap();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).unwrap();
    let readable =
        format!("{name}: everybody can read the credentials in it: sudo chmod o-r {name}");
    ends(signpost(folder).arg("check"), 1, &[&readable]);

    fs::set_permissions(&config, fs::Permissions::from_mode(0o640)).unwrap();
    fs::create_dir(folder.join("state")).unwrap();
    let password = folder.join("state/password");
    fs::write(&password, "damaged").unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o644)).unwrap();
    let name = password.display();
    let exposed = format!("{name}: others can read it: sudo chmod 600 {name}");
    ends(signpost(folder).arg("check"), 1, &[&exposed, "is damaged"]);
    if fs::metadata(folder).unwrap().uid() != 0 || chown(&password, Some(4321), None).is_err() {
        return left_out("another owner: only root can give a file away");
    }
    let foreign = format!(
        "{name}: belongs to user 4321, who can change what this device does: sudo chown 0 {name}"
    );
    ends(signpost(folder).arg("check"), 1, &[&foreign]);
}

#[test]
fn an_address_in_use_and_a_model_that_is_not_there_are_told() {
    let Some(runtime) = std::env::var_os("SIGNPOST_MODEL__RUNTIME") else {
        return left_out("a model that is not there: ./dev test sets SIGNPOST_MODEL__RUNTIME");
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let signpost = |folder: &Path| {
        let mut command = signpost(folder);
        command.env("SIGNPOST_MODEL__RUNTIME", &runtime);
        command
    };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let text = format!(
        "[http]\nlisten = [\"{address}\"]\n[[camera]]\nsource = \"test\"\n[model]\nbundle = \"/nowhere\"\n"
    );
    fs::write(folder.join("signpost.toml"), text).unwrap();
    let in_use = format!("port {} is in use", address.port());
    ends(signpost(folder).arg("run"), 3, &[&in_use, "--listen 127.0.0.1:0"]);
    ends(
        signpost(folder).arg("check"),
        1,
        &[
            &format!("note   addresses: {in_use}"),
            "wrong  model: model bundle",
            "looked in /nowhere",
            "It would not run as it should",
        ],
    );
    ends(signpost(folder).arg("bench"), 5, &["/nowhere"]);
    let mut run = signpost(folder);
    let device = Device::of(run.args(["run", "--open", "--source", "test"]));
    let line = device.says("recognition is off");
    assert!(line.contains("/nowhere"), "{line}");
}

/// In a process of its own, because the element that takes v4l2src's place does so for all
/// of a process.
#[test]
#[ignore = "a_camera_that_another_process_uses_is_told runs it"]
fn with_a_busy_camera() {
    use signpost::cli::{Cli, Command, check, installed, log, run};
    let Some(words) = std::env::var_os("WITH_A_BUSY_CAMERA") else { return };
    busy::register();
    let words = words.into_string().unwrap();
    let cli: Cli = clap::Parser::parse_from(words.split('\n'));
    let outcome = match &cli.command {
        Command::Run(args) => {
            let config = cli.load().unwrap();
            let journal = log::start(&config.log);
            run::run(args, config, journal)
        }
        _ => {
            let told = std::env::var("BESIDE_A_SERVICE").unwrap_or_default();
            check::check(cli.load(), installed::Service::read(&told).as_ref())
        }
    };
    let Err(failure) = outcome else { return };
    failure.tell();
    std::process::exit(failure.exit as i32);
}

#[test]
fn a_camera_that_another_process_uses_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("signpost.toml"), "[[camera]]\nsource = \"v4l2:/dev/video0\"\n").unwrap();
    let itself = |words: &[&str]| {
        let program = signpost(folder);
        let mut command = Command::new(std::env::current_exe().unwrap());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let arguments = program.get_args().map(|argument| argument.to_str().unwrap());
        let line: Vec<&str> =
            ["signpost"].into_iter().chain(arguments).chain(words.iter().copied()).collect();
        command.args(["--exact", "with_a_busy_camera", "--ignored", "--nocapture"]);
        command.env("WITH_A_BUSY_CAMERA", line.join("\n")).stdin(Stdio::null());
        command
    };
    let told =
        "camera /dev/video0: Device '/dev/video0' is busy; another program uses it: stop that one";
    ends(&mut itself(&["check"]), 1, &[&format!("wrong  camera camera: {told}")]);
    let service = "Id=signpost.service\nLoadState=loaded\nActiveState=active\n\n\
                   Id=signpost.socket\nLoadState=loaded\nActiveState=active\n";
    let mut beside = itself(&["check"]);
    beside.env("BESIDE_A_SERVICE", service);
    let output = beside.output().unwrap();
    let told_beside = String::from_utf8_lossy(&output.stdout);
    assert!(told_beside.contains("note   camera camera: in use"), "{told_beside}");
    let mut run = itself(&["run", "--open", "--listen", "127.0.0.1:0"]);
    let mut child = run.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains("another program uses it"));
    let _ = child.kill();
    let _ = child.wait();
    assert!(line.is_some_and(|line| line.contains(told)), "the service runs and says so");
}

#[test]
fn a_check_says_what_would_run_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let text = "[http]\nlisten = [\"127.0.0.1:0\"]\n[[camera]]\nname = \"door\"\nsource = \"test\"\n\
                width = 640\nheight = 360\n[sessions]\nmax_viewers = 4\n[ice]\nudp_ports = \"50000-50100\"\n";
    fs::write(folder.join("signpost.toml"), text).unwrap();
    let source = folder.join("signpost.toml").display().to_string() + ":5";
    ends(
        signpost(folder).arg("check"),
        1,
        &[
            "sessions.max_viewers = 4  (",
            "encoder.bitrate_kbps = 2500  (default)",
            "What `signpost run` would do here:",
            "ok     configuration: every key and value is known and valid; 8 of ",
            "note   login: no password is set",
            "ok     addresses: http://127.0.0.1:",
            "ok     viewers: 4 at the same time, 300 to 2500 kbit/s each; a smaller picture",
            "ok     network: no STUN or TURN server, so viewers in this network only; UDP ports 50000 to 50100",
            "wrong  model: ",
            "none.so",
            "ok     encoder: ",
            &format!(
                "ok     camera door: test picture, 640x360, 30 frames a second, because source is \"test\" ({source})"
            ),
        ],
    );
}

#[test]
fn what_is_changed_is_stored_privately_and_in_force_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let device = Device::start(folder);
    let (status, done) = device.change(&bitrate(1234));
    assert_eq!((status, &done["stored"]), (200, &json!(true)), "{done}");
    let (_, done) = device.change(&json!({"encoder": {"low_rendition": false}}));
    assert_eq!(done["restart"], json!(["encoder.low_rendition"]));
    drop(device);
    let file = folder.join("state/overrides.toml");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("\n[encoder]\nbitrate_kbps = 1234\nlow_rendition = false\n"), "{text}");
    let device = Device::start(folder);
    let config = device.config();
    assert_eq!(config["values"]["encoder"]["bitrate_kbps"], 1234);
    assert_eq!(config["restart"], json!([]));
    assert!(
        config["origins"]["encoder.bitrate_kbps"].as_str().unwrap().ends_with("overrides.toml:6")
    );
    let (status, told) = device.change(&json!({"camera": [{"source": "demo"}]}));
    assert_eq!(status, 409, "{told}");
    assert!(told["detail"].as_str().unwrap().contains("argument --source"), "{told}");
}

#[test]
fn damaged_overrides_fall_back_and_everybody_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let device = Device::start(folder);
    for kbps in [1111, 2222] {
        assert_eq!(device.change(&bitrate(kbps)).0, 200);
    }
    drop(device);
    let file = folder.join("state/overrides.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, &text[..text.len() - 4]).unwrap();
    let words = ["it was cut off", "in force is the last good one"];
    let device = Device::start(folder);
    let line = device.says(words[0]);
    assert!(line.contains(words[1]), "{line}");
    let config = device.config();
    assert_eq!(config["values"]["encoder"]["bitrate_kbps"], 1111);
    assert!(config["remarks"][0].as_str().unwrap().contains(words[1]), "{config}");
    let status = device.ask("GET", "/api/v1/status", "").1.to_string();
    assert!(status.contains(words[1]), "{status}");
    // A later change mends it.
    assert_eq!(device.change(&bitrate(3333)).1["remarks"], json!([]));
    drop(device);
    assert_eq!(Device::start(folder).config()["values"]["encoder"]["bitrate_kbps"], 3333);
    fs::write(&file, "\0\0\0\0").unwrap();
    fs::write(folder.join("state/overrides.toml.last-good"), "").unwrap();
    let device = Device::start(folder);
    device.says("there is no good one before it");
    assert_eq!(device.config()["values"]["encoder"]["bitrate_kbps"], 2500);
    ends(
        signpost(folder).arg("check"),
        1,
        &["note   configuration: ", "there is no good one before it"],
    );
    // Overrides that others could have written are not believed.
    drop(device);
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o622)).unwrap();
    Device::start(folder).says("others can write it: sudo chmod go-w");
}

#[test]
fn a_disk_that_cannot_be_written_keeps_nothing_from_running() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Root writes everywhere, so a file in the state directory's place is the read-only disk.
    fs::write(folder.join("state"), "").unwrap();
    let device = Device::start(folder);
    let (status, done) = device.change(&bitrate(1234));
    assert_eq!((status, &done["stored"]), (200, &json!(false)), "{done}");
    assert!(done["hint"].as_str().unwrap().starts_with("not stored"), "{done}");
    device.says("is not stored and ends with the program");
    assert_eq!(device.config()["values"]["encoder"]["bitrate_kbps"], 1234);
    let (status, told) = device.change(&json!({"encoder": {"low_rendition": false}}));
    assert_eq!(status, 507, "{told}");
    assert!(told["hint"].as_str().unwrap().starts_with("nothing was changed"), "{told}");
    assert_eq!(device.config()["values"]["encoder"]["low_rendition"], true);
}

/// A file system of a few kilobytes, in a mount namespace of the program's own.
#[test]
fn a_full_disk_says_so_and_what_is_in_force_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir(folder.join("state")).unwrap();
    let script = "mount -t tmpfs -o size=8k none \"$STATE_DIRECTORY\" && \
                  { head -c 100000 /dev/zero >\"$STATE_DIRECTORY/filler\" 2>/dev/null; exec \"$@\"; }";
    let unshare = ["--mount", "--map-root-user", "sh", "-c"];
    let tried = Command::new("unshare").args(unshare).arg("mount -t tmpfs none /mnt").output();
    if !tried.is_ok_and(|tried| tried.status.success()) {
        return left_out("a full disk: there are no mount namespaces here");
    }
    let program = signpost(folder);
    let mut command = Command::new("unshare");
    command.args(unshare).args([script, "sh"]).arg(program.get_program()).args(program.get_args());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let device = Device::of(command.args(["run", "--open", "--source", "test"]));
    let (status, done) = device.change(&bitrate(1234));
    assert_eq!((status, &done["stored"]), (200, &json!(false)), "{done}");
    assert!(done["remarks"][0].as_str().unwrap().contains("No space left on device"), "{done}");
    assert_eq!(device.config()["values"]["encoder"]["bitrate_kbps"], 1234);
    assert_eq!(device.ask("GET", "/healthz", "").1["detail"], "model", "nothing else is wrong");
}

#[test]
fn files_are_read_again_on_request_and_on_sighup() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let device = Device::start(folder);
    let write = |text: &str| fs::write(folder.join("signpost.toml"), text).unwrap();
    let reload = || device.ask("POST", "/api/v1/config/reload", "");
    write("[sessions]\nmax_viewers = 3\n[model]\nthreads = 2\n[log]\nlevel = \"debug\"\n");
    let (status, done) = reload();
    assert_eq!(status, 200);
    assert_eq!(done["applied"], json!(["sessions.max_viewers", "log.level"]));
    assert_eq!(done["restart"], json!(["model.threads"]));
    let deadline = Instant::now() + PATIENCE;
    while device.ask("GET", "/api/v1/status", "").1["sessions"]["max_viewers"] != 3 {
        assert!(Instant::now() < deadline, "the sessions do not follow");
    }
    write("[sessions]\nmax_viewers = 4\n[model]\nthreads = 2\n");
    device.signal("-HUP");
    let line = device.says("in force now");
    assert!(line.contains("sessions.max_viewers, log.level"), "{line}");
    assert!(line.contains("only a restart applies: model.threads"), "{line}");
    write("[sessions]\nmax_viewers = 0\n[modell]\n");
    let (status, told) = reload();
    assert_eq!(status, 422);
    let detail = told["detail"].as_str().unwrap();
    assert!(detail.contains("2 problems") && detail.contains("signpost.toml:2"), "{detail}");
    device.signal("-HUP");
    device.says("sessions.max_viewers = 0: allowed is a whole number from 1 to 64");
    device.says("the configuration is as it was");
    assert_eq!(device.config()["values"]["sessions"]["max_viewers"], 4);
    write("");
    device.signal("-HUP");
    device.says("in force now: sessions.max_viewers");
}
