//! `signpost check`: what `run` would do here, and whether it could.

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::exit::{Exit, Failure, OrExit as _};
use super::installed::{Service, State};
use super::run;
use crate::camera::{self, Camera};
use crate::checks::Outcome::{Fine, Note, Wrong};
use crate::checks::{Finding, Outcome, configuration};
use crate::clock::Clock;
use crate::config::{Config, ConfigError, Effective};
use crate::errors;
use crate::http::access::password::{self, PasswordError};
use crate::http::{self, Access, BindError, Entry};
use crate::model::Places;
use crate::recognition::exchange;
use crate::tls;

/// A camera owner gives up on its first picture after 10 s; then it says why.
const FIRST_PICTURE: Duration = Duration::from_secs(12);

/// How a value's origin begins, if it is the environment.
const VARIABLE: &str = "environment variable";

/// What is said of a camera that a program has open; tests/config holds it against that.
const IN_USE: &str = "; another program uses it";

/// Prints every value with where it came from, and every finding; fails with
/// [`Exit::CheckFailed`] if one is wrong. Nothing is left running or changed. With `service`
/// the configuration is that of the installed one, and what it would do is told.
pub fn check(
    config: Result<Config, ConfigError>,
    service: Option<&Service>,
) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let config = match config {
        Ok(config) => config,
        Err(error) => {
            writeln!(out, "wrong  configuration: {error}").or_exit(Exit::CheckFailed)?;
            return failed(1);
        }
    };
    for value in &config.effective {
        writeln!(out, "{}", line(value)).or_exit(Exit::CheckFailed)?;
    }
    let who = if service.is_some() { "signpost.service" } else { "`signpost run`" };
    writeln!(out, "\nWhat {who} would do here:").or_exit(Exit::CheckFailed)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let findings = runtime.or_exit(Exit::CheckFailed)?.block_on(look(&config, service));
    let mut wrong = 0;
    for Finding { what, outcome } in &findings {
        let (word, text) = match outcome {
            Fine(text) => ("ok   ", text),
            Note(text) => ("note ", text),
            Wrong(text) => ("wrong", text),
        };
        wrong += usize::from(matches!(outcome, Wrong(_)));
        writeln!(out, "{word}  {what}: {text}").or_exit(Exit::CheckFailed)?;
    }
    let noted = findings.iter().any(|finding| matches!(finding.outcome, Note(_)));
    let end = match wrong {
        0 if noted => "It would run; mind the notes.",
        0 => "It would run.",
        _ => "It would not run as it should; what is wrong says what to do.",
    };
    writeln!(out, "{end}").or_exit(Exit::CheckFailed)?;
    failed(wrong)
}

fn failed(wrong: usize) -> Result<(), Failure> {
    match wrong {
        0 => Ok(()),
        1 => Err(anyhow::anyhow!("one check failed; see above")),
        more => Err(anyhow::anyhow!("{more} checks failed; see above")),
    }
    .or_exit(Exit::CheckFailed)
}

fn line(value: &Effective) -> String {
    format!("{} = {}  ({})", value.key(), value.value, value.origin)
}

async fn look(config: &Config, service: Option<&Service>) -> Vec<Finding> {
    let mut findings = configuration::values(config);
    findings.extend(configuration::files(config));
    findings.extend(service.map(|service| Finding::new("service", of(service))));
    let foreign = service.and_then(|_| of_this_shell(config));
    findings.extend(foreign.map(|note| Finding::new("configuration", Note(note))));
    let addresses = match service {
        Some(service) => handed_over(service, config),
        None => listening(config).await,
    };
    findings.extend([
        Finding::new("login", login(config, service)),
        Finding::new("addresses", addresses),
    ]);
    findings.extend(https(config, service).map(|outcome| Finding::new("HTTPS", outcome)));
    findings.extend(configuration::promises(config));
    findings.push(Finding::new("model", model(config)));
    if let Err(error) = gstreamer::init() {
        findings.push(Finding::new("GStreamer", Wrong(errors::chain(&error))));
        return findings;
    }
    match run::cameras(config).await {
        Ok(settings) => {
            let encoder = settings.first().map(|first| first.encoder.clone());
            let words = encoder.map(|encoder| format!("{}: {}", encoder.element, encoder.reason));
            findings.extend(words.map(|words| Finding::new("encoder", Fine(words))));
            findings.extend(cameras(config, settings, service).await);
        }
        Err(failure) => {
            findings.push(Finding::new("camera", Wrong(errors::chain(failure.error.as_ref()))));
        }
    }
    findings
}

/// Values that the service does not have.
fn of_this_shell(config: &Config) -> Option<String> {
    let set = config.effective.iter().filter(|value| value.origin.contains(VARIABLE));
    let keys: Vec<String> = set.map(Effective::key).collect();
    (!keys.is_empty()).then(|| {
        format!("set in the environment of this command, not in the service's: {}", keys.join(", "))
    })
}

