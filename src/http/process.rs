//! What this process takes of the device.

use procfs::WithCurrentSystemInfo as _;
use procfs::process::Process;
use serde::Serialize;
use utoipa::ToSchema;

/// Figures of `/proc/self`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct ProcessStatus {
    /// Memory that is in RAM.
    pub resident_bytes: u64,
    /// Threads.
    pub threads: u64,
    /// Open files and sockets.
    pub open_fds: u64,
    /// Processor time since the start, of all threads.
    pub cpu_s: f64,
    /// When it was started, in seconds since 1970.
    pub started_at: f64,
}

impl ProcessStatus {
    /// The present figures; `None` where `/proc` is not to be read.
    #[must_use]
    pub fn read() -> Option<Self> {
        let own = Process::myself().ok()?;
        let stat = own.stat().ok()?;
        let ticks = procfs::ticks_per_second() as f64;
        Some(Self {
            resident_bytes: stat.rss_bytes().get(),
            threads: u64::try_from(stat.num_threads).ok()?,
            open_fds: own.fd_count().ok()? as u64,
            cpu_s: (stat.utime + stat.stime) as f64 / ticks,
            started_at: procfs::boot_time_secs().ok()? as f64 + stat.starttime as f64 / ticks,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn figures_are_this_process_s() {
        let before = ProcessStatus::read().unwrap();
        let files: Vec<_> =
            (0..5).map(|_| std::fs::File::open("/proc/self/stat").unwrap()).collect();
        let memory = vec![1_u8; 64 << 20];
        let after = ProcessStatus::read().unwrap();
        // Other tests run beside this one.
        assert!(after.open_fds >= 8 && after.threads >= 1, "{after:?}");
        assert!(after.resident_bytes >= 64 << 20, "{after:?}");
        assert!(after.cpu_s >= before.cpu_s, "{after:?}");
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let age = now.as_secs_f64() - after.started_at;
        assert!(age < Duration::from_secs(24 * 3600).as_secs_f64(), "{age} s old");
        drop((files, memory));
    }
}
