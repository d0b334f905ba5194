//! Whether the ICE servers that the device names do what a viewer needs of them, asked from
//! here.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustls::RootCertStore;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket, lookup_host};

use super::peer::Peer;
use super::stun;
use super::trust::{Shown, shake_hands};
use crate::checks::Step;
use crate::config::{Ice, IceServer, TransportPolicy};
use crate::errors;

/// A server that has not answered by then is of no use to a page, which waits 5 s at most.
const PATIENCE: Duration = Duration::from_secs(5);
/// Retransmissions of a request (RFC 8489, 6.2.1).
const REPEATS: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];
/// The most of an answer.
const LONGEST: usize = 1500;

/// Asks every address of every server; without a server there is one step, which passes.
pub async fn ask(servers: &[IceServer], roots: &RootCertStore, mut report: impl FnMut(Step)) {
    if servers.is_empty() {
        let none = "none is configured: viewers of this network need none";
        report(Step::pass(super::journey::SERVERS, Duration::ZERO, none));
    }
    for server in servers {
        for url in &server.urls {
            report(one(server, url, roots).await);
        }
    }
}

async fn one(server: &IceServer, url: &str, roots: &RootCertStore) -> Step {
    let (name, begun) = (format!("ICE server {url}"), Instant::now());
    let (asked, hint) = match url.split(':').next() {
        Some("stun") => {
            (bind(url).await, "look at ice.servers, and whether a firewall lets UDP to it pass")
        }
        Some("turn" | "turns") => (
            relay(server, url).await,
            "look at its address, user name and credential in ice.servers, and whether a \
             firewall lets this machine reach it",
        ),
        _ => (
            bind_by_tls(url, roots).await,
            "look at its address in ice.servers and at its certificate; only browsers ask such a \
             server, and the device does not",
        ),
    };
    match asked {
        Ok(found) => Step::pass(name, begun.elapsed(), found),
        Err(why) => Step::fail(name, begun.elapsed(), why, hint),
    }
}

/// A Binding request.
async fn bind(url: &str) -> Result<String, String> {
    let asking = async {
        let place = place(url);
        let found = lookup_host(&place).await;
        let addresses = found.map_err(|error| format!("{place} has no address: {error}"))?;
        for address in addresses {
            if let Some(mapped) = exchange(address).await {
                return Ok(format!("it answers, and sees this machine as {}", mapped.ip()));
            }
        }
        Err(format!("{place} does not answer"))
    };
    let slow = |_| format!("no answer within {} s", PATIENCE.as_secs());
    tokio::time::timeout(PATIENCE, asking).await.map_err(slow)?
}

/// The same over TLS.
async fn bind_by_tls(url: &str, roots: &RootCertStore) -> Result<String, String> {
    let asking = async {
        let place = place(url);
        let host = place.rsplit_once(':').map_or(place.as_str(), |(host, _)| host);
        let failed = |error: io::Error| format!("{place} does not answer: {error}");
        let stream = TcpStream::connect(&place).await.map_err(failed)?;
        let (mut stream, shown) = shake_hands(stream, host, roots).await.map_err(failed)?;
        if let Shown::Untrusted { why, .. } = shown {
            return Err(format!("its certificate is not trusted: {why}"));
        }
        let mut transaction = stun::Transaction::default();
        getrandom::fill(&mut transaction).map_err(|error| error.to_string())?;
        stream.write_all(&stun::request(transaction)).await.map_err(failed)?;
        let mut message = vec![0; stun::HEADER];
        stream.read_exact(&mut message).await.map_err(failed)?;
        let length = usize::from(u16::from_be_bytes([message[2], message[3]])).min(LONGEST);
        message.resize(stun::HEADER + length, 0);
        stream.read_exact(&mut message[stun::HEADER..]).await.map_err(failed)?;
        let mapped = stun::answer(&message, transaction);
        let mapped = mapped.ok_or_else(|| format!("{place} answers with something else"))?;
        Ok(format!("it answers, and sees this machine as {}", mapped.ip()))
    };
    let slow = |_| format!("no answer within {} s", PATIENCE.as_secs());
    tokio::time::timeout(PATIENCE, asking).await.map_err(slow)?
}

/// The address in a URL of RFC 7064 or 7065, with its port.
fn place(url: &str) -> String {
    let (scheme, rest) = url.split_once(':').unwrap_or(("stun", url));
    let place = rest.split('?').next().unwrap_or(rest);
    let has_port = place.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    match (has_port, scheme.ends_with('s')) {
        (true, _) => place.to_owned(),
        (false, true) => format!("{place}:5349"),
        (false, false) => format!("{place}:3478"),
    }
}

