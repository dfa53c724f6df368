//! The command line of authentication: tokens, members, revocations, `authz why`, `auth status`.

use serde_json::{Value, json};

use super::{
    mint::{self, SECRET, secret},
    setup::{BOOTSTRAP, call, gate_with, run, whoami},
};
use crate::api::{
    gate::{Caller, Gate, Shared},
    world::{World, unique},
};

fn config() -> String {
    format!(
        "[[auth.issuers]]\nname = \"corp\"\nkind = \"jwt\"\nissuers = [\"https://corp.test\"]\naudiences = [\"tidegate\"]\nsecret = \"{SECRET}\"\nmax_scopes = [\"*\"]\n"
    )
}

static SHARED: Shared = Shared::new();

fn town() -> Gate {
    SHARED.gate(|| gate_with(&config(), &[BOOTSTRAP]))
}

fn user(gate: &Gate, subject: &str) -> Caller {
    gate.caller(secret(&mint::claims("https://corp.test", subject, &json!({}))))
}

#[tokio::test]
async fn tokens_are_made_rotated_and_revoked() {
    let world = World::on(town()).await;
    let root = &world.root;
    let id = unique("cli");
    let arguments = [
        "token",
        "create",
        "--id",
        &id,
        "--workspace",
        &world.id,
        "--scope",
        "workflows:read",
        "--expires-in",
        "1h",
        "--json",
    ];
    let made = call(root, &arguments).await.ok().json();
    assert_eq!(
        (&made["identifier"], &made["scopes"], &made["workspace_ids"]),
        (&json!(id), &json!(["workflows:read"]), &json!([world.id]))
    );
    let token = world.gate.caller(made["secret"].as_str().unwrap());
    whoami(&token).await;
    let arguments =
        ["token", "rotate", &id, "--overlap", "0", "--add-scope", "jobs:work", "--expires-in", "2h", "--json"];
    let rotated = call(root, &arguments).await.ok().json();
    assert_eq!(rotated["scopes"], json!(["workflows:read", "jobs:work"]));
    assert_eq!(token.get("/api/whoami").await.status, 401, "the old secret has ended");
    let shown = call(root, &["token", "show", &id, "--json"]).await.ok();
    assert!(!shown.stdout.contains(rotated["secret"].as_str().unwrap()));
    call(root, &["token", "revoke", &id, "--reason", "leaked"]).await.ok();
    assert_eq!(call(root, &["token", "show", &id, "--json"]).await.ok().json()["revocation_reason"], "leaked");
    assert_eq!(call(root, &["token", "rotate", &id]).await.code, 6);
    assert_eq!(call(root, &["token", "show", "nobody-at-all"]).await.code, 5);
    assert_eq!(call(&world.gate.anonymous(), &["token", "list"]).await.code, 4);
}

#[tokio::test]
async fn members_are_seen_to() {
    let world = World::on(town()).await;
    let subject = unique("ada");
    let name = format!("corp:{subject}");
    call(&world.root, &["workspace", "member", "--help"]).await.ok();
    for verb in ["add", "set", "put"] {
        let ran = call(&world.root, &["workspace", "member", verb, &world.id, &name, "--role", "member"]).await;
        if ran.code == 0 {
            break;
        }
        assert_ne!(verb, "put", "no verb adds a member: {}", ran.said());
    }
    let listed = call(&world.root, &["workspace", "member", "list", &world.id, "--json"]).await.ok().json();
    assert!(
        listed.as_array().unwrap().iter().any(|item| item["user_id"] == name && item["role"] == "member"),
        "{listed}"
    );
    assert_eq!(whoami(&user(&world.gate, &subject)).await["workspace_ids"], json!([world.id]));
    call(&world.root, &["workspace", "member", "remove", &world.id, &name]).await.ok();
    assert_eq!(whoami(&user(&world.gate, &subject)).await["workspace_ids"], json!([]));
}

