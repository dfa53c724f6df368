//! Revocations of users, sessions and tokens (authentication.md section 5).

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{
    mint::{self, SECRET, now, secret},
    setup::{gate, refusal, whoami},
};
use crate::api::{
    gate::{Answer, Caller, Gate, Shared, until},
    models::{linear, service},
    socket::Socket,
    stream::Stream,
    world::{World, mint as mint_service, unique},
};

const REVOCATIONS: &str = "/api/admin/revocations";

static SHARED: Shared = Shared::new();

fn config() -> String {
    let issuer = |name: &str, more: &str| {
        format!(
            "[[auth.issuers]]\nname = \"{name}\"\nkind = \"jwt\"\nissuers = [\"https://{name}.test\"]\naudiences = [\"tidegate\"]\n\
             secret = \"{SECRET}\"\n{more}\n"
        )
    };
    issuer("corp", "max_scopes = [\"*\"]") + &issuer("other", "")
}

fn town() -> Gate {
    SHARED.gate(|| gate(&config()))
}

fn token(subject: &str, more: &Value) -> String {
    secret(&mint::claims("https://corp.test", subject, more))
}

async fn revoke(who: &Caller, order: Value) -> Answer {
    who.post(REVOCATIONS, order).await.is(201)
}

async fn assert_revoked(caller: &Caller) {
    assert_eq!(refusal(caller).await, (401, "auth.token_revoked".to_owned()));
}

#[tokio::test]
async fn a_users_tokens_end_also_those_of_a_clock_that_is_ahead() {
    let gate = town();
    let (root, subject) = (gate.root(), unique("ada"));
    let (old, other) = (gate.caller(token(&subject, &json!({}))), gate.caller(token(&unique("eve"), &json!({}))));
    let namesake = gate.caller(secret(&mint::claims("https://other.test", &subject, &json!({}))));
    for caller in [&old, &other, &namesake] {
        whoami(caller).await;
    }
    let made = revoke(&root, json!({"kind": "user", "issuer": "corp", "value": subject, "reason": "left"})).await;
    assert!(!made.id().is_empty() && made.header("location").ends_with(&made.id()), "{:?}", made.headers);
    for (name, value) in [("kind", "user"), ("issuer", "corp"), ("value", subject.as_str()), ("reason", "left")] {
        assert_eq!(made[name], value, "{}", made.text);
    }
    assert_revoked(&old).await;
    // One that was never seen before, and one that has expired: revoked is said before expired.
    assert_revoked(&gate.caller(token(&subject, &json!({"iat": now() - 100, "jti": "x"})))).await;
    assert_revoked(&gate.caller(token(&subject, &json!({"iat": now() - 100, "exp": now() - 60})))).await;
    assert_revoked(&gate.caller(token(&subject, &json!({"iat": null})))).await;
    for caller in [&other, &namesake] {
        whoami(caller).await;
    }
    assert_revoked(&gate.caller(token(&subject, &json!({"iat": now() + 3})))).await;
    let listed = root.all(REVOCATIONS).await;
    let entry = listed.iter().find(|item| item["id"] == made.id()).expect("listed");
    assert_eq!(entry, &made.body);
}

#[tokio::test]
async fn a_ban_holds_until_it_is_lifted() {
    let gate = town();
    let (root, subject) = (gate.root(), unique("ada"));
    let caller = gate.caller(token(&subject, &json!({})));
    whoami(&caller).await;
    let ban =
        revoke(&root, json!({"kind": "user", "issuer": "corp", "value": subject, "reason": "abuse", "ban": true}))
            .await;
    assert_eq!(ban["ban"], true, "{}", ban.text);
    assert_revoked(&caller).await;
    assert_revoked(&gate.caller(token(&subject, &json!({"iat": now() + 20})))).await;
    root.delete(&format!("{REVOCATIONS}/{}", ban.id())).await.is(204);
    until("the ban's end", || async { (refusal(&caller).await.0 == 200).then_some(()) }).await;
    assert!(!root.all(REVOCATIONS).await.iter().any(|item| item["id"] == ban.id()));
    let again = root.delete(&format!("{REVOCATIONS}/{}", ban.id())).await;
    assert!([204, 404].contains(&again.status), "{}", again.text);
    let unknown = root.delete(&format!("{REVOCATIONS}/0190f7a0-0000-7000-8000-000000000000")).await;
    assert_eq!(unknown.status, 404, "{}", unknown.text);
    assert_eq!(root.delete(&format!("{REVOCATIONS}/x")).await.status, 404);
}

