//! Limits on the real binary: what a client sees of them, and that replicas share them in Redis.

use std::time::{Duration, Instant};

use super::{
    gate::{Answer, Gate, ROOT},
    world::{World, unique},
};
use crate::support::redis::PrivateRedis;

fn gate(settings: &[(&str, &str)]) -> Gate {
    let own = [
        ("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", ROOT),
        ("TIDEGATE_AUTH__RATE_LIMIT__IP", "5"),
        ("TIDEGATE_AUTH__RATE_LIMIT__IDENTITY", "3"),
    ];
    Gate::with(&[&own, settings].concat())
}

async fn guess(gate: &Gate) -> Answer {
    gate.caller(unique("guess")).get("/api/whoami").await
}

#[track_caller]
fn retry_after(answer: &Answer) -> u64 {
    answer.header("retry-after").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_ends_after_the_first_failures_and_begins_again_when_retry_after_says_so() {
    let gate = gate(&[("TIDEGATE_AUTH__RATE_LIMIT__INTERVAL_SECONDS", "3")]);
    gate.root().get("/api/whoami").await.is(200);
    for _ in 0..5 {
        guess(&gate).await.problem(401, "auth.invalid_token");
    }
    let limited = guess(&gate).await;
    limited.problem(429, "auth.rate_limited.ip");
    let (begun, wait) = (Instant::now(), retry_after(&limited));
    assert!((1..=3).contains(&wait), "{wait}");
    assert_eq!(limited["detail"], "Too many authentication attempts from IP 127.0.0.1");
    gate.caller("other").get("/no/such/path").await.problem(429, "auth.rate_limited.ip");
    gate.root().get("/api/whoami").await.is(200);
    gate.anonymous().get("/api/whoami").await.problem(401, "auth.missing_token");
    gate.caller("guess").get("/health/live").await.is(200);
    loop {
        let answer = guess(&gate).await;
        if answer.status == 401 {
            break;
        }
        answer.problem(429, "auth.rate_limited.ip");
        assert!(begun.elapsed() <= Duration::from_secs(wait), "Retry-After was {wait}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_tokens_holder_is_held_back_and_told_for_how_long() {
    let gate = gate(&[]);
    let world = World::on(gate.clone()).await;
    let leaver = world.someone(&["workflows:read"]).await;
    let id = leaver.get("/api/whoami").await.is(200).str("token_id").to_owned();
    gate.root().delete(&format!("/api/admin/service-tokens/{id}")).await.is(204);
    for _ in 0..3 {
        leaver.get("/api/whoami").await.problem(401, "auth.token_revoked");
    }
    let limited = leaver.get("/api/whoami").await;
    limited.problem(429, "auth.rate_limited.identity");
    assert!((1..=60).contains(&retry_after(&limited)), "{limited:?}");
    world.get("/api/whoami").await.is(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_reached_on_one_replica_holds_on_the_other_and_alone_when_redis_is_gone() {
    let mut redis = PrivateRedis::start().await;
    let url = redis.url();
    let shared = [("TIDEGATE_AUTH__RATE_LIMIT__KIND", "redis"), ("TIDEGATE_AUTH__RATE_LIMIT__REDIS_URL", url.as_str())];
    let (one, other) = (gate(&shared), gate(&shared));
    for gate in [&one, &other, &one, &other, &one] {
        guess(gate).await.problem(401, "auth.invalid_token");
    }
    for gate in [&one, &other] {
        guess(gate).await.problem(429, "auth.rate_limited.ip");
    }
    redis.stop();
    let third = gate(&shared);
    for _ in 0..5 {
        guess(&third).await.problem(401, "auth.invalid_token");
    }
    guess(&third).await.problem(429, "auth.rate_limited.ip");
    guess(&other).await.problem(429, "auth.rate_limited.ip");
    let password = url.split(':').nth(2).unwrap().split('@').next().unwrap();
    for gate in [&one, &other, &third] {
        let log = std::fs::read_to_string(gate.folder().join("log")).unwrap();
        assert!(!log.contains(password));
        assert!(log.matches("Redis does not answer").count() <= 1, "{log}");
    }
    let log = std::fs::read_to_string(third.folder().join("log")).unwrap();
    assert!(log.contains("Redis does not answer"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_trusted_proxy_each_client_has_a_limit_of_its_own_and_stands_in_the_log() {
    let gate = gate(&[("TIDEGATE_SERVER__TRUSTED_PROXIES", "127.0.0.0/8, 10.0.0.0/8")]);
    let guess = async |forwarded_for: &str| {
        gate.caller(unique("guess")).get("/api/whoami").header("X-Forwarded-For", forwarded_for).await
    };
    for _ in 0..5 {
        guess("198.51.100.66, 203.0.113.9, 10.0.0.7").await.problem(401, "auth.invalid_token");
    }
    let limited = guess("203.0.113.9").await;
    assert_eq!(
        limited.problem(429, "auth.rate_limited.ip")["detail"],
        "Too many authentication attempts from IP 203.0.113.9"
    );
    guess("203.0.113.10").await.problem(401, "auth.invalid_token");
    let log = std::fs::read_to_string(gate.folder().join("log")).unwrap();
    assert!(log.contains("203.0.113.9") && !log.contains("198.51.100.66"), "{log}");
}
