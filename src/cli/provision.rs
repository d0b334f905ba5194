//! `signpost provision`: takes set-up data from the boot partition, which anybody can write who
//! holds the card, once, when the device starts. Run as root before the service.

mod plan;

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, lchown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, anyhow};

use self::plan::{Action, Device, FILES, Found, Left, Step};
use super::exit::{Exit, Failure, OrExit as _};
use crate::config::{self, Config, ConfigError, DEFAULT_FILE};
use crate::device::provisioned;
use crate::files;
use crate::http::access::{password, setup, store};
use crate::tls::{self, Store};

/// Each of these files is a page at most; one that is longer is another one.
const LONGEST_FILE: u64 = 64 * 1024;

/// Where things are.
#[derive(Clone, Debug)]
pub struct Places {
    /// Folders of the boot partition that are looked into; the first one that is there counts.
    pub boot: Vec<PathBuf>,
    /// The configuration file, beside which its drop-ins lie.
    pub configuration: PathBuf,
    /// Where the service keeps what it keeps.
    pub state_dir: PathBuf,
    /// The administrator's password.
    pub password_file: PathBuf,
    /// NetworkManager's own.
    pub connections: PathBuf,
    /// The host name.
    pub name: String,
}

/// Takes what lies on the boot partition.
///
/// # Errors
/// Something was left there, because it is wrong or could not be taken; all else is done.
pub fn provision(given: Option<&Path>, config: Result<Config, ConfigError>) -> Result<(), Failure> {
    let state_dir = config::state_dir();
    // A configuration that is wrong is no reason to lock its owner out.
    let password_file = match config {
        Ok(config) => config.access.password_file,
        Err(error) => {
            log::warn!("{error}");
            state_dir.join("password")
        }
    };
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let places = Places {
        boot: ["/boot/firmware/signpost", "/boot/signpost"].map(PathBuf::from).to_vec(),
        configuration: given.unwrap_or(Path::new(DEFAULT_FILE)).to_owned(),
        state_dir,
        password_file,
        connections: "/etc/NetworkManager/system-connections".into(),
        name: name.trim().to_owned(),
    };
    let left = take(&places).context("set-up data of the boot partition").or_exit(Exit::Camera)?;
    for remark in &left {
        log::error!("{remark}");
    }
    if left.is_empty() {
        return Ok(());
    }
    Err(anyhow!("{} of the set-up data's files stay on the boot partition", left.len()))
        .or_exit(Exit::CheckFailed)
}

/// Takes everything that is good; what was left, a sentence each, which the status shows too.
///
/// # Errors
/// Not even that can be written down.
pub fn take(places: &Places) -> io::Result<Vec<String>> {
    let Some(folder) = places.boot.iter().find(|folder| folder.is_dir()) else {
        provisioned::keep(&places.state_dir, &[])?;
        return Ok(Vec::new());
    };
    let (found, mut left) = found(folder);
    let (steps, wrong) = plan::plan(&found, places.device());
    left.extend(wrong);
    let mut waits = false;
    for Step { files, action } in steps {
        let named = |why: String| files.iter().map(move |file| Left { file, why: why.clone() });
        if waits {
            // It was planned for a device without users.
            left.extend(named(format!("it waits for {}", plan::RESET)));
            continue;
        }
        waits = matches!(action, Action::Reset);
        if let Err(error) = places.perform(action) {
            left.extend(named(format!("it could not be taken: {error}")));
            continue;
        }
        waits = false;
        log::info!("taken from the boot partition: {}", files.join(", "));
        for file in files {
            if let Err(error) = wipe(&folder.join(file)) {
                left.push(Left {
                    file,
                    why: format!("it is taken, and could not be removed: {error}"),
                });
            }
        }
    }
    let told = left
        .iter()
        .map(|Left { file, why }| format!("set-up data {}: {why}", folder.join(file).display()));
    let told: Vec<String> = told.chain(misnamed(folder, &found)).collect();
    provisioned::keep(&places.state_dir, &told)?;
    Ok(told)
}

/// The texts of all files that there are, and those that cannot be taken: what cannot be removed
/// would be taken at every start.
fn found(folder: &Path) -> (Found, Vec<Left>) {
    let (mut found, mut left) = (Found::new(), Vec::new());
    for file in FILES {
        match text(&folder.join(file)) {
            Ok(None) => {}
            Ok(Some(text)) => drop(found.insert(file, text)),
            Err(error) => left.push(Left { file, why: error.to_string() }),
        }
    }
    (found, left)
}

