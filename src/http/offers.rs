//! How many offers an address may make. Each costs a pipeline and a certificate
//! check, so that a page in a loop would cost the other viewers their pictures.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;

use super::address::network;
use super::refusals::Limit;
use super::{App, Ends, Problem};

/// Addresses that are remembered; when somebody makes up more, the one that may
/// make the most offers is forgotten, which changes least.
const ADDRESSES: usize = 1024;

/// More than all errors of floating point on the way, so that a wait is long enough.
const ROUNDING: Duration = Duration::from_micros(1);

const MINUTE: Duration = Duration::from_secs(60);

/// A bucket of offers for each address. Pure: time is a parameter.
#[derive(Debug)]
pub struct Offers {
    per_minute: u32,
    buckets: HashMap<IpAddr, Bucket>,
}

/// Offers that are left, as they were at a time.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Offers {
    /// So many a minute for each address, and so many at once.
    #[must_use]
    pub fn new(per_minute: u32) -> Self {
        Self { per_minute, buckets: HashMap::new() }
    }

    /// Allows so many from now on; who has fewer left than that earns them.
    pub fn set(&mut self, per_minute: u32) {
        self.per_minute = per_minute;
    }

    /// Takes an offer of `address`. `Err`: the next one may come after so long.
    pub fn take(&mut self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let address = network(address);
        let most = f64::from(self.per_minute);
        let known = self.buckets.get(&address).copied();
        let left = known.map_or(most, |bucket| self.left(bucket, now));
        if left < 1.0 {
            return Err(MINUTE.mul_f64((1.0 - left) / most) + ROUNDING);
        }
        if known.is_none() && self.buckets.len() >= ADDRESSES {
            self.forget_one(now);
        }
        self.buckets.insert(address, Bucket { left: left - 1.0, at: now });
        Ok(())
    }

    fn left(&self, bucket: Bucket, now: Instant) -> f64 {
        let most = f64::from(self.per_minute);
        let minutes = now.saturating_duration_since(bucket.at).div_duration_f64(MINUTE);
        (bucket.left + minutes * most).min(most)
    }

    fn forget_one(&mut self, now: Instant) {
        let left = |bucket: &Bucket| self.left(*bucket, now);
        let fullest = self.buckets.iter().max_by(|a, b| left(a.1).total_cmp(&left(b.1)));
        if let Some(address) = fullest.map(|(address, _)| *address) {
            self.buckets.remove(&address);
        }
    }
}

/// That the caller may make an offer now, and whose it is; looked at before its body is
/// read.
#[derive(Debug)]
pub struct MayOffer {
    /// The host, or its network.
    pub origin: Option<IpAddr>,
}

impl FromRequestParts<App> for MayOffer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Some(Ends { peer, .. }) = parts.extensions.get() else {
            return Ok(Self { origin: None });
        };
        let allowed = allow(&app.offers, peer.ip(), Instant::now());
        allowed.inspect_err(|_| app.refusals.count(Limit::Offers))
    }
}

fn allow(offers: &Mutex<Offers>, address: IpAddr, now: Instant) -> Result<MayOffer, Problem> {
    let mut offers = offers.lock().unwrap_or_else(PoisonError::into_inner);
    let limit = offers.per_minute;
    let origin = Some(network(address));
    offers.take(address, now).map(|()| MayOffer { origin }).map_err(|wait| {
        Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too many offers",
            format!("this address has made {limit} offers within a minute"),
            "wait as long as Retry-After says, or raise sessions.offers_per_minute",
        )
        .retry_after(wait)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    fn host(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from(0x0a00_0000 + number).into()
    }

    #[test]
    fn ten_thousand_a_minute_are_cut_to_the_limit_and_others_go_on() {
        let (mut offers, start) = (Offers::new(120), Instant::now());
        let at = |offer: u32| start + Duration::from_millis(6) * offer;
        let taken = (0..10_000).filter(|n| offers.take(host(1), at(*n)).is_ok()).count();
        assert!((238..=241).contains(&taken), "a bucket full and a minute's: {taken}");
        assert_eq!(offers.take(host(2), at(9_999)), Ok(()));
        let wait = offers.take(host(1), at(9_999)).unwrap_err();
        assert!(wait <= Duration::from_millis(501), "{wait:?}");
        assert_eq!(offers.take(host(1), at(9_999) + wait), Ok(()));
    }

    #[test]
    fn who_has_the_least_left_is_remembered_longest() {
        let (mut offers, now) = (Offers::new(6), Instant::now());
        for _ in 0..6 {
            offers.take(host(0), now).unwrap();
        }
        for number in 1..5000 {
            offers.take(host(number), now).unwrap();
        }
        assert!(offers.take(host(0), now).is_err());
        assert_eq!(offers.buckets.len(), ADDRESSES);
    }

    proptest! {
        #[test]
        fn no_minute_sees_more_than_twice_the_limit(
            per_minute in 6_u32..200,
            steps in prop::collection::vec((0_u32..3, 0_u64..3000), 0..400),
        ) {
            let (mut offers, mut now, mut taken) = (Offers::new(per_minute), Instant::now(), Vec::new());
            for (number, step) in steps {
                now += Duration::from_millis(step);
                match offers.take(host(number), now) {
                    Ok(()) => taken.push((number, now)),
                    Err(wait) => prop_assert!(wait <= MINUTE / per_minute + Duration::from_millis(1)),
                }
            }
            for (number, from) in &taken {
                let within = |(n, at): &&(u32, Instant)| n == number && *at >= *from && *at < *from + MINUTE;
                prop_assert!(taken.iter().filter(within).count() <= 2 * per_minute as usize);
            }
        }
    }
}
