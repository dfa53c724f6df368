//! Workspaces, workflows, service tokens: their bodies, lists, versions, idempotency, and who may see them.

use serde_json::{Value, json};

use crate::support::gateway::{Answer, TestGateway};

const WRITER: &[&str] = &["workflows:read", "workflows:write", "workflows:execute"];

async fn keyed(client: &crate::support::gateway::Client, key: &str, path: &str, body: &Value) -> Answer {
    let request = client.request("POST", path).header("idempotency-key", key).json(body);
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoami_tells_identity_scopes_and_workspaces() {
    let gateway = TestGateway::start().await;
    let client = gateway.service("ci", &["workflows:read"], &["demo"]).await;
    let mut body = client.get("/api/whoami").await.body;
    assert!(body["issued_at"].take().as_str().is_some_and(|at| at.ends_with('Z')));
    let expected = json!({
        "authenticated": true, "subject": "ci", "kind": "service", "scopes": ["workflows:read"], "all_workspaces": false,
        "workspace_ids": ["demo"], "workspaces": [{"id": "demo", "role": null, "scopes": ["workflows:read"]}],
        "token_id": "ci", "issuer": null, "issued_at": null, "expires_at": null, "username": null, "email": null,
        "actor": null,
    });
    assert_eq!(body, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workspace_is_made_once_and_shown_to_whom_it_may_be() {
    let gateway = TestGateway::start().await;
    let admin = gateway.bootstrap();
    let made = admin.post("/api/workspaces", &json!({"id": "demo", "name": "Demo"})).await;
    assert_eq!((made.status.as_u16(), made.header("location")), (201, "/api/workspaces/demo"));
    assert_eq!((&made.body["id"], &made.body["name"]), (&json!("demo"), &json!("Demo")));
    assert_eq!(admin.post("/api/workspaces", &json!({"id": "DEMO"})).await.refused(409), "workspace.id_taken");
    assert_eq!(admin.get("/api/workspaces/Demo").await.body, made.body);
    for unknown in ["nowhere", "not%20a%20slug", "%00", "%zz"] {
        let answer = admin.get(&format!("/api/workspaces/{unknown}")).await;
        assert!(["workspace.not_found", "request.not_found"].contains(&answer.refused(404)), "{unknown}");
    }
    let other = gateway.service("other", &["workflows:read"], &["elsewhere"]).await;
    for id in ["demo", "nowhere", "not%20a%20slug"] {
        assert_eq!(other.get(&format!("/api/workspaces/{id}")).await.refused(403), "auth.workspace_forbidden");
    }
    let ids = |answer: &Answer| -> Vec<Value> {
        answer.body["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect()
    };
    assert_eq!(ids(&other.get("/api/workspaces").await), ["elsewhere"]);
    assert_eq!(ids(&admin.get("/api/workspaces").await), ["elsewhere", "demo"], "newest first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_read_part_by_part() {
    let gateway = TestGateway::start().await;
    let client = gateway.service("writer", WRITER, &["demo"]).await;
    for number in 0..5 {
        let body = json!({"workspace_id": "demo", "name": format!("w{number}")});
        assert_eq!(client.post("/api/workflows", &body).await.status.as_u16(), 201);
    }
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let part = client.get(&format!("/api/workflows?limit=2{cursor}")).await.body;
        names.extend(part["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()));
        match part["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(names, ["w4", "w3", "w2", "w1", "w0"]);
    for path in ["/api/workflows", "/api/workspaces", "/api/deployments"] {
        let foreign = client.get(&format!("{path}?cursor=bm9ib2R5J3M")).await;
        assert!(foreign.status.is_success() || foreign.refused(400) == "request.invalid", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_is_changed_only_at_the_version_that_was_seen() {
    let gateway = TestGateway::start().await;
    let client = gateway.service("writer", WRITER, &["demo"]).await;
    let body = json!({"workspace_id": "demo", "name": "order", "description": "first"});
    let made = client.post("/api/workflows", &body).await;
    let path = made.header("location").to_owned();
    assert_eq!(made.body["process_definition_key"], "order");
    assert_eq!((&made.body["engine"], &made.body["latest_deployment"]), (&json!("embedded"), &Value::Null));
    let tag = made.header("etag").to_owned();
    assert_eq!(client.get(&path).await.header("etag"), tag);
    let change = |tag: &str, body: Value| {
        let request = client.request("PATCH", &path).header("if-match", tag).json(&body);
        async move { Answer::of(request.send().await.unwrap()).await }
    };
    let changed = change(&tag, json!({"name": "orders"})).await;
    assert_eq!((changed.status.as_u16(), &changed.body["name"]), (200, &json!("orders")));
    assert_ne!(changed.header("etag"), tag);
    for stale in [&tag, "\"x\"", &format!("W/{}", changed.header("etag"))] {
        assert_eq!(change(stale, json!({"name": "late"})).await.refused(412), "request.precondition_failed", "{stale}");
    }
    assert_eq!(change("nonsense", json!({})).await.refused(400), "request.invalid");
    let either = change(&format!("{tag}, {}", changed.header("etag")), json!({"description": null})).await;
    assert_eq!((either.status.as_u16(), &either.body["description"]), (200, &Value::Null));
    assert_eq!(change("*", json!({"name": "any"})).await.status.as_u16(), 200);
    assert_eq!(client.patch(&path, &json!({"engine": "x"})).await.refused(400), "request.invalid");
    assert_eq!(client.delete(&path).await.status.as_u16(), 204);
    assert_eq!(client.get(&path).await.refused(404), "workflow.not_found");
    assert_eq!(client.post("/api/workflows", &body).await.status.as_u16(), 201, "its name and key are free");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_taken_and_workspaces_of_others_are_told_apart() {
    let gateway = TestGateway::start().await;
    let client = gateway.service("writer", WRITER, &["demo"]).await;
    let other = gateway.service("other", WRITER, &["elsewhere"]).await;
    let body = json!({"workspace_id": "demo", "name": "order"});
    let path = client.post("/api/workflows", &body).await.header("location").to_owned();
    assert_eq!(client.post("/api/workflows", &body).await.refused(409), "workflow.name_taken");
    let same_process = json!({"workspace_id": "demo", "name": "other", "process_definition_key": "order"});
    assert_eq!(client.post("/api/workflows", &same_process).await.refused(409), "workflow.process_taken");
    let engine = json!({"workspace_id": "demo", "name": "x", "engine": "nowhere"});
    assert_eq!(client.post("/api/workflows", &engine).await.refused(422), "request.invalid");
    assert_eq!(other.post("/api/workflows", &body).await.refused(403), "auth.workspace_forbidden");
    assert_eq!(other.get("/api/workflows?workspace_id=demo").await.refused(403), "auth.workspace_forbidden");
    assert_eq!(other.get(&path).await.refused(404), "workflow.not_found");
    assert_eq!(other.delete(&path).await.refused(404), "workflow.not_found");
    let missing = json!({"workspace_id": "nowhere", "name": "order"});
    assert_eq!(gateway.bootstrap().post("/api/workflows", &missing).await.refused(404), "workspace.not_found");
    for (path, code) in [
        ("/api/workflows/nothing", "workflow.not_found"),
        ("/api/workflows/01890a5dac96774bbcceb302099a8057", "workflow.not_found"),
        ("/api/workflows/01890a5d-ac96-774b-bcce-b302099a8057", "workflow.not_found"),
        ("/api/workflows/a%2Fexecutions", "workflow.not_found"),
        ("/api/workflows/%ff/executions", "workflow.not_found"),
        ("/api/executions/x", "execution.not_found"),
        ("/api/deployments/x", "deployment.not_found"),
        ("/api/process/x", "process.not_found"),
        ("/api/process/embedded~x/variables", "process.not_found"),
        ("/api/process/nowhere~x/incidents", "process.not_found"),
    ] {
        assert_eq!(client.get(path).await.refused(404), code, "{path}");
    }
    for (path, code) in [
        ("/api/userTask/x/complete", "user_task.not_found"),
        ("/api/userTask/embedded~x/complete", "user_task.not_found"),
        ("/api/process/none/async", "process.not_found"),
        ("/api/process/none/message", "process.not_found"),
        ("/api/message/none", "message.not_correlated"),
    ] {
        assert_eq!(client.post(path, &json!({})).await.refused(404), code, "{path}");
    }
    assert_eq!(client.get("/api/admin/service-tokens").await.refused(403), "auth.missing_scope");
    let tokens = gateway.service("tokens", &["admin:tokens:read"], &["elsewhere"]).await;
    assert_eq!(tokens.get("/api/admin/service-tokens/a%20b").await.refused(404), "service_token.not_found");
    assert_eq!(tokens.get("/api/admin/service-tokens/writer").await.refused(404), "service_token.not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idempotency_key_gives_one_thing() {
    let gateway = TestGateway::start().await;
    let client = gateway.service("writer", WRITER, &["demo"]).await;
    let body = json!({"workspace_id": "demo", "name": "order"});
    let first = keyed(&client, "k1", "/api/workflows", &body).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (201, ""));
    client.patch(first.header("location"), &json!({"name": "renamed"})).await;
    let again = keyed(&client, "k1", "/api/workflows", &body).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (201, "true"));
    assert_eq!((&again.body["id"], &again.body["name"]), (&first.body["id"], &json!("renamed")), "as it is now");
    let spaced = client.request("POST", "/api/workflows").header("idempotency-key", "k1").body(format!("{body} "));
    let spaced = Answer::of(spaced.send().await.unwrap()).await;
    assert_eq!(spaced.refused(422), "idempotency.key_reused", "the raw body counts");
    let other = gateway.service("other", WRITER, &["demo"]).await;
    let mine = json!({"workspace_id": "demo", "name": "mine"});
    assert_eq!(keyed(&other, "k1", "/api/workflows", &mine).await.status.as_u16(), 201, "keys are per caller");
    for bad in ["a b", "ä", &"k".repeat(256)] {
        let refused = keyed(&client, bad, "/api/workflows", &body).await;
        assert!(matches!(refused.status.as_u16(), 400 | 422), "{bad:?}");
        assert_eq!(refused.problem(), "request.invalid");
    }
    let failed = keyed(&client, "k2", "/api/workflows", &json!({"workspace_id": "demo", "name": "renamed"})).await;
    assert_eq!(failed.refused(409), "workflow.name_taken");
    let fine = keyed(&client, "k2", "/api/workflows", &json!({"workspace_id": "demo", "name": "free"})).await;
    assert_eq!(fine.status.as_u16(), 201, "errors are not kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_shown_once() {
    let gateway = TestGateway::start().await;
    let admin = gateway.bootstrap();
    let path = "/api/admin/service-tokens";
    let body = json!({"identifier": "ci", "scopes": ["workflows:read"], "all_workspaces": true});
    let made = keyed(&admin, "k", path, &body).await;
    assert_eq!((made.status.as_u16(), made.header("location")), (201, "/api/admin/service-tokens/ci"));
    let secret = made.body["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("tgs_") && secret.len() == 53);
    let again = keyed(&admin, "k", path, &body).await;
    assert_eq!(again.refused(409), "idempotency.not_replayable");
    assert!(again.text.contains("ci") && !again.text.contains("tgs_"));
    assert_eq!(admin.post(path, &body).await.refused(409), "service_token.identifier_taken");
    let shown = admin.get(&format!("{path}/ci")).await;
    assert_eq!((shown.body.get("secret"), &shown.body["status"]), (None, &json!("active")));
    assert_eq!((&shown.body["all_workspaces"], &shown.body["workspace_ids"]), (&json!(true), &json!([])));
    assert!(!admin.get(path).await.text.contains("tgs_"));
    let rotated = admin.post(&format!("{path}/ci/rotate"), &json!({"overlap_seconds": 300})).await;
    assert_eq!((rotated.status.as_u16(), &rotated.body["status"]), (200, &json!("rotating")));
    assert_ne!(rotated.body["secret"], secret);
    assert_eq!(gateway.bearer(&secret).get("/api/whoami").await.status.as_u16(), 200, "the old secret works on");
    let second = admin.post(&format!("{path}/ci/rotate"), &json!({})).await;
    assert_eq!(second.refused(409), "service_token.already_rotating");
    assert_eq!(admin.post_text(&format!("{path}/ci/rotate"), "").await.refused(400), "request.invalid");
    let revoked = Answer::of(
        admin.request("DELETE", &format!("{path}/ci")).json(&json!({"reason": "leaked"})).send().await.unwrap(),
    );
    assert_eq!(revoked.await.status.as_u16(), 204);
    assert_eq!(admin.delete(&format!("{path}/ci?reason=again")).await.status.as_u16(), 204, "idempotent");
    let shown = admin.get(&format!("{path}/ci")).await.body;
    assert_eq!((&shown["status"], &shown["revocation_reason"]), (&json!("revoked"), &json!("leaked")));
    assert_eq!(gateway.bearer(&secret).get("/api/whoami").await.refused(401), "auth.token_revoked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_mints_beyond_themselves() {
    let gateway = TestGateway::start().await;
    let path = "/api/admin/service-tokens";
    let admin = gateway.bootstrap();
    for body in [json!({}), json!({"workspace_ids": ["demo"], "all_workspaces": true})] {
        assert_eq!(admin.post(path, &body).await.refused(422), "request.invalid", "{body}");
    }
    for seconds in [json!(0), json!(-1), json!(9_223_372_036_854_775_807_i64)] {
        let body = json!({"all_workspaces": true, "expires_in_seconds": seconds});
        assert_eq!(admin.post(path, &body).await.refused(422), "request.invalid", "{seconds}");
    }
    let minter = gateway.service("minter", &["admin:tokens:write", "workflows:read"], &["demo"]).await;
    let child = minter.post(path, &json!({"scopes": ["workflows:read"]})).await;
    assert_eq!((child.status.as_u16(), &child.body["workspace_ids"]), (201, &json!(["demo"])), "spelled out");
    assert_eq!(child.body["created_by"], "minter");
    assert_eq!(minter.post(path, &json!({"scopes": ["jobs:work"]})).await.refused(403), "auth.missing_scope");
    for beyond in [json!({"workspace_ids": ["other"]}), json!({"all_workspaces": true})] {
        assert_eq!(minter.post(path, &beyond).await.refused(403), "auth.workspace_forbidden", "{beyond}");
    }
}
