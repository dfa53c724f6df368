//! The audit: what is entered, who reads it, and the commands that verify and export it (authentication.md section 9).

use std::{
    process::{Command, Output},
    time::Instant,
};

use serde_json::{Value, json};

use super::{
    gate::{Caller, DEADLINE, Gate, ROOT},
    world::{World, mint, unique},
};

const AUDIT: &str = "/api/admin/audit-events";

/// The entries that fit, once there are so many.
async fn entries(by: &Caller, query: &str, least: usize) -> Vec<Value> {
    let end = Instant::now() + DEADLINE;
    loop {
        let found = by.all(&format!("{AUDIT}?{query}")).await;
        if found.len() >= least {
            return found;
        }
        assert!(Instant::now() < end, "{query}: {found:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_life_of_a_token_is_entered_with_who_and_where_from() {
    let world = World::new().await;
    let name = unique("audited");
    let order = json!({"identifier": name, "scopes": [], "workspace_ids": [world.id]});
    let made = world.root.post("/api/admin/service-tokens", order).await.is(201);
    let path = format!("/api/admin/service-tokens/{name}");
    let rotate = world.root.post(&format!("{path}/rotate"), json!({})).header("X-Request-Id", "my-own-id");
    rotate.await.is(200);
    world.root.delete(&path).await.is(204);
    let query = format!("workspace_id={}", world.id);
    let found = entries(&world.root, &query, 5).await;
    let said: Vec<_> = found.iter().filter(|e| e["target"] == name).map(|e| e["action"].as_str().unwrap()).collect();
    assert_eq!(said, ["service_token.revoke", "service_token.rotate", "service_token.mint"], "newest first");
    let rotated = found.iter().find(|entry| entry["action"] == "service_token.rotate").unwrap();
    let identity = json!({"kind": "bootstrap", "issuer": null, "subject": "bootstrap"});
    assert_eq!(rotated["identity"], identity);
    assert_eq!((&rotated["outcome"], &rotated["ip"]), (&json!("allowed"), &json!("127.0.0.1")));
    assert_eq!((&rotated["request_id"], &rotated["workspace_id"]), (&json!("my-own-id"), &json!(world.id)));
    assert_eq!(rotated["hash"].as_str().unwrap().len(), 64);
    assert!(!found.iter().any(|entry| entry.to_string().contains(made.str("secret"))), "no secret");
    assert!(found.iter().any(|entry| entry["action"] == "workspace.create" && entry["target"] == world.id));
}

#[tokio::test]
async fn a_refusal_is_entered_with_its_code_and_operation() {
    let world = World::new().await;
    let narrow = world.someone(&["workflows:read"]).await;
    let whoami = narrow.get("/api/whoami").await.is(200);
    let name = whoami.str("subject");
    narrow
        .post("/api/workflows", json!({"workspace_id": world.id, "name": "x"}))
        .await
        .problem(403, "auth.missing_scope");
    let elsewhere = world.someone(&["workflows:write"]).await;
    let other = elsewhere.get("/api/whoami").await.is(200);
    let order = json!({"workspace_id": "nobodys", "name": "x"});
    elsewhere.post("/api/workflows", order).await.problem(403, "auth.workspace_forbidden");
    for (subject, code) in [(name, "auth.missing_scope"), (other.str("subject"), "auth.workspace_forbidden")] {
        let found = entries(&world.root, &format!("subject={subject}&outcome=refused"), 1).await;
        assert_eq!((&found[0]["action"], &found[0]["code"]), (&json!("auth.refusal"), &json!(code)));
        assert_eq!((&found[0]["target"], &found[0]["count"]), (&json!("create_workflow"), &json!(1)));
        assert!(found[0].get("workspace_id").is_none());
    }
}

#[tokio::test]
async fn a_flood_of_bad_tokens_is_a_few_entries_that_count_exactly() {
    let gate = Gate::with(&[("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", ROOT)]);
    for number in 0..40 {
        gate.caller(format!("not-a-token-{number}")).get("/api/whoami").await.problem(401, "auth.invalid_token");
    }
    gate.anonymous().get("/api/whoami").await.problem(401, "auth.missing_token");
    gate.stop();
    assert_eq!(gate.ended(), Some(0));
    let exported = run(&gate, &["audit", "export"]);
    let text = String::from_utf8(exported.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let failures: Vec<_> = lines.iter().filter(|line| line["action"] == "auth.failure").collect();
    assert_eq!(failures.iter().map(|line| line["count"].as_u64().unwrap()).sum::<u64>(), 40, "{text}");
    assert!(failures.len() <= 7, "{text}");
    assert!(failures.iter().all(|line| line["code"] == "auth.invalid_token" && line["ip"] == "127.0.0.1"));
    assert!(!text.contains("not-a-token"), "no credential, good or bad");
}

#[tokio::test]
async fn a_good_token_that_holds_no_more_is_entered_with_whose_it_is() {
    let world = World::new().await;
    let name = unique("ended");
    let order = json!({"identifier": name, "scopes": [], "workspace_ids": [world.id]});
    let made = world.root.post("/api/admin/service-tokens", order).await.is(201);
    world.root.delete(&format!("/api/admin/service-tokens/{name}")).await.is(204);
    world.root.gate.caller(made.str("secret")).get("/api/whoami").await.problem(401, "auth.token_revoked");
    let found = entries(&world.root, &format!("action=auth.failure&subject={name}"), 1).await;
    assert_eq!(found[0]["identity"], json!({"kind": "service", "issuer": null, "subject": name}));
    assert_eq!((&found[0]["code"], &found[0]["outcome"]), (&json!("auth.token_revoked"), &json!("refused")));
}

#[tokio::test]
async fn the_members_of_a_workspace_change_under_its_eyes() {
    let world = World::new().await;
    let path = format!("/api/workspaces/{}/members/corp:ada", world.id);
    for role in ["owner", "owner", "admin"] {
        let put = world.root.ask(reqwest::Method::PUT, &path).json(&json!({"role": role}));
        if role == "admin" {
            put.await.problem(409, "membership.last_owner");
        } else {
            put.await.is(200);
        }
    }
    let query = format!("workspace_id={}&action=membership.put", world.id);
    let found = entries(&world.root, &query, 1).await;
    assert_eq!(found.len(), 1, "what changed nothing or was refused is none: {found:?}");
    assert_eq!((&found[0]["target"], &found[0]["identity"]["kind"]), (&json!("corp:ada"), &json!("bootstrap")));
}

#[tokio::test]
async fn uses_of_the_bootstrap_token_are_sampled() {
    let gate = Gate::with(&[("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", ROOT)]);
    for _ in 0..20 {
        gate.root().get("/api/whoami").await.is(200);
    }
    let found = entries(&gate.root(), "action=bootstrap.use", 1).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((&found[0]["outcome"], &found[0]["identity"]["kind"]), (&json!("allowed"), &json!("bootstrap")));
}

#[tokio::test]
async fn the_audit_is_read_by_workspace_and_what_has_none_by_who_has_all() {
    let (world, other) = (World::new().await, World::new().await);
    let reader = mint(&world.root, &["admin:audit:read"], &[&world.id]).await;
    entries(&world.root, &format!("workspace_id={}", other.id), 2).await;
    let found = entries(&reader, "", 2).await;
    assert!(found.iter().all(|entry| entry["workspace_id"] == world.id), "{found:?}");
    reader.get(&format!("{AUDIT}?workspace_id={}", other.id)).await.problem(403, "auth.workspace_forbidden");
    world.get(AUDIT).await.problem(403, "auth.missing_scope");
    world.root.get(&format!("{AUDIT}?workspace_id=nobodys")).await.problem(404, "workspace.not_found");
    world.root.gate.anonymous().get(AUDIT).await.problem(401, "auth.missing_token");
    let uses = entries(&world.root, "action=bootstrap.use", 1).await;
    assert!(uses.iter().all(|entry| entry.get("workspace_id").is_none()));
    assert!(reader.all(&format!("{AUDIT}?action=bootstrap.use")).await.is_empty());
}

#[tokio::test]
async fn filters_narrow_and_bad_ones_are_refused() {
    let world = World::new().await;
    let query = format!("workspace_id={}&action=workspace.create&subject=bootstrap&outcome=allowed", world.id);
    let found = entries(&world.root, &query, 1).await;
    let time = found[0]["time"].as_str().unwrap();
    assert_eq!(entries(&world.root, &format!("{query}&from={time}"), 1).await.len(), 1);
    assert!(world.root.all(&format!("{AUDIT}?{query}&to={time}")).await.is_empty());
    for (query, status) in [("outcome=maybe", 422), ("from=yesterday", 400), ("subject=%00", 422), ("who=x", 400)] {
        world.root.get(&format!("{AUDIT}?{query}")).await.problem(status, "request.invalid");
    }
}

fn run(gate: &Gate, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(arguments).env_clear().env("HOME", gate.folder()).current_dir(gate.folder());
    command.env("TIDEGATE_DATABASE__URL", "sqlite://data/tidegate.db").env("TIDEGATE_AUDIT__KEY", KEY);
    command.env("TIDEGATE_URL", gate.url("")).env("TIDEGATE_TOKEN", ROOT);
    command.output().unwrap()
}

const KEY: &str = "a-key-of-this-tests-own-0123456789ab";

#[tokio::test]
async fn the_commands_look_into_the_database_beside_the_gate() {
    let settings = [("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", ROOT), ("TIDEGATE_AUDIT__KEY", KEY)];
    let gate = Gate::with(&settings);
    gate.root().post("/api/workspaces", json!({"id": "demo"})).await.is(201);
    let found = entries(&gate.root(), "workspace_id=demo", 1).await;

    let listed = run(&gate, &["audit", "list", "--workspace", "demo", "--json"]);
    assert_eq!(serde_json::from_slice::<Value>(&listed.stdout).unwrap(), json!(found));

    let exported = String::from_utf8(run(&gate, &["audit", "export"]).stdout).unwrap();
    let lines: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.contains(&found[0]), "an exported entry is the one that the API shows");
    let head = lines.last().unwrap()["head"].as_str().unwrap();

    let verified = run(&gate, &["audit", "verify", "--anchor", head]);
    let said = String::from_utf8(verified.stdout).unwrap();
    assert!(verified.status.success() && said.contains("entries fit") && said.contains("anchored up to"), "{said}");
    let tail = String::from_utf8(run(&gate, &["audit", "verify"]).stdout).unwrap();
    assert!(tail.contains("the tail is unanchored"), "{tail}");

    let beyond = format!("99999:{}", "ab".repeat(32));
    let cut = run(&gate, &["audit", "verify", "--json", "--anchor", &beyond]);
    let said: Value = serde_json::from_slice(&cut.stdout).unwrap();
    assert_eq!((cut.status.code(), &said["ok"]), (Some(1), &json!(false)), "{said}");
    assert_eq!(run(&gate, &["audit", "verify", "--anchor", "nonsense"]).status.code(), Some(2));
    let log = std::fs::read_to_string(gate.folder().join("log")).unwrap();
    assert!(!log.contains(KEY) && !log.contains("audit.key"), "{log}");
}

#[tokio::test]
async fn the_log_tells_where_the_chain_ends() {
    let gate = Gate::with(&[("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", ROOT), ("TIDEGATE_AUDIT__KEY", KEY)]);
    gate.root().post("/api/workspaces", json!({"id": "demo"})).await.is(201);
    gate.stop();
    assert_eq!(gate.ended(), Some(0));
    let exported = String::from_utf8(run(&gate, &["audit", "export"]).stdout).unwrap();
    let head: Value = serde_json::from_str(exported.lines().last().unwrap()).unwrap();
    let log = std::fs::read_to_string(gate.folder().join("log")).unwrap();
    let told = log.lines().rfind(|line| line.contains("tidegate::audit")).expect(&log);
    assert!(told.contains(head["head"].as_str().unwrap()), "{told}");
}

#[tokio::test]
async fn without_a_key_the_gate_says_what_that_means() {
    let gate = Gate::with(&[("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", ROOT)]);
    let log = std::fs::read_to_string(gate.folder().join("log")).unwrap();
    assert!(log.contains("audit.key"), "{log}");
}
