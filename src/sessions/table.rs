//! Who looks: sessions, their connections, and the places there are.

use std::collections::HashMap;
use std::time::Duration;

use super::connection::{Action, Event, State};
use super::transcript::Start;
use super::{ConnectionId, NotFound, SessionId};

/// A page replaces its connection by a second one; a third ends the oldest that
/// shows no picture, or else the oldest.
const CONNECTIONS_PER_SESSION: usize = 2;

/// Connections for each place at most; those that are being torn down cost memory
/// too.
pub(super) const CONNECTIONS_PER_PLACE: usize = CONNECTIONS_PER_SESSION + 1;

/// What is to be done, and to which connection.
pub(super) type Todo = Vec<(ConnectionId, Action)>;

/// All sessions and connections.
#[derive(Debug)]
pub(super) struct Table {
    limit: usize,
    negotiation_timeout: Duration,
    sessions: HashMap<SessionId, Session>,
    connections: HashMap<ConnectionId, Connection>,
}

/// What a viewer is to us. It takes a place as long as it has a connection.
#[derive(Debug)]
pub(super) struct Session {
    login: Option<String>,
    /// Index of the camera it looks at.
    pub camera: usize,
    /// From where on it is shown the transcript.
    pub transcript: Start,
    /// Oldest first.
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

impl Table {
    pub fn new(limit: usize, negotiation_timeout: Duration) -> Self {
        let (sessions, connections) = (HashMap::new(), HashMap::new());
        Self { limit, negotiation_timeout, sessions, connections }
    }

    /// Lets `connection` in, in the wished session or in a new one named `fresh`.
    pub fn admit(
        &mut self,
        wish: Wish,
        fresh: SessionId,
        connection: ConnectionId,
        now: Duration,
    ) -> Result<Admitted, Full> {
        if self.connections.len() >= self.limit * CONNECTIONS_PER_PLACE {
            return Err(Full);
        }
        let known = wish.session.filter(|id| self.owned(*id, wish.login.as_deref()).is_some());
        if known.is_none() && self.sessions.len() >= self.limit {
            return Err(Full);
        }
        let id = known.unwrap_or(fresh);
        let session = self.sessions.entry(id).or_insert_with(|| Session {
            login: wish.login,
            camera: 0,
            transcript: Start::default(),
            connections: Vec::new(),
        });
        session.camera = wish.camera.unwrap_or(session.camera);
        let camera = session.camera;
        session.connections.push(connection);
        let replaced = (session.connections.len() > CONNECTIONS_PER_SESSION).then(|| {
            let idle = |id: &&ConnectionId| {
                self.connections.get(*id).is_some_and(|of| of.state != State::Connected)
            };
            *session.connections.iter().find(idle).unwrap_or(&session.connections[0])
        });
        let state = State::Building { deadline: now + self.negotiation_timeout };
        self.connections.insert(connection, Connection { session: id, state });
        let todo = replaced.map(|old| self.on(old, Event::Close, now)).unwrap_or_default();
        Ok(Admitted { session: id, camera, todo })
    }

    /// Tells a connection what happened to it; an unknown one has ended already.
    pub fn on(&mut self, id: ConnectionId, event: Event, now: Duration) -> Todo {
        let Some(connection) = self.connections.get_mut(&id) else { return Todo::new() };
        let (state, actions) = connection.state.on(event, now);
        connection.state = state;
        let session = connection.session;
        if state == State::Ended {
            self.connections.remove(&id);
        }
        if !state.holds_place() {
            self.leave(session, id);
        }
        actions.iter().map(|action| (id, *action)).collect()
    }

    /// Ends a session with all its connections.
    pub fn close(
        &mut self,
        id: SessionId,
        login: Option<&str>,
        now: Duration,
    ) -> Result<Todo, NotFound> {
        let connections = self.owned(id, login).ok_or(NotFound)?.connections.clone();
        let todo = connections.into_iter().flat_map(|c| self.on(c, Event::Close, now)).collect();
        self.sessions.remove(&id);
        Ok(todo)
    }

    /// Ends all sessions of a login.
    pub fn close_login(&mut self, login: &str, now: Duration) -> Todo {
        let of_login = |session: &Session| session.login.as_deref() == Some(login);
        let ended: Vec<SessionId> =
            self.sessions.iter().filter(|(_, of)| of_login(of)).map(|(id, _)| *id).collect();
        let closed = ended.into_iter().filter_map(|id| self.close(id, Some(login), now).ok());
        closed.flatten().collect()
    }

    /// Tells all connections something.
    pub fn on_all(&mut self, event: Event, now: Duration) -> Todo {
        let ids: Vec<ConnectionId> = self.connections.keys().copied().collect();
        ids.into_iter().flat_map(|id| self.on(id, event, now)).collect()
    }

    /// The session of a connection that has not been given up.
    pub fn session_of(&mut self, id: ConnectionId) -> Option<(SessionId, &mut Session)> {
        let session = self.connections.get(&id)?.session;
        self.sessions.get_mut(&session).map(|of| (session, of))
    }

    /// Whether pictures flow on this connection.
    pub fn connected(&self, id: ConnectionId) -> bool {
        self.connections.get(&id).is_some_and(|connection| connection.state == State::Connected)
    }

    /// Sessions: places that are taken.
    pub fn taken(&self) -> usize {
        self.sessions.len()
    }

    /// Connections, also those that are being torn down.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    fn owned(&self, id: SessionId, login: Option<&str>) -> Option<&Session> {
        self.sessions.get(&id).filter(|session| session.login.as_deref() == login)
    }

    /// A session without a connection gives its place back.
    fn leave(&mut self, session: SessionId, connection: ConnectionId) {
        let Some(of) = self.sessions.get_mut(&session) else { return };
        of.connections.retain(|id| *id != connection);
        if of.connections.is_empty() {
            self.sessions.remove(&session);
        }
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
