//! Layers, ranges and messages, from the outside of the folder.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::keys::{KEYS, Kind};
use super::*;

fn file(text: &str) -> Layer {
    Layer::File { name: "signpost.toml".to_owned(), text: text.to_owned() }
}

fn config(layers: &[Layer]) -> Result<Config, Problems> {
    read(layers, Path::new("/state"))
}

fn messages(text: &str) -> Vec<String> {
    config(&[file(text)]).unwrap_err().0.iter().map(ToString::to_string).collect()
}

#[test]
fn nothing_given_is_the_defaults() {
    let config = config(&[]).unwrap();
    assert_eq!(config.http.listen, ["127.0.0.1:8080".parse().unwrap()]);
    assert_eq!(config.access.password_file, Path::new("/state/password"));
    assert_eq!(config.cameras.len(), 1);
    assert_eq!(config.cameras[0].source, Source::Auto);
    assert_eq!(config.sessions.max_viewers, 16);
    assert_eq!(config.encoder.prefer, None);
    assert_eq!(config.effective.len(), KEYS.len());
}

#[test]
fn shipped_example_is_valid_and_lists_every_key_with_its_default() {
    let text = include_str!("../../systemd/signpost.toml");
    let example = config(&[file(text)]).unwrap();
    assert_eq!(example.effective.len(), KEYS.len());
    // Every key stands there, commented out, with the value that applies without it, and
    // under words that name its range, its unit and its default.
    for key in KEYS {
        let line = format!("#{} = {}", key.name, key.default);
        let heads = [format!("[{}]", key.section), format!("[[{}]]", key.section)];
        let start = heads.iter().find_map(|head| text.find(head.as_str()));
        let section = &text[start.unwrap_or_else(|| panic!("no section {}", key.section))..];
        let end = section.find("\n\n[").map_or(section.len(), |end| end + 1);
        let lines: Vec<&str> = section[..end].lines().collect();
        let at = lines.iter().position(|l| *l == line);
        let at = at.unwrap_or_else(|| panic!("[{}] lacks {line}", key.section));
        let above = lines[..at].iter().rev().map_while(|l| l.strip_prefix("# "));
        let mut above: Vec<&str> = above.collect();
        above.reverse();
        let above = above.join(" ");
        let range = key.range();
        assert!(above.ends_with(&range), "over {line}: {above:?} does not end with {range:?}");
    }
    let uncommented: String = text
        .lines()
        .map(|l| l.strip_prefix('#').filter(|l| !l.starts_with(' ')).unwrap_or(l))
        .flat_map(|l| [l, "\n"])
        .collect();
    let (all, defaults) = (config(&[file(&uncommented)]).unwrap(), config(&[]).unwrap());
    assert_eq!(
        Config { effective: Vec::new(), written: values::Written::default(), ..all },
        Config { effective: Vec::new(), written: values::Written::default(), ..defaults }
    );
}

#[test]
fn readme_lists_every_key() {
    let readme = include_str!("../../README.md");
    let rows: Vec<&str> = readme.lines().filter(|line| line.starts_with("| ")).collect();
    for key in KEYS {
        let named = match key.section {
            keys::CAMERA => format!("`{}`", key.name),
            section => format!("`{section}.{}`", key.name),
        };
        assert!(rows.iter().any(|row| row.contains(&named)), "README has no row with {named}");
    }
}

#[test]
fn presets_are_valid_and_say_why_they_differ() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/presets");
    let example = file(include_str!("../../systemd/signpost.toml"));
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let preset = config(&[example.clone(), file(&text)]).unwrap_or_else(|told| {
            panic!("{}: {told}", entry.path().display());
        });
        let differs: Vec<_> =
            preset.effective.iter().filter(|entry| entry.origin != "default").collect();
        assert!(!differs.is_empty());
        for Effective { section, name, value, .. } in differs {
            assert!((*section, *name) != ("http", "listen"), "the service has its own sockets");
            let key = keys::find(section, name).unwrap();
            let default: toml::Value = key.default.parse().unwrap();
            let default = serde_json::to_value(&default).unwrap();
            assert_ne!(*value, default, "{section}.{name} is the default");
            let lines: Vec<&str> = text.lines().collect();
            let at = lines.iter().position(|l| l.starts_with(&format!("{name} ="))).unwrap();
            assert!(lines[at - 1].starts_with("# "), "{section}.{name}: no word why");
        }
        seen += 1;
    }
    assert_eq!(seen, 2);
}

