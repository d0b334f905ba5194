#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use super::super::Layer;
use super::super::keys::KEYS;
use super::super::values::Written;
use super::*;

fn running(text: &str) -> Running {
    let file = Layer::File { name: "signpost.toml".into(), text: text.into() };
    Running::new(Arc::new(super::super::read(&[file], Path::new("/state")).unwrap()))
}

fn change(running: &mut Running, wish: Value) -> Result<Change, Problems> {
    running.plan(wish.as_object().unwrap(), By::Administrator).map(|plan| running.take(plan.wanted))
}

fn origin(running: &Running, key: &str) -> String {
    let entry = running.wanted().effective.iter().find(|entry| entry.key() == key);
    entry.unwrap().origin.clone()
}

/// Everything but where it came from.
fn values(config: &Config) -> Config {
    Config { effective: Vec::new(), written: Written::default(), ..config.clone() }
}

#[test]
fn values_change_and_stand_again_where_they_came_from() {
    let mut running = running("[encoder]\nbitrate_kbps = 2000\n");
    let wish =
        json!({"encoder": {"bitrate_kbps": 1500}, "camera": [{"width": 640, "framerate": 15}]});
    let done = change(&mut running, wish).unwrap();
    assert_eq!(done.applied, ["camera.width", "camera.framerate", "encoder.bitrate_kbps"]);
    assert_eq!(done.restart, ["camera.width", "camera.framerate"]);
    let now = running.now();
    assert_eq!(now.encoder.bitrate_kbps, 1500);
    assert_eq!((now.cameras[0].width, now.cameras[0].framerate), (640, 15));
    assert_eq!(running.started().cameras[0].width, 1280);
    assert_eq!(origin(&running, "encoder.bitrate_kbps"), "changed at run time");
    assert_eq!(origin(&running, "camera.height"), "default");

    let back = json!({"encoder": {"bitrate_kbps": 2000}, "camera": [{"width": 1280}]});
    let done = change(&mut running, back).unwrap();
    assert_eq!(done.applied, ["camera.width", "encoder.bitrate_kbps"]);
    assert_eq!(done.restart, ["camera.framerate"]);
    assert_eq!(origin(&running, "encoder.bitrate_kbps"), "signpost.toml:2");
    assert_eq!(origin(&running, "camera.width"), "default");
    let overrides = &running.wanted().written.overrides;
    assert!(overrides.sections.is_empty(), "what the file says is no override: {overrides:?}");
    assert_eq!(overrides.cameras.len(), 1);
    let back = json!({"camera": [{"framerate": 30}]});
    assert_eq!(change(&mut running, back).unwrap().restart, [""; 0]);
    assert_eq!(running.wanted().written.overrides, Settings::default());
}

