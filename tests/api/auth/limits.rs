//! Who fails too often is held back (authentication.md section 6): in memory, and over Redis.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{
    mint::{Key, SECRET, claims, now, secret},
    setup::{BOOTSTRAP, gate_with, log, whoami},
};
use crate::{
    api::{
        gate::{Answer, Caller, Gate, until},
        models::linear,
        socket::{Said, Socket},
        world::{World, mint, unique},
    },
    conformance::conformance,
    support::{
        redis::PrivateRedis,
        scripted::{Reply, Scripted},
    },
};

const ISSUER: &str = "https://a.test";
/// Where no workflow is.
const SOCKET: &str = "/ws/workflow/0190f7a0-0000-7000-8000-000000000000";

conformance!({
    an_address_fails_so_often_and_no_more,
    what_is_no_failure_is_not_counted,
    of_many_at_once_exactly_so_many_are_judged,
    an_identity_fails_so_often_and_its_good_token_passes,
    what_an_identity_is_held_back_for_is_no_failure_of_the_address,
    the_window_slides_and_retry_after_is_true,
    nothing_is_limited_where_that_is_switched_off,
} on {
    memory => async { Counted { redis: None } },
    redis => async { Counted { redis: Some(PrivateRedis::start().await) } },
});

/// Where failures are counted.
struct Counted {
    redis: Option<PrivateRedis>,
}

impl Counted {
    /// A gate that counts there.
    fn gate(&self, more: &[(&str, &str)]) -> Gate {
        let url = self.redis.as_ref().map(PrivateRedis::url);
        limited(&[&by_redis(url.as_deref())[..], more].concat())
    }
}

fn by_redis(url: Option<&str>) -> Vec<(&str, &str)> {
    let settings = |url| [("TIDEGATE_AUTH__RATE_LIMIT__KIND", "redis"), ("TIDEGATE_AUTH__RATE_LIMIT__REDIS_URL", url)];
    url.map(settings).into_iter().flatten().collect()
}

/// Five failures of an address, three of an identity, and this machine as a trusted proxy, so that tests come from anywhere.
fn limited(more: &[(&str, &str)]) -> Gate {
    limited_with("", more)
}

/// The same with more issuers.
fn limited_with(issuers: &str, more: &[(&str, &str)]) -> Gate {
    let config = format!(
        "[server]\ntrusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]\n\
         [[auth.issuers]]\nname = \"a\"\nkind = \"jwt\"\nissuers = [\"{ISSUER}\"]\naudiences = [\"tidegate\"]\nsecret = \"{SECRET}\"\n{issuers}"
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
        statuses.push(from(&gate.caller(unique("guess")), address).await.status);
    }
    statuses
}

fn retry_after(answer: &Answer) -> u64 {
    answer.header("retry-after").parse().unwrap_or_else(|_| panic!("{:?}", answer.headers))
}

/// The password of a private Redis.
fn password(url: &str) -> &str {
    url.split(':').nth(2).unwrap().split('@').next().unwrap()
}