#[test]
fn all_problems_are_told_at_once_with_place_and_range() {
    let told = messages(
        "[http]\nlisten = [\"nowhere\"]\nalowed_hosts = []\n\n[sessions]\nmax_viewers = 65\n\
         keepalive_s = \"5\"\n[htp]\nlisten = []\n[ice]\nmax_viewers = 3\n",
    );
    let expected = [
        "signpost.toml:8: htp = (outside of the known sections): there is no such key; the nearest is section [http]",
        "signpost.toml:3: http.alowed_hosts = []: there is no such key; the nearest is http.allowed_hosts",
        "signpost.toml:11: ice.max_viewers = 3: there is no such key; the nearest is sessions.max_viewers",
        "signpost.toml:2: http.listen = [\"nowhere\"]: allowed is a list of 1 to 16 of ADDRESS:PORT",
        "signpost.toml:6: sessions.max_viewers = 65: allowed is a whole number from 1 to 64",
        "signpost.toml:7: sessions.keepalive_s = \"5\": allowed is a whole number from 1 to 60",
    ];
    for line in expected {
        assert!(told.iter().any(|message| message == line), "{line}\nnot in {told:#?}");
    }
    assert_eq!(told.len(), expected.len(), "{told:#?}");
}

#[test]
fn syntax_error_names_its_line() {
    let told = messages("[http]\nlisten = [\n");
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("signpost.toml:"), "{told:?}");
    assert!(!told[0].contains('\n'), "{told:?}");
}

#[test]
fn values_that_do_not_fit_together_are_told() {
    let told = messages(
        "[encoder]\nbitrate_kbps = 200\n[ice]\ntransport_policy = \"relay\"\n\
         [[camera]]\nname = \"a\"\n[[camera]]\nname = \"a\"\n",
    );
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(told.iter().any(|m| m.contains("camera[1].name")), "{told:#?}");
    assert!(told.iter().any(|m| m.contains("at most encoder.bitrate_kbps")), "{told:#?}");
    assert!(told.iter().any(|m| m.contains("without a turn: server")), "{told:#?}");
}

#[test]
fn secrets_are_neither_told_nor_shown() {
    let turn = r#"{ urls = ["turn:t:1"], username = "u", credential = "hunter2" }"#;
    for source in ["rtsp://u:hunter2@h/s", "rtsp://u:a/hunter2@h/s", "rtsp://h/s?u=u&p=hunter2"] {
        let text = format!("[ice]\nservers = [{turn}]\n[[camera]]\nsource = \"{source}\"");
        let effective = config(&[file(&text)]).unwrap().effective;
        assert!(!format!("{effective:?}").contains("hunter2"), "{source}");
    }
    let wrong = "[access]\npassword = \"hunter2\"\n[ice]\nservers = [\"turn:u:hunter2@h\"]\n\
                 [[camera]]\nsource = \"rtspx://u:hunter2@h\"\n";
    let told = messages(wrong);
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(!format!("{told:?}").contains("hunter2"), "{told:#?}");
}

#[test]
fn an_address_is_shown_without_what_opens_it() {
    let table = [
        ("rtsp://10.0.0.2:8554/x", "rtsp://10.0.0.2:8554/x"),
        ("rtsp:rtsp://ann:hunter2@h/x", "rtsp:rtsp://***@h/x"),
        ("rtsp://ann:hun@ter2@h:8554/x", "rtsp://***@h:8554/x"),
        ("rtsp://ann:hunt/er2@h/x", "rtsp://***@h/x"),
        ("rtsp://ann:hunt?er2@h/x", "rtsp://***"),
        ("rtsp://h/x?user=ann&password=hunter2", "rtsp://h/x?***"),
        ("rtsp://h/x?user=ann@home&password=hunter2", "rtsp://***"),
        ("rtsp://ann:hunter2@h/x?channel=1", "rtsp://***@h/x?***"),
        ("v4l2:/dev/video0", "v4l2:/dev/video0"),
    ];
    for (text, expected) in table {
        assert_eq!(without_secrets(text), expected);
    }
}

