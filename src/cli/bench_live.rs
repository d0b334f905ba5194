//! The live rows of `signpost bench`: the appliance's own owners, in this process, on a clip that
//! plays in real time.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use tokio::sync::{broadcast, watch};

use super::bench::Row;
use super::exit::{Exit, Failure, OrExit as _};
use super::run;
use crate::camera::{Camera, Status};
use crate::clock::Clock;
use crate::config::{self, Config, Keeper};
use crate::model::Places;
use crate::recognition::worker::{PREDICTIONS, Pulse, Wiring, Worker};
use crate::recognition::{self, exchange};
use crate::sessions::{self, Offer, Sessions};

/// Results that are timed: ten seconds at 30 Hz.
const RESULTS: usize = 300;
/// Results before them: the first frames come while plugins are still being loaded.
const WARM_UP: usize = 30;
/// Offers that are timed, after one that loads what all viewers share.
const OFFERS: usize = 40;
/// Without a result for so long there will be none.
const PATIENCE: Duration = Duration::from_secs(15);

/// A viewer's offer: H.264, no data channel, no candidate of its own. Nobody stands behind it;
/// an answer is made all the same.
const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 108\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:zekD\r\n\
    a=ice-pwd:zpKbK+oFzi6MipqFWZDipD3M\r\na=fingerprint:sha-256 \
    1E:B1:6F:4B:03:5C:53:5B:15:E4:AD:47:5D:A1:18:24:5A:1C:7B:95:2B:6A:45:E4:7D:3B:F3:CE:86:0D:95:1A\
    \r\na=setup:actpass\r\na=mid:0\r\na=recvonly\r\na=rtcp-mux\r\na=rtpmap:108 H264/90000\r\n\
    a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n";

/// Capture to result with one camera at the clip's pace, and the time of a warm answer.
///
/// # Errors
/// A [`Failure`] with exit code 4 for the clip or an offer, 5 without results.
pub(super) fn rows(config: &Config, clip: &Path) -> Result<[Row; 2], Failure> {
    let mut config = config.clone();
    config.cameras.truncate(1);
    config.cameras[0].source = config::Source::File(clip.to_owned());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("tokio runtime cannot be started")
        .or_exit(Exit::Camera)?;
    let rows = runtime.block_on(measure(&config));
    runtime.shutdown_background();
    rows
}

async fn measure(config: &Config) -> Result<[Row; 2], Failure> {
    let mut settings = run::cameras(config).await?;
    let first = settings.pop().context("no camera is configured").or_exit(Exit::Configuration)?;
    let clock = Clock::start();
    let (stop, stopped) = watch::channel(());
    let started = Camera::start(first, clock.clone(), stopped);
    let (predictions, mut results) = broadcast::channel(PREDICTIONS);
    let model = config.model.clone();
    let (status, recognition) = watch::channel(recognition::Status::Starting);
    let wiring = Wiring {
        frames: started.frames,
        predictions: predictions.clone(),
        clock: clock.clone(),
        config: Keeper::new(Arc::new(config.clone())).follow(),
        status,
        failed: watch::channel(0).0,
    };
    let worker = Worker::start(wiring, Pulse::default()).or_exit(Exit::Model)?;
    let loading =
        tokio::task::spawn_blocking(move || exchange::load(&Places::of_this_machine(), &model));
    let loaded = loading.await.or_exit(Exit::Model)?.or_exit(Exit::Model)?;
    let stuck = |_| anyhow!("recognition is stuck in its model");
    worker.swap(Some(loaded), PATIENCE).await.map_err(stuck).or_exit(Exit::Model)?;
    let sessions = Sessions::start(
        vec![started.camera.clone()],
        &predictions,
        sessions::Settings {
            limits: config.sessions.clone(),
            ice: config.ice.clone(),
            encoder: config.encoder.clone(),
        },
        clock,
    );
    let mut ages = Vec::with_capacity(RESULTS);
    for count in 0..WARM_UP + RESULTS {
        let Ok(Ok(result)) = tokio::time::timeout(PATIENCE, results.recv()).await else {
            let camera = match started.camera.status().borrow().clone() {
                Status::Failed(away) => away.reason,
                other => format!("{other:?}"),
            };
            let recognition = format!("{:?}", *recognition.borrow());
            let why = anyhow!("no result within {PATIENCE:?}: camera {camera}, {recognition}");
            return Err(why).or_exit(Exit::Model);
        };
        if count >= WARM_UP {
            let age = f64::from(result.timing_ms.capture_to_result.max(0.0));
            ages.push(Duration::from_secs_f64(age / 1e3));
        }
    }
    let answers = answers(&sessions).await?;
    sessions.stop().await;
    drop(stop);
    started.owner.await.or_exit(Exit::Camera)?;
    let threads = config.model.threads;
    Ok([
        Row::new("capture to result, live", threads, ages),
        Row::new("answer to an offer, warm", threads, answers),
    ])
}

async fn answers(sessions: &Sessions) -> Result<Vec<Duration>, Failure> {
    let mut times = Vec::with_capacity(OFFERS);
    for count in 0..=OFFERS {
        let asked = Instant::now();
        let offer = Offer { sdp: OFFER.into(), ..Offer::default() };
        let answer = sessions.offer(offer).await.or_exit(Exit::Camera)?;
        if count > 0 {
            times.push(asked.elapsed());
        }
        sessions.close(&answer.session.to_string(), None).await.or_exit(Exit::Camera)?;
    }
    Ok(times)
}
