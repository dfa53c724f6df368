//! Tokens on sockets and event streams, and how long these last (authentication.md section 7).

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    mint::{self, SECRET, secret},
    setup::{gate, log},
};
use crate::api::{
    gate::{Caller, Gate, Shared},
    models::{linear, service},
    socket::{Said, Socket},
    stream::Stream,
    world::{World, unique},
};

const ISSUERS: [&str; 2] = ["one", "two"];

static SHARED: Shared = Shared::new();

fn town() -> Gate {
    let config = ISSUERS.map(|name| {
        format!(
            "[[auth.issuers]]\nname = \"{name}\"\nkind = \"jwt\"\nissuers = [\"https://{name}.test\"]\naudiences = [\"tidegate\"]\n\
             secret = \"{SECRET}\"\nprovision = \"user\"\n"
        )
    });
    SHARED.gate(|| gate(&format!("[auth]\nleeway_seconds = 0\n{}", config.concat())))
}

async fn waiting() -> (World, String) {
    let world = World::on(town()).await;
    let workflow = world.deploy(&linear(&unique("p"), &[&service("work")])).await;
    world.events_with(&workflow, "deployment.created").await;
    (world, workflow)
}

fn token(issuer: &str, subject: &str, more: &Value) -> String {
    secret(&mint::claims(&format!("https://{issuer}.test"), subject, more))
}

/// A reader of this workspace by claim, with this life.
fn reader(world: &World, subject: &str, seconds: i64) -> Caller {
    let more = json!({"workspaces": [world.id], "scope": "workflows:read", "exp": mint::now() + seconds});
    world.gate.caller(token("one", subject, &more))
}

fn path(workflow: &str) -> String {
    format!("/ws/workflow/{workflow}")
}

fn events(workflow: &str) -> String {
    format!("/api/workflows/{workflow}/events")
}

/// How long until the gate ends a stream.
async fn lasts(stream: &mut Stream) -> Duration {
    let begun = Instant::now();
    while stream.next().await.is_some() {}
    begun.elapsed()
}

#[tokio::test]
async fn a_jwt_opens_a_socket_in_each_of_its_forms() {
    let (world, workflow) = waiting().await;
    let gate = &world.gate;
    let token = reader(&world, &unique("ada"), 100).token.unwrap();
    let header = format!("Bearer {token}");
    let offer = format!("tidegate.v1, bearer.{token}");
    for query in ["token", "access_token"] {
        Socket::with(gate, &format!("{}?{query}={token}", path(&workflow)), &[]).await.ready().await;
        let ask = gate.anonymous().get(&format!("{}?{query}={token}", events(&workflow)));
        assert!(Stream::open(ask).await.is_silent().await);
    }
    Socket::with(gate, &path(&workflow), &[("authorization", &header)]).await.ready().await;
    let mut socket = Socket::with(gate, &path(&workflow), &[("sec-websocket-protocol", &offer)]).await;
    assert_eq!(socket.protocol.as_deref(), Some("tidegate.v1"));
    socket.ready().await;
    // More than one credential.
    let twice = format!("tidegate.v1, bearer.{token}, bearer.{token}");
    for (path, headers) in [
        (path(&workflow), vec![("sec-websocket-protocol", twice.as_str())]),
        (format!("{}?token={token}&token={token}", path(&workflow)), vec![]),
        (format!("{}?access_token={token}", path(&workflow)), vec![("authorization", header.as_str())]),
    ] {
        let said = Socket::with(gate, &path, &headers).await.next().await;
        assert_eq!(said, Said::Closed(4401, "auth.invalid_token".to_owned()), "{path} {headers:?}");
    }
    let both = gate.caller(&token).get(&format!("{}?token={token}", events(&workflow)));
    both.header("Accept", "text/event-stream").await.problem(401, "auth.invalid_token");
    assert!(!log(gate).contains(&token), "no token in the log");
}

