//! What the device is and how it fares, read from the kernel's files below a root that is
//! given: `/`, or a made tree.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Serialize;
use utoipa::ToSchema;

use super::parse::{self, Memory, Strain, Ticks};

/// Thermal zones, sensors and interfaces that are looked at: no device has more of one kind,
/// and what a folder of the kernel holds is not ours to bound.
const MOST: usize = 32;

/// A Raspberry Pi's firmware, which says how it is strained. The kernel writes one warning
/// into its log when this file is first read ("deprecated, use hwmon sysfs instead"); the file
/// of hwmon that it names has one of the four facts (drivers/firmware/raspberrypi.c).
const THROTTLED: &str = "sys/devices/platform/soc/soc:firmware/get_throttled";

/// Where things are read.
#[derive(Clone, Debug)]
pub struct Places {
    /// Of the kernel's files; `/` but in tests.
    pub root: PathBuf,
    /// Where this program keeps what it keeps.
    pub state_dir: PathBuf,
    /// The interfaces' addresses.
    pub addresses: fn() -> Vec<(String, IpAddr)>,
}

impl Places {
    /// Those of the machine that this runs on.
    #[must_use]
    pub fn of_this_machine(state_dir: &Path) -> Self {
        let addresses = || {
            let found = if_addrs::get_if_addrs().unwrap_or_default();
            found.into_iter().map(|one| (one.name.clone(), one.ip())).collect()
        };
        Self { root: "/".into(), state_dir: state_dir.to_owned(), addresses }
    }
}

/// What can be read of a device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Facts {
    /// The board's, from the device tree.
    pub model: Option<String>,
    /// Seconds since the device was switched on.
    pub device_uptime_s: Option<u64>,
    /// Of chips; empty where none is measured.
    pub temperatures: Vec<Temperature>,
    /// How power supply and heat strain the board.
    pub power: Option<Power>,
    /// How busy the processor is.
    pub cpu: Option<Cpu>,
    /// Memory.
    pub memory: Option<Memory>,
    /// The disk that settings, users and models are kept on.
    pub disk: Option<Disk>,
    /// Network interfaces, without the loopback.
    pub interfaces: Vec<Interface>,
    /// Why something of this is not there, in plain words, by its name.
    #[schema(value_type = HashMap<String, String>)]
    pub missing: BTreeMap<&'static str, String>,
}

/// A chip's temperature.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Temperature {
    /// As the kernel names it, such as cpu-thermal.
    pub name: String,
    /// Degrees Celsius.
    pub celsius: f64,
}

/// How power supply and heat strain the board.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Power {
    /// At this moment.
    pub now: Strain,
    /// At some time since the device was switched on, as far as its firmware remembers it or
    /// this program has seen it.
    pub since_boot: Strain,
}

/// How busy the processor is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct Cpu {
    /// Of which there are so many.
    pub cores: usize,
    /// Share of the time of all cores that was not idle, 0 to 1, over the last seconds; absent
    /// in the first.
    pub busy: Option<f64>,
    /// Programs that wanted to run, as a mean over 1, 5 and 15 minutes.
    pub load: [f64; 3],
}

/// A disk in bytes.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Disk {
    /// The folder on it.
    pub path: String,
    /// Its size.
    pub total_bytes: u64,
    /// What this program may still write.
    pub free_bytes: u64,
}

/// A network interface.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Interface {
    /// Such as eth0.
    pub name: String,
    /// wired or wireless.
    pub kind: &'static str,
    /// Whether it has a link; absent where the kernel does not say.
    pub up: Option<bool>,
    /// Its addresses.
    #[schema(value_type = Vec<String>)]
    pub addresses: Vec<IpAddr>,
}

/// Reads again and again; some facts are differences.
#[derive(Debug)]
pub struct Reader {
    places: Places,
    ticks: Option<Ticks>,
    /// What was seen since the start, because a driver of the kernel has the firmware forget
    /// (drivers/hwmon/raspberrypi-hwmon.c).
    seen: Strain,
}

impl Reader {
    /// Nothing has been read yet.
    #[must_use]
    pub fn new(places: Places) -> Self {
        Self { places, ticks: None, seen: Strain::default() }
    }

