//! What an offer must be before webrtcbin sees it, and what we take from it.
//!
//! The result is not the peer's text but one written again from its lines: only
//! the video and data sections that we use, and only candidates that we try.

use std::fmt::Write;

use super::OfferError;
use super::candidate::{CANDIDATE_LIMIT, acceptable};
use super::sdp::{Line, Media, Sdp};
use super::told::told;
use crate::camera::Form;

/// Longest offer: Chromium's, with all its codecs, has about 6 KiB.
pub const SDP_LIMIT: usize = 64 * 1024;

/// Most media sections: a page needs two; each further one costs webrtcbin a
/// transceiver only to be rejected.
pub const SECTION_LIMIT: usize = 8;

/// Header extension of transport-wide congestion control.
pub(super) const TRANSPORT_CC: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// An offer that a viewer's pipeline can answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Checked {
    /// What webrtcbin gets.
    pub sdp: String,
    /// What the payloader must follow.
    pub video: Video,
    pub channels: Channels,
    /// What candidates that come later must follow.
    pub ice: Ice,
    /// Sections that webrtcbin does not see.
    unseen: Vec<Unseen>,
    /// Media identifications of the offer's bundle.
    bundle: Vec<String>,
}

/// A section that webrtcbin does not see.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Unseen {
    /// Its place among all sections.
    index: usize,
    /// What the answer says to it, without the transport.
    answer: String,
    /// Its media identification, if it is accepted and stays silent.
    silent: Option<String>,
}

/// Whether an offer has a section for data channels.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Channels {
    Offered,
    Absent,
}

/// The peer's end of the bundle's transport.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Ice {
    pub ufrag: String,
    pub password: String,
    /// Values of the `a=candidate` lines that webrtcbin gets.
    pub candidates: Vec<String>,
    /// Index of the transport's section in what webrtcbin gets.
    pub section: u32,
}

/// What the peer wants to receive.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Video {
    /// Payload type of the chosen format.
    pub payload_type: u8,
    pub format: Format,
    /// Id of the header extension that numbers packets for the peer's feedback.
    pub transport_cc: Option<u8>,
}

/// What the peer's decoder takes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Format {
    /// RFC 6184, with its `profile-level-id`, which the answer repeats.
    H264 { profile: Option<String> },
    /// RFC 7741, for who has no H.264.
    Vp8,
}

impl Format {
    /// What a viewer with it begins with.
    pub fn form(&self) -> Form {
        match self {
            Self::H264 { .. } => Form::Full,
            Self::Vp8 => Form::Vp8,
        }
    }
}

impl Checked {
    /// Judges the text of an offer.
    pub fn of(text: &str) -> Result<Self, OfferError> {
        if text.trim().is_empty() {
            return Err(OfferError::Empty);
        }
        if text.len() > SDP_LIMIT {
            return Err(OfferError::TooLong { limit: SDP_LIMIT });
        }
        let sdp = Sdp::parse(text)?;
        let count = sdp.media.len();
        if count > SECTION_LIMIT {
            return Err(OfferError::TooManySections { count, limit: SECTION_LIMIT });
        }
        let video = video_section(&sdp)?;
        let data = sdp.media.iter().position(|media| media.kind == "application" && used(media));
        let kept: Vec<usize> = [Some(video), data].into_iter().flatten().collect();
        require(&sdp, &kept)?;
        let chosen = Video::of(&sdp.media[video])?;
        let candidates = candidates(&sdp);
        Ok(Self {
            sdp: rewrite(&sdp, &kept, &candidates),
            video: chosen,
            channels: if data.is_some() { Channels::Offered } else { Channels::Absent },
            ice: Ice::of(&sdp, &kept, &candidates),
            unseen: sdp
                .media
                .iter()
                .enumerate()
                .filter(|(index, _)| !kept.contains(index))
                .map(|(index, media)| Unseen::of(&sdp, index, media))
                .collect(),
            bundle: sdp.bundle().unwrap_or_default().into_iter().map(str::to_owned).collect(),
        })
    }

    /// The answer for the peer, from webrtcbin's answer to the sections it saw.
    pub fn complete(&self, answer: &str) -> String {
        let mut cuts: Vec<usize> = answer.match_indices("\r\nm=").map(|(at, _)| at + 2).collect();
        cuts.push(answer.len());
        let session = &answer[..cuts[0]];
        let mut sections: Vec<String> =
            cuts.windows(2).map(|cut| answer[cut[0]..cut[1]].to_owned()).collect();
        let seen = sections.first().cloned().unwrap_or_default();
        for unseen in &self.unseen {
            let place = unseen.index.min(sections.len());
            let names = if unseen.silent.is_some() { &TRANSPORT[..] } else { &TRANSPORT[..4] };
            sections.insert(place, format!("{}{}", unseen.answer, attributes(&seen, names)));
        }
        format!("{}{}", self.with_silent(session), sections.concat())
    }