/// Files that were meant to be others: an editor has put another ending behind the name, which
/// its owner may not see.
fn misnamed(folder: &Path, found: &Found) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let told = names.filter(|name| !FILES.contains(&&**name)).filter_map(|name| {
        let meant = |known: &&&str| {
            let rest = name.get(..known.len()).filter(|start| start.eq_ignore_ascii_case(known));
            rest.is_some_and(|_| matches!(name.as_bytes().get(known.len()), None | Some(b'.')))
        };
        let known = FILES.iter().find(meant).filter(|known| !found.contains_key(**known))?;
        let file = folder.join(&name);
        Some(format!("set-up data {}: it is not looked at: its name is {known}", file.display()))
    });
    told.collect()
}

fn text(file: &Path) -> io::Result<Option<String>> {
    let open = match OpenOptions::new().read(true).write(true).open(file) {
        Ok(open) => open,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    open.take(LONGEST_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST_FILE {
        return Err(io::Error::other("it is longer than 64 KiB"));
    }
    // Some editors begin with a mark of their encoding.
    Ok(Some(text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned)))
}

/// Writes over a file, waits until the card has it, and removes it. What a card's own controller
/// keeps elsewhere, nobody reaches.
fn wipe(file: &Path) -> io::Result<()> {
    let mut open = OpenOptions::new().write(true).open(file)?;
    let length = open.metadata()?.len().min(LONGEST_FILE);
    open.write_all(&vec![0; usize::try_from(length).unwrap_or(0)])?;
    open.sync_all()?;
    fs::remove_file(file)?;
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

impl Places {
    fn drop_ins(&self) -> PathBuf {
        let mut folder: OsString = self.configuration.clone().into();
        folder.push(".d");
        folder.into()
    }

    /// What the plan has to know.
    fn device(&self) -> Device<'_> {
        let folder = self.drop_ins();
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut names: Vec<PathBuf> = entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|end| end == "toml"))
            .collect();
        names.sort();
        let all = std::iter::once(self.configuration.clone()).chain(names);
        let read =
            |path: PathBuf| Some((path.display().to_string(), fs::read_to_string(path).ok()?));
        Device {
            layers: all.filter_map(read).collect(),
            drop_in: folder.join(plan::DROP_IN).display().to_string(),
            state_dir: &self.state_dir,
            is_set_up: password::read(&self.password_file).is_ok(),
            accounts: store::read(&store::file(&self.state_dir)).ok(),
            host: format!("{}.local", self.name),
            now: SystemTime::now(),
        }
    }

    /// Does one step, whole or not at all but for what a power cut leaves, which the next start
    /// does again.
    fn perform(&self, action: Action) -> io::Result<()> {
        let state = &self.state_dir;
        match action {
            Action::Reset => {
                // The password last: while it is there, the device is not open to whoever comes.
                gone(&store::file(state))?;
                gone(&setup::file(state))?;
                gone(&self.password_file)
            }
            Action::Configuration(text) => {
                let folder = self.drop_ins();
                if !folder.is_dir() {
                    fs::create_dir_all(&folder)?;
                    // The service reads it, whatever this program's umask is.
                    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
                }
                write(&folder.join(plan::DROP_IN), &text, Readers::Service(state))
            }
            Action::SetupCode(code) => {
                let file = setup::file(state);
                files::replace(&file, "setup-code.part", &format!("{code}\n"))
            }
            Action::Accounts(accounts) => {
                let file = store::file(state);
                files::replace(&file, "accounts.part", &accounts.text())
            }
            Action::Wifi(text) => {
                if !self.connections.parent().is_some_and(Path::is_dir) {
                    return Err(io::Error::other("NetworkManager is not on this device"));
                }
                fs::create_dir_all(&self.connections)?;
                let file = self.connections.join("signpost-wifi.nmconnection");
                write(&file, &text, Readers::Root)
            }
            Action::Authority(authority) => {
                let keys = self.keys()?;
                keys.keep_authority(&authority)?;
                // Who brought it trusts it already: no new address makes another of it.
                keys.keep_offered(&authority)
            }
            Action::Certificate { chain, key } => {
                let keys = self.keys()?;
                keys.keep_key(&key)?;
                keys.keep_brought(Some(&chain))
            }
        }
    }

    /// The folder of keys, which belongs to whom the state does.
    fn keys(&self) -> io::Result<Store> {
        let folder = tls::folder(&self.state_dir);
        match fs::create_dir(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        // The service, which does not run now, could have put a link into its place.
        if !fs::symlink_metadata(&folder)?.is_dir() {
            return Err(io::Error::other(format!("{} is no folder", folder.display())));
        }
        let owner = fs::metadata(&self.state_dir)?;
        lchown(&folder, Some(owner.uid()), Some(owner.gid()))?;
        Ok(Store::new(&self.state_dir))
    }
}

