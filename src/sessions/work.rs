//! What is done for the owner on blocking threads: viewers are built and torn down.

use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::viewer::Viewer;
use super::{ConnectionId, ViewerError};

/// A teardown takes 11 ms; one that takes longer than this is waited for no more.
pub(super) const TEARDOWN_LIMIT: Duration = Duration::from_secs(5);

/// What has been done.
pub(super) enum Done {
    Built(ConnectionId, Result<Box<(Viewer, String)>, ViewerError>),
    TornDown(ConnectionId),
    /// The teardown is not waited for any more: the pipeline is parked with its
    /// thread, which may still come to its end.
    Stuck(ConnectionId, JoinHandle<()>),
}

/// Builds on a blocking thread. A panic there is an error like another, or its
/// connection would never leave the table.
pub(super) async fn built(
    connection: ConnectionId,
    build: impl FnOnce() -> Result<Box<(Viewer, String)>, ViewerError> + Send + 'static,
) -> Done {
    let built = spawn_blocking(build).await;
    Done::Built(connection, built.unwrap_or(Err(ViewerError::Panicked)))
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
        let done = built(id, || panic!("on purpose")).await;
        let Done::Built(of, Err(ViewerError::Panicked)) = done else { panic!("no error") };
        assert_eq!(of, id);
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
