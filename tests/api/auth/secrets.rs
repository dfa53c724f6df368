//! Secrets never leave: not in the log, the database, the config's check, or any answer but the one that shows them.

use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD};
use josekit::jwk::{KeyPair, alg::ec::EcCurve, alg::ec::EcKeyPair};
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use super::{
    mint::{self, SECRET, hmac, secret},
    setup::{BOOTSTRAP, call, check, file, gate_with, log, run, whoami},
};
use crate::{
    api::{
        gate::{Caller, Gate, ROOT, until},
        models::{linear, service},
        socket::Socket,
        stream::Stream,
        world::World,
    },
    support::{
        postgres::TestDatabase,
        redis::PrivateRedis,
        scripted::{Reply, Scripted},
    },
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
        } else if let Ok(bytes) = std::fs::read(&path) {
            // A journal may be gone by now.
            found.push((path.display().to_string(), bytes));
        }
    }
}

/// What nobody but whoever was given it may come to see.
struct Secrets(Vec<String>);

impl Secrets {
    fn add(&mut self, secret: impl Into<String>) {
        self.0.push(secret.into());
    }

    /// A token: of a JWT the signature is enough, since the rest is no secret.
    fn add_token(&mut self, token: &str) {
        self.add(token.rsplit('.').next().unwrap());
    }

    #[track_caller]
    fn are_not_in(&self, what: &str, bytes: &[u8]) {
        for secret in &self.0 {
            let there = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!there, "{what} holds {secret}: {}", String::from_utf8_lossy(bytes));
        }
    }

    /// Looks through everything that the gate has written so far: its log, and the database with its journals.
    #[track_caller]
    fn are_not_in_files_of(&self, gate: &Gate) {
        let mut found = Vec::new();
        files(gate.folder(), &mut found);
        assert!(found.iter().any(|(name, _)| name.ends_with("log")));
        for (name, bytes) in found {
            for secret in &self.0 {
                let there = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!there, "{name} holds {secret}");
            }
        }
    }
}

#[tokio::test]
async fn no_secret_is_written_down_anywhere() {
    let sessions = format!("log_level = \"trace\"\n[sessions]\nkey = \"{SESSION_KEY}\"\n");
    nothing_is_written_down(&sessions, vec![SESSION_KEY.to_owned()]).await;
}

#[tokio::test]
async fn no_private_key_is_written_down_anywhere_nor_in_a_log_of_json() {
    let pair = EcKeyPair::generate(EcCurve::P256).unwrap();
    let pem = String::from_utf8(pair.to_pem_private_key()).unwrap();
    let mut parts: Vec<String> = pem.lines().filter(|line| !line.starts_with("---")).map(ToOwned::to_owned).collect();
    parts.push(pair.to_jwk_private_key().parameter("d").and_then(Value::as_str).unwrap().to_owned());
    let sessions = format!(
        "log_level = \"trace\"\nlog_format = \"json\"\n[sessions]\nalgorithm = \"ES256\"\nkey = '''\n{pem}'''\n"
    );
    nothing_is_written_down(&sessions, parts).await;
}

