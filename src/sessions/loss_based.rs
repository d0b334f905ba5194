//! What a network carries, as its losses tell it (draft-ietf-rmcat-gcc-02, section 6): for
//! a peer without transport-wide feedback, which the estimator needs.
//!
//! A packet is lost when the peer asks for it again, which it does at once, or when its
//! receiver report says so (RFC 3550, 6.4.2), which takes up to 5 s.

use std::time::Duration;

use rtcp_types::{Compound, Packet, ReportBlock};

/// Less loss lets the estimate grow, more shrinks it.
const LITTLE_LOSS: f64 = 0.02;
const MUCH_LOSS: f64 = 0.1;
const GROWTH: f64 = 1.05;

/// The estimate follows so often, and no sooner than so many packets: of fewer, some
/// bad luck is much.
const PERIOD: Duration = Duration::from_secs(1);
const FEWEST: u64 = 100;

/// Packets that may be asked for: a second of the highest bit rate.
const REMEMBERED: u16 = 2048;

/// A report about our stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Block {
    /// Share of packets lost since the report before, of 256.
    pub fraction_lost: u8,
    /// The highest sequence number received, with its cycles.
    pub highest: u32,
}

/// What is known of packets since the last time, and what follows from it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Told {
    /// Packets that are thought to arrive. One that does not is not taken back: the share of
    /// those lost looks a little smaller, and no moment seems to lose everything.
    pub arrived: u64,
    pub lost: u64,
    /// What the network carries, in bit/s, if that was judged.
    pub estimate_bps: Option<u32>,
}

/// One viewer's packets and losses.
#[derive(Debug)]
pub(super) struct LossBased {
    /// Numbers of the last packets that were not asked for, each in its own place.
    sent: Box<[Option<u16>]>,
    /// Asked for since the last report.
    asked_since: u64,
    /// Highest of the last report.
    reported: Option<u32>,
    period: Period,
    estimate_bps: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Period {
    began: Duration,
    bytes: u64,
    packets: u64,
    lost: u64,
}

impl Default for LossBased {
    fn default() -> Self {
        Self {
            sent: vec![None; usize::from(REMEMBERED)].into(),
            asked_since: 0,
            reported: None,
            period: Period::default(),
            estimate_bps: 0.0,
        }
    }
}

impl LossBased {
    /// The estimate begins anew with `bps`.
    pub fn believe(&mut self, bps: u32) {
        self.estimate_bps = bps.into();
        self.period = Period { began: self.period.began, ..Period::default() };
    }

    /// Packet `number` of `bytes` is on its way at `now`, a time that only rises. The estimate
    /// stays within `bounds`, in bit/s.
    pub fn sent(&mut self, number: u16, bytes: u64, now: Duration, bounds: (u32, u32)) -> Told {
        self.sent[usize::from(number % REMEMBERED)] = Some(number);
        self.period.packets += 1;
        self.period.bytes += bytes;
        Told { arrived: 1, lost: 0, estimate_bps: self.judge(now, bounds) }
    }

    /// The peer asks for packet `number` again.
    pub fn asked(&mut self, number: u16) -> Told {
        let sent = &mut self.sent[usize::from(number % REMEMBERED)];
        if sent.take_if(|sent| *sent == number).is_none() {
            return Told::default();
        }
        self.asked_since += 1;
        self.lose(1)
    }

    /// The peer reports; what it asked for is known already.
    pub fn reported(&mut self, block: Block) -> Told {
        let asked = std::mem::take(&mut self.asked_since);
        let Some(before) = self.reported.replace(block.highest) else { return Told::default() };
        // Backwards: a report that was overtaken, or a peer that lies.
        let expected = block.highest.wrapping_sub(before).min(u16::MAX.into());
        let lost = (f64::from(expected) * f64::from(block.fraction_lost) / 256.0).round() as u64;
        self.lose(lost.saturating_sub(asked))
    }

    fn lose(&mut self, lost: u64) -> Told {
        self.period.lost += lost;
        Told { lost, ..Told::default() }
    }

