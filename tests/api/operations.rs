//! Health, the document, its pages, and what every answer has.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;

use super::{
    gate::Gate,
    world::{World, unique},
};

#[tokio::test]
async fn health_needs_no_token() {
    let stranger = Gate::shared().anonymous();
    for path in ["/health/live", "/health/ready"] {
        let healthy = stranger.get(path).await;
        assert_eq!(healthy.status, 200, "{path}: {}", healthy.text);
    }
}

#[tokio::test]
async fn the_document_is_open_and_the_same_in_both_forms() {
    let stranger = Gate::shared().anonymous();
    let document = stranger.get("/openapi.json").await;
    assert_eq!(document.status, 200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    let yaml = stranger.get("/openapi.yaml").await;
    assert_eq!(yaml.status, 200);
    assert!(yaml.text.contains("/api/workflows/{id}/executions"), "{}", &yaml.text[..200]);
    let docs = stranger.get("/docs").await;
    assert_eq!((docs.status, docs.header("content-type").split(';').next()), (200, Some("text/html")));
}

/// Method, path and whether a token is needed, of every operation of the document.
async fn operations() -> Vec<(Method, String, bool)> {
    let document = Gate::shared().anonymous().get("/openapi.json").await.body;
    let mut found = Vec::new();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (verb, operation) in item.as_object().unwrap() {
            let Ok(method) = Method::from_bytes(verb.to_uppercase().as_bytes()) else { continue };
            let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{verb} {path} has no operation id"));
            assert!(ids.insert(id.to_owned()), "{id} twice");
            let secured = operation["security"].as_array().or_else(|| document["security"].as_array());
            let open = secured.is_none_or(|list| list.is_empty() || list.contains(&json!({})));
            found.push((method, path.clone(), !open));
        }
    }
    found
}

#[tokio::test]
async fn every_route_of_the_design_is_in_the_document() {
    let found = operations().await;
    for (verb, path) in [
        ("GET", "/api/whoami"),
        ("POST", "/api/admin/service-tokens"),
        ("DELETE", "/api/admin/service-tokens/{}"),
        ("POST", "/api/admin/service-tokens/{}/rotate"),
        ("GET", "/api/workspaces/{}"),
        ("PATCH", "/api/workflows/{}"),
        ("POST", "/api/workflows/{}/executions"),
        ("GET", "/api/workflows/{}/executions"),
        ("GET", "/api/workflows/{}/events"),
        ("POST", "/api/executions/{}/cancel"),
        ("GET", "/api/deployments/{}"),
        ("POST", "/api/process/{}/async"),
        ("POST", "/api/process/{}/message"),
        ("GET", "/api/process/{}/userTask/{}/variables"),
        ("POST", "/api/process/{}/incidents/{}/retry"),
        ("POST", "/api/userTask/{}/assign"),
        ("POST", "/api/message/{}"),
        ("POST", "/api/signal/{}"),
        ("POST", "/api/jobs/{}/extend"),
        ("GET", "/api/engines"),
        ("GET", "/problems/{}"),
        ("GET", "/health/ready"),
    ] {
        let shape = |path: &str| {
            let parts = path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
            parts.collect::<Vec<_>>().join("/")
        };
        assert!(found.iter().any(|(method, known, _)| method == verb && shape(known) == path), "{verb} {path}");
    }
}

#[tokio::test]
async fn every_operation_refuses_strangers_and_tokens_without_scopes() {
    let world = World::new().await;
    let nobody = world.someone(&[]).await;
    let (mut closed, mut open) = (0, Vec::new());
    for (method, path, needs_token) in operations().await {
        let concrete: String =
            path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect::<Vec<_>>().join("/");
        if !needs_token {
            open.push(path);
            continue;
        }
        closed += 1;
        world.gate.anonymous().ask(method.clone(), &concrete).await.problem(401, "auth.missing_token");
        let refused = nobody.ask(method.clone(), &concrete).await;
        let for_anyone = ["/api/whoami", "/api/workspaces", "/api/workspaces/x"];
        if method == Method::GET && for_anyone.contains(&concrete.as_str()) {
            assert_ne!(refused.status, 401, "{concrete}");
        } else {
            refused.problem(403, "auth.missing_scope");
        }
    }
    assert!(closed > 30, "{closed}");
    for path in open {
        let allowed = ["/health/", "/openapi.", "/docs", "/problems/", "/auth/"];
        assert!(allowed.iter().any(|prefix| path.starts_with(prefix)), "{path} is open");
    }
}

#[tokio::test]
async fn what_is_no_operation_is_told_only_to_who_is_known() {
    let world = World::new().await;
    for path in ["/", "/api", "/api/nosuch", "/api/workflows/", "/API/workflows", "/api//workflows", "/admin", "/v2/"] {
        world.gate.anonymous().get(path).await.problem(401, "auth.missing_token");
        let unknown = world.get(path).await;
        assert_eq!(unknown.status, 404, "{path}: {}", unknown.text);
        unknown.complete_problem();
    }
    let wrong = world.ask(Method::PUT, "/api/workflows").await;
    assert_eq!(wrong.status, 405, "{}", wrong.text);
    wrong.complete_problem();
    let allow: BTreeSet<&str> = wrong.header("allow").split(',').map(str::trim).collect();
    assert!(allow.contains("GET") && allow.contains("POST") && !allow.contains("PUT"), "{allow:?}");
    world.gate.anonymous().ask(Method::PUT, "/api/workflows").await.problem(401, "auth.missing_token");
    let healthy = world.gate.anonymous().ask(Method::POST, "/health/live").await;
    assert!(healthy.status == 405 || healthy.status == 401, "{}", healthy.status);
    healthy.complete_problem();
}

