//! `signpost diagnose`: a viewer's way to the picture, step by step, on a terminal.

use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context as _, anyhow, ensure};
use gstreamer::glib;
use serde_json::json;

use super::DiagnoseArgs;
use super::exit::{Exit, Failure, OrExit as _};
use super::installed::Service;
use super::password;
use crate::checks::{Step, Verdict};
use crate::config::Config;
use crate::diagnose::{self, Credentials, Plain, Scheme, Target};
use crate::http::access::accounts::ADMINISTRATOR;
use crate::tls;

/// A token is a line.
const LONGEST_TOKEN: u64 = 1024;

/// The port of HTTPS among those that systemd opens.
const HTTPS: u16 = 443;

/// Goes all steps and prints each as it is done.
///
/// # Errors
/// [`Exit::CheckFailed`] unless every step passed; [`Exit::Usage`] for arguments that are none.
pub fn diagnose(
    args: &DiagnoseArgs,
    config: &Config,
    service: Option<&Service>,
) -> Result<(), Failure> {
    let mut roots = diagnose::roots(args.authority.as_deref()).or_exit(Exit::Usage)?;
    let target = match &args.url {
        Some(url) => Target::parse(url, roots).or_exit(Exit::Usage)?,
        None => {
            // On itself a device trusts itself.
            let own = tls::authority_certificate(config.state_dir());
            own.into_iter().for_each(|der| drop(roots.add(der.into())));
            let mut target = here(config, service).or_exit(Exit::Configuration)?;
            target.roots = roots;
            target
        }
    };
    let plain = if args.plain { Plain::Allowed } else { Plain::Never };
    let credentials = (credentials(args).or_exit(Exit::Usage)?, plain);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.or_exit(Exit::CheckFailed)?;
    // Of allocations that it lets go on a relay; nobody at a terminal can do anything about it.
    let warning = glib::LogLevels::LEVEL_WARNING;
    glib::log_set_handler(Some("libnice"), warning, false, false, |_, _, _| ());
    let json = args.json;
    let mut ask = |user: &str| asked(user);
    let tell = |step: &Step| print(step, json);
    let checked = runtime.block_on(diagnose::diagnose(target, credentials, &mut ask, tell));
    // A thread that hangs in GStreamer is not waited for.
    std::mem::forget(runtime);
    let failed = checked.steps.iter().filter(|step| !step.passed()).count();
    if json {
        let (passed, steps) = (checked.passed, checked.steps.len());
        say(&json!({"passed": passed, "steps": steps, "not_passed": failed}).to_string());
    } else if checked.passed {
        say("A viewer is shown picture and results.");
    }
    match failed {
        0 => Ok(()),
        _ => Err(anyhow!("{failed} of {} steps did not pass", checked.steps.len())),
    }
    .or_exit(Exit::CheckFailed)
}

fn print(step: &Step, json: bool) {
    if json {
        let line = serde_json::to_string(step).expect("texts and numbers are JSON");
        return say(&line);
    }
    let word = match step.verdict {
        Verdict::Pass => "ok   ",
        Verdict::Fail => "wrong",
        Verdict::Skipped => "left ",
    };
    let took = match step.verdict {
        Verdict::Skipped => String::new(),
        _ => format!(" ({} ms)", step.took_ms),
    };
    say(&format!("{word}  {}: {}{took}", step.name, step.detail));
    if let Some(hint) = &step.hint {
        say(&format!("       -> {hint}"));
    }
}

