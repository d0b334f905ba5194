//! Who looks: sessions, their connections, and the places there are.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::connection::{Action, Event, State};
use super::session::{self, Phase};
use super::transcript::Start;
use super::{ConnectionId, NotFound, SessionId};

/// A page replaces its connection by a second one; a third ends the oldest that
/// shows no picture, or else the oldest.
const CONNECTIONS_PER_SESSION: usize = 2;

/// Connections for each place at most; those that are being torn down cost memory
/// too.
pub(super) const CONNECTIONS_PER_PLACE: usize = CONNECTIONS_PER_SESSION + 1;

/// Sessions that are kept without a connection; the one that would end first gives
/// way. Each is a few hundred bytes, and whoever connects can leave one behind.
pub(super) const KEPT_LIMIT: usize = 64;

/// Steps of a session's path that are remembered.
const PATH_LIMIT: usize = 12;

/// What is to be done, and to which connection.
pub(super) type Todo = Vec<(ConnectionId, Action)>;

/// All sessions and connections.
#[derive(Debug)]
pub(super) struct Table {
    limit: usize,
    negotiation_timeout: Duration,
    sessions: HashMap<SessionId, Session>,
    connections: HashMap<ConnectionId, Connection>,
    expired: u64,
}

/// What a viewer is to us. It takes a place as long as it has a connection.
#[derive(Debug)]
pub(super) struct Session {
    login: Option<String>,
    /// Where it was first asked for.
    origin: Option<IpAddr>,
    /// Index of the camera it looks at.
    pub camera: usize,
    /// From where on it is shown the transcript.
    pub transcript: Start,
    state: session::State,
    /// The states it went through, and when.
    path: Vec<(Phase, Duration)>,
    /// Oldest first; without those that are being torn down.
    connections: Vec<ConnectionId>,
}

#[derive(Debug)]
struct Connection {
    session: SessionId,
    state: State,
}

/// Who asks for a connection.
#[derive(Debug)]
pub(super) struct Wish {
    /// The session to go on with; an unknown one, or another login's, means a new one.
    pub session: Option<SessionId>,
    pub login: Option<String>,
    /// Index of the wished camera; `None` is the session's, or the first.
    pub camera: Option<usize>,
    /// The asking host or its network, where it is known.
    pub origin: Option<IpAddr>,
}

/// A connection that was let in.
#[derive(Debug)]
pub(super) struct Admitted {
    pub session: SessionId,
    pub camera: usize,
    /// What a replaced connection of the same session asks for.
    pub todo: Todo,
}

/// Every place is taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Full;

impl Session {
    fn new(login: Option<String>, origin: Option<IpAddr>, now: Duration) -> Self {
        let state = session::State::Negotiating;
        Self {
            login,
            origin,
            camera: 0,
            transcript: Start::default(),
            state,
            path: vec![(state.phase(), now)],
            connections: Vec::new(),
        }
    }

    fn on(&mut self, event: session::Event, now: Duration) {
        self.state = self.state.on(event, now);
        let phase = self.state.phase();
        if self.path.last().is_none_or(|(last, _)| *last != phase) {
            if self.path.len() >= PATH_LIMIT {
                self.path.remove(0);
            }
            self.path.push((phase, now));
        }
    }

    /// The last states it went through, oldest first, and when it entered them.
    pub fn path(&self) -> &[(Phase, Duration)] {
        &self.path
    }

    /// Its connections that are not being torn down, oldest first.
    pub fn connections(&self) -> &[ConnectionId] {
        &self.connections
    }

    fn takes_place(&self) -> bool {
        !self.connections.is_empty()
    }

    /// Whether it waits for its viewer without a connection.
    fn is_kept(&self) -> bool {
        !self.takes_place() && !self.has_ended()
    }

    fn has_ended(&self) -> bool {
        self.state == session::State::Closing
    }
}

impl Table {
    pub fn new(limit: usize, negotiation_timeout: Duration) -> Self {
        let (sessions, connections) = (HashMap::new(), HashMap::new());
        Self { limit, negotiation_timeout, sessions, connections, expired: 0 }
    }

