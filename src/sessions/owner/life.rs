//! How a connection begins and how it ends.

use std::time::Duration;

use tokio::task::{JoinError, JoinHandle};

use super::Owner;
use crate::camera;
use crate::errors::chain;
use crate::sessions::adaptation::Adaptation;
use crate::sessions::congestion::{Congestion, Feedback};
use crate::sessions::connection::{Event as Life, Loss};
use crate::sessions::figures::Figures;
use crate::sessions::link::Link;
use crate::sessions::live::Live;
use crate::sessions::meter::{Counted, Meter};
use crate::sessions::offer::Checked;
use crate::sessions::post::Post;
use crate::sessions::report::{GONE_LIMIT, Gone};
use crate::sessions::signals::Calls;
use crate::sessions::table::{Todo, Wish};
use crate::sessions::timeline::{Part, Timeline};
use crate::sessions::trickle::Intake;
use crate::sessions::viewer::{Plan, Viewer};
use crate::sessions::work::{self, Done};
use crate::sessions::{Answer, ConnectionId, OfferError, SessionId, ViewerError};

impl Owner {
    pub(super) fn admit(
        &mut self,
        offer: &Checked,
        wish: Wish,
    ) -> Result<(ConnectionId, Live), OfferError> {
        // A page that gave up waiting offers again at once, and its place must be free by then.
        self.give_up_unheard();
        if self.status.is_clogged() {
            return Err(OfferError::Clogged);
        }
        let camera = &self.cameras[self.table.camera_of(&wish)];
        if *camera.status().borrow() == camera::Status::Stopped {
            return Err(OfferError::Stopped { camera: camera.name().to_owned() });
        }
        let origin = wish.origin;
        let no_ids = |_| OfferError::Unavailable("the kernel gives no random bytes");
        let fresh = SessionId::random().map_err(no_ids)?;
        let connection = ConnectionId::random().map_err(no_ids)?;
        let admitted = self.table.admit(wish, fresh, connection, self.now()).map_err(|_| {
            self.status.refused_at_capacity += 1;
            OfferError::AtCapacity { limit: self.settings.max_viewers }
        })?;
        self.act(admitted.todo);
        let mut live = Live {
            session: admitted.session,
            origin,
            seen: None,
            camera: admitted.camera,
            post: Post::new(connection, self.events.clone()),
            congestion: Congestion::new(
                Meter::new(self.started),
                self.encoder.bitrate_kbps,
                Feedback::of(&offer.video),
                self.shells.clone(),
            ),
            reply: None,
            answer: None,
            viewer: None,
            intake: Intake::of(offer),
            early: Vec::new(),
            link: Link::new(offer.channels, self.settings.buffer_limit_bytes),
            keepalive: None,
            liveness: None,
            adaptation: Adaptation::new(self.now()),
            probe: None,
            flood: (self.now(), 0),
            began: self.now(),
            timeline: Timeline::default(),
            cause: None,
            shown: None,
            told: Counted::default(),
            figures: Figures::default(),
            frames: None,
            asked: false,
        };
        live.timeline.note(Part::Connection, "negotiating", live.began);
        Ok((connection, live))
    }

    pub(super) fn build(&mut self, connection: ConnectionId, offer: Checked) {
        let Some(live) = self.live.get(&connection) else { return };
        let plan = Plan {
            offer,
            renditions: self.cameras[live.camera].renditions().clone(),
            ice: self.ice.clone(),
            clock: self.clock.clone(),
            calls: Calls { post: live.post.clone(), congestion: live.congestion.clone() },
            timeout: self.settings.negotiation_timeout,
        };
        let build = move || Viewer::answer(plan).map(Box::new);
        self.work.spawn(work::built(connection, self.settings.negotiation_timeout, build));
    }

