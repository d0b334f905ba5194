//! What is done for the owner on blocking threads: viewers are built and torn down.

use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::viewer::Viewer;
use super::{ConnectionId, ViewerError};

/// A teardown takes 11 ms; one that takes longer than this is given up, with its
/// thread, and counted.
const TEARDOWN_LIMIT: Duration = Duration::from_secs(5);

/// What has been done.
pub(super) enum Done {
    Built(ConnectionId, Result<Box<(Viewer, String)>, ViewerError>),
    TornDown(ConnectionId),
    /// The teardown has been given up.
    Stuck(ConnectionId),
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
    let ended = spawn_blocking(move || viewer.map(Viewer::end));
    if timeout(TEARDOWN_LIMIT, ended).await.is_err() {
        log::error!("a viewer's pipeline did not stop within {TEARDOWN_LIMIT:?}");
        return Done::Stuck(connection);
    }
    Done::TornDown(connection)
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
}
