//! Which attributes of an offer webrtcbin is told.
//!
//! GStreamer makes a field of its caps of each attribute, each parameter of `a=fmtp`
//! and each kind of `a=rtcp-fb` (gstsdpmessage.c), and GLib keeps the name of a field
//! for ever (a quark). An offer of 60 KiB with made-up parameters left 2.5 to 5 MB
//! behind, one with made-up feedback 1.4 to 2.6 MB (GStreamer 1.22.0, GLib 2.74). So
//! only names pass that are known here.

use std::borrow::Cow;

/// What browsers and GStreamer offer, as far as it has a meaning for who only sends
/// one video. Candidates and the bundle are written anew.
const ATTRIBUTES: [&str; 18] = [
    "extmap",
    "fingerprint",
    "ice-lite",
    "ice-options",
    "ice-pwd",
    "ice-ufrag",
    "inactive",
    "max-message-size",
    "mid",
    "recvonly",
    "rtcp-mux",
    "rtcp-mux-only",
    "rtcp-rsize",
    "rtpmap",
    "sctp-port",
    "sendonly",
    "sendrecv",
    "setup",
];

/// Of `a=rtcp-fb` (RFC 4585, RFC 5104 and two of Chromium's).
const FEEDBACK: [&str; 5] = ["nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"];

/// Of `a=fmtp`: H.264's (RFC 6184), VP8's (RFC 7741) and retransmission's (RFC 4588).
const PARAMETERS: [&str; 6] = [
    "apt",
    "level-asymmetry-allowed",
    "max-fr",
    "max-fs",
    "packetization-mode",
    "profile-level-id",
];

/// The value of an `a=` line as webrtcbin gets it; `None`: not at all.
pub(super) fn told(attribute: &str) -> Option<Cow<'_, str>> {
    let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
    match name {
        "fmtp" => fmtp(value).map(Cow::Owned),
        "rtcp-fb" => {
            let (_, kind) = value.split_once(' ')?;
            FEEDBACK.contains(&kind.trim()).then_some(Cow::Borrowed(attribute))
        }
        _ => ATTRIBUTES.contains(&name).then_some(Cow::Borrowed(attribute)),
    }
}

/// The known parameters of a format. Without any the line stays: a format's first one
/// counts, and the second is not to take its place.
fn fmtp(value: &str) -> Option<String> {
    let (format, parameters) = value.split_once(' ')?;
    let known = |parameter: &str| {
        let (name, value) = parameter.split_once('=')?;
        let known = PARAMETERS.iter().find(|known| known.eq_ignore_ascii_case(name.trim()))?;
        Some(format!("{known}={}", value.trim()))
    };
    let known: Vec<String> = parameters.split(';').filter_map(known).collect();
    Some(format!("fmtp:{format} {}", known.join(";")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_names_pass_as_they_are() {
        for attribute in [
            "recvonly",
            "mid:0",
            "rtpmap:96 VP8/90000",
            "rtcp-fb:96 nack pli",
            "rtcp-fb:* transport-cc",
            "fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f",
            "extmap:4 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
        ] {
            assert_eq!(told(attribute).as_deref(), Some(attribute));
        }
    }

    #[test]
    fn made_up_names_do_not() {
        for attribute in ["", ":", "x", "ssrc:7 x:x", "rtcp-fb:96", "rtcp-fb:96 x", "fmtp:96"] {
            assert_eq!(told(attribute), None, "{attribute}");
        }
        let mixed = told("fmtp:97 x=1; APT = 96 ;packetization-mode;y");
        assert_eq!(mixed.as_deref(), Some("fmtp:97 apt=96"));
        assert_eq!(told("fmtp:96 x=1").as_deref(), Some("fmtp:96 "));
    }

    proptest! {
        #[test]
        fn what_passes_once_passes_again_unchanged(
            name in prop::sample::select(vec!["fmtp", "rtcp-fb", "mid", "x"]),
            text in "([0-9]{1,3} )?(apt|max-fs|nack|x|é|[=; ]){0,12}",
        ) {
            let attribute = format!("{name}:{text}");
            if let Some(once) = told(&attribute) {
                prop_assert_eq!(told(&once), Some(once.clone()));
            }
        }
    }
}
