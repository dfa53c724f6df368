//! The published contract: made from the types of the operations, completed from the operation table. No database is
//! needed for it, nor a gate.

use std::collections::HashMap;

use poem::{endpoint::BoxEndpoint, http::Method};
use poem_openapi::{
    LicenseObject, OpenApi, OpenApiService,
    registry::{MetaApi, MetaParamIn, Registry},
};
use serde_json::{Map, Value, json};

use super::{
    Apis,
    operations::{Access, OPERATIONS, Operation},
    static_text::StaticText,
    yaml,
};

const DESCRIPTION: &str = "\
Tidegate is one gate in front of every workflow engine: one authenticated, real-time HTTP API.

Every error is a problem (RFC 9457) with a stable `code`; its `type` is a page about it. Bodies are I-JSON; unknown fields and \
query parameters are refused by name. Lists are read part by part with `limit` and `cursor`. Commands with an \
`Idempotency-Key` happen once in 24 hours. What an operation needs of the caller stands in `x-required-scopes`, \
and who needs none of them in `x-needs-no-scope`; with `x-all-workspaces` it is needed in all workspaces, those to come \
included.";

/// Swagger UI is one page with its script and its style within.
const DOCS_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                           img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The document, in its forms.
#[derive(Debug)]
pub struct Document {
    value: Value,
    pub(super) json: StaticText,
    pub(super) yaml: StaticText,
    pub(super) html: StaticText,
}

/// The operations' descriptions without what they run.
struct Described;

impl OpenApi for Described {
    fn meta() -> Vec<MetaApi> {
        Apis::meta()
    }

    fn register(registry: &mut Registry) {
        Apis::register(registry);
    }

    fn add_routes(self, _: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {}
}

impl Document {
    /// Makes it.
    pub fn generate() -> Self {
        let service = OpenApiService::new(Described, "Tidegate", env!("CARGO_PKG_VERSION"))
            .description(DESCRIPTION)
            .license(LicenseObject::new("MIT OR Apache-2.0"))
            .server("/");
        let mut value: Value = serde_json::from_str(&service.spec()).unwrap_or_default();
        complete(&mut value);
        let json = serde_json::to_string_pretty(&value).unwrap_or_default();
        let html = poem_openapi_page(&json);
        Self {
            yaml: StaticText::new("application/yaml", yaml::write(&value)),
            value,
            json: StaticText::new("application/json", json),
            html: StaticText::new("text/html; charset=utf-8", html).under(DOCS_POLICY),
        }
    }

    /// As JSON.
    pub fn json(&self) -> &str {
        self.json.as_str()
    }

    /// As YAML: what `openapi/openapi.yaml` holds.
    pub fn yaml(&self) -> &str {
        self.yaml.as_str()
    }

    /// As a value.
    pub fn value(&self) -> &Value {
        &self.value
    }
}

/// Swagger UI with a document within.
fn poem_openapi_page(json: &str) -> String {
    let page = OpenApiService::new((), "", "").swagger_ui_html();
    // The page has its document as one object literal; ours goes in its place. `</` must not end the script.
    let literal = OpenApiService::new((), "", "").spec();
    page.replacen(&literal, &json.replace("</", "<\\/"), 1)
}

/// The query parameters that each operation of the table knows.
pub(super) fn known_queries() -> Vec<Vec<String>> {
    let mut known: HashMap<&str, Vec<String>> = HashMap::new();
    for operation in Apis::meta().into_iter().flat_map(|api| api.paths).flat_map(|path| path.operations) {
        let query = operation.params.into_iter().filter(|param| param.in_type == MetaParamIn::Query);
        known.insert(operation.operation_id.unwrap_or_default(), query.map(|param| param.name).collect());
    }
    OPERATIONS.iter().map(|operation| known.remove(operation.id).unwrap_or_default()).collect()
}

fn complete(document: &mut Value) {
    for operation in OPERATIONS {
        let verb = operation.verb.as_str().to_ascii_lowercase();
        let found = document.get_mut("paths").and_then(|paths| paths.get_mut(operation.path));
        if let Some(Value::Object(entry)) = found.and_then(|path| path.get_mut(verb)) {
            secure(entry, operation);
        }
    }
    if let Some(Value::Object(components)) = document.get_mut("components") {
        let bearer = json!({
            "type": "http",
            "scheme": "bearer",
            "description": "A service token (`tgs_…`) or another credential that the gate is configured for.",
        });
        components.insert("securitySchemes".to_owned(), json!({ "bearer": bearer }));
    }
}

fn secure(entry: &mut Map<String, Value>, operation: &Operation) {
    let mut schemes = match operation.access {
        Access::Open => vec![],
        _ => vec![json!({ "bearer": [] })],
    };
    let scopes: Vec<_> = operation.scopes().iter().map(|scope| scope.as_str()).collect();
    if !scopes.is_empty() {
        entry.insert("x-required-scopes".to_owned(), json!(scopes));
    }
    if matches!(operation.access, Access::Everywhere(_) | Access::UserOr(_)) {
        entry.insert("x-all-workspaces".to_owned(), json!(true));
    }
    let spared = match operation.access {
        Access::UserOr(_) => Some("users"),
        Access::RoleOr(_) => Some("owners and admins of the workspace"),
        Access::Open | Access::Identity | Access::Scopes(_) | Access::Everywhere(_) => None,
    };
    if let Some(spared) = spared {
        entry.insert("x-needs-no-scope".to_owned(), json!(spared));
    }
    if operation.query_token {
        entry.insert("x-query-token".to_owned(), json!(["token", "access_token"]));
    }
    entry.insert("security".to_owned(), Value::Array(std::mem::take(&mut schemes)));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_of_the_table_has_an_operation_and_every_operation_a_row() {
        let document = Document::generate();
        let mut described = BTreeSet::new();
        for (path, verbs) in document.value()["paths"].as_object().unwrap() {
            for (verb, operation) in verbs.as_object().unwrap() {
                described.insert((
                    verb.to_uppercase(),
                    path.clone(),
                    operation["operationId"].as_str().unwrap().to_owned(),
                ));
            }
        }
        let row = |row: &Operation| (row.verb.as_str().to_owned(), row.path.to_owned(), row.id.to_owned());
        assert_eq!(OPERATIONS.iter().map(row).collect::<BTreeSet<_>>(), described);
    }
}