/// How the installed service is.
fn of(service: &Service) -> Outcome {
    const UNITS: &str = "signpost.service";
    match &service.state {
        State::Active => Fine(format!("{UNITS} runs: {}", service.status)),
        State::Failed => Note(format!(
            "{UNITS} has failed: `journalctl -u {UNITS}` says why; once that is put right, \
             sudo systemctl restart {UNITS}"
        )),
        State::Other(state) => {
            Note(format!("{UNITS} is {state}; sudo systemctl start {UNITS} starts it"))
        }
    }
}

/// The addresses that systemd opens for the service.
fn handed_over(service: &Service, config: &Config) -> Outcome {
    let addresses: Vec<String> = service.addresses.iter().map(ToString::to_string).collect();
    let words = format!("{} of signpost.socket", addresses.join(", "));
    let mut set = config.effective.iter().filter(|value| value.origin != "default");
    if service.socket != State::Active {
        let start = "sudo systemctl restart signpost.service";
        return Note(format!("{words}, which does not listen just now; {start} opens it"));
    }
    match set.find(|value| (value.section, value.name) == ("http", "listen")) {
        Some(value) => {
            Note(format!("{words}; http.listen ({}) has no effect on the service", value.origin))
        }
        None => Fine(words),
    }
}

fn login(config: &Config, service: Option<&Service>) -> Outcome {
    let access = match service {
        Some(service) => Access::as_service(config, &service.addresses, Entry::Password),
        None => Access::new(config, Entry::Password),
    };
    if let Err(error) = access {
        return Wrong(errors::chain(&error));
    }
    let file = &config.access.password_file;
    match password::read(file) {
        Ok(_) => {
            let hours = config.access.login.as_secs() / 3600;
            let file = file.display();
            Fine(format!("who knows the password ({file}), for {hours} hours"))
        }
        Err(PasswordError::Unreadable { source, .. })
            if service.is_some() && source.kind() == io::ErrorKind::PermissionDenied =>
        {
            Note("only root and the service can read the password: run this with sudo".to_owned())
        }
        Err(error @ PasswordError::Absent) if service.is_some() => Note(format!(
            "{error}; until then the page shows nothing but the set-up, which asks for `signpost setup-code`"
        )),
        Err(error @ PasswordError::Absent) => {
            Note(format!("{error}; without one, only `run --open` lets anybody in"))
        }
        Err(error) => Wrong(errors::chain(&error)),
    }
}

async fn listening(config: &Config) -> Outcome {
    match http::bind(&config.http.listen, &config.http.listen_https).await {
        Ok(listeners) => {
            Fine(listeners.announcement().replace("listening ", "").trim().replace('\n', ", "))
        }
        // A running signpost is the most likely reason.
        Err(error @ BindError::InUse { .. }) => Note(error.to_string()),
        Err(error) => Wrong(errors::chain(&error)),
    }
}

/// Which certificate browsers are shown, where there is HTTPS.
fn https(config: &Config, service: Option<&Service>) -> Option<Outcome> {
    let secure = match service {
        Some(service) => service.addresses.iter().any(|address| address.port() == http::HTTPS),
        None => !config.http.listen_https.is_empty(),
    };
    secure.then(|| match tls::kept(config.state_dir(), SystemTime::now()) {
        Some(certificate) => {
            let (host, shown) = (certificate.names.host(), certificate.fingerprint());
            let authority = tls::authority_certificate(config.state_dir());
            let authority = authority.map(|der| tls::authority::fingerprint(&der));
            let authority = authority.map(|it| format!(", authority SHA-256 {it}"));
            let authority = authority.unwrap_or_default();
            Fine(format!("for {host}, certificate SHA-256 {shown}{authority}"))
        }
        None if service.is_some() => Note(
            "there is no certificate, or it cannot be read: run this with sudo; it is made when \
             the service starts"
                .to_owned(),
        ),
        None => Fine("its certificate is made at the first start".to_owned()),
    })
}

fn model(config: &Config) -> Outcome {
    let active = exchange::active(&config.model, config.state_dir());
    match exchange::load(&Places::of_this_machine(), &active) {
        Ok(loaded) => {
            let (folder, threads) = (active.bundle.display(), config.model.threads);
            let threads =
                if threads == 1 { "1 thread".into() } else { format!("{threads} threads") };
            let words = format!("{} from {folder} reads, on {threads}", loaded.name);
            match active == config.model {
                true => Fine(words),
                false => Note(format!("{words}; it was activated in place of model.bundle")),
            }
        }
        Err(error) => Wrong(errors::chain(&error)),
    }
}

