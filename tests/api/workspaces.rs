//! Workspaces: made once, seen by whom they belong to.

use serde_json::json;

use super::{
    gate::Gate,
    world::{World, mint, unique},
};

#[tokio::test]
async fn a_workspace_is_made_and_read() {
    let (root, id) = (Gate::shared().root(), unique("made"));
    let made = root.post("/api/workspaces", json!({"id": id, "name": "Demo"})).await.is(201);
    assert_eq!((made.str("id"), made.str("name")), (id.as_str(), "Demo"));
    assert!(made["created_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(made.header("location"), format!("/api/workspaces/{id}"));
    assert_eq!(root.get(&format!("/api/workspaces/{id}")).await.is(200).body, made.body);
    assert!(root.all("/api/workspaces").await.contains(&made.body));
    root.post("/api/workspaces", json!({"id": id})).await.problem(409, "workspace.id_taken");
}

#[tokio::test]
async fn an_id_is_folded_and_a_name_is_made_of_it() {
    let (root, id) = (Gate::shared().root(), unique("folded"));
    let made = root.post("/api/workspaces", json!({"id": id.to_uppercase()})).await.is(201);
    assert_eq!(made.str("id"), id);
    assert!(!made.str("name").is_empty());
    root.post("/api/workspaces", json!({"id": id})).await.problem(409, "workspace.id_taken");
    root.get(&format!("/api/workspaces/{}", id.to_uppercase())).await.is(200);
}

#[tokio::test]
async fn an_id_that_is_no_slug_is_refused() {
    let root = Gate::shared().root();
    for id in ["", "-a", "_a", "a b", "ä", "a/b", &"a".repeat(64), "a.b"] {
        let refused = root.post("/api/workspaces", json!({"id": id})).await;
        assert_eq!(refused.problem(422, "request.invalid")["errors"][0]["pointer"], "/id");
    }
    let long = unique("longest-") + &"z".repeat(40);
    root.post("/api/workspaces", json!({"id": long})).await.is(201);
    for name in [String::new(), "n".repeat(201)] {
        let refused = root.post("/api/workspaces", json!({"id": unique("x"), "name": name})).await;
        assert_eq!(refused.problem(422, "request.invalid")["errors"][0]["pointer"], "/name");
    }
}

#[tokio::test]
async fn others_workspaces_are_forbidden_whether_or_not_they_exist() {
    let (world, other) = (World::new().await, World::new().await);
    for id in [other.id.as_str(), "never-made"] {
        world.get(&format!("/api/workspaces/{id}")).await.problem(403, "auth.workspace_forbidden");
        world.get(&format!("/api/workflows?workspace_id={id}")).await.problem(403, "auth.workspace_forbidden");
    }
    world.root.get("/api/workspaces/never-made").await.problem(404, "workspace.not_found");
    world.root.get("/api/workflows?workspace_id=never-made").await.problem(404, "workspace.not_found");
    let seen = world.all("/api/workspaces").await;
    assert_eq!(seen.len(), 1, "{seen:?}");
}

#[tokio::test]
async fn only_who_has_all_workspaces_makes_one() {
    let world = World::new().await;
    let maker = world.someone(&["admin:workspaces:write"]).await;
    let refused = maker.post("/api/workspaces", json!({"id": unique("x")})).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    refused.complete_problem();
    world.post("/api/workspaces", json!({"id": unique("x")})).await.problem(403, "auth.missing_scope");
}

#[tokio::test]
async fn a_named_workspace_need_not_exist_when_a_token_is_made() {
    let (gate, id) = (Gate::shared(), unique("later"));
    let early = mint(&gate.root(), &["workflows:read", "workflows:write"], &[&id]).await;
    assert_eq!(early.get("/api/workspaces").await.is(200).items().len(), 0);
    gate.root().post("/api/workspaces", json!({"id": id})).await.is(201);
    assert_eq!(early.get("/api/workspaces").await.is(200).items().len(), 1);
    early.post("/api/workflows", json!({"workspace_id": id, "name": "w"})).await.is(201);
}

#[tokio::test]
async fn a_repeat_of_the_same_order_makes_nothing_twice() {
    let (root, id, key) = (Gate::shared().root(), unique("once"), unique("key"));
    let made = root.post("/api/workspaces", json!({"id": id})).key(&key).await.is(201);
    let again = root.post("/api/workspaces", json!({"id": id})).key(&key).await.is(201);
    assert_eq!((again.body.clone(), again.header("idempotency-replayed")), (made.body.clone(), "true"));
    assert_eq!(made.header("idempotency-replayed"), "");
    assert_eq!(again.header("location"), made.header("location"));
}