#[test]
fn sources_are_read_as_the_command_line_says_them() {
    let source = |text| Source::parse(text);
    assert_eq!(source("v4l2:/dev/video0"), Some(Source::V4l2("/dev/video0".into())));
    assert_eq!(source("file:clip.mp4"), Some(Source::File("clip.mp4".into())));
    assert_eq!(source("rtsp:rtsp://h/s"), Some(Source::Rtsp("rtsp://h/s".into())));
    assert_eq!(source("rtsps://h/s"), Some(Source::Rtsp("rtsps://h/s".into())));
    for wrong in
        ["", "Auto", "file:", "v4l2:video0", "rtsp:", "rtsp://", "rtsp:http://h", "rtsp://h\n"]
    {
        assert_eq!(source(wrong), None, "{wrong}");
    }
}

#[test]
fn later_camera_list_replaces_the_earlier_and_variables_change_the_first() {
    let layers = [
        file("[[camera]]\nname = \"a\"\n[[camera]]\nname = \"b\"\n"),
        file("[[camera]]\nname = \"c\"\nwidth = 640\n"),
        Layer::variable("SIGNPOST_CAMERA__WIDTH", "320").unwrap(),
    ];
    let cameras = config(&layers).unwrap().cameras;
    assert_eq!(cameras.len(), 1);
    assert_eq!((cameras[0].name.as_str(), cameras[0].width), ("c", 320));
}

#[test]
fn lists_in_variables_are_written_both_ways() {
    for text in ["127.0.0.1:1, [::1]:2", r#"["127.0.0.1:1", "[::1]:2"]"#] {
        let layer = Layer::variable("SIGNPOST_HTTP__LISTEN", text).unwrap();
        assert_eq!(config(&[layer]).unwrap().http.listen.len(), 2, "{text}");
    }
    assert!(Layer::variable("SIGNPOST_CACHE", "x").is_none());
    let misspelt = Layer::variable("SIGNPOST_HTP__LISTEN", "x").unwrap();
    let told = config(&[misspelt]).unwrap_err().to_string();
    assert!(told.contains("SIGNPOST_HTP__LISTEN") && told.contains("http.listen"), "{told}");
}

