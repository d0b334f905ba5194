//! Flow B: an offer becomes a picture.
//!
//! [`Sessions::offer`] checks the text ([`offer`], pure), the one [`owner`] task
//! lets the viewer in ([`table`], [`connection`], pure), builds its pipeline on
//! a blocking thread ([`viewer`]) and gives back the answer. When ICE and DTLS
//! are up, the camera's pictures flow into the viewer's pipeline, and predictions
//! through its outbox ([`outbox`], pure) into its data channel ([`link`]).

mod adaptation;
pub mod association;
#[cfg(test)]
mod association_tests;
mod candidate;
mod channel;
mod congestion;
mod connection;
mod error;
mod figures;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod ice;
mod id;
mod keepalive;
mod link;
mod live;
mod liveness;
mod loss_based;
mod messages;
mod meter;
mod offer;
mod outbox;
mod owner;
mod post;
mod recent;
mod repeats;
mod report;
mod sdp;
mod seldom;
mod session;
mod shell;
mod signals;
mod stamp;
mod table;
mod timeline;
mod told;
mod traffic;
mod transcript;
mod trickle;
mod viewer;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;

use gstreamer::ClockTime;
use serde::Serialize;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::camera::Camera;
use crate::clock::Clock;
use crate::config;
use crate::recognition::Prediction;

pub use adaptation::Cause;
pub use candidate::CANDIDATE_LIMIT;
pub use connection::Loss;
pub use error::{NotFound, OfferError};
pub use figures::Pair;
pub(crate) use ice::configure as configure_ice;
pub use id::{ConnectionId, NoId, SessionId};
pub use offer::SDP_LIMIT;
pub use outbox::{OUTBOX_BYTES, OUTBOX_TIME};
pub use report::{Channels, ConnectionReport, Ended, Entered, Moment, SessionReport};
pub use session::Phase;
pub use timeline::Part;
pub use trickle::{FRAGMENT_LIMIT, TrickleError};
pub use viewer::ViewerError;

use owner::{Owner, Request};
use table::Wish;
use trickle::Fragment;

/// Offers and closings that wait for the owner, which takes each in microseconds.
const REQUEST_LIMIT: usize = 64;

/// Handle on the owner of all viewers. When the last handle is dropped, all
/// connections end.
#[derive(Clone, Debug)]
pub struct Sessions {
    requests: mpsc::Sender<Request>,
    status: watch::Receiver<Status>,
    camera_names: Arc<[String]>,
    ticked: watch::Receiver<Option<ClockTime>>,
    followed: Arc<watch::Sender<Followed>>,
}

/// What of the configuration may change while viewers look.
#[derive(Clone, Debug)]
struct Followed {
    limits: config::Sessions,
    ice: config::Ice,
    encoder: config::Encoder,
}

/// What of the configuration the sessions follow.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Their limits.
    pub limits: config::Sessions,
    /// How connections find a path.
    pub ice: config::Ice,
    /// What pictures are encoded with.
    pub encoder: config::Encoder,
}

/// What a peer wants.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    /// Its session description.
    pub sdp: String,
    /// Name of a camera; `None` is the first.
    pub camera: Option<String>,
    /// Session to go on with; an unknown one means a new one.
    pub session: Option<String>,
    /// Who is logged in; only the same may use or end the session.
    pub login: Option<String>,
    /// The host that asks, or its network.
    pub origin: Option<std::net::IpAddr>,
}

/// What a peer gets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// Our session description with all of our candidates.
    pub sdp: String,
    /// Its session.
    pub session: SessionId,
    /// Its connection.
    pub connection: ConnectionId,
}