async fn exchange(server: SocketAddr) -> Option<SocketAddr> {
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await.ok()?;
    socket.connect(server).await.ok()?;
    let mut transaction = stun::Transaction::default();
    getrandom::fill(&mut transaction).ok()?;
    for wait in REPEATS {
        socket.send(&stun::request(transaction)).await.ok()?;
        let mut message = [0; LONGEST];
        match tokio::time::timeout(wait, socket.recv(&mut message)).await {
            Ok(Ok(length)) => {
                if let Some(mapped) = stun::answer(&message[..length], transaction) {
                    return Some(mapped);
                }
            }
            // Nobody listens at that port.
            Ok(Err(_)) => return None,
            Err(_) => {}
        }
    }
    None
}

/// An allocation, made as a viewer makes it.
async fn relay(server: &IceServer, url: &str) -> Result<String, String> {
    let only = IceServer { urls: vec![url.to_owned()], ..server.clone() };
    let ice = Ice {
        servers: vec![only],
        allowed_servers: Vec::new(),
        transport_policy: TransportPolicy::Relay,
        udp_ports: None,
    };
    let mut peer = Peer::new(&ice).map_err(|error| errors::chain(&error))?;
    let offered = peer.offer(PATIENCE).await.map_err(|error| errors::chain(&error));
    let given = peer.until(Duration::ZERO, |_| true).await.relayed;
    // Also where it came in the offer alone.
    let given = given || offered.as_ref().is_ok_and(|offer| offer.contains(" typ relay"));
    peer.close().await;
    offered?;
    if given {
        return Ok("it gives an address to be relayed by".to_owned());
    }
    let by_udp = !url.starts_with("turns") && !url.ends_with("=tcp");
    if by_udp && bind(url).await.is_ok() {
        return Err("it answers, but gives no address: it may not take user name or credential, \
                    or have no free ports"
            .to_owned());
    }
    Err(format!("{} does not answer, or refuses to relay", place(url)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn ports_are_those_of_the_rfc_unless_others_are_given() {
        assert_eq!(place("stun:a.lan"), "a.lan:3478");
        assert_eq!(place("turn:a.lan:19?transport=tcp"), "a.lan:19");
        assert_eq!(place("turns:[::1]"), "[::1]:5349");
    }

    #[tokio::test]
    async fn a_server_that_answers_passes_and_one_that_does_not_fails() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        let answering = tokio::spawn(async move {
            let mut message = [0; 100];
            // The first one is lost, as on a network.
            server.recv_from(&mut message).await.unwrap();
            let (length, from) = server.recv_from(&mut message).await.unwrap();
            assert_eq!(length, 20);
            let mut reply = vec![1, 1, 0, 12];
            reply.extend_from_slice(&message[4..20]);
            reply.extend_from_slice(&[0, 1, 0, 8, 0, 1, 0, 9, 192, 0, 2, 7]);
            server.send_to(&reply, from).await.unwrap();
            server
        });
        let named =
            |url: &str| IceServer { urls: vec![url.into()], username: None, credential: None };
        let url = format!("stun:{address}");
        let step = one(&named(&url), &url, &RootCertStore::empty()).await;
        assert!(step.passed() && step.detail.contains("192.0.2.7"), "{step:?}");
        drop(answering.await.unwrap());
        let step = one(&named(&url), &url, &RootCertStore::empty()).await;
        assert!(!step.passed() && step.hint.is_some(), "{step:?}");
    }

    /// Answers one request over TLS, as `localhost`.
    async fn stun_over_tls() -> (SocketAddr, RootCertStore) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = rustls::crypto::ring::default_provider();
        let config = rustls::ServerConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut message = [0; stun::HEADER];
                if stream.read_exact(&mut message).await.is_err() {
                    continue;
                }
                let mut reply = vec![1, 1, 0, 12];
                reply.extend_from_slice(&message[4..]);
                reply.extend_from_slice(&[0, 1, 0, 8, 0, 1, 0, 9, 192, 0, 2, 7]);
                stream.write_all(&reply).await.unwrap();
            }
        });
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        (address, roots)
    }

    #[tokio::test]
    async fn a_server_with_tls_passes_if_it_is_trusted() {
        let (address, roots) = stun_over_tls().await;
        let url = format!("stuns:localhost:{}", address.port());
        let server = IceServer { urls: vec![url.clone()], username: None, credential: None };
        let step = one(&server, &url, &roots).await;
        assert!(step.passed() && step.detail.contains("192.0.2.7"), "{step:?}");
        let step = one(&server, &url, &RootCertStore::empty()).await;
        assert!(step.detail.contains("not trusted"), "{step:?}");
    }
}
