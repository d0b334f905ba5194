//! The way to the device: its name, a connection, TLS, and whether it says that it is well.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use hyper::header::LOCATION;
use tokio::net::{TcpStream, lookup_host};

use super::Target;
use super::client::{Client, Scheme};
use super::journey::{CONNECTION, HEALTH, NAME, TLS};
use super::trust::{self, Shown};
use crate::checks::Step;
use crate::config::is_loopback;

/// For a name, and for each address that it has.
const PATIENCE: Duration = Duration::from_secs(5);

/// What an unlucky technician does first.
const UNPLUGGED: &str = "is the device switched on, and in the same network as this machine? \
    `systemctl status signpost` on it says whether it runs";

/// Finds the device; `None` where a step failed, which is then the last that was reported.
pub async fn reach(target: Target, report: &mut impl FnMut(Step)) -> Option<Client> {
    let addresses = settled(named(&target).await, report)?;
    let address = settled(connected(&addresses).await, report)?;
    let client = Client {
        scheme: target.scheme,
        host: written(target.scheme, &target.host, target.port),
        name: target.host.clone(),
        address,
        roots: target.roots,
        token: None,
    };
    settled(secured(client).await, report)
}

/// Reports a step; what it found, if it passed.
fn settled<T>(tried: Result<(T, Step), Step>, report: &mut impl FnMut(Step)) -> Option<T> {
    match tried {
        Ok((found, step)) => {
            report(step);
            Some(found)
        }
        Err(step) => {
            report(step);
            None
        }
    }
}

async fn named(target: &Target) -> Result<(Vec<SocketAddr>, Step), Step> {
    let begun = Instant::now();
    let Target { host, port, addresses, .. } = target;
    if let Some(addresses) = addresses.clone() {
        let step = Step::pass(NAME, begun.elapsed(), format!("this device, {host}"));
        return Ok((addresses, step));
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        let step = Step::pass(NAME, begun.elapsed(), "an address needs no look-up");
        return Ok((vec![SocketAddr::new(address, *port)], step));
    }
    let hint = match host.ends_with(".local") {
        true => {
            "names in .local are found by mDNS within one network: is this machine in it, and \
             does it have mDNS (on Debian the package libnss-mdns)? Else take the device's address"
        }
        false => "is the name spelled right? The device's own is NAME.local",
    };
    let failed = |why: String| Step::fail(NAME, begun.elapsed(), why, hint);
    let found = tokio::time::timeout(PATIENCE, lookup_host((bare, *port))).await;
    let found = found.map_err(|_| failed(format!("{host}: no answer in time")))?;
    let found = found.map_err(|error| failed(format!("{host} has no address: {error}")))?;
    let mut addresses: Vec<SocketAddr> = found.collect();
    // A device without a route for IPv6 announces its address all the same.
    addresses.sort_by_key(SocketAddr::is_ipv6);
    let words: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    let step = Step::pass(NAME, begun.elapsed(), format!("{host} is {}", words.join(", ")));
    Ok((addresses, step))
}

async fn connected(addresses: &[SocketAddr]) -> Result<(SocketAddr, Step), Step> {
    let begun = Instant::now();
    let mut reasons = Vec::new();
    for address in addresses {
        let why = match tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(_)) => {
                let step = Step::pass(CONNECTION, begun.elapsed(), format!("{address} answers"));
                return Ok((*address, step));
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        };
        reasons.push(format!("{address}: {why}"));
    }
    Err(Step::fail(CONNECTION, begun.elapsed(), reasons.join("; "), UNPLUGGED))
}

