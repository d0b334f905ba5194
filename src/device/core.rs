//! What is known of this program's last crash: `coredumpctl` of systemd keeps it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

/// It looks through the journal, which a slow card holds.
const PATIENCE: Duration = Duration::from_secs(10);
/// Backtraces of all threads of a busy device.
const MOST_BYTES: u64 = 1 << 20;

/// The last one's signal, time and backtraces.
///
/// # Errors
/// Why there is none, in words.
pub async fn last(program: &Path) -> Result<String, String> {
    let mut command = Command::new("coredumpctl");
    command.args(["--no-pager", "--quiet", "-1", "info"]).arg(program);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut process = command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            "systemd keeps no cores here: the package systemd-coredump is not installed".to_owned()
        }
        _ => format!("coredumpctl: {error}"),
    })?;
    let reading = async {
        let (mut text, mut complaint) = (Vec::new(), Vec::new());
        let stdout = process.stdout.take().expect("its output was asked for");
        let stderr = process.stderr.take().expect("its complaints were asked for");
        let (mut stdout, mut stderr) = (stdout.take(MOST_BYTES), stderr.take(MOST_BYTES));
        let read = tokio::join!(stdout.read_to_end(&mut text), stderr.read_to_end(&mut complaint));
        read.0.and(read.1).map_err(|error| format!("coredumpctl: {error}"))?;
        Ok::<_, String>((text, complaint))
    };
    let read = tokio::time::timeout(PATIENCE, reading).await;
    let silent = |_| format!("coredumpctl: no answer within {} s", PATIENCE.as_secs());
    let (text, complaint) = read.map_err(silent)??;
    if text.is_empty() {
        let complaint = String::from_utf8_lossy(&complaint);
        return Err(match complaint.trim() {
            "" => "it has not crashed, as far as systemd knows".to_owned(),
            complaint => format!("coredumpctl: {complaint}"),
        });
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}
