//! The device's clock, by systemd-timedated; where it has its time from, by
//! systemd-timesyncd.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zbus::Connection;
use zbus::{OwnedVariant, Variant};

use super::{DeviceError, PATIENCE, Service};

/// Who looks waits no longer for a service that does not answer.
const LOOK: Duration = Duration::from_secs(2);

const TIMEDATE: Service = Service {
    name: "org.freedesktop.timedate1",
    path: "/org/freedesktop/timedate1",
    interface: "org.freedesktop.timedate1",
};

const TIMESYNC: Service = Service {
    name: "org.freedesktop.timesync1",
    path: "/org/freedesktop/timesync1",
    interface: "org.freedesktop.timesync1.Manager",
};

/// Names of the zones that there are; systemd-timedated refuses what is none of them.
const LONGEST_ZONE: usize = 64;

/// The latest time that a clock can be set to, 2100: past 2106 protocols of 32 bits wrap, TLS
/// certificates and file systems among them.
const LATEST_S: u64 = 4_102_444_800;

/// The device's clock.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ClockStatus {
    /// Seconds since 1970, by the device's clock.
    pub now_s: f64,
    /// Its zone, such as Europe/Berlin.
    pub zone: Option<String>,
    /// Whether it follows time servers.
    pub ntp: Option<bool>,
    /// Whether a time server has set it.
    pub synchronised: Option<bool>,
    /// The time server's name.
    pub source: Option<String>,
    /// Why zone and time servers are not known, present where they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

impl ClockStatus {
    /// How it stands. Never fails: what is not told is absent.
    pub async fn read() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now_s = now.unwrap_or_default().as_secs_f64();
        let told = tokio::time::timeout(LOOK, told()).await;
        let told = told.unwrap_or_else(|_| Err(zbus::Error::Failure("it does not answer".into())));
        match told {
            Ok(told) => Self { now_s, ..told },
            Err(error) => {
                log::debug!("systemd-timedated: {error}");
                Self {
                    missing: Some("systemd-timedated does not run here".into()),
                    ..Self::at(now_s)
                }
            }
        }
    }

    fn at(now_s: f64) -> Self {
        let (zone, source) = (None, None);
        Self { now_s, zone, ntp: None, synchronised: None, source, missing: None }
    }
}

async fn told() -> zbus::Result<ClockStatus> {
    let bus = Connection::system().await?;
    let zone = String::try_from(property(&bus, &TIMEDATE, "Timezone").await?)?;
    let ntp = bool::try_from(property(&bus, &TIMEDATE, "NTP").await?)?;
    let synchronised = bool::try_from(property(&bus, &TIMEDATE, "NTPSynchronized").await?)?;
    // Another program may follow the time servers, of which timedated knows no more.
    let source = property(&bus, &TIMESYNC, "ServerName").await.ok();
    let source = source.and_then(|name| String::try_from(name).ok());
    let source = source.filter(|name| synchronised && !name.is_empty());
    Ok(ClockStatus {
        zone: Some(zone).filter(|zone| !zone.is_empty()),
        ntp: Some(ntp),
        synchronised: Some(synchronised),
        source,
        ..ClockStatus::at(0.0)
    })
}

async fn property(bus: &Connection, of: &Service, name: &str) -> zbus::Result<OwnedVariant> {
    let properties = Some("org.freedesktop.DBus.Properties");
    let asked = (of.interface, name);
    let answer = bus.call_method(Some(of.name), of.path, properties, "Get", &asked).await?;
    let body = answer.body();
    let value: Variant<'_> = body.deserialize()?;
    value.try_to_owned()
}

/// What is to be changed of the clock; what is left out stays.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClockWish {
    /// A zone's name, such as Europe/Berlin.
    #[schema(max_length = 64, example = "Europe/Berlin")]
    pub zone: Option<String>,
    /// Whether it follows time servers.
    pub ntp: Option<bool>,
    /// Seconds since 1970 to set it to; only where it does not follow time servers.
    #[schema(minimum = 0, maximum = 4_102_444_800_u64)]
    pub now_s: Option<u64>,
}

/// What is asked of timedated, in order.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Zone(String),
    Ntp(bool),
    Set(u64),
}

