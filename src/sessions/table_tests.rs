//! Places, sessions and who owns them.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use proptest::prelude::*;

use super::super::connection::Loss;
use super::super::session::KEPT;
use super::*;

const NOW: Duration = Duration::ZERO;

fn table(limit: usize) -> Table {
    Table::new(limit, Duration::from_secs(10))
}

fn wish(session: Option<SessionId>, login: Option<&str>) -> Wish {
    Wish { session, login: login.map(str::to_owned), camera: None, origin: None }
}

/// Lets a viewer in, and says its session and connection.
fn enter(
    table: &mut Table,
    session: Option<SessionId>,
    login: Option<&str>,
) -> Result<(SessionId, ConnectionId), Full> {
    let (fresh, connection) = (SessionId::random().unwrap(), ConnectionId::random().unwrap());
    let admitted = table.admit(wish(session, login), fresh, connection, NOW)?;
    Ok((admitted.session, connection))
}

fn connect(table: &mut Table, connection: ConnectionId) {
    table.on(connection, Event::Answered, NOW);
    assert_eq!(table.on(connection, Event::Up, NOW), [(connection, Action::Show)]);
}

#[test]
fn a_lower_limit_lets_those_stay_who_are_in() {
    let mut table = table(3);
    let entered: Vec<_> = (0..3).map(|_| enter(&mut table, None, None).unwrap()).collect();
    entered.iter().for_each(|(_, connection)| connect(&mut table, *connection));
    table.set_limit(1);
    assert_eq!(table.taken(), 3);
    for (session, _) in &entered {
        assert_eq!(enter(&mut table, Some(*session), None).unwrap().0, *session);
    }
    assert_eq!(enter(&mut table, None, None), Err(Full));
    table.set_limit(4);
    assert!(enter(&mut table, None, None).is_ok());
}

#[test]
fn the_limit_counts_sessions_and_a_closed_one_frees_its_place() {
    let mut table = table(2);
    let (first, connection) = enter(&mut table, None, None).unwrap();
    connect(&mut table, connection);
    enter(&mut table, None, None).unwrap();
    assert_eq!(enter(&mut table, None, None), Err(Full));
    let (same, second) = enter(&mut table, Some(first), None).unwrap();
    assert_eq!(same, first);
    let todo = table.close(first, None, NOW).unwrap();
    assert!(todo.contains(&(connection, Action::TearDown(None))));
    assert!(todo.contains(&(second, Action::Reply)), "it was still being built");
    assert_eq!(table.close(first, None, NOW), Err(NotFound));
    assert!(enter(&mut table, None, None).is_ok());
}

#[test]
fn a_session_belongs_to_its_login() {
    let mut table = table(8);
    let (session, _) = enter(&mut table, None, Some("a")).unwrap();
    for other in [None, Some("b")] {
        assert_eq!(table.close(session, other, NOW), Err(NotFound));
        assert_ne!(enter(&mut table, Some(session), other).unwrap().0, session);
    }
    assert_eq!(enter(&mut table, Some(session), Some("a")).unwrap().0, session);
    assert!(table.close(session, Some("a"), NOW).is_ok());
}

#[test]
fn a_login_that_ends_takes_its_sessions_with_it_and_no_others() {
    let mut table = table(8);
    let (_, first) = enter(&mut table, None, Some("a")).unwrap();
    let (_, second) = enter(&mut table, None, Some("a")).unwrap();
    let (other, _) = enter(&mut table, None, Some("b")).unwrap();
    let (free, _) = enter(&mut table, None, None).unwrap();
    connect(&mut table, first);
    let todo = table.close_login("a", NOW);
    assert!(
        todo.contains(&(first, Action::TearDown(None))) && todo.contains(&(second, Action::Reply))
    );
    assert_eq!((table.taken(), table.close_login("a", NOW)), (2, Todo::new()));
    assert!(table.close(other, Some("b"), NOW).is_ok() && table.close(free, None, NOW).is_ok());
}

#[test]
fn an_unknown_session_gets_a_new_one() {
    let mut table = table(1);
    let unknown = SessionId::random().unwrap();
    assert_ne!(enter(&mut table, Some(unknown), None).unwrap().0, unknown);
    assert_eq!(enter(&mut table, Some(unknown), None), Err(Full));
}

#[test]
fn a_third_connection_spares_the_one_that_shows_a_picture() {
    let mut table = table(1);
    let (session, connected) = enter(&mut table, None, None).unwrap();
    connect(&mut table, connected);
    let (_, failed) = enter(&mut table, Some(session), None).unwrap();
    let (fresh, third) = (SessionId::random().unwrap(), ConnectionId::random().unwrap());
    let admitted = table.admit(wish(Some(session), None), fresh, third, NOW).unwrap();
    assert_eq!(admitted.todo, [(failed, Action::Reply)]);
    assert!(table.is_live(connected));
}

