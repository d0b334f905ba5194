//! ICE servers that come through the API: which may, and their credentials, which are never
//! shown and so come back as a mask. Pure.

use std::fmt;
use std::net::IpAddr;

use toml::Value;

use super::words;

/// What stands for a credential wherever servers are shown.
pub const MASK: &str = "***";

/// Where a server may be that is set through the API.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// A network, by its first address and how many bits of it count.
    Network(IpAddr, u8),
    /// A domain with all names in it, in lower case.
    Domain(String),
}

impl Place {
    /// `ADDRESS/BITS`, or a domain such as `example.org`.
    #[must_use]
    pub fn parse(value: &Value) -> Option<Self> {
        let text = value.as_str()?;
        let Some((address, bits)) = text.split_once('/') else {
            let domain = words::host(text.trim_start_matches('.'))?;
            return (domain.parse::<IpAddr>().is_err()).then_some(Self::Domain(domain));
        };
        let (address, bits): (IpAddr, u8) = (address.parse().ok()?, bits.parse().ok()?);
        let most = if address.is_ipv4() { 32 } else { 128 };
        (bits <= most).then_some(Self::Network(address, bits))
    }

    /// Whether a host, as it stands in a server's address, is here.
    fn holds(&self, host: &str) -> bool {
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        match (self, literal.map(|address| address.to_canonical())) {
            (Self::Network(IpAddr::V4(network), bits), Ok(IpAddr::V4(address))) => {
                // Shifted out altogether, every address is the same.
                let shift = 32 - u32::from(*bits);
                network.to_bits().checked_shr(shift).unwrap_or(0)
                    == address.to_bits().checked_shr(shift).unwrap_or(0)
            }
            (Self::Network(IpAddr::V6(network), bits), Ok(IpAddr::V6(address))) => {
                let shift = 128 - u32::from(*bits);
                network.to_bits().checked_shr(shift).unwrap_or(0)
                    == address.to_bits().checked_shr(shift).unwrap_or(0)
            }
            (Self::Domain(domain), Err(_)) => {
                let host = host.to_ascii_lowercase();
                host == *domain || host.strip_suffix(domain).is_some_and(|up| up.ends_with('.'))
            }
            _ => false,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(address, bits) => write!(out, "{address}/{bits}"),
            Self::Domain(domain) => out.write_str(domain),
        }
    }
}

/// The first address in a list of servers that is in none of these places. What is no address
/// at all is validation's matter.
#[must_use]
pub fn outside(servers: &Value, places: &[Place]) -> Option<String> {
    let urls = servers.as_array()?.iter().flat_map(urls);
    let strange = |url: &&str| {
        let place = url.split_once(':').map_or("", |(_, rest)| rest);
        let place = place.split('?').next().unwrap_or_default();
        let host = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => host,
            _ => place,
        };
        !places.iter().any(|place| place.holds(host))
    };
    urls.into_iter().find(strange).map(str::to_owned)
}

fn urls(server: &Value) -> Vec<&str> {
    match server {
        Value::String(url) => vec![url],
        Value::Table(table) => {
            let urls = table.get("urls").and_then(Value::as_array).into_iter().flatten();
            urls.filter_map(Value::as_str).collect()
        }
        _ => Vec::new(),
    }
}