#[test]
fn modules_have_levels_and_a_wrong_one_names_the_nearest() {
    let modules = |text: &str| {
        config(&[file(&format!("[log]\nmodules = {text}"))]).map(|config| config.log.modules)
    };
    let levels = modules(r#"["camera=debug", "http = warn"]"#).unwrap();
    assert_eq!(levels[0], ("camera".to_owned(), log::LevelFilter::Debug));
    assert_eq!(levels[1], ("http".to_owned(), log::LevelFilter::Warn));
    let table = [
        (r#"["camra=debug"]"#, "the nearest to \"camra\" is camera"),
        (r#"["http=warn", "http=info"]"#, "http has two levels"),
        (r#"["camera"]"#, "a list of MODULE=LEVEL"),
        (r#"["camera=off"]"#, "a list of MODULE=LEVEL"),
        (r#""camera=debug""#, "a list of MODULE=LEVEL"),
    ];
    for (wrong, words) in table {
        let told = modules(wrong).unwrap_err().to_string();
        assert!(told.contains(words) && told.contains("1 problem"), "{wrong}: {told}");
    }
}

#[test]
fn every_module_is_a_folder_and_every_folder_a_module() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let folders = std::fs::read_dir(source).unwrap().map(Result::unwrap);
    let folders = folders.filter(|entry| entry.path().join("mod.rs").is_file());
    let mut folders: Vec<_> =
        folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    let mut modules = keys::MODULES.to_vec();
    folders.sort();
    modules.sort_unstable();
    assert_eq!(folders, modules);
    for module in modules {
        assert!(keys::MODULE_LEVEL.contains(&format!(" {module}")), "{module}");
    }
}

#[test]
fn origins_and_hosts_have_a_form() {
    for right in ["http://a", "https://a.example:8443", "http://[::1]:80", "http://10.0.0.1"] {
        assert!(words::origin(right).is_some(), "{right}");
    }
    for wrong in ["*", "null", "a", "http://", "http://a/", "http://a:0", "ftp://a", "http://a:b@c"]
    {
        assert!(words::origin(wrong).is_none(), "{wrong}");
    }
    assert_eq!(words::host("Door.Local").as_deref(), Some("door.local"));
    assert!(words::host("a:80").is_none() && words::host("").is_none());
}

#[test]
fn waits_are_seconds_whole_or_not_in_files_and_variables() {
    let waits = |layer: Layer| config(&[layer]).map(|config| config.sessions.reconnect_waits);
    let in_file = |text| waits(file(&format!("[sessions]\nreconnect_waits_s = {text}")));
    let variable = "SIGNPOST_SESSIONS__RECONNECT_WAITS_S";
    let given = |text| waits(Layer::variable(variable, text).unwrap());
    let expected = [500, 3000, 60_000].map(Duration::from_millis);
    assert_eq!(in_file("[0.5, 3, 60.0]").unwrap(), expected);
    assert_eq!(given("0.5, 3, 60").unwrap(), expected);
    assert_eq!(given("[0.5, 3, 60]").unwrap(), expected);
    for wrong in ["[]", "5", "[0.4]", "[60.1]", "[nan]", "[-1]", "[\"5\"]", "[1, [2]]"] {
        let told = in_file(wrong).unwrap_err().to_string();
        assert!(told.contains("a list of 1 to 10 numbers from 0.5 to 60"), "{wrong}: {told}");
    }
    assert!(in_file(&format!("[{}]", ["1"; 11].join(", "))).is_err());
    assert!(given("").is_err() && given("1, soon").is_err());
}

/// A layer that sets one whole number.
fn layer(kind: u8, value: u64) -> Layer {
    match kind {
        0 => file(&format!("[sessions]\nmax_viewers = {value}")),
        1 => Layer::variable("SIGNPOST_SESSIONS__MAX_VIEWERS", &value.to_string()).unwrap(),
        _ => Layer::argument("--x", "sessions", "max_viewers", &value.to_string()),
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*", name in "[A-Z_]{0,20}", value in "\\PC*") {
        let mut layers = vec![file(&text)];
        layers.extend(Layer::variable(&format!("SIGNPOST_{name}"), &value));
        let _ = config(&layers);
    }

    #[test]
    fn no_value_of_a_known_key_panics_and_no_invalid_one_passes(
        index in 0..KEYS.len(),
        value in prop_oneof![
            "-?[0-9]{1,20}", "[0-9]\\.[0-9]", "true", "\"[ -!#-\\[\\]-~]{0,12}\"",
            "\\[\"[a-z:./0-9]{0,12}\"\\]", "\\{ *\\}", "\\[\\[1\\]\\]", "1979-05-27",
        ],
    ) {
        let Kind::Whole(low, high) = KEYS[index].kind else {
            let _ = config(&[file(&format!("[{}]\n{} = {value}", KEYS[index].section, KEYS[index].name))]);
            return Ok(());
        };
        let key = &KEYS[index];
        let read = config(&[file(&format!("[{}]\n{} = {value}", key.section, key.name))]);
        let inside = value.parse().is_ok_and(|number: u64| (low..=high).contains(&number));
        // Only the two bit rates depend on each other.
        if !key.name.ends_with("bitrate_kbps") && !value.starts_with("-0") && !value.starts_with('0') {
            prop_assert_eq!(read.is_ok(), inside, "{} {}", key.name, value);
        }
    }

    #[test]
    fn the_last_layer_wins(layers in prop::collection::vec((0_u8..3, 1_u64..=64), 1..6)) {
        let texts: Vec<Layer> = layers.iter().map(|(kind, value)| layer(*kind, *value)).collect();
        let last = layers.last().unwrap().1;
        prop_assert_eq!(config(&texts).unwrap().sessions.max_viewers as u64, last);
    }

    #[test]
    fn problems_name_the_line_they_are_on(lines in 0_usize..50) {
        let text = format!("{}[log]\nlevel = \"loud\"\n", "#\n".repeat(lines));
        let told = messages(&text);
        let place = format!("signpost.toml:{}:", lines + 2);
        prop_assert!(told[0].starts_with(&place), "{:?}", told);
    }
}
