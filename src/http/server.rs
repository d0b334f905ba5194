//! Sockets: binding with words for what goes wrong, and bounded connections.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::HOST;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinSet};
use tower::ServiceExt as _;

use super::address::Doorman;
use super::refusals::Refusals;

/// Connections at the same time: sixteen viewers with a few each, and programs.
/// More wait in the kernel's queue.
const CONNECTIONS: usize = 256;
/// A client that sends no complete request head for so long is let go; so is an
/// idle one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes of a request's head.
const LONGEST_HEAD: usize = 32 * 1024;
/// A client that takes nothing of what it is sent for so long is let go; the kernel
/// would wait for a quarter of an hour.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(20);
/// At shutdown, requests in flight may take so long.
const LAST_ANSWERS: Duration = Duration::from_secs(3);
/// How often a server that is well says so, at most.
const TICK: Duration = Duration::from_millis(500);
/// The kernel is out of file descriptors or memory; asking again at once would
/// only heat the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// The two ends of a connection, as a request's extension.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// The client's address.
    pub peer: SocketAddr,
    /// The address that it connected to.
    pub local: SocketAddr,
}

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program.
    #[error(
        "port {} is in use: stop the program that listens on {address}, or choose another \
         address with --listen {}:0 (port 0 takes a free one)", address.port(), host(*address)
    )]
    InUse {
        /// As configured.
        address: SocketAddr,
    },
    /// This program listens there already.
    #[error("{address} cannot be listened on beside {other}: leave one of the two out")]
    Twice {
        /// As configured.
        address: SocketAddr,
        /// As configured, before it.
        other: SocketAddr,
    },
    /// A port below 1024 without the right to it.
    #[error(
        "port {} is for programs with more rights: choose a port from 1024 on with --listen \
         {}:8080", address.port(), host(*address)
    )]
    Forbidden {
        /// As configured.
        address: SocketAddr,
    },
    /// Not an address of this machine.
    #[error(
        "{} is not an address of this machine: choose one of `ip address`, or 0.0.0.0 for all, \
         with --listen", address.ip()
    )]
    Foreign {
        /// As configured.
        address: SocketAddr,
    },
    /// Anything else.
    #[error("listening on {address} failed")]
    Other {
        /// As configured.
        address: SocketAddr,
        /// The system's words.
        source: io::Error,
    },
}

/// The address without port, as it stands in front of one.
fn host(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(address) => address.ip().to_string(),
        SocketAddr::V6(address) => format!("[{}]", address.ip()),
    }
}

/// The port of HTTPS, which this program does not speak yet.
const HTTPS: u16 = 443;

/// Bound sockets, at least one.
#[derive(Debug)]
pub struct Listeners {
    listeners: Vec<TcpListener>,
    /// Those of [`HTTPS`] that systemd holds open: who connects is turned away at once,
    /// for a browser would wait for an answer.
    held: Vec<TcpListener>,
}

/// Takes the sockets that systemd has bound.
///
/// # Errors
/// The system's, for a socket that cannot be used.
pub fn inherit(sockets: Vec<std::net::TcpListener>) -> io::Result<Listeners> {
    let (mut listeners, mut held) = (Vec::new(), Vec::new());
    for socket in sockets {
        socket.set_nonblocking(true)?;
        let https = socket.local_addr()?.port() == HTTPS;
        let place = if https { &mut held } else { &mut listeners };
        place.push(TcpListener::from_std(socket)?);
    }
    Ok(Listeners { listeners, held })
}

/// Binds every address, or none.
pub async fn bind(addresses: &[SocketAddr]) -> Result<Listeners, BindError> {
    let mut listeners = Vec::with_capacity(addresses.len());
    for &address in addresses {
        let bound = TcpListener::bind(address).await.map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => in_use(address, addresses),
            io::ErrorKind::PermissionDenied => BindError::Forbidden { address },
            io::ErrorKind::AddrNotAvailable => BindError::Foreign { address },
            _ => BindError::Other { address, source },
        })?;
        listeners.push(bound);
    }
    Ok(Listeners { listeners, held: Vec::new() })
}

