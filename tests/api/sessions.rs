//! Sessions for widgets on the real binary: made by a backend, used by a page, ended with the backend's token.

use serde_json::json;

use super::{
    gate::{Gate, ROOT, until},
    world::{CLIENT, World},
};

const PATH: &str = "/api/chatkit/session";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_works_with_a_session_until_its_backends_token_is_revoked() {
    let world = World::new().await;
    let backend = world.someone(&[&CLIENT[..], &["chatkit:session", "admin:tokens:read"]].concat()).await;
    let made = backend.post(PATH, json!({"workspaceId": world.id, "metadata": {"page": "shop"}})).await.is(200);
    assert!(made["expires_at"].as_str().is_some_and(|time| time.ends_with('Z')), "{}", made.text);
    let page = world.root.gate.caller(made.str("client_secret"));
    let who = page.get("/api/whoami").await.is(200);
    assert_eq!((&who["kind"], &who["workspace_ids"]), (&json!("service"), &json!([world.id])));
    assert_eq!(who["expires_at"], made["expires_at"]);
    page.get("/api/workflows").await.is(200);
    page.get("/api/admin/service-tokens").await.problem(403, "auth.missing_scope");
    page.post(PATH, json!({})).await.problem(403, "auth.missing_scope");
    page.post("/api/workspaces", json!({"id": "mine"})).await.problem(403, "auth.missing_scope");
    let backend_id = who.str("token_id").to_owned();
    world.root.delete(&format!("/api/admin/service-tokens/{backend_id}")).await.is(204);
    until("the session has ended", || async { (page.get("/api/whoami").await.status == 401).then_some(()) }).await;
    page.get("/api/whoami").await.problem(401, "auth.token_revoked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_session_is_for_is_named_once_and_must_be_the_callers() {
    let (world, other) = (World::new().await, World::new().await);
    let backend = world.someone(&["chatkit:session", "workflows:write"]).await;
    let workflow = |of: &World, name: &str| json!({"workspace_id": of.id, "name": name});
    let own = world.post("/api/workflows", workflow(&world, "own")).await.is(201).id();
    let theirs = other.post("/api/workflows", workflow(&other, "theirs")).await.is(201).id();
    for body in [json!({}), json!({"workflow_id": own}), json!({"workflowId": own}), json!({"workspace_id": world.id})]
    {
        backend.post(PATH, body).await.is(200);
    }
    backend.post(PATH, json!({"workflow_id": theirs})).await.problem(404, "workflow.not_found");
    backend.post(PATH, json!({"workspace_id": other.id})).await.problem(403, "auth.workspace_forbidden");
    backend.post(PATH, json!({"workflow_id": own, "workflowId": own})).await.problem(422, "request.invalid");
    backend.post(PATH, json!({"workflow": own})).await.problem(400, "request.invalid");
    backend.post(PATH, json!({"metadata": {"a": "b".repeat(4_000)}})).await.problem(422, "request.invalid");
    world.root.post(PATH, json!({})).await.problem(422, "request.invalid");
    world.root.gate.anonymous().post(PATH, json!({})).await.problem(401, "auth.missing_token");
    world.post(PATH, json!({})).await.problem(403, "auth.missing_scope");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_signed_as_configured() {
    let gate = Gate::with(&[
        ("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", ROOT),
        ("TIDEGATE_SESSIONS__KEY", "0123456789abcdef0123456789abcdef"),
        ("TIDEGATE_SESSIONS__ISSUER", "https://gate.example.org"),
        ("TIDEGATE_SESSIONS__TTL_SECONDS", "7"),
    ]);
    let world = World::on(gate).await;
    let made = world.root.post(PATH, json!({"workspace_id": world.id})).await.is(200);
    let claims = crate::support::peers::claims(made.str("client_secret"));
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!("https://gate.example.org"), &json!("chatkit")));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 7);
    world.root.gate.caller(made.str("client_secret")).get("/api/whoami").await.is(200);
}

#[tokio::test]
async fn fields_of_older_clients_are_taken_and_ignored() {
    let world = World::new().await;
    let caller = world.someone(&["chatkit:session", "workflows:read"]).await;
    for more in [
        json!({"currentClientSecret": null, "workflowLabel": "Shop", "user": {"id": "u1"}, "assistant": {"name": "A"}}),
        json!({"current_client_secret": "old", "workflow_label": null, "user": null, "assistant": null}),
    ] {
        let made = caller.post("/api/chatkit/session", more).await;
        assert_eq!(made.status, 200, "{}", made.text);
    }
    caller.post("/api/chatkit/session", json!({"nosuch": 1})).await.problem(400, "request.invalid");
}