/// Who reads a file beside root.
enum Readers<'a> {
    /// The group of the service, whose state this is: a configuration may hold credentials.
    Service(&'a Path),
    /// Nobody.
    Root,
}

/// Puts `text` into a file of root's, whole.
fn write(file: &Path, text: &str, readers: Readers<'_>) -> io::Result<()> {
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let _ = fs::remove_file(&part);
    let (mode, group) = match readers {
        Readers::Service(state) => (0o640, Some(fs::metadata(state)?.gid())),
        Readers::Root => (0o600, None),
    };
    let mut open = OpenOptions::new().write(true).create_new(true).mode(mode).open(&part)?;
    open.write_all(text.as_bytes())?;
    if group.is_some() {
        std::os::unix::fs::fchown(&open, None, group)?;
    }
    // Whatever this program's umask is.
    open.set_permissions(fs::Permissions::from_mode(mode))?;
    open.sync_all()?;
    fs::rename(&part, file)?;
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn gone(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn places(root: &Path) -> Places {
        for folder in ["boot/signpost", "state", "etc"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        Places {
            boot: vec![root.join("boot/firmware/signpost"), root.join("boot/signpost")],
            configuration: root.join("etc/signpost.toml"),
            state_dir: root.join("state"),
            password_file: root.join("state/password"),
            connections: root.join("etc/connections"),
            name: "door".into(),
        }
    }

    #[test]
    fn set_up_data_is_taken_once_and_nothing_of_it_stays_behind() {
        let root = tempfile::tempdir().unwrap();
        let places = places(root.path());
        let boot = root.path().join("boot/signpost");
        let put = |name: &str, text: &str| fs::write(boot.join(name), text).unwrap();
        put("signpost.toml", "[encoder]\nbitrate_kbps = 900\n");
        put("setup-code", "7KQ2-M901\n");
        put("token", "fleet operator 0123456789abcdef0123456789abcdef\n");
        put("wifi.nmconnection", "[connection]\nid=a\ntype=wifi\n[wifi]\nssid=b\n");
        put("notes.txt", "not ours");
        assert_eq!(take(&places).unwrap(), [""; 0]);
        let rest: Vec<_> = fs::read_dir(&boot).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(rest, ["notes.txt"]);
        let file = places.configuration.clone();
        let drop_in = root.path().join("etc/signpost.toml.d/50-boot.toml");
        assert!(fs::read_to_string(&drop_in).unwrap().contains("900") && !file.exists());
        let code = setup::read(&setup::file(&places.state_dir)).unwrap().unwrap();
        assert_eq!(code.to_string(), "7KQ2-M901");
        let accounts = store::read(&store::file(&places.state_dir)).unwrap();
        assert_eq!(accounts.tokens()[0].name.text(), "fleet");
        let wifi = root.path().join("etc/connections/signpost-wifi.nmconnection");
        assert_eq!(fs::metadata(wifi).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(drop_in).unwrap().mode() & 0o007, 0);
        assert_eq!(take(&places).unwrap(), [""; 0], "again, there is nothing");
    }

    #[test]
    fn what_is_wrong_stays_and_is_told_and_the_rest_is_taken() {
        let root = tempfile::tempdir().unwrap();
        let places = places(root.path());
        let boot = root.path().join("boot/signpost");
        fs::write(boot.join("signpost.toml"), "[encoder]\nbitrate = 900\n").unwrap();
        fs::write(boot.join("token"), vec![b'x'; LONGEST_FILE as usize + 1]).unwrap();
        fs::write(boot.join("setup-code"), "7KQ2-M901\n").unwrap();
        let told = take(&places).unwrap();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told.iter().any(|line| line.contains("token: it is longer than 64 KiB")));
        assert!(told.iter().any(|line| line.contains("the nearest is encoder.bitrate_kbps")));
        assert!(boot.join("signpost.toml").exists() && !boot.join("setup-code").exists());
        assert!(!root.path().join("etc/signpost.toml.d").exists());
        let shown = provisioned::remarks(&places.state_dir);
        assert_eq!(shown.len(), 2, "the status says so too");
        fs::remove_file(boot.join("signpost.toml")).unwrap();
        fs::remove_file(boot.join("token")).unwrap();
        take(&places).unwrap();
        assert!(provisioned::remarks(&places.state_dir).is_empty());
    }

    #[test]
    fn what_an_editor_does_to_a_file_is_taken_or_told() {
        let root = tempfile::tempdir().unwrap();
        let places = places(root.path());
        let boot = root.path().join("boot/signpost");
        fs::write(boot.join("setup-code"), "\u{feff}7KQ2-M901\r\n").unwrap();
        fs::write(boot.join("signpost.toml.txt"), "").unwrap();
        fs::write(boot.join("Token"), "").unwrap();
        fs::write(boot.join("setup-code.txt"), "of before").unwrap();
        let mut told = take(&places).unwrap();
        told.sort();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].ends_with("Token: it is not looked at: its name is token"), "{told:?}");
        assert!(told[1].contains("toml.txt: it is not looked at: its name is signpost.toml"));
        assert!(setup::read(&setup::file(&places.state_dir)).unwrap().is_some());
    }

    #[test]
    fn a_file_on_the_boot_partition_is_the_way_back_in_and_keeps_the_configuration() {
        let root = tempfile::tempdir().unwrap();
        let places = places(root.path());
        let state = &places.state_dir;
        fs::write(&places.configuration, "[sessions]\nmax_viewers = 3\n").unwrap();
        let hash = password::hash("quiet-river-7431", &[]).unwrap();
        password::write(&places.password_file, &hash).unwrap();
        for (file, text) in
            [("accounts.json", "{\"users\":[],\"tokens\":[]}"), ("overrides.toml", "x")]
        {
            fs::write(state.join(file), text).unwrap();
        }
        let boot = root.path().join("boot/signpost");
        fs::write(boot.join("setup-code"), "7KQ2-M901\n").unwrap();
        assert_eq!(take(&places).unwrap().len(), 1, "a code alone opens nothing that is set up");
        assert!(password::read(&places.password_file).is_ok());
        fs::write(boot.join("reset-password"), "").unwrap();
        assert_eq!(take(&places).unwrap(), [""; 0]);
        assert!(matches!(
            password::read(&places.password_file),
            Err(password::PasswordError::Absent)
        ));
        assert!(!state.join("accounts.json").exists() && state.join("overrides.toml").exists());
        assert!(places.configuration.exists() && !boot.join("reset-password").exists());
        assert!(setup::read(&setup::file(state)).unwrap().is_some());
    }

    #[test]
    fn keys_go_into_no_folder_that_a_link_leads_to() {
        let root = tempfile::tempdir().unwrap();
        let places = places(root.path());
        let elsewhere = root.path().join("etc");
        std::os::unix::fs::symlink(&elsewhere, places.state_dir.join("tls")).unwrap();
        let boot = root.path().join("boot/signpost");
        let own = rcgen::KeyPair::generate().unwrap();
        let names = tls::authority::Names::new("door", []);
        let own = tls::authority::Authority::new(&names, own, SystemTime::now()).unwrap();
        let pem = tls::pem(&own.certificate().der);
        let put = |places: &Places| {
            fs::write(boot.join("authority.pem"), &pem).unwrap();
            fs::write(boot.join("authority.key"), own.key().serialize_pem()).unwrap();
            take(places).unwrap()
        };
        let told = put(&places);
        assert!(told.iter().all(|line| line.contains("is no folder")), "{told:?}");
        assert!(!elsewhere.join("authority.pem").exists());
        fs::remove_file(places.state_dir.join("tls")).unwrap();
        assert_eq!(put(&places), [""; 0]);
        assert!(Store::new(&places.state_dir).read().offered, "it is trusted by who brought it");
    }
}
