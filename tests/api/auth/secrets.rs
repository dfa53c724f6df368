//! Secrets never leave: not in the log, the database, the config's check, or any answer but the one that shows them.

use std::path::Path;

use serde_json::json;

use super::{
    mint::{self, SECRET, secret},
    setup::{BOOTSTRAP, check, gate_with, log, whoami},
};
use crate::{
    api::{
        gate::{ROOT, until},
        models::{linear, service},
        socket::Socket,
        stream::Stream,
        world::World,
    },
    support::scripted::{Reply, Scripted},
};

const SESSION_KEY: &str = "session-key-of-the-secrets-test-0123456789";
const AUDIT_KEY: &str = "audit-key-of-the-secrets-test-0123456789ab";
const CLIENT_SECRET: &str = "client-secret-of-the-secrets-test-0123456789";
const API_KEY: &str = "sk_test_secrets_test_0123456789";
const HOOK: &str = "whsec-of-the-secrets-test-0123456789";

fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}

#[tokio::test]
async fn no_secret_is_written_down_anywhere() {
    let answer = json!({"active": true, "sub": "ada", "aud": "tidegate", "exp": mint::now() + 200, "iat": mint::now()});
    let peer = Scripted::start(Reply::json(&answer)).await;
    let config = format!(
        "[telemetry]\nlog_level = \"trace\"\n[sessions]\nkey = \"{SESSION_KEY}\"\n[audit]\nkey = \"{AUDIT_KEY}\"\n\
         [[auth.issuers]]\nname = \"corp\"\nkind = \"jwt\"\nissuers = [\"https://corp.test\"]\naudiences = [\"tidegate\"]\nsecret = \"{SECRET}\"\n\
         [[auth.issuers]]\nname = \"opaque\"\nkind = \"introspection\"\nprefix = \"opaque-\"\naudiences = [\"tidegate\"]\n\
         introspection_url = \"{0}\"\nclient_id = \"us\"\nclient_secret = \"{CLIENT_SECRET}\"\n\
         [[auth.issuers]]\nname = \"workos\"\nkind = \"workos\"\nclient_id = \"client_1\"\njwks_url = \"{1}\"\nallow_http = true\n\
         api_key = \"{API_KEY}\"\nwebhook_secret = \"{HOOK}\"\n",
        peer.url("/introspect"),
        peer.url("/jwks")
    );
    let gate = gate_with(&config, &[BOOTSTRAP]);
    let world = World::on(gate.clone()).await;
    let workflow = world.deploy(&linear("p", &[&service("work")])).await;
    let mut secrets: Vec<String> =
        [SECRET, SESSION_KEY, AUDIT_KEY, CLIENT_SECRET, API_KEY, HOOK, ROOT].map(ToOwned::to_owned).into();
    let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();

    // A token's life, with its secrets.
    let order =
        json!({"identifier": "mine", "scopes": ["workflows:read", "chatkit:session"], "workspace_ids": [world.id]});
    let made = world.root.post("/api/admin/service-tokens", order).key("a-key-1").await.is(201);
    secrets.push(made.str("secret").to_owned());
    whoami(&gate.caller(made.str("secret"))).await;
    let rotated = world.root.post("/api/admin/service-tokens/mine/rotate", json!({})).key("a-key-2").await.is(200);
    secrets.push(rotated.str("secret").to_owned());
    let session = gate.caller(rotated.str("secret")).post("/api/chatkit/session", json!({})).await;
    secrets.push(signature(session.str("client_secret")));
    whoami(&gate.caller(session.str("client_secret"))).await;
    for path in ["/api/admin/service-tokens/mine", "/api/admin/service-tokens", "/api/admin/audit-events"] {
        let shown = world.root.get(path).await.is(200);
        assert!(!secrets.iter().any(|secret| shown.text.contains(secret)), "{path}: {}", shown.text);
    }

    // Good and bad tokens of all kinds, in all places.
    let more = json!({"workspaces": [world.id], "scope": "workflows:read"});
    let good = secret(&mint::claims("https://corp.test", "ada", &more));
    let expired = secret(&mint::claims("https://corp.test", "ada", &json!({"exp": 1})));
    let stranger = secret(&mint::claims("https://nobody.test", "ada", &json!({})));
    let opaque = "opaque-token-of-the-secrets-test-0123456789".to_owned();
    let nonsense = "nonsense-token-of-the-secrets-test-0123456789".to_owned();
    for token in [&good, &expired, &stranger, &opaque, &nonsense] {
        let answer = gate.caller(token).get("/api/whoami").await;
        assert!(!answer.text.contains(token) && !answer.text.contains(&signature(token)), "{}", answer.text);
        let path = format!("/api/workflows/{workflow}/events?limit=1&token={token}");
        let answer = gate.anonymous().get(&path).await;
        assert!(!answer.text.contains(token), "{}", answer.text);
        gate.anonymous().get(&format!("/api/workflows?access_token={token}")).await.complete_problem();
        let _ = Socket::with(&gate, &format!("/ws/workflow/{workflow}?token={token}"), &[]).await.next().await;
        let offer = format!("tidegate.v1, bearer.{token}");
        let _ = Socket::with(&gate, &format!("/ws/workflow/{workflow}"), &[("sec-websocket-protocol", &offer)])
            .await
            .next()
            .await;
    }
    let mut socket = Socket::open(&gate.caller(&good), &format!("/ws/workflow/{workflow}")).await;
    socket.ready().await;
    socket.say(json!({"type": "auth", "token": good})).await;
    drop(Stream::open(gate.caller(&good).get(&format!("/api/workflows/{workflow}/events"))).await);
    assert!(log(&gate).contains("whoami"), "the log is on");
    secrets.extend([&good, &expired, &stranger, &opaque, &nonsense].map(|token| signature(token)));
    until("the introspection", || async { (peer.count() > 0).then_some(()) }).await;

    let checked = check(&config, &[BOOTSTRAP]).await.ok();
    for secret in &secrets {
        assert!(!checked.said().contains(secret), "the check shows {secret}");
    }
    gate.stop();
    assert_eq!(gate.ended(), Some(0));
    let mut found = Vec::new();
    files(gate.folder(), &mut found);
    assert!(
        found.iter().any(|(name, _)| name.contains("tidegate.db"))
            && found.iter().any(|(name, _)| name.ends_with("log"))
    );
    for (name, bytes) in found {
        for secret in &secrets {
            let there = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!there, "{name} holds {secret}");
        }
    }
}
