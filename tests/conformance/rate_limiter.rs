//! What every [`RateLimiter`] owes, line by line of the contract in `src/ports/rate_limiter.rs`.

use std::{any::Any, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tidegate::{
    adapters::rate_limit::{memory::MemoryLimiter, redis::RedisLimiter},
    ports::rate_limiter::{Counter, Limit, RateLimiter, Verdict},
};
use tokio::time::Instant;

use crate::support::redis::{PrivateRedis, SharedRedis};

/// A fresh limiter, and what must outlive it.
struct Subject {
    limiter: Arc<dyn RateLimiter>,
    _beneath: Box<dyn Any + Send + Sync>,
}

async fn redis(url: &str, prefix: &str) -> RedisLimiter {
    let limiter = RedisLimiter::at(&SecretString::from(url), prefix).unwrap();
    limiter.connect().await;
    limiter
}

async fn on_memory() -> Subject {
    Subject { limiter: Arc::new(MemoryLimiter::default()), _beneath: Box::new(()) }
}

async fn on_redis() -> Subject {
    let shared = SharedRedis::new();
    Subject { limiter: Arc::new(redis(&shared.url, &shared.prefix).await), _beneath: Box::new(shared) }
}

/// A Redis that is gone since the limiter connected to it.
async fn on_a_lost_redis() -> Subject {
    let mut lost = PrivateRedis::start().await;
    let limiter = redis(&lost.url(), "limit:").await;
    lost.stop();
    Subject { limiter: Arc::new(limiter), _beneath: Box::new(lost) }
}

/// A Redis that takes commands and answers none.
async fn on_a_silent_redis() -> Subject {
    let silent = PrivateRedis::start().await;
    let limiter = redis(&silent.url(), "limit:").await;
    silent.freeze(Duration::from_mins(10)).await;
    Subject { limiter: Arc::new(limiter), _beneath: Box::new(silent) }
}

conformance!({
    so_many_are_let_through_and_no_more,
    the_window_slides,
    the_time_told_is_the_true_one,
    what_is_limited_is_not_counted,
    keys_do_not_touch_each_other,
    under_several_keys_all_or_none_are_counted,
    a_limit_of_zero_is_off,
    a_check_counts_nothing,
    a_hundred_at_once_are_let_through_as_far_as_there_is_room,
    a_lowered_limit_holds_at_once,
} on {
    memory => on_memory(),
    redis => on_redis(),
    lost_redis => on_a_lost_redis(),
    silent_redis => on_a_silent_redis(),
});

const MINUTE: SignedDuration = SignedDuration::from_secs(60);

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
}

fn counter(key: &str, most: u32) -> Counter<'_> {
    Counter { key, limit: Limit { most, interval: MINUTE } }
}

fn limited(which: usize, millis: i64) -> Verdict {
    Verdict::Limited { which, wait: SignedDuration::from_millis(millis) }
}

impl Subject {
    async fn fail(&self, key: &str, most: u32, millis: i64) -> Verdict {
        self.limiter.record_failure(&[counter(key, most)], at(millis)).await
    }

    async fn check(&self, key: &str, most: u32, millis: i64) -> Verdict {
        self.limiter.check(&[counter(key, most)], at(millis)).await
    }
}

async fn so_many_are_let_through_and_no_more(subject: Subject) {
    for number in 0..5 {
        assert_eq!(subject.check("a", 5, number).await, Verdict::Free);
        assert_eq!(subject.fail("a", 5, number).await, Verdict::Free, "{number}");
    }
    assert_eq!(subject.check("a", 5, 5).await, limited(0, 59_995));
    assert_eq!(subject.fail("a", 5, 5).await, limited(0, 59_995));
}

async fn the_window_slides(subject: Subject) {
    for second in [0, 20, 40] {
        assert_eq!(subject.fail("a", 3, second * 1_000).await, Verdict::Free);
    }
    assert_eq!(subject.fail("a", 3, 59_999).await, limited(0, 1));
    assert_eq!(subject.fail("a", 3, 60_000).await, Verdict::Free, "the first has left");
    assert_eq!(subject.fail("a", 3, 60_000).await, limited(0, 20_000), "the next leaves at 80 s");
    assert_eq!(subject.fail("a", 3, 80_000).await, Verdict::Free);
    assert_eq!(subject.fail("a", 3, 500_000).await, Verdict::Free, "all are gone");
}

async fn the_time_told_is_the_true_one(subject: Subject) {
    for millis in [0, 7, 1_234] {
        subject.fail("a", 3, millis).await;
    }
    let Verdict::Limited { wait, .. } = subject.fail("a", 3, 2_000).await else { panic!("three came") };
    let room = 2_000 + i64::try_from(wait.as_millis()).unwrap();
    assert_eq!(subject.check("a", 3, room - 1).await, limited(0, 1));
    assert_eq!(subject.check("a", 3, room).await, Verdict::Free);
}

async fn what_is_limited_is_not_counted(subject: Subject) {
    subject.fail("a", 1, 0).await;
    for millis in (0..60_000).step_by(1_000) {
        assert_eq!(subject.fail("a", 1, millis).await, limited(0, 60_000 - millis));
    }
    assert_eq!(subject.fail("a", 1, 60_000).await, Verdict::Free);
}

async fn keys_do_not_touch_each_other(subject: Subject) {
    subject.fail("ip:192.0.2.1", 1, 0).await;
    assert_eq!(subject.check("ip:192.0.2.11", 1, 0).await, Verdict::Free);
    assert_eq!(subject.check("ip:192.0.2.1 ", 1, 0).await, Verdict::Free);
    assert_eq!(subject.check("ip:192.0.2.1", 1, 0).await, limited(0, 60_000));
}

