//! `Idempotency-Key`: one effect a key, whatever happens to the answer.

use serde_json::json;

use super::{
    gate::Answer,
    models::{linear, service},
    world::{World, mint},
};

fn starts(workflow: &str) -> String {
    format!("/api/workflows/{workflow}/executions")
}

#[tokio::test]
async fn a_repeat_shows_the_thing_as_it_is_now() {
    let (world, workflow) = World::running(&linear("p", &[&service("work")])).await;
    let body = json!({"input": {"a": 1}});
    let first = world.post(&starts(&workflow), body.clone()).key("k").await.is(201);
    assert_eq!((first.str("status"), first.header("idempotency-replayed")), ("running", ""));
    let job = world.job("work").await;
    world.complete(&job, json!({"b": 2})).await;
    let again = world.post(&starts(&workflow), body).key("k").await.is(201);
    assert_eq!((again.id(), again.header("idempotency-replayed")), (first.id(), "true"));
    assert_eq!((again.str("status"), &again["result"]), ("completed", &json!({"a": 1, "b": 2})));
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(world.all(&starts(&workflow)).await.len(), 1);
}

#[tokio::test]
async fn another_request_under_the_key_is_refused() {
    let (world, workflow) = World::running(&linear("p", &[])).await;
    world.post(&starts(&workflow), json!({"input": {"a": 1}})).key("k").await.is(201);
    let other = world.post(&starts(&workflow), json!({"input": {"a": 2}})).key("k").await;
    other.problem(422, "idempotency.key_reused");
    let spaced = world.ask(reqwest::Method::POST, &starts(&workflow)).raw("{ \"input\": {\"a\":1}}").key("k").await;
    spaced.problem(422, "idempotency.key_reused");
    assert_eq!(world.all(&starts(&workflow)).await.len(), 1);
}

#[tokio::test]
async fn keys_belong_to_a_caller_and_a_path() {
    let (world, workflow) = World::running(&linear("p", &[])).await;
    let second = world.deploy(&linear("q", &[])).await;
    let other = mint(&world.root, &["workflows:execute", "workflows:read"], &[&world.id]).await;
    let mut ids = vec![
        world.post(&starts(&workflow), json!({})).key("k").await.is(201).id(),
        world.post(&starts(&second), json!({})).key("k").await.is(201).id(),
        other.post(&starts(&workflow), json!({})).key("k").await.is(201).id(),
        world.post(&starts(&workflow), json!({})).key("K").await.is(201).id(),
    ];
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn many_at_once_make_one() {
    let (world, workflow) = World::running(&linear("p", &[&service("work")])).await;
    let path = starts(&workflow);
    let answers = futures_util::future::join_all((0..10).map(|_| {
        let (world, path) = (&world, &path);
        async move { world.post(path, json!({"input": {"a": 1}})).key("race").await }
    }))
    .await;
    let made: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert!(!made.is_empty());
    assert!(made.iter().all(|answer| answer.id() == made[0].id()));
    assert_eq!(made.iter().filter(|answer| answer.header("idempotency-replayed").is_empty()).count(), 1);
    for waiting in answers.iter().filter(|answer| answer.status != 201) {
        waiting.problem(409, "idempotency.in_flight");
    }
    assert_eq!(world.all(&path).await.len(), 1);
    assert_eq!(world.jobs("work").await.len(), 1);
}

#[tokio::test]
async fn errors_are_not_kept() {
    let world = World::new().await;
    let path = "/api/process/later/async";
    world.post(path, json!({})).key("k").await.problem(404, "process.not_found");
    world.deploy(&linear("later", &[])).await;
    let started = world.post(path, json!({})).key("k").await.is(200);
    assert_eq!(started.header("idempotency-replayed"), "");
}

#[tokio::test]
async fn rights_are_judged_before_a_key_is_looked_up() {
    let (world, workflow) = World::running(&linear("p", &[])).await;
    let order = json!({"scopes": ["workflows:execute"], "workspace_ids": [world.id]});
    let minted = world.root.post("/api/admin/service-tokens", order).await.is(201);
    let client = world.gate.caller(minted.str("secret"));
    let started = client.post(&starts(&workflow), json!({})).key("k").await;
    assert_eq!(started.status, 201, "{}", started.text);
    let again = client.post(&starts(&workflow), json!({})).key("k").await;
    assert!(again.status == 201 && again.header("idempotency-replayed") == "true", "{}", again.text);
    world.root.delete(&format!("/api/admin/service-tokens/{}", minted.str("identifier"))).await.is(204);
    client.post(&starts(&workflow), json!({})).key("k").await.problem(401, "auth.token_revoked");
}

#[tokio::test]
async fn a_rotated_secret_keeps_its_keys() {
    let (world, workflow) = World::running(&linear("p", &[])).await;
    let order = json!({"scopes": ["workflows:execute", "workflows:read"], "workspace_ids": [world.id]});
    let minted = world.root.post("/api/admin/service-tokens", order).await.is(201);
    let first = world.gate.caller(minted.str("secret")).post(&starts(&workflow), json!({})).key("k").await.is(201);
    let rotate = format!("/api/admin/service-tokens/{}/rotate", minted.str("identifier"));
    let rotated = world.root.post(&rotate, json!({})).await.is(200);
    let again = world.gate.caller(rotated.str("secret")).post(&starts(&workflow), json!({})).key("k").await.is(201);
    assert_eq!(again.id(), first.id());
}

#[tokio::test]
async fn a_key_out_of_range_is_refused() {
    let (world, workflow) = World::running(&linear("p", &[])).await;
    for key in [String::new(), "k".repeat(256), "a b".to_owned(), "ä".to_owned(), "a\tb".to_owned()] {
        let refused = world.post(&starts(&workflow), json!({})).key(&key).await;
        assert!([400, 422].contains(&refused.status), "{key:?}: {}", refused.text);
        assert_eq!(refused.complete_problem()["code"], "request.invalid");
    }
    world.post(&starts(&workflow), json!({})).key(&"k".repeat(255)).await.is(201);
    assert_eq!(world.all(&starts(&workflow)).await.len(), 1);
}

#[tokio::test]
async fn a_repeat_waits_as_the_first_would() {
    let (world, workflow) = World::running(&linear("p", &[&super::models::timer("nap", "PT0.3S")])).await;
    let first = world.post(&starts(&workflow), json!({})).key("k").await.is(201);
    assert_eq!(first.str("status"), "running");
    let again = world.post(&starts(&workflow), json!({})).key("k").header("Prefer", "wait=20").await.is(201);
    assert_eq!((again.id(), again.str("status")), (first.id(), "completed"));
}

#[tokio::test]
async fn a_workflow_is_made_once_per_key() {
    let world = World::new().await;
    let body = json!({"workspace_id": world.id, "name": "once"});
    let first = world.post("/api/workflows", body.clone()).key("k").await.is(201);
    world.patch(&format!("/api/workflows/{}", first.id()), json!({"name": "renamed"})).await.is(200);
    let again = world.post("/api/workflows", body).key("k").await.is(201);
    assert_eq!((again.id(), again.str("name")), (first.id(), "renamed"));
    assert_ne!(again.header("etag"), "");
    assert_eq!(world.all("/api/workflows").await.len(), 1);
}
