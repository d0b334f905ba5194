//! What the kernel's files say. Pure: texts come from outside.

use serde::Serialize;
use utoipa::ToSchema;

/// What a Raspberry Pi's firmware tells of its power supply and its heat.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct Strain {
    /// The supply gives less than 4.63 V.
    pub under_voltage: bool,
    /// The processor's frequency is held down.
    pub frequency_capped: bool,
    /// The processor is slowed down.
    pub throttled: bool,
    /// It is so hot that it is held back, softly at first.
    pub temperature_limit: bool,
}

impl Strain {
    /// What one or the other has.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            under_voltage: self.under_voltage || other.under_voltage,
            frequency_capped: self.frequency_capped || other.frequency_capped,
            throttled: self.throttled || other.throttled,
            temperature_limit: self.temperature_limit || other.temperature_limit,
        }
    }

    /// Four bits, as Raspberry Pi documents them for `vcgencmd get_throttled`.
    fn of_bits(bits: u32) -> Self {
        let bit = |n: u32| bits >> n & 1 == 1;
        Self {
            under_voltage: bit(0),
            frequency_capped: bit(1),
            throttled: bit(2),
            temperature_limit: bit(3),
        }
    }
}

/// `get_throttled`: a hexadecimal number, of which bits 0 to 3 tell what is now and bits 16
/// to 19 what has been. Without `0x` from the kernel's driver
/// (drivers/firmware/raspberrypi.c), with it from `vcgencmd`.
pub(super) fn throttled(text: &str) -> Option<(Strain, Strain)> {
    let digits = text.trim();
    let digits = digits.strip_prefix("throttled=").unwrap_or(digits);
    let bits = u32::from_str_radix(digits.strip_prefix("0x").unwrap_or(digits), 16).ok()?;
    Some((Strain::of_bits(bits), Strain::of_bits(bits >> 16)))
}

/// A thermal zone's thousandths of a degree. What no chip of a device that runs has is a
/// sensor that is not read.
pub(super) fn celsius(text: &str) -> Option<f64> {
    let thousandths: i32 = text.trim().parse().ok()?;
    let celsius = (f64::from(thousandths) / 100.0).round() / 10.0;
    (-60.0..=150.0).contains(&celsius).then_some(celsius)
}

/// A text of the device tree, which ends in a zero byte.
pub(super) fn model(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace());
    (!text.is_empty()).then(|| text.chars().filter(|c| !c.is_control()).take(120).collect())
}

/// `/proc/loadavg`: processes that wanted to run, over 1, 5 and 15 minutes.
pub(super) fn load(text: &str) -> Option<[f64; 3]> {
    let mut words = text.split_whitespace().map(|word| word.parse::<f64>().ok());
    let mut next = || words.next().flatten().filter(|load| load.is_finite() && *load >= 0.0);
    Some([next()?, next()?, next()?])
}

/// Processor time since the boot, in the kernel's ticks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Ticks {
    pub busy: u64,
    pub all: u64,
}

impl Ticks {
    /// The share of time that was not idle since `before`, 0 to 1.
    pub fn since(self, before: Self) -> Option<f64> {
        let all = self.all.checked_sub(before.all).filter(|all| *all > 0)?;
        let busy = self.busy.saturating_sub(before.busy);
        Some(((busy as f64 / all as f64) * 100.0).round().min(100.0) / 100.0)
    }
}

/// The first line of `/proc/stat` (proc_stat(5)): idle and iowait are not work, and what guests
/// take is in user and nice already. With how many processors follow.
pub(super) fn ticks(text: &str) -> Option<(Ticks, usize)> {
    let mut lines = text.lines();
    let numbers = lines.next()?.strip_prefix("cpu ")?.split_whitespace().take(8);
    let numbers: Option<Vec<u64>> = numbers.map(|word| word.parse().ok()).collect();
    let numbers = numbers?;
    let add = |sum: u64, more: &u64| sum.saturating_add(*more);
    let all = numbers.iter().fold(0, add);
    let idle = numbers.iter().skip(3).take(2).fold(0, add);
    let cores = lines.take_while(|line| line.starts_with("cpu")).count();
    Some((Ticks { busy: all - idle, all }, cores))
}