    /// Reads everything; blocks for as long as the kernel takes, which is milliseconds.
    pub fn read(&mut self) -> Facts {
        let mut missing = BTreeMap::new();
        let mut or_why = |name: &'static str, present: bool, why: &str| {
            if !present {
                missing.insert(name, why.to_owned());
            }
        };
        let model = ["proc/device-tree/model", "sys/firmware/devicetree/base/model"];
        let model = model.iter().find_map(|file| parse::model(&fs::read(self.at(file)).ok()?));
        let model = model.or_else(|| self.text("sys/class/dmi/id/product_name")).filter(|name| {
            // What makers leave there who have not named their board.
            !name.is_empty() && !name.starts_with("To Be Filled")
        });
        or_why("model", model.is_some(), "the board does not say what it is");
        let temperatures = self.temperatures();
        or_why("temperatures", !temperatures.is_empty(), "this device measures none");
        let power = self.power();
        or_why("power", power.is_some(), "only a Raspberry Pi tells of its power supply");
        let cpu = self.cpu();
        or_why("cpu", cpu.is_some(), "/proc is not to be read");
        let memory = self.text("proc/meminfo").and_then(|text| parse::memory(&text));
        or_why("memory", memory.is_some(), "/proc is not to be read");
        let disk = self.disk();
        or_why("disk", disk.is_some(), "the state directory is not there");
        let interfaces = self.interfaces();
        or_why("interfaces", !interfaces.is_empty(), "no network has given it an address");
        let device_uptime_s = self.text("proc/uptime").and_then(|text| parse::uptime(&text));
        or_why("device_uptime_s", device_uptime_s.is_some(), "/proc is not to be read");
        Facts {
            model,
            device_uptime_s,
            temperatures,
            power,
            cpu,
            memory,
            disk,
            interfaces,
            missing,
        }
    }

    fn at(&self, file: &str) -> PathBuf {
        self.places.root.join(file)
    }

    fn text(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.at(file)).ok().map(|text| text.trim().to_owned())
    }

    /// Names of what lies in a folder, sorted.
    fn names(&self, folder: &str) -> Vec<String> {
        let found = fs::read_dir(self.at(folder)).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            found.filter_map(|entry| entry.file_name().into_string().ok()).take(MOST).collect();
        names.sort();
        names
    }

    fn temperatures(&self) -> Vec<Temperature> {
        let folder = "sys/class/thermal";
        let zones = self.names(folder).into_iter().filter(|name| name.starts_with("thermal_zone"));
        let read = zones.filter_map(|zone| {
            let celsius = parse::celsius(&self.text(&format!("{folder}/{zone}/temp"))?)?;
            let name = self.text(&format!("{folder}/{zone}/type")).unwrap_or(zone);
            Some(Temperature { name, celsius })
        });
        read.collect()
    }

    fn power(&mut self) -> Option<Power> {
        let told = self.text(THROTTLED).and_then(|text| parse::throttled(&text));
        let alarm = self.low_voltage();
        if told.is_none() && alarm.is_none() {
            return None;
        }
        let (now, since_boot) = told.unwrap_or_default();
        let now = now.or(Strain { under_voltage: alarm == Some(true), ..Strain::default() });
        self.seen = self.seen.or(now).or(since_boot);
        Some(Power { now, since_boot: self.seen })
    }

    /// The alarm of the sensor `rpi_volt`, where there is one.
    fn low_voltage(&self) -> Option<bool> {
        let folder = "sys/class/hwmon";
        self.names(folder).into_iter().find_map(|sensor| {
            let name = self.text(&format!("{folder}/{sensor}/name"))?;
            let alarm = || self.text(&format!("{folder}/{sensor}/in0_lcrit_alarm"));
            (name == "rpi_volt").then(alarm)?.map(|alarm| alarm == "1")
        })
    }

    fn cpu(&mut self) -> Option<Cpu> {
        let (ticks, cores) = parse::ticks(&self.text("proc/stat")?)?;
        let load = parse::load(&self.text("proc/loadavg")?)?;
        let before = self.ticks.replace(ticks);
        Some(Cpu { cores, busy: before.and_then(|before| ticks.since(before)), load })
    }

    fn disk(&self) -> Option<Disk> {
        let path = &self.places.state_dir;
        let disk = rustix::fs::statvfs(path).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
        let (total_bytes, free_bytes) = (bytes(disk.f_blocks), bytes(disk.f_bavail));
        Some(Disk { path: path.display().to_string(), total_bytes, free_bytes })
    }

    fn interfaces(&self) -> Vec<Interface> {
        let mut all: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
        for (name, address) in (self.places.addresses)() {
            if !address.is_loopback() && (all.contains_key(&name) || all.len() < MOST) {
                all.entry(name).or_default().push(address);
            }
        }
        // One without an address is what a technician looks for.
        for name in self.names("sys/class/net") {
            let plugged = self.at(&format!("sys/class/net/{name}/device")).exists();
            if plugged {
                all.entry(name).or_default();
            }
        }
        let about = |(name, addresses): (String, Vec<IpAddr>)| {
            let state = self.text(&format!("sys/class/net/{name}/operstate"));
            let up = state.filter(|state| state != "unknown").map(|state| state == "up");
            let wireless = self.at(&format!("sys/class/net/{name}/wireless")).exists();
            let kind = if wireless { "wireless" } else { "wired" };
            Interface { name, kind, up, addresses }
        };
        all.into_iter().map(about).collect()
    }
}

#[cfg(test)]
#[path = "facts_tests.rs"]
mod tests;