#[tokio::test]
async fn what_a_services_tokens_minted_ends_with_a_ban() {
    let gate = town();
    let (root, client, other) = (gate.root(), unique("robot"), unique("robot"));
    let world = World::on(gate.clone()).await;
    let scopes = "workflows:read admin:tokens:read admin:tokens:write";
    let claims = json!({"token_use": "client", "scope": scopes, "workspaces": [world.id]});
    let order = json!({"scopes": scopes.split(' ').collect::<Vec<_>>(), "workspace_ids": [world.id]});
    let mint_by = async |who: &Caller| {
        gate.caller(who.post("/api/admin/service-tokens", order.clone()).await.is(201).str("secret"))
    };
    let child = mint_by(&gate.caller(token(&client, &claims))).await;
    let grandchild = mint_by(&child).await;
    let others = mint_by(&gate.caller(token(&other, &claims))).await;
    for caller in [&child, &grandchild, &others] {
        whoami(caller).await;
    }
    let ban = revoke(&root, json!({"kind": "user", "issuer": "corp", "value": client, "ban": true})).await;
    assert_revoked(&child).await;
    assert_revoked(&grandchild).await;
    whoami(&others).await;
    root.delete(&format!("{REVOCATIONS}/{}", ban.id())).await.is(204);
    assert_revoked(&child).await;
}

#[tokio::test]
async fn a_session_and_a_single_token_end_alone() {
    let gate = town();
    let (root, subject) = (gate.root(), unique("ada"));
    let [sid, jti] = ["session", "jti"].map(unique);
    let (in_session, by_id, neither) = (
        gate.caller(token(&subject, &json!({"sid": sid}))),
        gate.caller(token(&subject, &json!({"jti": jti}))),
        gate.caller(token(&subject, &json!({"sid": "another", "jti": "another"}))),
    );
    revoke(&root, json!({"kind": "session", "issuer": "corp", "value": sid, "reason": "logout"})).await;
    assert_revoked(&in_session).await;
    whoami(&by_id).await;
    revoke(&root, json!({"kind": "token", "issuer": "corp", "value": jti, "reason": "leaked"})).await;
    assert_revoked(&by_id).await;
    assert_revoked(&gate.caller(token(&subject, &json!({"sid": sid, "iat": now() + 5})))).await;
    whoami(&neither).await;
    let elsewhere = secret(&mint::claims("https://other.test", &subject, &json!({"sid": sid, "jti": jti})));
    whoami(&gate.caller(elsewhere)).await;
}

#[tokio::test]
async fn what_cannot_be_revoked_is_named() {
    let gate = town();
    let root = gate.root();
    let good = json!({"kind": "user", "issuer": "corp", "value": "x", "reason": "r"});
    for (more, statuses) in [
        (json!({"kind": "planet"}), [400, 422]),
        (json!({"kind": null}), [400, 422]),
        (json!({"issuer": "nobody"}), [422, 404]),
        (json!({"value": ""}), [422, 400]),
        (json!({"value": null}), [400, 422]),
        (json!({"reason": "x".repeat(2_001)}), [422, 400]),
        (json!({"bann": true}), [400, 422]),
        (json!({"kind": "session", "ban": true}), [422, 400]),
    ] {
        let mut order = good.clone();
        mint::merge(&mut order, &more);
        let refused = root.post(REVOCATIONS, order).await;
        refused.complete_problem();
        assert!(statuses.contains(&refused.status), "{more}: {} {}", refused.status, refused.text);
    }
}

#[tokio::test]
async fn revoking_takes_admin_rights_on_all_workspaces() {
    let gate = town();
    let root = gate.root();
    let order = || json!({"kind": "user", "issuer": "corp", "value": unique("x"), "reason": "r"});
    let id = revoke(&root, order()).await.id();
    let everywhere = async |scopes: &[&str]| {
        let made =
            root.post("/api/admin/service-tokens", json!({"scopes": scopes, "all_workspaces": true})).await.is(201);
        gate.caller(made.str("secret"))
    };
    let (reads, writes) = (everywhere(&["admin:tokens:read"]).await, everywhere(&["admin:tokens:write"]).await);
    reads.get(REVOCATIONS).await.is(200);
    reads.post(REVOCATIONS, order()).await.problem(403, "auth.missing_scope");
    reads.delete(&format!("{REVOCATIONS}/{id}")).await.problem(403, "auth.missing_scope");
    writes.get(REVOCATIONS).await.problem(403, "auth.missing_scope");
    revoke(&writes, order()).await;
    let world = World::on(gate.clone()).await;
    let here = mint_service(&root, &["admin:tokens:read", "admin:tokens:write"], &[&world.id]).await;
    for ask in [here.get(REVOCATIONS), here.post(REVOCATIONS, order()), here.delete(&format!("{REVOCATIONS}/{id}"))] {
        let refused = ask.await;
        assert_eq!(refused.status, 403, "{}", refused.text);
    }
    for ask in [gate.anonymous().get(REVOCATIONS), gate.anonymous().post(REVOCATIONS, order())] {
        ask.await.problem(401, "auth.missing_token");
    }
    writes.delete(&format!("{REVOCATIONS}/{id}")).await.is(204);
}