/// Who has the port of `address`: one of `addresses` before it, or somebody else.
fn in_use(address: SocketAddr, addresses: &[SocketAddr]) -> BindError {
    // The address itself is among them, so the search ends there.
    let first = addresses.iter().find(|other| other.port() == address.port());
    let own = addresses.iter().filter(|other| **other == address).count() > 1;
    match first {
        Some(&other) if other != address || own => BindError::Twice { address, other },
        _ => BindError::InUse { address },
    }
}

impl Listeners {
    /// Where they listen, with the real ports.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// What `signpost run` prints first, one line for each address.
    #[must_use]
    pub fn announcement(&self) -> String {
        let line = |address: SocketAddr| format!("listening http://{address}/\n");
        self.addresses().into_iter().map(line).collect()
    }
}

/// Serves until the sender of `stop` is dropped, then lets requests in flight end. Dropping
/// the future cuts all connections. `answers` is called again and again while every socket is
/// listened on and the routes answer.
///
/// # Errors
/// A socket is no longer listened on, which a panic alone brings about.
pub async fn serve(
    listeners: Listeners,
    router: Router,
    refusals: Refusals,
    answers: impl Fn(),
    stop: watch::Receiver<()>,
) -> Result<(), JoinError> {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let (doorman, mut loops) = (Doorman::new(refusals), JoinSet::new());
    let mut pulses = Vec::new();
    for listener in listeners.listeners {
        let (pulse, felt) = mpsc::channel(1);
        pulses.push(pulse);
        let hall =
            Hall { router: router.clone(), places: places.clone(), doorman: doorman.clone() };
        loops.spawn(accept(listener, hall, felt, stop.clone()));
    }
    for listener in listeners.held {
        let (pulse, felt) = mpsc::channel(1);
        pulses.push(pulse);
        loops.spawn(turn_away(listener, felt, stop.clone()));
    }
    let well = async {
        loop {
            for pulse in &pulses {
                feel(pulse).await;
            }
            knock(router.clone()).await;
            answers();
            tokio::time::sleep(TICK).await;
        }
    };
    let ended = async {
        while let Some(ended) = loops.join_next().await {
            ended?;
        }
        Ok(())
    };
    tokio::select! {
        ended = ended => ended,
        never = well => never,
    }
}

/// Asked by who wants to know whether a loop goes on.
type Pulse = oneshot::Sender<()>;

/// Resolves when the loop behind it has answered; never, once it has ended.
async fn feel(pulse: &mpsc::Sender<Pulse>) {
    let (asked, answered) = oneshot::channel();
    if pulse.send(asked).await.is_err() || answered.await.is_err() {
        std::future::pending().await
    }
}

/// Resolves when the routes have answered what a watchdog asks, whatever they answer. Not by
/// a connection: those who take all of them could have the program restarted.
async fn knock(router: Router) {
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 80));
    let request = Request::get("/healthz").header(HOST, "localhost").body(Body::empty());
    let mut request = request.expect("nothing of it is given from outside");
    request.extensions_mut().insert(Ends { peer: here, local: here });
    let Ok(_answer) = router.oneshot(request).await;
}

/// What every connection needs.
struct Hall {
    router: Router,
    places: Arc<Semaphore>,
    doorman: Doorman,
}

async fn turn_away(
    listener: TcpListener,
    mut felt: mpsc::Receiver<Pulse>,
    mut stop: watch::Receiver<()>,
) {
    loop {
        tokio::select! {
            accepted = listener.accept() => if accepted.is_err() {
                tokio::time::sleep(ACCEPT_PAUSE).await;
            },
            Some(pulse) = felt.recv() => drop(pulse.send(())),
            () = dropped(&mut stop) => return,
        }
    }
}

