//! Changes that are stored, those that cannot be, and reading again.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use serde_json::json;

use super::super::load::Places;
use super::*;

/// A configuration file in `folder`, and the state in `state` there.
fn places(folder: &Path, state: &str) -> Places {
    let file = folder.join("signpost.toml");
    if !file.exists() {
        fs::write(&file, "").unwrap();
    }
    Places { given: Some(file), state_dir: folder.join(state), arguments: Vec::new() }
}

fn keeper(places: &Places) -> Keeper {
    Keeper::new(Arc::new(places.read(None).unwrap()))
}

fn change(keeper: &mut Keeper, wish: Value) -> Result<Outcome, Refused> {
    keeper.change(wish.as_object().unwrap(), By::Administrator)
}

#[test]
fn what_is_changed_is_there_after_a_restart_and_the_one_before_it_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(folder.path(), "state");
    let mut running = keeper(&places);
    for kbps in [1000, 1100] {
        let done = change(&mut running, json!({"encoder": {"bitrate_kbps": kbps}})).unwrap();
        assert_eq!(done.change.applied, ["encoder.bitrate_kbps"]);
        assert_eq!(done.not_stored, None);
    }
    let read = places.read(None).unwrap();
    assert_eq!(read.encoder.bitrate_kbps, 1100);
    let origin = |config: &Config| {
        let entry = config.effective.iter().find(|entry| entry.name == "bitrate_kbps");
        entry.unwrap().origin.clone()
    };
    assert!(origin(&read).contains("overrides.toml:6"), "{}", origin(&read));
    assert_eq!(origin(&read), origin(&running.follow().borrow().wanted));
    fs::write(folder.path().join("state/overrides.toml"), "[encoder]\nbitr").unwrap();
    let fallen = places.read(None).unwrap();
    assert_eq!((fallen.encoder.bitrate_kbps, fallen.remarks.len()), (1000, 1));
    // The next change is stored over the damaged one, and the remark is gone.
    let mut running = keeper(&places);
    let done = change(&mut running, json!({"sessions": {"max_viewers": 3}})).unwrap();
    assert!(done.settled.remarks.is_empty(), "{:?}", done.settled.remarks);
    let read = places.read(None).unwrap();
    assert_eq!((read.encoder.bitrate_kbps, read.sessions.max_viewers), (1000, 3));
}

#[test]
fn what_cannot_be_stored_is_in_force_until_the_end_and_is_stored_later() {
    let folder = tempfile::tempdir().unwrap();
    // A part of the path is a file, as good as a disk that is read-only.
    fs::write(folder.path().join("disk"), "").unwrap();
    let places = places(folder.path(), "disk/state");
    let mut keeper = keeper(&places);
    let follow = keeper.follow();
    let done = change(&mut keeper, json!({"encoder": {"bitrate_kbps": 1000}})).unwrap();
    assert!(done.not_stored.unwrap().contains("overrides.toml"));
    assert!(done.settled.remarks[0].contains("not stored and ends with the program"));
    assert_eq!(follow.borrow().now.encoder.bitrate_kbps, 1000);
    let late = json!({"encoder": {"bitrate_kbps": 1100, "low_rendition": false}});
    let refused = change(&mut keeper, late).unwrap_err();
    let Refused::NotStored { keys, .. } = &refused else { panic!("{refused}") };
    assert_eq!(*keys, ["encoder.low_rendition"]);
    assert_eq!(follow.borrow().now.encoder.bitrate_kbps, 1000, "all or nothing");
    // Reading the files again loses nothing of it.
    fs::write(folder.path().join("signpost.toml"), "[sessions]\nmax_viewers = 5\n").unwrap();
    let done = keeper.reload().unwrap();
    assert_eq!(done.change.applied, ["sessions.max_viewers"]);
    assert_eq!(follow.borrow().now.encoder.bitrate_kbps, 1000);
    assert!(done.not_stored.is_some());
    // There is room again: reading again, or the same request, stores it.
    fs::remove_file(folder.path().join("disk")).unwrap();
    fs::write(folder.path().join("signpost.toml"), "[lg]\n").unwrap();
    keeper.reload().unwrap_err();
    assert!(follow.borrow().remarks.is_empty(), "{:?}", follow.borrow().remarks);
    assert_eq!(follow.borrow().now.sessions.max_viewers, 5, "as before the wrong file");
    fs::write(folder.path().join("signpost.toml"), "").unwrap();
    assert_eq!(places.read(None).unwrap().encoder.bitrate_kbps, 1000);
    let done = change(&mut keeper, json!({"encoder": {"bitrate_kbps": 1000}})).unwrap();
    assert_eq!((done.not_stored, done.settled.remarks.len()), (None, 0));
    assert_eq!(places.read(None).unwrap().encoder.bitrate_kbps, 1000);
}

#[test]
fn reading_again_applies_what_is_followed_and_names_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(folder.path(), "state");
    let mut keeper = keeper(&places);
    change(&mut keeper, json!({"encoder": {"bitrate_kbps": 1000}})).unwrap();
    let text =
        "[http]\nlisten = [\"127.0.0.1:1\"]\nallowed_hosts = [\"door\"]\n[log]\nsigns = true\n";
    fs::write(folder.path().join("signpost.toml"), text).unwrap();
    let done = keeper.reload().unwrap();
    assert_eq!(done.change.applied, ["http.allowed_hosts", "log.signs"]);
    assert_eq!(done.change.restart, ["http.listen"]);
    let now = keeper.follow().borrow().now.clone();
    assert_eq!((now.encoder.bitrate_kbps, now.log.signs), (1000, true));
    fs::write(folder.path().join("signpost.toml"), "[http]\nlisten = 1\n[lg]\n").unwrap();
    let told = keeper.reload().unwrap_err().to_string();
    assert!(told.contains("2 problems") && told.contains("signpost.toml:3"), "{told}");
    assert!(keeper.follow().borrow().now.log.signs, "nothing is changed");
    fs::remove_file(folder.path().join("signpost.toml")).unwrap();
    assert!(keeper.reload().unwrap_err().to_string().contains("does not exist"));
}

#[test]
fn other_cameras_wait_for_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(folder.path(), "state");
    let mut keeper = keeper(&places);
    let two = "[[camera]]\nwidth = 640\n[[camera]]\nname = \"b\"\n";
    fs::write(folder.path().join("signpost.toml"), two).unwrap();
    let done = keeper.reload().unwrap();
    assert!(done.change.applied.is_empty(), "{:?}", done.change);
    assert!(done.change.restart.contains(&"camera.width".to_owned()));
    assert!(done.change.restart.contains(&"camera[1].name".to_owned()));
    assert_eq!(keeper.follow().borrow().now.cameras.len(), 1);
    let wish = json!({"camera": [{}, {"width": 320}]});
    let done = change(&mut keeper, wish).unwrap();
    assert!(done.change.applied.is_empty(), "{:?}", done.change);
    assert_eq!(places.read(None).unwrap().cameras[1].width, 320);
    fs::write(folder.path().join("signpost.toml"), "").unwrap();
    assert!(keeper.reload().unwrap().change.restart.is_empty());
}
