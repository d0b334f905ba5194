//! The one task that owns the session table and every viewer.

mod adapt;
mod talk;

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use gstreamer_webrtc::WebRTCPeerConnectionState as Peer;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::camera::{self, Camera};
use crate::clock::Clock;
use crate::config;
use crate::errors::chain;
use crate::recognition::Prediction;

use super::adaptation::Adaptation;
use super::channel::Label;
use super::congestion::{Congestion, Feedback};
use super::connection::{Action, Event as Life, Loss};
use super::figures::{Figures, Pair};
use super::link::Link;
use super::live::{Live, Losses, Reply};
use super::meter::{Counted, Meter};
use super::offer::Checked;
use super::post::{EVENTS_PER_CONNECTION, Event, Post};
use super::report;
use super::seldom::Seldom;
use super::signals::Calls;
use super::table::{CONNECTIONS_PER_PLACE, Table, Todo, Wish};
use super::trickle::{Fragment, Intake, TrickleError};
use super::viewer::{self, Plan, Viewer};
use super::work::{self, Done};
use super::{Answer, ConnectionId, NotFound, OfferError, SessionId, Settings, Status, ViewerError};

/// How often deadlines, keepalives and networks are looked at: congestion that is
/// seen 100 ms later freezes the picture as much longer.
const TICK: Duration = Duration::from_millis(100);

/// How often figures are made for the status.
const FIGURES: Duration = Duration::from_secs(1);

/// Loading plugins and making a certificate takes 300 ms, on a busy machine seconds.
const WARM_LIMIT: Duration = Duration::from_secs(10);

/// What the handle asks of the owner.
pub(super) enum Request {
    Offer {
        offer: Box<Checked>,
        wish: Wish,
        reply: Reply,
    },
    Close {
        id: SessionId,
        login: Option<String>,
        reply: oneshot::Sender<Result<(), NotFound>>,
    },
    CloseLogins(Vec<String>),
    Newest {
        id: SessionId,
        login: Option<String>,
        reply: oneshot::Sender<Result<ConnectionId, NotFound>>,
    },
    Trickle {
        connection: ConnectionId,
        login: Option<String>,
        fragment: Fragment,
        reply: oneshot::Sender<Result<(), TrickleError>>,
    },
    Stop,
}

use adapt::Rates;

/// See the module's words.
pub(super) struct Owner {
    cameras: Vec<Camera>,
    settings: config::Sessions,
    ice: config::Ice,
    encoder: config::Encoder,
    /// What of the former is changed while the program runs.
    followed: watch::Receiver<config::Encoder>,
    clock: Clock,
    started: Instant,
    table: Table,
    live: HashMap<ConnectionId, Live>,
    /// What each camera's encoders aim at.
    rates: Vec<Rates>,
    /// Characters that the first camera has committed.
    committed: u64,
    events: mpsc::Sender<(ConnectionId, Event)>,
    /// When figures were last made.
    figured: Duration,
    /// Of connections that have ended.
    ended: Losses,
    complaints: Seldom,
    work: JoinSet<Done>,
    /// Pipelines that did not stop in time.
    parked: JoinSet<Result<(), tokio::task::JoinError>>,
    status: Status,
    published: watch::Sender<Status>,
    ticked: watch::Sender<Option<gstreamer::ClockTime>>,
}

impl Owner {
    pub fn new(
        cameras: Vec<Camera>,
        settings: Settings,
        followed: watch::Receiver<config::Encoder>,
        clock: Clock,
    ) -> (Self, mpsc::Receiver<(ConnectionId, Event)>) {
        let Settings { limits: settings, ice, encoder } = settings;
        let connections = settings.max_viewers * CONNECTIONS_PER_PLACE;
        let (events, posted) = mpsc::channel(connections * EVENTS_PER_CONNECTION);
        let status = Status { max_viewers: settings.max_viewers, ..Status::default() };
        let owner = Self {
            table: Table::new(settings.max_viewers, settings.negotiation_timeout),
            rates: cameras.iter().map(|_| Rates::new(&encoder)).collect(),
            cameras,
            settings,
            ice,
            encoder,
            followed,
            clock,
            started: Instant::now(),
            live: HashMap::new(),
            committed: 0,
            events,
            figured: Duration::ZERO,
            ended: Losses::default(),
            complaints: Seldom::default(),
            work: JoinSet::new(),
            parked: JoinSet::new(),
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
                Some(_) = self.parked.join_next() => log::info!("a parked pipeline has stopped"),
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
        let todo = self.table.close_all(now);
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
            Request::Newest { id, login, reply } => {
                let _ = reply.send(self.table.newest(id, login.as_deref()));
            }
            Request::Trickle { connection, login, fragment, reply } => {
                let owned = self.table.owns(connection, login.as_deref());
                let live = self.live.get_mut(&connection).filter(|_| owned);
                let taken = live.ok_or(NotFound.into()).and_then(|live| live.trickle(fragment));
                let _ = reply.send(taken);
            }
            Request::Stop => {}
        }
    }

    fn admit(&mut self, offer: &Checked, wish: Wish) -> Result<(ConnectionId, Live), OfferError> {
        // A page that gave up waiting offers again at once, and its place must be free by then.
        self.give_up_unheard();
        if self.status.is_clogged() {
            return Err(OfferError::Unavailable("too many pipelines of former viewers hang"));
        }
        let camera = &self.cameras[self.table.camera_of(&wish)];
        if *camera.status().borrow() == camera::Status::Stopped {
            return Err(OfferError::Stopped { camera: camera.name().to_owned() });
        }
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
            congestion: Congestion::new(
                Meter::new(self.started),
                self.encoder.bitrate_kbps,
                Feedback::of(&offer.video),
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
            cause: None,
            shown: None,
            told: Counted::default(),
            figures: Figures::default(),
            frames: None,
            asked: false,
        };
        Ok((connection, live))
    }