#[test]
fn a_third_connection_ends_the_oldest_of_connected_ones() {
    let mut table = table(1);
    let (session, oldest) = enter(&mut table, None, None).unwrap();
    connect(&mut table, oldest);
    let (_, second) = enter(&mut table, Some(session), None).unwrap();
    connect(&mut table, second);
    let (fresh, third) = (SessionId::random().unwrap(), ConnectionId::random().unwrap());
    let admitted = table.admit(wish(Some(session), None), fresh, third, NOW).unwrap();
    assert_eq!(admitted.todo, [(oldest, Action::TearDown(None))]);
    assert_eq!((table.taken(), table.connections()), (1, 3));
    assert_eq!(enter(&mut table, Some(session), None), Err(Full), "two are not torn down yet");
}

#[test]
fn a_session_gives_its_place_back_with_its_last_connection() {
    let mut table = table(1);
    let (session, first) = enter(&mut table, None, None).unwrap();
    let (_, second) = enter(&mut table, Some(session), None).unwrap();
    connect(&mut table, first);
    connect(&mut table, second);
    lose(&mut table, first);
    assert_eq!((table.taken(), table.is_live(second)), (1, true));
    lose(&mut table, second);
    assert_eq!((table.taken(), table.connections()), (0, 2));
    for connection in [first, second] {
        assert_eq!(table.on(connection, Event::Gone, NOW), [(connection, Action::Forget)]);
    }
    assert_eq!(table.connections(), 0);
}

fn lose(table: &mut Table, connection: ConnectionId) {
    table.on(connection, Event::Lost(Loss::Silent), NOW);
}

#[test]
fn a_viewer_that_was_live_comes_back_to_its_session_while_it_is_kept() {
    let mut table = table(2);
    let (session, connection) = enter(&mut table, None, Some("a")).unwrap();
    connect(&mut table, connection);
    table.session_of(connection).unwrap().1.transcript = Start::after(7);
    lose(&mut table, connection);
    assert_eq!((table.taken(), table.kept()), (0, 1));
    table.tick(KEPT - Duration::from_millis(1));
    let (same, again) = enter(&mut table, Some(session), Some("a")).unwrap();
    assert_eq!((same, table.taken(), table.kept()), (session, 1, 0));
    connect(&mut table, again);
    assert_eq!(table.session_of(again).unwrap().1.transcript, Start::after(7));
    lose(&mut table, again);
    table.tick(KEPT * 2);
    assert_eq!((table.kept(), table.expired()), (0, 1));
    assert_ne!(enter(&mut table, Some(session), Some("a")).unwrap().0, session);
}

#[test]
fn a_viewer_that_was_never_live_leaves_nothing_behind() {
    let mut table = table(1);
    let (_, connection) = enter(&mut table, None, None).unwrap();
    table.on(connection, Event::Answered, NOW);
    table.tick(Duration::from_secs(10));
    assert_eq!((table.taken(), table.kept()), (0, 0));
}

#[test]
fn a_kept_session_needs_a_place_to_come_back() {
    let mut table = table(1);
    let (session, connection) = enter(&mut table, None, None).unwrap();
    connect(&mut table, connection);
    lose(&mut table, connection);
    let (_, other) = enter(&mut table, None, None).unwrap();
    assert_eq!(enter(&mut table, Some(session), None), Err(Full));
    table.on(connection, Event::Gone, NOW);
    table.on(other, Event::Answered, NOW);
    lose(&mut table, other);
    assert_eq!(enter(&mut table, Some(session), None).unwrap().0, session);
}

#[test]
fn the_session_that_would_end_first_gives_way_when_too_many_are_kept() {
    let mut table = table(2);
    let mut first = None;
    for second in 0..=KEPT_LIMIT as u64 {
        let (session, connection) = enter(&mut table, None, None).unwrap();
        connect(&mut table, connection);
        let at = Duration::from_secs(second);
        table.on(connection, Event::Lost(Loss::Silent), at);
        table.on(connection, Event::Gone, at);
        first.get_or_insert(session);
    }
    assert_eq!(table.kept(), KEPT_LIMIT);
    assert_ne!(enter(&mut table, first, None).unwrap().0, first.unwrap());
}

