//! How single values are written: addresses, origins, servers, ports.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use log::LevelFilter;
use toml::Value;

use super::keys;
use super::servers::MASK;
use super::values::{Flip, IceServer, Plain, TransportPolicy};

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
    is_place(rest).then_some(lower)
}

/// Whether `text` is `HOST[:PORT]`, an IPv6 address in brackets.
fn is_place(text: &str) -> bool {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (text, "1"),
    };
    let in_brackets = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let named = match in_brackets {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => !name.contains([':', '[', ']']) && host(name).is_some(),
    };
    named && port.parse::<u16>().is_ok_and(|port| port > 0)
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

/// Controls of a camera by the names that `v4l2-ctl` gives them. Whether the camera has them,
/// and takes the values, is seen when it is there.
pub fn controls(value: &Value) -> Option<BTreeMap<String, i32>> {
    const MOST: usize = 32;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let read = |(name, value): (&String, &Value)| {
        let fits = (1..=32).contains(&name.len()) && name.chars().all(plain);
        let switch = value.as_bool().map(i32::from);
        let number = value.as_integer().and_then(|number| i32::try_from(number).ok());
        Some((name.clone(), number.or(switch).filter(|_| fits)?))
    };
    let table = value.as_table().filter(|table| table.len() <= MOST)?;
    table.iter().map(read).collect()
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

/// `redirect` or `view`.
pub fn plain(word: &str) -> Option<Plain> {
    match word {
        "redirect" => Some(Plain::Redirect),
        "view" => Some(Plain::View),
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

/// 0.5 to 60 seconds, whole or not.
pub fn wait(value: &Value) -> Option<Duration> {
    let whole = value.as_integer().and_then(|number| u32::try_from(number).ok()).map(f64::from);
    let seconds = value.as_float().or(whole)?;
    (0.5..=60.0).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
}

/// One of [`keys::LEVELS`].
pub fn level(word: &str) -> Option<LevelFilter> {
    keys::LEVELS.contains(&word).then(|| word.parse().ok()).flatten()
}

/// `MODULE=LEVEL`.
pub fn module_level(value: &Value) -> Option<(String, LevelFilter)> {
    let (module, word) = value.as_str()?.split_once('=')?;
    let module = module.trim();
    keys::MODULES.contains(&module).then(|| Some((module.to_owned(), level(word.trim())?)))?
}

/// What is allowed in place of the first module in `list` that does not exist or has a
/// level already.
pub fn wrong_module(list: &Value) -> Option<String> {
    let names = list.as_array()?.iter().filter_map(|item| item.as_str()?.split_once('='));
    let mut seen = Vec::new();
    for module in names.map(|(module, _)| module.trim()) {
        if !keys::MODULES.contains(&module) {
            let (nearest, all) = (keys::nearest_module(module), keys::MODULES.join(", "));
            return Some(format!(
                "MODULE=LEVEL with MODULE of {all}; the nearest to {module:?} is {nearest}"
            ));
        }
        if seen.contains(&module) {
            return Some(format!("each MODULE once, and {module} has two levels"));
        }
        seen.push(module);
    }
    None
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
    let valid = (1..=4).contains(&server.urls.len()) && server.urls.iter().all(|url| is_ice(url));
    let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let complete = !relays(&server) || (given(&server.username) && given(&server.credential));
    (valid && complete).then_some(server)
}

/// Whether `url` is an address of RFC 7064 (STUN) or RFC 7065 (TURN).
fn is_ice(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once(':') else { return false };
    let (place, query) = rest.split_once('?').map_or((rest, None), |(p, q)| (p, Some(q)));
    let known = match scheme {
        "stun" | "stuns" => query.is_none(),
        "turn" | "turns" => matches!(query, None | Some("transport=udp" | "transport=tcp")),
        _ => false,
    };
    known && is_place(place)
}

/// Whether a server can relay.
pub fn relays(server: &IceServer) -> bool {
    server.urls.iter().any(|url| url.starts_with("turn"))
}

/// A list of servers as it may be shown.
pub fn without_credentials(mut servers: serde_json::Value) -> serde_json::Value {
    for server in servers.as_array_mut().into_iter().flatten() {
        if let Some(credential) = server.get_mut("credential") {
            *credential = MASK.into();
        }
    }
    servers
}
