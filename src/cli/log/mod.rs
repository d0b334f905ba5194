//! Log lines: readable ones on standard error, or with fields in the journal.

mod limit;

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use env_logger::Logger;
use log::{Level, LevelFilter, Log as _, Metadata, Record};
use systemd_journal_logger::{JournalLog, connected_to_journal};

use self::limit::{Limit, Verdict};
use crate::config::Log;

/// How often it is looked for lines that were left out.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// The running log, whose levels can be changed.
#[derive(Clone)]
pub struct Journal(Arc<Shared>);

struct Shared {
    /// Says what is written, and writes it where there is no journal.
    lines: RwLock<Logger>,
    /// Where systemd has connected standard error to it.
    journal: Option<JournalLog>,
    limit: Mutex<Limit>,
    started: Instant,
}

/// Starts logging. Only the first call in a process starts anything.
pub fn start(log: &Log) -> Journal {
    let journal = Journal::new(log);
    // Only a test that runs two commands in one process gets here twice.
    if log::set_boxed_logger(Box::new(journal.clone())).is_ok() {
        log::set_max_level(journal.lines().filter());
    }
    journal
}

/// Libraries say nothing below a warning.
fn logger(log: &Log) -> Logger {
    let mut builder = env_logger::Builder::new();
    builder.filter_level(log.level.min(LevelFilter::Warn)).filter_module("signpost", log.level);
    for (module, level) in &log.modules {
        builder.filter_module(&format!("signpost::{module}"), *level);
    }
    builder.format_target(false);
    if !std::io::stderr().is_terminal() {
        // Whoever collects the lines puts the time to them.
        builder.format_timestamp(None);
    }
    builder.build()
}

impl Journal {
    fn new(log: &Log) -> Self {
        // Without a journal after all, its lines go to standard error.
        let journal = connected_to_journal().then(|| JournalLog::new().ok()).flatten();
        let journal = journal.map(|journal| journal.with_syslog_identifier("signpost".to_owned()));
        Self(Arc::new(Shared {
            lines: RwLock::new(logger(log)),
            journal,
            limit: Mutex::default(),
            started: Instant::now(),
        }))
    }

    /// Logs at these levels from now on.
    pub fn set(&self, log: &Log) {
        let logger = logger(log);
        log::set_max_level(logger.filter());
        *self.0.lines.write().unwrap_or_else(PoisonError::into_inner) = logger;
    }

    fn lines(&self) -> std::sync::RwLockReadGuard<'_, Logger> {
        self.0.lines.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, record: &Record<'_>) {
        match &self.0.journal {
            // A journal that takes no more lines cannot be told so.
            Some(journal) => drop(journal.journal_send(record)),
            None => self.lines().log(record),
        }
    }

    fn write_left_out(&self, lines: u64) {
        let fields = ("left_out", lines);
        let mut record = Record::builder();
        record.level(Level::Warn).target(module_path!()).key_values(&fields);
        let most = limit::MOST;
        self.write(
            &record.args(format_args!("lines were left out: {most} a second is all")).build(),
        );
    }

    fn limit(&self) -> (std::sync::MutexGuard<'_, Limit>, Duration) {
        let limit = self.0.limit.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that it only rises.
        (limit, self.0.started.elapsed())
    }
}

impl log::Log for Journal {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.lines().enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.lines().matches(record) {
            return;
        }
        // Who asks for more than usual wants all of it.
        if record.level() > Level::Info || !is_limited(record.target()) {
            return self.write(record);
        }
        let verdict = {
            let (mut limit, now) = self.limit();
            limit.take(now)
        };
        match verdict {
            Verdict::LeaveOut => return,
            Verdict::WriteAfter(others) => self.write_left_out(others),
            Verdict::Write => {}
        }
        self.write(record);
    }

    /// Says how many lines were left out, if any.
    fn flush(&self) {
        let left_out = {
            let (mut limit, now) = self.limit();
            limit.tell(now)
        };
        if let Some(lines) = left_out {
            self.write_left_out(lines);
        }
    }
}

/// Whether viewers, who else is in the network, or who signs can bring this line about.
/// The device's own lines are few, and each is worth more than these.
fn is_limited(target: &str) -> bool {
    let own =
        |module: &str| target.strip_prefix("signpost::").is_some_and(|at| at.starts_with(module));
    !target.starts_with("signpost::") || own("http") || own("recognition") || own("sessions")
}

/// Says from time to time how many lines were left out.
pub async fn tell() -> std::convert::Infallible {
    let mut looks = tokio::time::interval(TELL_EVERY);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        log::logger().flush();
    }
}

#[cfg(test)]
mod tests {
    use log::{Level, Log as _};

    use super::*;

    fn says(journal: &Journal, target: &str, level: Level) -> bool {
        journal.enabled(&Metadata::builder().target(target).level(level).build())
    }

    #[test]
    fn lines_of_the_device_itself_are_never_left_out() {
        for limited in
            ["signpost::http::access", "signpost::recognition::worker", "zbus::connection"]
        {
            assert!(is_limited(limited), "{limited}");
        }
        for own in ["signpost::cli::reload", "signpost::camera::owner", "signpost::config"] {
            assert!(!is_limited(own), "{own}");
        }
    }

    #[test]
    fn modules_have_levels_of_their_own_that_can_change() {
        let modules = vec![("camera".to_owned(), LevelFilter::Debug)];
        let log = Log { level: LevelFilter::Info, modules, signs: false };
        let journal = Journal::new(&log);
        assert!(says(&journal, "signpost::camera::owner", Level::Debug));
        assert!(!says(&journal, "signpost::http", Level::Debug));
        assert!(says(&journal, "signpost::http", Level::Info));
        assert!(!says(&journal, "hyper", Level::Info) && says(&journal, "hyper", Level::Warn));
        let quiet = Log { level: LevelFilter::Error, modules: Vec::new(), signs: false };
        *journal.0.lines.write().unwrap_or_else(PoisonError::into_inner) = logger(&quiet);
        assert!(!says(&journal, "signpost::camera::owner", Level::Warn));
        assert!(!says(&journal, "hyper", Level::Warn));
    }
}
