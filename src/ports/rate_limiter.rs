//! Counts failures within a sliding window (authentication.md section 6).

use std::fmt;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

/// How many within how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// So many are let through; 0: the limit is off, and nothing is counted.
    pub most: u32,
    /// The window.
    pub interval: SignedDuration,
}

/// Whether there is room for one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// There is.
    Free,
    /// There is none before so much time has passed.
    Limited(SignedDuration),
}

/// Counts failures by key.
///
/// # Contract
/// - Within any window of the interval's length at most `most` failures of a key are counted; what comes after is
///   [`Verdict::Limited`], is not counted, and prolongs nothing.
/// - The time that `Limited` tells is the true one: then the oldest counted failure leaves the window.
/// - Keys do not touch each other, and the number of keys kept is bounded.
/// - Never fails: a limiter whose store does not answer counts by itself.
#[async_trait]
pub trait RateLimiter: fmt::Debug + Send + Sync {
    /// Counts a failure, unless the key is limited already.
    async fn record_failure(&self, key: &str, limit: Limit, now: Timestamp) -> Verdict;

    /// Whether the key is limited; counts nothing.
    async fn check(&self, key: &str, limit: Limit, now: Timestamp) -> Verdict;
}