#[tokio::test]
async fn a_query_holds_no_token_elsewhere() {
    let (world, workflow) = waiting().await;
    let token = reader(&world, &unique("ada"), 100).token.unwrap();
    for path in ["/api/whoami".to_owned(), "/api/workflows".to_owned(), format!("/api/workflows/{workflow}")] {
        for name in ["token", "access_token"] {
            let refused = world.gate.anonymous().get(&format!("{path}?{name}={token}")).await;
            refused.problem(401, "auth.missing_token");
        }
    }
}

#[tokio::test]
async fn a_refused_jwt_closes_a_socket_with_its_code() {
    let (world, workflow) = waiting().await;
    let gate = &world.gate;
    let here = |more: Value| {
        let mut claims = json!({"workspaces": [world.id], "scope": "workflows:read"});
        mint::merge(&mut claims, &more);
        gate.caller(token("one", &unique("ada"), &claims))
    };
    for (what, caller, code, reason) in [
        ("expired", here(json!({"exp": mint::now() - 5})), 4401, "auth.token_expired"),
        ("another aud", here(json!({"aud": "x"})), 4401, "auth.invalid_audience"),
        ("another iss", here(json!({"iss": "x"})), 4401, "auth.invalid_issuer"),
        ("no scope", here(json!({"scope": "jobs:work"})), 4403, "auth.missing_scope"),
        ("another workspace", here(json!({"workspaces": ["elsewhere"]})), 4404, "workflow.not_found"),
    ] {
        let said = Socket::open(&caller, &path(&workflow)).await.next().await;
        assert_eq!(said, Said::Closed(code, reason.to_owned()), "{what}");
        let plain = caller.get(&path(&workflow)).await;
        assert_eq!(plain.status, code - 4000, "{what}: {}", plain.text);
        assert_eq!(plain.complete_problem()["code"], reason, "{what}");
    }
}

#[tokio::test]
async fn streams_end_when_their_token_does() {
    let (world, workflow) = waiting().await;
    let short = reader(&world, &unique("ada"), 2);
    let mut stream = Stream::open(short.get(&events(&workflow))).await;
    let mut socket = Socket::open(&short, &path(&workflow)).await;
    socket.ready().await;
    let lasted = lasts(&mut stream).await;
    assert!(lasted < Duration::from_secs(4), "{lasted:?}");
    assert_eq!(socket.closed().await, (4401, "auth.token_expired".to_owned()));
    short.get("/api/whoami").await.problem(401, "auth.token_expired");
}

