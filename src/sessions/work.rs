//! What is done for the owner on blocking threads: viewers are built and torn down.

use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::viewer::Viewer;
use super::{ConnectionId, ViewerError};

/// A teardown takes 11 ms; one that takes longer than this is waited for no more.
pub(super) const TEARDOWN_LIMIT: Duration = Duration::from_secs(5);

/// A viewer that is built over its negotiation's time is ended on the way; one that does not
/// come to its end within so much more hangs.
const BUILD_GRACE: Duration = Duration::from_secs(5);

type Built = Result<Box<(Viewer, String)>, ViewerError>;

/// What has been done.
pub(super) enum Done {
    Built(ConnectionId, Built),
    /// The build is not waited for any more: it is parked like a teardown.
    NotBuilt(ConnectionId, JoinHandle<()>),
    TornDown(ConnectionId),
    /// The teardown is not waited for any more: the pipeline is parked with its
    /// thread, which may still come to its end.
    Stuck(ConnectionId, JoinHandle<()>),
}

/// Builds on a blocking thread, which has `limit`. A panic there is an error like another,
/// or its connection would never leave the table.
pub(super) async fn built(
    connection: ConnectionId,
    limit: Duration,
    build: impl FnOnce() -> Built + Send + 'static,
) -> Done {
    built_within(connection, limit + BUILD_GRACE, build).await
}

async fn built_within(
    connection: ConnectionId,
    limit: Duration,
    build: impl FnOnce() -> Built + Send + 'static,
) -> Done {
    let mut building = spawn_blocking(build);
    match timeout(limit, &mut building).await {
        Ok(built) => Done::Built(connection, built.unwrap_or(Err(ViewerError::Panicked))),
        Err(_) => Done::NotBuilt(connection, tokio::spawn(end_late(building))),
    }
}

/// What is built after all is not wanted any more; its end blocks.
async fn end_late(building: JoinHandle<Built>) {
    if let Ok(built) = building.await {
        // A panic on the way down ends only the thread.
        let _ = spawn_blocking(move || drop(built)).await;
    }
}

/// Stops a viewer's pipeline, if it has one.
pub(super) async fn torn_down(connection: ConnectionId, viewer: Option<Viewer>) -> Done {
    ended(connection, TEARDOWN_LIMIT, move || viewer.into_iter().for_each(Viewer::end)).await
}

async fn ended(
    connection: ConnectionId,
    limit: Duration,
    end: impl FnOnce() + Send + 'static,
) -> Done {
    let mut ended = spawn_blocking(end);
    match timeout(limit, &mut ended).await {
        Ok(_) => Done::TornDown(connection),
        Err(_) => Done::Stuck(connection, ended),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[tokio::test]
    async fn a_panic_while_a_viewer_is_built_is_no_answer() {
        let id = ConnectionId::random().unwrap();
        let done = built(id, Duration::ZERO, || panic!("on purpose")).await;
        let Done::Built(of, Err(ViewerError::Panicked)) = done else { panic!("no error") };
        assert_eq!(of, id);
    }

    #[tokio::test]
    async fn a_build_that_hangs_is_parked_and_may_still_end() {
        let (release, released) = std::sync::mpsc::channel::<()>();
        let id = ConnectionId::random().unwrap();
        let hangs = move || {
            released.recv().unwrap();
            Err(ViewerError::Panicked)
        };
        let Done::NotBuilt(of, parked) = built_within(id, Duration::ZERO, hangs).await else {
            panic!("it is not waited for")
        };
        assert_eq!((of, parked.is_finished()), (id, false));
        release.send(()).unwrap();
        parked.await.unwrap();
    }

    #[tokio::test]
    async fn a_teardown_that_hangs_is_parked_and_may_still_end() {
        let (release, released) = std::sync::mpsc::channel::<()>();
        let id = ConnectionId::random().unwrap();
        let hangs = move || released.recv().unwrap();
        let Done::Stuck(of, parked) = ended(id, Duration::ZERO, hangs).await else {
            panic!("it is not waited for")
        };
        assert_eq!((of, parked.is_finished()), (id, false));
        release.send(()).unwrap();
        parked.await.unwrap();
    }
}
