//! Reads the systemd journal, by `journalctl`: the library behind it has no interface that is
//! safe to use.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::DeviceError;
pub use super::lines::{FIELDS, Filter, Level, Line, SETUP_CODE};
use super::redaction::Redaction;

/// It looks through files that a slow card holds.
const PATIENCE: Duration = Duration::from_secs(10);
/// Lines that are looked into for a text or a part: a busy day's.
const LOOKED_INTO: u32 = 50_000;
/// What is read of journalctl at most; each of its lines is some 20 kB at most.
const MOST_BYTES: u64 = 64 << 20;
/// What it says when it fails is a line.
const COMPLAINT_BYTES: u64 = 4 << 10;

/// Whose lines.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Of {
    /// This program's, those of systemd about it too.
    Service,
    /// The kernel's.
    Kernel,
}

/// Whether lines that say what was signed are told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Signs {
    /// Where that is switched on.
    Told,
    /// They are somebody's own.
    LeftOut,
}

/// What the journal was found to hold.
#[derive(Debug, Default)]
pub struct Found {
    /// The oldest first.
    pub lines: Vec<Line>,
    /// Whether older ones that are wanted may have been left unread, for want of time or because
    /// too much had to be looked into.
    pub cut: bool,
}

/// The newest `most` lines that are wanted, without secrets; those from before a restart of the
/// device too, which is when somebody asks.
///
/// # Errors
/// [`DeviceError::Journal`].
pub async fn lines(
    of: Of,
    most: u32,
    filter: &Filter,
    signs: Signs,
    redaction: &Redaction,
) -> Result<Found, DeviceError> {
    let looked_into = if filter.looks_inside() { LOOKED_INTO.max(most) } else { most };
    let mut process = command(of, looked_into, filter)
        .spawn()
        .map_err(|error| DeviceError::Journal(format!("journalctl: {error}")))?;
    let wanted = |line: &Line| filter.wants(line) && (signs == Signs::Told || !line.tells_signs());
    let (mut lines, mut read) = (Vec::new(), 0);
    let reading = async {
        let stdout = process.stdout.take().expect("its output was asked for");
        let mut text = BufReader::new(stdout.take(MOST_BYTES)).lines();
        while let Some(line) = text.next_line().await.map_err(told)? {
            read += 1;
            lines.extend(Line::read(&line, redaction).filter(wanted));
            if lines.len() >= most as usize {
                // Dropped, it ends: what is older is not wanted.
                return Ok(false);
            }
        }
        ended_well(&mut process).await?;
        Ok(filter.looks_inside() && read >= looked_into)
    };
    let cut = match tokio::time::timeout(PATIENCE, reading).await {
        Ok(cut) => cut?,
        Err(_) if lines.is_empty() => {
            return Err(told(format!("no answer within {} s", PATIENCE.as_secs())));
        }
        Err(_) => true,
    };
    lines.reverse();
    Ok(Found { lines, cut })
}

/// As a file: one line of JSON for each line.
#[must_use]
pub fn json_lines(lines: &[Line]) -> String {
    let line = |line| serde_json::to_string(line).expect("numbers and texts are JSON") + "\n";
    lines.iter().map(line).collect()
}

fn told(reason: impl ToString) -> DeviceError {
    DeviceError::Journal(reason.to_string())
}

/// The newest first, so that it can be left off.
fn command(of: Of, most: u32, filter: &Filter) -> Command {
    let mut command = Command::new("journalctl");
    command.args(["--quiet", "--no-pager", "--output=json", "--reverse"]);
    let fields = format!("MESSAGE,PRIORITY,TARGET,{}", FIELDS.join(","));
    command.arg(format!("--lines={most}")).arg(format!("--output-fields={fields}"));
    command.arg(match of {
        Of::Service => "--unit=signpost.service",
        Of::Kernel => "_TRANSPORT=kernel",
    });
    command.args(filter.level.map(|level| format!("--priority={}", level.priority())));
    // It takes whole seconds; the filter is exact.
    command.args(filter.since.map(|time| format!("--since=@{}", time.floor())));
    command.args(filter.until.map(|time| format!("--until=@{}", time.ceil())));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

async fn ended_well(process: &mut Child) -> Result<(), DeviceError> {
    let mut complaint = String::new();
    if let Some(stderr) = process.stderr.take() {
        let read = stderr.take(COMPLAINT_BYTES).read_to_string(&mut complaint).await;
        read.map_err(told)?;
    }
    let status = process.wait().await.map_err(told)?;
    if status.success() { Ok(()) } else { Err(told(complaint.trim())) }
}
