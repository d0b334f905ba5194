#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use super::super::Layer;
use super::super::keys::KEYS;
use super::*;

fn running(text: &str) -> Running {
    let file = Layer::File { name: "signpost.toml".into(), text: text.into() };
    Running::new(Arc::new(super::super::read(&[file], Path::new("/state")).unwrap()))
}

fn change(running: &mut Running, wish: Value) -> Result<Change, Refused> {
    running.change(wish.as_object().unwrap())
}

fn origin(running: &Running, key: &str) -> String {
    let entry = running.now().effective.iter().find(|entry| entry.key() == key);
    entry.unwrap().origin.clone()
}

#[test]
fn values_change_and_stand_again_where_they_came_from() {
    let mut running = running("[encoder]\nbitrate_kbps = 2000\n");
    let wish =
        json!({"encoder": {"bitrate_kbps": 1500}, "camera": [{"width": 640, "framerate": 15}]});
    let done = change(&mut running, wish).unwrap();
    assert_eq!(done.applied, ["camera.framerate", "camera.width", "encoder.bitrate_kbps"]);
    assert_eq!(done.restart, ["camera.width", "camera.framerate"]);
    assert_eq!(running.now().encoder.bitrate_kbps, 1500);
    assert_eq!((running.now().cameras[0].width, running.now().cameras[0].framerate), (640, 15));
    assert_eq!(running.started().cameras[0].width, 1280);
    assert_eq!(origin(&running, "encoder.bitrate_kbps"), "changed at run time");
    assert_eq!(origin(&running, "camera.height"), "default");

    let back = json!({"encoder": {"bitrate_kbps": 2000}, "camera": [{"width": 1280}]});
    let done = change(&mut running, back).unwrap();
    assert_eq!(done.applied, ["camera.width", "encoder.bitrate_kbps"]);
    assert_eq!(done.restart, ["camera.framerate"]);
    assert_eq!(origin(&running, "encoder.bitrate_kbps"), "signpost.toml:2");
    assert_eq!(origin(&running, "camera.width"), "default");
}

#[test]
fn what_is_shown_may_be_sent_back() {
    let mut running = running(
        "[ice]\nservers = [{ urls = [\"turn:t:1\"], username = \"u\", credential = \"x\" }]\n\
         [[camera]]\nname = \"a\"\nsource = \"rtsp://u:p@h/s\"\n[[camera]]\nname = \"b\"\n",
    );
    let mut all = json!({"camera": [{}, {}]});
    for entry in &running.now().effective {
        let table = match entry.section {
            CAMERA => &mut all[CAMERA][entry.index],
            section => &mut all[section],
        };
        table[entry.name] = entry.value.clone();
    }
    let before = running.now().clone();
    let done = change(&mut running, all.clone()).unwrap();
    assert_eq!(done, Change { applied: Vec::new(), restart: Vec::new() });
    assert_eq!(**running.now(), *before);
    all[CAMERA][1]["height"] = 360.into();
    assert_eq!(change(&mut running, all).unwrap().applied, ["camera[1].height"]);
    assert_eq!(running.now().cameras[0].height, 720);
    assert_eq!(running.now().cameras[1].height, 360);
    assert_eq!(running.now().ice, before.ice);
}

#[test]
fn all_problems_are_told_at_once_and_nothing_is_changed() {
    let mut running = running("");
    let wish = json!({
        "encoder": {"bitrate_kbps": 5, "bitrate": 1500, "min_bitrate_kbps": null},
        "camera": [{"width": 641, "framerate": "15"}], "sesions": {}, "ice": [],
    });
    let told = change(&mut running, wish).unwrap_err().to_string();
    let now = "changed at run time";
    for line in [
        "the configuration has 7 problems:".to_owned(),
        format!("{now}: encoder.bitrate_kbps = 5: allowed is a whole number from 100 to 20000"),
        format!(
            "{now}: encoder.bitrate = 1500: there is no such key; the nearest is encoder.bitrate_kbps"
        ),
        format!(
            "{now}: encoder.min_bitrate_kbps = \"null\": allowed is a whole number from 50 to 20000"
        ),
        format!("{now}: camera.width = 641: allowed is an even number from 160 to 3840"),
        format!("{now}: camera.framerate = \"15\": allowed is a whole number from 1 to 60"),
        format!(
            "{now}: sesions = (outside of the known sections): there is no such key; the nearest is section sessions"
        ),
        format!("{now}: ice = \"[]\": allowed is an object of keys"),
    ] {
        assert!(told.lines().any(|known| known.trim() == line), "{line}\nnot in {told}");
    }
    assert_eq!(running.now().encoder.bitrate_kbps, 2500);
    let both = json!({"encoder": {"bitrate_kbps": 200}});
    let told = change(&mut running, both).unwrap_err().to_string();
    assert!(told.contains("encoder.min_bitrate_kbps = 300: allowed is at most"), "{told}");
    for wish in [json!({"camera": [{}, {}]}), json!({"camera": {"width": 640}})] {
        let told = change(&mut running, wish).unwrap_err().to_string();
        assert!(told.contains("a list of at most 1 objects, one for each camera"), "{told}");
    }
}

