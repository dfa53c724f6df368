//! What is known of a remote key set, and how long that counts.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::set::KeySet;

/// For an unknown `kid` at most one fetch is made in so long.
const COOL_DOWN: SignedDuration = SignedDuration::from_secs(2);
/// After a renewal failed the next is tried so much later, unless an unknown `kid` asks before.
pub(super) const RETRY_AFTER: SignedDuration = SignedDuration::from_secs(5);
/// However little a provider or the config says, a set counts so long.
const LEAST_TTL: SignedDuration = SignedDuration::from_secs(1);

/// How long what was fetched counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Freshness {
    /// At most, whatever the provider says.
    pub(super) most_ttl: SignedDuration,
    /// While nothing newer can be had.
    pub(super) most_stale: SignedDuration,
}

impl Freshness {
    /// min(configured, `max-age`), at least a second; and never longer than it serves.
    pub(super) fn ttl(self, max_age: Option<SignedDuration>) -> SignedDuration {
        max_age.map_or(self.most_ttl, |age| age.min(self.most_ttl)).min(self.most_stale).max(LEAST_TTL)
    }

    /// Until when what was fetched then serves, even though nothing newer can be had.
    pub(super) fn serves_until(self, at: Timestamp) -> Timestamp {
        at.checked_add(self.most_stale.max(LEAST_TTL)).unwrap_or(Timestamp::MAX)
    }

    /// Whether it serves no longer.
    pub(super) fn is_stale(self, at: Timestamp, now: Timestamp) -> bool {
        now > self.serves_until(at)
    }
}

/// Whether it is time to fetch again: a fifth of the time is left.
pub(super) fn is_due(at: Timestamp, ttl: SignedDuration, now: Timestamp) -> bool {
    now < at || at.duration_until(now) >= ttl / 5 * 4
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) held: Option<Held>,
    pub(super) attempted_at: Option<Timestamp>,
    pub(super) failure: Option<String>,
    pub(super) flight: Option<Flight>,
    /// Whether somebody used the set since it was fetched.
    pub(super) used: bool,
    pub(super) is_kept: bool,
    pub(super) fetches: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) set: Arc<KeySet>,
    pub(super) at: Timestamp,
    pub(super) ttl: SignedDuration,
}

/// A fetch that is under way: who waits sees the channel close.
#[derive(Debug, Clone)]
pub(in super::super) struct Flight {
    pub(super) began: Timestamp,
    pub(super) over: watch::Receiver<()>,
}

impl Flight {
    pub(super) async fn over(mut self) {
        while self.over.changed().await.is_ok() {}
    }
}

/// Whether a moment lies more than the cool-down before another.
pub(super) fn is_before(at: Timestamp, other: Timestamp) -> bool {
    at.duration_until(other) >= COOL_DOWN
}

impl State {
    /// Whether somebody used the set since it was fetched, be it by being remembered.
    pub(super) fn is_used(&mut self) -> bool {
        self.used |= self.held.as_ref().is_some_and(|held| held.set.has_vouched());
        self.used
    }

    pub(super) const fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Whether whoever arrived then may ask for a fetch that begins now.
    pub(super) fn has_cooled(&self, arrived: Timestamp, now: Timestamp) -> bool {
        self.flight.is_none() && self.attempted_at.is_none_or(|at| now < at || is_before(at, arrived))
    }

    /// Whether a renewal may begin.
    pub(super) fn may_retry(&self, now: Timestamp) -> bool {
        let rested = |at: Timestamp| now < at || at.duration_until(now) >= RETRY_AFTER;
        self.flight.is_none() && (!self.has_failed() || self.attempted_at.is_none_or(rested))
    }
}

impl Held {
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        is_due(self.at, self.ttl, now)
    }

    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        now < self.at || now >= self.is_over_at()
    }

    pub(super) fn is_over_at(&self) -> Timestamp {
        self.at.checked_add(self.ttl).unwrap_or(Timestamp::MAX)
    }
}