async fn nothing_is_written_down(telemetry_and_sessions: &str, more: Vec<String>) {
    let answer = json!({"active": true, "sub": "ada", "aud": "tidegate", "exp": mint::now() + 200, "iat": mint::now()});
    let (peer, key) = (Scripted::start(Reply::json(&answer)).await, mint::Key::new("RS256", "k1"));
    let workos = Scripted::start(Reply::json(&mint::set(&[&key]))).await;
    let config = format!(
        "[telemetry]\n{telemetry_and_sessions}[audit]\nkey = \"{AUDIT_KEY}\"\n\
         [[auth.issuers]]\nname = \"corp\"\nkind = \"jwt\"\nissuers = [\"https://corp.test\"]\naudiences = [\"tidegate\"]\nsecret = \"{SECRET}\"\n\
         [[auth.issuers]]\nname = \"opaque\"\nkind = \"introspection\"\nprefix = \"opaque-\"\naudiences = [\"tidegate\"]\n\
         introspection_url = \"{0}\"\nclient_id = \"us\"\nclient_secret = \"{CLIENT_SECRET}\"\n\
         [[auth.issuers]]\nname = \"workos\"\nkind = \"workos\"\nclient_id = \"client_1\"\njwks_url = \"{1}\"\nallow_http = true\n\
         issuers = [\"https://workos.test\"]\napi_key = \"{API_KEY}\"\nwebhook_secret = \"{HOOK}\"\n",
        peer.url("/introspect"),
        workos.url("/jwks")
    );
    let gate = gate_with(&config, &[BOOTSTRAP]);
    let world = World::on(gate.clone()).await;
    let workflow = world.deploy(&linear("p", &[&service("work")])).await;
    let mut secrets = Secrets(more);
    for known in [SECRET, AUDIT_KEY, CLIENT_SECRET, API_KEY, HOOK, ROOT] {
        secrets.add(known);
    }
    // As it goes to the introspection endpoint.
    secrets.add(STANDARD.encode(format!("us:{CLIENT_SECRET}")));

    // A token's life, with its secrets.
    let scopes = ["workflows:read", "chatkit:session", "admin:tokens:read"];
    let order = json!({"identifier": "mine", "scopes": scopes, "workspace_ids": [world.id]});
    let made = world.root.post("/api/admin/service-tokens", order.clone()).key("a-key-1").await.is(201);
    secrets.add(made.str("secret"));
    secrets.add(world.token.clone().unwrap());
    let again = world.root.post("/api/admin/service-tokens", order).key("a-key-1").await;
    secrets.are_not_in("a repeat", again.problem(409, "idempotency.not_replayable").to_string().as_bytes());
    whoami(&gate.caller(made.str("secret"))).await;
    let rotated = world.root.post("/api/admin/service-tokens/mine/rotate", json!({})).key("a-key-2").await.is(200);
    secrets.add(rotated.str("secret"));
    whoami(&gate.caller(made.str("secret"))).await;
    let mine = gate.caller(rotated.str("secret"));
    let session = mine.post("/api/chatkit/session", json!({})).await.is(200);
    secrets.add_token(session.str("client_secret"));
    whoami(&gate.caller(session.str("client_secret"))).await;
    for path in ["/api/admin/service-tokens/mine", "/api/admin/service-tokens", "/api/admin/audit-events"] {
        secrets.are_not_in(path, world.root.get(path).await.is(200).text.as_bytes());
    }
    the_command_line_shows_none(&mine, &config, &secrets).await;

    // Good and bad tokens of all kinds, in all places.
    let rights = json!({"workspaces": [world.id], "scope": "workflows:read"});
    let claims = |issuer: &str, more: &Value| mint::claims(issuer, "ada", more);
    let good = secret(&claims("https://corp.test", &rights));
    let expired = secret(&claims("https://corp.test", &json!({"exp": 1})));
    let stranger = secret(&claims("https://nobody.test", &json!({})));
    let of_workos = key.token(&claims("https://workos.test", &json!({"aud": "client_1"})));
    let forged = key.token_with(&json!({"kid": "unknown"}), &claims("https://workos.test", &json!({})));
    let opaque = "opaque-token-of-the-secrets-test-0123456789".to_owned();
    let nonsense = "nonsense-token-of-the-secrets-test-0123456789".to_owned();
    let (unknown, session) = (format!("tgs_{}", "7".repeat(49)), session.str("client_secret").to_owned());
    let tokens = [&good, &expired, &stranger, &of_workos, &forged, &opaque, &nonsense, &unknown, &session];
    for token in tokens {
        secrets.add_token(token);
    }
    for token in tokens {
        in_all_places(&gate, &workflow, token, &secrets).await;
    }
    assert_eq!(gate.caller(&good).get("/api/whoami").await.status, 200);
    assert_eq!(gate.caller(&of_workos).get("/api/whoami").await.status, 200);
    let mut socket = Socket::open(&gate.caller(&good), &format!("/ws/workflow/{workflow}")).await;
    socket.ready().await;
    for token in [&good, &expired] {
        socket.say(json!({"type": "auth", "token": token})).await;
    }
    assert_eq!(socket.closed().await.0, 4401);
    drop(Stream::open(gate.caller(&good).get(&format!("/api/workflows/{workflow}/events"))).await);
    for key in [HOOK, "another"] {
        let stamp = (mint::now() * 1_000).to_string();
        let event = json!({"id": "event_1", "event": "session.revoked", "data": {"id": "s"}}).to_string();
        let sign = hmac(key.as_bytes(), format!("{stamp}.{event}").as_bytes());
        let header = format!("t={stamp}, v1={}", data_encoding::HEXLOWER.encode(&sign));
        let heard = gate.anonymous().ask(Method::POST, "/auth/workos/events").raw(event);
        let heard = heard.header("WorkOS-Signature", &header).await;
        secrets.are_not_in("an event's answer", heard.text.as_bytes());
    }
    until("the peers", || async { (peer.count() > 0 && workos.count() > 1).then_some(()) }).await;

    assert!(log(&gate).contains("whoami"), "the log is on");
    secrets.are_not_in_files_of(&gate);
    gate.stop();
    assert_eq!(gate.ended(), Some(0));
    secrets.are_not_in_files_of(&gate);
}