/// Who has closed standard output wants nothing more of it.
fn say(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

fn credentials(args: &DiagnoseArgs) -> anyhow::Result<Credentials> {
    let Some(file) = &args.token_file else {
        return Ok(Credentials::User(args.user.as_deref().unwrap_or(ADMINISTRATOR).to_owned()));
    };
    token(file).with_context(|| format!("token file {}", file.display())).map(Credentials::Token)
}

fn token(file: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    std::fs::File::open(file)?.take(LONGEST_TOKEN).read_to_string(&mut text)?;
    let token = text.trim();
    let fits = !token.is_empty() && token.chars().all(|letter| letter.is_ascii_graphic());
    ensure!(fits, "it must hold a token on one line");
    Ok(token.to_owned())
}

/// A password without echo, or one line of standard input.
fn asked(user: &str) -> io::Result<String> {
    if io::stdin().is_terminal() {
        return rpassword::prompt_password(format!("Password of {user}: "));
    }
    password::first_line(io::stdin().lock()).map_err(io::Error::other)
}

/// This device: the sockets that systemd opens for its service, or what is configured.
fn here(config: &Config, service: Option<&Service>) -> anyhow::Result<Target> {
    let (scheme, address) = match service {
        Some(service) => {
            let secure = service.addresses.iter().find(|address| address.port() == HTTPS);
            let plain = service.addresses.first().map(|address| (Scheme::Http, *address));
            secure.map(|address| (Scheme::Https, *address)).or(plain)
        }
        None => {
            let secure = config.http.listen_https.first().map(|address| (Scheme::Https, *address));
            secure.or_else(|| config.http.listen.first().map(|address| (Scheme::Http, *address)))
        }
    }
    .context("this device listens nowhere")?;
    ensure!(
        address.port() != 0,
        "this device listens on whatever port is free: name the address that `signpost run` prints"
    );
    let address = SocketAddr::new(reachable(address.ip()), address.port());
    // Its certificate is for its name.
    let name =
        tls::kept(config.state_dir(), SystemTime::now()).map(|kept| kept.names.host().to_owned());
    let host = match (scheme, name, address.ip()) {
        (Scheme::Https, Some(name), _) => name,
        (_, _, IpAddr::V6(ip)) => format!("[{ip}]"),
        (_, _, IpAddr::V4(ip)) => ip.to_string(),
    };
    let (port, addresses) = (address.port(), Some(vec![address]));
    let roots = rustls::RootCertStore::empty();
    Ok(Target { scheme, host, port, addresses, roots })
}

/// Where who listens on all addresses is reached from here.
fn reachable(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        // systemd's sockets take IPv4 there too, which every device has.
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::LOCALHOST) => address,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::super::installed::State;
    use super::*;
    use crate::config::{self, Layer};

    #[test]
    fn this_device_is_found_by_its_sockets_or_its_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let config = |listen: &str, https: &str| {
            let listen = Layer::argument("--listen", "http", "listen", listen);
            let https = Layer::argument("--listen-https", "http", "listen_https", https);
            config::read(&[listen, https], folder.path()).unwrap()
        };
        let place = |config: &Config, service: Option<&Service>| {
            let target = here(config, service).unwrap();
            (target.scheme, target.host, target.addresses.unwrap()[0].to_string())
        };
        let plain = config("0.0.0.0:8080", "");
        let local = |scheme, address: &str| (scheme, "127.0.0.1".to_owned(), address.to_owned());
        assert_eq!(place(&plain, None), local(Scheme::Http, "127.0.0.1:8080"));
        let both = config("[::1]:8080", "127.0.0.1:8443");
        assert_eq!(place(&both, None), local(Scheme::Https, "127.0.0.1:8443"));
        let service = Service {
            addresses: vec!["[::]:80".parse().unwrap(), "[::]:443".parse().unwrap()],
            socket: State::Active,
            state: State::Active,
            status: String::new(),
        };
        assert_eq!(place(&plain, Some(&service)), local(Scheme::Https, "127.0.0.1:443"));
        assert!(here(&config("127.0.0.1:0", ""), None).is_err());
    }

    #[test]
    fn a_token_is_one_line_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        assert!(token(&file).is_err());
        for (text, known) in [(" abc\n", Some("abc")), ("", None), ("a b", None), ("ä", None)] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(token(&file).ok().as_deref(), known, "{text}");
        }
    }
}
