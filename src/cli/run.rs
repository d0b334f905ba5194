//! `signpost run`: the composition root. Boot, ready, shutdown.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{broadcast, watch};
use tokio::task::{JoinError, JoinHandle};

use super::RunArgs;
use super::allocator;
use super::exit::{Exit, Failure, OrExit as _};
use super::log::{self as journal_log, Journal};
use super::owners::Owners;
use super::{reload, systemd};
use crate::camera::{self, Camera, Encoder};
use crate::clock::Clock;
use crate::config::{self, Config, Keeper};
use crate::device;
use crate::http::{self, Access, App, Entry, Listeners};
use crate::model::{Bundle, Places, Wanted};
use crate::recognition::exchange;
use crate::recognition::worker::{PREDICTIONS, Wiring};
use crate::sessions::{self, Sessions};
use crate::tls::{self, authority::Names};

/// Everything has to be down by then; what is not is named and left behind.
const SHUTDOWN: Duration = Duration::from_secs(8);

/// Serves until a signal says stop.
///
/// # Errors
/// What keeps the program from starting, or an owner that ended unasked, with its exit code.
pub fn run(args: &RunArgs, config: Config, journal: Journal) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("tokio runtime cannot be started")
        .or_exit(Exit::Camera)?;
    let outcome = runtime.block_on(serve(args, config, journal));
    // Neither is a thread that is stuck in a driver waited for, nor taken from those that are
    // left what they run on: the program ends with what follows.
    std::mem::forget(runtime);
    outcome
}

async fn serve(args: &RunArgs, config: Config, journal: Journal) -> Result<(), Failure> {
    let mut signals = Signals::new().or_exit(Exit::Camera)?;
    let hangup = signal(SignalKind::hangup()).or_exit(Exit::Camera)?;
    let entry = if args.open { Entry::Free } else { Entry::Password };
    let (listeners, access) = open(&config, entry).await?;
    let device_name = Arc::new(watch::Sender::new(device_name()));
    let https = listeners.https().map(|port| {
        let started = tls::start(certificates(&config, device_name.subscribe()));
        started.map(|started| (http::Https { tls: started.tls, port }, started.owner))
    });
    let (https, tls_owner) = https.transpose().or_exit(Exit::Configuration)?.unzip();
    gstreamer::init().or_exit(Exit::Camera)?;
    if args.source.is_some()
        && let Some(config::Source::File(path)) = config.cameras.first().map(|first| &first.source)
        && !path.is_file()
    {
        // Who types it is there to mend it; a configured one may come later.
        return Err(camera::Error::NoClip(path.clone())).or_exit(Exit::Camera);
    }
    let settings = cameras(&config).await?;

    let config = Arc::new(config);
    let keeper = Keeper::new(config.clone());
    let clock = Clock::start();
    let (stop, stopped) = watch::channel(());
    let started: Vec<camera::Started> = settings
        .into_iter()
        .map(|settings| Camera::start(settings, clock.clone(), stopped.clone()))
        .collect();
    let cameras: Vec<Camera> = started.iter().map(|started| started.camera.clone()).collect();
    let (predictions, _) = broadcast::channel(PREDICTIONS);
    let first = started.first().context("no camera is configured").or_exit(Exit::Configuration)?;
    let recognition = exchange::Settings {
        model: config.model.clone(),
        state_dir: config.state_dir().to_owned(),
        places: Places::of_this_machine(),
        freed: allocator::give_back,
    };
    let (failed, failures) = watch::channel(0);
    let recognition = exchange::start(recognition, |status| Wiring {
        frames: first.frames.clone(),
        predictions: predictions.clone(),
        clock: clock.clone(),
        config: keeper.follow(),
        status,
        failed,
    })
    .or_exit(Exit::Model)?;
    let sessions = Sessions::start(
        cameras.clone(),
        &predictions,
        sessions::Settings {
            limits: config.sessions.clone(),
            ice: config.ice.clone(),
            encoder: config.encoder.clone(),
        },
        clock.clone(),
    );
    let viewers = sessions.clone();
    let mut owners = Owners::default();
    for (camera, started) in cameras.iter().zip(started) {
        owners.watch(format!("camera {}", camera.name()), Exit::Camera, started.owner);
    }
    owners.watch("recognition", Exit::Model, joined(recognition.owner));
    if let Some(owner) = tls_owner {
        owners.watch("the owner of certificates", Exit::Configuration, joined(owner));
    }
    owners.watch("the sessions' owner", Exit::Camera, ended(sessions.status()));
    let handles = http::Owners {
        cameras,
        sessions,
        recognition: recognition.status.clone(),
        bundles: recognition.bundles,
        predictions: predictions.subscribe(),
        failed: failures,
        clock,
        keeper,
        https: https.clone(),
        device_name,
        known: device::watch::start(config.state_dir()),
    };
    let tls = https.map(|https| https.tls);
    let app = App::new(config.clone(), access, handles);
    announce(&listeners.announcement()).or_exit(Exit::Camera)?;
    let refusals = app.refusals.clone();
    let following = tokio::spawn(reload::follow(app.clone(), hangup, journal, stopped.clone()));
    owners.watch("who reads the configuration again", Exit::Camera, following);
    let (router, server) = (http::router(app.clone()), app.clone());
    let server = http::serve(listeners, tls, router, refusals, move || server.tick(), stopped);
    owners.watch("the HTTP server", Exit::Camera, flat(tokio::spawn(server)));

    let outcome = tokio::select! {
        () = signals.wait() => Ok(()),
        failure = owners.first_end() => Err(failure),
        never = allocator::trim() => match never {},
        never = journal_log::tell() => match never {},
        never = systemd::tell(app) => match never {},
    };
    systemd::stopping();
    drop(stop);
    end(shut_down(viewers, owners), signals.wait()).await;
    outcome
}

