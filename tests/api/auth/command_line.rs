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
    let mut made = None;
    for arguments in [
        vec!["revocation", "create", "user", "--issuer", "corp", &subject, "--reason", "left", "--ban", "--json"],
        vec![
            "revocation",
            "create",
            "--kind",
            "user",
            "--issuer",
            "corp",
            "--value",
            &subject,
            "--reason",
            "left",
            "--ban",
            "--json",
        ],
        vec!["revocation", "user", "corp", &subject, "--reason", "left", "--ban", "--json"],
        vec!["revocation", "create", "user", "corp", &subject, "--reason", "left", "--ban", "--json"],
    ] {
        let ran = call(&root, &arguments).await;
        if ran.code == 0 {
            made = Some(ran.json());
            break;
        }
    }
    let made = made.unwrap_or_else(|| panic!("no such form: {}", help.stdout));
    assert_eq!(ada.get("/api/whoami").await["code"], "auth.token_revoked");
    let listed = call(&root, &["revocation", "list", "--json"]).await.ok().json();
    assert!(listed.as_array().unwrap().iter().any(|item| item["id"] == made["id"]), "{listed}");
    let id = made["id"].as_str().unwrap();
    let lifted = call(&root, &["revocation", "lift", id]).await;
    let lifted = if lifted.code == 0 { lifted } else { call(&root, &["revocation", "delete", id]).await };
    lifted.ok();
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
    let help = run(&["authz", "why", "--help"], &variables).await.ok();
    let why = async |token: &str, operation: &str| -> Value {
        let mut said = String::new();
        for arguments in [
            vec!["authz", "why", operation, "--workspace", &world.id, "--token", token, "--json"],
            vec!["authz", "why", "--token", token, "--workspace", &world.id, "--json", operation],
        ] {
            let ran = run(&arguments, &variables).await;
            said = ran.said();
            if let Ok(told) = serde_json::from_str(&ran.stdout) {
                return told;
            }
        }
        panic!("{said}\n{}", help.stdout);
    };
    let told = why(made.str("secret"), "POST /api/workflows").await;
    assert!(told.to_string().contains("auth.missing_scope") && told.to_string().contains("workflows:write"), "{told}");
    let told = why(made.str("secret"), "GET /api/workflows").await;
    assert!(told.to_string().contains("true"), "{told}");
    let jwt =
        secret(&mint::claims("https://corp.test", "ada", &json!({"workspaces": [world.id], "scope": "jobs:work"})));
    let told = why(&jwt, "POST /api/jobs/activate").await;
    assert!(told.to_string().contains("true"), "{told}");
    let told = why(&jwt, "GET /api/workflows").await;
    assert!(told.to_string().contains("auth.missing_scope"), "{told}");
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
