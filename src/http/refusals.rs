//! What is refused at a limit before an owner hears of it, counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use utoipa::ToSchema;

/// Refused since the start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct RefusedStatus {
    /// Connections of an address that had enough of them.
    pub connections: u64,
    /// Offers of an address that had made enough of them within a minute.
    pub offers: u64,
    /// Readers of MJPEG streams when every place was taken.
    pub streams: u64,
}

/// A limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Limit {
    /// Connections of an address.
    Connections,
    /// Offers of an address.
    Offers,
    /// Readers of MJPEG streams.
    Streams,
}

/// The counters. A clone counts into the same.
#[derive(Clone, Debug, Default)]
pub struct Refusals(Arc<[AtomicU64; 3]>);

impl Refusals {
    /// One more was refused.
    pub fn count(&self, limit: Limit) {
        self.0[limit as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// All so far.
    #[must_use]
    pub fn status(&self) -> RefusedStatus {
        let of = |limit: Limit| self.0[limit as usize].load(Ordering::Relaxed);
        RefusedStatus {
            connections: of(Limit::Connections),
            offers: of(Limit::Offers),
            streams: of(Limit::Streams),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_has_its_own_count() {
        let refusals = Refusals::default();
        let limits = [(Limit::Connections, 1), (Limit::Offers, 2), (Limit::Streams, 3)];
        for (limit, times) in limits {
            (0..times).for_each(|_| refusals.clone().count(limit));
        }
        let expected = RefusedStatus { connections: 1, offers: 2, streams: 3 };
        assert_eq!(refusals.status(), expected);
    }
}