/// `servers` with the stored credential wherever the mask came back. It counts only beside the
/// very addresses and the user that it was stored with: else who may set servers but not read
/// credentials could have one sent to a server of their own.
///
/// # Errors
/// The addresses of a server whose credential nobody knows.
pub fn unmasked(servers: &Value, stored: &Value) -> Result<Value, String> {
    let Value::Array(servers) = servers else { return Ok(servers.clone()) };
    let known = stored.as_array().map(Vec::as_slice).unwrap_or_default();
    let restore = |server: &Value| -> Result<Value, String> {
        let Some(table) = server.as_table() else { return Ok(server.clone()) };
        if table.get("credential").and_then(Value::as_str) != Some(MASK) {
            return Ok(server.clone());
        }
        let is_same = |known: &&Value| {
            let of = |name| known.as_table().and_then(|known| known.get(name));
            of("username") == table.get("username") && urls(known) == urls(server)
        };
        let known = known.iter().find(is_same).and_then(|known| known.get("credential"));
        let known = known.ok_or_else(|| urls(server).join(", "))?;
        let mut table = table.clone();
        table.insert("credential".to_owned(), known.clone());
        Ok(Value::Table(table))
    };
    servers.iter().map(restore).collect::<Result<_, _>>().map(Value::Array)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    fn place(text: &str) -> Place {
        Place::parse(&text.into()).unwrap()
    }

    fn list(text: &str) -> Value {
        text.parse().unwrap()
    }

    #[test]
    fn a_place_is_a_network_or_a_domain() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("192.0.2.7/32", "192.0.2.7", "192.0.2.8"),
            ("0.0.0.0/0", "203.0.113.9", "[2001:db8::1]"),
            ("fc00::/7", "[fd12::1]", "[fe80::1]"),
            ("::/0", "[2001:db8::1]", "10.0.0.1"),
            ("example.org", "turn.Example.org", "turn.example.org.evil.test"),
            (".example.org", "example.org", "myexample.org"),
            ("local", "door.local", "10.0.0.1"),
        ] {
            assert!(place(text).holds(inside), "{inside} in {text}");
            assert!(!place(text).holds(outside), "{outside} in {text}");
        }
        assert!(place("10.0.0.0/8").holds("[::ffff:10.1.2.3]"), "the former written as IPv6");
        for wrong in ["", "10.0.0.0/33", "::/129", "10.0.0.0", "x/8", "a b", "*"] {
            assert!(Place::parse(&wrong.into()).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_first_address_outside_is_named() {
        let places = [place("10.0.0.0/8"), place("local")];
        let fine = list(r#"["stun:10.0.0.1:3478", {urls = ["turn:a.local?transport=udp"]}]"#);
        assert_eq!(outside(&fine, &places), None);
        for url in ["stun:127.0.0.1", "turn:10.0.0.1.evil.test:1", "stun:[::1]:1", "stun:local2"] {
            let told =
                outside(&list(&format!("[\"stun:10.0.0.1\", {{urls = [{url:?}]}}]")), &places);
            assert_eq!(told.as_deref(), Some(url));
        }
    }

    #[test]
    fn a_mask_keeps_the_credential_of_the_same_server_and_of_no_other() {
        let stored =
            list(r#"["stun:s:1", {urls = ["turn:t:1"], username = "u", credential = "x"}]"#);
        let sent =
            list(r#"[{urls = ["turn:t:1"], username = "u", credential = "***"}, "stun:n:1"]"#);
        let kept = unmasked(&sent, &stored).unwrap();
        assert_eq!(kept[0]["credential"].as_str(), Some("x"));
        assert_eq!(kept[1], sent[1]);
        for other in [
            r#"[{urls = ["turn:evil:1"], username = "u", credential = "***"}]"#,
            r#"[{urls = ["turn:t:1", "turn:evil:1"], username = "u", credential = "***"}]"#,
            r#"[{urls = ["turn:t:1"], username = "v", credential = "***"}]"#,
            r#"[{urls = ["turn:t:1"], credential = "***"}]"#,
        ] {
            let told = unmasked(&list(other), &stored).unwrap_err();
            assert!(told.contains("turn:") && !told.contains('x'), "{told}");
        }
        let new = list(r#"[{urls = ["turn:t:1"], username = "u", credential = "y"}]"#);
        assert_eq!(unmasked(&new, &stored).unwrap(), new);
    }

    proptest! {
        #[test]
        fn no_text_panics_and_an_address_is_in_its_own_network(
            text in "\\PC{0,20}", address in any::<u32>(), bits in 0_u8..=32,
        ) {
            let _ = Place::parse(&text.clone().into());
            let _ = outside(&Value::Array(vec![text.into()]), &[place("10.0.0.0/8")]);
            let address = IpAddr::from(address.to_be_bytes());
            prop_assert!(Place::Network(address, bits).holds(&address.to_string()));
        }
    }
}
