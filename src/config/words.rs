//! How single values are written: addresses, origins, servers, ports.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use toml::Value;

use super::values::{Flip, IceServer, TransportPolicy};

/// The port of an address that is given without one.
const PORT: u16 = 8080;

/// `ADDRESS:PORT`, `localhost:PORT`, or an address alone.
pub fn listen(text: &str) -> Option<SocketAddr> {
    if let Some(port) = text.strip_prefix("localhost:") {
        return Some(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port.parse().ok()?));
    }
    let bare = || Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, PORT));
    text.parse().ok().or_else(bare)
}

/// A host name without port, in lower case.
pub fn host(text: &str) -> Option<String> {
    let fits = !text.is_empty()
        && text.len() <= 253
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-.[]".contains(c))
        || text.parse::<IpAddr>().is_ok();
    fits.then(|| text.to_ascii_lowercase())
}

/// `http(s)://HOST[:PORT]`, in lower case. There is no form for "everybody".
pub fn origin(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let rest = lower.strip_prefix("http://").or_else(|| lower.strip_prefix("https://"))?;
    let (name, port) = match rest.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (rest, "1"),
    };
    let in_brackets = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let named = match in_brackets {
        Some(address) => address.parse::<IpAddr>().is_ok(),
        None => !name.contains(':') && host(name).is_some(),
    };
    (named && port.parse::<u16>().is_ok_and(|port| port > 0)).then_some(lower)
}

/// A path that is not empty.
pub fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty() && !text.contains('\0')).then(|| text.into())
}

/// A camera's name: short and plain, because it stands in metrics and addresses.
pub fn name(text: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    ((1..=32).contains(&text.len()) && text.chars().all(plain)).then(|| text.to_owned())
}

/// The word of a turn.
pub fn flip(word: &str) -> Option<Flip> {
    Some(match word {
        "none" => Flip::None,
        "horizontal" => Flip::Horizontal,
        "vertical" => Flip::Vertical,
        "rotate-180" => Flip::Rotate180,
        _ => return None,
    })
}

/// An encoder's element; `None` within for `auto`.
#[expect(clippy::option_option, reason = "the outer one is an invalid word")]
#[expect(clippy::unnecessary_wraps, reason = "the table has checked the word already")]
pub fn encoder(word: &str) -> Option<Option<String>> {
    Some((word != "auto").then(|| word.to_owned()))
}

/// `all` or `relay`.
pub fn transport_policy(word: &str) -> Option<TransportPolicy> {
    match word {
        "all" => Some(TransportPolicy::All),
        "relay" => Some(TransportPolicy::Relay),
        _ => None,
    }
}

/// `FIRST-LAST`; nothing is any port.
#[expect(clippy::option_option, reason = "the outer one is an invalid text")]
pub fn ports(text: &str) -> Option<Option<RangeInclusive<u16>>> {
    if text.is_empty() {
        return Some(None);
    }
    let (first, last) = text.split_once('-')?;
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (1024 <= first && first <= last).then_some(Some(first..=last))
}

/// An address alone, or a table as in RTCConfiguration; TURN needs both credentials.
pub fn ice_server(value: &Value) -> Option<IceServer> {
    let server: IceServer = match value {
        Value::String(url) => {
            IceServer { urls: vec![url.clone()], username: None, credential: None }
        }
        Value::Table(_) => value.clone().try_into().ok()?,
        _ => return None,
    };
    let known = |url: &String| {
        let (scheme, rest) = url.split_once(':')?;
        let plain = rest.chars().all(|c| c.is_ascii_graphic() && !"/@\"<>".contains(c));
        (["stun", "stuns", "turn", "turns"].contains(&scheme) && plain && !rest.is_empty())
            .then_some(())
    };
    let valid =
        (1..=4).contains(&server.urls.len()) && server.urls.iter().all(|url| known(url).is_some());
    let complete = !relays(&server) || (server.username.is_some() && server.credential.is_some());
    (valid && complete).then_some(server)
}

/// Whether a server can relay.
pub fn relays(server: &IceServer) -> bool {
    server.urls.iter().any(|url| url.starts_with("turn"))
}

/// A list of servers as it may be shown.
pub fn without_credentials(mut servers: serde_json::Value) -> serde_json::Value {
    for server in servers.as_array_mut().into_iter().flatten() {
        if let Some(credential) = server.get_mut("credential") {
            *credential = "***".into();
        }
    }
    servers
}
