//! SIGHUP, and what of the configuration the command line itself follows.

use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio::time::{Duration, MissedTickBehavior};

use super::log::Journal;
use crate::config::{Outcome, complaints};
use crate::http::App;

/// How often it is looked whether the owner of the configuration answers.
const TICK: Duration = Duration::from_secs(1);

/// Reads the files again whenever `hangup` comes, and keeps the levels of `journal` as they
/// are configured, until `stopped` is told. Says at the start what an operator should know
/// of the configuration.
pub(super) async fn follow(
    app: App,
    hangup: Signal,
    journal: Journal,
    mut stopped: watch::Receiver<()>,
) {
    tokio::select! {
        () = go_on(&app, hangup, &journal) => {}
        // Nothing is ever sent; the sender goes at the end, for which no disk is waited.
        _ = stopped.changed() => {}
    }
}

async fn go_on(app: &App, mut hangup: Signal, journal: &Journal) {
    let mut settled = app.settled();
    let mut told = Vec::new();
    for complaint in complaints(&settled.borrow().now) {
        log::warn!("{complaint}");
    }
    tell(&settled.borrow_and_update().remarks, &mut told);
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => app.is_free().await,
            _ = hangup.recv() => {
                log::info!("reading the configuration again");
                reload(app).await;
            }
            changed = settled.changed() => {
                if changed.is_err() {
                    return;
                }
                let settled = settled.borrow_and_update();
                journal.set(&settled.now.log);
                tell(&settled.remarks, &mut told);
            }
        }
    }
}

async fn reload(app: &App) {
    match app.reload().await {
        Ok(Outcome { change, .. }) if change.restart.is_empty() => {
            log::info!("in force now: {}", listed(&change.applied));
        }
        Ok(Outcome { change, .. }) => {
            let (applied, restart) = (listed(&change.applied), listed(&change.restart));
            log::warn!("in force now: {applied}; only a restart applies: {restart}");
        }
        // A line of the journal for each problem.
        Err(problems) => {
            problems.lines().for_each(|line| log::error!("{}", line.trim()));
            log::error!("the configuration is as it was: the files are wrong");
        }
    }
}

fn listed(keys: &[String]) -> String {
    if keys.is_empty() { "nothing else than before".to_owned() } else { keys.join(", ") }
}

/// Each remark once, until it is another.
fn tell(remarks: &[String], told: &mut Vec<String>) {
    let fresh = remarks.iter().filter(|remark| !told.contains(remark));
    fresh.for_each(|remark| log::warn!("configuration: {remark}"));
    *told = remarks.to_vec();
}
