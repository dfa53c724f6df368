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

/// What is counted under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter<'a> {
    /// The key: short, and the same on every replica.
    pub key: &'a str,
    /// How many within how long.
    pub limit: Limit,
}

/// Whether there is room for one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// There is.
    Free,
    /// There is none.
    Limited {
        /// Which of the counters is full, by its place among those asked about: the first.
        which: usize,
        /// There is none before so much time has passed; more than zero, and at most the interval.
        wait: SignedDuration,
    },
}

/// Counts failures by key.
///
/// # Contract
/// - Within any window of the interval's length (its begin excluded) at most `most` failures of a key are counted, however
///   many come at once; what comes after is [`Verdict::Limited`], is not counted, and prolongs nothing.
/// - A failure that is counted under several keys is counted under all of them or, when one is limited, under none.
/// - The time that `Limited` tells is the true one: then there is room for one more, and not before.
/// - Keys do not touch each other, and what is kept is bounded. A key with fewer failures is forgotten before one with more.
/// - Never fails: a limiter whose store does not answer counts by itself.
#[async_trait]
pub trait RateLimiter: fmt::Debug + Send + Sync {
    /// Counts a failure under these counters, unless one of them is limited already.
    async fn record_failure(&self, counters: &[Counter<'_>], now: Timestamp) -> Verdict;

    /// Whether one of these counters is limited; counts nothing.
    async fn check(&self, counters: &[Counter<'_>], now: Timestamp) -> Verdict;
}