#[tokio::test]
async fn every_code_has_its_page() {
    let stranger = Gate::shared().anonymous();
    for code in [
        "auth.missing_token",
        "auth.invalid_token",
        "auth.token_expired",
        "auth.token_revoked",
        "auth.unavailable",
        "auth.life_exceeded",
        "auth.missing_scope",
        "auth.workspace_forbidden",
        "request.invalid",
        "request.unsupported_media_type",
        "request.timeout",
        "workspace.not_found",
        "workspace.id_taken",
        "workflow.not_found",
        "workflow.name_taken",
        "workflow.process_taken",
        "workflow.busy",
        "deployment.not_found",
        "deployment.rejected",
        "execution.not_found",
        "process.not_found",
        "process.ambiguous",
        "user_task.not_found",
        "user_task.already_completed",
        "incident.not_found",
        "message.not_correlated",
        "message.ambiguous",
        "job.not_found",
        "job.not_locked",
        "job.already_completed",
        "service_token.not_found",
        "service_token.identifier_taken",
        "service_token.already_rotating",
        "idempotency.key_reused",
        "idempotency.in_flight",
        "idempotency.not_replayable",
        "events.position_unknown",
        "engine.unavailable",
        "engine.outcome_unknown",
        "engine.unsupported",
    ] {
        let page = stranger.get(&format!("/problems/{code}")).await;
        assert_eq!(page.status, 200, "{code}: {}", page.text);
        assert!(page.text.contains(code), "{code}");
        assert!(page.text.len() > 100, "{code}: {}", page.text);
    }
    let none = stranger.get("/problems/no.such").await;
    assert_eq!(none.status, 404);
    none.complete_problem();
}

#[tokio::test]
async fn a_request_id_is_given_back_if_it_is_one() {
    let world = World::new().await;
    let id = unique("Req_1.x");
    let answer = world.get("/api/whoami").header("X-Request-Id", &id).await.is(200);
    assert_eq!(answer.header("x-request-id"), id);
    let refused = world.get("/api/executions/x").header("X-Request-Id", &id).await;
    assert_eq!(refused.complete_problem()["request_id"], json!(id));
    for bad in ["a b", "ä", &"x".repeat(129), "", "a\"b", "<script>"] {
        let answer = world.get("/api/whoami").header("X-Request-Id", bad).await.is(200);
        let given = answer.header("x-request-id");
        assert!(given != bad && !given.is_empty(), "{bad:?} became {given:?}");
    }
    let longest = "x".repeat(128);
    let answer = world.get("/api/whoami").header("X-Request-Id", &longest).await;
    assert_eq!(answer.header("x-request-id"), longest);
}

#[tokio::test]
async fn answers_carry_security_headers() {
    let world = World::new().await;
    for answer in [world.get("/api/whoami").await, world.get("/api/nosuch").await] {
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{:?}", answer.headers);
        assert!(answer.header("cache-control").contains("no-store"), "{:?}", answer.headers);
    }
}

#[tokio::test]
async fn the_log_has_one_line_a_request_and_no_secret() {
    let world = World::new().await;
    let id = unique("logged");
    world.get("/api/workflows?name=hidden-in-the-query").header("X-Request-Id", &id).await.is(200);
    let token = world.token.clone().unwrap();
    let line = super::gate::until("the request's line", || async {
        let log = std::fs::read_to_string(world.gate.folder().join("log")).unwrap();
        assert!(!log.contains(&token) && !log.contains("hidden-in-the-query"));
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(&id)).collect();
        (!lines.is_empty()).then(|| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<String>>())
    })
    .await;
    assert_eq!(line.len(), 1, "{line:?}");
    assert!(line[0].contains("list_workflows") && line[0].contains("200"), "{line:?}");
}

#[tokio::test]
async fn origins_are_answered_by_config() {
    let asked = |gate: &Gate| {
        let ask = gate.anonymous().ask(Method::OPTIONS, "/api/workflows").header("Origin", "https://app.example");
        ask.header("Access-Control-Request-Method", "POST").header("Access-Control-Request-Headers", "authorization")
    };
    let closed = asked(&Gate::shared()).await;
    assert_eq!(closed.header("access-control-allow-origin"), "", "{:?}", closed.headers);
    let gate = Gate::with(&[
        ("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", super::gate::ROOT),
        ("TIDEGATE_SERVER__CORS_ALLOW_ORIGINS", "https://app.example"),
    ]);
    let preflight = asked(&gate).await;
    assert!(preflight.status < 300, "{} {}", preflight.status, preflight.text);
    assert_eq!(preflight.header("access-control-allow-origin"), "https://app.example");
    assert!(preflight.header("access-control-allow-headers").to_lowercase().contains("authorization"));
    let refused = gate.anonymous().get("/api/workflows").header("Origin", "https://app.example").await;
    refused.problem(401, "auth.missing_token");
    assert_eq!(refused.header("access-control-allow-origin"), "https://app.example", "{:?}", refused.headers);
    let foreign = gate.root().get("/api/workflows").header("Origin", "https://evil.example").await.is(200);
    assert_eq!(foreign.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn the_engines_are_listed() {
    let world = World::new().await;
    let engines = world.get("/api/engines").await.is(200);
    let embedded = engines.items().iter().find(|engine| engine["name"] == "embedded");
    assert!(embedded.is_some_and(|engine| engine["kind"].is_string()), "{}", engines.text);
}
