//! Every state with every event, and what holds over all sequences of them.

use Form::{Full, Low};
use gst::ClockTime;
use proptest::prelude::*;

use super::*;

const KEY: Unit = Unit::Key;
const DELTA: Unit = Unit::Delta;
const MOVING: Flow = Flow::Moving { from: Full, to: Low };

fn arrival(form: Form, unit: Unit, queue: Queue) -> Arrival {
    Arrival { form, unit, queue }
}

#[test]
fn every_change_in_every_state() {
    use Change::{Interrupt, Pause, Resume, Stop, Want};
    use Flow::{Behind, Idle, Paused, Running, Waiting};
    let table = [
        (Idle(Full), Want(Full), Idle(Full)),
        (Idle(Full), Want(Low), Idle(Low)),
        (Idle(Full), Pause, Idle(Full)),
        (Idle(Full), Stop, Idle(Full)),
        (Idle(Full), Resume, Waiting(Full)),
        (Idle(Full), Interrupt, Idle(Full)),
        (Paused(Full), Want(Full), Paused(Full)),
        (Paused(Full), Want(Low), Paused(Low)),
        (Paused(Full), Pause, Paused(Full)),
        (Paused(Full), Stop, Idle(Full)),
        (Paused(Full), Resume, Waiting(Full)),
        (Paused(Full), Interrupt, Paused(Full)),
        (Waiting(Full), Want(Full), Waiting(Full)),
        (Waiting(Full), Want(Low), Waiting(Low)),
        (Waiting(Full), Pause, Paused(Full)),
        (Waiting(Full), Stop, Idle(Full)),
        (Waiting(Full), Resume, Waiting(Full)),
        (Waiting(Full), Interrupt, Waiting(Full)),
        (Running(Full), Want(Full), Running(Full)),
        (Running(Full), Want(Low), MOVING),
        (Running(Full), Pause, Paused(Full)),
        (Running(Full), Stop, Idle(Full)),
        (Running(Full), Resume, Running(Full)),
        (Running(Full), Interrupt, Waiting(Full)),
        (MOVING, Want(Full), Running(Full)),
        (MOVING, Want(Low), MOVING),
        (MOVING, Pause, Paused(Low)),
        (MOVING, Stop, Idle(Low)),
        (MOVING, Resume, MOVING),
        (MOVING, Interrupt, Waiting(Low)),
        (Behind(Full), Want(Full), Behind(Full)),
        (Behind(Full), Want(Low), Behind(Low)),
        (Behind(Full), Pause, Paused(Full)),
        (Behind(Full), Stop, Idle(Full)),
        (Behind(Full), Resume, Behind(Full)),
        (Behind(Full), Interrupt, Behind(Full)),
    ];
    for (before, change, after) in table {
        assert_eq!(before.on(change), after, "{before:?} {change:?}");
    }
}