impl ClockWish {
    /// What is to be asked, of a program that was built at `built` (seconds since 1970), on a
    /// device that follows time servers or not.
    fn steps(&self, built: u64, follows: bool) -> Result<Vec<Step>, DeviceError> {
        let mut steps = Vec::new();
        if let Some(zone) = &self.zone {
            if !is_zone(zone) {
                return Err(DeviceError::Zone);
            }
            steps.push(Step::Zone(zone.clone()));
        }
        // Off before the clock is set, because until then it cannot be.
        steps.extend(self.ntp.map(Step::Ntp));
        if let Some(now) = self.now_s {
            if self.ntp.unwrap_or(follows) {
                return Err(DeviceError::Follows);
            }
            // Certificates are made when the clock is past it, and are worth nothing before.
            if !(built..=LATEST_S).contains(&now) {
                return Err(DeviceError::Time);
            }
            steps.push(Step::Set(now));
        }
        Ok(steps)
    }
}

/// A name as the zone database has them: `/etc/localtime` becomes a link to it.
fn is_zone(text: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "+-_".contains(c))
    };
    text.len() <= LONGEST_ZONE && text.split('/').all(part)
}

/// Changes the clock, all of it or up to what is refused. `built`: when the program was, in
/// seconds since 1970.
///
/// # Errors
/// What was refused, and by whom.
pub async fn set(wish: &ClockWish, built: u64) -> Result<(), DeviceError> {
    let follows = ClockStatus::read().await.ntp.unwrap_or(false);
    // Nobody is there to be asked for a password.
    let interactive = false;
    for step in wish.steps(built, follows)? {
        match step {
            Step::Zone(zone) => {
                let asked = (zone.as_str(), interactive);
                TIMEDATE.ask("set the zone", "SetTimezone", &asked).await?;
            }
            Step::Ntp(on) => {
                TIMEDATE.ask("follow time servers", "SetNTP", &(on, interactive)).await?;
                if !on {
                    stopped().await;
                }
            }
            Step::Set(now) => {
                let us = i64::try_from(now.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
                let relative = false;
                TIMEDATE.ask("set the clock", "SetTime", &(us, relative, interactive)).await?;
            }
        }
    }
    Ok(())
}

/// Waits until the clock follows nobody: timedated answers before the service that follows
/// has ended, and does not let the clock be set until then (systemd 252).
async fn stopped() {
    const LOOKS: u32 = 20;
    for _ in 0..LOOKS {
        if ClockStatus::read().await.ntp != Some(true) {
            return;
        }
        tokio::time::sleep(PATIENCE / 4 / LOOKS).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const BUILT: u64 = 1_700_000_000;

    #[test]
    fn a_clock_is_set_only_where_it_follows_nobody_and_never_before_the_program_was_built() {
        let set = |now_s| ClockWish { now_s: Some(now_s), ..ClockWish::default() };
        assert_eq!(set(BUILT).steps(BUILT, false).unwrap(), [Step::Set(BUILT)]);
        assert!(matches!(set(BUILT).steps(BUILT, true), Err(DeviceError::Follows)));
        assert!(matches!(set(BUILT - 1).steps(BUILT, false), Err(DeviceError::Time)));
        assert!(matches!(set(u64::MAX).steps(BUILT, false), Err(DeviceError::Time)));
        let all = ClockWish { zone: Some("UTC".into()), ntp: Some(false), now_s: Some(BUILT) };
        let expected = [Step::Zone("UTC".into()), Step::Ntp(false), Step::Set(BUILT)];
        assert_eq!(all.steps(BUILT, true).unwrap(), expected);
        let on = ClockWish { ntp: Some(true), ..set(BUILT) };
        assert!(matches!(on.steps(BUILT, false), Err(DeviceError::Follows)));
        assert_eq!(ClockWish::default().steps(BUILT, true).unwrap(), []);
    }

    #[test]
    fn a_zone_is_no_path() {
        for zone in ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+1"] {
            assert!(is_zone(zone), "{zone}");
        }
        for wrong in ["", "/etc/passwd", "../x", "Europe/", "Europe//Berlin", "a b", ".x"] {
            assert!(!is_zone(wrong), "{wrong}");
        }
    }
}
