//! The steps in their order. One whose ground is missing is not tried: it is skipped, with the
//! reason, and counts as not passed.

use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use serde_json::{Value, json};

use super::client::{Answer, Client, ClientError};
use super::peer::Peer;
use super::{Credentials, Plain, Scheme, Target, reach, servers};
use crate::checks::{Checked, Step, Verdict};
use crate::config::{Ice, IceServer, TransportPolicy, is_loopback};
use crate::errors;

pub(super) const NAME: &str = "name";
pub(super) const CONNECTION: &str = "connection";
pub(super) const TLS: &str = "TLS";
pub(super) const HEALTH: &str = "health";
const LOGIN: &str = "login";
const CONFIGURATION: &str = "configuration";
pub(super) const SERVERS: &str = "ICE servers";
const OFFER: &str = "offer";
const ICE: &str = "ICE";
const DTLS: &str = "DTLS";
const PICTURE: &str = "first picture";
const CHANNEL: &str = "data channel";
const PREDICTION: &str = "prediction";

/// All of them.
const ALL: [&str; 13] = [
    NAME,
    CONNECTION,
    TLS,
    HEALTH,
    LOGIN,
    CONFIGURATION,
    SERVERS,
    OFFER,
    ICE,
    DTLS,
    PICTURE,
    CHANNEL,
    PREDICTION,
];

/// Candidates that are not there by then are not waited for: STUN servers may be out of reach.
const GATHERING: Duration = Duration::from_secs(3);
/// The device waits as long for a connection (sessions.negotiation_timeout_s).
const PATH: Duration = Duration::from_secs(10);
/// A camera may have to be started.
const FIRST_PICTURE: Duration = Duration::from_secs(10);
/// There and back.
const ECHO: Duration = Duration::from_secs(5);
/// A model may be loaded just now, and wants a window of pictures.
const FIRST_PREDICTION: Duration = Duration::from_secs(20);

/// Asks for the password of a user.
pub type Ask<'a> = &'a mut dyn FnMut(&str) -> io::Result<String>;

/// Goes all steps, and tells each as it is done.
pub async fn diagnose(
    target: Target,
    credentials: (Credentials, Plain),
    ask: Ask<'_>,
    mut tell: impl FnMut(&Step),
) -> Checked {
    let mut steps = Vec::new();
    let mut report = |step: Step| {
        tell(&step);
        steps.push(step);
    };
    go(target, credentials, ask, &mut report).await;
    for name in ALL.iter().skip_while(|name| !follows(name, &steps)).copied().collect::<Vec<_>>() {
        let why = steps.iter().rev().find(|step: &&Step| step.verdict == Verdict::Fail);
        let why = why.map_or("a step before it did not come to an end", |step| &step.name);
        let step = Step::skipped(name, format!("not tried, because of: {why}"));
        tell(&step);
        steps.push(step);
    }
    steps.into_iter().collect()
}

/// Whether this and what comes after it has not been done.
fn follows(name: &str, done: &[Step]) -> bool {
    let place = |name: &str| ALL.iter().position(|known| name == *known);
    let last = done.iter().filter_map(|step| match step.name.starts_with("ICE server ") {
        true => place(SERVERS),
        false => place(&step.name),
    });
    place(name) > last.max()
}

async fn go(
    target: Target,
    (credentials, plain): (Credentials, Plain),
    ask: Ask<'_>,
    report: &mut impl FnMut(Step),
) -> Option<()> {
    let mut client = reach::reach(target, report).await?;
    report(reach::health(&client).await);
    let login = login(&mut client, (&credentials, plain), ask).await;
    let let_in = login.passed();
    report(login);
    let_in.then_some(())?;
    report(configuration(&client).await);
    let servers = match ice_servers(&client).await {
        Ok(servers) => servers,
        Err(step) => {
            report(step);
            Vec::new()
        }
    };
    servers::ask(&servers, &client.roots, &mut *report).await;
    view(&client, servers, report).await;
    // A token stays; what was logged in for this leaves.
    if client.token.is_some() && matches!(credentials, Credentials::User(_)) {
        let _ = client.post("/api/v1/logout", &json!({})).await;
    }
    Some(())
}

/// Whether others in the network can read what is sent so.
fn is_overheard(scheme: Scheme, to: IpAddr) -> bool {
    scheme == Scheme::Http && !is_loopback(to)
}

