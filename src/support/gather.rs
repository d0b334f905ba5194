//! What the device knows beside the running program: its logs and its last crash. What cannot
//! be had is an entry that says why.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Entry;
use crate::device::core::last;
use crate::device::journal::{self, Filter, Found, Line, Of, Signs};
use crate::device::redaction::Redaction;

/// How far back the journal goes.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Lines of the day at most: five a second for an hour, and more than a day in peace.
const JOURNAL_LINES: u32 = 20_000;
/// The kernel says this much in some starts.
const KERNEL_LINES: u32 = 10_000;

/// What the kernel says of cameras, of what they hang on, and of the power that both need.
const ABOUT_PICTURES: [&str; 14] = [
    "usb", "uvc", "video", "v4l", "camera", "csi", "unicam", "media", "isp", "codec", "i2c",
    "voltage", "throttl", "thermal",
];

/// The program's journal of the last day.
pub async fn journal(redaction: &Redaction) -> Entry {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let since = now.saturating_sub(DAY).as_secs_f64();
    let filter = Filter { since: Some(since), ..Filter::default() };
    let found =
        journal::lines(Of::Service, JOURNAL_LINES, &filter, Signs::LeftOut, redaction).await;
    let what = "the program's log of the last 24 hours, a line of JSON each; what was signed is \
        left out";
    Entry::text("journal.jsonl", what, told(found), redaction)
}

/// What the kernel says of cameras and USB.
pub async fn kernel(redaction: &Redaction) -> Entry {
    let all = Filter::default();
    let found = journal::lines(Of::Kernel, KERNEL_LINES, &all, Signs::LeftOut, redaction).await;
    let found = found.map(|mut found| {
        found.lines.retain(is_about_pictures);
        found
    });
    let what = "the kernel's log on cameras, USB and power, a line of JSON each";
    Entry::text("kernel.jsonl", what, told(found), redaction)
}

/// Where the program was when it last crashed.
pub async fn core(redaction: &Redaction) -> Entry {
    let last = match std::env::current_exe() {
        Ok(program) => last(&program).await,
        Err(error) => Err(format!("which file this program is: {error}")),
    };
    Entry::text("crash.txt", "backtraces of the program's last crash", last, redaction)
}

fn told<E: ToString>(found: Result<Found, E>) -> Result<String, String> {
    let found = found.map_err(|error| error.to_string())?;
    match found.lines.is_empty() {
        true => Err("the journal has no such lines".to_owned()),
        false => Ok(journal::json_lines(&found.lines)),
    }
}

fn is_about_pictures(line: &Line) -> bool {
    let message = line.message.to_lowercase();
    ABOUT_PICTURES.iter().any(|word| message.contains(word))
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;

    #[test]
    fn of_the_kernel_s_lines_those_of_cameras_and_usb_are_kept() {
        let is = |message: &str| {
            let message = message.to_owned();
            is_about_pictures(&Line {
                time: 0.0,
                priority: 6,
                part: None,
                message,
                fields: Map::new(),
            })
        };
        for kept in [
            "usb 1-1: USB disconnect, device number 4",
            "uvcvideo: Failed to query (GET_CUR) UVC control 1",
            "hwmon hwmon1: Undervoltage detected!",
            "unicam fe801000.csi: subdevice not found",
        ] {
            assert!(is(kept), "{kept}");
        }
        for left in ["EXT4-fs (mmcblk0p2): mounted filesystem", "Bluetooth: Core ver 2.22"] {
            assert!(!is(left), "{left}");
        }
    }
}