    /// Lets in so many from now on; those who are in stay.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Lets `connection` in, in the wished session or in a new one named `fresh`.
    pub fn admit(
        &mut self,
        wish: Wish,
        fresh: SessionId,
        connection: ConnectionId,
        now: Duration,
    ) -> Result<Admitted, Full> {
        // Those who are in connect again also where there are more than the limit, since it
        // was lowered.
        if self.connections.len() >= self.limit.max(self.taken()) * CONNECTIONS_PER_PLACE {
            return Err(Full);
        }
        let known = wish.session.filter(|id| self.owned(*id, wish.login.as_deref()).is_some());
        let has_place = known.is_some_and(|id| self.sessions[&id].takes_place());
        let mut todo = Todo::new();
        if !has_place && self.taken() >= self.limit {
            let gives_way = wish.origin.and_then(|origin| self.gives_way(origin)).ok_or(Full)?;
            todo = self.end(gives_way, now);
        }
        let id = known.unwrap_or(fresh);
        let new = || Session::new(wish.login, wish.origin, now);
        let session = self.sessions.entry(id).or_insert_with(new);
        session.on(session::Event::Offered, now);
        session.camera = wish.camera.unwrap_or(session.camera);
        let camera = session.camera;
        session.connections.push(connection);
        let replaced = (session.connections.len() > CONNECTIONS_PER_SESSION).then(|| {
            let idle = |id: &&ConnectionId| {
                self.connections.get(*id).is_some_and(|of| of.state != State::Live)
            };
            *session.connections.iter().find(idle).unwrap_or(&session.connections[0])
        });
        let state = State::Negotiating { deadline: now + self.negotiation_timeout };
        self.connections.insert(connection, Connection { session: id, state });
        todo.extend(replaced.into_iter().flat_map(|old| self.on(old, Event::Close, now)));
        Ok(Admitted { session: id, camera, todo })
    }

    /// The session that gives its place to a newcomer: the oldest without a picture of the
    /// origin that has most of those, if that has more of them than the newcomer would have.
    /// Otherwise one host that offers and never goes on would keep all the others out.
    fn gives_way(&self, newcomer: IpAddr) -> Option<SessionId> {
        let mut unseen: HashMap<IpAddr, Vec<(Duration, SessionId)>> = HashMap::new();
        for (id, session) in self.sessions.iter().filter(|(_, session)| session.takes_place()) {
            let began = session.path.first().map(|(_, at)| *at).unwrap_or_default();
            if let Some(origin) = session.origin
                && !session.connections.iter().any(|id| self.is_live(*id))
            {
                unseen.entry(origin).or_default().push((began, *id));
            }
        }
        let own = unseen.get(&newcomer).map_or(0, Vec::len);
        let most = unseen.into_values().max_by_key(Vec::len).filter(|most| most.len() > own + 1)?;
        most.into_iter().min_by_key(|(began, _)| *began).map(|(_, id)| id)
    }

    /// Tells a connection what happened to it; an unknown one has ended already.
    pub fn on(&mut self, id: ConnectionId, event: Event, now: Duration) -> Todo {
        let Some(connection) = self.connections.get_mut(&id) else { return Todo::new() };
        let before = connection.state;
        let (state, actions) = before.on(event, now);
        let todo = actions.map(|action| (id, action)).collect();
        connection.state = state;
        let session = connection.session;
        if state == State::Closed {
            self.connections.remove(&id);
        }
        if state != before {
            self.tell_session(session, id, state, now);
        }
        todo
    }

    /// What a connection's new state means for its session.
    fn tell_session(
        &mut self,
        session: SessionId,
        connection: ConnectionId,
        state: State,
        now: Duration,
    ) {
        let Some(of) = self.sessions.get_mut(&session) else { return };
        if !state.holds_place() {
            of.connections.retain(|id| *id != connection);
        }
        let live = |id: &ConnectionId| {
            self.connections.get(id).is_some_and(|connection| connection.state == State::Live)
        };
        let event = match state {
            State::Connecting { .. } => Some(session::Event::Answered),
            State::Live => Some(session::Event::Up),
            _ if of.connections.is_empty() => Some(session::Event::Deserted),
            _ if !of.connections.iter().any(live) => Some(session::Event::Down),
            _ => None,
        };
        event.into_iter().for_each(|event| of.on(event, now));
        self.sweep(session);
        self.keep_few();
    }

    /// Forgets a session that has ended, once nothing of it is left.
    fn sweep(&mut self, id: SessionId) {
        let ended = self.sessions.get(&id).is_some_and(Session::has_ended);
        if ended && !self.connections.values().any(|connection| connection.session == id) {
            self.sessions.remove(&id);
        }
    }

    /// Lets go of the session that would end first, if too many are kept.
    fn keep_few(&mut self) {
        let kept = self.sessions.iter().filter(|(_, session)| session.is_kept());
        let kept = kept.filter_map(|(id, session)| match session.state {
            session::State::Restarting { until } => Some((until, *id)),
            _ => None,
        });
        if kept.clone().count() > KEPT_LIMIT
            && let Some((_, first)) = kept.min_by_key(|(until, _)| *until)
        {
            self.sessions.remove(&first);
        }
    }