    /// The answer's session part with the silent sections in its bundle, in the offer's order.
    fn with_silent(&self, session: &str) -> String {
        const GROUP: &str = "a=group:BUNDLE ";
        let Some(line) = session.lines().find(|line| line.starts_with(GROUP)) else {
            return session.to_owned();
        };
        let accepted: Vec<&str> = line[GROUP.len()..].split_ascii_whitespace().collect();
        let silent = |mid: &str| self.unseen.iter().any(|one| one.silent.as_deref() == Some(mid));
        let mids = self.bundle.iter().map(String::as_str);
        let mids: Vec<&str> = mids.filter(|mid| accepted.contains(mid) || silent(mid)).collect();
        session.replace(line, &format!("{GROUP}{}", mids.join(" ")))
    }
}

/// A section with port 0 is rejected by its sender, unless it shares another's port.
fn used(media: &Media) -> bool {
    media.port != "0" || media.has("bundle-only")
}

fn video_section(sdp: &Sdp) -> Result<usize, OfferError> {
    let of_video = |media: &&Media| media.kind == "video" && used(media);
    if !sdp.media.iter().any(|media| of_video(&media)) {
        return Err(OfferError::NoVideo);
    }
    // The session's direction holds for sections without one of their own.
    let receives = |media: &Media| {
        let own = ["sendrecv", "recvonly"].iter().any(|direction| media.has(direction));
        own || !["sendonly", "inactive"].iter().any(|no| sdp.attribute(media, no).is_some())
    };
    sdp.media
        .iter()
        .position(|media| of_video(&media) && receives(media))
        .ok_or(OfferError::NotReceiving)
}

/// What webrtcbin takes for granted in the sections that it sees.
fn require(sdp: &Sdp, kept: &[usize]) -> Result<(), OfferError> {
    let transports = [("UDP/TLS/RTP/SAVPF", "RTP/SAVP"), ("UDP/DTLS/SCTP", "DTLS/SCTP")];
    let bundle = sdp.bundle().unwrap_or_default();
    let mut seen: Vec<&str> = Vec::new();
    for (index, (whole, protocol)) in kept.iter().zip(transports) {
        let media = &sdp.media[*index];
        let missing = |what| Err(OfferError::Incomplete { section: media.kind.to_owned(), what });
        for (name, what, fits) in ATTRIBUTES {
            if !sdp.attribute(media, name).is_some_and(fits) {
                return missing(what);
            }
        }
        if !media.protocol.contains(protocol) {
            return missing(whole);
        }
        if media.kind == "application" && !sdp.attribute(media, "sctp-port").is_some_and(is_port) {
            return missing("a=sctp-port");
        }
        let Some(mid) = mid(media).filter(|mid| !seen.contains(mid)) else {
            return missing("a=mid of its own");
        };
        if !bundle.contains(&mid) {
            return missing("place in a=group:BUNDLE");
        }
        seen.push(mid);
    }
    Ok(())
}

/// What each kept section has, itself or from the session: name, how it is told,
/// and whether a value is one.
const ATTRIBUTES: [(&str, &str, Fits); 5] = [
    ("mid", "a=mid", is_word),
    // RFC 8839, 5.4; the letters differ among implementations.
    ("ice-ufrag", "a=ice-ufrag of 4 to 256 letters", |text| is_word(text) && text.len() >= 4),
    ("ice-pwd", "a=ice-pwd of 22 to 256 letters", |text| is_word(text) && text.len() >= 22),
    ("fingerprint", "a=fingerprint (sha-256 and bytes in hexadecimal)", is_fingerprint),
    ("setup", "a=setup:actpass, active or passive", |text| {
        ["actpass", "active", "passive"].contains(&text)
    }),
];

type Fits = fn(&str) -> bool;

fn is_word(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port > 0)
}

/// RFC 8122, 5: `sha-256 1E:B1:..`.
fn is_fingerprint(text: &str) -> bool {
    let byte = |hex: &str| hex.len() == 2 && hex.bytes().all(|digit| digit.is_ascii_hexdigit());
    text.split_once(' ')
        .is_some_and(|(algorithm, bytes)| is_word(algorithm) && bytes.split(':').all(byte))
}