async fn an_address_fails_so_often_and_no_more(counted: Counted) {
    let gate = counted.gate(&[]);
    let root = gate.root();
    let (seen, unseen) = (mint(&root, &["workflows:read"], &[]).await, mint(&root, &["workflows:read"], &[]).await);
    from(&seen, "198.51.100.7").await.is(200);
    let jwt = gate.caller(good("seen"));
    from(&jwt, "198.51.100.7").await.is(200);
    assert_eq!(attempts(&gate, 5, "192.0.2.1").await, [401; 5]);
    let held = from(&gate.caller("nonsense"), "192.0.2.1").await;
    held.problem(429, "auth.rate_limited.ip");
    assert_eq!(held["message"], "Too many authentication attempts from IP 192.0.2.1");
    assert!((50..=60).contains(&retry_after(&held)), "{:?}", held.headers);
    // Wherever it is shown, also where nothing is.
    let elsewhere = gate.caller("nonsense").get("/no/such/path").header("X-Forwarded-For", "192.0.2.1").await;
    elsewhere.problem(429, "auth.rate_limited.ip");
    let malformed = gate.anonymous().get("/api/whoami").header("Authorization", "Bearer a b");
    malformed.header("X-Forwarded-For", "192.0.2.1").await.problem(429, "auth.rate_limited.ip");
    // Only what this gate has verified before passes.
    from(&seen, "192.0.2.1").await.is(200);
    from(&jwt, "192.0.2.1").await.is(200);
    from(&unseen, "192.0.2.1").await.problem(429, "auth.rate_limited.ip");
    from(&gate.caller(good("unseen")), "192.0.2.1").await.problem(429, "auth.rate_limited.ip");
    from(&gate.caller(expired("seen")), "192.0.2.1").await.problem(429, "auth.rate_limited.ip");
    from(&gate.anonymous(), "192.0.2.1").await.problem(401, "auth.missing_token");
    from(&unseen, "192.0.2.2").await.is(200);
    from(&unseen, "192.0.2.1").await.is(200);
    gate.caller("nonsense").get("/health/live").header("X-Forwarded-For", "192.0.2.1").await.is(200);
    // What was verified and is good no more is no way to be judged.
    root.delete(&format!("/api/admin/service-tokens/{}", whoami(&seen).await.str("token_id"))).await.is(204);
    from(&seen, "192.0.2.1").await.problem(429, "auth.rate_limited.ip");
    // A socket says it by its code.
    let headers = [("authorization", "Bearer nonsense"), ("x-forwarded-for", "192.0.2.1")];
    let mut socket = Socket::with(&gate, SOCKET, &headers).await;
    match socket.next().await {
        Said::Closed(4429, reason) => assert!(reason.starts_with("auth.rate_limited.ip"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_hands_in_too_many_bad_tokens_finds_their_sockets_closed() {
    let gate = limited(&[]);
    let world = World::on(gate.clone()).await;
    let workflow = world.deploy(&linear("p", &[])).await;
    let path = format!("/ws/workflow/{workflow}");
    let bearer = format!("Bearer {}", world.token.clone().unwrap());
    let headers = [("authorization", bearer.as_str()), ("x-forwarded-for", "192.0.2.1")];
    let unseen = mint(&world.root, &["workflows:read"], &[&world.id]).await.token.unwrap();
    for number in 0..7 {
        let mut socket = Socket::with(&gate, &path, &headers).await;
        socket.ready().await;
        // At last even a good token is not judged that was never seen here.
        let token = if number < 6 { format!("nonsense-{number}") } else { unseen.clone() };
        socket.say(json!({"type": "auth", "token": token})).await;
        let (code, reason) = socket.closed().await;
        if number < 5 {
            assert_eq!((code, reason.as_str()), (4401, "auth.invalid_token"), "{number}");
        } else {
            assert!(
                code == 4429 && reason.starts_with("auth.rate_limited.ip; retry after"),
                "{number}: {code} {reason}"
            );
        }
    }
    // Without an upgrade it is the problem.
    let plain = gate.caller("nonsense").get(&path).header("X-Forwarded-For", "192.0.2.1").await;
    plain.problem(429, "auth.rate_limited.ip");
    assert!(retry_after(&plain) <= 60);
}

async fn what_is_no_failure_is_not_counted(counted: Counted) {
    // Nobody listens there: its tokens cannot be judged.
    let issuers = "[[auth.issuers]]\nname = \"away\"\nkind = \"jwt\"\nissuers = [\"https://away.test\"]\naudiences = [\"tidegate\"]\njwks_url = \"http://127.0.0.1:1/jwks\"\n";
    let url = counted.redis.as_ref().map(PrivateRedis::url);
    let gate = limited_with(issuers, &by_redis(url.as_deref()));
    let reader = mint(&gate.root(), &["workflows:read"], &[]).await;
    let away = gate.caller(
        Key::new("ES256", "k").token_with(&json!({"alg": "RS256"}), &claims("https://away.test", "ada", &json!({}))),
    );
    for _ in 0..8 {
        from(&gate.anonymous(), "192.0.2.1").await.problem(401, "auth.missing_token");
        let basic = gate.anonymous().get("/api/whoami").header("Authorization", "Basic YTpi");
        basic.header("X-Forwarded-For", "192.0.2.1").await.problem(401, "auth.missing_token");
        let refused = reader.get("/api/admin/service-tokens").header("X-Forwarded-For", "192.0.2.1").await;
        refused.problem(403, "auth.missing_scope");
        from(&away, "192.0.2.1").await.problem(503, "auth.key_unavailable");
        from(&gate.root(), "192.0.2.1").await.is(200);
        gate.caller("nonsense").get("/health/live").header("X-Forwarded-For", "192.0.2.1").await.is(200);
    }
    assert_eq!(attempts(&gate, 6, "192.0.2.1").await, [401, 401, 401, 401, 401, 429]);
    // What is held back is counted nowhere: it prolongs nothing, and is no entry of the audit.
    for _ in 0..5 {
        let held = from(&gate.caller("nonsense"), "192.0.2.1").await;
        assert!((1..=60).contains(&retry_after(&held)), "{:?}", held.headers);
    }
}

async fn of_many_at_once_exactly_so_many_are_judged(counted: Counted) {
    let gate = counted.gate(&[]);
    let callers: Vec<Caller> = (0..60).map(|number| gate.caller(format!("nonsense-{number}"))).collect();
    let answers = join_all(callers.iter().map(|caller| from(caller, "192.0.2.9"))).await;
    let judged = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!(judged, 5, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    assert!(answers.iter().all(|answer| [401, 429].contains(&answer.status)));
}

async fn an_identity_fails_so_often_and_its_good_token_passes(counted: Counted) {
    let gate = counted.gate(&[("TIDEGATE_AUTH__RATE_LIMIT__IP", "0")]);
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

async fn what_an_identity_is_held_back_for_is_no_failure_of_the_address(counted: Counted) {
    let gate = counted.gate(&[]);
    let ada = gate.caller(expired("ada"));
    for _ in 0..3 {
        from(&ada, "192.0.2.1").await.problem(401, "auth.token_expired");
    }
    for _ in 0..10 {
        from(&ada, "192.0.2.1").await.problem(429, "auth.rate_limited.identity");
    }
    assert_eq!(attempts(&gate, 3, "192.0.2.1").await, [401, 401, 429], "three of five were counted");
    from(&ada, "192.0.2.1").await.problem(429, "auth.rate_limited.ip");
    from(&ada, "192.0.2.2").await.problem(429, "auth.rate_limited.identity");
}

async fn the_window_slides_and_retry_after_is_true(counted: Counted) {
    let gate = counted.gate(&[("TIDEGATE_AUTH__RATE_LIMIT__INTERVAL_SECONDS", "2.5")]);
    let first = Instant::now();
    assert_eq!(attempts(&gate, 5, "192.0.2.1").await, [401; 5]);
    let held = from(&gate.caller("nonsense"), "192.0.2.1").await;
    held.problem(429, "auth.rate_limited.ip");
    let (told, wait) = (Instant::now(), Duration::from_secs(retry_after(&held)));
    assert!((1..=3).contains(&wait.as_secs()), "{wait:?}");
    until("the first to leave the window", || async {
        let asked = told.elapsed();
        let judged = from(&gate.caller("nonsense"), "192.0.2.1").await.status == 401;
        assert!(judged || asked < wait, "Retry-After was {wait:?}");
        judged.then_some(())
    })
    .await;
    assert!(first.elapsed() >= Duration::from_millis(2_500), "not before: {:?}", first.elapsed());
}

async fn nothing_is_limited_where_that_is_switched_off(counted: Counted) {
    let gate = counted.gate(&[("TIDEGATE_AUTH__RATE_LIMIT__IP", "0"), ("TIDEGATE_AUTH__RATE_LIMIT__IDENTITY", "0")]);
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
async fn whatever_stands_in_the_header_nobody_makes_an_address_of_it() {
    let gate = limited(&[]);
    let long = "203.0.113.9, ".repeat(4_000);
    let proxies = (0..2_000).map(|number: u32| Ipv4Addr::from(0x0A00_0000 + number).to_string());
    let proxies = proxies.collect::<Vec<_>>().join(", ");
    // What is no address at the right end: the peer's counts. An address there: that one, whatever stands before it.
    for (lines, ip) in [
        (vec!["", "unknown", "999.1.1.1", "203.0.113.9;", "_hidden"], "127.0.0.1"),
        (vec![long.as_str()], "127.0.0.1"),
        (vec!["203.0.113.1, 10.0.0.1, ,"], "127.0.0.1"),
        (vec!["203.0.113.7, unknown, 198.51.100.3:4711"], "198.51.100.3"),
        (vec!["203.0.113.8", "[2001:db8:7::1]:443"], "2001:db8:7::/64"),
        (vec!["198.51.100.99, 198.51.100.4", proxies.as_str()], "198.51.100.4"),
    ] {
        let ask = || {
            let ask = gate.caller("nonsense").get("/api/whoami");
            lines.iter().fold(ask, |ask, line| ask.header("X-Forwarded-For", line))
        };
        let mut held = ask().await;
        for _ in 0..5 {
            held = ask().await;
        }
        let message = format!("Too many authentication attempts from IP {ip}");
        assert_eq!((held.status, held.str("message")), (429, message.as_str()), "{} lines", lines.len());
    }
}

#[tokio::test]
async fn whom_a_proxy_names_stands_in_the_log_and_nobody_else() {
    let gate = limited(&[]);
    from(&gate.root(), "198.51.100.66, 203.0.113.9, 10.0.0.7").await.is(200);
    let log = log(&gate);
    assert!(log.contains("203.0.113.9") && !log.contains("198.51.100.66") && !log.contains("10.0.0.7"), "{log}");
}

#[tokio::test]
async fn two_gates_count_together_over_redis_and_each_alone_without_it() {
    let mut redis = PrivateRedis::start().await;
    let url = redis.url();
    let (one, two) = (limited(&by_redis(Some(&url))), limited(&by_redis(Some(&url))));
    assert_eq!(attempts(&one, 3, "192.0.2.1").await, [401; 3]);
    assert_eq!(attempts(&two, 4, "192.0.2.1").await, [401, 401, 429, 429]);
    assert_eq!(attempts(&one, 1, "192.0.2.1").await, [429]);
    let held = from(&one.caller("nonsense"), "192.0.2.1").await;
    assert!((40..=60).contains(&retry_after(&held)), "{:?}", held.headers);
    redis.stop();
    assert_eq!(attempts(&one, 1, "192.0.2.1").await, [429], "what Redis said still holds");
    assert_eq!(attempts(&one, 6, "192.0.2.50").await, [401, 401, 401, 401, 401, 429], "alone");
    assert_eq!(attempts(&two, 6, "192.0.2.50").await, [401, 401, 401, 401, 401, 429], "alone");
    // One that starts now does so all the same.
    let third = limited(&by_redis(Some(&url)));
    assert_eq!(attempts(&third, 6, "192.0.2.1").await, [401, 401, 401, 401, 401, 429], "alone");
    let me: Value = whoami(&one.root()).await.body;
    assert_eq!(me["kind"], "bootstrap");
    for gate in [&one, &two, &third] {
        assert_eq!(log(gate).matches("Redis does not answer").count(), 1, "it is logged once: {}", log(gate));
        assert!(!log(gate).contains(password(&url)), "without the password");
    }
    // Back again, empty: they count together, and forget nothing of what they counted alone.
    redis.start_again().await;
    for gate in [&one, &two] {
        let mut number = 0x6440_0000;
        until("Redis is asked again", || {
            number += 1;
            let stranger = Ipv4Addr::from(number).to_string();
            async move {
                attempts(gate, 1, &stranger).await;
                log(gate).contains("Redis answers again").then_some(())
            }
        })
        .await;
        assert_eq!(attempts(gate, 1, "192.0.2.50").await, [429]);
    }
    assert_eq!(attempts(&one, 3, "192.0.2.70").await, [401; 3]);
    assert_eq!(attempts(&two, 3, "192.0.2.70").await, [401, 401, 429], "together again");
}

#[tokio::test]
async fn a_redis_that_takes_its_time_holds_nobody_up() {
    let redis = PrivateRedis::start().await;
    let gate = limited(&by_redis(Some(&redis.url())));
    assert_eq!(attempts(&gate, 2, "192.0.2.1").await, [401; 2]);
    redis.freeze(Duration::from_mins(10)).await;
    let begun = Instant::now();
    assert_eq!(attempts(&gate, 4, "192.0.2.1").await, [401, 401, 401, 429], "with what was counted before");
    from(&gate.caller(good("ada")), "192.0.2.9").await.is(200);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(log(&gate).contains("Redis does not answer"), "{}", log(&gate));
}

#[tokio::test]
async fn a_revoked_tokens_holder_is_held_back_and_told_for_how_long() {
    let world = World::on(limited(&[])).await;
    let leaver = world.someone(&["workflows:read"]).await;
    let id = whoami(&leaver).await.str("token_id").to_owned();
    world.root.delete(&format!("/api/admin/service-tokens/{id}")).await.is(204);
    for number in 0..3 {
        from(&leaver, &format!("192.0.2.{number}")).await.problem(401, "auth.token_revoked");
    }
    let held = from(&leaver, "192.0.2.9").await;
    held.problem(429, "auth.rate_limited.identity");
    assert_eq!(held["message"], format!("Too many authentication attempts for identity {id}"));
    assert!((1..=60).contains(&retry_after(&held)), "{held:?}");
    whoami(&world).await;
}

#[tokio::test]
async fn however_a_bad_token_is_shown_it_counts() {
    let world = World::on(limited(&[])).await;
    let workflow = world.deploy(&linear("p", &[])).await;
    let (path, address) = (format!("/ws/workflow/{workflow}"), ("x-forwarded-for", "192.0.2.1"));
    let closed = async |mut socket: Socket| socket.closed().await.0;
    // In a subprotocol, in the query of a socket and of a stream, in a frame, in the header.
    let offered = [("sec-websocket-protocol", "tidegate.v1, bearer.nonsense"), address];
    assert_eq!(closed(Socket::with(&world.gate, &path, &offered).await).await, 4401);
    assert_eq!(closed(Socket::with(&world.gate, &format!("{path}?token=nonsense"), &[address]).await).await, 4401);
    let stream = world.gate.anonymous().get(&format!("/api/workflows/{workflow}/events?access_token=nonsense"));
    let stream = stream.header("Accept", "text/event-stream").header("X-Forwarded-For", "192.0.2.1");
    stream.await.problem(401, "auth.invalid_token");
    let good = format!("Bearer {}", world.token.as_deref().unwrap());
    let mut socket = Socket::with(&world.gate, &path, &[("authorization", &good), address]).await;
    socket.ready().await;
    socket.say(json!({"type": "auth", "token": "nonsense"})).await;
    assert_eq!(socket.closed().await.0, 4401);
    assert_eq!(attempts(&world.gate, 2, "192.0.2.1").await, [401, 429]);
    assert_eq!(closed(Socket::with(&world.gate, &path, &offered).await).await, 4429);
    // An open socket of a good token is no way around: a fresh token that was never seen waits, too.
    let mut socket = Socket::with(&world.gate, &path, &[("authorization", &good), address]).await;
    socket.ready().await;
    socket.say(json!({"type": "auth", "token": "nonsense"})).await;
    assert_eq!(socket.closed().await.0, 4429);
}

#[tokio::test]
async fn an_opaque_token_is_of_nobody_until_its_maker_says_whose_it_was() {
    let inactive = Scripted::start(Reply::json(&json!({"active": false}))).await;
    let issuer = format!(
        "[[auth.issuers]]\nname = \"o\"\nkind = \"introspection\"\nprefix = \"o_\"\naudiences = [\"tidegate\"]\n\
         introspection_url = \"{}\"\nclient_id = \"gate\"\nclient_secret = \"s\"\n",
        inactive.url("/introspect")
    );
    let gate = limited_with(&issuer, &[]);
    for number in 0..5 {
        from(&gate.caller(format!("o_gone_{number}")), "192.0.2.1").await.problem(401, "auth.invalid_token");
    }
    assert_eq!(inactive.count(), 5);
    from(&gate.caller("o_gone_5"), "192.0.2.1").await.problem(429, "auth.rate_limited.ip");
    assert_eq!(inactive.count(), 5, "from a limited address nothing is judged, so nobody is asked");
    inactive.reply(Reply::json(&json!({"active": true, "sub": "ada", "aud": "another", "exp": now() + 60})));
    for number in 0..3 {
        let answer = from(&gate.caller(format!("o_{number}")), &format!("192.0.2.5{number}")).await;
        answer.problem(401, "auth.invalid_audience");
    }
    from(&gate.caller("o_3"), "192.0.2.60").await.problem(429, "auth.rate_limited.identity");
    inactive.reply(Reply::status(500));
    for number in 10..20 {
        from(&gate.caller(format!("o_{number}")), "192.0.2.61").await.problem(503, "auth.unavailable");
    }
    assert_eq!(attempts(&gate, 6, "192.0.2.61").await, [401, 401, 401, 401, 401, 429], "503 is no failure");
}