/// Goes where the device leads to, if it serves nothing without TLS, and judges its certificate.
async fn secured(mut client: Client) -> Result<(Client, Step), Step> {
    let begun = Instant::now();
    // Where its page /trust is, without TLS.
    let page = match client.scheme {
        Scheme::Http => client.host.clone(),
        Scheme::Https => client.name.clone(),
    };
    if client.scheme == Scheme::Http {
        match led_to(&client).await {
            Ok(Some((host, port))) => {
                client.scheme = Scheme::Https;
                client.host = written(Scheme::Https, &host, port);
                client.name = host;
                client.address.set_port(port);
            }
            Ok(None) => {
                let step = Step::pass(TLS, begun.elapsed(), "the device serves pages without TLS");
                let others = !is_loopback(client.address.ip());
                let hint = "everybody in the network can listen: http.listen_https has it use TLS";
                return Ok((client, if others { step.but(hint) } else { step }));
            }
            Err(why) => {
                let hint = "is this address that of a signpost device?";
                return Err(Step::fail(TLS, begun.elapsed(), why, hint));
            }
        }
    }
    match tokio::time::timeout(PATIENCE, shaken(&client)).await {
        Ok(Ok(Shown::Trusted { fingerprint })) => {
            let told = format!("trusted for {}, certificate SHA-256 {fingerprint}", client.name);
            Ok((client, Step::pass(TLS, begun.elapsed(), told)))
        }
        Ok(Ok(Shown::Untrusted { fingerprint, why })) => {
            let told = format!("not trusted: {why}; certificate SHA-256 {fingerprint}");
            Err(Step::fail(TLS, begun.elapsed(), told, untrusted(&page)))
        }
        Ok(Err(error)) => {
            let hint = "the device has no certificate yet if it has just been started: try again \
                        in a minute, and look at its clock";
            Err(Step::fail(TLS, begun.elapsed(), format!("no TLS there: {error}"), hint))
        }
        Err(_) => {
            let why = format!("no answer within {} s", PATIENCE.as_secs());
            Err(Step::fail(TLS, begun.elapsed(), why, UNPLUGGED))
        }
    }
}

fn untrusted(page: &str) -> String {
    format!(
        "save the device's authority from http://{page}/trust, compare its fingerprint with the \
         one on the device, and name the file by --authority; ask for the device by its name, \
         as NAME.local. On the device itself run this with sudo and without an address"
    )
}

async fn shaken(client: &Client) -> std::io::Result<Shown> {
    let stream = TcpStream::connect(client.address).await?;
    let (_, shown) = trust::shake_hands(stream, &client.name, &client.roots).await?;
    Ok(shown)
}

/// Where the device sends who asks for what is not for everybody, if anywhere.
async fn led_to(client: &Client) -> Result<Option<(String, u16)>, String> {
    let answer = client.get("/api/v1/config").await.map_err(|error| error.to_string())?;
    if answer.status != StatusCode::TEMPORARY_REDIRECT {
        return Ok(None);
    }
    let place = answer.headers.get(LOCATION).and_then(|place| place.to_str().ok());
    let place = place.and_then(|place| url::Url::parse(place).ok());
    let place = place.filter(|place| place.scheme() == "https");
    let place = place.ok_or("it leads to an address that is none of HTTPS")?;
    // To another machine nothing is taken.
    let host = place.host_str().filter(|host| *host == client.name);
    let host = host.ok_or("it leads to another host")?.to_owned();
    Ok(place.port_or_known_default().map(|port| (host, port)))
}

/// Whether the device says that it is well; a step that holds nobody up.
pub async fn health(client: &Client) -> Step {
    let begun = Instant::now();
    match client.get("/healthz").await {
        Ok(answer) if answer.status == StatusCode::OK => {
            let status = answer.json()["status"].as_str().unwrap_or("healthy").to_owned();
            let step = Step::pass(HEALTH, begun.elapsed(), format!("it says that it is {status}"));
            match status.as_str() {
                "healthy" => step,
                _ => step.but("not everything works: GET /api/v1/status says what under degraded"),
            }
        }
        Ok(answer) => {
            let (why, hint) = answer.problem();
            Step::fail(HEALTH, begun.elapsed(), why, hint)
        }
        Err(error) => Step::fail(HEALTH, begun.elapsed(), error.to_string(), UNPLUGGED),
    }
}

/// Host and port as a request names them.
fn written(scheme: Scheme, host: &str, port: u16) -> String {
    match (scheme, port) {
        (Scheme::Http, 80) | (Scheme::Https, 443) => host.to_owned(),
        _ => format!("{host}:{port}"),
    }
}