/// Waits for the end that was asked for, not for ever, and not if it is asked for again.
async fn end(shut_down: impl Future<Output = ()>, again: impl Future<Output = ()>) -> End {
    tokio::select! {
        () = shut_down => {
            log::info!("stopped");
            End::Orderly
        }
        () = tokio::time::sleep(SHUTDOWN) => {
            log::error!("not all stopped in {SHUTDOWN:?}");
            End::Late
        }
        () = again => {
            log::warn!("stopped at once by a second signal");
            End::AtOnce
        }
    }
}

/// How a shutdown went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Orderly,
    Late,
    AtOnce,
}

/// The sockets of systemd, or else those of the configuration; and who may come in by them.
async fn open(config: &Config, entry: Entry) -> Result<(Listeners, Access), Failure> {
    let handed = systemd::sockets().context("taking the sockets of systemd");
    let handed = handed.or_exit(Exit::Camera)?;
    if handed.is_empty() {
        let access = Access::new(config, entry).or_exit(Exit::Configuration)?;
        let listeners = http::bind(&config.http.listen, &config.http.listen_https).await;
        let listeners = listeners.or_exit(Exit::Configuration)?;
        return Ok((listeners, access));
    }
    let listeners = http::inherit(handed).context("taking the sockets of systemd");
    let listeners = listeners.or_exit(Exit::Camera)?;
    let access = Access::as_service(config, &listeners.addresses(), entry);
    Ok((listeners, access.or_exit(Exit::Configuration)?))
}

/// Resolves as `task` does; what it ends with is told, and that it panicked.
async fn flat(task: JoinHandle<Result<(), JoinError>>) -> Result<(), JoinError> {
    task.await.flatten()
}

/// Ends the viewers and waits for every owner.
async fn shut_down(viewers: Sessions, owners: Owners) {
    viewers.stop().await;
    owners.all_ended().await;
}

/// Resolves when a thread has ended.
async fn joined(thread: std::thread::JoinHandle<()>) -> Result<(), &'static str> {
    let joined = tokio::task::spawn_blocking(move || thread.join()).await;
    if matches!(joined, Ok(Ok(()))) { Ok(()) } else { Err("it panicked") }
}

/// Resolves when nobody publishes a state any more.
async fn ended<T>(mut state: watch::Receiver<T>) -> Result<(), &'static str> {
    while state.changed().await.is_ok() {}
    Ok(())
}

/// Every configured camera with the encoder found by probing and the demo clip.
pub(super) async fn cameras(config: &Config) -> Result<Vec<camera::Settings>, Failure> {
    let prefer = config.encoder.prefer.clone();
    let encoder = tokio::task::spawn_blocking(move || Encoder::probe(prefer.as_deref()))
        .await
        .or_exit(Exit::Camera)?
        .or_exit(Exit::Camera)?;
    // A bundle that does not open is told by recognition; then there is no clip either.
    let bundle = Places::of_this_machine()
        .find(Wanted::Bundle, &config.model.bundle)
        .and_then(|folder| Bundle::open(&folder));
    let demo_clip = bundle.ok().map(|bundle| bundle.golden_clip());
    let plugged = |camera: &config::Camera| {
        use config::Source::{Auto, Libcamera, V4l2};
        matches!(camera.source, Auto | Libcamera | V4l2(_))
    };
    let devices = config.cameras.iter().any(plugged).then(camera::devices::watch);
    let settings = config.cameras.iter().map(|camera| camera::Settings {
        camera: camera.clone(),
        encoding: config.encoder.clone(),
        encoder: encoder.clone(),
        demo_clip: demo_clip.clone(),
        devices: devices.clone().filter(|_| plugged(camera)),
    });
    Ok(settings.collect())
}

/// What the owner of certificates is given.
fn certificates(config: &Config, device_name: watch::Receiver<String>) -> tls::Settings {
    let addresses = || {
        let found = if_addrs::get_if_addrs().unwrap_or_default();
        found.into_iter().map(|one| one.ip())
    };
    let built = env!("SIGNPOST_BUILT").parse().expect("the build script writes a number");
    tls::Settings {
        state_dir: config.state_dir().to_owned(),
        names: Box::new(move || Names::new(&device_name.borrow(), addresses())),
        built: SystemTime::UNIX_EPOCH + Duration::from_secs(built),
        clock: SystemTime::now,
    }
}

/// Tells the address on standard output, where scripts read it.
fn announce(text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// The host name, under which the device's own page is opened.
fn device_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// What ends the program: SIGINT or SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_end_comes_in_order_or_late_or_at_once() {
        let begun = tokio::time::Instant::now();
        assert_eq!(end(ready(()), pending()).await, End::Orderly);
        assert_eq!(end(pending(), ready(())).await, End::AtOnce);
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert_eq!(end(pending(), pending()).await, End::Late);
        assert!(begun.elapsed() >= SHUTDOWN);
    }
}