/// Starts every camera as `run` does and waits for its first picture.
async fn cameras(
    config: &Config,
    settings: Vec<camera::Settings>,
    service: Option<&Service>,
) -> Vec<Finding> {
    let clock = Clock::start();
    let mut findings = Vec::new();
    for (index, settings) in settings.into_iter().enumerate() {
        let why = why(config, index);
        let name = settings.camera.name.clone();
        let (stop, stopped) = watch::channel(());
        let started = Camera::start(settings, clock.clone(), stopped);
        let mut status = started.camera.status();
        let decided = status.wait_for(|status| *status != camera::Status::Starting);
        let outcome = match tokio::time::timeout(FIRST_PICTURE, decided).await {
            Ok(Ok(status)) => beside(service, shown(&status, &why)),
            _ => Wrong("no picture, and no reason either".to_owned()),
        };
        drop(stop);
        // Its pipeline has a deadline of its own; two cameras may share a device.
        let _ = started.owner.await;
        findings.push(Finding::new(format!("camera {name}"), outcome));
    }
    findings
}

/// What of the configuration decided on a camera's source.
fn why(config: &Config, camera: usize) -> String {
    let source = config
        .effective
        .iter()
        .find(|value| (value.section, value.index, value.name) == ("camera", camera, "source"));
    source.map_or_else(String::new, |source| {
        format!("because source is {} ({})", source.value, source.origin)
    })
}

fn shown(status: &camera::Status, why: &str) -> Outcome {
    match status {
        camera::Status::Live(live) => {
            let camera::Live { source, width, height, framerate, .. } = live;
            Fine(format!("{source}, {width}x{height}, {framerate} frames a second, {why}"))
        }
        camera::Status::Failed(away) => Wrong(away.reason.clone()),
        camera::Status::Starting | camera::Status::Stopped => Wrong("it does not start".to_owned()),
    }
}

/// While the service runs, a camera that is in use is so by it.
fn beside(service: Option<&Service>, outcome: Outcome) -> Outcome {
    match outcome {
        Wrong(reason) if service.is_some_and(Service::runs) && reason.contains(IN_USE) => {
            Note("in use, by the service that runs; it says what it shows".to_owned())
        }
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::path::Path;

    use super::*;
    use crate::config::{self, Layer};

    fn service(state: State) -> Service {
        Service {
            addresses: vec!["[::]:80".parse().unwrap(), "[::]:443".parse().unwrap()],
            socket: State::Active,
            state,
            status: "camera: demo clip".into(),
        }
    }

    fn config(text: &str, state: &Path) -> Config {
        let file = Layer::File { name: "signpost.toml".into(), text: text.into() };
        config::read(&[file], state).unwrap()
    }

    #[test]
    fn the_service_may_lack_a_password_where_run_may_not() {
        let folder = tempfile::tempdir().unwrap();
        let config = config("[http]\nlisten = [\"0.0.0.0:8080\"]\n", folder.path());
        assert!(matches!(login(&config, None), Wrong(_)));
        let said = login(&config, Some(&service(State::Active)));
        let words = "no password is set: set one with `signpost password`; until then the page \
                     shows nothing but the set-up, which asks for `signpost setup-code`";
        assert_eq!(said, Note(words.into()));
    }

    #[test]
    fn addresses_of_the_service_are_those_of_its_socket() {
        let folder = tempfile::tempdir().unwrap();
        let mut service = service(State::Active);
        let plain = config("", folder.path());
        let words = "[::]:80, [::]:443 of signpost.socket";
        assert_eq!(handed_over(&service, &plain), Fine(words.into()));
        let set = config("[http]\nlisten = [\"0.0.0.0:8080\"]\n", folder.path());
        let told = "http.listen (signpost.toml:2) has no effect on the service";
        assert_eq!(handed_over(&service, &set), Note(format!("{words}; {told}")));
        service.socket = State::Failed;
        assert!(matches!(handed_over(&service, &plain), Note(told) if told.contains("restart")));
    }

    #[test]
    fn what_only_this_shell_sets_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let variable = Layer::variable("SIGNPOST_ENCODER__BITRATE_KBPS", "900").unwrap();
        let config = config::read(&[variable], folder.path()).unwrap();
        let told = of_this_shell(&config).unwrap();
        assert!(told.ends_with(": encoder.bitrate_kbps"), "{told}");
        let plain = config::read(&[], folder.path()).unwrap();
        assert_eq!(of_this_shell(&plain), None);
    }

    #[test]
    fn a_camera_in_use_is_wrong_unless_the_service_runs() {
        let busy = || Wrong(format!("camera /dev/video0: Device is busy{IN_USE}: stop that one"));
        assert_eq!(beside(None, busy()), busy());
        assert_eq!(beside(Some(&service(State::Failed)), busy()), busy());
        assert!(matches!(beside(Some(&service(State::Active)), busy()), Note(_)));
        let absent = || Wrong("camera /dev/video9: no such file".to_owned());
        assert_eq!(beside(Some(&service(State::Active)), absent()), absent());
    }

    #[test]
    fn a_service_that_does_not_run_is_a_note() {
        assert_eq!(
            of(&service(State::Active)),
            Fine("signpost.service runs: camera: demo clip".into())
        );
        for state in [State::Failed, State::Other("inactive".into())] {
            assert!(matches!(of(&service(state)), Note(told) if told.contains("systemctl")));
        }
    }
}
