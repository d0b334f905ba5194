//! `signpost model try`: a bundle's first load and its golden clip, with limits, in a process
//! that may be lost. The program starts it itself; see [`crate::model::attempt`].

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};

use super::TryArgs;
use super::clip::Clip;
use super::exit::{Exit, Failure, OrExit as _};
use super::read::{self, Outcome};
use crate::cascade::MAX_HANDS;
use crate::errors;
use crate::model::attempt::{MEMORY_BYTES, PATIENCE, Report};
use crate::model::bundle::Bundle;
use crate::model::golden::Seen;
use crate::model::{HandModels, ModelError, Models};
use crate::recognition::{Chain, Reading};
use crate::runtime::LiteRt;

/// Problems that are told; somebody reads them.
const MAX_PROBLEMS: usize = 20;

/// Prints a [`Report`] as JSON.
///
/// # Errors
/// The limits cannot be set, or nobody takes the report.
pub fn attempt(args: &TryArgs) -> Result<(), Failure> {
    limit().or_exit(Exit::Model)?;
    let mut report = Report::default();
    if let Err(problem) = read_golden(args, &mut report) {
        report.problems.push(problem);
    }
    let more = report.problems.len().saturating_sub(MAX_PROBLEMS);
    if more > 0 {
        report.problems.truncate(MAX_PROBLEMS);
        report.problems.push(format!("and {more} more"));
    }
    let text = serde_json::to_string(&report).or_exit(Exit::Model)?;
    println!("{text}");
    Ok(())
}

/// What keeps this process from harm to others.
fn limit() -> rustix::io::Result<()> {
    let most = |value| Rlimit { current: Some(value), maximum: Some(value) };
    set_parent_process_death_signal(Some(Signal::KILL))?;
    setrlimit(Resource::Data, most(MEMORY_BYTES))?;
    // On every core of a board with four of them.
    setrlimit(Resource::Cpu, most(PATIENCE.as_secs() * 4))?;
    setrlimit(Resource::Core, most(0))?;
    // Video comes first, wherever that may be said.
    let _ = rustix::process::nice(10);
    Ok(())
}

fn read_golden(args: &TryArgs, report: &mut Report) -> Result<(), String> {
    let told = |error: ModelError| errors::chain(&error);
    let bundle = Bundle::open(&args.bundle).map_err(told)?;
    bundle.check_files().map_err(told)?;
    let (clip, expected) = (bundle.golden_clip(), bundle.expected().map_err(told)?);
    if !is_container(&clip).map_err(|error| format!("{}: {error}", clip.display()))? {
        return Err(format!(
            "golden.clip {}: is no MP4, Matroska or WebM file",
            bundle.manifest.golden.clip
        ));
    }
    let mut chain = chain(args, bundle).map_err(told)?;
    gstreamer::init().map_err(|error| errors::chain(&error))?;
    let mut clip = Clip::open(&clip, None).map_err(|error| errors::chain(&error))?;
    let (mut outcome, mut seen) = (Outcome::default(), Vec::new());
    let names = chain.names().clone();
    let read = read::read_clip(&mut clip, &mut chain, &mut outcome, |at, reading| {
        let Reading { label, hands, boxes, .. } = reading;
        let boxes = boxes.iter().map(|found| names[found.label].clone());
        let labels = match label {
            Some(label) if boxes.len() == 0 => vec![names[*label].clone()],
            _ => boxes.collect(),
        };
        seen.push(Seen { at, labels, hands: hands.len() });
        Ok(())
    });
    read.map_err(|error| errors::chain(&error))?;
    report.problems = expected.differences(&outcome.transcript, &seen);
    (report.transcript, report.frames) = (outcome.transcript, outcome.frames);
    Ok(())
}

/// Whether a clip is a file that holds its pictures itself. What GStreamer plays otherwise may
/// be a list of addresses, which it would fetch from this device's network.
fn is_container(clip: &Path) -> io::Result<bool> {
    let mut begin = Vec::new();
    File::open(clip)?.take(8).read_to_end(&mut begin)?;
    // ISO/IEC 14496-12, 4.3: the first box; RFC 8794, 11.2.1: EBML's.
    Ok(begin.get(4..8) == Some(b"ftyp") || begin.starts_with(&[0x1A, 0x45, 0xDF, 0xA3]))
}

fn chain(args: &TryArgs, bundle: Bundle) -> Result<Chain, ModelError> {
    let runtime = LiteRt::open(&args.runtime)?;
    let model = bundle.load(&runtime, 1)?;
    let absent = || ModelError::NotFound {
        what: "hand models of MediaPipe",
        variable: "SIGNPOST_MODEL__HANDS",
        looked: vec![PathBuf::from("this device")],
    };
    let hands = match (bundle.manifest.needs_hands(), &args.hands) {
        (false, _) => None,
        (true, Some(folder)) => Some(HandModels::load(&runtime, folder, 1)?),
        (true, None) => return Err(absent()),
    };
    Chain::new(Models { hands, model, bundle }, MAX_HANDS)
}
