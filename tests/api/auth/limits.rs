//! Who fails too often is held back (authentication.md section 6).

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{
    mint::{SECRET, claims, now, secret},
    setup::{BOOTSTRAP, gate_with, log, whoami},
};
use crate::{
    api::{
        gate::{Answer, Caller, Gate, until},
        socket::{Said, Socket},
        world::{mint, unique},
    },
    support::redis::PrivateRedis,
};

const ISSUER: &str = "https://a.test";

/// Five failures of an address, three of an identity, and this machine as a trusted proxy, so that tests come from anywhere.
fn limited(more: &[(&str, &str)]) -> Gate {
    let config = format!(
        "[server]\ntrusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]\n\
         [[auth.issuers]]\nname = \"a\"\nkind = \"jwt\"\nissuers = [\"{ISSUER}\"]\naudiences = [\"tidegate\"]\nsecret = \"{SECRET}\"\n"
    );
    let mut settings = vec![
        BOOTSTRAP,
        ("TIDEGATE_AUTH__RATE_LIMIT__IP", "5"),
        ("TIDEGATE_AUTH__RATE_LIMIT__IDENTITY", "3"),
        ("TIDEGATE_AUTH__RATE_LIMIT__INTERVAL_SECONDS", "60"),
    ];
    settings.retain(|(name, _)| !more.iter().any(|(other, _)| name == other));
    settings.extend(more);
    gate_with(&config, &settings)
}

fn good(subject: &str) -> String {
    secret(&claims(ISSUER, subject, &json!({"jti": unique("jti")})))
}

fn expired(subject: &str) -> String {
    secret(&claims(ISSUER, subject, &json!({"exp": now() - 60})))
}

async fn from(caller: &Caller, address: &str) -> Answer {
    caller.get("/api/whoami").header("X-Forwarded-For", address).await
}

/// Statuses of so many attempts from an address.
async fn attempts(gate: &Gate, count: usize, address: &str) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(from(&gate.caller("nonsense"), address).await.status);
    }
    statuses
}

fn retry_after(answer: &Answer) -> u64 {
    answer.header("retry-after").parse().unwrap_or_else(|_| panic!("{:?}", answer.headers))
}