async fn login(
    client: &mut Client,
    (credentials, plain): (&Credentials, Plain),
    ask: Ask<'_>,
) -> Step {
    let begun = Instant::now();
    let open = client.get("/api/v1/me").await;
    match &open {
        Ok(answer) if answer.status == StatusCode::OK => {
            return Step::pass(LOGIN, begun.elapsed(), "the device asks for none");
        }
        Ok(answer)
            if answer.status == StatusCode::UNAUTHORIZED
                && answer.json()["title"] != "no password is set" => {}
        _ => return refused(LOGIN, begun, open),
    }
    if plain == Plain::Never && is_overheard(client.scheme, client.address.ip()) {
        let hint = "a device with HTTPS leads there, so this is one without, or somebody in \
                    between: have it use TLS (http.listen_https), or take --plain";
        let why = "password and token are not sent where all can listen";
        return Step::fail(LOGIN, begun.elapsed(), why, hint);
    }
    let begun = match credentials {
        Credentials::Token(token) => {
            client.token = Some(token.clone());
            begun
        }
        Credentials::User(user) => match by_password(client, user, ask).await {
            Ok(begun) => begun,
            Err(step) => return step,
        },
    };
    match client.get("/api/v1/me").await {
        Ok(answer) if answer.status == StatusCode::OK => {
            let me = answer.json();
            let told = format!("logged in as {}, {}", word(&me, "user"), word(&me, "role"));
            Step::pass(LOGIN, begun.elapsed(), told)
        }
        Ok(answer) if answer.status == StatusCode::UNAUTHORIZED => {
            let hint = "is the file that of this device, and has its token been revoked?";
            Step::fail(LOGIN, begun.elapsed(), "the token does not count", hint)
        }
        answer => refused(LOGIN, begun, answer),
    }
}

/// Logs in; gives the time from when the password was there, because who types takes his time.
async fn by_password(client: &mut Client, user: &str, ask: Ask<'_>) -> Result<Instant, Step> {
    let lacking = |why: String| {
        let hint = "type it, give it on standard input, or take --token-file";
        Step::fail(LOGIN, Duration::ZERO, why, hint)
    };
    let password = ask(user).map_err(|error| lacking(format!("reading the password: {error}")))?;
    if password.is_empty() {
        return Err(lacking("no password was given".to_owned()));
    }
    let begun = Instant::now();
    let answer = client.post("/api/v1/login", &json!({"user": user, "password": password})).await;
    match &answer {
        Ok(answer) if answer.status == StatusCode::OK => {
            client.token = answer.json()["token"].as_str().map(str::to_owned);
            Ok(begun)
        }
        Ok(answer) if answer.status == StatusCode::UNAUTHORIZED => {
            let why = format!("{user}: {}", answer.problem().0);
            let hint = "type it again, or name another user by --user; `sudo signpost password` \
                        on the device sets another one for admin";
            Err(Step::fail(LOGIN, begun.elapsed(), why, hint))
        }
        _ => Err(refused(LOGIN, begun, answer)),
    }
}

/// What the device says of its own configuration.
async fn configuration(client: &Client) -> Step {
    let begun = Instant::now();
    let answer = client.post("/api/v1/checks/configuration", &json!({})).await;
    let checked = match &answer {
        Ok(answer) if answer.status == StatusCode::OK => {
            serde_json::from_value::<Checked>(answer.json())
        }
        _ => return refused(CONFIGURATION, begun, answer),
    };
    match checked {
        Ok(checked) if checked.passed => {
            let told = format!("{} checks passed on the device", checked.steps.len());
            Step::pass(CONFIGURATION, begun.elapsed(), told)
        }
        Ok(checked) => {
            let failed: Vec<&Step> = checked.steps.iter().filter(|step| !step.passed()).collect();
            let words: Vec<String> =
                failed.iter().map(|step| format!("{}: {}", step.name, step.detail)).collect();
            let hint = failed.iter().find_map(|step| step.hint.clone()).unwrap_or_default();
            Step::fail(CONFIGURATION, begun.elapsed(), words.join("; "), hint)
        }
        Err(error) => {
            let hint = "the device may run another version than this command";
            Step::fail(CONFIGURATION, begun.elapsed(), error.to_string(), hint)
        }
    }
}

