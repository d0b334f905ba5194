//! What is taken out of everything that leaves the device as log or support bundle.

use super::App;
use crate::config::Settled;
use crate::device::redaction::Redaction;
use crate::tls;

impl App {
    /// Looks for the secrets in force: as configured, as started, and as they lie in the state
    /// directory.
    pub(super) async fn redaction(&self) -> Redaction {
        let app = self.clone();
        let found = tokio::task::spawn_blocking(move || {
            let Settled { now, wanted, .. } = app.settled.borrow().clone();
            let mut secrets = app.config.secrets();
            secrets.extend(now.secrets());
            secrets.extend(wanted.secrets());
            secrets.extend(app.access.secrets());
            secrets.extend(tls::secrets(app.config.state_dir()));
            Redaction::new(secrets)
        });
        found.await.expect("looking for secrets answers, whatever the files hold")
    }
}
