//! Who may talk to us from inside a browser: Host and Origin are checked.
//!
//! A foreign page can make its visitor's browser send requests to this device,
//! and by DNS rebinding even under the page's own name. The browser then tells
//! on it: `Host` is not a name of ours, or `Origin` is another site. Programs
//! that are no browsers send no `Origin` and are none of this module's business.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HOST, ORIGIN, UPGRADE, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};

use super::Problem;
use super::server::Scheme;
use crate::config;

/// The device's name and the two before, alone and with `.local`.
const DEVICE_NAMES: usize = 6;

/// Names and origins that are ours or allowed.
#[derive(Clone, Debug)]
pub struct Guard {
    /// The device's own, the newest last.
    device_names: Vec<String>,
    names: Vec<String>,
    addresses: Vec<IpAddr>,
    origins: Vec<String>,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// No `Host`, two of them, or one that is no host.
    NoHost,
    /// A `Host` that is not ours.
    ForeignHost,
    /// An `Origin` that may not do this.
    ForeignOrigin,
}

/// What is known of a request before it is served.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a Method,
    /// As it stands in the request line.
    pub uri: &'a Uri,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// The address that the client connected to.
    pub local: SocketAddr,
    /// Whether with TLS.
    pub scheme: Scheme,
}

impl Guard {
    /// The names of this device are its addresses, localhost, `device_name` alone
    /// and with `.local`, and what is allowed.
    #[must_use]
    pub fn new(http: &config::Http, device_name: &str) -> Self {
        let (device_names, names, addresses) = <(Vec<_>, Vec<_>, Vec<_>)>::default();
        let mut guard = Self { device_names, names, addresses, origins: Vec::new() };
        guard.rename(device_name);
        guard.configure(http);
        guard
    }

    /// The device has another name. The one before is still its own: pages that were opened
    /// by it go on, and caches in the network know it.
    pub fn rename(&mut self, device_name: &str) {
        let name = device_name.trim().trim_end_matches('.').to_ascii_lowercase();
        if !name.is_empty() {
            let local = format!("{}.local", name.trim_end_matches(".local"));
            self.device_names.retain(|known| *known != name && *known != local);
            self.device_names.extend([name, local]);
            let former = self.device_names.len().saturating_sub(DEVICE_NAMES);
            self.device_names.drain(..former);
        }
    }

    /// What is allowed beside.
    pub fn configure(&mut self, http: &config::Http) {
        self.names = http.allowed_hosts.clone();
        self.names.push("localhost".to_owned());
        let addresses = http.listen.iter().chain(&http.listen_https);
        self.addresses = addresses.map(|address| address.ip().to_canonical()).collect();
        self.origins.clone_from(&http.allowed_origins);
    }

