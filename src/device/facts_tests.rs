//! Facts of made trees.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

/// The root of a tree with these files.
fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    files.iter().for_each(|(file, text)| put(root.path(), file, text));
    root
}

fn put(root: &Path, file: &str, text: &str) {
    let file = root.join(file);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

fn reader(root: &tempfile::TempDir, addresses: fn() -> Vec<(String, IpAddr)>) -> Reader {
    let (root, state_dir) = (root.path().to_owned(), root.path().to_owned());
    Reader::new(Places { root, state_dir, addresses })
}

fn pi() -> tempfile::TempDir {
    tree(&[
        ("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0"),
        ("proc/uptime", "100.5 1.0\n"),
        ("proc/loadavg", "1.00 0.50 0.25 1/1 1\n"),
        ("proc/stat", "cpu  10 0 0 90\ncpu0 10 0 0 90\nintr 0\n"),
        ("proc/meminfo", "MemTotal: 4000 kB\nMemAvailable: 1000 kB\n"),
        ("sys/class/thermal/thermal_zone0/temp", "61234\n"),
        ("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n"),
        ("sys/class/thermal/cooling_device0/type", "fan\n"),
        (THROTTLED, "50000\n"),
        ("sys/class/hwmon/hwmon0/name", "cpu_thermal\n"),
        ("sys/class/hwmon/hwmon1/name", "rpi_volt\n"),
        ("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n"),
        ("sys/class/net/lo/operstate", "unknown\n"),
        ("sys/class/net/eth0/operstate", "up\n"),
        ("sys/class/net/eth0/device/vendor", "x\n"),
        ("sys/class/net/wlan0/operstate", "down\n"),
        ("sys/class/net/wlan0/device/vendor", "x\n"),
        ("sys/class/net/wlan0/wireless/x", "\n"),
    ])
}

#[test]
fn a_raspberry_pi_tells_everything() {
    let root = pi();
    let one = || {
        let told = [("lo", "127.0.0.1"), ("eth0", "192.0.2.7"), ("eth0", "2001:db8::7")];
        told.map(|(name, address)| (name.to_owned(), address.parse().unwrap())).to_vec()
    };
    let mut reader = reader(&root, one);
    let facts = reader.read();
    assert_eq!(facts.model.as_deref(), Some("Raspberry Pi 4 Model B Rev 1.4"));
    assert_eq!(facts.device_uptime_s, Some(100));
    let hot = Temperature { name: "cpu-thermal".into(), celsius: 61.2 };
    assert_eq!(facts.temperatures, [hot]);
    let weak = Strain { under_voltage: true, ..Strain::default() };
    let power = facts.power.unwrap();
    assert_eq!(power.now, weak, "the sensor says so");
    assert_eq!(power.since_boot, Strain { throttled: true, ..weak });
    assert_eq!(facts.cpu, Some(Cpu { cores: 1, busy: None, load: [1.0, 0.5, 0.25] }));
    assert_eq!(facts.memory.unwrap().available_bytes, 1_024_000);
    assert!(facts.disk.as_ref().unwrap().total_bytes > facts.disk.as_ref().unwrap().free_bytes);
    let names: Vec<_> = facts.interfaces.iter().map(|one| (&*one.name, one.kind, one.up)).collect();
    assert_eq!(names, [("eth0", "wired", Some(true)), ("wlan0", "wireless", Some(false))]);
    assert_eq!(facts.interfaces[0].addresses.len(), 2);
    assert!(facts.missing.is_empty(), "{:?}", facts.missing);

    put(root.path(), "proc/stat", "cpu  85 0 0 115\ncpu0 85 0 0 115\n");
    put(root.path(), THROTTLED, "0\n");
    put(root.path(), "sys/class/hwmon/hwmon1/in0_lcrit_alarm", "0\n");
    let facts = reader.read();
    assert_eq!(facts.cpu.unwrap().busy, Some(0.75));
    let power = facts.power.unwrap();
    assert_eq!(power.now, Strain::default());
    assert!(power.since_boot.under_voltage, "the firmware forgets, we do not");
}

#[test]
fn what_a_device_does_not_have_is_absent_with_a_reason_and_never_zero() {
    let root = tree(&[]);
    let mut reader = reader(&root, Vec::new);
    reader.places.state_dir = root.path().join("none");
    let facts = serde_json::to_value(reader.read()).unwrap();
    for name in ["model", "device_uptime_s", "power", "cpu", "memory", "disk"] {
        assert!(facts[name].is_null(), "{name}: {facts}");
        assert!(facts["missing"][name].as_str().is_some_and(|why| why.len() > 10), "{name}");
    }
    for name in ["temperatures", "interfaces"] {
        assert_eq!(facts[name].as_array().unwrap().len(), 0, "{name}");
        assert!(facts["missing"][name].is_string(), "{name}");
    }
}

#[test]
fn a_sensor_that_does_not_answer_is_left_out() {
    let root = tree(&[
        ("sys/class/thermal/thermal_zone0/temp", "\n"),
        ("sys/class/thermal/thermal_zone1/temp", "30000\n"),
    ]);
    let facts = reader(&root, Vec::new).read();
    assert_eq!(facts.temperatures, [Temperature { name: "thermal_zone1".into(), celsius: 30.0 }]);
}
