//! Offers good and bad.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use proptest::prelude::*;

use super::*;

/// Chromium's sections, with fewer codecs.
const SESSION: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
const TRANSPORT: &str = "c=IN IP4 0.0.0.0\r\na=ice-ufrag:zekD\r\na=ice-pwd:zpKbK+oFzi6MipqFWZDipD3M\
    \r\na=fingerprint:sha-256 1E:B1\r\na=setup:actpass\r\n";
const CODECS: &str = "a=rtpmap:96 VP8/90000\r\na=rtpmap:102 H264/90000\r\n\
    a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f\r\n\
    a=rtpmap:103 rtx/90000\r\na=fmtp:103 apt=102\r\na=rtpmap:104 H264/90000\r\n\
    a=fmtp:104 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f\r\n\
    a=rtpmap:108 H264/90000\r\n\
    a=fmtp:108 level-asymmetry-allowed=1; packetization-mode=1; profile-level-id=42e01f\r\n\
    a=rtpmap:116 H264/90000\r\n\
    a=fmtp:116 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f\r\n";
const EXTENSIONS: &str = "a=extmap:3 urn:3gpp:video-orientation\r\n\
    a=extmap:4 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n";

fn video(mid: u8) -> String {
    format!(
        "m=video 9 UDP/TLS/RTP/SAVPF 96 102 103 104 108 116\r\n{TRANSPORT}a=mid:{mid}\r\n\
         {EXTENSIONS}a=recvonly\r\na=rtcp-mux\r\n{CODECS}"
    )
}

fn data(mid: u8) -> String {
    let line = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n";
    format!("{line}{TRANSPORT}a=mid:{mid}\r\na=sctp-port:5000\r\n")
}

fn audio(mid: u8) -> String {
    let line = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";
    let lines = "a=sendrecv\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n";
    format!("{line}{TRANSPORT}a=mid:{mid}\r\n{lines}")
}

fn good() -> String {
    format!("{SESSION}a=group:BUNDLE 0 1\r\n{}{}", video(0), data(1))
}

#[test]
fn the_best_h264_and_the_feedback_extension_are_chosen() {
    let checked = Checked::of(&good()).unwrap();
    let format = Format::H264 { profile: Some("42e01f".to_owned()) };
    assert_eq!(checked.video, Video { payload_type: 108, format, transport_cc: Some(4) });
    assert_eq!(checked.channels, Channels::Offered);
    let without = good().replace(EXTENSIONS, "").replace(&data(1), "").replace("0 1\r", "0\r");
    let checked = Checked::of(&without).unwrap();
    assert_eq!((checked.video.transport_cc, checked.channels), (None, Channels::Absent));
}

#[test]
fn plain_baseline_serves_where_there_is_no_constrained() {
    let payload_type = |text: &str| Checked::of(text).map(|checked| checked.video.payload_type);
    assert_eq!(payload_type(&good().replace("42e01f", "640c1f")), Ok(102));
    let no_profile = good().replace(";profile-level-id=42001f", "").replace("42e01f", "640c1f");
    assert_eq!(payload_type(&no_profile), Ok(102));
}

fn without_vp8() -> String {
    good().replace("VP8", "VP9")
}

#[test]
fn who_has_no_h264_gets_vp8() {
    let video = |text: &str| Checked::of(text).map(|checked| checked.video);
    let vp8 = Video { payload_type: 96, format: Format::Vp8, transport_cc: Some(4) };
    for (from, to) in [("H264", "H265"), ("packetization-mode=1", "x"), ("=42", "=64")] {
        assert_eq!(video(&good().replace(from, to)), Ok(vp8.clone()), "{to} for {from}");
    }
    assert_ne!(video(&good()), Ok(vp8));
}

#[test]
fn line_feeds_alone_are_as_good() {
    let (crlf, lf) = (Checked::of(&good()), Checked::of(&good().replace('\r', "")));
    assert_eq!(crlf.unwrap(), lf.unwrap());
}