async fn under_several_keys_all_or_none_are_counted(subject: Subject) {
    let both = [counter("address", 3), counter("identity", 2)];
    for _ in 0..2 {
        assert_eq!(subject.limiter.record_failure(&both, at(0)).await, Verdict::Free);
    }
    for millis in 0..10 {
        assert_eq!(subject.limiter.record_failure(&both, at(millis)).await, limited(1, 60_000 - millis));
    }
    assert_eq!(subject.fail("address", 3, 10).await, Verdict::Free, "two were counted, not twelve");
    assert_eq!(subject.limiter.record_failure(&both, at(11)).await, limited(0, 59_989), "the first that is full");
    assert_eq!(subject.limiter.check(&both, at(11)).await, limited(0, 59_989));
}

async fn a_limit_of_zero_is_off(subject: Subject) {
    for _ in 0..10 {
        assert_eq!(subject.fail("a", 0, 0).await, Verdict::Free);
    }
    assert_eq!(subject.check("a", 1, 0).await, Verdict::Free, "nothing was counted");
    let one_off = [counter("off", 0), counter("on", 1)];
    assert_eq!(subject.limiter.record_failure(&one_off, at(0)).await, Verdict::Free);
    assert_eq!(subject.limiter.record_failure(&one_off, at(0)).await, limited(1, 60_000));
    assert_eq!(subject.limiter.record_failure(&[], at(0)).await, Verdict::Free);
}

async fn a_check_counts_nothing(subject: Subject) {
    for _ in 0..10 {
        assert_eq!(subject.check("a", 1, 0).await, Verdict::Free);
    }
}

async fn a_hundred_at_once_are_let_through_as_far_as_there_is_room(subject: Subject) {
    assert_eq!(free_of_a_hundred(&[subject.limiter], 30).await, 30);
}

async fn a_lowered_limit_holds_at_once(subject: Subject) {
    for second in 0..5 {
        subject.fail("a", 5, second * 1_000).await;
    }
    assert_eq!(subject.check("a", 2, 5_000).await, limited(0, 58_000), "four must leave, the last of them at 63 s");
    assert_eq!(subject.check("a", 2, 63_000).await, Verdict::Free);
}

/// How many of a hundred failures at once, spread over these limiters, are let through.
async fn free_of_a_hundred(limiters: &[Arc<dyn RateLimiter>], most: u32) -> usize {
    let mut failing = tokio::task::JoinSet::new();
    for number in 0..100 {
        let limiter = Arc::clone(&limiters[number % limiters.len()]);
        failing.spawn(async move { limiter.record_failure(&[counter("a", most)], at(0)).await });
    }
    failing.join_all().await.into_iter().filter(|verdict| *verdict == Verdict::Free).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_on_one_redis_count_together() {
    let shared = SharedRedis::new();
    let one: Arc<dyn RateLimiter> = Arc::new(redis(&shared.url, &shared.prefix).await);
    let other: Arc<dyn RateLimiter> = Arc::new(redis(&shared.url, &shared.prefix).await);
    assert_eq!(free_of_a_hundred(&[Arc::clone(&one), Arc::clone(&other)], 30).await, 30);
    for replica in [one, other] {
        assert_eq!(replica.check(&[counter("a", 30)], at(1)).await, limited(0, 59_999));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_redis_keeps_expires() {
    let shared = SharedRedis::new();
    let limiter = redis(&shared.url, &shared.prefix).await;
    limiter.record_failure(&[counter("a", 3)], at(0)).await;
    let mut connection = shared.connection().await;
    let key = format!("{}a", shared.prefix);
    let left: i64 = ::redis::cmd("PTTL").arg(&key).query_async(&mut connection).await.unwrap();
    assert!((1..=60_000).contains(&left), "{left}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_down_holds_nobody_up_and_what_was_counted_before_still_counts() {
    let mut private = PrivateRedis::start().await;
    let limiter = redis(&private.url(), "limit:").await;
    for _ in 0..2 {
        limiter.record_failure(&[counter("a", 3)], at(0)).await;
    }
    private.stop();
    let begun = Instant::now();
    assert_eq!(limiter.record_failure(&[counter("a", 3)], at(0)).await, Verdict::Free);
    assert_eq!(limiter.record_failure(&[counter("a", 3)], at(0)).await, limited(0, 60_000));
    for number in 0..100 {
        limiter.check(&[counter(&number.to_string(), 3)], at(0)).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_returns_is_counted_in_again() {
    let mut private = PrivateRedis::start().await;
    let one = redis(&private.url(), "limit:").await;
    private.stop();
    assert_eq!(one.record_failure(&[counter("a", 1)], at(0)).await, Verdict::Free, "counted here");
    private.start_again().await;
    let other = redis(&private.url(), "limit:").await;
    let deadline = Instant::now() + Duration::from_secs(20);
    for number in 0.. {
        // A key of its own each time: counted here alone while Redis rests, and seen by the other once it is back.
        let key = number.to_string();
        one.record_failure(&[counter(&key, 1)], at(0)).await;
        if other.check(&[counter(&key, 1)], at(0)).await != Verdict::Free {
            break;
        }
        assert!(Instant::now() < deadline, "Redis is not asked again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(one.check(&[counter("a", 1)], at(0)).await, limited(0, 60_000), "nothing was forgotten");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_redis_costs_half_a_second_once() {
    let private = PrivateRedis::start().await;
    let limiter = redis(&private.url(), "limit:").await;
    private.freeze(Duration::from_mins(10)).await;
    let begun = Instant::now();
    for number in 0..50 {
        limiter.check(&[counter(&number.to_string(), 1)], at(0)).await;
    }
    assert!(begun.elapsed() < Duration::from_millis(900), "{:?}", begun.elapsed());
}