/// Whatever the command line says of a gate, and of its database and config.
async fn the_command_line_shows_none(caller: &Caller, config: &str, secrets: &Secrets) {
    for arguments in [
        &["whoami"][..],
        &["whoami", "--json"],
        &["auth", "status"],
        &["token", "list", "--json"],
        &["token", "show", "mine"],
        &["audit", "list"],
    ] {
        let said = call(caller, arguments).await.said();
        assert!(!said.is_empty(), "{arguments:?}");
        secrets.are_not_in(&format!("{arguments:?}"), said.as_bytes());
    }
    secrets.are_not_in("config check", check(config, &[BOOTSTRAP]).await.ok().said().as_bytes());
    let (file, token) = (file(config), caller.token.as_deref().unwrap());
    let url = format!("sqlite://{}/data/tidegate.db", caller.gate.folder().display());
    let variables = [
        ("TIDEGATE_CONFIG", file.path().to_str().unwrap()),
        ("TIDEGATE_DATABASE__URL", url.as_str()),
        ("TIDEGATE_TOKEN", token),
        BOOTSTRAP,
    ];
    for arguments in [
        &["authz", "why", "GET /api/workflows"][..],
        &["config", "check", "--json", "--online"],
        &["audit", "verify"],
        &["audit", "export"],
    ] {
        let said = run(arguments, &variables).await.said();
        assert!(!said.is_empty(), "{arguments:?}");
        secrets.are_not_in(&format!("{arguments:?}"), said.as_bytes());
    }
}

/// Shows a token wherever one may be shown, and where none may.
async fn in_all_places(gate: &Gate, workflow: &str, token: &str, secrets: &Secrets) {
    let events = format!("/api/workflows/{workflow}/events");
    let (caller, nobody) = (gate.caller(token), gate.anonymous());
    let asked = [
        caller.get("/api/whoami"),
        caller.get("/api/nowhere"),
        caller.get(&format!("/api/whoami?token={token}")),
        caller.post("/api/workflows", json!({"token": token})),
        caller.get("/api/whoami").header("Authorization", &format!("Bearer {token}")),
        nobody.get("/api/whoami").header("Authorization", &format!("Bearer  {token}")),
        nobody.get("/api/whoami").header("Authorization", &format!("Token {token}")),
        nobody.get(&format!("{events}?limit=1&token={token}")),
        nobody
            .get(&format!("{events}?token={token}"))
            .header("Accept", "text/event-stream")
            .header("Last-Event-ID", "x"),
        nobody.get(&format!("/api/workflows?access_token={token}")),
        nobody.get(&format!("/ws/workflow/{workflow}?token={token}")),
    ];
    for ask in asked {
        let answer = ask.await;
        secrets.are_not_in(&answer.path.replace(token, "…"), answer.text.as_bytes());
        let headers = format!("{:?}", answer.headers);
        secrets.are_not_in("headers", headers.as_bytes());
    }
    let path = format!("/ws/workflow/{workflow}");
    let _ = Socket::with(gate, &format!("{path}?token={token}"), &[]).await.next().await;
    for offer in [format!("tidegate.v1, bearer.{token}"), format!("bearer.{token}, tidegate.v1, bearer.{token}")] {
        let mut socket = Socket::with(gate, &path, &[("sec-websocket-protocol", &offer)]).await;
        assert_eq!(socket.protocol.as_deref(), Some("tidegate.v1"));
        let _ = socket.next().await;
    }
}

#[tokio::test]
async fn no_password_of_a_database_is_written_down() {
    let (database, mut redis) = (TestDatabase::fresh().await, PrivateRedis::start().await);
    let (mut url, redis_url) = (Url::parse(&database.url()).unwrap(), redis.url());
    let mut secrets = Secrets(Vec::new());
    secrets.add(url.password().unwrap());
    secrets.add(Url::parse(&redis_url).unwrap().password().unwrap());
    let database_url = url.to_string();
    let variables = [
        BOOTSTRAP,
        ("TIDEGATE_DATABASE__URL", database_url.as_str()),
        ("TIDEGATE_TELEMETRY__LOG_LEVEL", "trace"),
        ("TIDEGATE_AUTH__RATE_LIMIT__KIND", "redis"),
        ("TIDEGATE_AUTH__RATE_LIMIT__REDIS_URL", &redis_url),
        ("TIDEGATE_AUTH__RATE_LIMIT__IP", "1000"),
    ];
    let gate = gate_with("", &variables);
    for _ in 0..2 {
        assert_eq!(gate.caller("nonsense").get("/api/whoami").await.status, 401);
        whoami(&gate.root()).await;
        redis.stop();
    }
    gate.stop();
    assert_eq!(gate.ended(), Some(0));
    secrets.are_not_in_files_of(&gate);
    let checked = check("", &variables).await.ok();
    secrets.are_not_in("config check", checked.said().as_bytes());
    // A start that fails names no more.
    url.set_port(Some(1)).unwrap();
    let failed = run(&["audit", "verify"], &[("TIDEGATE_DATABASE__URL", url.as_str())]).await;
    assert_ne!(failed.code, 0);
    secrets.are_not_in("a failure", failed.said().as_bytes());
}
