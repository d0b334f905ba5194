//! The one thread that moves packets: it owns every link and waits for the next
//! packet, the next command or the next arrival, whichever is first.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde_json::json;
use tun_rs::SyncDevice;

use crate::command::Command;
use crate::link::Link;

/// What reaches the thread.
pub enum Event {
    /// From the device's namespace.
    FromDevice(Vec<u8>),
    /// From a visitor's namespace, by its number.
    FromVisitor(usize, Vec<u8>),
    /// A line from the standard input; nothing: it has ended.
    Command(Option<Command>),
}

/// One visitor behind his own link.
pub struct Visitor {
    /// As the control lines call him.
    pub name: String,
    /// His end of the cable.
    pub tunnel: Arc<SyncDevice>,
    /// From the device to him.
    pub down: Link,
    /// From him to the device.
    pub up: Link,
}

/// Everything between the device and its visitors.
pub struct Middle {
    started: Instant,
    device: Arc<SyncDevice>,
    visitors: Vec<Visitor>,
    /// Who has which address: learnt from what visitors send, because one may change his.
    owners: BTreeMap<Ipv4Addr, usize>,
}

/// Addresses that are remembered: those of one /24.
const OWNERS: usize = 256;

/// Looks at the clock this often when nothing is under way.
const IDLE: Duration = Duration::from_secs(1);

impl Middle {
    /// With the address that each visitor has at first.
    #[must_use]
    pub fn new(device: Arc<SyncDevice>, visitors: Vec<(Visitor, Ipv4Addr)>) -> Self {
        let owners = visitors.iter().enumerate().map(|(n, (_, address))| (*address, n)).collect();
        let visitors = visitors.into_iter().map(|(visitor, _)| visitor).collect();
        Self { started: Instant::now(), device, visitors, owners }
    }

    /// Moves packets until the commands end.
    pub fn run(mut self, events: &Receiver<Event>) {
        loop {
            let wait = self.wakes_at().map_or(IDLE, |at| at.saturating_sub(self.now()));
            match events.recv_timeout(wait) {
                Ok(Event::FromDevice(packet)) => self.down(packet),
                Ok(Event::FromVisitor(number, packet)) => self.up(number, packet),
                Ok(Event::Command(Some(command))) => println!("{}", self.obey(&command)),
                Ok(Event::Command(None)) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.deliver();
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn wakes_at(&self) -> Option<Duration> {
        let links = self.visitors.iter().flat_map(|visitor| [&visitor.down, &visitor.up]);
        links.filter_map(Link::wakes_at).min()
    }

    fn down(&mut self, packet: Vec<u8>) {
        let owner = addresses(&packet).and_then(|(_, to)| self.owners.get(&to).copied());
        let now = self.now();
        // Everything else is multicast and the kernel's own chatter.
        if let Some(number) = owner {
            self.visitors[number].down.push(packet, now);
        }
    }

    fn up(&mut self, number: usize, packet: Vec<u8>) {
        let Some((from, _)) = addresses(&packet) else { return };
        if self.owners.len() < OWNERS || self.owners.contains_key(&from) {
            self.owners.insert(from, number);
        }
        let now = self.now();
        self.visitors[number].up.push(packet, now);
    }

    fn deliver(&mut self) {
        let now = self.now();
        for visitor in &mut self.visitors {
            // A full or closed device is a lost packet, as on any cable.
            while let Some(packet) = visitor.down.pop(now) {
                let _ = visitor.tunnel.send(&packet);
            }
            while let Some(packet) = visitor.up.pop(now) {
                let _ = self.device.send(&packet);
            }
        }
    }

    fn obey(&mut self, command: &Command) -> String {
        let now = self.now();
        let Command::Set { visitor: name, down, up, changes } = command else {
            return self.stats();
        };
        let Some(visitor) = self.visitors.iter_mut().find(|visitor| visitor.name == *name) else {
            return format!("error: no visitor {name}");
        };
        for (link, chosen) in [(&mut visitor.down, down), (&mut visitor.up, up)] {
            if *chosen {
                let changed = changes.iter().fold(link.settings(), |now, change| change.on(now));
                link.set(changed, now);
            }
        }
        "ok".to_owned()
    }

    fn stats(&self) -> String {
        let tallies = self.visitors.iter().map(|visitor| {
            let tally = json!({ "down": visitor.down.tally(), "up": visitor.up.tally() });
            (visitor.name.clone(), tally)
        });
        serde_json::Value::Object(tallies.collect()).to_string()
    }
}

/// Source and destination of an IPv4 packet (RFC 791).
fn addresses(packet: &[u8]) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let address = |from: usize| {
        let bytes: [u8; 4] = packet.get(from..from + 4)?.try_into().ok()?;
        Some(Ipv4Addr::from(bytes))
    };
    (packet.first()? >> 4 == 4).then_some(())?;
    Some((address(12)?, address(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_an_ipv4_packet_only() {
        let mut packet = vec![0; 20];
        packet[0] = 0x45;
        packet[12..20].copy_from_slice(&[192, 0, 2, 1, 192, 0, 2, 2]);
        let expected = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2));
        assert_eq!(addresses(&packet), Some(expected));
        assert_eq!(addresses(&packet[..19]), None);
        packet[0] = 0x60;
        assert_eq!(addresses(&packet), None);
        assert_eq!(addresses(&[]), None);
    }
}
