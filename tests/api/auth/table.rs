//! The table of scopes and operations (authentication.md section 3): what each needs, nothing else gives.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    mint::{SECRET, claims, secret},
    setup::{BOOTSTRAP, gate_with},
};
use crate::api::{
    gate::{Caller, Gate, Shared},
    world::unique,
};

const ID: &str = "0190f7a0-0000-7000-8000-000000000000";

const SCOPES: [&str; 13] = [
    "workflows:read",
    "workflows:write",
    "workflows:execute",
    "jobs:work",
    "process:impersonate",
    "chatkit:session",
    "vault:read",
    "vault:write",
    "admin:tokens:read",
    "admin:tokens:write",
    "admin:audit:read",
    "admin:workspaces:write",
    "admin:metrics:read",
];

/// Each operation and the scope that it needs. `{id}` is the id of something that nobody has made.
const OPERATIONS: [(&str, &str, &str); 42] = [
    ("GET", "/api/workflows", "workflows:read"),
    ("GET", "/api/workflows/{id}", "workflows:read"),
    ("GET", "/api/workflows/{id}/executions", "workflows:read"),
    ("GET", "/api/workflows/{id}/events", "workflows:read"),
    ("GET", "/ws/workflow/{id}", "workflows:read"),
    ("GET", "/api/executions/{id}", "workflows:read"),
    ("GET", "/api/deployments", "workflows:read"),
    ("GET", "/api/deployments/{id}", "workflows:read"),
    ("GET", "/api/process/{id}", "workflows:read"),
    ("GET", "/api/process/{id}/variables", "workflows:read"),
    ("GET", "/api/process/{id}/incidents", "workflows:read"),
    ("GET", "/api/process/{id}/userTask/t/variables", "workflows:read"),
    ("GET", "/api/userTask", "workflows:read"),
    ("GET", "/api/engines", "workflows:read"),
    ("POST", "/api/workflows", "workflows:write"),
    ("PATCH", "/api/workflows/{id}", "workflows:write"),
    ("DELETE", "/api/workflows/{id}", "workflows:write"),
    ("POST", "/api/deployments", "workflows:write"),
    ("POST", "/api/workflows/{id}/executions", "workflows:execute"),
    ("POST", "/api/executions/{id}/cancel", "workflows:execute"),
    ("POST", "/api/process/p/async", "workflows:execute"),
    ("POST", "/api/process/p/message", "workflows:execute"),
    ("POST", "/api/process/{id}/incidents/{id}/retry", "workflows:execute"),
    ("POST", "/api/userTask/{id}/complete", "workflows:execute"),
    ("POST", "/api/userTask/{id}/assign", "workflows:execute"),
    ("POST", "/api/message/m", "workflows:execute"),
    ("POST", "/api/signal/s", "workflows:execute"),
    ("POST", "/api/jobs/activate", "jobs:work"),
    ("POST", "/api/jobs/{id}/complete", "jobs:work"),
    ("POST", "/api/jobs/{id}/fail", "jobs:work"),
    ("POST", "/api/jobs/{id}/error", "jobs:work"),
    ("POST", "/api/jobs/{id}/extend", "jobs:work"),
    ("GET", "/api/admin/service-tokens", "admin:tokens:read"),
    ("GET", "/api/admin/service-tokens/{id}", "admin:tokens:read"),
    ("POST", "/api/admin/service-tokens", "admin:tokens:write"),
    ("POST", "/api/admin/service-tokens/{id}/rotate", "admin:tokens:write"),
    ("DELETE", "/api/admin/service-tokens/{id}", "admin:tokens:write"),
    ("GET", "/api/admin/audit-events", "admin:audit:read"),
    ("POST", "/api/workspaces", "admin:workspaces:write"),
    ("GET", "/api/workspaces/{w}/members", "admin:workspaces:write"),
    ("PUT", "/api/workspaces/{w}/members/corp:x", "admin:workspaces:write"),
    ("DELETE", "/api/workspaces/{w}/members/corp:x", "admin:workspaces:write"),
];