async fn ice_servers(client: &Client) -> Result<Vec<IceServer>, Step> {
    let begun = Instant::now();
    let answer = client.get("/api/v1/ice-servers").await;
    match &answer {
        Ok(answer) if answer.status == StatusCode::OK => {
            let servers = serde_json::from_value(answer.json()["iceServers"].clone());
            servers.map_err(|error| {
                let hint = "the device may run another version than this command";
                Step::fail(SERVERS, begun.elapsed(), error.to_string(), hint)
            })
        }
        _ => Err(refused(SERVERS, begun, answer)),
    }
}

/// A real viewer.
async fn view(client: &Client, servers: Vec<IceServer>, report: &mut impl FnMut(Step)) {
    let begun = Instant::now();
    let ice = Ice {
        servers,
        allowed_servers: Vec::new(),
        transport_policy: TransportPolicy::All,
        udp_ports: None,
    };
    let mut peer = match Peer::new(&ice) {
        Ok(peer) => peer,
        Err(error) => {
            let hint = "install them here, or try it from another machine";
            report(Step::fail(OFFER, begun.elapsed(), errors::chain(&error), hint));
            return;
        }
    };
    match offer(client, &mut peer).await {
        Ok((session, took)) => {
            report(Step::pass(OFFER, took, "the device answered it"));
            look(client, &mut peer, report).await;
            let _ = client.delete(&format!("/api/v1/sessions/{session}")).await;
        }
        Err(step) => report(step),
    }
    peer.close().await;
}

async fn offer(client: &Client, peer: &mut Peer) -> Result<(String, Duration), Step> {
    let begun = Instant::now();
    let here = |error: super::peer::PeerError| {
        let hint = "this machine cannot make a connection; try it from another one";
        Step::fail(OFFER, begun.elapsed(), errors::chain(&error), hint)
    };
    let sdp = peer.offer(GATHERING).await.map_err(here)?;
    let answer = client.post("/api/v1/webrtc/offer", &json!({"sdp": sdp, "type": "offer"})).await;
    let answered = match &answer {
        Ok(answer) if answer.status == StatusCode::OK => answer.json(),
        _ => return Err(refused(OFFER, begun, answer)),
    };
    let word = |key: &str| answered[key].as_str().unwrap_or_default();
    peer.accept(word("sdp")).await.map_err(here)?;
    Ok((word("session").to_owned(), begun.elapsed()))
}

/// What comes of the connection.
async fn look(client: &Client, peer: &mut Peer, report: &mut impl FnMut(Step)) -> Option<()> {
    let begun = Instant::now();
    let seen = peer.until(PATH, |seen| seen.path || seen.secured || seen.lost).await;
    let found = seen.path || seen.secured;
    report(path(found, begun.elapsed()));
    found.then_some(())?;
    let begun = Instant::now();
    let secured = peer.until(PATH, |seen| seen.secured || seen.lost).await.secured;
    report(match secured {
        true => Step::pass(DTLS, begun.elapsed(), "the connection is encrypted"),
        false => Step::fail(
            DTLS,
            begun.elapsed(),
            "the path was found, but the two ends could not agree on keys",
            "something between here and the device changes or drops larger UDP packets: look at \
             VPNs and at the MTU",
        ),
    });
    secured.then_some(())?;
    report(picture(client, peer).await);
    let heard = echo(peer).await;
    let answers = heard.passed();
    report(heard);
    answers.then_some(())?;
    report(prediction(client, peer).await);
    Some(())
}

fn path(found: bool, took: Duration) -> Step {
    let none = "no path for the picture was found: no packet of UDP passes between here and the \
                device";
    let hint = "a firewall or a separated Wi-Fi blocks UDP: fix the ports with ice.udp_ports and \
                open them, or name a TURN server in ice.servers";
    match found {
        true => Step::pass(ICE, took, "packets pass between here and the device"),
        false => Step::fail(ICE, took, none, hint),
    }
}

async fn picture(client: &Client, peer: &mut Peer) -> Step {
    let begun = Instant::now();
    let seen = peer.until(FIRST_PICTURE, |seen| {
        seen.picture.is_some() || seen.no_decoder.is_some() || seen.lost
    });
    let seen = seen.await.clone();
    match (seen.picture, seen.no_decoder) {
        (Some((width, height)), _) => {
            Step::pass(PICTURE, begun.elapsed(), format!("{width}x{height} pixels, decoded"))
        }
        (None, Some(why)) => {
            let hint = "install gstreamer1.0-libav here, or try it from another machine";
            let why = format!("pictures come, and this machine cannot decode them: {why}");
            Step::fail(PICTURE, begun.elapsed(), why, hint)
        }
        (None, None) => {
            let why = told(client, |status| {
                let camera = &status["cameras"][0];
                format!("its camera is {}{}", word(camera, "state"), reason(camera))
            });
            let why = format!("connected, but no picture came: {}", why.await);
            let hint = "the network may be too slow for it: a lower encoder.bitrate_kbps helps; \
                        else look at the camera";
            Step::fail(PICTURE, begun.elapsed(), why, hint)
        }
    }
}

