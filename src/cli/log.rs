//! Log lines on a terminal, on standard error.

use std::io::IsTerminal;
use std::sync::{Arc, PoisonError, RwLock};

use env_logger::Logger;
use log::{LevelFilter, Metadata, Record};

use crate::config::Log;

/// The running log, whose levels can be changed.
#[derive(Clone)]
pub struct Journal(Arc<RwLock<Logger>>);

/// Starts logging. Only the first call in a process starts anything.
pub fn start(log: &Log) -> Journal {
    let logger = logger(log);
    let most = logger.filter();
    let journal = Journal(Arc::new(RwLock::new(logger)));
    // Only a test that runs two commands in one process gets here twice.
    if log::set_boxed_logger(Box::new(journal.clone())).is_ok() {
        log::set_max_level(most);
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
    /// Logs at these levels from now on.
    pub fn set(&self, log: &Log) {
        let logger = logger(log);
        log::set_max_level(logger.filter());
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = logger;
    }
}

impl log::Log for Journal {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        self.0.read().unwrap_or_else(PoisonError::into_inner).log(record);
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use log::{Level, Log as _};

    use super::*;

    fn says(journal: &Journal, target: &str, level: Level) -> bool {
        journal.enabled(&Metadata::builder().target(target).level(level).build())
    }

    #[test]
    fn modules_have_levels_of_their_own_that_can_change() {
        let modules = vec![("camera".to_owned(), LevelFilter::Debug)];
        let log = Log { level: LevelFilter::Info, modules, signs: false };
        let journal = Journal(Arc::new(RwLock::new(logger(&log))));
        assert!(says(&journal, "signpost::camera::owner", Level::Debug));
        assert!(!says(&journal, "signpost::http", Level::Debug));
        assert!(says(&journal, "signpost::http", Level::Info));
        assert!(!says(&journal, "hyper", Level::Info) && says(&journal, "hyper", Level::Warn));
        let quiet = Log { level: LevelFilter::Error, modules: Vec::new(), signs: false };
        *journal.0.write().unwrap_or_else(PoisonError::into_inner) = logger(&quiet);
        assert!(!says(&journal, "signpost::camera::owner", Level::Warn));
        assert!(!says(&journal, "hyper", Level::Warn));
    }
}