/// What the sessions' owner publishes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = SessionsStatus)]
pub struct Status {
    /// Places taken.
    pub viewers: usize,
    /// Places there are.
    pub max_viewers: usize,
    /// Places that there have been at most.
    #[serde(skip)]
    most_viewers: usize,
    /// Sessions that wait for their viewer to come back; they take no place.
    pub kept: usize,
    /// Kept sessions whose viewer did not come back in time, since start.
    pub expired: u64,
    /// Connections, also those that are being torn down.
    pub connections: usize,
    /// Offers answered since start.
    pub answered: u64,
    /// Connections that came up, since start.
    pub connected: u64,
    /// Connections that could not go on, since start, by reason.
    pub lost: BTreeMap<Loss, u64>,
    /// Offers that passed the checks and got no answer, since start.
    pub failed: u64,
    /// Offers refused because every place was taken, since start.
    pub refused_at_capacity: u64,
    /// Keepalives that pages answered, since start.
    pub keepalives_answered: u64,
    /// Predictions that were too old before there was room for them, since start.
    pub predictions_dropped: u64,
    /// Predictions that came faster than they could be handed on, since start.
    pub predictions_missed: u64,
    /// Messages that a data channel refused, ours and theirs, since start.
    pub messages_refused: u64,
    /// Pipelines that did not stop in time, since start.
    pub teardowns_stuck: u64,
    /// Of these, those that still have not stopped.
    pub parked: usize,
    /// Each viewer, as it was at the last second.
    pub sessions: Vec<SessionReport>,
    /// The last connections that ended, the newest at last.
    #[serde(skip)]
    pub ended: Vec<Ended>,
}

impl Status {
    /// There are so many places from now on.
    fn set_places(&mut self, places: usize) {
        self.max_viewers = places;
        self.most_viewers = self.most_viewers.max(places);
    }

    /// Whether so many pipelines hang that no viewer is let in: each keeps its thread and its
    /// memory. Fewer places harm nobody, so that they are no reason to start again.
    #[must_use]
    pub fn is_clogged(&self) -> bool {
        self.parked >= self.most_viewers * table::CONNECTIONS_PER_PLACE
    }
}

impl Sessions {
    /// Starts the owner on the present tokio runtime. `predictions` are those of
    /// the first camera.
    ///
    /// # Panics
    /// Outside a runtime.
    #[must_use]
    pub fn start(
        cameras: Vec<Camera>,
        predictions: &broadcast::Sender<Arc<Prediction>>,
        settings: Settings,
        clock: Clock,
    ) -> Self {
        let camera_names = cameras.iter().map(|camera| camera.name().to_owned()).collect();
        let (requests, served) = mpsc::channel(REQUEST_LIMIT);
        let Settings { limits, ice, encoder } = settings.clone();
        let now = Followed { limits, ice, encoder };
        let (following, followed) = watch::channel(now);
        let (owner, posted) = Owner::new(cameras, settings, followed, clock);
        let (status, ticked) = (owner.status(), owner.ticked());
        tokio::spawn(owner.run(posted, served, predictions.subscribe()));
        Self { requests, status, camera_names, ticked, followed: Arc::new(following) }
    }

    /// Answers an offer. Waits for the viewer's pipeline: some 10 ms, or 300 ms
    /// with ICE servers that are silent.
    ///
    /// # Errors
    /// The offer is not one that we can serve, every place is taken, or the
    /// pipeline fails.
    pub async fn offer(&self, offer: Offer) -> Result<Answer, OfferError> {
        if self.camera_names.is_empty() {
            return Err(OfferError::Unavailable("there is no camera"));
        }
        let camera = offer.camera.as_deref().map(|name| self.camera(name)).transpose()?;
        let checked = Box::new(offer::Checked::of(&offer.sdp)?);
        let session = offer.session.and_then(|id| id.parse().ok());
        let wish = Wish { session, login: offer.login, camera, origin: offer.origin };
        let (reply, answer) = oneshot::channel();
        self.requests
            .try_send(Request::Offer { offer: checked, wish, reply })
            .map_err(|_| OfferError::Unavailable("too many offers at once"))?;
        answer.await.map_err(|_| OfferError::Unavailable("the program is ending"))?
    }

    /// The newest connection of a session, whose candidates a WHEP client sends.
    ///
    /// # Errors
    /// There is no such session of this login, or it waits for its viewer.
    pub async fn newest(&self, id: &str, login: Option<String>) -> Result<ConnectionId, NotFound> {
        let id = id.parse().map_err(|_| NotFound)?;
        let (reply, newest) = oneshot::channel();
        self.requests.send(Request::Newest { id, login, reply }).await.map_err(|_| NotFound)?;
        newest.await.map_err(|_| NotFound)?
    }