    fn build(&mut self, connection: ConnectionId, offer: Checked) {
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

    fn on_done(&mut self, done: Result<Done, tokio::task::JoinError>) {
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

    fn on_event(&mut self, from: ConnectionId, event: Event) {
        let now = self.now();
        let Some(live) = self.live.get_mut(&from) else { return };
        live.post.taken(&event);
        if let Event::Peer(state) = event {
            log::debug!("viewer {from}: {state:?}");
        }
        let happened = match event {
            Event::Peer(Peer::Connected) => Some(Life::Up),
            Event::Peer(Peer::Failed) => Some(Life::Lost(Loss::IceFailed)),
            Event::Peer(Peer::Closed) => Some(Life::Lost(Loss::ClosedByPeer)),
            // "Disconnected" may come back; what stays silent is found by silence.
            Event::Peer(_) => None,
            Event::PipelineFailed { element, reason } => {
                log::debug!("viewer {from}: {element}: {reason}");
                // A page that closes makes sctpenc give up.
                let dtls = element.starts_with("dtls");
                let loss = match self.table.is_live(from) {
                    true if dtls || element.starts_with("sctp") => Loss::ClosedByPeer,
                    false if dtls => Loss::DtlsFailed,
                    _ => Loss::Pipeline,
                };
                Some(Life::Lost(loss))
            }
            Event::TooManyChannels => Some(Life::Lost(Loss::Flooded)),
            Event::Stats(stats) => {
                if let Some(pair) = live.reported(&stats) {
                    let Pair { local, remote, protocol } = pair;
                    log::info!("viewer {from} sees the picture: {local} to {remote}, {protocol}");
                }
                None
            }
            Event::Opened(label, channel) => {
                live.link.opened(label, channel, now);
                if label == Label::Frames {
                    live.frames = Some(self.cameras[live.camera].gallery().small());
                }
                if label == Label::Commands { self.greet(from).map(Life::Lost) } else { None }
            }
            Event::Drained(Label::Predictions) => {
                live.link.drain(now);
                None
            }
            Event::Drained(Label::Commands | Label::Frames) => None,
            Event::Closed(label) => {
                live.closed(label, now);
                None
            }
            Event::Message(label, payload) => {
                live.heard(now);
                let commands = label == Label::Commands;
                commands.then(|| self.on_command(from, payload)).flatten().map(Life::Lost)
            }
        };
        if let Some(happened) = happened {
            let todo = self.table.on(from, happened, now);
            self.act(todo);
        }
    }

    /// Ends the connections whose peer no longer waits for the answer.
    fn give_up_unheard(&mut self) {
        let gone: Vec<ConnectionId> =
            self.live.iter().filter(|(_, live)| live.is_unheard()).map(|(id, _)| *id).collect();
        let now = self.now();
        let todo = gone.into_iter().flat_map(|id| self.table.on(id, Life::Close, now)).collect();
        self.act(todo);
    }

    fn on_tick(&mut self) {
        self.ticked.send_replace(Some(self.clock.running_time()));
        self.give_up_unheard();
        let now = self.now();
        let mut todo = self.table.tick(now);
        for (id, live) in &mut self.live {
            live.send_frame(now);
            if let Some(loss) = live.tick(now) {
                todo.extend(self.table.on(*id, Life::Lost(loss), now));
            }
        }
        self.act(todo);
        self.follow();
        self.adapt(now);
        if now.saturating_sub(self.figured) >= FIGURES {
            self.figured = now;
            self.live.values_mut().for_each(|live| live.measure(now));
            let mut losses = self.ended;
            self.live.values().for_each(|live| losses += live.losses());
            self.status.messages_refused = losses.messages;
            self.status.predictions_dropped = losses.predictions;
            self.status.sessions = report::sessions(&self.table, &self.live, &self.cameras, now);
        }
    }

    fn act(&mut self, todo: Todo) {
        let mut todo = VecDeque::from(todo);
        while let Some((id, action)) = todo.pop_front() {
            match action {
                Action::Reply => todo.extend(self.reply(id)),
                Action::Show => {
                    let now = self.now();
                    self.status.connected += 1;
                    self.live.get_mut(&id).into_iter().for_each(|live| live.show(now));
                }
                Action::TearDown(loss) => self.tear_down(id, loss),
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

    fn tear_down(&mut self, id: ConnectionId, loss: Option<Loss>) {
        let now = self.now();
        let Some(live) = self.live.get_mut(&id) else { return };
        if let Some(loss) = loss {
            log::debug!("viewer {id}: {loss:?}");
            *self.status.lost.entry(loss).or_default() += 1;
        }
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

    fn forget(&mut self, id: ConnectionId) {
        let Some(live) = self.live.remove(&id) else { return };
        self.ended += live.losses();
    }

    fn publish(&mut self) {
        self.status.viewers = self.table.taken();
        self.status.connections = self.table.connections();
        self.status.kept = self.table.kept();
        self.status.parked = self.parked.len();
        self.status.expired = self.table.expired();
        self.published.send_if_modified(|published| {
            let changed = *published != self.status;
            if changed {
                published.clone_from(&self.status);
            }
            changed
        });
    }
}
