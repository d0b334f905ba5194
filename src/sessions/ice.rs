//! ICE servers and ports of a viewer's agent.

use gstreamer::prelude::*;
use gstreamer_webrtc as gst_webrtc;
use gstreamer_webrtc::prelude::*;

use crate::config;

use super::ViewerError;

/// Tells webrtcbin which servers to ask and which ports to use. Call in NULL.
pub fn configure(webrtc: &gstreamer::Element, ice: &config::Ice) -> Result<(), ViewerError> {
    let agent = webrtc.property::<gst_webrtc::WebRTCICE>("ice-agent");
    // libnice's UPnP holds every answer back for 200 ms and sends SSDP to the LAN.
    agent.property::<gstreamer::glib::Object>("agent").set_property("upnp", false);
    if let Some(ports) = &ice.udp_ports {
        agent.set_min_rtp_port(u32::from(*ports.start()));
        agent.set_max_rtp_port(u32::from(*ports.end()));
    }
    if ice.transport_policy == config::TransportPolicy::Relay {
        let relay = gst_webrtc::WebRTCICETransportPolicy::Relay;
        webrtc.set_property("ice-transport-policy", relay);
    }
    let urls = ice.servers.iter().flat_map(|server| server.urls.iter().map(move |u| (u, server)));
    // libnice knows no STUN over TLS; browsers are told of it all the same.
    let urls = urls.filter(|(url, _)| !url.starts_with("stuns:"));
    for (url, server) in urls {
        match agent_uri(url, server) {
            // webrtcbin asks one STUN server; the last one named wins.
            Some(uri) if uri.starts_with("stun") => webrtc.set_property("stun-server", uri),
            Some(uri) if webrtc.emit_by_name::<bool>("add-turn-server", &[&uri]) => {}
            _ => return Err(ViewerError::IceServer { url: url.clone() }),
        }
    }
    Ok(())
}

/// A server's address as webrtcbin wants it: `turn://user:password@host:port`
/// instead of RFC 7065's `turn:host:port`.
fn agent_uri(url: &str, server: &config::IceServer) -> Option<String> {
    let (scheme, rest) = url.split_once(':')?;
    let (place, query) = rest.split_once('?').map_or((rest, None), |(p, q)| (p, Some(q)));
    // webrtcbin refuses an address without a port.
    let has_port = place.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let port = match (has_port, scheme.ends_with('s')) {
        (true, _) => "",
        (false, false) => ":3478",
        (false, true) => ":5349",
    };
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    match scheme {
        "stun" => Some(format!("stun://{place}{port}")),
        "turn" | "turns" => {
            let user = escape(server.username.as_deref().unwrap_or_default());
            let password = escape(server.credential.as_deref().unwrap_or_default());
            Some(format!("{scheme}://{user}:{password}@{place}{port}{query}"))
        }
        _ => None,
    }
}

/// Percent-encodes all but unreserved characters (RFC 3986), or a ':' in a
/// time-limited user name would end it.
fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn servers_are_written_as_webrtcbin_wants_them() {
        let named = |username: &str, credential: &str| config::IceServer {
            urls: Vec::new(),
            username: Some(username.into()),
            credential: Some(credential.into()),
        };
        let uri = |url: &str| agent_uri(url, &named("1700000000:al", "p@ss/word"));
        assert_eq!(uri("stun:10.0.0.1"), Some("stun://10.0.0.1:3478".into()));
        assert_eq!(uri("stun:stun.lan:19302"), Some("stun://stun.lan:19302".into()));
        let turn = "turn://1700000000%3Aal:p%40ss%2Fword@turn.lan:3478?transport=tcp";
        assert_eq!(uri("turn:turn.lan?transport=tcp"), Some(turn.into()));
        let turns = "turns://1700000000%3Aal:p%40ss%2Fword@turn.lan:5349";
        assert_eq!(uri("turns:turn.lan"), Some(turns.into()));
        assert_eq!(uri("stun:[2001:db8::1]"), Some("stun://[2001:db8::1]:3478".into()));
        assert_eq!(uri("http://turn.lan"), None);
    }

    /// The server of `[ice]`, if the configuration takes it.
    fn configured(url: &str, username: &str, credential: &str) -> Option<config::Ice> {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let (url, username, credential) = (quoted(url), quoted(username), quoted(credential));
        let text = format!(
            "[ice]\nservers = [{{ urls = [{url}], username = {username}, credential = {credential} }}]"
        );
        let file = config::Layer::File { name: "signpost.toml".into(), text };
        config::read(&[file], Path::new("/state")).ok().map(|config| config.ice)
    }

    proptest! {
        #[test]
        fn every_server_that_the_configuration_takes_can_be_used(
            scheme in "stuns?|turns?",
            place in "[a-z0-9.-]{1,12}|\\[[0-9a-f:]{2,9}\\]|[!-~]{1,9}",
            port in "|:[0-9]{1,5}",
            query in "|\\?transport=(udp|tcp|tls)|\\?[a-z=]{0,5}",
            username in "[ -~]{0,9}",
            credential in "\\PC{0,9}",
        ) {
            gstreamer::init().unwrap();
            let url = format!("{scheme}:{place}{port}{query}");
            let Some(ice) = configured(&url, &username, &credential) else { return Ok(()) };
            let webrtc = gstreamer::ElementFactory::make("webrtcbin").build().unwrap();
            prop_assert!(configure(&webrtc, &ice).is_ok(), "{url}");
            let stun = webrtc.property::<Option<String>>("stun-server");
            prop_assert_eq!(stun.is_some(), scheme == "stun", "{}", url);
        }
    }

    #[test]
    fn stun_over_tls_is_left_to_browsers() {
        gstreamer::init().unwrap();
        let ice = configured("stuns:stun.lan", "", "").unwrap();
        let webrtc = gstreamer::ElementFactory::make("webrtcbin").build().unwrap();
        assert!(configure(&webrtc, &ice).is_ok());
    }
}