    /// Ends a session with all its connections.
    pub fn close(
        &mut self,
        id: SessionId,
        login: Option<&str>,
        now: Duration,
    ) -> Result<Todo, NotFound> {
        self.owned(id, login).ok_or(NotFound)?;
        Ok(self.end(id, now))
    }

    fn end(&mut self, id: SessionId, now: Duration) -> Todo {
        let Some(session) = self.sessions.get_mut(&id) else { return Todo::new() };
        session.on(session::Event::Close, now);
        let connections = std::mem::take(&mut session.connections).into_iter();
        let todo = connections.flat_map(|c| self.on(c, Event::Close, now)).collect();
        self.sweep(id);
        todo
    }

    /// Ends all sessions of a login.
    pub fn close_login(&mut self, login: &str, now: Duration) -> Todo {
        let of_login = |of: &Session| of.login.as_deref() == Some(login) && !of.has_ended();
        let ended: Vec<SessionId> =
            self.sessions.iter().filter(|(_, of)| of_login(of)).map(|(id, _)| *id).collect();
        ended.into_iter().flat_map(|id| self.end(id, now)).collect()
    }

    /// Ends everything.
    pub fn close_all(&mut self, now: Duration) -> Todo {
        let all: Vec<SessionId> = self.sessions.keys().copied().collect();
        all.into_iter().flat_map(|id| self.end(id, now)).collect()
    }

    /// Lets time pass for all sessions and connections.
    pub fn tick(&mut self, now: Duration) -> Todo {
        let ids: Vec<ConnectionId> = self.connections.keys().copied().collect();
        let mut todo: Todo = ids.into_iter().flat_map(|id| self.on(id, Event::Tick, now)).collect();
        let before: Vec<SessionId> =
            self.sessions.iter().filter(|(_, of)| !of.has_ended()).map(|(id, _)| *id).collect();
        self.sessions.values_mut().for_each(|session| session.on(session::Event::Tick, now));
        for id in before {
            if self.sessions.get(&id).is_some_and(Session::has_ended) {
                self.expired += 1;
                todo.extend(self.end(id, now));
            }
        }
        todo
    }

    /// The session of a connection that has not been given up.
    pub fn session_of(&mut self, id: ConnectionId) -> Option<(SessionId, &mut Session)> {
        let session = self.connections.get(&id)?.session;
        self.sessions.get_mut(&session).map(|of| (session, of))
    }

    /// All sessions, also those that are kept without a connection.
    pub fn sessions(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        self.sessions.iter().map(|(id, session)| (*id, session))
    }

    /// Index of the camera that a wish leads to.
    pub fn camera_of(&self, wish: &Wish) -> usize {
        let session = wish.session.and_then(|id| self.owned(id, wish.login.as_deref()));
        wish.camera.or(session.map(|session| session.camera)).unwrap_or_default()
    }

    /// Whether a caller may speak for a connection.
    pub fn owns(&self, id: ConnectionId, login: Option<&str>) -> bool {
        let session = self.connections.get(&id).map(|connection| connection.session);
        session.is_some_and(|session| self.owned(session, login).is_some())
    }

    /// The newest connection of a session, to which its ETag belongs.
    pub fn newest(&self, id: SessionId, login: Option<&str>) -> Result<ConnectionId, NotFound> {
        self.owned(id, login).and_then(|of| of.connections.last().copied()).ok_or(NotFound)
    }

    /// Whether pictures flow on this connection.
    pub fn is_live(&self, id: ConnectionId) -> bool {
        self.state(id) == Some(State::Live)
    }

    /// Where a connection stands.
    pub fn state(&self, id: ConnectionId) -> Option<State> {
        self.connections.get(&id).map(|connection| connection.state)
    }

    /// Sessions with a connection: places that are taken.
    pub fn taken(&self) -> usize {
        self.sessions.values().filter(|session| session.takes_place()).count()
    }

    /// Sessions that wait for their viewer to come back; they take no place.
    pub fn kept(&self) -> usize {
        self.sessions.values().filter(|session| session.is_kept()).count()
    }

    /// Sessions whose viewer did not come back, since the start.
    pub fn expired(&self) -> u64 {
        self.expired
    }

    /// Connections, also those that are being torn down.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    fn owned(&self, id: SessionId, login: Option<&str>) -> Option<&Session> {
        let owned = |of: &&Session| of.login.as_deref() == login && !of.has_ended();
        self.sessions.get(&id).filter(owned)
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