#[tokio::test]
async fn streams_of_the_revoked_end_within_a_second() {
    let gate = town();
    let world = World::on(gate.clone()).await;
    let workflow = world.deploy(&linear(&unique("p"), &[&service("work")])).await;
    let subject = unique("ada");
    let here = |more: Value| {
        let mut claims = json!({"workspaces": [world.id], "scope": "workflows:read"});
        mint::merge(&mut claims, &more);
        gate.caller(token(&subject, &claims))
    };
    for (kind, value, claim) in
        [("token", unique("jti"), "jti"), ("session", unique("sid"), "sid"), ("user", subject.clone(), "x")]
    {
        let caller = here(json!({claim: value}));
        let bystander = world.someone(&["workflows:read"]).await;
        let mut stream = Stream::open(caller.get(&format!("/api/workflows/{workflow}/events"))).await;
        let mut socket = Socket::open(&caller, &format!("/ws/workflow/{workflow}")).await;
        let mut other = Socket::open(&bystander, &format!("/ws/workflow/{workflow}")).await;
        socket.ready().await;
        other.ready().await;
        let begun = Instant::now();
        revoke(&gate.root(), json!({"kind": kind, "issuer": "corp", "value": value, "reason": "r"})).await;
        assert_eq!(socket.closed().await, (4401, "auth.token_revoked".to_owned()), "{kind}");
        while stream.next().await.is_some() {}
        assert!(begun.elapsed() < Duration::from_millis(1_500), "{kind}: {:?}", begun.elapsed());
        assert!(other.is_silent().await, "{kind}");
    }
}

#[tokio::test]
async fn what_a_user_has_made_ends_with_the_user() {
    let gate = town();
    let (root, subject, place) = (gate.root(), unique("ada"), unique("w"));
    let user = gate.caller(token(&subject, &json!({"iat": now() - 10})));
    user.post("/api/workspaces", json!({"id": place})).await.is(201);
    let order = json!({"scopes": ["workflows:read", "admin:tokens:write"], "workspace_ids": [place]});
    let made = user.post("/api/admin/service-tokens", order).await.is(201);
    let machine = gate.caller(made.str("secret"));
    let child = machine.post("/api/admin/service-tokens", json!({"scopes": ["workflows:read"]})).await.is(201);
    let child = gate.caller(child.str("secret"));
    whoami(&machine).await;
    whoami(&child).await;
    revoke(&root, json!({"kind": "user", "issuer": "corp", "value": subject, "reason": "left", "ban": true})).await;
    for caller in [&user, &machine, &child] {
        assert_revoked(caller).await;
    }
}

#[tokio::test]
async fn what_is_issued_later_than_the_leeway_counts() {
    let leeway = 2;
    let gate = gate(&format!("{}\n[auth]\nleeway_seconds = {leeway}\n", config()));
    let subject = unique("ada");
    let made = revoke(&gate.root(), json!({"kind": "user", "issuer": "corp", "value": subject})).await;
    let at = made.str("revoked_at").parse::<jiff::Timestamp>().unwrap().as_second();
    let issued = |iat: i64| gate.caller(token(&subject, &json!({"iat": iat, "exp": iat + 600})));
    for iat in [at - 1, at, at + 1, at + leeway] {
        assert_revoked(&issued(iat)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    whoami(&issued(at + leeway + 1)).await;
}

#[tokio::test]
async fn of_several_revocations_each_stands_until_it_is_lifted() {
    let gate = town();
    let (root, subject, sid) = (gate.root(), unique("ada"), unique("sid"));
    let world = World::on(gate.clone()).await;
    let workflow = world.deploy(&linear(&unique("p"), &[&service("work")])).await;
    let claims = json!({"sid": sid, "workspaces": [world.id], "scope": "workflows:read"});
    let caller = gate.caller(token(&subject, &claims));
    let mut socket = Socket::open(&caller, &format!("/ws/workflow/{workflow}")).await;
    socket.ready().await;
    let orders = [
        json!({"kind": "user", "issuer": "corp", "value": subject}),
        json!({"kind": "user", "issuer": "corp", "value": subject, "ban": true}),
        json!({"kind": "session", "issuer": "corp", "value": sid}),
        json!({"kind": "session", "issuer": "corp", "value": sid}),
    ];
    let made = join_all(orders.map(|order| revoke(&root, order))).await;
    assert_eq!(socket.closed().await, (4401, "auth.token_revoked".to_owned()));
    for entry in &made {
        assert_revoked(&caller).await;
        root.delete(&format!("{REVOCATIONS}/{}", entry.id())).await.is(204);
        root.delete(&format!("{REVOCATIONS}/{}", entry.id())).await.problem(404, "revocation.not_found");
    }
    whoami(&caller).await;
}
