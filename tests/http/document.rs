//! The published contract, and the walk over it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tidegate::adapters::http::Document;

use crate::support::gateway::TestGateway;

/// Operations that anybody may call. This list only shrinks.
const OPEN: &[&str] = &["docs", "get_problem", "live", "openapi_json", "openapi_yaml", "ready", "receive_workos_event"];

struct Operation {
    method: String,
    path: String,
    id: String,
    scopes: Vec<String>,
}

fn operations() -> Vec<Operation> {
    let document = Document::generate();
    let paths = document.value()["paths"].as_object().unwrap().clone();
    let mut operations = Vec::new();
    for (path, methods) in paths {
        for (method, entry) in methods.as_object().unwrap() {
            let scopes = entry["x-required-scopes"].as_array().cloned().unwrap_or_default();
            operations.push(Operation {
                method: method.to_uppercase(),
                path: path.replace(['{', '}'], ""),
                id: entry["operationId"].as_str().unwrap().to_owned(),
                scopes: scopes.iter().map(|scope| scope.as_str().unwrap().to_owned()).collect(),
            });
        }
    }
    operations
}

#[test]
fn the_published_contract_is_what_the_code_says() {
    let published = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/openapi.yaml")).unwrap();
    let generated = Document::generate();
    assert!(
        published == generated.yaml(),
        "openapi/openapi.yaml is out of date; rewrite it with: cargo run -- openapi > openapi/openapi.yaml"
    );
}

#[test]
fn every_operation_says_what_it_needs() {
    for operation in operations() {
        let open = OPEN.contains(&operation.id.as_str());
        let identity_only = ["whoami", "list_workspaces", "get_workspace"].contains(&operation.id.as_str());
        assert_eq!(operation.scopes.is_empty(), open || identity_only, "{}", operation.id);
    }
}

/// The operations by what they need, as `docs/scopes.md` has them.
fn table() -> String {
    let document = Document::generate();
    let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, methods) in document.value()["paths"].as_object().unwrap() {
        for (method, entry) in methods.as_object().unwrap() {
            rows.entry(need(entry)).or_default().push(format!("`{} {path}`", method.to_uppercase()));
        }
    }
    let rows = rows.into_iter().map(|(need, operations)| format!("| {need} | {} |\n", operations.join(", ")));
    ["| needs | operations |\n|---|---|\n".to_owned()].into_iter().chain(rows).collect()
}

fn need(entry: &Value) -> String {
    let scopes = entry["x-required-scopes"].as_array().map_or(&[][..], Vec::as_slice);
    let scopes = scopes.iter().map(|scope| format!("`{}`", scope.as_str().unwrap())).collect::<Vec<_>>().join(", ");
    let everywhere = if entry["x-all-workspaces"] == true { " on all workspaces" } else { "" };
    match (entry["x-needs-no-scope"].as_str(), scopes.is_empty(), entry["security"] == json!([])) {
        (Some(spared), ..) => format!("{scopes}{everywhere}; {spared}: nothing"),
        (None, true, true) => "no authentication".to_owned(),
        (None, true, false) => "an identity".to_owned(),
        (None, false, _) => format!("{scopes}{everywhere}"),
    }
}

#[test]
fn the_table_of_the_docs_is_what_the_code_says() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scopes.md")).unwrap();
    let table = table();
    assert!(page.contains(&table), "docs/scopes.md is out of date; its table is now:\n{table}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_gets_401_and_a_token_without_the_scope_403() {
    let gateway = TestGateway::start().await;
    let (stranger, powerless) = (gateway.anonymous(), gateway.service("powerless", &[], &["demo"]).await);
    for Operation { method, path, id, scopes } in operations() {
        let refused = stranger.request(&method, &path).send().await.unwrap();
        if OPEN.contains(&id.as_str()) {
            assert_ne!(refused.status(), 401, "{id}");
            continue;
        }
        let refused = crate::support::gateway::Answer::of(refused).await;
        assert_eq!(refused.refused(401), "auth.missing_token", "{id}");
        assert_eq!(refused.header("www-authenticate"), "Bearer realm=\"tidegate\"", "{id}");
        if !scopes.is_empty() {
            let refused = powerless.send(&method, &path, &[].into(), "").await;
            assert_eq!(refused.refused(403), "auth.missing_scope", "{id}");
            assert_eq!(refused.body["message"], format!("Missing required scopes: {}", scopes.join(" ")), "{id}");
            assert!(refused.header("www-authenticate").contains(&format!("scope=\"{}\"", scopes.join(" "))), "{id}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_is_served_as_json_yaml_and_a_page() {
    let gateway = TestGateway::start().await;
    let client = gateway.anonymous();
    let document = Document::generate();
    assert_eq!(client.get("/openapi.json").await.body, *document.value());
    assert_eq!(client.get("/openapi.yaml").await.text, document.yaml());
    let page = client.get("/docs").await;
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(page.header("content-security-policy").contains("script-src 'unsafe-inline'"));
    assert!(page.text.contains("\"operationId\": \"whoami\"") && page.text.contains("SwaggerUIBundle"));
    assert_eq!(page.text.matches("</script>").count(), 2, "no text of the document ends the script");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_code_has_a_page() {
    let gateway = TestGateway::start().await;
    let client = gateway.anonymous();
    let page = client.get("/problems/auth.missing_scope").await;
    assert_eq!(page.body["code"], "auth.missing_scope");
    assert_eq!(page.body["statuses"], json!([403]));
    let html = client.request("GET", "/problems/request.invalid").header("accept", "text/html").send().await.unwrap();
    assert!(html.text().await.unwrap().contains("<code>request.invalid</code>"));
    assert_eq!(client.get("/problems/no.such").await.refused(404), "request.not_found");
    assert_ne!(Value::Null, page.body["remedy"]);
}
