//! The one task that owns the session table and every viewer.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use gstreamer_webrtc::WebRTCPeerConnectionState as Peer;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::camera::Camera;
use crate::clock::Clock;
use crate::config;
use crate::errors::chain;
use crate::recognition::Prediction;

use super::channel::Label;
use super::connection::{Action, Event as Life};
use super::keepalive::{Keepalive, PING, PONG};
use super::link::{Link, Sent};
use super::messages::{self, Command};
use super::offer::Checked;
use super::post::{EVENTS_PER_CONNECTION, Event, Payload, Post};
use super::seldom::Seldom;
use super::table::{CONNECTIONS_PER_PLACE, Table, Todo, Wish};
use super::transcript::Start;
use super::viewer::{self, Plan, Viewer};
use super::work::{self, Done};
use super::{Answer, ConnectionId, NotFound, OfferError, SessionId, Status, ViewerError};

/// How often deadlines and keepalives are looked at.
const TICK: Duration = Duration::from_millis(250);

/// Loading plugins and making a certificate takes 300 ms, on a busy machine seconds.
const WARM_LIMIT: Duration = Duration::from_secs(10);

/// What the handle asks of the owner.
pub(super) enum Request {
    Offer { offer: Box<Checked>, wish: Wish, reply: Reply },
    Close { id: SessionId, login: Option<String>, reply: oneshot::Sender<Result<(), NotFound>> },
    CloseLogins(Vec<String>),
    Stop,
}

type Reply = oneshot::Sender<Result<Answer, OfferError>>;

/// What belongs to a connection and is not in the table.
struct Live {
    session: SessionId,
    camera: usize,
    post: Post,
    reply: Option<Reply>,
    /// The answer, or why there is none, until it is sent.
    answer: Option<Result<String, ViewerError>>,
    viewer: Option<Viewer>,
    link: Link,
    keepalive: Option<Keepalive>,
}

/// See the module's words.
pub(super) struct Owner {
    cameras: Vec<Camera>,
    settings: config::Sessions,
    ice: config::Ice,
    clock: Clock,
    started: Instant,
    table: Table,
    live: HashMap<ConnectionId, Live>,
    /// Characters that the first camera has committed.
    committed: u64,
    events: mpsc::Sender<(ConnectionId, Event)>,
    complaints: Seldom,
    work: JoinSet<Done>,
    status: Status,
    published: watch::Sender<Status>,
    ticked: watch::Sender<Option<gstreamer::ClockTime>>,
}

impl Owner {
    pub fn new(
        cameras: Vec<Camera>,
        settings: config::Sessions,
        ice: config::Ice,
        clock: Clock,
    ) -> (Self, mpsc::Receiver<(ConnectionId, Event)>) {
        let connections = settings.max_viewers * CONNECTIONS_PER_PLACE;
        let (events, posted) = mpsc::channel(connections * EVENTS_PER_CONNECTION);
        let status = Status { max_viewers: settings.max_viewers, ..Status::default() };
        let owner = Self {
            table: Table::new(settings.max_viewers, settings.negotiation_timeout),
            cameras,
            settings,
            ice,
            clock,
            started: Instant::now(),
            live: HashMap::new(),
            committed: 0,
            events,
            complaints: Seldom::default(),
            work: JoinSet::new(),
            published: watch::Sender::new(status.clone()),
            ticked: watch::Sender::new(None),
            status,
        };
        (owner, posted)
    }

    pub fn status(&self) -> watch::Receiver<Status> {
        self.published.subscribe()
    }

    pub fn ticked(&self) -> watch::Receiver<Option<gstreamer::ClockTime>> {
        self.ticked.subscribe()
    }

    /// Serves until it is told to stop or every handle is gone; then ends all
    /// connections before it returns.
    pub async fn run(
        mut self,
        mut posted: mpsc::Receiver<(ConnectionId, Event)>,
        mut requests: mpsc::Receiver<Request>,
        mut predictions: broadcast::Receiver<std::sync::Arc<Prediction>>,
    ) {
        // Not beside the first viewer: in new processes on a busy machine three first offers
        // never got past webrtcbin's first steps. That they met the loading of the same plugins
        // is a guess; 25 starts since were good.
        if timeout(WARM_LIMIT, spawn_blocking(viewer::warm)).await.is_err() {
            log::warn!("loading what viewers need takes over {WARM_LIMIT:?}");
        }
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut predicting = true;
        loop {
            tokio::select! {
                request = requests.recv() => match request {
                    None | Some(Request::Stop) => break,
                    Some(request) => self.serve(request),
                },
                Some((from, event)) = posted.recv() => self.on_event(from, event),
                Some(done) = self.work.join_next() => self.on_done(done),
                prediction = predictions.recv(), if predicting => match prediction {
                    Ok(prediction) => self.on_prediction(&prediction),
                    Err(broadcast::error::RecvError::Lagged(missed)) => {
                        self.status.predictions_missed += missed;
                    }
                    Err(broadcast::error::RecvError::Closed) => predicting = false,
                },
                _ = ticks.tick() => self.on_tick(),
            }
            self.publish();
        }
        self.end().await;
    }

