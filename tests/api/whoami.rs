//! Who is calling: credentials, modes and the bootstrap token (authentication.md sections 1 to 4).

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::{
    gate::{Gate, ROOT},
    world::{World, mint, unique},
};

const BOOTSTRAP: (&str, &str) = ("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", ROOT);

#[tokio::test]
async fn the_bootstrap_token_may_do_everything_everywhere() {
    let me = Gate::shared().root().get("/api/whoami").await.is(200).body;
    assert_eq!(
        (&me["authenticated"], &me["kind"], &me["subject"]),
        (&json!(true), &json!("bootstrap"), &json!("bootstrap"))
    );
    assert_eq!((&me["all_workspaces"], &me["issuer"], &me["actor"]), (&json!(true), &Value::Null, &Value::Null));
    for scope in ["workflows:read", "jobs:work", "admin:tokens:write", "admin:workspaces:write", "admin:audit:read"] {
        assert!(me["scopes"].as_array().unwrap().contains(&json!(scope)), "{scope} in {me}");
    }
}

#[tokio::test]
async fn a_service_token_is_told_what_it_is() {
    let world = World::new().await;
    let identifier = unique("ci");
    let order = json!({"identifier": identifier, "scopes": ["workflows:read"], "workspace_ids": [world.id]});
    let secret = world.root.post("/api/admin/service-tokens", order).await.is(201).str("secret").to_owned();
    let me = world.gate.caller(secret).get("/api/whoami").await.is(200).body;
    let issued_at = me["issued_at"].clone();
    assert!(issued_at.as_str().unwrap().ends_with('Z'), "{me}");
    let workspace = &me["workspaces"][0];
    assert_eq!((&workspace["id"], &workspace["scopes"]), (&json!(world.id), &json!(["workflows:read"])));
    assert_eq!(me["workspaces"].as_array().unwrap().len(), 1);
    let mut rest = me.clone();
    rest.as_object_mut().unwrap().remove("workspaces");
    let expected = json!({"authenticated": true, "subject": identifier, "kind": "service", "scopes": ["workflows:read"],
        "all_workspaces": false, "workspace_ids": [world.id], "token_id": identifier, "issuer": null,
        "issued_at": issued_at, "expires_at": null, "username": null, "email": null, "actor": null});
    assert_eq!(rest, expected);
}

#[tokio::test]
async fn whoami_explains_what_would_be_refused() {
    let world = World::new().await;
    let reader = world.someone(&["workflows:read"]).await;
    let asked = format!("/api/whoami?explain=POST%20/api/workflows&workspace_id={}", world.id);
    let told = reader.get(&asked).await.is(200);
    assert_eq!(told["explain"]["allowed"], false);
    assert_eq!(told["explain"]["code"], "auth.missing_scope");
    let because = told["explain"]["because"].to_string();
    assert!(because.contains("workflows:read") && because.contains("workflows:write"), "{because}");
    let told = world.get(&asked).await.is(200);
    assert_eq!(told["explain"]["allowed"], true, "{}", told.text);
    let nowhere = reader.get("/api/whoami?explain=GET%20/api/nosuch").await.is(200);
    assert_eq!(
        (&nowhere["explain"]["allowed"], &nowhere["explain"]["code"]),
        (&json!(false), &json!("request.not_found"))
    );
    let making = mint(&world.root, &["admin:workspaces:write"], &[&world.id]).await;
    let told = making.get("/api/whoami?explain=POST%20/api/workspaces").await.is(200);
    assert_eq!(told["explain"]["code"], "auth.workspace_forbidden", "{}", told.text);
    let revoking = mint(&world.root, &["admin:tokens:read", "admin:tokens:write"], &[&world.id]).await;
    for operation in
        ["GET%20/api/admin/revocations", "POST%20/api/admin/revocations", "DELETE%20/api/admin/revocations/x"]
    {
        let told = revoking.get(&format!("/api/whoami?explain={operation}")).await.is(200);
        assert_eq!(told["explain"]["code"], "auth.workspace_forbidden", "{}", told.text);
        assert_eq!(world.root.get(&format!("/api/whoami?explain={operation}")).await["explain"]["allowed"], true);
    }
    revoking.get("/api/admin/revocations").await.problem(403, "auth.workspace_forbidden");
    reader.get("/api/whoami?explain=nonsense").await.problem(400, "request.invalid");
    assert!(reader.get("/api/whoami").await.is(200)["explain"].is_null());
    let elsewhere = "/api/whoami?explain=GET%20/api/workflows&workspace_id=elsewhere";
    let told = reader.get(elsewhere).await;
    if told.status == 200 {
        assert_eq!(told["explain"]["code"], "auth.workspace_forbidden", "{}", told.text);
    } else {
        told.problem(403, "auth.workspace_forbidden");
    }
}