impl Video {
    /// The format whose stream the camera's encoders make: H.264 before VP8, because
    /// one encoder then serves all; constrained baseline before plain baseline, the
    /// higher level before the lower.
    fn of(video: &Media) -> Result<Self, OfferError> {
        let formats = || {
            video.formats.iter().filter_map(|format| {
                let encoding = video.encoding(format)?;
                let payload_type: u8 = format.parse().ok().filter(is_dynamic)?;
                Some((*format, encoding, payload_type))
            })
        };
        let h264 = formats().filter_map(|(format, encoding, payload_type)| {
            let profile = profile(video.parameters(format))?;
            let fits = encoding.eq_ignore_ascii_case("H264/90000");
            fits.then_some((rank(profile)?, payload_type, profile))
        });
        // max_by_key takes the last of equals; the peer put the better one first.
        let best = h264.collect::<Vec<_>>().into_iter().rev().max_by_key(|(rank, ..)| *rank);
        let transport_cc = transport_cc(video);
        if let Some((_, payload_type, profile)) = best {
            let format = Format::H264 { profile: profile.map(str::to_owned) };
            return Ok(Self { payload_type, format, transport_cc });
        }
        let vp8 = formats().find(|(_, encoding, _)| encoding.eq_ignore_ascii_case("VP8/90000"));
        let (_, _, payload_type) = vp8.ok_or(OfferError::NoCodec)?;
        Ok(Self { payload_type, format: Format::Vp8, transport_cc })
    }
}

impl Ice {
    /// Of the section that the bundle's transport is made from, which has passed
    /// [`require`].
    fn of(sdp: &Sdp, kept: &[usize], candidates: &[&str]) -> Self {
        let all = sdp.media.iter().enumerate().filter(|(index, _)| kept.contains(index));
        let sections: Vec<&Media> = all.map(|(_, media)| media).collect();
        let bundle = sdp.bundle().unwrap_or_default();
        let named = |name: &&str| sections.iter().position(|media| mid(media) == Some(*name));
        let section = bundle.iter().find_map(named).unwrap_or_default();
        let value = |name| sdp.attribute(sections[section], name).unwrap_or_default().to_owned();
        Self {
            ufrag: value("ice-ufrag"),
            password: value("ice-pwd"),
            candidates: candidates.iter().map(|value| (*value).to_owned()).collect(),
            section: section as u32,
        }
    }
}

/// Payload types without a meaning of their own (RFC 3551, 6), without those that
/// RTCP packets look like (RFC 5761, 4). webrtcbin refuses 0.
fn is_dynamic(payload_type: &u8) -> bool {
    matches!(payload_type, 35..=63 | 96..=127)
}

/// The `profile-level-id` among H.264's parameters (RFC 6184, 8.1), where there
/// is `packetization-mode=1`, without which a picture must fit a packet.
fn profile(parameters: &str) -> Option<Option<&str>> {
    let pairs = || parameters.split(';').filter_map(|pair| pair.trim().split_once('='));
    let value = |name: &str| {
        pairs().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    (value("packetization-mode") == Some("1")).then(|| value("profile-level-id"))
}

/// Whether a baseline profile is constrained, and its level; none means baseline
/// at level 1. `None` for other profiles.
fn rank(profile: Option<&str>) -> Option<(bool, u8)> {
    let Some(profile) = profile else { return Some((false, 10)) };
    let bits = u32::from_str_radix(profile, 16).ok().filter(|_| profile.len() == 6)?;
    let [_, idc, constraints, level] = bits.to_be_bytes();
    // constraint_set1_flag makes baseline constrained.
    (idc == 0x42).then_some((constraints & 0x40 != 0, level))
}

fn transport_cc(video: &Media) -> Option<u8> {
    video.attributes("extmap").find_map(|value| {
        let mut words = value.split_ascii_whitespace();
        // The id may carry a direction: "4/recvonly".
        let id = words.next()?.split('/').next()?.parse().ok();
        // One-byte header extensions, the only ones our packets carry (RFC 8285).
        id.filter(|id| (1..=14).contains(id) && words.next() == Some(TRANSPORT_CC))
    })
}

/// The first of the peer's candidates, over all sections: they share one transport.
fn candidates<'a>(sdp: &Sdp<'a>) -> Vec<&'a str> {
    let all = sdp.media.iter().flat_map(|media| media.attributes("candidate"));
    let mut kept: Vec<&str> = Vec::new();
    for candidate in all.filter(|candidate| acceptable(candidate)) {
        if kept.len() < CANDIDATE_LIMIT && !kept.contains(&candidate) {
            kept.push(candidate);
        }
    }
    kept
}