    /// Lets a request pass, and says which foreign origin may read the answer.
    pub fn check<'a>(&self, request: Request<'a>) -> Result<Option<&'a HeaderValue>, Refusal> {
        let host = self.host(request)?;
        let Some(origin) = one(request.headers, ORIGIN).map_err(|()| Refusal::ForeignOrigin)?
        else {
            return Ok(None);
        };
        let text = origin.to_str().map_err(|_| Refusal::ForeignOrigin)?.to_ascii_lowercase();
        let whep = is_whep(request.uri.path());
        if same_origin(&text, host, request.scheme) {
            return Ok(None);
        }
        if whep && self.origins.contains(&text) {
            return Ok(Some(origin));
        }
        // A foreign page may ask for a page or a picture; without CORS it cannot read the
        // answer. Whether a WebSocket opens it can.
        let reads = matches!(*request.method, Method::GET | Method::HEAD) && !whep;
        let reads_only = reads && !request.headers.contains_key(UPGRADE);
        if reads_only { Ok(None) } else { Err(Refusal::ForeignOrigin) }
    }

    /// The one host that the request asks for, if it is ours.
    fn host<'a>(&self, request: Request<'a>) -> Result<&'a str, Refusal> {
        let header = one(request.headers, HOST).map_err(|()| Refusal::NoHost)?;
        let header = header.ok_or(Refusal::NoHost)?.to_str().map_err(|_| Refusal::NoHost)?;
        // An absolute request line names a host too, and it must not be another.
        if let Some(authority) = request.uri.authority()
            && !authority.as_str().eq_ignore_ascii_case(header)
        {
            return Err(Refusal::ForeignHost);
        }
        let name = without_port(header).ok_or(Refusal::NoHost)?;
        let address: Option<IpAddr> = name.trim_matches(['[', ']']).parse().ok();
        let ours = match address {
            Some(address) => self.is_our_address(address.to_canonical(), request.local.ip()),
            None => {
                let name = name.trim_end_matches('.');
                let mut known = self.names.iter().chain(&self.device_names);
                known.any(|known| known.eq_ignore_ascii_case(name))
            }
        };
        // An allowed host may also be written as an address, as behind a router.
        let allowed = || self.names.iter().any(|known| known.eq_ignore_ascii_case(name));
        if ours || allowed() { Ok(header) } else { Err(Refusal::ForeignHost) }
    }

    fn is_our_address(&self, address: IpAddr, local: IpAddr) -> bool {
        let listening = !address.is_unspecified() && self.addresses.contains(&address);
        listening || address == local.to_canonical()
    }
}

/// Whether `path` is WHEP's, which foreign players may be allowed to use.
#[must_use]
pub fn is_whep(path: &str) -> bool {
    path == "/whep" || path.starts_with("/whep/")
}

/// The only value of a header; two are an error, because readers pick different ones.
fn one(headers: &HeaderMap, name: HeaderName) -> Result<Option<&HeaderValue>, ()> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() { Err(()) } else { Ok(first) }
}

/// The host of `host[:port]`, brackets kept; `None` if the port is no port.
fn without_port(host: &str) -> Option<&str> {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let valid = port.is_none_or(|port| port.is_empty() || port.parse::<u16>().is_ok());
    let bracketed = name.starts_with('[') && name.ends_with(']');
    (valid && !name.is_empty() && (bracketed || !name.contains(':'))).then_some(name)
}

/// Whether `origin` (lower case) is the site that `host` names. Behind a TLS proxy
/// the scheme is the proxy's, so both are taken, each with its own default port. What comes
/// by TLS is of a page that came so: into one without anybody in the network can write.
fn same_origin(origin: &str, host: &str, scheme: Scheme) -> bool {
    let default_ports = match scheme {
        Scheme::Http => &[("http://", ":80"), ("https://", ":443")][..],
        Scheme::Https => &[("https://", ":443")],
    };
    default_ports.iter().any(|(scheme, port)| {
        let host = host.to_ascii_lowercase();
        let host = host.strip_suffix(port).unwrap_or(&host);
        origin.strip_prefix(scheme) == Some(host)
    })
}

/// Lets the page of `origin` read the answer to a WHEP request.
pub fn allow_origin(headers: &mut HeaderMap, origin: &HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.append(VARY, HeaderValue::from_static("Origin"));
    let fixed = [
        (ACCESS_CONTROL_EXPOSE_HEADERS, "Location, ETag, Link, Accept-Post, Retry-After"),
        (ACCESS_CONTROL_ALLOW_METHODS, "OPTIONS, POST, PATCH, DELETE"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type, If-Match"),
        (ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoHost => Self::new(
                StatusCode::BAD_REQUEST,
                "malformed request",
                "the request names no host, or several",
                "send one Host header",
            ),
            Refusal::ForeignHost => Self::new(
                StatusCode::FORBIDDEN,
                "unknown host name",
                "the request is for a host name that is not this device's",
                "open the device by its address, or add the name to http.allowed_hosts",
            ),
            Refusal::ForeignOrigin => Self::new(
                StatusCode::FORBIDDEN,
                "foreign origin",
                "the request comes from a page of another site",
                "use the device's own page; WHEP players' origins go into http.allowed_origins",
            ),
        }
    }
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
