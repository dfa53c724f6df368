//! Revocations of users, sessions and tokens (authentication.md section 5), and WorkOS's events.

use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    mint::{self, SECRET, hmac, now, secret},
    setup::{gate, log, refusal, whoami},
};
use crate::api::{
    gate::{Answer, Caller, Gate, Shared, until},
    models::{linear, service},
    socket::Socket,
    stream::Stream,
    world::{World, mint as mint_service, unique},
};

const REVOCATIONS: &str = "/api/admin/revocations";
const HOOK: &str = "whsec-of-a-black-box-test-0123456789";

static SHARED: Shared = Shared::new();

fn config() -> String {
    let issuer = |name: &str, more: &str| {
        format!(
            "[[auth.issuers]]\nname = \"{name}\"\nkind = \"jwt\"\nissuers = [\"https://{name}.test\"]\naudiences = [\"tidegate\"]\n\
             secret = \"{SECRET}\"\n{more}\n"
        )
    };
    // Nobody listens where WorkOS's keys are: these tests need its events only.
    issuer("corp", "max_scopes = [\"*\"]")
        + &issuer("other", "")
        + &format!(
            "[[auth.issuers]]\nname = \"workos\"\nkind = \"workos\"\nclient_id = \"client_test\"\nissuers = [\"https://workos.test\"]\n\
             jwks_url = \"http://127.0.0.1:1/jwks\"\nallow_http = true\nwebhook_secret = \"{HOOK}\"\n"
        )
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
async fn a_users_tokens_end_and_those_issued_later_do_not() {
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
    whoami(&gate.caller(token(&subject, &json!({"iat": now() + 3})))).await;
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

/// An event with a signature of this stamp, in milliseconds.
async fn event(gate: &Gate, kind: &str, data: Value, stamp: i64, secret: &str) -> Answer {
    let told_at = jiff::Timestamp::from_second(now()).unwrap().to_string();
    let body = json!({"id": unique("event"), "event": kind, "data": data, "created_at": told_at}).to_string();
    let signature = HEXLOWER.encode(&hmac(secret.as_bytes(), format!("{stamp}.{body}").as_bytes()));
    let ask = gate.anonymous().ask(Method::POST, "/auth/workos/events");
    ask.header("WorkOS-Signature", &format!("t={stamp}, v1={signature}")).raw(body).await
}

#[tokio::test]
async fn workos_tells_who_is_revoked() {
    let gate = town();
    let (root, sid, user) = (gate.root(), unique("session_"), unique("user_"));
    let before = root.all(REVOCATIONS).await.len();
    let stamp = now() * 1_000;
    // Signed wrongly, too old, unsigned: nothing happens.
    for (stamp, secret) in [(stamp, "another"), (stamp - 400_000, HOOK), (stamp + 400_000, HOOK), (stamp, "")] {
        let refused = event(&gate, "session.revoked", json!({"id": sid, "user_id": user}), stamp, secret).await;
        refused.complete_problem();
        assert!([400, 401, 403].contains(&refused.status), "{}", refused.text);
    }
    let unsigned =
        gate.anonymous().post("/auth/workos/events", json!({"event": "session.revoked", "data": {"id": sid}})).await;
    assert!([400, 401, 403].contains(&unsigned.status), "{}", unsigned.text);
    assert_eq!(root.all(REVOCATIONS).await.len(), before);
    for (kind, data, value) in [
        ("session.revoked", json!({"object": "session", "id": sid, "user_id": user}), ("session", &sid)),
        ("user.deleted", json!({"object": "user", "id": user, "email": "x@example.com"}), ("user", &user)),
    ] {
        let told = event(&gate, kind, data, stamp, HOOK).await;
        assert!((200..300).contains(&told.status), "{kind}: {}", told.text);
        until("the entry", || async {
            let all = root.all(REVOCATIONS).await;
            all.iter()
                .any(|item| item["kind"] == value.0 && item["value"] == **value.1 && item["issuer"] == "workos")
                .then_some(())
        })
        .await;
    }
    // What means nothing to the gate is taken and forgotten.
    let told = event(&gate, "connection.activated", json!({"id": "conn_1"}), stamp, HOOK).await;
    assert!((200..300).contains(&told.status), "{}", told.text);
    assert!(!log(&gate).contains(HOOK));
}