#[tokio::test]
async fn a_fresh_token_of_the_same_person_keeps_a_socket_open() {
    let (world, workflow) = waiting().await;
    let subject = unique("ada");
    let mut socket = Socket::open(&reader(&world, &subject, 2), &path(&workflow)).await;
    socket.ready().await;
    let fresh =
        json!({"workspaces": [world.id], "scope": "workflows:read workflows:execute", "exp": mint::now() + 100});
    socket.say(json!({"type": "auth", "token": token("one", &subject, &fresh)})).await;
    crate::api::gate::until("the first token's end", || async {
        let old = reader(&world, &subject, -1);
        (old.get("/api/whoami").await.status == 401).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    // Its rights are judged anew.
    socket.say(json!({"type": "run_workflow", "request_id": "1"})).await;
    let frame = socket.frame().await;
    assert!(frame["type"] == "execution" || frame["type"] == "event", "{frame}");
}

#[tokio::test]
async fn anothers_token_ends_a_socket() {
    let (world, workflow) = waiting().await;
    let subject = unique("ada");
    let more = json!({"workspaces": [world.id], "scope": "workflows:read"});
    let mut service = more.clone();
    service["token_use"] = json!("service");
    for (what, other) in [
        ("another subject", token("one", &unique("eve"), &more)),
        ("another issuer", token("two", &subject, &more)),
        ("another kind", token("one", &subject, &service)),
        ("an expired one", token("one", &subject, &json!({"exp": mint::now() - 5}))),
        ("nonsense", "nonsense".to_owned()),
    ] {
        let mut socket = Socket::open(&reader(&world, &subject, 100), &path(&workflow)).await;
        socket.ready().await;
        socket.say(json!({"type": "auth", "token": other})).await;
        assert_eq!(socket.closed().await.0, 4401, "{what}");
    }
    let mut socket = Socket::open(&reader(&world, &subject, 100), &path(&workflow)).await;
    socket.ready().await;
    let less = json!({"workspaces": ["elsewhere"], "scope": "workflows:read"});
    socket.say(json!({"type": "auth", "token": token("one", &subject, &less)})).await;
    let (code, reason) = socket.closed().await;
    assert!([4403, 4404].contains(&code), "{code} {reason}");
}

#[tokio::test]
async fn streams_end_when_the_right_is_lost() {
    let (world, workflow) = waiting().await;
    let subject = unique("ada");
    let user = world.gate.caller(token("one", &subject, &json!({})));
    let member = format!("/api/workspaces/{}/members/one:{subject}", world.id);
    world.root.ask(Method::PUT, &member).json(&json!({"role": "viewer"})).await.is(200);
    let mut stream = Stream::open(user.get(&events(&workflow))).await;
    let mut socket = Socket::open(&user, &path(&workflow)).await;
    socket.ready().await;
    // A change of role that leaves the right leaves the streams.
    world.root.ask(Method::PUT, &member).json(&json!({"role": "member"})).await.is(200);
    assert!(stream.is_silent().await && socket.is_silent().await);
    let begun = Instant::now();
    world.root.delete(&member).await.is(204);
    let (code, _) = socket.closed().await;
    assert!([4403, 4404].contains(&code), "{code}");
    lasts(&mut stream).await;
    assert!(begun.elapsed() < Duration::from_millis(1_500), "{:?}", begun.elapsed());
    user.get(&events(&workflow)).await.problem(404, "workflow.not_found");
}

#[tokio::test]
async fn who_reads_late_is_told_nothing_of_what_came_after_their_revocation() {
    let (world, workflow) = waiting().await;
    let subject = unique("ada");
    let ada = reader(&world, &subject, 100);
    let mut stream = Stream::open(ada.get(&events(&workflow))).await;
    let entry = json!({"kind": "user", "issuer": "one", "value": subject});
    world.root.post("/api/admin/revocations", entry).await.is(201);
    world.start(&workflow, json!({})).await;
    world.events_with(&workflow, "job.created").await;
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_token_that_is_handed_in_is_judged_like_any_other() {
    let (world, workflow) = waiting().await;
    let subject = unique("ada");
    let more = json!({"workspaces": [world.id], "scope": "workflows:read"});
    let mut unscoped = more.clone();
    unscoped["scope"] = json!("jobs:work");
    let mut revoked = more.clone();
    revoked["jti"] = json!(unique("jti"));
    let entry = json!({"kind": "token", "issuer": "one", "value": revoked["jti"]});
    world.root.post("/api/admin/revocations", entry).await.is(201);
    for (what, next, code, reason) in [
        ("revoked", token("one", &subject, &revoked), 4401, "auth.token_revoked"),
        ("without the scope", token("one", &subject, &unscoped), 4403, "auth.missing_scope"),
        ("a service token", world.token.clone().unwrap(), 4401, "auth.invalid_token"),
        ("empty", String::new(), 4401, "auth.invalid_token"),
        ("with a blank", format!(" {}", token("one", &subject, &more)), 4401, "auth.invalid_token"),
        ("64 KiB", "a".repeat(64 * 1024), 4401, "auth.invalid_token"),
    ] {
        let mut socket = Socket::open(&reader(&world, &subject, 100), &path(&workflow)).await;
        socket.ready().await;
        socket.say(json!({"type": "auth", "token": next})).await;
        assert_eq!(socket.closed().await, (code, reason.to_owned()), "{what}");
    }
    // Half a frame is a mistake, and no judgement.
    let mut socket = Socket::open(&reader(&world, &subject, 100), &path(&workflow)).await;
    socket.ready().await;
    for frame in
        [json!({"type": "auth"}), json!({"type": "auth", "token": 7}), json!({"type": "auth", "token": "x", "y": 1})]
    {
        socket.say(frame).await;
        assert_eq!(socket.frame().await["problem"]["code"], "request.invalid");
    }
    socket.say(json!({"type": "auth", "token": token("one", &subject, &more)})).await;
    assert!(socket.is_silent().await, "it goes on");
}