#[tokio::test]
async fn without_a_bearer_token_nobody_is_known() {
    let stranger = Gate::shared().anonymous();
    let challenged = stranger.get("/api/whoami").await;
    challenged.problem(401, "auth.missing_token");
    assert_eq!(challenged["message"], "Missing bearer token");
    assert!(!challenged.header("www-authenticate").contains("error"), "{:?}", challenged.headers);
    for header in ["Basic YTpi", "Bearer", "Bearer ", ""] {
        stranger.get("/api/whoami").header("Authorization", header).await.problem(401, "auth.missing_token");
    }
}

#[tokio::test]
async fn the_scheme_is_read_in_any_case() {
    for scheme in ["bearer", "BEARER", "bEaReR"] {
        let header = format!("{scheme} {ROOT}");
        Gate::shared().anonymous().get("/api/whoami").header("Authorization", &header).await.is(200);
    }
}

#[tokio::test]
async fn a_malformed_header_is_an_invalid_token() {
    let stranger = Gate::shared().anonymous();
    let long = format!("Bearer {}", "a".repeat(17_000));
    let checksum = format!("Bearer tgs_{}", "0".repeat(49));
    let two_words = format!("Bearer {ROOT} {ROOT}");
    let tab = format!("Bearer \t{ROOT}");
    let comma = format!("Bearer {ROOT},{ROOT}");
    for header in [&long, &checksum, &two_words, &tab, &comma, "Bearer nonsense", "Bearer tgs_", "Bearer ä"] {
        let refused = stranger.get("/api/whoami").header("Authorization", header).await;
        refused.problem(401, "auth.invalid_token");
        assert!(refused.header("www-authenticate").contains("error=\"invalid_token\""), "{:?}", refused.headers);
        assert!(!refused.text.contains(ROOT), "{}", refused.text);
    }
    let root = format!("Bearer {ROOT}");
    let spaces = format!("Bearer   {ROOT}");
    stranger.get("/api/whoami").header("Authorization", &spaces).await.is(200);
    let twice = stranger.get("/api/whoami").header("Authorization", &root).header("Authorization", &root).await;
    twice.problem(401, "auth.invalid_token");
}

#[tokio::test]
async fn a_jwt_of_an_unknown_issuer_is_refused() {
    // What it is signed with is said before who made it. {"alg":"none"}, {"alg":"HS256"}
    for (header, code) in
        [("eyJhbGciOiJub25lIn0", "auth.unsupported_algorithm"), ("eyJhbGciOiJIUzI1NiJ9", "auth.invalid_issuer")]
    {
        // {"iss":"https://evil.example","sub":"root"} . (nothing)
        let token = format!("{header}.eyJpc3MiOiJodHRwczovL2V2aWwuZXhhbXBsZSIsInN1YiI6InJvb3QifQ.");
        Gate::shared().caller(token).get("/api/whoami").await.problem(401, code);
    }
}

#[tokio::test]
async fn too_few_scopes_are_named() {
    let world = World::new().await;
    let reader = world.someone(&["workflows:read"]).await;
    let refused = reader.post("/api/workflows", json!({"workspace_id": world.id, "name": "x"})).await;
    refused.problem(403, "auth.missing_scope");
    assert_eq!(refused["message"], "Missing required scopes: workflows:write");
    assert_eq!(refused["title"], "Forbidden");
    assert_eq!(refused["instance"], "/api/workflows");
}

#[tokio::test]
async fn required_without_a_credential_lets_nobody_in() {
    let gate = Gate::with(&[("TIDEGATE_AUTH__MODE", "required")]);
    gate.anonymous().get("/api/whoami").await.problem(401, "auth.missing_token");
    gate.caller(ROOT).get("/api/whoami").await.problem(401, "auth.invalid_token");
    assert!(!gate.folder().join("data/first-token").exists());
    let log = std::fs::read_to_string(gate.folder().join("log")).unwrap();
    assert!(log.contains("nobody can come in"), "{log}");
}

#[tokio::test]
async fn the_first_start_leaves_its_first_token() {
    let gate = Gate::with(&[]);
    // It listens before, and answers after.
    gate.anonymous().get("/api/whoami").await.problem(401, "auth.missing_token");
    let path = gate.folder().join("data/first-token");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let token = std::fs::read_to_string(&path).unwrap();
    let log = std::fs::read_to_string(gate.folder().join("log")).unwrap();
    assert!(!log.contains(token.trim()), "the log holds the token");
    assert!(log.contains("first-token"), "the log names the file:\n{log}");
    let first = gate.caller(token.trim());
    let me = first.get("/api/whoami").await.is(200).body;
    assert_eq!(
        (&me["token_id"], &me["all_workspaces"], &me["kind"]),
        (&json!("first"), &json!(true), &json!("service"))
    );
    first.post("/api/workspaces", json!({"id": "demo"})).await.is(201);
    // A revoked token counts: the gate stays shut.
    first.delete("/api/admin/service-tokens/first").await.is(204);
    first.get("/api/whoami").await.problem(401, "auth.token_revoked");
    gate.anonymous().get("/api/workspaces").await.problem(401, "auth.missing_token");
}

