//! Candidates that come after the offer (RFC 8840), and those that we try.

use thiserror::Error;

use super::NotFound;
use super::candidate::{CANDIDATE_LIMIT, acceptable};
use super::offer::Checked;
use super::sdp::Line;

/// Longest fragment, in bytes: [`CANDIDATE_LIMIT`] lines of a browser, with their
/// extensions, have about 6 KiB.
pub const FRAGMENT_LIMIT: usize = 16 * 1024;

/// Why candidates were not taken.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum TrickleError {
    /// The body has no text.
    #[error("the fragment is empty")]
    Empty,
    /// Larger than [`FRAGMENT_LIMIT`].
    #[error("the fragment is longer than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// A line that is not of RFC 8840's grammar.
    #[error("line {line} is not one of a fragment, which has lines a=.. and m=..")]
    NotFragment {
        /// Counted from 1.
        line: usize,
    },
    /// The text of an `RTCIceCandidate` starts otherwise.
    #[error("the candidate does not start with \"candidate:\"")]
    NotCandidate,
    /// User name and password are others than the offer's.
    #[error("the fragment restarts ICE, which this device does by a new connection")]
    Restart,
    /// No such connection.
    #[error(transparent)]
    NotFound(#[from] NotFound),
}

impl TrickleError {
    /// What the sender can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Empty | Self::NotFragment { .. } => {
                "send a=ice-ufrag, a=ice-pwd, m=, a=mid and a=candidate lines (RFC 8840)"
            }
            Self::TooLong { .. } => "send fewer candidates; a local address each is enough",
            Self::NotCandidate => "send RTCIceCandidate.toJSON() with the connection's id",
            Self::Restart => "DELETE this session and POST a new offer",
            Self::NotFound(_) => "the connection has ended; make a new offer",
        }
    }
}

/// What a peer adds to its offer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Fragment {
    /// Values of `a=ice-ufrag`.
    ufrags: Vec<String>,
    /// Values of `a=ice-pwd`.
    passwords: Vec<String>,
    /// Values of `a=candidate`, of all sections: they share one transport.
    candidates: Vec<String>,
}

impl Fragment {
    /// Reads the body of a PATCH. That there will be no more candidates is of no
    /// use: a peer that hides its address reaches us without any.
    pub fn parse(text: &str) -> Result<Self, TrickleError> {
        if text.len() > FRAGMENT_LIMIT {
            return Err(TrickleError::TooLong { limit: FRAGMENT_LIMIT });
        }
        let text = text.trim_end_matches(['\r', '\n']);
        if text.trim().is_empty() {
            return Err(TrickleError::Empty);
        }
        let mut fragment = Self::default();
        for (line, raw) in (1..).zip(text.lines()) {
            let parsed = Line::parse(raw).filter(|line| "am".contains(line.kind));
            match parsed.ok_or(TrickleError::NotFragment { line })?.attribute() {
                Some(("ice-ufrag", value)) => fragment.ufrags.push(value.to_owned()),
                Some(("ice-pwd", value)) => fragment.passwords.push(value.to_owned()),
                Some(("candidate", value)) => fragment.candidates.push(value.to_owned()),
                _ => {}
            }
        }
        Ok(fragment)
    }

    /// One candidate as `RTCIceCandidate` writes it; an empty one says that there
    /// will be no more.
    pub fn of_candidate(text: &str) -> Result<Self, TrickleError> {
        if text.len() > FRAGMENT_LIMIT {
            return Err(TrickleError::TooLong { limit: FRAGMENT_LIMIT });
        }
        if text.is_empty() {
            return Ok(Self::default());
        }
        let value = text.strip_prefix("a=").unwrap_or(text).strip_prefix("candidate:");
        let clean = value.filter(|value| !value.chars().any(char::is_control));
        let candidate = clean.ok_or(TrickleError::NotCandidate)?;
        Ok(Self { candidates: vec![candidate.to_owned()], ..Self::default() })
    }
}

/// Which candidates of one connection are tried.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Intake {
    ufrag: String,
    password: String,
    taken: Vec<String>,
}

impl Intake {
    /// Counts on from the offer's own candidates.
    pub fn of(offer: &Checked) -> Self {
        Self {
            ufrag: offer.ice.ufrag.clone(),
            password: offer.ice.password.clone(),
            taken: offer.ice.candidates.clone(),
        }
    }

    /// The candidates in `fragment` that are new and worth a try.
    pub fn take(&mut self, fragment: Fragment) -> Result<Vec<String>, TrickleError> {
        let others = fragment.ufrags.iter().any(|ufrag| *ufrag != self.ufrag)
            || fragment.passwords.iter().any(|password| *password != self.password);
        if others {
            return Err(TrickleError::Restart);
        }
        let mut new = Vec::new();
        for candidate in fragment.candidates {
            let room = self.taken.len() < CANDIDATE_LIMIT;
            if room && self.is_ours(&candidate) && !self.taken.contains(&candidate) {
                self.taken.push(candidate.clone());
                new.push(candidate);
            }
        }
        Ok(new)
    }

