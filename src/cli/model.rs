//! `signpost model`: whether a bundle is good, and which one reads.
//!
//! What belongs to the service is written by a process that has the service's own rights: the
//! folder is not root's, and who owns it could put links into it.

use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};

use super::ModelCommand;
use super::exit::{Exit, Failure, OrExit as _};
use crate::config::Config;
use crate::model::archive;
use crate::model::attempt::{Attempt, Report};
use crate::model::selection::Choice;
use crate::model::store::{Store, Stored};
use crate::model::{Bundle, ModelError, Places, manifest};
use crate::recognition::exchange::{self, Order};

/// Who runs looks for orders twice a second; after this nobody does.
const PICKED_UP: Duration = Duration::from_secs(3);
/// A bundle that has been tried is loaded in a second or two.
const DONE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

/// Runs the subcommand.
///
/// # Errors
/// A [`Failure`] with exit code 1 for a bundle that is not good, 5 for one that cannot be put
/// in place.
pub fn model(command: &ModelCommand, file: Option<&Path>, config: &Config) -> Result<(), Failure> {
    match command {
        ModelCommand::Check { bundle } => check(bundle, config),
        ModelCommand::Use { bundle } => take(bundle, file, config),
        ModelCommand::Put { name } => put(name.as_deref(), config),
        ModelCommand::Try(_) => unreachable!("it needs no configuration and has run already"),
    }
}

/// Tells what a bundle is, and whether it works here.
fn check(folder: &Path, config: &Config) -> Result<(), Failure> {
    let bundle = looked_at(folder).or_exit(Exit::CheckFailed)?;
    let manifest = &bundle.manifest;
    let (title, task, licence) = (bundle.title(), manifest.task.name(), &manifest.licence);
    println!("ok     manifest: {title}, {task}, {licence}");
    println!("ok     files: {}, each with the sum that the manifest names", manifest.files.len());
    let signs: Vec<&str> = bundle.signs().collect();
    if !signs.is_empty() {
        println!("ok     labels: {} ({})", signs.len(), signs.join(", "));
    }
    let report = tried(&bundle, config).or_exit(Exit::CheckFailed)?;
    let Report { transcript, frames, .. } = report;
    let text = if transcript.is_empty() { String::new() } else { format!(" as {transcript:?}") };
    println!("ok     golden clip: {frames} pictures are read as expected{text}");
    println!("It works on this device.");
    Ok(())
}

fn looked_at(folder: &Path) -> Result<Bundle, ModelError> {
    let bundle = Bundle::open(folder)?;
    bundle.check_files()?;
    bundle.expected()?;
    Ok(bundle)
}

fn tried(bundle: &Bundle, config: &Config) -> anyhow::Result<Report> {
    let folder = std::path::absolute(&bundle.folder)?;
    let attempt = Attempt::new(&folder, &Places::of_this_machine(), &config.model)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(attempt.run()).with_context(|| format!("model {}", bundle.title()))
}

/// Puts a bundle in place, and tells what becomes of it.
fn take(bundle: &Path, file: Option<&Path>, config: &Config) -> Result<(), Failure> {
    let mut command = as_owner(config).or_exit(Exit::Model)?;
    if let Some(file) = file {
        command.arg("--config").arg(file);
    }
    let archive = if bundle.is_dir() {
        // Its mistakes are told with its own file names.
        let files = looked_at(bundle).or_exit(Exit::CheckFailed)?.manifest.files;
        let files = files.keys().map(String::as_str).chain([manifest::FILE]);
        let mut bytes = Vec::new();
        archive::pack(bundle, files, &mut bytes)
            .context("reading the bundle")
            .or_exit(Exit::Model)?;
        bytes
    } else {
        command.arg(bundle);
        Vec::new()
    };
    let mut process = command.spawn().context("starting signpost").or_exit(Exit::Model)?;
    let mut stdin = process.stdin.take().expect("its input was asked for");
    // Why it takes no more it says itself.
    let _ = stdin.write_all(&archive);
    drop(stdin);
    let output = process.wait_with_output().context("signpost").or_exit(Exit::Model)?;
    if !output.status.success() {
        let exit = if output.status.code() == Some(1) { Exit::CheckFailed } else { Exit::Model };
        return Err(anyhow!("the model that reads goes on")).or_exit(exit);
    }
    let order = Order::parse(&String::from_utf8_lossy(&output.stdout));
    let order = order.context("signpost said something else").or_exit(Exit::Model)?;
    follow(&Store::new(config.state_dir()), &order)
}

/// This program, with the rights of whom the state directory belongs to.
fn as_owner(config: &Config) -> anyhow::Result<Command> {
    let folder = config.state_dir();
    let mut command = Command::new("/proc/self/exe");
    command.args(["model", "put"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    match std::fs::metadata(folder) {
        Ok(owner) if rustix::process::geteuid().is_root() && owner.uid() != 0 => {
            command.uid(owner.uid()).gid(owner.gid());
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("{}: run this with sudo", folder.display()));
        }
        _ => {}
    }
    Ok(command)
}

/// The other side of [`take`].
fn put(name: Option<&str>, config: &Config) -> Result<(), Failure> {
    let store = Store::new(config.state_dir());
    let stored = match name {
        Some(name) => {
            let is_it = |it: &Stored| it.id == name || it.bundle.manifest.name == name;
            let all = store.list().into_iter().filter(is_it);
            let found = all.max_by_key(|it| (it.id == name, it.brought));
            found.with_context(|| format!("no folder and no model of this device is {name:?}"))
        }
        None => {
            let incoming = store.receive(io::stdin().lock()).or_exit(Exit::CheckFailed)?;
            tried(&incoming.bundle, config).or_exit(Exit::CheckFailed)?;
            // What is in use by now, which may be another one than when this began.
            store.keep(incoming, &exchange::read(&store).in_use()).map_err(Into::into)
        }
    };
    let stored = stored.or_exit(Exit::Model)?;
    let proof = name.is_none().then(|| exchange::proof(&stored.bundle.folder));
    let proof = proof.transpose().or_exit(Exit::Model)?;
    let order = Order { id: stored.id, title: stored.bundle.title(), proof };
    order.leave(&store).context("putting it up for activation").or_exit(Exit::Model)?;
    println!("{}", order.text());
    Ok(())
}

/// Waits for whoever runs to take the order up.
fn follow(store: &Store, order: &Order) -> Result<(), Failure> {
    let (title, begun) = (&order.title, Instant::now());
    let passed = |time: Duration| {
        std::thread::sleep(POLL);
        begun.elapsed() > time
    };
    while order.waits(store) {
        if passed(PICKED_UP) {
            println!("{title} is good and reads as soon as signpost runs.");
            return Ok(());
        }
    }
    while !passed(DONE) {
        let selection = exchange::read(store);
        if is(selection.active(), order) && !selection.is_loading() {
            println!("{title} reads; if it fails within a minute, the one before comes back.");
            return Ok(());
        }
        if let Some(down) = selection.turned_down().filter(|down| is(&down.choice, order)) {
            return Err(anyhow!("{title} is put back: {}", down.reason)).or_exit(Exit::Model);
        }
    }
    Err(anyhow!("signpost does not take {title} up; its log says why")).or_exit(Exit::Model)
}

fn is(choice: &Choice, order: &Order) -> bool {
    matches!(choice, Choice::Stored(id) if *id == order.id)
}
