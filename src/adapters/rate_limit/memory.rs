//! Counts in the memory of this process: exactly, and within bounds.
//!
//! The bounds hold against who would have a limited address forgotten by flooding the limiter with others: what is
//! forgotten first is a key with the fewest failures, so a key with k of them goes only when all 50,000 that are kept have
//! at least k. That takes 50,000 addresses and k failures of each within one interval.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::ports::rate_limiter::{Counter, RateLimiter, Verdict};

/// How many keys are kept.
const MOST_KEYS: usize = 50_000;
/// How many failures are kept of all keys together: 24 MB.
const MOST_FAILURES: usize = 3_000_000;

/// Counts by itself.
pub struct MemoryLimiter {
    kept: Mutex<Kept>,
}

impl Default for MemoryLimiter {
    fn default() -> Self {
        Self::within(MOST_KEYS, MOST_FAILURES)
    }
}

impl fmt::Debug for MemoryLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLimiter").field("keys", &self.kept().logs.len()).finish_non_exhaustive()
    }
}

impl MemoryLimiter {
    fn within(most_keys: usize, most_failures: usize) -> Self {
        Self { kept: Mutex::new(Kept { most_keys, most_failures, ..Kept::default() }) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing that holds it panics.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn record_now(&self, counters: &[Counter<'_>], now: Timestamp) -> Verdict {
        self.kept().record(counters, now.as_microsecond())
    }

    pub(super) fn check_now(&self, counters: &[Counter<'_>], now: Timestamp) -> Verdict {
        self.kept().check(counters, now.as_microsecond())
    }
}

#[async_trait]
impl RateLimiter for MemoryLimiter {
    async fn record_failure(&self, counters: &[Counter<'_>], now: Timestamp) -> Verdict {
        self.record_now(counters, now)
    }

    async fn check(&self, counters: &[Counter<'_>], now: Timestamp) -> Verdict {
        self.check_now(counters, now)
    }
}

/// Whether the counter counts at all.
pub(super) const fn is_on(counter: &Counter<'_>) -> bool {
    counter.limit.most > 0 && counter.limit.interval.is_positive()
}

/// The window, in microseconds.
pub(super) fn micros(interval: SignedDuration) -> i64 {
    i64::try_from(interval.as_micros()).unwrap_or(i64::MAX)
}

/// Moments are in microseconds since 1970.
#[derive(Default)]
struct Kept {
    logs: HashMap<Arc<str>, Log>,
    /// The logs by how many failures they hold, then by the last of these.
    by_weight: BTreeSet<(usize, i64, Arc<str>)>,
    /// The logs by the moment from which on they hold nothing that counts.
    by_end: BTreeSet<(i64, Arc<str>)>,
    failures: usize,
    most_keys: usize,
    most_failures: usize,
}

/// The failures of a key, the oldest first.
#[derive(Default)]
struct Log {
    moments: VecDeque<i64>,
    interval: i64,
}

impl Log {
    fn last(&self) -> i64 {
        self.moments.back().copied().unwrap_or(i64::MIN)
    }

    fn end(&self) -> i64 {
        self.last().saturating_add(self.interval)
    }

    /// Forgets what has left the window. What lies in the future was counted before the clock was set back: it counts as
    /// of now, lest somebody be limited for the hours in between.
    fn settle(&mut self, interval: i64, now: i64) {
        self.interval = interval;
        while self.moments.front().is_some_and(|moment| moment.saturating_add(interval) <= now) {
            self.moments.pop_front();
        }
        for moment in self.moments.iter_mut().rev().take_while(|moment| **moment > now) {
            *moment = now;
        }
    }

    /// The moment at which there is room again, if there is none now.
    fn room_at(&self, most: u32) -> Option<i64> {
        let first_to_leave = self.moments.len().checked_sub(usize::try_from(most).unwrap_or(usize::MAX))?;
        self.moments.get(first_to_leave).map(|moment| moment.saturating_add(self.interval))
    }
}

impl Kept {
    fn check(&mut self, counters: &[Counter<'_>], now: i64) -> Verdict {
        for (which, counter) in counters.iter().enumerate().filter(|(_, counter)| is_on(counter)) {
            let Some((key, mut log)) = self.take(counter.key) else { continue };
            log.settle(micros(counter.limit.interval), now);
            let room_at = log.room_at(counter.limit.most);
            self.put(key, log);
            if let Some(room_at) = room_at {
                return Verdict::Limited { which, wait: SignedDuration::from_micros(room_at.saturating_sub(now)) };
            }
        }
        Verdict::Free
    }

    fn record(&mut self, counters: &[Counter<'_>], now: i64) -> Verdict {
        let verdict = self.check(counters, now);
        if verdict == Verdict::Free {
            for counter in counters.iter().filter(|counter| is_on(counter)) {
                let (key, mut log) = self.take(counter.key).unwrap_or_else(|| (counter.key.into(), Log::default()));
                log.interval = micros(counter.limit.interval);
                log.moments.push_back(now);
                self.make_room(log.moments.len(), now);
                self.put(key, log);
            }
        }
        verdict
    }

    /// For a key that comes with so many failures.
    fn make_room(&mut self, failures: usize, now: i64) {
        while let Some((end, key)) = self.by_end.first().cloned()
            && end <= now
        {
            drop(self.take(&key));
        }
        while self.logs.len() >= self.most_keys || self.failures + failures > self.most_failures {
            let Some((_, _, key)) = self.by_weight.first().cloned() else { break };
            drop(self.take(&key));
        }
    }

    fn take(&mut self, key: &str) -> Option<(Arc<str>, Log)> {
        let (key, log) = self.logs.remove_entry(key)?;
        self.by_weight.remove(&(log.moments.len(), log.last(), Arc::clone(&key)));
        self.by_end.remove(&(log.end(), Arc::clone(&key)));
        self.failures = self.failures.saturating_sub(log.moments.len());
        Some((key, log))
    }

    fn put(&mut self, key: Arc<str>, log: Log) {
        if log.moments.is_empty() {
            return;
        }
        self.by_weight.insert((log.moments.len(), log.last(), Arc::clone(&key)));
        self.by_end.insert((log.end(), Arc::clone(&key)));
        self.failures += log.moments.len();
        self.logs.insert(key, log);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::rate_limiter::Limit;

    const LIMIT: Limit = Limit { most: 3, interval: SignedDuration::from_secs(60) };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
    }

    fn fail(limiter: &MemoryLimiter, key: &str, second: i64) -> bool {
        limiter.record_now(&[Counter { key, limit: LIMIT }], at(second)) == Verdict::Free
    }

    #[test]
    fn a_limited_key_outlives_any_number_of_keys_with_fewer_failures() {
        let limiter = MemoryLimiter::within(10, 1_000);
        for _ in 0..3 {
            assert!(fail(&limiter, "limited", 0));
        }
        for number in 0..1_000 {
            assert!(fail(&limiter, &format!("once-{number}"), 1));
        }
        for number in 0..9 {
            assert!(fail(&limiter, &format!("twice-{number}"), 2) && fail(&limiter, &format!("twice-{number}"), 2));
        }
        assert!(!fail(&limiter, "limited", 3));
        let kept = limiter.kept();
        assert_eq!((kept.logs.len(), kept.by_weight.len(), kept.by_end.len()), (10, 10, 10));
    }

    #[test]
    fn failures_are_bounded_too_and_what_is_over_is_forgotten() {
        let limiter = MemoryLimiter::within(1_000, 20);
        for number in 0..100 {
            assert!(fail(&limiter, &format!("a-{}", number % 50), 0));
        }
        assert!(limiter.kept().failures <= 20);
        assert!(fail(&limiter, "later", 60));
        let kept = limiter.kept();
        assert_eq!((kept.logs.len(), kept.failures, kept.by_weight.len(), kept.by_end.len()), (1, 1, 1, 1));
    }

    #[test]
    fn a_clock_that_is_set_back_limits_for_one_interval_at_most() {
        let limiter = MemoryLimiter::default();
        for _ in 0..3 {
            assert!(fail(&limiter, "a", 100_000));
        }
        assert!(!fail(&limiter, "a", 10));
        assert!(!fail(&limiter, "a", 69));
        assert!(fail(&limiter, "a", 70));
    }
}