#[test]
fn each_bad_offer_is_refused_for_what_it_is() {
    use OfferError as E;
    let long = format!("{}{}", good(), "a=x\r\n".repeat(SDP_LIMIT / 5));
    let sections = format!("{}{}", good(), audio(2).repeat(7));
    let no_bundle = E::Incomplete { section: "video".into(), what: "place in a=group:BUNDLE" };
    let table = [
        (String::new(), E::Empty),
        ("\r\n \r\n".into(), E::Empty),
        (long, E::TooLong { limit: SDP_LIMIT }),
        ("{\"sdp\": \"v=0\"}".into(), E::NotSdp { line: 1 }),
        (good().replace("s=-", "-"), E::NotSdp { line: 3 }),
        (sections, E::TooManySections { count: 9, limit: SECTION_LIMIT }),
        (format!("{SESSION}a=group:BUNDLE 1\r\n{}", data(1)), E::NoVideo),
        (format!("{SESSION}{}", audio(0)), E::NoVideo),
        (good().replace("m=video 9", "m=video 0"), E::NoVideo),
        (good().replace("recvonly", "sendonly"), E::NotReceiving),
        (good().replace("recvonly", "inactive"), E::NotReceiving),
        (without_vp8().replace("H264", "H265"), E::NoCodec),
        (without_vp8().replace("packetization-mode=1", "packetization-mode=0"), E::NoCodec),
        (without_vp8().replace("=42", "=64"), E::NoCodec),
        (without_vp8().replace("=42", "=é2"), E::NoCodec),
        (good().replace("BUNDLE 0 1", "BUNDLE 1"), no_bundle),
        (
            without_vp8().replace(" 108", " 0").replace(":108 ", ":0 ").replace("=42001f", "=64"),
            E::NoCodec,
        ),
    ];
    for (text, expected) in table {
        let error = Checked::of(&text).unwrap_err();
        assert_eq!(error, expected);
        assert!(!error.hint().is_empty());
    }
}

#[test]
fn both_sections_have_what_webrtcbin_takes_for_granted() {
    let (video, data) = (video(0), data(1));
    let edits = [
        ("a=ice-ufrag:zekD", "a=ice-ufrag: ", "a=ice-ufrag"),
        ("a=ice-ufrag:zekD", "a=ice-ufrag:zek", "a=ice-ufrag"),
        ("a=ice-pwd", "a=x", "a=ice-pwd"),
        ("a=fingerprint", "a=x", "a=fingerprint"),
        ("sha-256 1E:B1", "sha-256 1E:B", "a=fingerprint"),
        ("sha-256 1E:B1", "garbage", "a=fingerprint"),
        ("a=setup", "a=x", "a=setup"),
        ("actpass", "holdconn", "a=setup"),
        ("a=mid", "a=x", "a=mid"),
        ("UDP/TLS/RTP/SAVPF", "RTP/AVP", "UDP/TLS/RTP/SAVPF"),
        ("UDP/DTLS/SCTP", "RTP/AVP", "UDP/DTLS/SCTP"),
        ("a=sctp-port:5000", "a=sctp-port:0", "a=sctp-port"),
        ("a=sctp-port", "a=x", "a=sctp-port"),
        ("a=mid:1", "a=mid:0", "a=mid of its own"),
        ("a=mid:1", "a=mid:7", "place in a=group:BUNDLE"),
    ];
    for (from, to, missing) in edits {
        let mut met = 0;
        for (section, text) in [("video", &video), ("application", &data)] {
            if !text.contains(from) {
                continue;
            }
            met += 1;
            let offer = format!("{SESSION}a=group:BUNDLE 0 1\r\n{video}{data}");
            let error = Checked::of(&offer.replace(text.as_str(), &text.replace(from, to)));
            let told = error.unwrap_err().to_string();
            assert!(told.contains(&format!("{section} section has no {missing}")), "{told}");
        }
        assert!(met > 0, "{from}");
    }
}

#[test]
fn keys_and_bandwidths_are_kept_from_webrtcbin() {
    let keyed = good().replace("t=0 0\r\n", "t=0 0\r\nb=AS:30\r\nk=clear:x\r\n");
    let keyed = keyed.replace("a=mid:0\r\n", "a=mid:0\r\nk=prompt\r\n");
    assert_eq!(Checked::of(&keyed).unwrap(), Checked::of(&good()).unwrap());
}

#[test]
fn names_that_somebody_made_up_are_kept_from_webrtcbin() {
    let noise = "a=made-up\r\na=rtcp-fb:108 made-up\r\na=ssrc:1 made:up\r\n";
    let noisy = format!("{}{noise}", good().replace("t=0 0\r\n", &format!("t=0 0\r\n{noise}")));
    let noisy = noisy.replace("a=recvonly\r\n", &format!("a=recvonly\r\n{noise}"));
    let noisy = noisy.replace("=42e01f", "=42e01f;made-up=1");
    assert_eq!(Checked::of(&noisy).unwrap().sdp, Checked::of(&good()).unwrap().sdp);
}