    pub(super) fn on_done(&mut self, done: Result<Done, JoinError>) {
        let now = self.now();
        let todo = match done {
            Ok(Done::Built(id, Ok(built))) => {
                let (viewer, answer) = *built;
                if let Some(live) = self.live.get_mut(&id) {
                    viewer.try_candidates(std::mem::take(&mut live.early));
                    live.viewer = Some(viewer);
                    live.answer = Some(Ok(answer));
                }
                self.table.on(id, Life::Answered, now)
            }
            Ok(Done::Built(id, Err(error))) => {
                if let Some(live) = self.live.get_mut(&id) {
                    live.answer = Some(Err(error));
                }
                self.table.on(id, Life::NotAnswered, now)
            }
            Ok(Done::NotBuilt(id, pipeline)) => {
                self.park(pipeline);
                self.table.on(id, Life::NotAnswered, now)
            }
            Ok(Done::TornDown(id)) => self.table.on(id, Life::Gone, now),
            Ok(Done::Stuck(id, pipeline)) => {
                self.park(pipeline);
                self.table.on(id, Life::Gone, now)
            }
            Err(error) => {
                // What can panic is caught where it is waited for; this is none of it.
                log::error!("a viewer's task ended: {error}");
                Todo::new()
            }
        };
        self.act(todo);
    }

    /// Sends the answer; a connection whose peer has gone away meanwhile ends.
    pub(super) fn reply(&mut self, id: ConnectionId) -> Todo {
        let Some(live) = self.live.get_mut(&id) else { return Todo::new() };
        let Some(reply) = live.reply.take() else { return Todo::new() };
        let answer = match live.answer.take() {
            Some(Ok(sdp)) => Ok(Answer { sdp, session: live.session, connection: id }),
            Some(Err(error)) => Err(OfferError::Viewer(error)),
            None => Err(OfferError::Abandoned(id)),
        };
        match &answer {
            Ok(_) => {
                let now = self.started.elapsed();
                live.timeline.note(Part::Connection, "connecting", now);
                self.status.answered += 1;
            }
            Err(error) => {
                self.status.failed += 1;
                let now = self.now();
                self.complain(error, now);
            }
        }
        match reply.send(answer) {
            Ok(()) => Todo::new(),
            Err(_) => self.table.on(id, Life::Close, self.now()),
        }
    }

    /// Logs what the sender of an offer cannot mend.
    fn complain(&mut self, error: &OfferError, now: Duration) {
        let OfferError::Viewer(cause) = error else { return };
        if matches!(cause, ViewerError::Offer { .. }) {
            return;
        }
        if let Some(suppressed) = self.complaints.tell(now) {
            log::warn!(suppressed; "{}", chain(error));
        }
    }

    /// Ends the connections whose peer no longer waits for the answer.
    pub(super) fn give_up_unheard(&mut self) {
        let gone: Vec<ConnectionId> =
            self.live.iter().filter(|(_, live)| live.is_unheard()).map(|(id, _)| *id).collect();
        let now = self.now();
        let todo = gone.into_iter().flat_map(|id| self.table.on(id, Life::Close, now)).collect();
        self.act(todo);
    }

    pub(super) fn tear_down(&mut self, id: ConnectionId, loss: Option<Loss>) {
        let now = self.now();
        let Some(live) = self.live.get_mut(&id) else { return };
        if let Some(loss) = loss {
            log::debug!("viewer {id}: {loss:?}");
            *self.status.lost.entry(loss).or_default() += 1;
        }
        if let Some(seen) = live.seen {
            let why = loss.map_or("ended on request", Loss::in_words);
            log::info!(
                session:% = live.session, remote:% = live.remote();
                "viewer gone after {} s: {why}", now.saturating_sub(seen).as_secs()
            );
        }
        live.timeline.note(Part::Connection, "closing", now);
        if self.gone.len() >= GONE_LIMIT {
            self.gone.pop_front();
        }
        let (session, timeline) = (live.session, live.timeline.clone());
        self.gone.push_back(Gone {
            session,
            connection: id,
            began: live.began,
            at: now,
            loss,
            timeline,
        });
        let viewer = live.end(now);
        self.work.spawn(work::torn_down(id, viewer));
    }

    /// Leaves a pipeline that does not stop to itself: its connection's place is free.
    fn park(&mut self, pipeline: JoinHandle<()>) {
        self.status.teardowns_stuck += 1;
        self.parked.spawn(pipeline);
        let now = self.now();
        if let Some(suppressed) = self.complaints.tell(now) {
            let limit = work::TEARDOWN_LIMIT;
            log::error!(
                suppressed;
                "a viewer's pipeline did not start or stop in time ({limit:?} to stop); it is parked"
            );
        }
    }

    pub(super) fn forget(&mut self, id: ConnectionId) {
        let Some(live) = self.live.remove(&id) else { return };
        self.ended += live.losses();
    }
}
