//! Log lines on a terminal, on standard error.

use std::io::IsTerminal;

use log::LevelFilter;

/// Starts logging at `level`; libraries say nothing below a warning. A second
/// call changes nothing.
pub fn start(level: LevelFilter) {
    let libraries = level.min(LevelFilter::Warn);
    let mut builder = env_logger::Builder::new();
    builder.filter_level(libraries).filter_module("signpost", level).format_target(false);
    if !std::io::stderr().is_terminal() {
        // Whoever collects the lines puts the time to them.
        builder.format_timestamp(None);
    }
    // Only a test that runs two commands in one process gets here twice.
    let _ = builder.try_init();
}
