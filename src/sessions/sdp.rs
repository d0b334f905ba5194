//! Session descriptions as lines (RFC 8866): just enough to judge an offer
//! before webrtcbin, which is C, sees it.

use super::OfferError;

/// A description cut into its session part and its media sections.
#[derive(Debug)]
pub(super) struct Sdp<'a> {
    pub session: Vec<Line<'a>>,
    pub media: Vec<Media<'a>>,
}

/// One line: `<kind>=<value>`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Line<'a> {
    pub kind: char,
    pub value: &'a str,
}

/// One `m=` section with the lines that follow it.
#[derive(Debug)]
pub(super) struct Media<'a> {
    /// "video", "audio", "application".
    pub kind: &'a str,
    pub port: &'a str,
    /// Such as "UDP/TLS/RTP/SAVPF".
    pub protocol: &'a str,
    /// Payload types, in the peer's order of preference.
    pub formats: Vec<&'a str>,
    pub lines: Vec<Line<'a>>,
}

impl<'a> Sdp<'a> {
    /// Cuts `text`, with CRLF or LF at the ends of lines; clients that are written by
    /// hand add empty ones at the end.
    pub fn parse(text: &'a str) -> Result<Self, OfferError> {
        let mut sdp = Self { session: Vec::new(), media: Vec::new() };
        for (index, raw) in text.trim_end_matches(['\r', '\n']).lines().enumerate() {
            let number = index + 1;
            let line = Line::parse(raw).ok_or(OfferError::NotSdp { line: number })?;
            if number == 1 && (line.kind, line.value) != ('v', "0") {
                return Err(OfferError::NotSdp { line: number });
            }
            if line.kind == 'm' {
                let media = Media::parse(line.value).ok_or(OfferError::NotSdp { line: number })?;
                sdp.media.push(media);
                continue;
            }
            match sdp.media.last_mut() {
                Some(media) => media.lines.push(line),
                None => sdp.session.push(line),
            }
        }
        Ok(sdp)
    }

    /// Value of a media section's attribute, or else the session's.
    pub fn attribute(&self, media: &Media<'a>, name: &str) -> Option<&'a str> {
        media.attributes(name).next().or_else(|| attributes(&self.session, name).next())
    }

    /// Media identifications of the first bundle group (RFC 9143).
    pub fn bundle(&self) -> Option<Vec<&'a str>> {
        attributes(&self.session, "group")
            .find_map(|group| group.strip_prefix("BUNDLE"))
            .map(|mids| mids.split_ascii_whitespace().collect())
    }
}

impl<'a> Line<'a> {
    /// Reads one line without its end.
    pub fn parse(raw: &'a str) -> Option<Self> {
        let (kind, value) = raw.split_once('=')?;
        let mut letters = kind.chars();
        let kind = letters.next().filter(char::is_ascii_lowercase)?;
        // A NUL would end the text for webrtcbin, but not for these checks.
        let clean = letters.next().is_none() && !value.chars().any(char::is_control);
        clean.then_some(Self { kind, value })
    }

    /// Name and value of an `a=` line; a flag has an empty value.
    pub fn attribute(&self) -> Option<(&'a str, &'a str)> {
        (self.kind == 'a').then(|| self.value.split_once(':').unwrap_or((self.value, "")))
    }
}

impl<'a> Media<'a> {
    fn parse(value: &'a str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let (kind, port, protocol) = (words.next()?, words.next()?, words.next()?);
        port.parse::<u16>().ok()?;
        Some(Self { kind, port, protocol, formats: words.collect(), lines: Vec::new() })
    }

    /// Values of all attributes of this name.
    pub fn attributes<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a str> + 's {
        attributes(&self.lines, name)
    }

    /// Whether the flag `a=<name>` stands here.
    pub fn has(&self, name: &str) -> bool {
        self.attributes(name).next().is_some()
    }

    /// Parameters of a format: `a=fmtp:<format> <parameters>`.
    pub fn parameters(&self, format: &str) -> &'a str {
        self.attributes("fmtp").find_map(|value| of_format(value, format)).unwrap_or("")
    }

    /// Encoding name and clock rate: `a=rtpmap:<format> <encoding>`.
    pub fn encoding(&self, format: &str) -> Option<&'a str> {
        self.attributes("rtpmap").find_map(|value| of_format(value, format))
    }
}

fn attributes<'a: 's, 's>(
    lines: &'s [Line<'a>],
    name: &'s str,
) -> impl Iterator<Item = &'a str> + 's {
    lines.iter().filter_map(Line::attribute).filter(move |(n, _)| *n == name).map(|(_, v)| v)
}

fn of_format<'a>(value: &'a str, format: &str) -> Option<&'a str> {
    value.split_once(' ').filter(|(of, _)| *of == format).map(|(_, rest)| rest.trim())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use proptest::prelude::*;

    const SMALL: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\na=group:BUNDLE 0 1\r\n\
        a=ice-ufrag:session\r\nm=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:0\r\n\
        a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=rtcp-mux\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=ice-ufrag:own\r\n";

    #[test]
    fn sections_attributes_and_formats_are_found() {
        let sdp = Sdp::parse(SMALL).unwrap();
        assert_eq!(sdp.bundle(), Some(vec!["0", "1"]));
        let video = &sdp.media[0];
        assert_eq!((video.kind, video.formats.as_slice()), ("video", &["96", "97"][..]));
        assert_eq!(video.encoding("96"), Some("H264/90000"));
        assert_eq!(video.encoding("9"), None);
        assert_eq!(video.parameters("96"), "packetization-mode=1");
        assert!(video.has("rtcp-mux") && !video.has("recvonly"));
        assert_eq!(sdp.attribute(video, "ice-ufrag"), Some("session"));
        assert_eq!(sdp.attribute(&sdp.media[1], "ice-ufrag"), Some("own"));
    }

    #[test]
    fn the_line_that_is_no_sdp_is_named() {
        let not_sdp = |text: &str| Sdp::parse(text).unwrap_err();
        assert_eq!(not_sdp("hello"), OfferError::NotSdp { line: 1 });
        assert_eq!(not_sdp("v=0\r\nm=video\r\n"), OfferError::NotSdp { line: 2 });
        assert_eq!(not_sdp("v=0\r\nm=video nine UDP 96\r\n"), OfferError::NotSdp { line: 2 });
        assert_eq!(not_sdp("v=0\r\na=x\0y\r\n"), OfferError::NotSdp { line: 2 });
        assert_eq!(not_sdp("v=1\r\n"), OfferError::NotSdp { line: 1 });
        assert_eq!(not_sdp("v=0\r\n\r\ns=-\r\n"), OfferError::NotSdp { line: 2 });
        assert_eq!(Sdp::parse(&format!("{SMALL}\r\n\r\n")).unwrap().media.len(), 2);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,200}", tail in "([a-z]=.{0,20}\r\n){0,10}") {
            let _ = Sdp::parse(&text);
            let _ = Sdp::parse(&format!("v=0\r\n{tail}"));
        }
    }
}
