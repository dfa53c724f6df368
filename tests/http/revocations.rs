//! Revocations of issuers' tokens: entered, listed, lifted, and what they end.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    gateway::{Answer, Client},
    town::{PATIENCE, Town, closed, socket, stream, until_its_end},
};

const PATH: &str = "/api/admin/revocations";
const SOON: Duration = Duration::from_secs(1);

async fn revoke(client: &Client, entry: &Value) -> Answer {
    let made = client.post(PATH, entry).await;
    assert_eq!(made.status.as_u16(), 201, "{made:?}");
    assert_eq!(made.header("location"), format!("{PATH}/{}", made.body["id"].as_str().unwrap()));
    made
}

/// Whether somebody is let in; if not, since what they have was revoked.
async fn comes_in(client: &Client) -> bool {
    let answer = client.get("/api/whoami").await;
    if answer.status.as_u16() == 200 {
        return true;
    }
    assert_eq!(answer.refused(401), "auth.token_revoked");
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_revoked_with_what_was_issued_so_far() {
    let town = Town::new().await;
    let root = town.gateway.bootstrap();
    let (old, new, other) =
        (town.sign_in("ada", "s1", -60), town.sign_in("ada", "s2", 29), town.sign_in("bob", "s3", -60));
    assert!(comes_in(&old).await);
    let made = revoke(&root, &json!({"kind": "user", "issuer": "corp", "value": "ada", "reason": "left"})).await;
    assert!(!comes_in(&old).await, "before the answer");
    assert!(!comes_in(&new).await, "its issuer's clock may be ahead by the leeway");
    assert!(comes_in(&other).await);
    let entry = &made.body;
    for (name, value) in
        [("kind", "user"), ("issuer", "corp"), ("value", "ada"), ("reason", "left"), ("created_by", "bootstrap")]
    {
        assert_eq!(entry[name], value, "{entry}");
    }
    let time = |name: &str| entry[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let kept = time("ends_at").duration_since(time("revoked_at"));
    assert_eq!((kept.as_secs(), &entry["ban"]), (24 * 3600 + 120, &json!(false)), "as long as a token can live");
    assert_eq!(root.get(PATH).await.body, json!({"items": [entry], "next_cursor": null}));

    let lift = root.delete(made.header("location")).await;
    assert_eq!(lift.status.as_u16(), 204, "{lift:?}");
    assert!(comes_in(&old).await, "lifted");
    assert_eq!(root.delete(made.header("location")).await.refused(404), "revocation.not_found");
    assert_eq!(root.delete(&format!("{PATH}/x")).await.refused(404), "revocation.not_found");
    assert_eq!(root.get(PATH).await.body["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ban_is_for_tokens_to_come_too() {
    let town = Town::new().await;
    let root = town.gateway.bootstrap();
    let made = revoke(&root, &json!({"kind": "user", "issuer": "corp", "value": "ada", "ban": true})).await;
    assert_eq!((&made.body["ban"], &made.body["ends_at"]), (&json!(true), &Value::Null));
    let later = town.sign_in("ada", "s1", 30);
    assert!(!comes_in(&later).await);
    root.delete(made.header("location")).await;
    assert!(comes_in(&later).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_or_one_token_is_revoked_alone() {
    let town = Town::new().await;
    let root = town.gateway.bootstrap();
    let (first, second) = (town.sign_in("ada", "s1", -60), town.sign_in("ada", "s2", -60));
    revoke(&root, &json!({"kind": "session", "issuer": "corp", "value": "s1"})).await;
    assert!(!comes_in(&first).await && comes_in(&second).await);
    revoke(&root, &json!({"kind": "token", "issuer": "corp", "value": "ada-s2"})).await;
    assert!(!comes_in(&second).await && comes_in(&town.sign_in("ada", "s3", -60)).await);
    let kinds: Vec<_> =
        root.get(PATH).await.body["items"].as_array().unwrap().iter().map(|e| e["kind"].clone()).collect();
    assert_eq!(kinds, ["token", "session"], "newest first");
    let page = root.get(&format!("{PATH}?limit=1")).await.body;
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = root.get(&format!("{PATH}?limit=1&cursor={cursor}")).await.body;
    assert_eq!((&rest["items"][0]["kind"], &rest["next_cursor"]), (&json!("session"), &Value::Null));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_names_nothing_is_refused() {
    let town = Town::new().await;
    let root = town.gateway.bootstrap();
    for (entry, pointer) in [
        (json!({"kind": "user", "issuer": "crop", "value": "ada"}), "/issuer"),
        (json!({"kind": "session", "issuer": "corp", "value": "s", "ban": true}), "/ban"),
        (json!({"kind": "token", "issuer": "corp", "value": "j", "ban": true}), "/ban"),
        (json!({"kind": "group", "issuer": "corp", "value": "ada"}), "/kind"),
        (json!({"kind": "user", "issuer": "corp", "value": ""}), "/value"),
        (json!({"kind": "user", "issuer": "corp", "value": "a".repeat(256)}), "/value"),
        (json!({"kind": "user", "issuer": "corp", "value": "ada", "reason": "a".repeat(2001)}), "/reason"),
    ] {
        let refused = root.post(PATH, &entry).await;
        assert_eq!((refused.refused(422), refused.pointers()), ("request.invalid", vec![pointer]), "{entry}");
    }
    let refused = root.post(PATH, &json!({"kind": "user", "issuer": "crop", "value": "ada"})).await;
    assert!(refused.body["message"].as_str().unwrap().contains("corp"), "the known ones are named: {refused:?}");
    for entry in [
        json!({}),
        json!({"kind": "user", "issuer": "corp", "value": "a", "until": "x"}),
        json!({"kind": "user", "issuer": "corp"}),
    ] {
        assert_eq!(root.post(PATH, &entry).await.refused(400), "request.invalid", "{entry}");
    }
    assert_eq!(root.get(PATH).await.body["items"], json!([]), "nothing of it was entered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revocations_are_for_who_has_all_workspaces() {
    let town = Town::new().await;
    let reader = town.gateway.service("reader", &["admin:tokens:read"], &["*"]).await;
    let writer = town.gateway.service("writer", &["admin:tokens:write"], &["*"]).await;
    let local = town.gateway.service("local", &["admin:tokens:read", "admin:tokens:write"], &["demo"]).await;
    let entry = json!({"kind": "user", "issuer": "corp", "value": "ada"});
    assert_eq!(reader.get(PATH).await.status.as_u16(), 200);
    assert_eq!(reader.post(PATH, &entry).await.refused(403), "auth.missing_scope");
    let made = revoke(&writer, &entry).await;
    assert_eq!(writer.get(PATH).await.refused(403), "auth.missing_scope");
    assert_eq!(reader.delete(made.header("location")).await.refused(403), "auth.missing_scope");
    for refused in [local.get(PATH).await, local.post(PATH, &entry).await, local.delete(made.header("location")).await]
    {
        assert_eq!(refused.refused(403), "auth.workspace_forbidden");
    }
    assert_eq!(writer.delete(made.header("location")).await.status.as_u16(), 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_and_sockets_end_at_once() {
    let town = Town::new().await;
    let workflow = town.demo(&["ada", "bob"]).await;
    let (ada, bob) = (town.token("ada", "s1", -60), town.token("bob", "s2", -60));
    let reading = stream(&town.gateway.bearer(&ada), &workflow).await;
    let (listening, other) =
        (socket(&town.gateway, &ada, &workflow).await, socket(&town.gateway, &bob, &workflow).await);
    revoke(&town.gateway.bootstrap(), &json!({"kind": "session", "issuer": "corp", "value": "s1"})).await;
    let (read, (code, reason, listened)) = tokio::join!(until_its_end(reading), closed(listening));
    assert_eq!((code, reason.as_str()), (4401, "auth.token_revoked"));
    assert!(read < SOON && listened < SOON, "{read:?} {listened:?}");

    // A membership that is taken away is a right that is lost.
    let reading = stream(&town.gateway.bearer(&bob), &workflow).await;
    let left = town.gateway.bootstrap().delete("/api/workspaces/demo/members/corp:bob").await;
    assert_eq!(left.status.as_u16(), 204, "{left:?}");
    let (read, (code, reason, listened)) = tokio::join!(until_its_end(reading), closed(other));
    assert_eq!((code, reason.as_str()), (4403, "auth.workspace_forbidden"));
    assert!(read < SOON && listened < SOON, "{read:?} {listened:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_tells_who_revoked_and_who_lifted() {
    let town = Town::new().await;
    let root = town.gateway.bootstrap();
    let made = revoke(&root, &json!({"kind": "user", "issuer": "corp", "value": "ada"})).await;
    assert_eq!(root.delete(made.header("location")).await.status.as_u16(), 204);
    for action in ["revocation.create", "revocation.lift"] {
        let entry = async {
            loop {
                let found = root.get(&format!("/api/admin/audit-events?action={action}")).await;
                if let Some(entry) = found.body["items"].as_array().and_then(|items| items.first()) {
                    break entry.clone();
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let entry = tokio::time::timeout(PATIENCE, entry).await.expect("an entry in the chain");
        assert_eq!(
            (&entry["target"], &entry["identity"]["subject"]),
            (&made.body["id"], &json!("bootstrap")),
            "{entry}"
        );
    }
}
