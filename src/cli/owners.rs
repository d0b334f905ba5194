//! The owners that the running program consists of: none of them ends unasked.

use std::fmt::Display;

use anyhow::anyhow;
use tokio::task::JoinSet;

use super::exit::{Exit, Failure};

/// Everybody who has to run until the program is told to stop.
#[derive(Default)]
pub struct Owners {
    running: JoinSet<Ended>,
}

struct Ended {
    name: String,
    /// How the program ends if this one does so unasked.
    exit: Exit,
    outcome: Result<(), String>,
}

impl Owners {
    /// Watches `owner`, which resolves when it has ended; an error is why.
    pub fn watch<E: Display>(
        &mut self,
        name: impl Into<String>,
        exit: Exit,
        owner: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let name = name.into();
        self.running.spawn(async move {
            let outcome = owner.await.map_err(|error| error.to_string());
            Ended { name, exit, outcome }
        });
    }

    /// The first one that ends, to be called before any is told to. Cancel safe.
    pub async fn first_end(&mut self) -> Failure {
        let Some(Ok(Ended { name, exit, outcome })) = self.running.join_next().await else {
            return std::future::pending().await;
        };
        let why = outcome.err().unwrap_or_else(|| "nobody told it to".to_owned());
        log::error!("{name} ended: {why}; the program stops");
        Failure { exit, error: anyhow!("{name} ended while it was needed: {why}") }
    }

    /// Waits until all have ended, each failure logged.
    pub async fn all_ended(mut self) {
        while let Some(ended) = self.running.join_next().await {
            if let Ok(Ended { name, outcome: Err(why), .. }) = ended {
                log::error!("{name} did not end well: {why}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_owner_that_ends_is_named_with_its_exit_code() {
        let mut owners = Owners::default();
        owners.watch("camera door", Exit::Camera, std::future::pending::<Result<(), String>>());
        owners.watch("recognition", Exit::Model, async { Err("out of memory") });
        let failure = owners.first_end().await;
        assert_eq!(failure.exit, Exit::Model);
        let words = failure.error.to_string();
        assert_eq!(words, "recognition ended while it was needed: out of memory");
    }

    #[tokio::test]
    async fn an_owner_that_panics_or_returns_has_ended() {
        let mut owners = Owners::default();
        let panics = tokio::spawn(async { panic!("as the test wants") });
        owners.watch("camera door", Exit::Camera, panics);
        let failure = owners.first_end().await;
        assert_eq!(failure.exit, Exit::Camera);
        assert!(failure.error.to_string().contains("panicked"), "{}", failure.error);
        owners.watch("the HTTP server", Exit::Camera, async { Ok::<(), String>(()) });
        let words = owners.first_end().await.error.to_string();
        assert_eq!(words, "the HTTP server ended while it was needed: nobody told it to");
    }

    #[tokio::test]
    async fn all_are_waited_for() {
        let mut owners = Owners::default();
        let (stop, stopped) = tokio::sync::watch::channel(());
        for name in ["one", "two"] {
            let mut stopped = stopped.clone();
            owners.watch(name, Exit::Camera, async move {
                let _ = stopped.changed().await;
                Ok::<(), String>(())
            });
        }
        let ending = tokio::spawn(owners.all_ended());
        tokio::task::yield_now().await;
        assert!(!ending.is_finished());
        drop(stop);
        assert!(ending.await.is_ok());
    }
}