/// Writes the offer again with the sections in `kept` only, and `candidates` in
/// the one that the bundle's transport is made from. webrtcbin would not reject
/// the others: even with port 0 it answers audio with a transport of its own.
fn rewrite(sdp: &Sdp, kept: &[usize], candidates: &[&str]) -> String {
    let sections = || sdp.media.iter().enumerate().filter(|(k, _)| kept.contains(k));
    let mids: Vec<&str> = sections().filter_map(|(_, media)| mid(media)).collect();
    let bundle = sdp.bundle().unwrap_or_default().into_iter().filter(|mid| mids.contains(mid));
    let bundle: Vec<&str> = bundle.collect();
    let mut text = String::new();
    // Nobody needs the others, and webrtcbin refuses an offer with a key (k=).
    sdp.session.iter().filter(|line| "vostca".contains(line.kind)).for_each(|l| tell(&mut text, l));
    push(&mut text, 'a', &format!("group:BUNDLE {}", bundle.join(" ")));
    for (_, media) in sections() {
        let Media { kind, protocol, formats, .. } = media;
        // A section that shared the port of one that we reject needs one of its own.
        push(&mut text, 'm', &format!("{kind} 9 {protocol} {}", formats.join(" ")));
        media.lines.iter().filter(|line| "ca".contains(line.kind)).for_each(|l| tell(&mut text, l));
        if mid(media) == bundle.first().copied() {
            candidates.iter().for_each(|value| push(&mut text, 'a', &format!("candidate:{value}")));
        }
    }
    text
}

fn tell(text: &mut String, line: &Line) {
    match line.kind {
        'a' => told(line.value).into_iter().for_each(|value| push(text, 'a', &value)),
        kind => push(text, kind, line.value),
    }
}

impl Unseen {
    /// There is no sound, and everything else is rejected (RFC 3264, 6).
    fn of(sdp: &Sdp, index: usize, media: &Media) -> Self {
        let Media { kind, protocol, formats, .. } = media;
        let silent = silent(sdp, media);
        let (port, taken) = silent.map_or((0, formats.join(" ")), |format| (9, format.to_owned()));
        let mut text = String::new();
        push(&mut text, 'm', &format!("{kind} {port} {protocol} {taken}"));
        push(&mut text, 'c', "IN IP4 0.0.0.0");
        if let Some((format, encoding)) = silent.and_then(|f| Some((f, media.encoding(f)?))) {
            push(&mut text, 'a', "rtcp-mux");
            push(&mut text, 'a', &format!("rtpmap:{format} {encoding}"));
        }
        push(&mut text, 'a', "inactive");
        let mid = mid(media);
        mid.into_iter().for_each(|mid| push(&mut text, 'a', &format!("mid:{mid}")));
        Self { index, answer: text, silent: silent.and(mid).map(str::to_owned) }
    }
}

/// The format in which a section for sound is accepted and stays silent. Rejected, it would
/// make GStreamer's whepsrc offer again without end: its webrtcbin goes on looking for somebody
/// who takes it.
fn silent<'a>(sdp: &Sdp, media: &Media<'a>) -> Option<&'a str> {
    let name = mid(media)?;
    let alone = sdp.media.iter().filter(|other| mid(other) == Some(name)).count() == 1;
    let bundled = alone && sdp.bundle().unwrap_or_default().contains(&name);
    let sound = media.kind == "audio" && media.protocol.contains("RTP/SAVP");
    let format = media.formats.first().copied()?;
    let known = media.encoding(format).is_some();
    (sound && known && bundled && used(media) && media.has("rtcp-mux")).then_some(format)
}

/// What a section says of its transport. webrtcbin, as a player has it, wants all but the
/// candidates in every section, rejected or not ("No fingerprint lines in sdp for media 0");
/// Chromium wants the candidates in the first one of the bundle.
const TRANSPORT: [&str; 5] = ["ice-ufrag", "ice-pwd", "fingerprint", "setup", "candidate"];

/// Lines of a section with attributes of these names.
fn attributes(section: &str, names: &[&str]) -> String {
    let named = |line: &&str| {
        let name = line.strip_prefix("a=").and_then(|value| value.split_once(':'));
        name.is_some_and(|(name, _)| names.contains(&name))
    };
    section.split_inclusive("\r\n").filter(named).collect()
}

fn mid<'a>(media: &Media<'a>) -> Option<&'a str> {
    media.attributes("mid").next()
}

fn push(text: &mut String, kind: char, value: &str) {
    // Writing to a String cannot fail.
    let _ = write!(text, "{kind}={value}\r\n");
}

#[cfg(test)]
#[path = "offer_tests.rs"]
mod tests;
