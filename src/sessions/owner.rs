//! The one task that owns the session table and every viewer.

mod adapt;
mod life;
mod talk;

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use gstreamer_webrtc::WebRTCPeerConnectionState as Peer;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::camera::Camera;
use crate::clock::Clock;
use crate::config::{self, keys::MOST_VIEWERS};
use crate::recognition::Prediction;

use super::channel::Label;
use super::connection::{Action, Event as Life, Loss};
use super::figures::Pair;
use super::live::{Live, Losses, Reply};
use super::offer::Checked;
use super::post::{EVENTS_PER_CONNECTION, Event};
use super::report;
use super::seldom::Seldom;
use super::shell::Shells;
use super::table::{CONNECTIONS_PER_PLACE, Table, Todo, Wish};
use super::trickle::{Fragment, TrickleError};
use super::viewer;
use super::work::Done;
use super::{ConnectionId, Followed, NotFound, SessionId, Settings, Status};

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
    followed: watch::Receiver<Followed>,
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
    /// The last of these.
    gone: VecDeque<report::Gone>,
    complaints: Seldom,
    work: JoinSet<Done>,
    /// Pipelines that did not stop in time.
    parked: JoinSet<Result<(), tokio::task::JoinError>>,
    shells: Shells,
    status: Status,
    published: watch::Sender<Status>,
    ticked: watch::Sender<Option<gstreamer::ClockTime>>,
}

impl Owner {
    pub fn new(
        cameras: Vec<Camera>,
        settings: Settings,
        followed: watch::Receiver<Followed>,
        clock: Clock,
    ) -> (Self, mpsc::Receiver<(ConnectionId, Event)>) {
        let Settings { limits: settings, ice, encoder } = settings;
        // For as many viewers as there may be later; what is not used costs nothing.
        let connections = MOST_VIEWERS as usize * CONNECTIONS_PER_PLACE;
        let (events, posted) = mpsc::channel(connections * EVENTS_PER_CONNECTION);
        let mut status = Status::default();
        status.set_places(settings.max_viewers);
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
            gone: VecDeque::new(),
            complaints: Seldom::default(),
            work: JoinSet::new(),
            parked: JoinSet::new(),
            shells: Shells::default(),
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
            // A page that is quickly left and come back to offers again, and on a busy device
            // in any order: an offer that nobody waits for must not end one that somebody does.
            Request::Offer { reply, .. } if reply.is_closed() => {}
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

    fn on_event(&mut self, from: ConnectionId, event: Event) {
        let now = self.now();
        let Some(live) = self.live.get_mut(&from) else { return };
        live.post.taken(&event);
        live.note(&event, now);
        if let Event::Peer(state) = event {
            log::debug!("viewer {from}: {state:?}");
        }
        let happened = match event {
            Event::Peer(Peer::Connected) => Some(Life::Up),
            Event::Peer(Peer::Failed) => Some(Life::Lost(Loss::IceFailed)),
            Event::Peer(Peer::Closed) => Some(Life::Lost(Loss::ClosedByPeer)),
            // "Disconnected" may come back; what stays silent is found by silence.
            Event::Peer(_) | Event::State(..) => None,
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
                    live.seen.get_or_insert(now);
                    log::info!(
                        session:% = live.session, remote:% = live.remote();
                        "viewer sees the picture: {local} to {remote}, {protocol}"
                    );
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
            self.status.ended = report::ended(&self.gone, now);
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