#[tokio::test]
async fn revocations_are_made_listed_and_lifted() {
    let gate = town();
    let (root, subject) = (gate.root(), unique("ada"));
    let ada = user(&gate, &subject);
    whoami(&ada).await;
    let help = call(&root, &["revocation", "--help"]).await.ok();
    assert!(help.stdout.contains("list"), "{}", help.stdout);
    let name = format!("corp:{subject}");
    let made =
        call(&root, &["revocation", "add", "--user", &name, "--ban", "--reason", "left", "--json"]).await.ok().json();
    assert_eq!(ada.get("/api/whoami").await["code"], "auth.token_revoked");
    let listed = call(&root, &["revocation", "list", "--json"]).await.ok().json();
    assert!(listed.as_array().unwrap().iter().any(|item| item["id"] == made["id"]), "{listed}");
    let id = made["id"].as_str().unwrap();
    call(&root, &["revocation", "lift", id]).await.ok();
    crate::api::gate::until("the end of the ban", || async {
        (ada.get("/api/whoami").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn authz_why_names_the_rule() {
    let world = World::on(town()).await;
    let made = world
        .root
        .post("/api/admin/service-tokens", json!({"scopes": ["workflows:read"], "workspace_ids": [world.id]}))
        .await
        .is(201);
    let file = super::setup::file(&config());
    let url = format!("sqlite://{}/data/tidegate.db", world.gate.folder().display());
    let variables =
        [("TIDEGATE_CONFIG", file.path().to_str().unwrap()), ("TIDEGATE_DATABASE__URL", url.as_str()), BOOTSTRAP];
    let why = async |token: &str, operation: &str| -> (i32, Value) {
        let mut variables = variables.to_vec();
        variables.push(("TIDEGATE_TOKEN", token));
        let ran = run(&["authz", "why", operation, "--workspace", &world.id, "--json"], &variables).await;
        assert!(!ran.said().contains(token), "{}", ran.said());
        (ran.code, ran.json())
    };
    let explained = |told: &(i32, Value)| {
        let explain = if told.1["explain"].is_null() { &told.1 } else { &told.1["explain"] };
        (told.0, explain["allowed"].clone(), explain["code"].clone())
    };
    let jwt =
        secret(&mint::claims("https://corp.test", "ada", &json!({"workspaces": [world.id], "scope": "jobs:work"})));
    for (token, operation, expected) in [
        (made.str("secret"), "POST /api/workflows", (4, json!(false), json!("auth.missing_scope"))),
        (made.str("secret"), "GET /api/workflows", (0, json!(true), Value::Null)),
        (&jwt, "POST /api/jobs/activate", (0, json!(true), Value::Null)),
        (&jwt, "GET /api/workflows", (4, json!(false), json!("auth.missing_scope"))),
    ] {
        let told = why(token, operation).await;
        assert_eq!(explained(&told), expected, "{operation}: {told:?}");
    }
    let described = ["authz", "why", "GET /api/workflows", "--workspace", &world.id, "--user", "corp:never-seen"];
    let ran = run(&described, &variables).await;
    assert_eq!(ran.code, 4, "{}", ran.said());
    assert!(ran.said().contains("auth.workspace_forbidden"), "{}", ran.said());
    let owner = user(&world.gate, &unique("owner"));
    let place = unique("w");
    owner.post("/api/workspaces", json!({"id": place})).await.is(201);
    let name = format!("corp:{}", whoami(&owner).await.str("subject"));
    run(&["authz", "why", "GET /api/workflows", "--workspace", &place, "--user", &name], &variables).await.ok();
}

#[tokio::test]
async fn auth_status_tells_what_i_am_here() {
    let world = World::on(town()).await;
    let reader = world.someone(&["workflows:read"]).await;
    let me = whoami(&reader).await;
    let ran = call(&reader, &["auth", "status"]).await.ok();
    assert!(
        ran.stdout.contains(me.str("subject"))
            && ran.stdout.contains("workflows:read")
            && ran.stdout.contains(&world.id),
        "{}",
        ran.said()
    );
    assert!(!ran.said().contains(reader.token.as_deref().unwrap()), "{}", ran.said());
    assert_eq!(call(&world.gate.anonymous(), &["auth", "status"]).await.code, 4);
    let nobody = run(&["auth", "status"], &[("TIDEGATE_URL", "http://127.0.0.1:1"), ("TIDEGATE_TOKEN", "x")]).await;
    assert_eq!(nobody.code, 3, "{}", nobody.said());
}
