//! The device that this program runs on: its name, its clock, its restart, its journal, and
//! how it fares. systemd's services and avahi-daemon do the work, over D-Bus; what this
//! program may ask of them is in `systemd/polkit` and `systemd/dbus`.

pub mod core;
pub mod facts;
pub mod journal;
pub mod lines;
pub mod parse;
pub mod provisioned;
pub mod redaction;
pub mod time;
pub mod warnings;
pub mod watch;

use std::time::Duration;

use serde::Serialize;
use zbus::Connection;
use zbus::zvariant::DynamicType;

/// systemd's services answer within milliseconds; one that is started for it takes longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the device did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// No label of RFC 1123.
    #[error("allowed is a name of 1 to 63 of a-z, 0-9 and -, with no - at its ends")]
    Name,
    /// No system bus, no such service there, or no right to ask.
    #[error("{service} did not {what}: {reason}")]
    Refused {
        /// Its name on the bus.
        service: &'static str,
        /// In the operator's words.
        what: &'static str,
        /// In those of the bus.
        reason: String,
    },
    /// No zone.
    #[error("allowed is the name of a zone, such as UTC or Europe/Berlin")]
    Zone,
    /// No time that a clock is set to.
    #[error("allowed is a time from this program's build to the year 2100, in seconds since 1970")]
    Time,
    /// Time servers would set it back.
    #[error("the clock follows time servers; it can be set where \"ntp\" is false")]
    Follows,
    /// The journal cannot be read.
    #[error("the journal cannot be read: {0}")]
    Journal(String),
}

/// A service on the system bus.
struct Service {
    name: &'static str,
    path: &'static str,
    interface: &'static str,
}

const HOSTNAME: Service = Service {
    name: "org.freedesktop.hostname1",
    path: "/org/freedesktop/hostname1",
    interface: "org.freedesktop.hostname1",
};

const LOGIN: Service = Service {
    name: "org.freedesktop.login1",
    path: "/org/freedesktop/login1",
    interface: "org.freedesktop.login1.Manager",
};

const AVAHI: Service =
    Service { name: "org.freedesktop.Avahi", path: "/", interface: "org.freedesktop.Avahi.Server" };

/// What avahi-daemon says to the name that it has.
const SAME_NAME: &str = "org.freedesktop.Avahi.NoChangeError";

/// A host name of one label (RFC 1123, 2.1), in lower case, as mDNS takes it (RFC 6762).
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Name(String);

impl Name {
    /// Reads a name.
    ///
    /// # Errors
    /// [`DeviceError::Name`].
    pub fn parse(text: &str) -> Result<Self, DeviceError> {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = (1..=63).contains(&text.len())
            && text.bytes().all(known)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if fits { Ok(Self(text.to_owned())) } else { Err(DeviceError::Name) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names the device from now on, over restarts too.
///
/// # Errors
/// [`DeviceError::Refused`].
pub async fn set_name(name: &Name) -> Result<(), DeviceError> {
    // Nobody is there to be asked for a password.
    let interactive = false;
    HOSTNAME.ask("name the device", "SetStaticHostname", &(name.as_str(), interactive)).await?;
    // The name of this moment too, which without this is another's where DHCP gave one.
    let now = HOSTNAME.ask("name the device", "SetHostname", &(name.as_str(), interactive)).await;
    if let Err(error) = now {
        log::warn!("the device has its name from its next start on: {error}");
    }
    Ok(())
}

/// Restarts the device; it goes down in an orderly way, this program too.
///
/// # Errors
/// [`DeviceError::Refused`].
pub async fn restart() -> Result<(), DeviceError> {
    LOGIN.ask("restart the device", "Reboot", &(false,)).await
}

/// Has avahi-daemon answer to the name as NAME.local at once: it looks up the device's name
/// only when it starts (avahi 0.8). That we may ask is in `systemd/dbus`.
///
/// # Errors
/// [`DeviceError::Refused`], also where there is no avahi-daemon.
pub async fn announce(name: &Name) -> Result<(), DeviceError> {
    match AVAHI.ask("announce the name", "SetHostName", &(name.as_str(),)).await {
        Err(DeviceError::Refused { reason, .. }) if reason.contains(SAME_NAME) => Ok(()),
        answer => answer,
    }
}

impl Service {
    async fn ask<B>(&self, what: &'static str, method: &str, body: &B) -> Result<(), DeviceError>
    where
        B: Serialize + DynamicType + Sync,
    {
        let refused = |reason: String| DeviceError::Refused { service: self.name, what, reason };
        let answer = async {
            let bus = Connection::system().await?;
            bus.call_method(Some(self.name), self.path, Some(self.interface), method, body).await
        };
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(refused(error.to_string())),
            Err(_) => Err(refused(format!("no answer within {} s", PATIENCE.as_secs()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_labels_of_a_host() {
        for name in ["a", "door", "door-2", "2nd", &"x".repeat(63)] {
            assert!(Name::parse(name).is_ok(), "{name}");
        }
        for wrong in ["", "Door", "-door", "door-", "a.b", "a b", "tür", "a_b", &"x".repeat(64)] {
            assert!(Name::parse(wrong).is_err(), "{wrong}");
        }
    }
}