    /// Browsers name in each candidate the ICE session that it is for; one that is
    /// late for an older session leads nowhere.
    fn is_ours(&self, candidate: &str) -> bool {
        let mut words = candidate.split_ascii_whitespace();
        let named = words.find(|word| *word == "ufrag").and_then(|_| words.next());
        named.is_none_or(|ufrag| ufrag == self.ufrag) && acceptable(candidate)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use proptest::prelude::*;

    fn intake() -> Intake {
        let (ufrag, password) = ("EsAw".to_owned(), "P2uYro0UCOQ4zxjKXaWCBui1".to_owned());
        Intake { ufrag, password, taken: Vec::new() }
    }

    fn line(port: usize) -> String {
        format!("a=candidate:1 1 udp 2113937151 192.168.1.7 {port} typ host\r\n")
    }

    fn ports(taken: Vec<String>) -> Vec<u16> {
        let port = |text: &String| text.split(' ').nth(5).unwrap().parse().unwrap();
        taken.iter().map(port).collect()
    }

    #[test]
    fn fragments_with_and_without_sections_are_read() {
        // The example of RFC 8840, 9.2, shortened, with an address that we try.
        let whole = format!(
            "a=group:BUNDLE 0\r\na=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n\
             m=audio 9 RTP/AVP 0\r\na=mid:0\r\n{}a=end-of-candidates\r\n",
            line(5000)
        );
        for text in [whole.as_str(), &line(5000), &format!("{}\n\n", line(5000).trim_end())] {
            let taken = intake().take(Fragment::parse(text).unwrap());
            assert_eq!(ports(taken.unwrap()), [5000], "{text}");
        }
        let nothing = Fragment::parse("a=end-of-candidates\r\n").unwrap();
        assert_eq!(intake().take(nothing), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_fragment_is_told_with_its_line() {
        assert_eq!(Fragment::parse("\r\n"), Err(TrickleError::Empty));
        let text = format!("{}hello\r\n", line(1));
        assert_eq!(Fragment::parse(&text), Err(TrickleError::NotFragment { line: 2 }));
        assert_eq!(Fragment::parse("v=0\r\n"), Err(TrickleError::NotFragment { line: 1 }));
        assert_eq!(Fragment::parse("a=x\0\r\n"), Err(TrickleError::NotFragment { line: 1 }));
        let long = "a=x\r\n".repeat(FRAGMENT_LIMIT);
        let too_long = Err(TrickleError::TooLong { limit: FRAGMENT_LIMIT });
        assert_eq!(Fragment::parse(&long), too_long);
        assert_eq!(Fragment::of_candidate(&long), too_long);
        assert_eq!(Fragment::of_candidate("hello"), Err(TrickleError::NotCandidate));
        assert_eq!(Fragment::of_candidate("candidate:1\0"), Err(TrickleError::NotCandidate));
        assert_eq!(Fragment::of_candidate(""), Ok(Fragment::default()));
    }

    #[test]
    fn other_credentials_restart_and_the_same_do_not() {
        let pwd = "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1";
        let judge = |text: &str| intake().take(Fragment::parse(text).unwrap());
        assert_eq!(judge(&format!("a=ice-ufrag:EsAw\r\n{pwd}\r\n")), Ok(Vec::new()));
        assert_eq!(judge(&format!("a=ice-ufrag:New1\r\n{pwd}\r\n")), Err(TrickleError::Restart));
        assert_eq!(judge("a=ice-ufrag:EsAw\r\na=ice-pwd:x\r\n"), Err(TrickleError::Restart));
        let late = "m=video 9 X 0\r\na=mid:0\r\na=ice-ufrag:New1\r\n";
        assert_eq!(judge(&format!("{}{late}", line(1))), Err(TrickleError::Restart));
    }

    #[test]
    fn candidates_of_another_ice_session_and_repeated_ones_are_left_out() {
        let mut intake = intake();
        let named = |ufrag, port| format!("{} ufrag {ufrag}\r\n", line(port).trim_end());
        let text = named("EsAw", 1) + &named("Old1", 2) + &named("EsAw", 1) + &line(3);
        assert_eq!(ports(intake.take(Fragment::parse(&text).unwrap()).unwrap()), [1, 3]);
        let hidden = "candidate:1 1 udp 1 ef16ec84.local 5000 typ host";
        assert_eq!(intake.take(Fragment::of_candidate(hidden).unwrap()), Ok(Vec::new()));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,200}", tail in "([am]=.{0,40}\r\n){0,10}") {
            for text in [&text, &tail] {
                let _ = Fragment::parse(text).map(|fragment| intake().take(fragment));
                let _ = Fragment::of_candidate(text).map(|fragment| intake().take(fragment));
            }
        }

        #[test]
        fn never_more_than_the_limit_is_taken_and_nothing_twice(
            fragments in prop::collection::vec(prop::collection::vec(1_usize..60, 0..20), 0..20),
        ) {
            let mut intake = intake();
            let mut all = Vec::new();
            for ports in fragments {
                let text: String = ports.into_iter().map(line).collect();
                let Ok(fragment) = Fragment::parse(&text) else { continue };
                all.extend(intake.take(fragment).unwrap());
            }
            prop_assert!(all.len() <= CANDIDATE_LIMIT);
            prop_assert_eq!(&all, &intake.taken);
            let different: std::collections::HashSet<&String> = all.iter().collect();
            prop_assert_eq!(different.len(), all.len());
        }
    }
}