#[test]
fn a_session_remembers_its_path() {
    let mut table = table(1);
    let (session, connection) = enter(&mut table, None, None).unwrap();
    connect(&mut table, connection);
    lose(&mut table, connection);
    let path = |table: &Table| -> Vec<Phase> {
        table
            .sessions()
            .find(|(id, _)| *id == session)
            .unwrap()
            .1
            .path()
            .iter()
            .map(|s| s.0)
            .collect()
    };
    use Phase::{Connecting, Live, Negotiating, Restarting};
    assert_eq!(path(&table), [Negotiating, Connecting, Live, Restarting]);
    for _ in 0..20 {
        let (_, again) = enter(&mut table, Some(session), None).unwrap();
        connect(&mut table, again);
        lose(&mut table, again);
        table.on(again, Event::Gone, NOW);
    }
    assert_eq!((path(&table).len(), path(&table).last()), (PATH_LIMIT, Some(&Restarting)));
}

#[test]
fn a_camera_once_chosen_stays_the_session_s() {
    let mut table = table(1);
    let ids = || (SessionId::random().unwrap(), ConnectionId::random().unwrap());
    let (fresh, connection) = ids();
    let chosen = Wish { camera: Some(2), ..wish(None, None) };
    let session = table.admit(chosen, fresh, connection, NOW).unwrap().session;
    let (fresh, connection) = ids();
    let again = table.admit(wish(Some(session), None), fresh, connection, NOW).unwrap();
    assert_eq!(again.camera, 2);
}

proptest! {
    #[test]
    fn places_are_never_oversold_and_all_come_back(
        steps in prop::collection::vec((0_u8..8, 0_usize..8), 0..120),
    ) {
        let mut table = table(3);
        let mut known: Vec<(SessionId, ConnectionId)> = Vec::new();
        for (what, which) in steps {
            let chosen = known.get(which % known.len().max(1)).copied();
            match (what, chosen) {
                (0 | 1, _) => known.extend(enter(&mut table, None, None)),
                (2, Some((session, _))) => known.extend(enter(&mut table, Some(session), None)),
                (3, Some((session, _))) => drop(table.close(session, None, NOW)),
                (4, Some((_, id))) => drop(table.on(id, Event::Answered, NOW)),
                (5, Some((_, id))) => drop(table.on(id, Event::Up, NOW)),
                (6, Some((_, id))) => drop(table.on(id, Event::Lost(Loss::IceFailed), NOW)),
                (_, Some((_, id))) => drop(table.on(id, Event::Gone, NOW)),
                _ => {}
            }
            prop_assert!(table.taken() <= 3 && table.kept() <= KEPT_LIMIT);
            prop_assert!(table.connections() <= 3 * (CONNECTIONS_PER_SESSION + 1));
            let holding = table.connections.values().filter(|c| c.state.holds_place());
            prop_assert!(table.connections.values().all(|c| table.sessions.contains_key(&c.session)));
            let listed: usize = table.sessions.values().map(|s| s.connections.len()).sum();
            prop_assert_eq!(listed, holding.count());
        }
        table.close_all(NOW);
        let left: Vec<ConnectionId> = table.connections.keys().copied().collect();
        for event in [Event::Close, Event::Answered, Event::Gone] {
            left.iter().for_each(|id| drop(table.on(*id, event, NOW)));
        }
        prop_assert_eq!((table.taken(), table.kept(), table.connections()), (0, 0, 0));
        prop_assert!(table.sessions.is_empty());
    }
}

#[test]
fn who_offers_and_never_goes_on_gives_way_to_others() {
    let host = |number: u8| Some(IpAddr::from([192, 0, 2, number]));
    let mut table = table(4);
    let ask = |table: &mut Table, from: u8, at: u64| {
        let connection = ConnectionId::random().unwrap();
        let wish = Wish { origin: host(from), ..wish(None, None) };
        let now = Duration::from_secs(at);
        table
            .admit(wish, SessionId::random().unwrap(), connection, now)
            .map(|one| (connection, one))
    };
    let (first, _) = ask(&mut table, 1, 0).unwrap();
    let (live, _) = ask(&mut table, 1, 1).unwrap();
    table.on(live, Event::Answered, Duration::from_secs(1));
    table.on(live, Event::Up, Duration::from_secs(1));
    ask(&mut table, 1, 1).unwrap();
    ask(&mut table, 1, 1).unwrap();
    assert_eq!(ask(&mut table, 1, 2).unwrap_err(), Full, "not to itself");
    let (_, admitted) = ask(&mut table, 2, 2).unwrap();
    assert_eq!(admitted.todo, [(first, Action::Reply)], "its oldest without a picture");
    assert_eq!(ask(&mut table, 2, 3).unwrap_err(), Full, "no more than a fair share");
    assert!(table.is_live(live));
    let unknown = Wish { origin: None, ..wish(None, None) };
    let id = (SessionId::random().unwrap(), ConnectionId::random().unwrap());
    assert_eq!(table.admit(unknown, id.0, id.1, Duration::from_secs(3)).unwrap_err(), Full);
}
