//! Which overrides are in force, and what their file says.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::super::keys::KEYS;
use super::*;

fn file(text: &str) -> Vec<Layer> {
    vec![Layer::File { name: "signpost.toml".into(), text: text.into() }]
}

fn candidate(file: &str, text: Option<&str>) -> Candidate {
    Candidate { file: file.to_owned(), text: Ok(text.map(str::to_owned)) }
}

/// A file that says this.
fn whole(text: &str) -> String {
    format!("{text}{END}\n")
}

fn settled(below: &str, first: Option<&str>, second: Option<&str>) -> Config {
    let candidates =
        [candidate("overrides.toml", first), candidate("overrides.toml.last-good", second)];
    settle(&file(below), &candidates, &[], Path::new("/state")).unwrap()
}

const GOOD: &str = "[encoder]\nbitrate_kbps = 1500\n";
const OLDER: &str = "[encoder]\nbitrate_kbps = 1400\n";

#[test]
fn a_good_file_is_in_force_between_files_and_environment() {
    let config = settled("[encoder]\nbitrate_kbps = 900\n", Some(&whole(GOOD)), None);
    assert_eq!((config.encoder.bitrate_kbps, config.remarks.len()), (1500, 0));
    let entry = config.effective.iter().find(|entry| entry.name == "bitrate_kbps").unwrap();
    assert_eq!(entry.origin, "overrides.toml:2");
    let above = [Layer::variable("SIGNPOST_ENCODER__BITRATE_KBPS", "800").unwrap()];
    let candidates = [candidate("overrides.toml", Some(&whole(GOOD)))];
    let config = settle(&[], &candidates, &above, Path::new("/state")).unwrap();
    assert_eq!(config.encoder.bitrate_kbps, 800);
}

#[test]
fn a_bad_file_falls_back_to_the_last_good_one_and_says_so() {
    let table = [
        ("", "cut off"),
        (GOOD, "cut off"),
        ("[encoder]\nbitrate_", "overrides.toml:2"),
        ("\0\0\0", "overrides.toml:1"),
        ("[encoder]\nbitrate = 1\n# end of overrides\n", "the nearest is encoder.bitrate_kbps"),
        ("[encoder]\nbitrate_kbps = 1\n# end of overrides\n", "from 100 to 20000"),
        ("[model]\nruntime = \"/x\"\n# end of overrides\n", "cannot be set through the API"),
        ("[[camera]]\nsource = \"file:/x\"\n# end of overrides\n", "a camera without a name"),
    ];
    for (damaged, why) in table {
        let config = settled("", Some(damaged), Some(&whole(OLDER)));
        assert_eq!(config.encoder.bitrate_kbps, 1400, "{damaged:?}");
        let [remark] = &config.remarks[..] else { panic!("{:?}", config.remarks) };
        assert!(remark.contains(why) && remark.contains("overrides.toml:"), "{remark}");
        assert!(remark.ends_with("in force is the last good one, overrides.toml.last-good"));
        for second in [None, Some(GOOD)] {
            let config = settled("", Some(damaged), second);
            assert_eq!(config.encoder.bitrate_kbps, 2500, "{damaged:?}");
            assert!(config.remarks[0].contains("there is no good one before it"));
        }
    }
    let unreadable =
        Candidate { file: "overrides.toml".into(), text: Err("cannot be read: no".into()) };
    let candidates = [unreadable, candidate("overrides.toml.last-good", Some(&whole(OLDER)))];
    let config = settle(&[], &candidates, &[], Path::new("/state")).unwrap();
    assert_eq!(config.encoder.bitrate_kbps, 1400);
    assert!(config.remarks[0].starts_with("overrides.toml: cannot be read: no; in force"));
}

#[test]
fn no_file_is_no_override_and_a_wrong_main_file_stays_wrong() {
    let config = settled("", None, Some(&whole(OLDER)));
    assert_eq!((config.encoder.bitrate_kbps, config.remarks.len()), (2500, 0));
    // Not even where the overrides would make it right.
    let candidates = [candidate("overrides.toml", Some(&whole(GOOD)))];
    let wrong = file("[encoder]\nbitrate_kbps = 200\n");
    assert!(settle(&wrong, &candidates, &[], Path::new("/state")).is_err());
}

#[test]
fn cameras_are_found_by_their_names() {
    let overrides = whole(
        "[[camera]]\nname = \"b\"\nwidth = 640\n[[camera]]\nname = \"gone\"\nflip = \"horizontal\"\n",
    );
    let two = "[[camera]]\nname = \"a\"\n[[camera]]\nname = \"b\"\nheight = 480\n";
    let config = settled(two, Some(&overrides), None);
    assert_eq!((config.cameras[0].width, config.cameras[1].width), (1280, 640));
    assert_eq!(config.cameras[1].height, 480, "the rest is the file's");
    let [remark] = &config.remarks[..] else { panic!("{:?}", config.remarks) };
    assert!(remark.contains("camera gone has no effect"), "{remark}");
    let default = whole("[[camera]]\nname = \"camera\"\nwidth = 640\n");
    assert_eq!(settled("", Some(&default), None).cameras[0].width, 640);
}

