//! Which of the peer's candidates we try.
//!
//! Every accepted one makes us send packets to an address that a stranger named,
//! so their number is small and some addresses are never tried.

use std::net::IpAddr;

/// At most this many candidates of a peer are tried, the offer's and later ones: browsers send about ten,
/// and each costs a pair of checks with every address of ours.
pub const CANDIDATE_LIMIT: usize = 32;

/// Whether the value of an `a=candidate` line (RFC 8839) is worth a try: the
/// first component, with a plain unicast address.
///
/// A name is never tried: browsers hide their address behind `<uuid>.local`, and
/// resolving it is waiting for an answer that a device without mDNS never gets.
/// They reach us at our candidates instead. Loopback is not tried, because our
/// agent gathers no loopback address from which it could.
pub(super) fn acceptable(value: &str) -> bool {
    let mut words = value.split_ascii_whitespace();
    let (_foundation, component) = (words.next(), words.next());
    let (transport, _priority) = (words.next(), words.next());
    let (address, port) = (words.next(), words.next());
    let known = transport.is_some_and(|t| ["udp", "tcp"].contains(&&*t.to_ascii_lowercase()));
    component == Some("1")
        && known
        && address.and_then(|address| address.parse().ok()).is_some_and(reachable)
        && port.and_then(|port| port.parse::<u16>().ok()).is_some_and(|port| port > 0)
        && words.next() == Some("typ")
        && words.next().is_some()
}

fn reachable(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    !(address.is_multicast() || address.is_loopback() || address.is_unspecified() || broadcast)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn unicast_addresses_are_tried() {
        for address in ["192.168.1.7", "10.0.0.1", "2001:db8::1", "fe80::1", "169.254.3.4"] {
            let candidate = format!("1 1 UDP 2113937151 {address} 36921 typ host generation 0");
            assert!(acceptable(&candidate), "{candidate}");
        }
        assert!(acceptable("1 1 tcp 1518280447 192.168.1.7 9 typ host tcptype active"));
    }

    #[test]
    fn names_and_addresses_that_lead_nowhere_are_not() {
        let addresses = [
            "127.0.0.1",
            "::1",
            "::ffff:127.0.0.1",
            "224.0.0.251",
            "ff02::fb",
            "0.0.0.0",
            "::",
            "255.255.255.255",
            "ef16ec84-8a3b-40ed-9f0b-3a90c8e68782.local",
            "example.org",
        ];
        for address in addresses {
            let candidate = format!("1 1 udp 2113937151 {address} 36921 typ host");
            assert!(!acceptable(&candidate), "{candidate}");
        }
    }

    #[test]
    fn other_components_transports_and_cut_lines_are_not() {
        for candidate in [
            "1 2 udp 1 192.168.1.7 36921 typ host",
            "1 1 sctp 1 192.168.1.7 36921 typ host",
            "1 1 udp 1 192.168.1.7 0 typ host",
            "1 1 udp 1 192.168.1.7 70000 typ host",
            "1 1 udp 1 192.168.1.7 36921",
            "",
        ] {
            assert!(!acceptable(candidate), "{candidate}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,120}") {
            let _ = acceptable(&text);
        }
    }
}
