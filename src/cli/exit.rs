//! How the program ends.

use std::io::Write as _;

use crate::errors;

/// What the exit code tells scripts and systemd.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Exit {
    /// Did what was asked.
    Done = 0,
    /// A check failed; everything was checked.
    CheckFailed = 1,
    /// The command line is wrong (clap's own code).
    Usage = 2,
    /// The configuration is wrong, or forbids this.
    Configuration = 3,
    /// A camera, a clip or a pipeline failed.
    Camera = 4,
    /// The model or its runtime failed.
    Model = 5,
}

impl Exit {
    /// Ends the process, and does not call what libraries have registered for its exit.
    ///
    /// GLib keeps threads for the next work, and one that ends just then uses what OpenSSL's
    /// handler frees (issue 6214 of openssl): a service that was stopped well aborted.
    #[allow(unsafe_code, reason = "the standard library ends with the handlers only")]
    pub fn end(self) -> ! {
        // Who closed standard output wants nothing more of it.
        let _ = std::io::stdout().flush();
        // SAFETY: it takes any number. Every owner has ended, and the log writes each line at once.
        unsafe { libc::_exit(self as i32) }
    }
}

/// An error and how the program ends for it.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What happened.
    pub error: anyhow::Error,
}

impl Failure {
    /// Tells the error on standard error; in the journal it stands as an error.
    pub fn tell(&self) {
        let words = errors::chain(self.error.as_ref());
        // The log may not have been started, for want of a configuration.
        if systemd_journal_logger::connected_to_journal() {
            words.lines().for_each(|line| eprintln!("<3>{line}"));
        } else {
            eprintln!("signpost: {words}");
        }
    }
}

/// Says how the program ends if this fails.
pub trait OrExit<T> {
    /// The value, or a failure that ends with `exit`.
    fn or_exit(self, exit: Exit) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, exit: Exit) -> Result<T, Failure> {
        self.map_err(|error| Failure { exit, error: error.into() })
    }
}
