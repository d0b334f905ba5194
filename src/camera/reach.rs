//! Whether anybody is at a network camera's address. rtspsrc (GStreamer 1.22) waits up to
//! 20 s for a host that is off, and a host that came back meanwhile waits with it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use url::Url;

/// What a host of the same network needs to answer, with one repeat of the kernel's (after
/// 1 s, RFC 6298); as long may its name be looked up.
const ANSWER: Duration = Duration::from_millis(1500);

/// Resolves once somebody takes a connection at `address`, rtsp or rtsps (RFC 7826, 19.1),
/// which is closed again.
///
/// # Errors
/// What keeps them from it, in words. What cannot be read, and a name that is not known or
/// not in time, is left to rtspsrc.
pub(super) async fn reach(address: &str) -> Result<(), String> {
    let Some((host, port)) = host_and_port(address) else { return Ok(()) };
    match tokio::time::timeout(ANSWER, lookup_host((host, port))).await {
        Ok(Ok(addresses)) => any(addresses.collect()).await,
        Ok(Err(_)) | Err(_) => Ok(()),
    }
}

/// Resolves once somebody takes a connection at one of `addresses`, all tried at once.
async fn any(addresses: Vec<SocketAddr>) -> Result<(), String> {
    let mut tries: JoinSet<Result<(), String>> = addresses.into_iter().map(one).collect();
    let mut told = Ok(());
    while let Some(tried) = tries.join_next().await {
        match tried {
            Ok(Ok(())) => return Ok(()),
            Ok(refused) => told = refused,
            Err(_) => {}
        }
    }
    told
}

async fn one(address: SocketAddr) -> Result<(), String> {
    match tokio::time::timeout(ANSWER, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(in_words(&error, address.port())),
        Err(_) => Err("nobody answers".to_owned()),
    }
}

fn host_and_port(address: &str) -> Option<(String, u16)> {
    let url = Url::parse(address).ok()?;
    let usual = if url.scheme() == "rtsps" { 322 } else { 554 };
    let host = url.host_str()?.trim_matches(['[', ']']);
    Some((host.to_owned(), url.port().unwrap_or(usual)))
}

fn in_words(error: &io::Error, port: u16) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => format!("nobody listens on its port {port}"),
        io::ErrorKind::HostUnreachable | io::ErrorKind::TimedOut => "nobody answers".to_owned(),
        _ => format!("it cannot be reached: {error}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn host_and_port_are_found_beside_credentials() {
        for (address, host, port) in [
            ("rtsp://camera.local/stream?a=b@c", "camera.local", 554),
            ("rtsp://user:p%40ss@192.0.2.7:8554/1", "192.0.2.7", 8554),
            ("rtsps://[2001:db8::1]/1", "2001:db8::1", 322),
        ] {
            assert_eq!(host_and_port(address), Some((host.to_owned(), port)), "{address}");
        }
        assert_eq!(host_and_port("rtsp://user:a/b@host/1:x"), None);
    }

    #[tokio::test]
    async fn who_listens_is_reached_and_who_does_not_is_told() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("rtsp://{}/1", listener.local_addr().unwrap());
        reach(&address).await.unwrap();
        drop(listener);
        let told = reach(&address).await.unwrap_err();
        assert!(told.starts_with("nobody listens on its port"), "{told}");
    }

    #[tokio::test]
    async fn one_address_that_answers_is_enough() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        // TEST-NET-1 (RFC 5737): nobody, or no way there; and nobody listens at the last.
        let nobody = SocketAddr::from(([192, 0, 2, 1], here.port()));
        let refuses = SocketAddr::from(([127, 0, 0, 2], here.port()));
        any(vec![nobody, here, refuses]).await.unwrap();
        any(vec![nobody, refuses]).await.unwrap_err();
        any(Vec::new()).await.unwrap();
    }

    #[tokio::test]
    async fn who_does_not_answer_is_not_waited_for() {
        // The kernel answers for a listener as long as there is room in its queue.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut kept = Vec::new();
        while let Ok(stream) = tokio::time::timeout(ANSWER, TcpStream::connect(address)).await {
            kept.push(stream.unwrap());
        }
        assert_eq!(one(address).await, Err("nobody answers".to_owned()));
    }
}
