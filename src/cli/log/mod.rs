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

/// Lines a second that others can bring about. Whatever a network full of viewers does, the
/// journal keeps what an operator looks for (by default journald keeps a few hundred MB).
const MOST: usize = 5;

/// Lines a second below `info`, which a login can switch on: enough to see what happens,
/// and little enough for a card that is to last.
const MOST_DETAILS: usize = 100;

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
    limits: Mutex<[Limit; 2]>,
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
            limits: Mutex::new([Limit::new(MOST), Limit::new(MOST_DETAILS)]),
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

    fn write_left_out(&self, lines: u64, most: usize) {
        let fields = ("left_out", lines);
        let mut record = Record::builder();
        record.level(Level::Warn).target(module_path!()).key_values(&fields);
        self.write(
            &record.args(format_args!("lines were left out: {most} a second is all")).build(),
        );
    }

    fn limits(&self) -> (std::sync::MutexGuard<'_, [Limit; 2]>, Duration) {
        let limits = self.0.limits.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that it only rises.
        (limits, self.0.started.elapsed())
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
        let Some(limit) = limit_of(record.metadata()) else { return self.write(record) };
        let (verdict, most) = {
            let (mut limits, now) = self.limits();
            (limits[limit].take(now), limits[limit].most())
        };
        match verdict {
            Verdict::LeaveOut => return,
            Verdict::WriteAfter(others) => self.write_left_out(others, most),
            Verdict::Write => {}
        }
        self.write(record);
    }

    /// Says how many lines were left out, if any.
    fn flush(&self) {
        let left_out = {
            let (mut limits, now) = self.limits();
            limits.each_mut().map(|limit| limit.tell(now).map(|lines| (lines, limit.most())))
        };
        for (lines, most) in left_out.into_iter().flatten() {
            self.write_left_out(lines, most);
        }
    }
}

/// Which limit a line is under, if it is: whether viewers, who else is in the network, or
/// who signs can bring it about, or who logs in can switch it on. The device's own lines
/// are few, and each is worth more than these.
fn limit_of(line: &Metadata<'_>) -> Option<usize> {
    if line.level() > Level::Info {
        return Some(1);
    }
    let Some(module) = line.target().strip_prefix("signpost::") else { return Some(0) };
    let is = |names: &[&str]| names.iter().any(|name| module.starts_with(name));
    // A camera is started and stopped by those who look, and signs are read of those who
    // stand before it; what fails of the two is their own.
    let limited =
        is(&["http", "sessions"]) || is(&["camera", "recognition"]) && line.level() == Level::Info;
    limited.then_some(0)
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

    fn limit(target: &str, level: Level) -> Option<usize> {
        limit_of(&Metadata::builder().target(target).level(level).build())
    }

    #[test]
    fn lines_of_the_device_itself_are_never_left_out() {
        for limited in ["signpost::http::access", "signpost::sessions::owner", "zbus::connection"] {
            assert_eq!(limit(limited, Level::Warn), Some(0), "{limited}");
        }
        for own in ["signpost::cli::reload", "signpost::camera::owner", "signpost::config"] {
            assert_eq!(limit(own, Level::Warn), None, "{own}");
            assert_eq!(limit(own, Level::Trace), Some(1), "{own}");
        }
        for limited in ["signpost::camera::owner", "signpost::recognition::worker"] {
            assert_eq!(limit(limited, Level::Info), Some(0), "{limited}");
            assert_eq!(limit(limited, Level::Error), None, "{limited}");
        }
        assert_eq!(limit("signpost::cli::systemd", Level::Info), None);
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
