//! How often a wrong password may be tried.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::http::address::network;

/// Wrong passwords that an address may try in a row without waiting.
pub const FREE: u32 = 5;
/// ... within this time; the first wait is as long.
const MINUTE: Duration = Duration::from_secs(60);
/// The wait doubles with every further wrong password, up to this.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// An address that has waited and then kept quiet for so long starts anew.
const FORGIVEN_AFTER: Duration = Duration::from_secs(10 * 60);
/// Addresses that are remembered. A LAN has fewer; when somebody makes up more,
/// those that wait are forgotten last.
pub const ADDRESSES: usize = 1024;

/// Wrong tries by address.
#[derive(Debug, Default)]
pub struct Attempts {
    tries: HashMap<IpAddr, Tries>,
}

/// A try that has been taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Taken {
    address: IpAddr,
    at: Instant,
    /// The address's try before it.
    before: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Tries {
    wrong: u32,
    last: Instant,
}

impl Tries {
    /// How long after the last try the next one is taken.
    fn wait(self) -> Duration {
        match self.wrong.checked_sub(FREE) {
            None => Duration::ZERO,
            Some(over) => MINUTE.saturating_mul(1 << over.min(8)).min(LONGEST_WAIT),
        }
    }

    fn forgiven(self, now: Instant) -> bool {
        let quiet = now.saturating_duration_since(self.last);
        let enough = if self.wrong < FREE { MINUTE } else { self.wait() + FORGIVEN_AFTER };
        quiet >= enough
    }
}

impl Attempts {
    /// Takes a try and counts it as wrong until
    /// [`Self::give_back`], so that tries at the same time do not outrun the count.
    /// `Err`: wait for so long.
    pub fn take(&mut self, address: IpAddr, now: Instant) -> Result<Taken, Duration> {
        let address = network(address);
        let fresh = Tries { wrong: 0, last: now };
        let known = self.tries.get(&address).copied();
        let mut tries = known.filter(|tries| !tries.forgiven(now)).unwrap_or(fresh);
        let quiet = now.saturating_duration_since(tries.last);
        if quiet < tries.wait() {
            return Err(tries.wait() - quiet);
        }
        if known.is_none() && self.tries.len() >= ADDRESSES {
            self.forget_one();
        }
        let before = tries.last;
        tries = Tries { wrong: tries.wrong.saturating_add(1), last: now };
        self.tries.insert(address, tries);
        Ok(Taken { address, at: now, before })
    }

    /// The password was right, or never looked at.
    pub fn give_back(&mut self, taken: Taken) {
        let Some(tries) = self.tries.get_mut(&taken.address) else { return };
        tries.wrong = tries.wrong.saturating_sub(1);
        if tries.last == taken.at {
            tries.last = taken.before;
        }
        if tries.wrong == 0 {
            self.tries.remove(&taken.address);
        }
    }

    fn forget_one(&mut self) {
        let least = self.tries.iter().min_by_key(|(_, tries)| (tries.wrong >= FREE, tries.last));
        if let Some(address) = least.map(|(address, _)| *address) {
            self.tries.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::net::Ipv6Addr;

    use proptest::prelude::*;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 7));

    fn spend(attempts: &mut Attempts, address: IpAddr, now: Instant) {
        for _ in 0..FREE {
            attempts.take(address, now).unwrap();
        }
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn waits_grow_with_every_wrong_password() {
        let (mut attempts, mut now) = (Attempts::default(), Instant::now());
        for _ in 0..FREE {
            assert_eq!(attempts.take(HERE, now).map(drop), Ok(()));
        }
        for wait in [60, 120, 240, 480, 900, 900] {
            assert_eq!(attempts.take(HERE, now).map(drop), Err(seconds(wait)));
            now += seconds(wait - 1);
            assert_eq!(attempts.take(HERE, now).map(drop), Err(seconds(1)));
            now += seconds(1);
            assert_eq!(attempts.take(HERE, now).map(drop), Ok(()));
        }
    }

    #[test]
    fn quiet_clears_the_count() {
        let (mut attempts, start) = (Attempts::default(), Instant::now());
        spend(&mut attempts, HERE, start);
        let later = start + MINUTE + FORGIVEN_AFTER;
        spend(&mut attempts, HERE, later);
        assert!(attempts.take(HERE, later).is_err());
    }

    #[test]
    fn a_try_that_is_given_back_leaves_no_trace() {
        let (mut attempts, mut now) = (Attempts::default(), Instant::now());
        for _ in 0..3 * FREE {
            let taken = attempts.take(HERE, now).unwrap();
            attempts.give_back(taken);
        }
        spend(&mut attempts, HERE, now);
        assert_eq!(attempts.take(HERE, now), Err(MINUTE));
        // Who has waited once need not wait again.
        now += MINUTE;
        let taken = attempts.take(HERE, now).unwrap();
        attempts.give_back(taken);
        assert!(attempts.take(HERE, now).is_ok());
        attempts.give_back(taken);
        attempts.give_back(taken);
    }

    #[test]
    fn a_right_password_in_between_makes_no_room_for_guesses() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        for _ in 1..FREE {
            attempts.take(HERE, now).unwrap();
        }
        let own = attempts.take(HERE, now).unwrap();
        attempts.give_back(own);
        attempts.take(HERE, now).unwrap();
        assert!(attempts.take(HERE, now).is_err());
    }

    #[test]
    fn one_host_cannot_change_its_address_within_its_network() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        for host in 0..u16::try_from(FREE).unwrap() {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, host);
            attempts.take(address.into(), now).unwrap();
        }
        assert!(attempts.take("2001:db8:0:1::ffff".parse().unwrap(), now).is_err());
        assert!(attempts.take("2001:db8:0:2::ffff".parse().unwrap(), now).is_ok());
        let mapped = "::ffff:192.168.1.7".parse().unwrap();
        spend(&mut attempts, mapped, now);
        assert!(attempts.take(HERE, now).is_err());
    }

    #[test]
    fn made_up_addresses_neither_fill_memory_nor_free_who_waits() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        spend(&mut attempts, HERE, now);
        for made_up in 0..4 * u32::try_from(ADDRESSES).unwrap() {
            attempts.take(IpAddr::from(made_up.to_be_bytes()), now).unwrap();
            assert!(attempts.tries.len() <= ADDRESSES);
        }
        assert!(attempts.take(HERE, now).is_err());
    }

    proptest! {
        #[test]
        fn no_minute_takes_more_than_two_bursts_of_free_tries(steps in prop::collection::vec(0_u64..90, 1..200)) {
            let (mut attempts, mut now) = (Attempts::default(), Instant::now());
            let mut taken: Vec<Instant> = Vec::new();
            for step in steps {
                now += seconds(step);
                if attempts.take(HERE, now).is_ok() {
                    taken.push(now);
                }
            }
            // A quiet minute clears the count, so a window sees at most two bursts' ends.
            for window in taken.windows(2 * FREE as usize) {
                prop_assert!(*window.last().unwrap() - window[0] >= MINUTE);
            }
        }
    }
}