#[test]
fn what_only_a_restart_changes_is_refused_with_all_else() {
    let mut running = running("");
    let wish = json!({
        "encoder": {"bitrate_kbps": 1500, "prefer": "x264enc"},
        "camera": [{"width": 1920, "height": 360, "source": "test"}],
        "ice": {"servers": ["stun:s:1"]},
    });
    let refused = change(&mut running, wish).unwrap_err();
    let keys = ["camera.source", "camera.width", "encoder.prefer", "ice.servers"];
    assert_eq!(refused, Refused::Restart(keys.map(str::to_owned).to_vec()));
    assert_eq!(refused.to_string(), format!("only a restart changes {}", keys.join(", ")));
    assert_eq!(running.now().encoder.bitrate_kbps, 2500);
}

#[test]
fn a_credential_that_differs_is_a_change() {
    let server = |credential| {
        json!({"ice": {"servers": [
            {"urls": ["turn:t:1"], "username": "u", "credential": credential}]}})
    };
    let text =
        "[ice]\nservers = [{ urls = [\"turn:t:1\"], username = \"u\", credential = \"x\" }]\n";
    let mut running = running(text);
    assert!(change(&mut running, server("***")).is_ok());
    assert_eq!(
        change(&mut running, server("y")),
        Err(Refused::Restart(vec!["ice.servers".to_owned()]))
    );
}

#[test]
fn every_live_key_exists() {
    let keys: Vec<String> =
        KEYS.iter().map(|key| format!("{}.{}", key.section, key.name)).collect();
    assert!(LIVE.iter().all(|live| keys.iter().any(|key| key == live)));
}

/// Any JSON, not deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (0_u64..5000).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-z_]{0,8}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_that_is_sent_panics(section in 0..KEYS.len(), value in any_json(), whole in any_json()) {
        let mut running = running("");
        let _ = running.change(json!({KEYS[section].section: whole}).as_object().unwrap());
        let key = &KEYS[section];
        let wish = match key.section {
            CAMERA => json!({CAMERA: [{key.name: value}]}),
            section => json!({section: {key.name: value}}),
        };
        let _ = running.change(wish.as_object().unwrap());
    }

    #[test]
    fn what_is_in_force_is_valid_and_within_what_is_captured(
        wishes in prop::collection::vec((0..5_usize, 0_u64..4000), 0..8),
    ) {
        let mut running = running("");
        for (which, value) in wishes {
            let (section, name) = LIVE[which].split_once('.').unwrap();
            let wish = match section {
                CAMERA => json!({CAMERA: [{name: value}]}),
                section => json!({section: {name: value}}),
            };
            let before = running.now().clone();
            let done = running.change(wish.as_object().unwrap());
            if done.is_err() {
                prop_assert_eq!(&**running.now(), &*before);
            }
            let now = running.now();
            let settings = now.written.settings.clone();
            let (again, problems) = validate(&settings, Path::new("/state"));
            prop_assert!(problems.is_empty() && again == **now);
            let camera = &now.cameras[0];
            prop_assert!(camera.width <= 1280 && camera.height <= 720 && camera.framerate <= 30);
            prop_assert!(now.encoder.min_bitrate_kbps <= now.encoder.bitrate_kbps);
        }
    }
}
