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
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt as _;

use super::address::Doorman;
use super::refusals::Refusals;
use crate::tls::{State, Tls};

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
    /// Whether with TLS.
    pub scheme: Scheme,
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

/// The port of HTTPS among sockets that systemd hands over.
pub const HTTPS: u16 = 443;

/// How a socket is spoken on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// With it.
    Https,
}

impl Scheme {
    fn word(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Bound sockets, at least one.
#[derive(Debug)]
pub struct Listeners(Vec<(TcpListener, Scheme)>);

/// Takes the sockets that systemd has bound.
///
/// # Errors
/// The system's, for a socket that cannot be used.
pub fn inherit(sockets: Vec<std::net::TcpListener>) -> io::Result<Listeners> {
    let taken = sockets.into_iter().map(|socket| {
        socket.set_nonblocking(true)?;
        let https = socket.local_addr()?.port() == HTTPS;
        let scheme = if https { Scheme::Https } else { Scheme::Http };
        Ok((TcpListener::from_std(socket)?, scheme))
    });
    Ok(Listeners(taken.collect::<io::Result<_>>()?))
}

/// Binds every address, or none; `https` with TLS.
pub async fn bind(http: &[SocketAddr], https: &[SocketAddr]) -> Result<Listeners, BindError> {
    let addresses = &[http, https].concat();
    let mut listeners = Vec::with_capacity(addresses.len());
    for (place, &address) in addresses.iter().enumerate() {
        let bound = TcpListener::bind(address).await.map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => in_use(address, addresses),
            io::ErrorKind::PermissionDenied => BindError::Forbidden { address },
            io::ErrorKind::AddrNotAvailable => BindError::Foreign { address },
            _ => BindError::Other { address, source },
        })?;
        listeners.push((bound, if place < http.len() { Scheme::Http } else { Scheme::Https }));
    }
    Ok(Listeners(listeners))
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
        self.0.iter().filter_map(|(listener, _)| listener.local_addr().ok()).collect()
    }

    /// The port of HTTPS, of the first socket with it.
    #[must_use]
    pub fn https(&self) -> Option<u16> {
        let (listener, _) = self.0.iter().find(|(_, scheme)| *scheme == Scheme::Https)?;
        Some(listener.local_addr().ok()?.port())
    }

    /// What `signpost run` prints first, one line for each address.
    #[must_use]
    pub fn announcement(&self) -> String {
        let line = |(listener, scheme): &(TcpListener, Scheme)| {
            let address = listener.local_addr().ok()?;
            Some(format!("listening {}://{address}/\n", scheme.word()))
        };
        self.0.iter().filter_map(line).collect()
    }
}

