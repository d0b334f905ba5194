//! The last packets of a viewer's stream: what can be sent again to probe its network.

/// Two seconds of the low rendition; webrtcbin keeps 100 packets for repeats.
const REMEMBERED: usize = 90;

/// Sequence numbers and sizes of the last packets, a ring.
#[derive(Debug)]
pub(super) struct Recent {
    ssrc: Option<u32>,
    packets: [Option<(u16, u64)>; REMEMBERED],
    next: usize,
}

impl Default for Recent {
    fn default() -> Self {
        Self { ssrc: None, packets: [None; REMEMBERED], next: 0 }
    }
}

impl Recent {
    /// Takes the start of an RTP packet of `bytes` (RFC 3550, 5.1). The first one's SSRC is
    /// the stream's; repeats have another (RFC 4588, 4). Gives the packet's number, unless it
    /// is a repeat.
    pub fn sent(&mut self, header: &[u8; 12], bytes: u64) -> Option<u16> {
        let [_, _, high, low, _, _, _, _, ssrc @ ..] = *header;
        let ssrc = u32::from_be_bytes(ssrc);
        if *self.ssrc.get_or_insert(ssrc) != ssrc {
            return None;
        }
        let number = u16::from_be_bytes([high, low]);
        self.packets[self.next] = Some((number, bytes));
        self.next = (self.next + 1) % REMEMBERED;
        Some(number)
    }

    /// The stream's SSRC, once a packet has passed.
    pub fn ssrc(&self) -> Option<u32> {
        self.ssrc
    }

    /// The stream's SSRC, and the numbers of its newest packets that have `bytes` together,
    /// or of all.
    pub fn newest(&self, bytes: u64) -> Option<(u32, Vec<u16>)> {
        let (new, old) = self.packets.split_at(self.next);
        let mut left = bytes;
        let numbers = new.iter().rev().chain(old.iter().rev()).flatten().map_while(|packet| {
            let (number, size) = *packet;
            let wanted = left > 0;
            left = left.saturating_sub(size);
            wanted.then_some(number)
        });
        let numbers = numbers.collect();
        self.ssrc.map(|ssrc| (ssrc, numbers))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(ssrc: u32, number: u16) -> [u8; 12] {
        let mut header = [0x80, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        header[2..4].copy_from_slice(&number.to_be_bytes());
        header[8..].copy_from_slice(&ssrc.to_be_bytes());
        header
    }

    #[test]
    fn repeats_are_not_repeated() {
        let mut recent = Recent::default();
        assert_eq!(recent.newest(1000), None);
        for number in 65_534..=65_535 {
            assert_eq!(recent.sent(&header(7, number), 1000), Some(number));
        }
        recent.sent(&header(9, 1), 1000);
        recent.sent(&header(7, 0), 500);
        assert_eq!(recent.newest(501), Some((7, vec![0, 65_535])));
        assert_eq!(recent.newest(9000), Some((7, vec![0, 65_535, 65_534])));
        assert_eq!(recent.newest(0), Some((7, vec![])));
    }

    proptest! {
        #[test]
        fn the_newest_come_first_and_once(
            sizes in prop::collection::vec(1_u64..1300, 1..300), bytes in 0_u64..200_000,
        ) {
            let mut recent = Recent::default();
            for (number, size) in (0..).zip(&sizes) {
                recent.sent(&header(7, number), *size);
            }
            let (_, numbers) = recent.newest(bytes).expect("something was sent");
            let newest: Vec<u16> = (0..sizes.len() as u16).rev().take(numbers.len()).collect();
            prop_assert_eq!(&numbers, &newest);
            let sum = |count: usize| sizes.iter().rev().take(count).sum::<u64>();
            let all = numbers.len() == sizes.len().min(REMEMBERED);
            prop_assert!(all || sum(numbers.len()) >= bytes);
            prop_assert!(numbers.is_empty() || sum(numbers.len() - 1) < bytes);
        }
    }
}