    fn judge(&mut self, now: Duration, (least, most): (u32, u32)) -> Option<u32> {
        let Period { began, bytes, packets, lost } = self.period;
        let lasted = now.saturating_sub(began);
        if lasted < PERIOD || packets < FEWEST {
            return None;
        }
        self.period = Period { began: now, ..Period::default() };
        let loss = (lost as f64 / packets as f64).min(1.0);
        let sent_bps = bytes as f64 * 8.0 / lasted.as_secs_f64();
        self.estimate_bps = match loss {
            // Of what was not sent nothing is known, so that it begins with what was.
            _ if loss > MUCH_LOSS => self.estimate_bps.min(sent_bps) * (1.0 - 0.5 * loss),
            _ if loss < LITTLE_LOSS => self.estimate_bps * GROWTH,
            _ => self.estimate_bps,
        }
        .clamp(least.into(), most.into());
        Some(self.estimate_bps as u32)
    }
}

/// What a compound packet (RFC 3550, 6.1) reports about the stream `ssrc`. Repeats have
/// reports of their own.
pub(super) fn about(ssrc: u32, compound: &[u8]) -> Option<Block> {
    let of = |block: ReportBlock| Block {
        fraction_lost: block.fraction_lost(),
        highest: block.extended_sequence_number(),
    };
    // A packet that cannot be read ends the list.
    Compound::parse(compound).ok()?.map_while(Result::ok).find_map(|packet| match packet {
        Packet::Rr(report) => report.report_blocks().find(|block| block.ssrc() == ssrc).map(of),
        Packet::Sr(report) => report.report_blocks().find(|block| block.ssrc() == ssrc).map(of),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use proptest::prelude::*;
    use rtcp_types::prelude::*;
    use rtcp_types::{ReceiverReport, Sdes};

    use super::*;

    const BOUNDS: (u32, u32) = (100_000, 10_000_000);

    fn block(fraction_lost: u8, highest: u32) -> Block {
        Block { fraction_lost, highest }
    }

    /// A second of 200 packets of 1250 bytes, 2 Mbit/s, of which every `nth` is asked for.
    fn second(network: &mut LossBased, second: u16, nth: Option<u16>) -> Vec<Told> {
        let packet = |index: u16| {
            let (number, at) = (second * 200 + index, u64::from(second * 1000 + index * 5));
            let sent = network.sent(number, 1250, Duration::from_millis(at), BOUNDS);
            let asked =
                nth.is_some_and(|nth| index.is_multiple_of(nth)).then(|| network.asked(number));
            [Some(sent), asked]
        };
        (0..200).flat_map(packet).flatten().collect()
    }

    fn estimates(told: &[Told]) -> Vec<u32> {
        told.iter().filter_map(|told| told.estimate_bps).collect()
    }

    fn sums(told: &[Told]) -> (u64, u64) {
        told.iter().fold((0, 0), |(arrived, lost), told| (arrived + told.arrived, lost + told.lost))
    }

    #[test]
    fn heavy_loss_begins_with_what_was_sent() {
        let mut network = LossBased::default();
        network.believe(8_000_000);
        let told = [second(&mut network, 0, Some(2)), second(&mut network, 1, None)].concat();
        let [estimate] = estimates(&told)[..] else { panic!("{told:?}") };
        assert!((1_450_000..1_550_000).contains(&estimate), "{estimate}");
        assert_eq!(sums(&told), (400, 100));
    }

    #[test]
    fn little_loss_grows_and_some_holds() {
        let mut network = LossBased::default();
        network.believe(500_000);
        let told = [None, Some(20), Some(20), Some(20)]
            .into_iter()
            .zip(0..)
            .flat_map(|(nth, index)| second(&mut network, index, nth));
        assert_eq!(estimates(&told.collect::<Vec<_>>()), [525_000; 3]);
    }

    #[test]
    fn a_packet_is_lost_once() {
        let mut network = LossBased::default();
        assert_eq!(network.asked(0).lost, 0, "nothing was sent yet");
        second(&mut network, 0, None);
        assert_eq!([199, 199, 200].map(|number| network.asked(number).lost), [1, 0, 0]);
        network.reported(block(0, 100));
        assert_eq!(network.asked(150).lost, 1);
        assert_eq!(network.reported(block(128, 110)).lost, 4, "one of five was asked for");
    }

    #[test]
    fn the_block_of_our_stream_is_found_in_a_compound_packet() {
        let ours = ReportBlock::builder(7).fraction_lost(64).extended_sequence_number(70_000);
        let report = ReceiverReport::builder(1)
            .add_report_block(ReportBlock::builder(8).fraction_lost(9))
            .add_report_block(ours);
        let compound = Compound::builder().add_packet(report).add_packet(Sdes::builder());
        let mut bytes = vec![0; compound.calculate_size().unwrap()];
        compound.write_into(&mut bytes).unwrap();
        assert_eq!(about(7, &bytes), Some(block(64, 70_000)));
        assert_eq!(about(9, &bytes), None);
        assert_eq!(about(7, &bytes[..20]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = about(7, &bytes);
        }

        #[test]
        fn no_more_are_lost_than_were_sent(
            steps in prop::collection::vec((0_u8..8, any::<u16>(), any::<u32>()), 0..2000),
        ) {
            let (mut network, mut sent, mut lost, mut now) =
                (LossBased::default(), 0_u16, 0, Duration::ZERO);
            for (kind, number, word) in steps {
                now += Duration::from_millis(5);
                let told = match kind {
                    // A peer may report what it likes.
                    0 => Told { lost: 0, ..network.reported(block(word as u8, word)) },
                    1 => network.asked(sent.wrapping_sub(number % 10)),
                    2 => network.asked(number),
                    _ => {
                        sent += 1;
                        network.sent(sent, 1000, now, BOUNDS)
                    }
                };
                lost += told.lost;
                prop_assert!(lost <= u64::from(sent));
                let estimate = told.estimate_bps;
                prop_assert!(estimate.is_none_or(|bps| (BOUNDS.0..=BOUNDS.1).contains(&bps)));
            }
        }
    }
}