/// The decision on every key, with the harm that each that is shut could do.
#[test]
fn what_the_api_may_set_is_decided_key_by_key() {
    let open: Vec<String> = KEYS
        .iter()
        .filter(|key| matches!(key.api, Api::Open))
        .map(|key| format!("{}.{}", key.section, key.name))
        .collect();
    let expected = [
        "camera.width",
        "camera.height",
        "camera.framerate",
        "camera.flip",
        "camera.controls",
        "encoder.prefer",
        "encoder.bitrate_kbps",
        "encoder.min_bitrate_kbps",
        "encoder.low_rendition",
        "sessions.max_viewers",
        "sessions.keepalive_s",
        "sessions.negotiation_timeout_s",
        "sessions.buffer_limit_bytes",
        "sessions.offers_per_minute",
        "sessions.reconnect_waits_s",
        "model.threads",
        "log.level",
        "log.modules",
    ];
    assert_eq!(open, expected);
    let reserved: Vec<String> = KEYS
        .iter()
        .filter(|key| matches!(key.api, Api::Administrator(_) | Api::AllowedServers(_)))
        .map(|key| format!("{}.{}", key.section, key.name))
        .collect();
    let expected = [
        "http.plain",
        "http.allowed_hosts",
        "http.allowed_origins",
        "ice.servers",
        "ice.transport_policy",
        "ice.udp_ports",
    ];
    assert_eq!(reserved, expected);
    let source =
        |text: &str| shut(CAMERA, "source", &Entry { value: text.into(), origin: Origin::Request });
    for plain in [
        "auto",
        "demo",
        "test",
        "libcamera",
        "v4l2:/dev/video0",
        "v4l2:/dev/video12",
        "v4l2:/dev/v4l/by-id/usb-046d_HD-video-index0",
        "v4l2:/dev/v4l/by-path/a:1.0-x",
    ] {
        assert!(source(plain).is_none(), "{plain}");
    }
    for harmful in [
        "file:/etc/shadow",
        "rtsp://10.0.0.1/x",
        "rtsp:rtsp://h/x",
        "rtsps://h/x",
        "v4l2:/dev/watchdog",
        "v4l2:/dev/../etc/shadow",
        "v4l2:/dev/video0/../mem",
        "v4l2:/dev/v4l/by-id/../../mem",
        "v4l2:/dev/v4l/by-id/..",
        "v4l2:/dev/video",
    ] {
        let told = source(harmful).unwrap().to_string();
        assert!(told.contains("camera.source cannot be set through the API"), "{told}");
    }
}

proptest! {
    #[test]
    fn no_text_panics_and_what_is_not_good_is_never_in_force(text in "\\PC*") {
        let config = settled("", Some(&text), Some(&whole(OLDER)));
        prop_assert_eq!(config.encoder.bitrate_kbps, 1400);
        prop_assert_eq!(config.remarks.len(), 1);
    }

    /// Cut anywhere, filled up with zeros or not: the old values or the new ones.
    #[test]
    fn a_file_that_was_cut_anywhere_gives_the_old_or_the_new(
        kbps in 300_u32..20_000, viewers in 1_u32..=64, cut in 0_usize..400, zeros in 0_usize..3,
    ) {
        let mut new = Settings::default();
        new.put("encoder", "", "bitrate_kbps", i64::from(kbps).into());
        new.put("sessions", "", "max_viewers", i64::from(viewers).into());
        new.put(CAMERA, "camera", "width", 640.into());
        let text = write(&new);
        let cut = cut.min(text.len());
        let damaged = format!("{}{}", &text[..cut], "\0".repeat(zeros));
        let config = settled("", Some(&damaged), Some(&whole(OLDER)));
        let seen =
            (config.encoder.bitrate_kbps, config.sessions.max_viewers, config.cameras[0].width);
        if config.remarks.is_empty() {
            prop_assert_eq!(seen, (kbps, viewers as usize, 640));
        } else {
            prop_assert_eq!(seen, (1400, 16, 1280));
        }
        let is_whole = cut == text.len() && zeros == 0;
        prop_assert_eq!(config.remarks.is_empty(), is_whole);
    }

    #[test]
    fn putting_and_dropping_leaves_nothing(
        keys in prop::collection::vec((0..KEYS.len(), 0_usize..3), 0..12),
    ) {
        // A camera's name is what finds it, and cannot be put.
        let mut keys = keys;
        keys.retain(|(which, _)| (KEYS[*which].section, KEYS[*which].name) != (CAMERA, "name"));
        let mut overrides = Settings::default();
        let camera = |index: &usize| ["a", "b", "c"][*index];
        for (which, index) in &keys {
            overrides.put(KEYS[*which].section, camera(index), KEYS[*which].name, 1.into());
        }
        for (which, index) in &keys {
            overrides.drop_one(KEYS[*which].section, camera(index), KEYS[*which].name);
        }
        prop_assert_eq!(overrides, Settings::default());
    }
}