    /// Tries the candidates of a fragment (`application/trickle-ice-sdpfrag`), at
    /// most [`CANDIDATE_LIMIT`] of a connection in all, the offer's included.
    ///
    /// # Errors
    /// The text is no fragment or restarts ICE, or there is no such connection of
    /// this login.
    pub async fn trickle(
        &self,
        connection: ConnectionId,
        login: Option<String>,
        fragment: &str,
    ) -> Result<(), TrickleError> {
        self.try_candidates(connection, login, Fragment::parse(fragment)?).await
    }

    /// Tries one candidate in the form of `RTCIceCandidate`; an empty one says that
    /// there will be no more.
    ///
    /// # Errors
    /// The text is no candidate, or there is no such connection of this login.
    pub async fn candidate(
        &self,
        connection: &str,
        login: Option<String>,
        candidate: &str,
    ) -> Result<(), TrickleError> {
        let connection = connection.parse().map_err(|_| NotFound)?;
        self.try_candidates(connection, login, Fragment::of_candidate(candidate)?).await
    }

    async fn try_candidates(
        &self,
        connection: ConnectionId,
        login: Option<String>,
        fragment: Fragment,
    ) -> Result<(), TrickleError> {
        let (reply, taken) = oneshot::channel();
        let request = Request::Trickle { connection, login, fragment, reply };
        self.requests.send(request).await.map_err(|_| NotFound)?;
        taken.await.map_err(|_| NotFound)?
    }

    /// Ends a session with all its connections; they are torn down after this
    /// returns.
    ///
    /// # Errors
    /// There is no such session of this login.
    pub async fn close(&self, id: &str, login: Option<String>) -> Result<(), NotFound> {
        let id = id.parse().map_err(|_| NotFound)?;
        let (reply, closed) = oneshot::channel();
        self.requests.send(Request::Close { id, login, reply }).await.map_err(|_| NotFound)?;
        closed.await.map_err(|_| NotFound)?
    }

    /// Ends all sessions of these logins; they end after this returns.
    pub async fn close_logins(&self, logins: Vec<String>) {
        if !logins.is_empty() {
            // An owner that is gone has already ended them.
            let _ = self.requests.send(Request::CloseLogins(logins)).await;
        }
    }

    /// Ends all sessions and waits until their pipelines are torn down.
    pub async fn stop(&self) {
        // An owner that is gone has already torn everything down.
        let _ = self.requests.send(Request::Stop).await;
        self.requests.closed().await;
    }

    /// Lets the viewers' networks be followed within other limits of the bit rate from
    /// the owner's next tick on, and takes other limits of the viewers; connections stay.
    /// A keepalive, a buffer's limit and the ways to find a path are those of viewers that
    /// connect from then on.
    /// The cameras are told first ([`Camera::set_bounds`]).
    pub fn follow(&self, settings: Settings) {
        let Settings { limits, ice, encoder } = settings;
        self.followed.send_replace(Followed { limits, ice, encoder });
    }

    /// The published state.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Running time of the owner's last tick, of which there are ten a second;
    /// none before its first.
    #[must_use]
    pub fn ticked(&self) -> Option<ClockTime> {
        *self.ticked.borrow()
    }

    fn camera(&self, name: &str) -> Result<usize, OfferError> {
        self.camera_names.iter().position(|known| known == name).ok_or_else(|| {
            OfferError::UnknownCamera { name: name.to_owned(), known: self.camera_names.join(", ") }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipelines_that_hang_clog_when_there_are_as_many_as_connections_at_once() {
        let bound = 16 * table::CONNECTIONS_PER_PLACE;
        let mut status = Status::default();
        status.set_places(16);
        status.parked = bound - 1;
        assert!(!status.is_clogged());
        status.parked = bound;
        assert!(status.is_clogged());
        status.parked = bound - 1;
        status.set_places(1);
        assert!(!status.is_clogged(), "viewers that are there stay");
    }
}
