//! A Binding request (RFC 8489) and its answer: the least that a STUN or TURN server does. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Of every message.
const COOKIE: u32 = 0x2112_a442;
/// Bytes before the attributes, which the third and fourth count.
pub const HEADER: usize = 20;
const REQUEST: u16 = 0x0001;
const SUCCESS: u16 = 0x0101;
const MAPPED: u16 = 0x0001;
const XOR_MAPPED: u16 = 0x0020;

/// By which an answer is known.
pub type Transaction = [u8; 12];

/// Asks which address this comes from.
#[must_use]
pub fn request(transaction: Transaction) -> [u8; HEADER] {
    let mut message = [0; HEADER];
    message[..2].copy_from_slice(&REQUEST.to_be_bytes());
    message[4..8].copy_from_slice(&COOKIE.to_be_bytes());
    message[8..].copy_from_slice(&transaction);
    message
}

/// The address that the request came from; `None`: no answer to it.
#[must_use]
pub fn answer(message: &[u8], transaction: Transaction) -> Option<SocketAddr> {
    let (head, mut rest) = message.split_at_checked(HEADER)?;
    let known = head[..2] == SUCCESS.to_be_bytes()
        && head[4..8] == COOKIE.to_be_bytes()
        && head[8..] == transaction;
    if !known {
        return None;
    }
    let mut found = None;
    while let [kind_high, kind_low, length_high, length_low, ..] = *rest {
        let length = usize::from(u16::from_be_bytes([length_high, length_low]));
        let value = rest.get(4..4 + length)?;
        let plain = || address(value, [0; 16]);
        let mixed = || {
            let mut mask = [0; 16];
            mask[..4].copy_from_slice(&COOKIE.to_be_bytes());
            mask[4..].copy_from_slice(&transaction);
            address(value, mask)
        };
        match u16::from_be_bytes([kind_high, kind_low]) {
            XOR_MAPPED => return mixed(),
            MAPPED => found = plain(),
            _ => {}
        }
        rest = rest.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

/// A (XOR-)MAPPED-ADDRESS (14.1 and 14.2).
fn address(value: &[u8], mask: [u8; 16]) -> Option<SocketAddr> {
    let (head, bytes) = value.split_at_checked(4)?;
    let port = u16::from_be_bytes([head[2] ^ mask[0], head[3] ^ mask[1]]);
    let host = match (head[1], bytes.len()) {
        (1, 4) => {
            let bytes: [u8; 4] = std::array::from_fn(|place| bytes[place] ^ mask[place]);
            IpAddr::V4(Ipv4Addr::from(bytes))
        }
        (2, 16) => {
            let bytes: [u8; 16] = std::array::from_fn(|place| bytes[place] ^ mask[place]);
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(SocketAddr::new(host, port))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    /// RFC 5769, 2.2 without its last two attributes, whose length is taken off.
    const RESPONSE: &str = "0101001c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563\
        746f7220002000080001a147e112a643";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u32> = hex.chars().map(|digit| digit.to_digit(16).unwrap()).collect();
        digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
    }

    #[test]
    fn the_answer_of_the_rfc_is_understood() {
        let response = bytes(RESPONSE);
        let transaction: Transaction = response[8..20].try_into().unwrap();
        assert_eq!(answer(&response, transaction), Some("192.0.2.1:32853".parse().unwrap()));
        assert_eq!(answer(&response, [0; 12]), None, "of another request");
        assert_eq!(answer(&request(transaction), transaction), None, "a request is no answer");
    }

    proptest! {
        #[test]
        fn nothing_that_is_sent_here_panics(
            tail in prop::collection::vec(any::<u8>(), 0..60), cut in 0_usize..60,
        ) {
            let mut message = bytes(RESPONSE);
            let transaction: Transaction = message[8..20].try_into().unwrap();
            message.truncate(cut);
            message.extend(tail);
            let _ = answer(&message, transaction);
        }
    }
}
