//! What of a configuration nobody is shown.

use super::{Config, Source};

impl Config {
    /// Credentials of ICE servers and of network cameras, as they are written and as they are
    /// meant.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        let servers = self.ice.servers.iter().filter_map(|server| server.credential.clone());
        let cameras = self.cameras.iter().flat_map(|camera| match &camera.source {
            Source::Rtsp(url) => passwords(url),
            _ => Vec::new(),
        });
        servers.chain(cameras).collect()
    }
}

/// The password in an address, whatever it holds.
fn passwords(url: &str) -> Vec<String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let Some((user, _)) = rest.rsplit_once('@') else { return Vec::new() };
    let Some((_, password)) = user.split_once(':') else { return Vec::new() };
    let meant = decoded(password);
    [password.to_owned()].into_iter().chain(meant).collect()
}

/// A text that is percent-encoded (RFC 3986, 2.1), if it is.
fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(part.get(2..)?.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::path::Path;

    use super::super::{Layer, read};
    use super::*;

    #[test]
    fn credentials_are_known_wherever_they_stand() {
        let text = r#"
            camera = [{ name = "a", source = "rtsp://root:p%40ss@cam/1" }, { name = "b" }]
            [ice]
            servers = ["stun:s:1", { urls = ["turn:t:2"], username = "u", credential = "hunter2" }]
        "#;
        let file = Layer::File { name: "signpost.toml".into(), text: text.into() };
        let config = read(&[file], Path::new("/state")).unwrap();
        assert_eq!(config.secrets(), ["hunter2", "p%40ss", "p@ss"]);
    }

    #[test]
    fn an_address_is_understood_whatever_it_holds() {
        assert_eq!(passwords("rtsp://cam/1"), [""; 0]);
        assert_eq!(passwords("rtsp://root@cam/1"), [""; 0]);
        assert_eq!(passwords("rtsp://root:a/b@c@cam/1"), ["a/b@c", "a/b@c"]);
        for wrong in ["%", "%4", "%zz", "%ä"] {
            assert_eq!(decoded(wrong), None, "{wrong}");
        }
    }
}
