//! What can be wrong with an offer or a request, in the operator's words.

use thiserror::Error;

use super::{ConnectionId, ViewerError};

/// Why an offer got no answer.
#[derive(Debug, Error)]
pub enum OfferError {
    /// The body has no text.
    #[error("the offer is empty")]
    Empty,
    /// Larger than [`super::offer::SDP_LIMIT`].
    #[error("the offer is longer than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// A line that is no SDP.
    #[error("line {line} of the offer is not SDP")]
    NotSdp {
        /// Counted from 1.
        line: usize,
    },
    /// More than [`super::offer::SECTION_LIMIT`] media sections.
    #[error("the offer has {count} media sections; at most {limit} are accepted")]
    TooManySections {
        /// Number of `m=` lines.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// No `m=video` line that is in use.
    #[error("the offer has no video section")]
    NoVideo,
    /// The peer only wants to send.
    #[error("the offer does not receive video (a=sendonly or a=inactive)")]
    NotReceiving,
    /// Nothing that the camera's encoders make.
    #[error("the offer has neither H.264 baseline with packetization-mode=1 nor VP8")]
    NoCodec,
    /// Something without which there is no connection.
    #[error("the offer's {section} section has no {what}")]
    Incomplete {
        /// "video" or "application".
        section: String,
        /// The attribute, such as "a=ice-ufrag".
        what: &'static str,
    },
    /// No camera of this name.
    #[error("no camera is named {name:?}; there are: {known}")]
    UnknownCamera {
        /// As asked for.
        name: String,
        /// Names, separated by commas.
        known: String,
    },
    /// Its capture was stopped on request.
    #[error("camera {camera} is stopped")]
    Stopped {
        /// Its name.
        camera: String,
    },
    /// All places are taken.
    #[error("all {limit} places for viewers are taken")]
    AtCapacity {
        /// `sessions.max_viewers`.
        limit: usize,
    },
    /// The viewer's pipeline could not answer.
    #[error("the viewer's pipeline could not answer the offer")]
    Viewer(#[source] ViewerError),
    /// The connection ended before its answer was ready.
    #[error("connection {0} was closed before its answer was ready")]
    Abandoned(ConnectionId),
    /// As many pipelines of former viewers hang as there is room for.
    #[error("no sessions are taken: too many pipelines of former viewers do not stop")]
    Clogged,
    /// The program is ending, or the kernel gives no random bytes.
    #[error("no sessions are taken: {0}")]
    Unavailable(&'static str),
}

/// What to do about an offer that was changed on its way, or never a browser's.
pub(super) const AS_IT_IS: &str =
    "send the text of RTCPeerConnection.localDescription.sdp as it is";

impl OfferError {
    /// What the sender of the offer can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Empty | Self::NotSdp { .. } => AS_IT_IS,
            Self::TooLong { .. } => "send fewer codecs or candidates; the answer needs few of them",
            Self::TooManySections { .. } => {
                "offer one video section and one for data channels in a new RTCPeerConnection"
            }
            Self::NoVideo => "add pc.addTransceiver('video', {direction: 'recvonly'})",
            Self::NotReceiving => "set the video transceiver's direction to recvonly",
            Self::NoCodec => {
                "use a browser with H.264 or VP8, or open /api/v1/stream.mjpeg, which needs neither"
            }
            Self::Incomplete { .. } => {
                "offer with DTLS, ICE and a=mid as every browser does (RFC 8829)"
            }
            Self::UnknownCamera { .. } => "leave the camera out to get the first one",
            Self::Stopped { .. } => "POST /api/v1/liveview/start, then offer again",
            Self::AtCapacity { .. } => {
                "close another viewer and try again, or raise sessions.max_viewers"
            }
            Self::Viewer(error) => error.hint(),
            Self::Abandoned(_) => "make a new offer",
            Self::Clogged => "restart signpost or the device; the log tells of each pipeline",
            Self::Unavailable(_) => "try again in a moment",
        }
    }
}

// Two failures of a pipeline are never compared; the rest by what they say.
impl PartialEq for OfferError {
    fn eq(&self, other: &Self) -> bool {
        !matches!(self, Self::Viewer(_)) && self.to_string() == other.to_string()
    }
}

/// No such session, or it belongs to another login.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("no such session")]
pub struct NotFound;
