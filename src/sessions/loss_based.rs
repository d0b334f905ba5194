//! What a network carries, as its losses tell it (draft-ietf-rmcat-gcc-02, section 6): for
//! a peer without transport-wide feedback, which the estimator needs.
//!
//! A packet is lost when the peer asks for it again, which most do at once, or when its
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

/// Without a word from the peer for longer, no loss is no good sign: reports come every 5 s.
const SILENCE: Duration = Duration::from_secs(6);

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
    /// Highest of the last report.
    reported: Option<u32>,
    /// When the peer last said anything.
    heard: Option<Duration>,
    period: Period,
    estimate_bps: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Period {
    began: Option<Duration>,
    bytes: u64,
    packets: u64,
    /// By what was asked for.
    lost: u64,
    /// Share of packets lost, by a report.
    reported: f64,
}

impl Default for LossBased {
    fn default() -> Self {
        Self {
            sent: vec![None; usize::from(REMEMBERED)].into(),
            reported: None,
            heard: None,
            period: Period::default(),
            estimate_bps: 0.0,
        }
    }
}

impl LossBased {
    /// The estimate begins anew with `bps`.
    pub fn believe(&mut self, bps: u32) {
        self.estimate_bps = bps.into();
        self.period = Period::default();
    }

    /// Packet `number` of `bytes` is on its way at `now`, a time that only rises. The estimate
    /// stays within `bounds`, in bit/s.
    pub fn sent(&mut self, number: u16, bytes: u64, now: Duration, bounds: (u32, u32)) -> Told {
        self.sent[usize::from(number % REMEMBERED)] = Some(number);
        self.period.began.get_or_insert(now);
        self.period.packets += 1;
        self.period.bytes += bytes;
        Told { arrived: 1, lost: 0, estimate_bps: self.judge(now, bounds) }
    }

    /// The peer asks for packet `number` again.
    pub fn asked(&mut self, number: u16, now: Duration) -> Told {
        self.heard = Some(now);
        let sent = &mut self.sent[usize::from(number % REMEMBERED)];
        if sent.take_if(|sent| *sent == number).is_none() {
            return Told::default();
        }
        self.period.lost += 1;
        Told { lost: 1, ..Told::default() }
    }

    /// The peer reports at `now`. What it lost is of the last seconds and not of this moment,
    /// so that it counts for the estimate alone.
    pub fn reported(&mut self, block: Block, now: Duration) {
        // Backwards: a report that was overtaken.
        let newer = |before: u32| block.highest.wrapping_sub(before) <= u32::MAX / 2;
        if self.reported.is_none_or(newer) {
            self.reported = Some(block.highest);
            self.heard = Some(now);
            self.period.reported = f64::from(block.fraction_lost) / 256.0;
        }
    }

    fn judge(&mut self, now: Duration, (least, most): (u32, u32)) -> Option<u32> {
        let Period { began, bytes, packets, lost, reported } = self.period;
        let lasted = now.saturating_sub(began?);
        if lasted < PERIOD || packets < FEWEST {
            return None;
        }
        self.period = Period::default();
        let loss = (lost as f64 / packets as f64).clamp(reported, 1.0);
        let heard = self.heard.is_some_and(|heard| now.saturating_sub(heard) <= SILENCE);
        let sent_bps = bytes as f64 * 8.0 / lasted.as_secs_f64();
        self.estimate_bps = match loss {
            // Of what was not sent nothing is known, so that it begins with what was.
            _ if loss > MUCH_LOSS => self.estimate_bps.min(sent_bps) * (1.0 - 0.5 * loss),
            _ if loss < LITTLE_LOSS && heard => self.estimate_bps * GROWTH,
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

    /// When the network is first used: viewers come at any time.
    const START: Duration = Duration::from_secs(3600);

    /// A second of 200 packets of 1250 bytes, 2 Mbit/s, of which every `nth` is asked for.
    fn second(network: &mut LossBased, second: u16, nth: Option<u16>) -> Vec<Told> {
        let packet = |index: u16| {
            let (number, at) = (second * 200 + index, u64::from(second * 1000 + index * 5));
            let now = START + Duration::from_millis(at);
            let sent = network.sent(number, 1250, now, BOUNDS);
            let asked = nth.is_some_and(|nth| index.is_multiple_of(nth));
            [Some(sent), asked.then(|| network.asked(number, now))]
        };
        (0..200).flat_map(packet).flatten().collect()
    }

    /// Says so at the beginning of a second.
    fn report(network: &mut LossBased, second: u32, fraction_lost: u8) {
        let now = START + Duration::from_secs(second.into());
        network.reported(block(fraction_lost, second * 200), now);
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
        report(&mut network, 0, 0);
        let told = [None, Some(20), Some(20), Some(20)]
            .into_iter()
            .zip(0..)
            .flat_map(|(nth, index)| second(&mut network, index, nth));
        assert_eq!(estimates(&told.collect::<Vec<_>>()), [525_000; 3]);
    }

    #[test]
    fn what_is_reported_is_a_share_of_what_is_sent_and_no_moments_loss() {
        let mut network = LossBased::default();
        network.believe(8_000_000);
        report(&mut network, 0, 128);
        let told = [second(&mut network, 0, None), second(&mut network, 1, None)].concat();
        let [estimate] = estimates(&told)[..] else { panic!("{told:?}") };
        assert!((1_450_000..1_550_000).contains(&estimate), "{estimate}");
        assert_eq!(sums(&told), (400, 0));
        let before = network.reported;
        network.reported(block(255, 0_u32.wrapping_sub(9)), START);
        assert_eq!((network.reported, network.period.reported), (before, 0.0), "it was overtaken");
    }

    #[test]
    fn no_word_is_no_good_word() {
        let mut network = LossBased::default();
        network.believe(500_000);
        report(&mut network, 0, 0);
        let told: Vec<Told> = (0..12).flat_map(|at| second(&mut network, at, None)).collect();
        let estimates = estimates(&told);
        assert!(estimates.windows(2).take(4).all(|pair| pair[0] < pair[1]), "{estimates:?}");
        assert!(estimates.windows(2).skip(7).all(|pair| pair[0] == pair[1]), "{estimates:?}");
    }

    #[test]
    fn a_packet_is_lost_once() {
        let mut network = LossBased::default();
        assert_eq!(network.asked(0, START).lost, 0, "nothing was sent yet");
        second(&mut network, 0, None);
        assert_eq!([199, 199, 200].map(|number| network.asked(number, START).lost), [1, 0, 0]);
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
                    0 => {
                        network.reported(block(word as u8, word), now);
                        Told::default()
                    }
                    1 => network.asked(sent.wrapping_sub(number % 10), now),
                    2 => network.asked(number, now),
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
