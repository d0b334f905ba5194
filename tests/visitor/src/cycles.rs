//! Visitors who come and go, one after the other, some of them rudely.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::receiver::{Peer, Seen, Sight};
use crate::watch::print;
use crate::whep::Device;

/// Share of visits that are broken off.
const BROKEN_OFF: f64 = 0.3;

/// A place that a rude visitor left is free only after the device's silence limit.
const PLACE_LIMIT: Duration = Duration::from_secs(30);

/// Pause before the next try when every place is taken.
const RETRY: Duration = Duration::from_millis(250);

/// The moments at which a visit can break off.
#[derive(Clone, Copy, Debug)]
enum End {
    /// The picture comes, and the visitor leaves as he should.
    Left,
    /// The answer is never applied.
    BeforeAnswer,
    /// Within the first milliseconds after the answer is applied.
    DuringIce,
    /// After the first picture, without a word.
    AfterPicture,
    /// The visitor's process is killed at any moment of the first second.
    Killed,
}

/// `count` visits; a line for each hundred and one at the end.
///
/// # Errors
/// If the device stops answering, or a polite visitor sees no picture.
pub fn cycles(url: &str, device: &Device, count: u32, seed: u64) -> Result<()> {
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut broken_off = 0;
    for visit in 1..=count {
        let end = pick(&mut chance);
        broken_off += u32::from(!matches!(end, End::Left));
        visit_once(url, device, end, &mut chance)
            .with_context(|| format!("visit {visit}, {end:?}"))?;
        if visit % 10 == 0 || visit == count {
            print(&json!({ "event": "visited", "visits": visit, "broken_off": broken_off }));
        }
    }
    Ok(())
}

fn pick(chance: &mut fastrand::Rng) -> End {
    if chance.f64() >= BROKEN_OFF {
        return End::Left;
    }
    [End::BeforeAnswer, End::DuringIce, End::AfterPicture, End::Killed][chance.usize(..4)]
}

fn visit_once(url: &str, device: &Device, end: End, chance: &mut fastrand::Rng) -> Result<()> {
    if matches!(end, End::Killed) {
        return be_killed(url, Duration::from_millis(chance.u64(..1000)));
    }
    let peer = Peer::with(Sight::Counted);
    let (answer, location) = offer_until_taken(device, &peer.offer())?;
    match end {
        End::BeforeAnswer => return Ok(()),
        End::DuringIce => {
            peer.accept(&answer);
            // A wait of any length is a moment as good as another.
            thread::sleep(Duration::from_millis(chance.u64(..60)));
            return Ok(());
        }
        End::AfterPicture | End::Left | End::Killed => peer.accept(&answer),
    }
    peer.until("a picture", |seen| matches!(seen, Seen::Picture(_)).then_some(()));
    if matches!(end, End::Left) {
        device.leave(&location)?;
    }
    Ok(())
}

/// Waits for a place: those who were rude before hold theirs for a while.
fn offer_until_taken(device: &Device, sdp: &str) -> Result<(String, String)> {
    let begun = Instant::now();
    loop {
        let answer = device.offer(sdp)?;
        match (answer.status, answer.location) {
            (201, Some(location)) => return Ok((answer.body, location)),
            (503, _) if begun.elapsed() < PLACE_LIMIT => thread::sleep(RETRY),
            (status, _) => bail!("status {status}: {}", answer.body),
        }
    }
}

/// Another process watches and is killed.
fn be_killed(url: &str, after: Duration) -> Result<()> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["watch", url, "--seconds", "60"])
        .stdout(Stdio::null())
        .spawn()
        .context("starting a visitor")?;
    thread::sleep(after);
    child.kill()?;
    child.wait()?;
    Ok(())
}