#[tokio::test]
async fn an_address_fails_so_often_and_no_more() {
    let gate = limited(&[]);
    let root = gate.root();
    let (seen, unseen) = (mint(&root, &["workflows:read"], &[]).await, mint(&root, &["workflows:read"], &[]).await);
    from(&seen, "198.51.100.7").await.is(200);
    let jwt = gate.caller(good("seen"));
    from(&jwt, "198.51.100.7").await.is(200);
    // What is no failure: no token, too few rights, a good token.
    for _ in 0..20 {
        from(&gate.anonymous(), "192.0.2.1").await.problem(401, "auth.missing_token");
        seen.get("/api/admin/service-tokens")
            .header("X-Forwarded-For", "192.0.2.1")
            .await
            .problem(403, "auth.missing_scope");
    }
    assert_eq!(attempts(&gate, 5, "192.0.2.1").await, [401; 5]);
    let held = from(&gate.caller("nonsense"), "192.0.2.1").await;
    held.problem(429, "auth.rate_limited.ip");
    assert_eq!(held["message"], "Too many authentication attempts from IP 192.0.2.1");
    assert!((50..=60).contains(&retry_after(&held)), "{:?}", held.headers);
    // Only what this gate has verified before passes.
    from(&seen, "192.0.2.1").await.is(200);
    from(&jwt, "192.0.2.1").await.is(200);
    from(&unseen, "192.0.2.1").await.problem(429, "auth.rate_limited.ip");
    from(&gate.caller(good("unseen")), "192.0.2.1").await.problem(429, "auth.rate_limited.ip");
    from(&gate.caller(expired("seen")), "192.0.2.1").await.problem(429, "auth.rate_limited.ip");
    from(&gate.anonymous(), "192.0.2.1").await.problem(401, "auth.missing_token");
    from(&unseen, "192.0.2.2").await.is(200);
    from(&unseen, "192.0.2.1").await.is(200);
    gate.anonymous().get("/health/live").header("X-Forwarded-For", "192.0.2.1").await.is(200);
    // A socket says it by its code.
    let headers = [("authorization", "Bearer nonsense"), ("x-forwarded-for", "192.0.2.1")];
    let mut socket = Socket::with(&gate, "/ws/workflow/0190f7a0-0000-7000-8000-000000000000", &headers).await;
    match socket.next().await {
        Said::Closed(4429, reason) => assert!(reason.starts_with("auth.rate_limited.ip"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn of_many_at_once_exactly_so_many_are_judged() {
    let gate = limited(&[]);
    let callers: Vec<Caller> = (0..60).map(|number| gate.caller(format!("nonsense-{number}"))).collect();
    let answers = join_all(callers.iter().map(|caller| from(caller, "192.0.2.9"))).await;
    let judged = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!(judged, 5, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    assert!(answers.iter().all(|answer| [401, 429].contains(&answer.status)));
}

#[tokio::test]
async fn an_identity_fails_so_often_and_its_good_token_passes() {
    let gate = limited(&[("TIDEGATE_AUTH__RATE_LIMIT__IP", "0")]);
    let bad = [
        expired("ada"),
        secret(&claims(ISSUER, "ada", &json!({"aud": "another"}))),
        secret(&claims(ISSUER, "ada", &json!({"nbf": now() + 100}))),
    ];
    // Forged ones, and those that say nothing of anybody, are nobody's failures.
    for _ in 0..10 {
        let mut forged = good("ada");
        forged.truncate(forged.len() - 43);
        from(&gate.caller(forged + &"A".repeat(43)), "192.0.2.1").await.problem(401, "auth.invalid_token");
    }
    for (number, token) in bad.iter().enumerate() {
        let answer = from(&gate.caller(token), &format!("192.0.2.{number}")).await;
        assert_eq!(answer.status, 401, "{}", answer.text);
    }
    let held = from(&gate.caller(expired("ada")), "192.0.2.77").await;
    held.problem(429, "auth.rate_limited.identity");
    assert!(held.str("message").starts_with("Too many authentication attempts for identity "), "{}", held.text);
    assert!((50..=60).contains(&retry_after(&held)), "{:?}", held.headers);
    from(&gate.caller(good("ada")), "192.0.2.77").await.is(200);
    from(&gate.caller(expired("eve")), "192.0.2.77").await.problem(401, "auth.token_expired");
    // A service token is known by its identifier.
    let token = mint(&gate.root(), &[], &[]).await;
    let me = whoami(&token).await;
    gate.root().delete(&format!("/api/admin/service-tokens/{}", me.str("token_id"))).await.is(204);
    for _ in 0..3 {
        from(&token, "192.0.2.1").await.problem(401, "auth.token_revoked");
    }
    let held = from(&token, "192.0.2.1").await;
    held.problem(429, "auth.rate_limited.identity");
    assert!(held.str("message").contains(me.str("token_id")), "{}", held.text);
}

#[tokio::test]
async fn the_window_slides_and_retry_after_is_true() {
    let gate = limited(&[("TIDEGATE_AUTH__RATE_LIMIT__INTERVAL_SECONDS", "2")]);
    assert_eq!(attempts(&gate, 5, "192.0.2.1").await, [401; 5]);
    let held = from(&gate.caller("nonsense"), "192.0.2.1").await;
    held.problem(429, "auth.rate_limited.ip");
    assert!((1..=2).contains(&retry_after(&held)));
    until("the window's end", || async {
        let answer = from(&gate.caller("nonsense"), "192.0.2.1").await;
        (answer.status == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn nothing_is_limited_where_that_is_switched_off() {
    let gate = limited(&[("TIDEGATE_AUTH__RATE_LIMIT__IP", "0"), ("TIDEGATE_AUTH__RATE_LIMIT__IDENTITY", "0")]);
    assert_eq!(attempts(&gate, 70, "192.0.2.1").await, [401; 70]);
    for _ in 0..40 {
        from(&gate.caller(expired("ada")), "192.0.2.1").await.problem(401, "auth.token_expired");
    }
}

#[tokio::test]
async fn the_address_is_the_rightmost_that_no_trusted_proxy_has() {
    let gate = limited(&[]);
    assert_eq!(attempts(&gate, 5, "203.0.113.5").await, [401; 5]);
    for (lines, status) in [
        (vec!["203.0.113.5"], 429),
        (vec!["198.51.100.1, 203.0.113.5"], 429),
        (vec!["203.0.113.5, 10.1.2.3"], 429),
        (vec!["198.51.100.1, 203.0.113.5, 10.1.2.3, 127.0.0.1"], 429),
        (vec!["198.51.100.1", "203.0.113.5"], 429),
        (vec!["203.0.113.5", "10.9.9.9"], 429),
        (vec!["203.0.113.5, 198.51.100.1"], 401),
        (vec!["203.0.113.5", "198.51.100.1"], 401),
    ] {
        let mut ask = gate.caller("nonsense").get("/api/whoami");
        for line in &lines {
            ask = ask.header("X-Forwarded-For", line);
        }
        let answer = ask.await;
        assert_eq!(answer.status, status, "{lines:?}: {}", answer.text);
    }
    // IPv6 counts by its first 64 bits.
    for (number, status) in [(1, 401), (2, 401), (3, 401), (4, 401), (5, 401), (6, 429)] {
        let answer = from(&gate.caller("nonsense"), &format!("2001:db8:1:2:{number}::{number}")).await;
        assert_eq!(answer.status, status, "{number}: {}", answer.text);
    }
    assert_eq!(from(&gate.caller("nonsense"), "2001:db8:1:3::1").await.status, 401);
    // An IPv4 address in IPv6's clothes is the same.
    let mapped = from(&gate.caller("nonsense"), "::ffff:203.0.113.5").await;
    assert_eq!(mapped.status, 429, "{}", mapped.text);
}

#[tokio::test]
async fn an_untrusted_peer_is_its_own_address() {
    let gate = limited(&[("TIDEGATE_SERVER__TRUSTED_PROXIES", "10.0.0.0/8")]);
    for number in 0..5 {
        assert_eq!(from(&gate.caller("nonsense"), &format!("192.0.2.{number}")).await.status, 401);
    }
    let held = from(&gate.caller("nonsense"), "192.0.2.99").await;
    held.problem(429, "auth.rate_limited.ip");
    assert!(held.str("message").contains("127.0.0.1"), "{}", held.text);
    let log = log(&gate);
    let warnings = log.lines().filter(|line| line.to_lowercase().contains("x-forwarded-for")).count();
    assert_eq!(warnings, 1, "{log}");
}

#[tokio::test]
async fn two_gates_count_together_over_redis_and_each_alone_without_it() {
    let mut redis = PrivateRedis::start().await;
    let url = redis.url();
    let settings =
        [("TIDEGATE_AUTH__RATE_LIMIT__KIND", "redis"), ("TIDEGATE_AUTH__RATE_LIMIT__REDIS_URL", url.as_str())];
    let (one, two) = (limited(&settings), limited(&settings));
    assert_eq!(attempts(&one, 3, "192.0.2.1").await, [401; 3]);
    assert_eq!(attempts(&two, 4, "192.0.2.1").await, [401, 401, 429, 429]);
    assert_eq!(attempts(&one, 1, "192.0.2.1").await, [429]);
    let held = from(&one.caller("nonsense"), "192.0.2.1").await;
    assert!((40..=60).contains(&retry_after(&held)), "{:?}", held.headers);
    redis.stop();
    assert_eq!(attempts(&one, 6, "192.0.2.50").await, [401, 401, 401, 401, 401, 429], "alone");
    assert_eq!(attempts(&two, 6, "192.0.2.50").await, [401, 401, 401, 401, 401, 429], "alone");
    assert!(log(&one).to_lowercase().contains("redis"), "it is logged: {}", log(&one));
    let password = url.split(':').nth(2).unwrap().split('@').next().unwrap().to_owned();
    assert!(!log(&one).contains(&password), "without the password");
    let me: Value = whoami(&one.root()).await.body;
    assert_eq!(me["kind"], "bootstrap");
}