#[test]
fn audio_is_kept_from_webrtcbin_and_silent_in_the_answer() {
    let offer = format!("{SESSION}a=group:BUNDLE 0 1 2\r\n{}{}{}", audio(0), video(1), data(2));
    let checked = Checked::of(&offer).unwrap();
    assert!(checked.sdp.contains("a=group:BUNDLE 1 2\r\n"));
    assert!(!checked.sdp.contains("m=audio"));
    // GStreamer's players want the transport in every section, Chromium the candidates in
    // the first one.
    let transport = "a=ice-ufrag:u\r\na=ice-pwd:p\r\na=setup:active\r\n\
        a=fingerprint:sha-256 AB\r\na=candidate:1 1 UDP 1 192.0.2.2 5 typ host\r\n";
    let seen = format!(
        "m=video 9 X 108\r\na=mid:1\r\n{transport}m=application 9 Y\r\na=mid:2\r\n{transport}"
    );
    let answer = format!("v=0\r\na=group:BUNDLE 1 2\r\n{seen}");
    let expected = format!(
        "v=0\r\na=group:BUNDLE 0 1 2\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\n\
         a=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\na=inactive\r\na=mid:0\r\n{transport}{seen}"
    );
    assert_eq!(checked.complete(&answer), expected);
}

#[test]
fn what_cannot_be_silent_is_rejected_where_it_stands() {
    let second = video(0).replace("a=recvonly", "a=sendonly");
    let unbundled = audio(0).replace("a=mid:0", "a=mid:5");
    let twice = audio(1);
    for other in [second, unbundled, twice] {
        for first in [true, false] {
            let both = if first { [&other, &video(1)] } else { [&video(1), &other] };
            let offer = format!("{SESSION}a=group:BUNDLE 1 0\r\n{}{}", both[0], both[1]);
            let answer =
                "v=0\r\na=group:BUNDLE 1\r\nm=video 9 X 108\r\na=mid:1\r\na=candidate:1\r\n";
            let whole = Checked::of(&offer).unwrap().complete(answer);
            assert!(whole.contains("a=group:BUNDLE 1\r\n"), "{whole}");
            let sections: Vec<&str> = whole.lines().filter(|line| line.starts_with("m=")).collect();
            let rejected = sections[usize::from(!first)].split(' ').nth(1);
            assert_eq!((sections.len(), rejected), (2, Some("0")), "{whole}");
            assert_eq!(whole.matches("a=candidate").count(), 1, "{whole}");
        }
    }
}

#[test]
fn a_thousand_candidates_are_cut_to_those_worth_a_try() {
    let candidates: String = (0..1000)
        .map(|n| {
            let (third, fourth) = (n / 250, n % 250);
            format!("a=candidate:{n} 1 udp 1 10.0.{third}.{fourth} 9{fourth} typ host\r\n")
        })
        .collect();
    let crowd = good().replace("a=mid:0\r\n", &format!("a=mid:0\r\n{candidates}"));
    assert!(crowd.len() < SDP_LIMIT);
    let checked = Checked::of(&crowd).unwrap();
    assert_eq!(checked.sdp.matches("a=candidate:").count(), CANDIDATE_LIMIT);
    let named = "a=candidate:1 1 udp 1 ef16ec84.local 5000 typ host\r\na=end-of-candidates\r\n";
    let hidden = good().replace("a=mid:0\r\n", &format!("a=mid:0\r\n{named}"));
    assert_eq!(Checked::of(&hidden).unwrap().sdp, Checked::of(&good()).unwrap().sdp);
}

#[test]
fn candidates_stand_where_the_bundle_s_transport_is_made() {
    let candidate = "a=candidate:1 1 udp 1 10.0.0.7 5000 typ host\r\n";
    let offer = format!("{SESSION}a=group:BUNDLE 0 1 2\r\n{}{candidate}", audio(0));
    let offer = format!("{offer}{}{}", video(1), data(2));
    let checked = Checked::of(&offer).unwrap();
    let video = checked.sdp.split("m=").find(|section| section.starts_with("video")).unwrap();
    assert!(video.contains(candidate));
}

proptest! {
    #[test]
    fn a_damaged_offer_is_judged_without_panic(
        cut in 0_usize..2000, noise in "\\PC{0,40}", lines in 0_usize..40,
    ) {
        let mut text = good();
        text.insert_str(cut.min(text.len()), &noise);
        let _ = Checked::of(&text);
        let some: Vec<&str> = text.lines().take(lines).collect();
        if let Ok(checked) = Checked::of(&some.join("\r\n")) {
            // What is let through can be judged again and says the same.
            prop_assert_eq!(Checked::of(&checked.sdp).unwrap().video, checked.video);
        }
    }

    #[test]
    fn bytes_are_no_offer(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Checked::of(&String::from_utf8_lossy(&bytes)).is_err());
    }
}