/// Those of sessions and revocations.
const MORE: [(&str, &str, &str); 4] = [
    ("POST", "/api/chatkit/session", "chatkit:session"),
    ("GET", "/api/admin/revocations", "admin:tokens:read"),
    ("POST", "/api/admin/revocations", "admin:tokens:write"),
    ("DELETE", "/api/admin/revocations/{id}", "admin:tokens:write"),
];

/// Whether a path of ours is one of a template's.
fn fits(template: &str, path: &str) -> bool {
    let (mut template, mut path) = (template.split('/'), path.split('/'));
    loop {
        match (template.next(), path.next()) {
            (None, None) => return true,
            (Some(expected), Some(given)) if expected.starts_with('{') || expected == given => {}
            _ => return false,
        }
    }
}

#[tokio::test]
async fn the_document_and_this_table_know_the_same_operations() {
    let document = town().anonymous().get("/openapi.json").await.is(200);
    let mut ours: Vec<_> = OPERATIONS.iter().chain(&MORE).collect();
    for (template, verbs) in document["paths"].as_object().unwrap() {
        for (verb, operation) in verbs.as_object().unwrap() {
            let scopes = operation["x-required-scopes"].as_array().cloned().unwrap_or_default();
            let known =
                ours.iter().position(|(known, path, _)| known.eq_ignore_ascii_case(verb) && fits(template, path));
            match known {
                Some(known) => assert_eq!(scopes, [json!(ours.remove(known).2)], "{verb} {template}"),
                None => assert_eq!(scopes, [json!(null); 0], "{verb} {template} is in no table"),
            }
        }
    }
    assert!(ours.is_empty(), "{ours:?} are in no document");
}

static SHARED: Shared = Shared::new();

fn town() -> Gate {
    SHARED.gate(|| {
        gate_with(
            &format!(
                "[sessions]\nkey = \"a-session-key-of-the-table-0123456789ab\"\n[[auth.issuers]]\nname = \"corp\"\nkind = \"jwt\"\n\
                 issuers = [\"https://corp.test\"]\naudiences = [\"tidegate\"]\nsecret = \"{SECRET}\"\nmax_scopes = [\"*\"]\ndefault_workspaces = [\"*\"]\n"
            ),
            &[BOOTSTRAP],
        )
    })
}

async fn holder(root: &Caller, scopes: &[&str]) -> Caller {
    let made = root.post("/api/admin/service-tokens", json!({"scopes": scopes, "all_workspaces": true})).await.is(201);
    root.gate.caller(made.str("secret"))
}

#[tokio::test]
async fn each_operation_needs_its_scope_and_no_other_will_do() {
    assert_scopes(&OPERATIONS).await;
}

#[tokio::test]
async fn so_do_sessions_and_revocations() {
    assert_scopes(&MORE).await;
}