/// Memory in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Memory {
    /// That programs may use.
    pub total_bytes: u64,
    /// That a program could have without any being moved out of the way (proc_meminfo(5)).
    pub available_bytes: u64,
}

/// `/proc/meminfo`.
pub(super) fn memory(text: &str) -> Option<Memory> {
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let kib = line.strip_prefix(':')?.trim().strip_suffix("kB")?.trim();
        kib.parse::<u64>().ok()?.checked_mul(1024)
    };
    Some(Memory { total_bytes: value("MemTotal")?, available_bytes: value("MemAvailable")? })
}

/// `/proc/uptime`: seconds since the boot.
pub(super) fn uptime(text: &str) -> Option<u64> {
    let seconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    (seconds.is_finite() && seconds >= 0.0).then_some(seconds as u64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn throttling_is_read_bit_by_bit() {
        let none = Strain::default();
        assert_eq!(throttled("0\n"), Some((none, none)));
        let weak = Strain { under_voltage: true, throttled: true, ..none };
        assert_eq!(throttled("50005\n"), Some((weak, weak)));
        assert_eq!(throttled("throttled=0x50005\n"), Some((weak, weak)));
        let hot = Strain { frequency_capped: true, temperature_limit: true, ..none };
        assert_eq!(throttled("a0000"), Some((none, hot)));
        for wrong in ["", "x", "-1", "1ffffffff"] {
            assert_eq!(throttled(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_no_chip_has_is_no_temperature() {
        assert_eq!(celsius("48312\n"), Some(48.3));
        assert_eq!(celsius("-5000"), Some(-5.0));
        for wrong in ["", "warm", "-274000", "999999999999"] {
            assert_eq!(celsius(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn files_of_the_kernel_are_read() {
        let name = model(b"Raspberry Pi 4 Model B Rev 1.4\0");
        assert_eq!(name.as_deref(), Some("Raspberry Pi 4 Model B Rev 1.4"));
        assert_eq!(model(b"\0"), None);
        assert_eq!(load("0.52 0.58 0.59 1/467 12345\n"), Some([0.52, 0.58, 0.59]));
        assert_eq!(load("0.52 0.58"), None);
        assert_eq!(uptime("4321.98 8000.11\n"), Some(4321));
        let text = "MemTotal:        3884712 kB\nMemFree: 1 kB\nMemAvailable:    2012340 kB\n";
        let expected = Memory { total_bytes: 3_884_712 * 1024, available_bytes: 2_012_340 * 1024 };
        assert_eq!(memory(text), Some(expected));
        assert_eq!(memory("MemTotal: 1 kB\n"), None);
        let text =
            "cpu  10 1 5 80 4 0 0 0 7 0\ncpu0 5 0 2 40 2 0 0 0 0 0\ncpu1 5 1 3 40 2\nintr 1\n";
        let (first, cores) = ticks(text).unwrap();
        assert_eq!((first, cores), (Ticks { busy: 16, all: 100 }, 2));
        let later = Ticks { busy: 66, all: 200 };
        assert_eq!(later.since(first), Some(0.5));
        assert_eq!(first.since(first), None, "no time has passed");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_never_ends_the_program(text in "\\PC{0,80}\n?") {
            let _ = (throttled(&text), celsius(&text), load(&text), uptime(&text));
            let _ = (memory(&text), ticks(&text), model(text.as_bytes()));
            let cpu = format!("cpu  {text}");
            if let Some((read, _)) = ticks(&cpu) {
                prop_assert!(read.busy <= read.all);
            }
        }

        #[test]
        fn a_share_of_processor_time_is_one(
            busy in 0_u64..1_000_000, idle in 0_u64..1_000_000,
            more in 0_u64..1_000_000, rest in 0_u64..1_000_000,
        ) {
            let before = Ticks { busy, all: busy + idle };
            let after = Ticks { busy: busy + more, all: busy + idle + more + rest };
            let share = after.since(before);
            prop_assert_eq!(share.is_none(), more + rest == 0);
            prop_assert!(share.is_none_or(|share| (0.0..=1.0).contains(&share)));
        }
    }
}
