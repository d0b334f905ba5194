//! Every state of a data channel with everything that can happen to it.

use proptest::prelude::*;

use super::*;

const LIMIT: u64 = 1000;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn text(text: &str) -> Payload {
    Payload::Text(text.into())
}

fn name(channel: &Channel) -> &'static str {
    match channel {
        Channel::Absent => "absent",
        Channel::Connecting { .. } => "connecting",
        Channel::Open => "open",
        Channel::Closing => "closing",
        Channel::Closed => "closed",
    }
}

fn state(name: &str) -> Channel {
    match name {
        "absent" => Channel::Absent,
        "connecting" => Channel::expected(),
        "open" => Channel::Open,
        "closing" => Channel::Closing,
        _ => Channel::Closed,
    }
}

#[test]
fn every_state_meets_every_event() {
    // A state, and what it becomes when opened, closing, closed.
    let table = [
        ("absent", ["open", "closing", "absent"]),
        ("connecting", ["open", "closing", "closed"]),
        ("open", ["open", "closing", "closed"]),
        ("closing", ["closing", "closing", "closed"]),
        ("closed", ["closed", "closed", "closed"]),
    ];
    for (from, row) in table {
        for (event, expected) in [Event::Opened, Event::Closing, Event::Closed].iter().zip(row) {
            let (reached, messages) = state(from).on(*event, ms(0));
            assert_eq!(name(&reached), expected, "{from} on {event:?}");
            assert_eq!(messages, []);
        }
    }
}

#[test]
fn every_state_meets_a_message() {
    let said = |from: &str, buffered| state(from).send(text("x"), buffered, LIMIT, ms(0));
    assert_eq!(said("absent", 0), Verdict::Refused(Refusal::NoChannel));
    assert_eq!(said("connecting", 0), Verdict::Waits);
    assert_eq!(said("open", LIMIT), Verdict::Send(text("x")));
    assert_eq!(said("open", LIMIT + 1), Verdict::Refused(Refusal::OverLimit));
    assert_eq!(said("closing", 0), Verdict::Refused(Refusal::Gone));
    assert_eq!(said("closed", 0), Verdict::Refused(Refusal::Gone));
}

#[test]
fn what_waited_goes_in_order_and_what_waited_too_long_does_not() {
    let mut channel = Channel::expected();
    for (at, word) in [(0, "old"), (1000, "first"), (2000, "second")] {
        assert_eq!(channel.send(text(word), 0, LIMIT, ms(at)), Verdict::Waits);
    }
    let (_, messages) = channel.on(Event::Opened, ms(2001));
    assert_eq!(messages, [text("first"), text("second")]);
}

#[test]
fn a_name_is_heard_once() {
    let opened = Opened::default();
    assert_eq!(opened.named(Some("commands")), Some(Label::Commands));
    assert_eq!(opened.named(Some("commands")), None);
    assert_eq!(opened.named(Some("other")), None);
    assert_eq!(opened.named(None), None);
    assert_eq!(opened.named(Some("predictions")), Some(Label::Predictions));
}

#[test]
fn a_fifth_channel_is_told_as_too_many_and_only_that() {
    let opened = Opened::default();
    let told: Vec<bool> = (0..7).map(|_| opened.is_one_too_many()).collect();
    assert_eq!(told, [false, false, false, false, true, false, false]);
}

proptest! {
    #[test]
    fn waiting_messages_are_bounded_in_number_and_age(
        steps in prop::collection::vec(0_u64..300, 0..200),
    ) {
        let (mut channel, mut now) = (Channel::expected(), 0);
        for wait in steps {
            now += wait;
            let verdict = channel.send(text("x"), 0, LIMIT, ms(now));
            let Channel::Connecting { waiting } = &channel else { panic!("it was not opened") };
            prop_assert!(waiting.len() <= WAITING_LIMIT);
            prop_assert!(waiting.iter().all(|(at, _)| ms(now) - *at <= WAITING_TIME));
            let full = Verdict::Refused(Refusal::WaitingFull);
            prop_assert_eq!(verdict == full, waiting.len() == WAITING_LIMIT && verdict != Verdict::Waits);
        }
    }
}