#[tokio::test]
async fn optional_without_credentials_lets_anyone_do_all_but_administer() {
    let gate = Gate::with(&[("TIDEGATE_AUTH__MODE", "optional")]);
    let anyone = gate.anonymous();
    let me = anyone.get("/api/whoami").await.is(200).body;
    assert_eq!((&me["authenticated"], &me["kind"]), (&json!(false), &json!("anonymous")));
    anyone.get("/api/workflows").await.is(200);
    anyone.get("/api/admin/service-tokens").await.problem(401, "auth.missing_token");
    gate.caller("nonsense").get("/api/whoami").await.problem(401, "auth.invalid_token");
}

#[tokio::test]
async fn optional_with_credentials_gives_the_anonymous_what_the_config_says() {
    let gate = Gate::with(&[
        BOOTSTRAP,
        ("TIDEGATE_AUTH__MODE", "optional"),
        ("TIDEGATE_AUTH__ANONYMOUS_SCOPES", "workflows:read"),
        ("TIDEGATE_AUTH__ANONYMOUS_WORKSPACES", "public"),
    ]);
    let (root, anyone) = (gate.root(), gate.anonymous());
    for id in ["public", "private"] {
        root.post("/api/workspaces", json!({"id": id})).await.is(201);
        root.post("/api/workflows", json!({"workspace_id": id, "name": "w"})).await.is(201);
    }
    let seen = anyone.get("/api/workflows").await.is(200);
    assert_eq!(seen.items().len(), 1, "{}", seen.text);
    assert_eq!(seen.items()[0]["workspace_id"], "public");
    let made = anyone.post("/api/workflows", json!({"workspace_id": "public", "name": "x"})).await;
    made.problem(401, "auth.missing_token");
    anyone.get("/api/workflows?workspace_id=private").await.problem(401, "auth.missing_token");
}

#[tokio::test]
async fn optional_with_credentials_gives_the_anonymous_nothing_by_default() {
    let gate = Gate::with(&[BOOTSTRAP, ("TIDEGATE_AUTH__MODE", "optional")]);
    gate.anonymous().get("/api/workflows").await.problem(401, "auth.missing_token");
    assert!(gate.anonymous().get("/api/workspaces").await.is(200).items().is_empty());
}

#[tokio::test]
async fn disabled_looks_at_no_token_and_at_no_foreign_host() {
    let gate = Gate::with(&[("TIDEGATE_AUTH__MODE", "disabled")]);
    let anyone = gate.caller("nonsense");
    let me = anyone.get("/api/whoami").await.is(200).body;
    assert_eq!((&me["authenticated"], &me["kind"]), (&json!(false), &json!("anonymous")));
    anyone.post("/api/workspaces", json!({"id": "demo"})).await.is(201);
    anyone.get("/api/admin/service-tokens").await.is(200);
    let foreign = anyone.get("/api/whoami").header("Host", "rebound.example").await;
    assert!((400..500).contains(&foreign.status), "{}", foreign.text);
    foreign.complete_problem();
    anyone.get("/api/whoami").header("Host", &format!("localhost:{}", gate.port())).await.is(200);
}

#[tokio::test]
async fn the_bootstrap_token_can_be_bounded() {
    let gate = Gate::with(&[BOOTSTRAP, ("TIDEGATE_AUTH__BOOTSTRAP_TOKEN_SCOPES", "workflows:read,admin:tokens:write")]);
    let me = gate.root().get("/api/whoami").await.is(200).body;
    assert_eq!(me["scopes"], json!(["workflows:read", "admin:tokens:write"]));
    gate.root().post("/api/workspaces", json!({"id": "demo"})).await.problem(403, "auth.missing_scope");
    let wider = json!({"scopes": ["workflows:write"], "all_workspaces": true});
    gate.root().post("/api/admin/service-tokens", wider).await.problem(403, "auth.missing_scope");
}

#[tokio::test]
async fn an_expired_bootstrap_token_says_so() {
    let gate = Gate::with(&[BOOTSTRAP, ("TIDEGATE_AUTH__BOOTSTRAP_TOKEN_EXPIRES_AT", "2001-02-03T04:05:06Z")]);
    gate.root().get("/api/whoami").await.problem(401, "auth.token_expired");
}

#[tokio::test]
async fn anyone_known_may_list_their_workspaces() {
    let world = World::new().await;
    let nobody = mint(&world.root, &[], &[&world.id]).await;
    let seen = nobody.get("/api/workspaces").await.is(200);
    assert_eq!(seen.items().len(), 1, "{}", seen.text);
    assert_eq!(seen.items()[0]["id"], json!(world.id));
    nobody.get(&format!("/api/workspaces/{}", world.id)).await.is(200);
    nobody.get("/api/workflows").await.problem(403, "auth.missing_scope");
}
