//! What peers send, for the programs in `tests/fuzz`; only with the feature `fuzzing`.
//!
//! Each function takes any text, does with it what a session does before webrtcbin
//! has to do with it, and panics where something does not hold that others rely on.

mod conversation;

use std::collections::HashSet;

use gstreamer_webrtc::WebRTCSDPType;

use super::candidate::{CANDIDATE_LIMIT, acceptable};
use super::offer::{Checked, SDP_LIMIT};
use super::sdp::{Media, Sdp};
use super::trickle::{Fragment, Intake};
use super::viewer::describe;

pub use conversation::conversation;

/// Stands between two fragments or two events: a control character, so that it is
/// part of nothing that the checks let through.
pub const SEPARATOR: u8 = 0x1e;

/// Judges an offer, hands what is left of it to GStreamer's parser and completes an
/// answer to it.
pub fn offer(text: &str) {
    let checked = match Checked::of(text) {
        Ok(checked) => checked,
        Err(error) => {
            assert!(!error.hint().is_empty() && !error.to_string().is_empty());
            return;
        }
    };
    let kept = Sdp::parse(&checked.sdp).expect("what webrtcbin gets is an SDP");
    let candidates: Vec<&str> =
        kept.media.iter().flat_map(|media| media.attributes("candidate")).collect();
    assert_eq!(candidates, checked.ice.candidates, "those are counted that webrtcbin gets");
    assert!(candidates.len() <= CANDIDATE_LIMIT);
    assert!(candidates.into_iter().all(acceptable));
    // Line feeds have become CRLF, so it may be too long now.
    if checked.sdp.len() <= SDP_LIMIT {
        let again = Checked::of(&checked.sdp).expect("what is let through is an offer");
        assert_eq!(again.sdp, checked.sdp);
        assert_eq!(again.video, checked.video);
        assert_eq!((again.channels, &again.ice), (checked.channels, &checked.ice));
    }
    answered(text, &checked, &kept);
    parsed_by_gstreamer(&checked);
}

/// An answer says something to every section of the offer, in the offer's order
/// (RFC 3264, 6).
fn answered(text: &str, checked: &Checked, kept: &Sdp) {
    let section = |media: &Media| {
        let mid = media.attributes("mid").next().unwrap_or_default();
        format!("m={} 9 {} 0\r\na=mid:{mid}\r\n", media.kind, media.protocol)
    };
    let answer: String = kept.media.iter().map(section).collect();
    let answer = checked.complete(&format!("v=0\r\n{answer}"));
    let (offer, answer) = (Sdp::parse(text), Sdp::parse(&answer));
    let (offer, answer) = (offer.expect("it was one"), answer.expect("the answer is an SDP"));
    let names = |sdp: &Sdp| -> Vec<(String, Option<String>)> {
        let name = |media: &Media| media.attributes("mid").next().map(str::to_owned);
        sdp.media.iter().map(|media| (media.kind.to_owned(), name(media))).collect()
    };
    assert_eq!(names(&answer), names(&offer));
}

/// webrtcbin makes caps of every format that it is offered.
fn parsed_by_gstreamer(checked: &Checked) {
    let Ok(description) = describe(WebRTCSDPType::Offer, &checked.sdp) else { return };
    for media in description.sdp().medias() {
        for format in media.formats().filter_map(|format| format.parse().ok()) {
            let Some(mut caps) = media.caps_from_media(format) else { continue };
            let _ = media.attributes_to_caps(caps.make_mut());
        }
    }
}

/// The offer that fragments come after.
const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n\
    a=fingerprint:sha-256 1E:B1\r\na=setup:actpass\r\na=mid:0\r\na=rtpmap:96 VP8/90000\r\n\
    a=candidate:1 1 udp 2113937151 192.168.1.7 5000 typ host\r\n";

/// Takes fragments, and candidates as pages send them, one after the other.
pub fn fragments(text: &str) {
    let offer = Checked::of(OFFER).expect("it is a good offer");
    let mut intake = Intake::of(&offer);
    let mut all = offer.ice.candidates;
    for piece in text.split(char::from(SEPARATOR)) {
        for read in [Fragment::parse(piece), Fragment::of_candidate(piece)] {
            match read.and_then(|fragment| intake.take(fragment)) {
                Ok(candidates) => all.extend(candidates),
                Err(error) => assert!(!error.hint().is_empty() && !error.to_string().is_empty()),
            }
        }
    }
    assert!(all.len() <= CANDIDATE_LIMIT);
    assert!(all.iter().all(|candidate| acceptable(candidate)));
    // Each goes to webrtcbin as the rest of a line.
    assert!(all.iter().all(|candidate| !candidate.chars().any(char::is_control)));
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len(), "none is tried twice");
}