async fn echo(peer: &mut Peer) -> Step {
    let begun = Instant::now();
    let hint = "data channels go with the picture: look at the device's log for this session";
    if !peer.until(ECHO, |seen| seen.opened || seen.lost).await.opened {
        let why = "the channel for commands did not open";
        return Step::fail(CHANNEL, begun.elapsed(), why, hint);
    }
    let sent = json!({"type": "echo", "n": 17});
    let said = peer.say(&sent.to_string());
    let back = peer.until(ECHO, |seen| seen.echo.is_some() || seen.lost).await;
    match &back.echo {
        Some(heard) if said && *heard == sent => {
            Step::pass(CHANNEL, begun.elapsed(), "a message came back as it was sent")
        }
        Some(_) => Step::fail(CHANNEL, begun.elapsed(), "a message came back changed", hint),
        None => Step::fail(CHANNEL, begun.elapsed(), "a message did not come back", hint),
    }
}

async fn prediction(client: &Client, peer: &mut Peer) -> Step {
    let begun = Instant::now();
    let seen = peer.until(FIRST_PREDICTION, |seen| seen.prediction.is_some() || seen.lost).await;
    if let Some(prediction) = &seen.prediction {
        // What it reads is somebody's own.
        let number = prediction["seq"].as_u64().unwrap_or_default();
        let told = format!("result {number} came with the picture");
        return Step::pass(PREDICTION, begun.elapsed(), told);
    }
    let why = told(client, |status| {
        let recognition = &status["recognition"];
        let degraded = recognition["degraded"].as_str().map(|why| format!(": {why}"));
        let more = degraded.unwrap_or_else(|| reason(recognition));
        format!("recognition is {}{more}", word(recognition, "state"))
    });
    let why = format!("no result of the model came: {}", why.await);
    let hint = "POST /api/v1/checks/golden-clip says whether the model works on the device";
    Step::fail(PREDICTION, begun.elapsed(), why, hint)
}

/// What the device's status says of it.
async fn told(client: &Client, words: impl Fn(&Value) -> String) -> String {
    match client.get("/api/v1/status").await {
        Ok(answer) if answer.status == StatusCode::OK => words(&answer.json()),
        Ok(answer) => answer.problem().0,
        Err(error) => error.to_string(),
    }
}

fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or("not known")
}

fn reason(value: &Value) -> String {
    value["reason"].as_str().map_or(String::new(), |why| format!(": {why}"))
}

/// A step that the device did not let pass, in its own words.
fn refused(name: &'static str, begun: Instant, answer: Result<Answer, ClientError>) -> Step {
    match answer {
        Ok(answer) => {
            let (why, hint) = answer.problem();
            Step::fail(name, begun.elapsed(), why, hint)
        }
        Err(error) => {
            let hint = "does the device still run? `journalctl -u signpost` on it says more";
            Step::fail(name, begun.elapsed(), error.to_string(), hint)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn what_was_not_done_is_what_comes_after_the_last_that_was() {
        let done = |name: &str| vec![Step::pass(name, Duration::ZERO, "")];
        let rest = |done: &[Step]| ALL.iter().filter(|name| follows(name, done)).count();
        assert_eq!(rest(&[]), 13);
        assert_eq!(rest(&done(NAME)), 12);
        assert_eq!(rest(&done(PREDICTION)), 0);
        assert_eq!(rest(&done("ICE server stun:s")), 6);
        assert!(follows(OFFER, &done(SERVERS)) && !follows(SERVERS, &done(SERVERS)));
    }

    #[test]
    fn only_another_device_without_tls_is_overheard() {
        let [here, there] = ["127.0.0.1", "192.168.1.20"].map(|address| address.parse().unwrap());
        assert!(is_overheard(Scheme::Http, there));
        for (scheme, to) in [(Scheme::Http, here), (Scheme::Https, there), (Scheme::Https, here)] {
            assert!(!is_overheard(scheme, to), "{to}");
        }
    }
}