async fn accept(
    listener: TcpListener,
    Hall { router, places, doorman }: Hall,
    mut felt: mpsc::Receiver<Pulse>,
    mut stop: watch::Receiver<()>,
) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    // While none can be accepted, as where file descriptors have leaked, nobody is served.
    let mut accepts = true;
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            next = next => next,
            () = dropped(&mut stop) => break,
            Some(pulse) = felt.recv(), if accepts => {
                // Who asked no longer waits.
                let _ = pulse.send(());
                continue;
            }
            Some(_) = connections.join_next() => continue,
        };
        accepts = accepted.is_ok();
        match accepted {
            Ok((stream, peer)) => {
                let Some(guest) = doorman.let_in(peer.ip()) else { continue };
                let talk = converse(stream, peer, router.clone(), graceful.watcher());
                connections.spawn(async move {
                    talk.await;
                    drop((place, guest));
                });
            }
            Err(error) => {
                log::debug!("accepting a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(LAST_ANSWERS, graceful.shutdown()).await.is_err() {
        log::warn!(
            "requests were cut off, {} s after the end was asked for",
            LAST_ANSWERS.as_secs()
        );
    }
}

async fn dropped(stop: &mut watch::Receiver<()>) {
    while stop.changed().await.is_ok() {}
}

/// Answers the requests of one connection until it ends or the program does.
async fn converse(stream: TcpStream, peer: SocketAddr, router: Router, watcher: Watcher) {
    // Answers are small and wait for nothing.
    let _ = stream.set_nodelay(true);
    // A kernel without this option lets such a client go later.
    let unread = UNREAD_TIMEOUT.as_millis() as u32;
    let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, unread);
    let Ok(local) = stream.local_addr() else { return };
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Ends { peer, local });
        router.clone().oneshot(request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(LONGEST_HEAD);
    // A client that goes away in mid-request is no event of ours.
    let _ = watcher.watch(builder.serve_connection(TokioIo::new(stream), service)).await;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::oneshot;

    use super::*;

    async fn loopback() -> (Listeners, SocketAddr) {
        let listeners = bind(&["127.0.0.1:0".parse().unwrap()]).await.unwrap();
        let address = listeners.addresses()[0];
        (listeners, address)
    }

    #[tokio::test]
    async fn announcement_names_the_real_port() {
        let free = ["127.0.0.1:0".parse().unwrap(), "[::1]:0".parse().unwrap()];
        let listeners = bind(&free).await.unwrap();
        let [v4, v6] = listeners.addresses()[..] else { panic!("two addresses") };
        let (v4, v6) = (v4.port(), v6.port());
        let expected = format!("listening http://127.0.0.1:{v4}/\nlistening http://[::1]:{v6}/\n");
        assert_eq!(listeners.announcement(), expected);
        assert!(v4 != 0 && v6 != 0);
    }

    #[tokio::test]
    async fn sockets_of_systemd_are_served_and_the_port_of_https_turns_away() {
        let bound = || std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let inherited = inherit(vec![bound()]).unwrap();
        let served = inherited.addresses()[0];
        let held = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let https = held.local_addr().unwrap();
        let listeners = Listeners { held: vec![held], ..inherited };
        assert_eq!(listeners.addresses(), [served], "nobody is sent to a port without a page");
        let (_running, stop) = watch::channel(());
        tokio::spawn(serve(listeners, Router::new(), Refusals::default(), || (), stop));
        let mut client = TcpStream::connect(https).await.unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap_or(0), 0);
        let mut client = TcpStream::connect(served).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), b'H');
    }

    #[tokio::test]
    async fn what_cannot_be_bound_says_what_to_do() {
        let (_listeners, address) = loopback().await;
        let told = bind(&[address]).await.unwrap_err().to_string();
        assert!(told.starts_with(&format!("port {} is in use: ", address.port())), "{told}");
        assert!(told.contains("--listen 127.0.0.1:0"), "{told}");
        let all = SocketAddr::new("0.0.0.0".parse().unwrap(), address.port());
        assert!(
            matches!(in_use(address, &[all, address]), BindError::Twice { other, .. } if other == all)
        );
        assert!(matches!(in_use(address, &[address, address]), BindError::Twice { .. }));
        assert!(matches!(in_use(all, &[all, address]), BindError::InUse { .. }));
        let foreign = bind(&["192.0.2.1:0".parse().unwrap()]).await.unwrap_err();
        assert!(matches!(foreign, BindError::Foreign { .. }), "{foreign}");
    }

    #[tokio::test(start_paused = true)]
    async fn silent_and_slow_clients_are_let_go() {
        let (listeners, address) = loopback().await;
        let (_running, stop) = watch::channel(());
        tokio::spawn(serve(listeners, Router::new(), Refusals::default(), || (), stop));
        for start in ["", "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "] {
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_all(start.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_whose_routes_hang_does_not_say_that_it_is_well() {
        let hangs = Router::new().route("/healthz", get(std::future::pending::<()>));
        for (router, is_well) in [(Router::new(), true), (hangs, false)] {
            let (listeners, _) = loopback().await;
            let (_running, stop) = watch::channel(());
            let (answers, mut answered) = mpsc::unbounded_channel();
            let answers = move || answers.send(()).unwrap();
            let serving = serve(listeners, router, Refusals::default(), answers, stop);
            tokio::select! {
                () = async { for _ in 0..3 { answered.recv().await.unwrap(); } } => assert!(is_well),
                () = tokio::time::sleep(100 * TICK) => assert!(!is_well),
                _ = serving => panic!("it serves until it is told to stop"),
            }
        }
    }

    #[tokio::test]
    async fn a_server_with_a_loop_that_ended_does_not_say_that_it_is_well() {
        let (pulse, felt) = mpsc::channel(1);
        drop(felt);
        let mut asked = std::pin::pin!(feel(&pulse));
        let poll =
            std::future::poll_fn(|context| std::task::Poll::Ready(asked.as_mut().poll(context)));
        assert!(poll.await.is_pending());
    }

    #[tokio::test]
    async fn one_address_does_not_take_every_place() {
        let (listeners, address) = loopback().await;
        let (_running, stop) = watch::channel(());
        tokio::spawn(serve(listeners, Router::new(), Refusals::default(), || (), stop));
        let mut kept = Vec::new();
        for _ in 0..super::super::address::CONNECTIONS {
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
            assert_eq!(client.read_u8().await.unwrap(), b'H');
            kept.push(client);
        }
        let mut client = TcpStream::connect(address).await.unwrap();
        let mut answer = Vec::new();
        // Closed, with or without a reset.
        let _ = client.read_to_end(&mut answer).await;
        assert!(answer.is_empty());
        let other = tokio::net::TcpSocket::new_v4().unwrap();
        other.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let mut other = other.connect(address).await.unwrap();
        other.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        assert_eq!(other.read_u8().await.unwrap(), b'H');
    }

    #[tokio::test]
    async fn request_in_flight_is_answered_at_shutdown() {
        let (listeners, address) = loopback().await;
        let (entered, arrived) = oneshot::channel::<()>();
        let (release, released) = oneshot::channel::<()>();
        let once = Arc::new(std::sync::Mutex::new(Some((entered, released))));
        let slow = get(async move || {
            let (entered, released) = once.lock().unwrap().take().unwrap();
            entered.send(()).unwrap();
            released.await.unwrap();
            "answered"
        });
        let (running, stop) = watch::channel(());
        let router = Router::new().route("/", slow);
        let served = tokio::spawn(serve(listeners, router, Refusals::default(), || (), stop));
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        arrived.await.unwrap();
        drop(running);
        release.send(()).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("answered"), "{answer}");
        served.await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    }
}