#[test]
fn every_picture_in_every_state() {
    use Flow::{Behind, Idle, Paused, Running, Waiting};
    use Queue::{Empty, Filling, Full as NoRoom};
    use Verdict::{Drop, Pass, Push, Wish};
    // Where the queue does not matter, and a key unit is as good as any.
    for unit in [KEY, DELTA] {
        for queue in [Empty, Filling, NoRoom] {
            for flow in [Idle(Full), Paused(Full), Waiting(Low), Running(Low), Behind(Low)] {
                let after = flow.take(arrival(Full, unit, queue));
                assert_eq!(after, (flow, Pass), "{flow:?} {unit:?} {queue:?}");
            }
        }
    }
    let table = [
        (Waiting(Full), KEY, Empty, Running(Full), Push),
        (Waiting(Full), KEY, Filling, Running(Full), Push),
        (Waiting(Full), KEY, NoRoom, Behind(Full), Drop),
        (Waiting(Full), DELTA, Empty, Waiting(Full), Wish),
        (Waiting(Full), DELTA, Filling, Waiting(Full), Wish),
        (Waiting(Full), DELTA, NoRoom, Waiting(Full), Wish),
        (Running(Full), KEY, Empty, Running(Full), Push),
        (Running(Full), KEY, Filling, Running(Full), Push),
        (Running(Full), KEY, NoRoom, Behind(Full), Drop),
        (Running(Full), DELTA, Empty, Running(Full), Push),
        (Running(Full), DELTA, Filling, Running(Full), Push),
        (Running(Full), DELTA, NoRoom, Behind(Full), Drop),
        (Behind(Full), KEY, Empty, Running(Full), Push),
        (Behind(Full), KEY, Filling, Behind(Full), Drop),
        (Behind(Full), KEY, NoRoom, Behind(Full), Drop),
        (Behind(Full), DELTA, Empty, Waiting(Full), Wish),
        (Behind(Full), DELTA, Filling, Behind(Full), Drop),
        (Behind(Full), DELTA, NoRoom, Behind(Full), Drop),
        (MOVING, KEY, Empty, MOVING, Push),
        (MOVING, KEY, Filling, MOVING, Push),
        (MOVING, KEY, NoRoom, Behind(Low), Drop),
        (MOVING, DELTA, Empty, MOVING, Push),
        (MOVING, DELTA, Filling, MOVING, Push),
        (MOVING, DELTA, NoRoom, Behind(Low), Drop),
    ];
    for (before, unit, queue, after, verdict) in table {
        let taken = before.take(arrival(Full, unit, queue));
        assert_eq!(taken, (after, verdict), "{before:?} {unit:?} {queue:?}");
    }
    let table = [
        (KEY, Empty, Running(Low), Push),
        (KEY, Filling, Running(Low), Push),
        (KEY, NoRoom, Behind(Low), Drop),
        (DELTA, Empty, MOVING, Wish),
        (DELTA, Filling, MOVING, Wish),
        (DELTA, NoRoom, MOVING, Wish),
    ];
    for (unit, queue, after, verdict) in table {
        let taken = MOVING.take(arrival(Low, unit, queue));
        assert_eq!(taken, (after, verdict), "{unit:?} {queue:?}");
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Change(Change),
    Arrival(Arrival),
}

fn step() -> impl Strategy<Value = Step> {
    let form = prop_oneof![Just(Full), Just(Low)];
    let change = prop_oneof![
        form.clone().prop_map(Change::Want),
        Just(Change::Pause),
        Just(Change::Stop),
        Just(Change::Resume),
        Just(Change::Interrupt),
    ];
    let unit = prop_oneof![1 => Just(KEY), 3 => Just(DELTA)];
    let queue =
        prop_oneof![1 => Just(Queue::Empty), 3 => Just(Queue::Filling), 1 => Just(Queue::Full)];
    let arrival = (form, unit, queue)
        .prop_map(|(form, unit, queue)| Step::Arrival(Arrival { form, unit, queue }));
    prop_oneof![1 => change.prop_map(Step::Change), 4 => arrival]
}

proptest! {
    /// A picture that needs others is pushed only if the one before it in its own form
    /// was pushed, too, and nothing else since: the stream can be decoded.
    #[test]
    fn what_is_pushed_can_be_decoded(steps in prop::collection::vec(step(), 0..200)) {
        let (mut flow, mut decodable) = (Flow::Idle(Full), None);
        for step in steps {
            match step {
                Step::Change(change) => {
                    flow = flow.on(change);
                    if matches!(change, Change::Interrupt | Change::Pause | Change::Stop) {
                        decodable = None;
                    }
                }
                Step::Arrival(arrival) => {
                    let (next, verdict) = flow.take(arrival);
                    flow = next;
                    if verdict == Verdict::Push {
                        let continues = decodable == Some(arrival.form);
                        prop_assert!(arrival.unit == KEY || continues);
                        prop_assert!(arrival.queue != Queue::Full);
                        decodable = Some(arrival.form);
                    } else if decodable == Some(arrival.form) {
                        decodable = None;
                    }
                }
            }
        }
    }

    #[test]
    fn a_viewer_needs_what_it_shows_and_what_it_waits_for(
        steps in prop::collection::vec(step(), 0..100),
    ) {
        let mut flow = Flow::Idle(Full);
        for step in steps {
            flow = match step {
                Step::Change(change) => flow.on(change),
                Step::Arrival(arrival) => flow.take(arrival).0,
            };
            let idle = matches!(flow, Flow::Idle(_));
            prop_assert_eq!(flow.needs(flow.shown()), !idle);
            prop_assert_eq!(flow.needs(flow.target()), !idle);
            prop_assert!(flow.awaited().is_none_or(|form| flow.needs(form)));
        }
    }

    #[test]
    fn time_rises_and_is_left_alone_where_it_rises_by_itself(
        times in prop::collection::vec(0_u64..5_000, 1..50),
    ) {
        let mut last = None;
        for time in times.into_iter().map(ClockTime::from_useconds) {
            let stamped = super::after(last, time);
            prop_assert!(last.is_none_or(|last| stamped >= last + LEAST_STEP));
            prop_assert!(stamped == time || last.is_some_and(|last| time < last + LEAST_STEP));
            last = Some(stamped);
        }
    }
}