/// Serves until the sender of `stop` is dropped, then lets requests in flight end. Dropping
/// the future cuts all connections. `answers` is called again and again while every socket is
/// listened on and the routes answer. `tls`: what sockets of HTTPS show; who calls there
/// before there is a certificate is turned away at once, for a browser would wait.
///
/// # Errors
/// A socket is no longer listened on, which a panic alone brings about.
pub async fn serve(
    listeners: Listeners,
    tls: Option<Tls>,
    router: Router,
    refusals: Refusals,
    answers: impl Fn(),
    stop: watch::Receiver<()>,
) -> Result<(), JoinError> {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let (doorman, mut loops) = (Doorman::new(refusals), JoinSet::new());
    let mut pulses = Vec::new();
    let tls = tls.map(|tls| Lock { acceptor: TlsAcceptor::from(tls.server_config()), tls });
    for (listener, scheme) in listeners.0 {
        let (pulse, felt) = mpsc::channel(1);
        pulses.push(pulse);
        let hall = Hall {
            router: router.clone(),
            places: places.clone(),
            doorman: doorman.clone(),
            scheme,
            lock: tls.clone(),
        };
        loops.spawn(accept(listener, hall, felt, stop.clone()));
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
    request.extensions_mut().insert(Ends { peer: here, local: here, scheme: Scheme::Http });
    let Ok(_answer) = router.oneshot(request).await;
}

/// What every connection needs.
struct Hall {
    router: Router,
    places: Arc<Semaphore>,
    doorman: Doorman,
    scheme: Scheme,
    lock: Option<Lock>,
}

/// How connections with TLS begin.
#[derive(Clone)]
struct Lock {
    acceptor: TlsAcceptor,
    tls: Tls,
}

async fn accept(
    listener: TcpListener,
    Hall { router, places, doorman, scheme, lock }: Hall,
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
                let Some(ends) = prepare(&stream, peer, scheme) else { continue };
                let (router, watcher) = (router.clone(), graceful.watcher());
                let lock = match scheme {
                    Scheme::Http => None,
                    Scheme::Https => match lock.clone().filter(Lock::has_key) {
                        Some(lock) => Some((lock, stop.clone())),
                        None => continue,
                    },
                };
                connections.spawn(async move {
                    match lock {
                        None => converse(stream, ends, router, watcher).await,
                        Some((lock, stop)) => {
                            if let Some(stream) = lock.shake_hands(stream, stop).await {
                                converse(stream, ends, router, watcher).await;
                            }
                        }
                    }
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

impl Lock {
    fn has_key(&self) -> bool {
        matches!(self.tls.state(), State::Serving(_))
    }

    /// Begins TLS; `None` where the client does not speak it, trusts no such certificate, or
    /// takes too long.
    async fn shake_hands(
        self,
        stream: TcpStream,
        mut stop: watch::Receiver<()>,
    ) -> Option<TlsStream<TcpStream>> {
        let shaken = tokio::time::timeout(HEAD_TIMEOUT, self.acceptor.accept(stream));
        let shaken = tokio::select! {
            shaken = shaken => shaken,
            () = dropped(&mut stop) => return None,
        };
        match shaken {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                log::debug!("a connection without TLS: {error}");
                None
            }
            Err(_) => None,
        }
    }
}

/// Sets a new connection's options, and says between whom it is.
fn prepare(stream: &TcpStream, peer: SocketAddr, scheme: Scheme) -> Option<Ends> {
    // Answers are small and wait for nothing.
    let _ = stream.set_nodelay(true);
    // A kernel without this option lets such a client go later.
    let unread = UNREAD_TIMEOUT.as_millis() as u32;
    let _ = rustix::net::sockopt::set_tcp_user_timeout(stream, unread);
    Some(Ends { peer, local: stream.local_addr().ok()?, scheme })
}

/// Answers the requests of one connection until it ends or the program does.
async fn converse<S>(stream: S, ends: Ends, router: Router, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ends);
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

    use std::time::SystemTime;

    use axum::Extension;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::oneshot;

    use super::*;
    use crate::tls;

    async fn loopback() -> (Listeners, SocketAddr) {
        let listeners = bind(&["127.0.0.1:0".parse().unwrap()], &[]).await.unwrap();
        let address = listeners.addresses()[0];
        (listeners, address)
    }

    #[tokio::test]
    async fn announcement_names_the_real_port() {
        let free = ["127.0.0.1:0".parse().unwrap(), "[::1]:0".parse().unwrap()];
        let listeners = bind(&free, &[]).await.unwrap();
        let [v4, v6] = listeners.addresses()[..] else { panic!("two addresses") };
        let (v4, v6) = (v4.port(), v6.port());
        let expected = format!("listening http://127.0.0.1:{v4}/\nlistening http://[::1]:{v6}/\n");
        assert_eq!(listeners.announcement(), expected);
        assert!(v4 != 0 && v6 != 0);
    }

    #[tokio::test]
    async fn sockets_of_systemd_are_served() {
        let bound = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let inherited = inherit(vec![bound]).unwrap();
        let served = inherited.addresses()[0];
        assert_eq!(inherited.https(), None);
        let (_running, stop) = watch::channel(());
        tokio::spawn(serve(inherited, None, Router::new(), Refusals::default(), || (), stop));
        let mut client = TcpStream::connect(served).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), b'H');
    }

    /// Certificates for door.local; before `built` there are none.
    fn certificates(folder: &std::path::Path, built: SystemTime) -> Tls {
        let settings = tls::Settings {
            state_dir: folder.to_owned(),
            names: Box::new(|| tls::authority::Names::new("door", [])),
            built,
            clock: SystemTime::now,
        };
        tls::start(settings).unwrap().tls
    }

    #[tokio::test]
    async fn who_trusts_the_device_talks_to_it_by_tls() {
        let folder = tempfile::tempdir().unwrap();
        let tls = certificates(folder.path(), SystemTime::UNIX_EPOCH);
        let serving = tls
            .follow()
            .wait_for(|state| matches!(state, State::Serving(_)))
            .await
            .unwrap()
            .clone();
        let State::Serving(serving) = serving else { panic!("it was waited for") };
        let free = ["127.0.0.1:0".parse().unwrap()];
        let listeners = bind(&free, &free).await.unwrap();
        let (plain, secure) = (listeners.addresses()[0], listeners.addresses()[1]);
        let announced = format!("listening http://{plain}/\nlistening https://{secure}/\n");
        assert_eq!((listeners.announcement(), listeners.https()), (announced, Some(secure.port())));
        let tells = get(async |Extension(ends): Extension<Ends>| ends.scheme.word());
        let router = Router::new().route("/", tells);
        let (_running, stop) = watch::channel(());
        tokio::spawn(serve(listeners, Some(tls), router, Refusals::default(), || (), stop));

        let mut roots = rustls::RootCertStore::empty();
        roots.add(serving.authority.der.clone().into()).unwrap();
        let provider = rustls::crypto::ring::default_provider();
        let config = rustls::ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let ask = async |mut stream: Box<dyn Both>| {
            stream
                .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                .await
                .unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.map(|_| answer)
        };
        let stream = TcpStream::connect(secure).await.unwrap();
        let stream = connector.connect("door.local".try_into().unwrap(), stream).await.unwrap();
        assert!(ask(Box::new(stream)).await.unwrap().ends_with("https"));
        let stream = TcpStream::connect(secure).await.unwrap();
        assert!(connector.connect("hall.local".try_into().unwrap(), stream).await.is_err());
        let stream = TcpStream::connect(plain).await.unwrap();
        assert!(ask(Box::new(stream)).await.unwrap().ends_with("http"));
        // Without TLS nothing is answered there.
        let stream = TcpStream::connect(secure).await.unwrap();
        let answer = ask(Box::new(stream)).await;
        assert!(!answer.is_ok_and(|answer| answer.contains("HTTP")));
    }

    trait Both: AsyncRead + AsyncWrite + Unpin + Send {}
    impl<S: AsyncRead + AsyncWrite + Unpin + Send> Both for S {}

    #[tokio::test]
    async fn who_calls_before_there_is_a_certificate_is_turned_away_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let tomorrow = SystemTime::now() + Duration::from_secs(24 * 3600);
        let tls = certificates(folder.path(), tomorrow);
        let free = ["127.0.0.1:0".parse().unwrap()];
        let listeners = bind(&free, &free).await.unwrap();
        let secure = listeners.addresses()[1];
        let (_running, stop) = watch::channel(());
        tokio::spawn(serve(listeners, Some(tls), Router::new(), Refusals::default(), || (), stop));
        let mut client = TcpStream::connect(secure).await.unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap_or(0), 0);
    }

    #[tokio::test]
    async fn what_cannot_be_bound_says_what_to_do() {
        let (_listeners, address) = loopback().await;
        let told = bind(&[address], &[]).await.unwrap_err().to_string();
        assert!(told.starts_with(&format!("port {} is in use: ", address.port())), "{told}");
        assert!(told.contains("--listen 127.0.0.1:0"), "{told}");
        let all = SocketAddr::new("0.0.0.0".parse().unwrap(), address.port());
        assert!(
            matches!(in_use(address, &[all, address]), BindError::Twice { other, .. } if other == all)
        );
        assert!(matches!(in_use(address, &[address, address]), BindError::Twice { .. }));
        assert!(matches!(in_use(all, &[all, address]), BindError::InUse { .. }));
        let foreign = bind(&["192.0.2.1:0".parse().unwrap()], &[]).await.unwrap_err();
        assert!(matches!(foreign, BindError::Foreign { .. }), "{foreign}");
    }

    #[tokio::test(start_paused = true)]
    async fn silent_and_slow_clients_are_let_go() {
        let (listeners, address) = loopback().await;
        let (_running, stop) = watch::channel(());
        tokio::spawn(serve(listeners, None, Router::new(), Refusals::default(), || (), stop));
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
            let serving = serve(listeners, None, router, Refusals::default(), answers, stop);
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
        tokio::spawn(serve(listeners, None, Router::new(), Refusals::default(), || (), stop));
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
        let served = tokio::spawn(serve(listeners, None, router, Refusals::default(), || (), stop));
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
