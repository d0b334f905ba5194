//! Whom an address stands for, and how many connections it may have.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::refusals::{Limit, Refusals};

/// Connections of one address at the same time. A Chromium takes six for its pages of this
/// device, six for questions without a login, and knocks; a proxy in front of sixteen
/// viewers two for each. Slow heads and bodies cost their sender these places, and nobody
/// else any.
pub const CONNECTIONS: usize = 32;

/// A host of the internet owns a whole IPv6 /64, so that is what counts, though all hosts of
/// a LAN may share one; an address that holds on a link only is a host's.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if address.is_unicast_link_local() => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

/// How many connections each address has; empty when nobody is connected.
#[derive(Clone, Debug)]
pub struct Doorman {
    guests: Arc<Mutex<HashMap<IpAddr, usize>>>,
    refusals: Refusals,
}

/// A connection that was let in; dropped when it ends.
#[derive(Debug)]
pub struct Guest {
    address: IpAddr,
    doorman: Doorman,
}

impl Doorman {
    /// Nobody is connected; who is not let in is counted.
    #[must_use]
    pub fn new(refusals: Refusals) -> Self {
        Self { guests: Arc::default(), refusals }
    }

    /// Lets a further connection of `address` in; `None` if it has [`CONNECTIONS`].
    #[must_use]
    pub fn let_in(&self, address: IpAddr) -> Option<Guest> {
        let address = network(address);
        let mut guests = self.guests();
        let count = guests.entry(address).or_insert(0);
        if *count >= CONNECTIONS {
            self.refusals.count(Limit::Connections);
            return None;
        }
        *count += 1;
        Some(Guest { address, doorman: self.clone() })
    }

    fn guests(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut guests = self.doorman.guests();
        if let Some(count) = guests.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                guests.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_address_has_its_connections_and_leaves_the_others_theirs() {
        let doorman = Doorman::new(Refusals::default());
        let one: IpAddr = "2001:db8::1".parse().unwrap();
        let mut guests: Vec<Guest> =
            (0..CONNECTIONS).map(|_| doorman.let_in(one).unwrap()).collect();
        assert!(doorman.let_in("2001:db8::2".parse().unwrap()).is_none(), "the same /64");
        assert_eq!(doorman.refusals.status().connections, 1);
        assert!(doorman.let_in("2001:db8:1::1".parse().unwrap()).is_some());
        let neighbours = ["fe80::1", "fe80::2"].map(|host| network(host.parse().unwrap()));
        assert_ne!(neighbours[0], neighbours[1]);
        guests.pop();
        assert!(doorman.let_in(one).is_some());
    }

    proptest! {
        #[test]
        fn nothing_is_remembered_of_who_has_left(
            steps in prop::collection::vec((0_u8..4, any::<bool>()), 0..200),
        ) {
            let doorman = Doorman::new(Refusals::default());
            let mut guests = Vec::new();
            for (host, enters) in steps {
                if enters {
                    guests.extend(doorman.let_in(IpAddr::from([10, 0, 0, host])));
                } else {
                    guests.pop();
                }
                let counts: usize = doorman.guests().values().sum();
                prop_assert_eq!(counts, guests.len());
            }
            guests.clear();
            prop_assert!(doorman.guests().is_empty());
        }
    }
}