    async fn end(mut self) {
        let now = self.now();
        let todo = self.table.on_all(Life::Close, now);
        self.act(todo);
        while let Some(done) = self.work.join_next().await {
            self.on_done(done);
        }
        self.publish();
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn serve(&mut self, request: Request) {
        match request {
            Request::Offer { offer, wish, reply } => match self.admit(&offer, wish) {
                Ok((connection, live)) => {
                    self.live.insert(connection, Live { reply: Some(reply), ..live });
                    self.build(connection, *offer);
                }
                Err(error) => {
                    // The asking side may have gone away; then nobody wants the answer.
                    let _ = reply.send(Err(error));
                }
            },
            Request::Close { id, login, reply } => {
                let closed = self.table.close(id, login.as_deref(), self.now());
                let _ = reply.send(closed.map(|todo| self.act(todo)));
            }
            Request::CloseLogins(logins) => {
                let now = self.now();
                let closed = logins.iter().flat_map(|login| self.table.close_login(login, now));
                let todo = closed.collect();
                self.act(todo);
            }
            Request::Stop => {}
        }
    }

    fn admit(&mut self, offer: &Checked, wish: Wish) -> Result<(ConnectionId, Live), OfferError> {
        // A page that gave up waiting offers again at once, and its place must be free by then.
        self.give_up_unheard();
        let no_ids = |_| OfferError::Unavailable("the kernel gives no random bytes");
        let fresh = SessionId::random().map_err(no_ids)?;
        let connection = ConnectionId::random().map_err(no_ids)?;
        let admitted = self.table.admit(wish, fresh, connection, self.now()).map_err(|_| {
            self.status.refused_at_capacity += 1;
            OfferError::AtCapacity { limit: self.settings.max_viewers }
        })?;
        self.act(admitted.todo);
        let live = Live {
            session: admitted.session,
            camera: admitted.camera,
            post: Post::new(connection, self.events.clone()),
            reply: None,
            answer: None,
            viewer: None,
            link: Link::new(offer.channels, self.settings.buffer_limit_bytes),
            keepalive: None,
        };
        Ok((connection, live))
    }

    fn build(&mut self, connection: ConnectionId, offer: Checked) {
        let Some(live) = self.live.get(&connection) else { return };
        let plan = Plan {
            offer,
            rendition: self.cameras[live.camera].rendition().clone(),
            ice: self.ice.clone(),
            clock: self.clock.clone(),
            post: live.post.clone(),
            timeout: self.settings.negotiation_timeout,
        };
        self.work.spawn(work::built(connection, move || Viewer::answer(plan).map(Box::new)));
    }

    fn on_done(&mut self, done: Result<Done, tokio::task::JoinError>) {
        let now = self.now();
        let todo = match done {
            Ok(Done::Built(id, Ok(built))) => {
                let (viewer, answer) = *built;
                if let Some(live) = self.live.get_mut(&id) {
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
            Ok(Done::TornDown(id)) => self.table.on(id, Life::Gone, now),
            Ok(Done::Stuck(id)) => {
                self.status.teardowns_stuck += 1;
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

    fn on_event(&mut self, from: ConnectionId, event: Event) {
        let now = self.now();
        let Some(live) = self.live.get_mut(&from) else { return };
        live.post.taken(&event);
        let happened = match event {
            Event::Peer(Peer::Connected) => Some(Life::Up),
            Event::Peer(Peer::Failed | Peer::Closed) => Some(Life::Lost),
            // "Disconnected" may come back; what stays silent is found by silence.
            Event::Peer(_) => None,
            Event::PipelineFailed(reason) => {
                // A page that closes makes sctpenc give up: no event for an operator.
                log::debug!("viewer {from}: {reason}");
                Some(Life::Lost)
            }
            Event::TooManyChannels => Some(Life::Lost),
            Event::Opened(label, channel) => {
                live.link.opened(label, channel, now);
                if label == Label::Commands { self.greet(from) } else { None }
            }
            Event::Drained(Label::Predictions) => {
                live.link.drain(now);
                None
            }
            Event::Drained(Label::Commands) => None,
            Event::Closed(label) => {
                live.link.closed(label, now);
                None
            }
            Event::Message(Label::Commands, payload) => self.on_command(from, payload),
            Event::Message(Label::Predictions, _) => None,
        };
        if let Some(happened) = happened {
            let todo = self.table.on(from, happened, now);
            self.act(todo);
        }
    }

    fn greet(&mut self, connection: ConnectionId) -> Option<Life> {
        let now = self.now();
        let live = self.live.get_mut(&connection)?;
        let camera = self.cameras[live.camera].name();
        let interval = self.settings.keepalive;
        live.keepalive = Some(Keepalive::new(interval, now));
        let hello = messages::hello(live.session, connection, camera, interval);
        overrun(live.link.say(Payload::Text(hello), now))
    }

    fn on_command(&mut self, connection: ConnectionId, payload: Payload) -> Option<Life> {
        let now = self.now();
        let live = self.live.get_mut(&connection)?;
        let text = match payload {
            Payload::Binary(bytes) if bytes == PONG => {
                let answered = live.keepalive.as_mut()?.answer();
                self.status.keepalives_answered += u64::from(answered);
                return None;
            }
            Payload::Binary(_) => return None,
            Payload::Text(text) => text,
        };
        match Command::parse(&text)? {
            Command::Echo => overrun(live.link.say(Payload::Text(text), now)),
            Command::ClearTranscript => {
                let (_, session) = self.table.session_of(connection)?;
                session.transcript = Start::after(self.committed);
                None
            }
        }
    }

    /// Predictions are those of the first camera.
    fn on_prediction(&mut self, prediction: &Prediction) {
        let now = self.now();
        self.committed = prediction.committed_total;
        for (id, live) in self.live.iter_mut().filter(|(_, live)| live.camera == 0) {
            let (true, Some(viewer)) = (self.table.connected(*id), &live.viewer) else { continue };
            let Some((_, session)) = self.table.session_of(*id) else { continue };
            let transcript = session.transcript.of(&prediction.transcript, self.committed);
            let stamp = viewer.stamp(prediction.captured_at);
            live.link.predict(messages::prediction(prediction, stamp, transcript), now);
        }
    }

    /// Ends the connections whose peer no longer waits for the answer.
    fn give_up_unheard(&mut self) {
        let unheard = |live: &Live| live.reply.as_ref().is_some_and(oneshot::Sender::is_closed);
        let gone: Vec<ConnectionId> =
            self.live.iter().filter(|(_, live)| unheard(live)).map(|(id, _)| *id).collect();
        let now = self.now();
        let todo = gone.into_iter().flat_map(|id| self.table.on(id, Life::Close, now)).collect();
        self.act(todo);
    }

    fn on_tick(&mut self) {
        self.ticked.send_replace(Some(self.clock.running_time()));
        self.give_up_unheard();
        let now = self.now();
        let mut todo = self.table.on_all(Life::Tick, now);
        for (id, live) in &mut self.live {
            if live.post.flooded() {
                todo.extend(self.table.on(*id, Life::Lost, now));
            }
            if live.keepalive.as_mut().is_some_and(|keepalive| keepalive.due(now)) {
                let sent = live.link.say(Payload::Binary(PING.to_vec()), now);
                if let Some(lost) = overrun(sent) {
                    todo.extend(self.table.on(*id, lost, now));
                }
            }
        }
        self.act(todo);
    }

    fn act(&mut self, todo: Todo) {
        let mut todo = VecDeque::from(todo);
        while let Some((id, action)) = todo.pop_front() {
            match action {
                Action::Reply => todo.extend(self.reply(id)),
                Action::Show => {
                    if let Some(viewer) = self.live.get_mut(&id).and_then(|l| l.viewer.as_mut()) {
                        viewer.show();
                    }
                }
                Action::TearDown => self.tear_down(id),
                Action::Forget => self.forget(id),
            }
        }
    }

    /// Sends the answer; a connection whose peer has gone away meanwhile ends.
    fn reply(&mut self, id: ConnectionId) -> Todo {
        let Some(live) = self.live.get_mut(&id) else { return Todo::new() };
        let Some(reply) = live.reply.take() else { return Todo::new() };
        let answer = match live.answer.take() {
            Some(Ok(sdp)) => Ok(Answer { sdp, session: live.session, connection: id }),
            Some(Err(error)) => Err(OfferError::Viewer(error)),
            None => Err(OfferError::Abandoned(id)),
        };
        match &answer {
            Ok(_) => self.status.answered += 1,
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

    fn tear_down(&mut self, id: ConnectionId) {
        let now = self.now();
        let Some(live) = self.live.get_mut(&id) else { return };
        live.link.end(now);
        live.keepalive = None;
        let viewer = live.viewer.take();
        self.work.spawn(work::torn_down(id, viewer));
    }

    fn forget(&mut self, id: ConnectionId) {
        let Some(live) = self.live.remove(&id) else { return };
        self.status.messages_refused += live.link.refused() + live.post.lost();
        self.status.predictions_dropped += live.link.dropped();
    }

    fn publish(&mut self) {
        self.status.viewers = self.table.taken();
        self.status.connections = self.table.connections();
        self.published.send_if_modified(|published| {
            let changed = *published != self.status;
            published.clone_from(&self.status);
            changed
        });
    }
}

fn overrun(sent: Sent) -> Option<Life> {
    (sent == Sent::Overrun).then_some(Life::Lost)
}