async fn assert_scopes(operations: &[(&str, &str, &str)]) {
    let gate = town();
    let (root, workspace) = (gate.root(), unique("w"));
    root.post("/api/workspaces", json!({"id": workspace})).await.is(201);
    let mut wrong = Vec::new();
    for scope in SCOPES {
        let others: Vec<&str> = SCOPES.into_iter().filter(|other| *other != scope).collect();
        let (with, without) = (holder(&root, &[scope]).await, holder(&root, &others).await);
        for (verb, path, _) in operations.iter().filter(|(_, _, needed)| *needed == scope) {
            let path = path.replace("{id}", ID).replace("{w}", &workspace);
            let method = || Method::from_bytes(verb.as_bytes()).unwrap();
            // What is asked makes no sense, on purpose: rights are judged before the body is read.
            let ask =
                |caller: &Caller| caller.ask(method(), &path).raw(if *verb == "GET" { "" } else { "{\"nonsense\":1}" });
            let (allowed, refused, stranger) = (ask(&with).await, ask(&without).await, ask(&gate.anonymous()).await);
            if [401, 403].contains(&allowed.status) || allowed["code"] == "request.not_found" || allowed.status >= 500 {
                wrong.push(format!("{verb} {path} with {scope}: {} {}", allowed.status, allowed.text));
            }
            let expected = format!("Missing required scopes: {scope}");
            if refused.status != 403 || refused["code"] != "auth.missing_scope" || refused["message"] != json!(expected)
            {
                wrong.push(format!("{verb} {path} without {scope}: {} {}", refused.status, refused.text));
            }
            if (stranger.status, stranger["code"].as_str()) != (401, Some("auth.missing_token")) {
                wrong.push(format!("{verb} {path} by a stranger: {} {}", stranger.status, stranger.text));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn some_operations_need_no_more_than_an_identity_or_nothing() {
    let gate = town();
    let nobody = holder(&gate.root(), &[]).await;
    for path in ["/api/whoami", "/api/workspaces"] {
        nobody.get(path).await.is(200);
        gate.anonymous().get(path).await.problem(401, "auth.missing_token");
    }
    for path in
        ["/health/live", "/health/ready", "/openapi.json", "/openapi.yaml", "/docs", "/problems/auth.missing_token"]
    {
        for caller in [gate.anonymous(), gate.caller("nonsense")] {
            let answer = caller.get(path).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        }
    }
    for path in ["/api/nosuch", "/nosuch", "/api/workspaces/x/y/z", "/API/whoami", "/api//whoami", "/api/whoami/"] {
        gate.anonymous().get(path).await.problem(401, "auth.missing_token");
        assert_eq!(nobody.get(path).await.status, 404, "{path}");
    }
    gate.anonymous().ask(Method::PATCH, "/api/whoami").await.problem(401, "auth.missing_token");
    let wrong = nobody.ask(Method::PATCH, "/api/whoami").await;
    assert_eq!((wrong.status, wrong.header("allow").contains("GET")), (405, true), "{}", wrong.text);
}

#[tokio::test]
async fn keys_of_idempotency_belong_to_who_gave_them() {
    let gate = town();
    let user = |name: &str| gate.caller(secret(&claims("https://corp.test", name, &json!({}))));
    let (ada, eve) = (user(&unique("ada")), user(&unique("eve")));
    let (key, id) = (unique("key"), unique("w"));
    let made = ada.post("/api/workspaces", json!({"id": id})).key(&key).await.is(201);
    let again = ada.post("/api/workspaces", json!({"id": id})).key(&key).await.is(201);
    assert_eq!((again.header("idempotency-replayed"), &again["id"]), ("true", &made["id"]));
    let taken = eve.post("/api/workspaces", json!({"id": id})).key(&key).await;
    taken.problem(409, "workspace.id_taken");
    // Also of a service that is called as a person is.
    let order = json!({"identifier": unique("twin"), "scopes": ["admin:workspaces:write"], "all_workspaces": true});
    let twin = gate.root().post("/api/admin/service-tokens", order).await.is(201);
    let (twin, namesake) = (gate.caller(twin.str("secret")), user(twin.str("identifier")));
    let (key, id) = (unique("key"), unique("w"));
    twin.post("/api/workspaces", json!({"id": id})).key(&key).await.is(201);
    namesake.post("/api/workspaces", json!({"id": id})).key(&key).await.problem(409, "workspace.id_taken");
    // It is looked up after authorization.
    let order: Value = json!({"id": id});
    let refused = holder(&gate.root(), &["workflows:read"]).await.post("/api/workspaces", order).key(&key).await;
    refused.problem(403, "auth.missing_scope");
    gate.anonymous().post("/api/workspaces", json!({"id": id})).key(&key).await.problem(401, "auth.missing_token");
}