#[test]
fn what_is_shown_may_be_sent_back() {
    let mut running = running(
        "[ice]\nservers = [{ urls = [\"turn:t:1\"], username = \"u\", credential = \"x\" }]\n\
         [[camera]]\nname = \"a\"\nsource = \"rtsp://u:p@h/s\"\n[[camera]]\nname = \"b\"\n",
    );
    let mut all = json!({"camera": [{}, {}]});
    for entry in &running.wanted().effective {
        let table = match entry.section {
            CAMERA => &mut all[CAMERA][entry.index],
            section => &mut all[section],
        };
        table[entry.name] = entry.value.clone();
    }
    let before = running.wanted().clone();
    assert!(!running.plan(all.as_object().unwrap(), By::Operator).unwrap().changes);
    assert_eq!(change(&mut running, all.clone()).unwrap(), Change::default());
    assert_eq!(**running.wanted(), *before);
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
        "encoder": {"bitrate_kbps": 5, "bitrate": 1500, "min_bitrate_kbps": [null]},
        "camera": [{"width": 641, "framerate": "15"}], "sesions": {}, "ice": [],
        "model": {"runtime": "/tmp/mine.so"},
    });
    let told = change(&mut running, wish).unwrap_err().to_string();
    let now = "changed at run time";
    for line in [
        "the configuration has 8 problems:".to_owned(),
        format!("{now}: encoder.bitrate_kbps = 5: allowed is a whole number from 100 to 20000"),
        format!(
            "{now}: encoder.bitrate = 1500: there is no such key; the nearest is encoder.bitrate_kbps"
        ),
        format!(
            "{now}: encoder.min_bitrate_kbps = \"[null]\": allowed is a whole number from 50 to 20000"
        ),
        format!("{now}: camera.width = 641: allowed is an even number from 160 to 3840"),
        format!("{now}: camera.framerate = \"15\": allowed is a whole number from 1 to 60"),
        format!(
            "{now}: sesions = (outside of the known sections): there is no such key; the nearest is section sessions"
        ),
        format!("{now}: ice = \"[]\": allowed is an object of keys"),
        format!(
            "{now}: model.runtime cannot be set through the API: it names code that this device runs; set it in signpost.toml"
        ),
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
fn what_only_a_restart_changes_is_configured_and_named() {
    let mut running = running("");
    let wish = json!({
        "encoder": {"bitrate_kbps": 1500, "low_rendition": false},
        "camera": [{"width": 1920, "height": 360, "source": "test"}],
    });
    let plan = running.plan(wish.as_object().unwrap(), By::Operator).unwrap();
    assert_eq!(plan.late, ["camera.source", "camera.width", "encoder.low_rendition"]);
    let done = running.take(plan.wanted);
    assert_eq!(done.applied, ["camera.height", "encoder.bitrate_kbps"]);
    let late = ["camera.source", "camera.width", "camera.height", "encoder.low_rendition"];
    assert_eq!(done.restart, late);
    let now = running.now();
    assert_eq!((now.cameras[0].width, now.cameras[0].height), (1280, 360));
    assert_eq!(now.cameras[0].source, crate::config::Source::Auto);
    assert!(now.encoder.low_rendition && !running.wanted().encoder.low_rendition);
}

#[test]
fn null_or_what_the_files_give_undoes_a_change_whatever_it_is() {
    let text =
        "[[camera]]\nname = \"door\"\nsource = \"file:/clip.mp4\"\n[encoder]\nbitrate_kbps = 900\n";
    for back in [json!("file:/clip.mp4"), Value::Null] {
        let mut running = running(text);
        let wish = json!({"camera": [{"source": "test"}], "encoder": {"bitrate_kbps": 800}});
        change(&mut running, wish).unwrap();
        let other = json!({"camera": [{"source": "file:/other.mp4"}]});
        assert!(change(&mut running, other).is_err());
        let undo = json!({"camera": [{"source": back}], "encoder": {"bitrate_kbps": null}});
        let done = change(&mut running, undo.clone()).unwrap();
        assert_eq!((done.restart, running.now().encoder.bitrate_kbps), (Vec::new(), 900));
        assert_eq!(running.wanted().written.overrides, Settings::default());
        assert!(!running.plan(undo.as_object().unwrap(), By::Operator).unwrap().changes);
    }
}

#[test]
fn cameras_in_another_order_wait_for_a_restart() {
    let camera = |name, width| format!("[[camera]]\nname = \"{name}\"\nwidth = {width}\n");
    let mut running = running(&(camera("a", 1280) + &camera("b", 640)));
    let file =
        Layer::File { name: "signpost.toml".into(), text: camera("b", 640) + &camera("a", 320) };
    let done = running.take(super::super::read(&[file], Path::new("/state")).unwrap());
    assert!(done.applied.is_empty(), "{done:?}");
    assert_eq!((running.now().cameras[0].width, running.now().cameras[1].width), (1280, 640));
}

#[test]
fn the_environment_and_arguments_win_and_are_named() {
    let layers = vec![
        Layer::variable("SIGNPOST_ENCODER__BITRATE_KBPS", "900").unwrap(),
        Layer::argument("--source", "camera", "source", "demo"),
    ];
    let below = [Layer::File { name: "signpost.toml".into(), text: String::new() }];
    let config = compose(&below, &Settings::default(), &layers, Path::new("/state")).unwrap();
    let mut running = Running::new(Arc::new(config));
    let wish = json!({"encoder": {"bitrate_kbps": 1500}, "camera": [{"source": "test"}]});
    let told = change(&mut running, wish).unwrap_err().to_string();
    for words in [
        "encoder.bitrate_kbps is set by environment variable SIGNPOST_ENCODER__BITRATE_KBPS",
        "camera.source is set by argument --source, which wins",
    ] {
        assert!(told.contains(words), "{told}");
    }
    let other = json!({"encoder": {"min_bitrate_kbps": 200}, "camera": [{"width": 640}]});
    change(&mut running, other).unwrap();
    assert_eq!((running.now().encoder.bitrate_kbps, running.now().cameras[0].width), (900, 640));
}

#[test]
fn what_is_for_administrators_is_refused_to_operators_by_name() {
    let mut running = running("");
    let wish = json!({
        "ice": {"servers": ["stun:10.0.0.1"], "udp_ports": "50000-50100"},
        "http": {"allowed_hosts": ["door.example"]}, "encoder": {"bitrate_kbps": 900},
    });
    let told = running.plan(wish.as_object().unwrap(), By::Operator).unwrap_err();
    assert_eq!(told.0.len(), 3, "{told}");
    for key in ["ice.servers", "ice.udp_ports", "http.allowed_hosts"] {
        assert!(
            told.to_string().contains(&format!("{key} is for administrators only: ")),
            "{told}"
        );
    }
    assert_eq!(change(&mut running, wish).unwrap().restart, [""; 0]);
    assert_eq!(running.now().ice.servers[0].urls, ["stun:10.0.0.1"]);
    let undo = json!({"ice": {"servers": null}});
    assert!(running.plan(undo.as_object().unwrap(), By::Operator).is_err());
}

#[test]
fn servers_are_taken_where_they_may_be_and_their_credentials_stay() {
    let mut running = running("[ice]\nallowed_servers = [\"198.51.100.0/24\", \"example.org\"]\n");
    let turn = |credential: &str| json!({"urls": ["turn:t.example.org"], "username": "u", "credential": credential});
    change(&mut running, json!({"ice": {"servers": [turn("hunter2")]}})).unwrap();
    let shown = running.wanted().effective.iter().find(|entry| entry.name == "servers").unwrap();
    assert_eq!(shown.value, json!([turn("***")]));
    let more = json!({"ice": {"servers": ["stun:198.51.100.7", turn("***")]}});
    change(&mut running, more).unwrap();
    let servers = running.now().ice.servers;
    assert_eq!((servers.len(), servers[1].credential.as_deref()), (2, Some("hunter2")));
    let elsewhere = json!({"urls": ["turn:x.example.org"], "username": "u", "credential": "***"});
    for (wrong, words) in [
        (json!(["stun:203.0.113.1"]), "stun:203.0.113.1: allowed is a server in 198.51.100.0/24"),
        (json!(["stun:127.0.0.1"]), "ice.allowed_servers of signpost.toml"),
        (json!([elsewhere]), "turn:x.example.org with ***: allowed is the credential itself"),
    ] {
        let told =
            change(&mut running, json!({"ice": {"servers": wrong}})).unwrap_err().to_string();
        assert!(told.contains(words) && !told.contains("hunter2"), "{told}");
    }
    assert_eq!(running.now().ice.servers, servers);
}

/// Another valid value of a key, as TOML.
fn another(key: &keys::Key) -> toml::Value {
    use keys::Kind;
    match (key.name, &key.kind) {
        ("listen" | "listen_https", _) => vec!["127.0.0.1:1"].into(),
        ("allowed_hosts", _) => vec!["door.example"].into(),
        ("allowed_origins", _) => vec!["https://wall.example"].into(),
        ("servers", _) => vec!["turn:t:1"].into(),
        ("allowed_servers", _) => vec!["192.0.2.0/24"].into(),
        ("udp_ports", _) => "50000-50100".into(),
        ("modules", _) => vec!["camera=debug"].into(),
        ("source", _) => "test".into(),
        (_, Kind::Word(words)) => (*words.last().unwrap()).into(),
        (_, Kind::Flag) => (!key.default().as_bool().unwrap()).into(),
        (_, Kind::Whole(..) | Kind::Even(..)) => {
            (key.default().as_integer().unwrap() - 2).max(1).into()
        }
        (_, Kind::Numbers(_)) => vec![3].into(),
        (_, Kind::Text(_)) => "other".into(),
        (_, Kind::Table(_)) => {
            toml::Value::Table([("gain".to_owned(), 3.into())].into_iter().collect())
        }
        (_, Kind::List(_)) => panic!("{}", key.name),
    }
}

#[test]
fn exactly_the_live_keys_are_in_force_at_once() {
    for key in KEYS {
        let server = r#"{ urls = ["turn:t:1"], username = "u", credential = "x" }"#;
        let ice = match key.name {
            "transport_policy" => format!("[ice]\nservers = [{server}]\n"),
            _ => String::new(),
        };
        let value = match key.name {
            "servers" => format!("[{server}]"),
            "threads" => "2".to_owned(),
            _ => another(key).to_string(),
        };
        let line = format!("{} = {value}\n", key.name);
        let text = match key.section {
            "ice" => format!("[ice]\n{}{line}", ice.replace("[ice]\n", "")),
            section => format!("[{section}]\n{line}"),
        };
        let mut running = running(&ice);
        let file = Layer::File { name: "signpost.toml".into(), text };
        let wanted = super::super::read(&[file], Path::new("/state")).unwrap();
        let (started, new) = (values(running.started()), values(&wanted));
        let change = running.take(wanted);
        assert_ne!(started, new, "{}", key.name);
        let name = format!("{}.{}", key.section, key.name);
        assert_eq!(values(&running.now()), if key.live { new } else { started }, "{name}");
        assert_eq!(change.applied.contains(&name), key.live, "{name}");
        let captured = ["width", "height", "framerate"].contains(&key.name);
        let late = !key.live || captured;
        assert_eq!(change.restart.contains(&name), late, "{name}: {change:?}");
    }
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
        let running = running("");
        let _ = running.plan(json!({KEYS[section].section: whole}).as_object().unwrap(), By::Administrator);
        let key = &KEYS[section];
        let wish = match key.section {
            CAMERA => json!({CAMERA: [{key.name: value}]}),
            section => json!({section: {key.name: value}}),
        };
        let _ = running.plan(wish.as_object().unwrap(), By::Administrator);
    }

    #[test]
    fn what_is_in_force_is_valid_and_what_is_stored_gives_it_again(
        wishes in prop::collection::vec((0..KEYS.len(), 0_u64..4000), 0..8),
    ) {
        let mut running = running("[encoder]\nbitrate_kbps = 2000\n");
        for (which, value) in wishes {
            let key = &KEYS[which];
            let wish = match key.section {
                CAMERA => json!({CAMERA: [{key.name: value}]}),
                section => json!({section: {key.name: value}}),
            };
            let before = running.wanted().clone();
            let done = change(&mut running, wish);
            if done.is_err() {
                prop_assert_eq!(&**running.wanted(), &*before);
            }
            let now = running.now();
            let camera = &now.cameras[0];
            prop_assert!(camera.width <= 1280 && camera.height <= 720 && camera.framerate <= 30);
            prop_assert!(now.encoder.min_bitrate_kbps <= now.encoder.bitrate_kbps);
            // A restart from what is stored gives what is configured.
            let written = &running.wanted().written;
            let text = crate::config::overrides::write(&written.overrides);
            let read = crate::config::overrides::read("overrides.toml", &text);
            let read = read.unwrap_or_else(|told| panic!("{told}\n{text}"));
            let again = compose(&written.below, &read, &written.above, Path::new("/state")).unwrap();
            prop_assert_eq!(values(&again), values(running.wanted()));
        }
    }
}
