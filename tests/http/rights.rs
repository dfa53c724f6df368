//! Every sort of caller asks for every sort of operation in every workspace: what is answered is what the contract says
//! (authentication.md section 3), and `whoami?explain=` says the same.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use proptest::prelude::*;
use serde_json::{Value, json};
use tidegate::{
    adapters::http::Settings,
    app::{authenticate::Mode, people::Issuer},
    domain::{
        identity::{CredentialKind, Identity, IdentityKind},
        issuer::{IssuerPolicy, Provision},
        scope::{Scope, all_scopes},
        user::IssuerName,
    },
    wiring::Parts,
};
use tokio::runtime;

use crate::support::{
    gateway::{Answer, BOOTSTRAP, Client, TestGateway},
    people::TestIssuer,
    rights::{Made, PLACES, Reach, made},
};

const MODEL: &str = r#"<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" targetNamespace="t">
    <process id="p" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="ask"/>
    <userTask id="ask"/><sequenceFlow id="g" sourceRef="ask" targetRef="e"/><endEvent id="e"/></process></definitions>"#;

/// A workspace with one thing of each sort.
struct Place {
    id: &'static str,
    workflow: String,
    deployment: String,
    execution: String,
    instance: String,
    task: String,
}

/// How an operation comes by its workspace.
#[derive(Debug, Clone, Copy)]
enum By {
    /// The request names it.
    Name,
    /// The request names a thing of it.
    Thing,
    /// The request names a thing, or makes one, of which whoever lacks the right learns less.
    Token,
    /// It is shown to who reaches it.
    Reach,
    /// It is about no workspace, and needs all.
    Everywhere,
    /// It is about its members, and a role counts within a token that lets this through.
    Role(Scope),
}

struct Operation {
    verb: &'static str,
    path: String,
    body: Value,
    scope: Scope,
    by: By,
}

/// What can be asked of a place.
fn operations(place: &Place) -> Vec<Operation> {
    use By::{Everywhere, Name, Reach, Role, Thing, Token};
    use Scope::{
        AdminAuditRead, AdminTokensRead, AdminTokensWrite, AdminWorkspacesWrite, ChatkitSession, JobsWork,
        WorkflowsExecute, WorkflowsRead, WorkflowsWrite,
    };
    let Place { id, workflow, deployment, execution, instance, task } = place;
    let get = |path: String, scope, by| Operation { verb: "GET", path, body: Value::Null, scope, by };
    let does = |verb, path: String, body, scope, by| Operation { verb, path, body, scope, by };
    let model = json!([{"name": "m.bpmn", "content": "<nonsense/>"}]);
    vec![
        get(format!("/api/workspaces/{id}"), WorkflowsRead, Reach),
        get(format!("/api/workflows?workspace_id={id}"), WorkflowsRead, Name),
        get(format!("/api/workflows/{workflow}"), WorkflowsRead, Thing),
        get(format!("/api/workflows/{workflow}/executions"), WorkflowsRead, Thing),
        get(format!("/api/workflows/{workflow}/events?after=0"), WorkflowsRead, Thing),
        get(format!("/api/deployments?workspace_id={id}"), WorkflowsRead, Name),
        get(format!("/api/deployments/{deployment}"), WorkflowsRead, Thing),
        get(format!("/api/executions/{execution}"), WorkflowsRead, Thing),
        get(format!("/api/process/{instance}"), WorkflowsRead, Thing),
        get(format!("/api/process/{instance}/variables"), WorkflowsRead, Thing),
        get(format!("/api/process/{instance}/incidents"), WorkflowsRead, Thing),
        get(format!("/api/userTask?workspaceId={id}"), WorkflowsRead, Name),
        does("PATCH", format!("/api/workflows/{workflow}"), json!({"description": "d"}), WorkflowsWrite, Thing),
        does("POST", "/api/workflows".into(), json!({"workspace_id": id, "name": "p"}), WorkflowsWrite, Name),
        does("POST", "/api/deployments".into(), json!({"workspace_id": id, "resources": model}), WorkflowsWrite, Name),
        does("POST", format!("/api/workflows/{workflow}/executions"), json!({}), WorkflowsExecute, Thing),
        does("POST", format!("/api/process/p/async?workspaceId={id}"), json!({}), WorkflowsExecute, Name),
        does("POST", format!("/api/message/m?workspaceId={id}"), json!({}), WorkflowsExecute, Name),
        does("POST", format!("/api/signal/s?workspaceId={id}"), json!({}), WorkflowsExecute, Name),
        does("POST", format!("/api/userTask/{task}/assign"), json!({"assignee": "x"}), WorkflowsExecute, Thing),
        does(
            "POST",
            "/api/jobs/activate".into(),
            json!({"topics": ["t"], "worker": "w", "workspaceId": id}),
            JobsWork,
            Name,
        ),
        does("POST", "/api/chatkit/session".into(), json!({"workspace_id": id}), ChatkitSession, Token),
        get(format!("/api/admin/service-tokens/of-{id}"), AdminTokensRead, Token),
        does("POST", "/api/admin/service-tokens".into(), json!({"workspace_ids": [id]}), AdminTokensWrite, Token),
        get(format!("/api/admin/audit-events?workspace_id={id}"), AdminAuditRead, Name),
        get("/api/admin/revocations".into(), AdminTokensRead, Everywhere),
        get(format!("/api/workspaces/{id}/members"), AdminWorkspacesWrite, Role(WorkflowsRead)),
        does(
            "DELETE",
            format!("/api/workspaces/{id}/members/corp:nobody"),
            Value::Null,
            AdminWorkspacesWrite,
            Role(WorkflowsWrite),
        ),
    ]
}

/// The codes of which the refusal must have one; none: it is let through.
fn expected(made: &Made, operation: &Operation, place: &str) -> &'static [&'static str] {
    let (reached, may) = (made.reaches(place), made.may(operation.scope, place));
    match operation.by {
        By::Reach if reached => &[],
        By::Role(least) if made.sees_to_members(place, least) => &[],
        By::Everywhere if may && made.reaches_all() => &[],
        By::Everywhere => &["auth.missing_scope", "auth.workspace_forbidden"],
        By::Reach | By::Role(_) if !reached => &["auth.workspace_forbidden"],
        By::Role(_) => &["auth.missing_scope"],
        By::Name | By::Thing | By::Token if may => &[],
        By::Name | By::Thing if !made.ceiling_has(operation.scope) || reached => &["auth.missing_scope"],
        By::Name => &["auth.workspace_forbidden"],
        By::Thing => &[
            "workflow.not_found",
            "deployment.not_found",
            "execution.not_found",
            "process.not_found",
            "user_task.not_found",
        ],
        By::Token => &["auth.missing_scope", "auth.workspace_forbidden", "service_token.not_found"],
        By::Reach => unreachable!("it is reached"),
    }
}

struct Town {
    gateway: TestGateway,
    issuer: TestIssuer,
    places: Vec<Place>,
    count: AtomicU32,
}

/// An issuer for each set of `default_workspaces`.
fn issuers() -> Vec<Issuer> {
    let sets = (0_u8..8).map(|bits| {
        Reach::Only(
            PLACES.into_iter().zip([1, 2, 4]).filter(|(_, bit)| bits & bit != 0).map(|(place, _)| place).collect(),
        )
    });
    let policies = sets.chain([Reach::All]).map(|defaults| IssuerPolicy {
        default_workspaces: defaults.access(),
        max_scopes: all_scopes(),
        ..IssuerPolicy::new(issuer_of(&defaults), Provision::User)
    });
    policies.map(Issuer::from).collect()
}

fn issuer_of(defaults: &Reach) -> IssuerName {
    let name = match defaults {
        Reach::All => "all".to_owned(),
        Reach::Only(ids) => ids.iter().fold("only-".to_owned(), |name, id| name + id),
    };
    IssuerName::parse(&name).unwrap()
}

impl Town {
    async fn start() -> Self {
        let issuer = TestIssuer::default();
        let parts = Parts::in_memory().unwrap().with_bootstrap_token(BOOTSTRAP);
        let parts =
            Parts { mode: Mode::Required, validators: vec![Arc::new(issuer.clone())], issuers: issuers(), ..parts };
        let gateway = TestGateway::of(parts, Settings::default()).await;
        let root = gateway.bootstrap();
        let mut places = Vec::new();
        for id in PLACES {
            made_by(&root, "/api/workspaces", json!({ "id": id })).await;
            made_by(
                &root,
                "/api/admin/service-tokens",
                json!({"identifier": format!("of-{id}"), "workspace_ids": [id]}),
            )
            .await;
            let resources = json!([{"name": "p.bpmn", "content": MODEL}]);
            let deployed =
                made_by(&root, "/api/deployments", json!({"workspace_id": id, "resources": resources})).await;
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let workflow = text(&deployed["processes"][0]["workflow_id"]);
            let started = made_by(&root, &format!("/api/workflows/{workflow}/executions"), json!({})).await;
            let tasks = root.get(&format!("/api/userTask?workspaceId={id}")).await.body;
            places.push(Place {
                id,
                workflow,
                deployment: text(&deployed["id"]),
                execution: text(&started["id"]),
                instance: text(&started["process_instance_id"]),
                task: text(&tasks["items"][0]["id"]),
            });
        }
        Self { gateway, issuer, places, count: AtomicU32::new(0) }
    }

    /// Somebody new, made so.
    async fn caller(&self, made: &Made) -> Client {
        let (root, issuer) = (self.gateway.bootstrap(), issuer_of(&made.defaults));
        let subject = format!("p{}", self.count.fetch_add(1, Ordering::Relaxed));
        let member = |place: &str| format!("/api/workspaces/{place}/members/{issuer}:{subject}");
        let put = async |place: &str, role: &str| {
            let answer = root.request("PUT", &member(place)).json(&json!({ "role": role })).send().await.unwrap();
            assert_eq!(answer.status(), 200);
        };
        if made.belonged {
            put("a", "viewer").await;
            assert_eq!(root.delete(&member("a")).await.status, 204);
        }
        for (place, role) in &made.roles {
            put(place, role.as_str()).await;
        }
        let who = Identity::new(subject, IdentityKind::User, CredentialKind::External, made.token());
        self.gateway.bearer(&self.issuer.token(Identity { issuer: Some(issuer.to_string()), ..who }))
    }

    async fn judged(&self, made: &Made) -> Result<(), TestCaseError> {
        let caller = self.caller(made).await;
        for place in &self.places {
            for operation in operations(place) {
                let answer = ask(&caller, &operation).await;
                let expected = expected(made, &operation, place.id);
                let told = format!("{} {}: {} {}", operation.verb, operation.path, answer.status, answer.text);
                let code = answer.body["code"].as_str().unwrap_or_default();
                let refused = matches!(answer.status.as_u16(), 401 | 403) || code.ends_with(".not_found");
                if expected.is_empty() {
                    prop_assert!(!refused || code == "membership.not_found", "{told}");
                } else {
                    prop_assert!(expected.contains(&code), "{told}, not {expected:?}");
                }
                self.explained(&caller, &operation, place.id, expected).await?;
            }
        }
        Ok(())
    }

    /// `whoami?explain=` says of it what happened.
    async fn explained(
        &self,
        caller: &Client,
        operation: &Operation,
        place: &str,
        expected: &[&str],
    ) -> Result<(), TestCaseError> {
        let path = operation.path.split('?').next().unwrap();
        let asked = format!("/api/whoami?explain={}%20{path}&workspace_id={place}", operation.verb);
        let said = caller.get(&asked).await.body["explain"].clone();
        prop_assert_eq!(said["allowed"].as_bool(), Some(expected.is_empty()), "{}: {}", operation.path, said);
        if let [only] = expected {
            prop_assert_eq!(said["code"].as_str(), Some(*only), "{}: {}", operation.path, said);
        }
        Ok(())
    }
}

async fn made_by(root: &Client, path: &str, body: Value) -> Value {
    let made = root.post(path, &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.body
}

async fn ask(caller: &Client, operation: &Operation) -> Answer {
    let request = caller.request(operation.verb, &operation.path);
    let request = if operation.body.is_null() { request } else { request.json(&operation.body) };
    Answer::of(request.send().await.unwrap()).await
}

#[test]
fn every_answer_is_what_the_rights_of_the_caller_say() {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let town = runtime.block_on(Town::start());
    proptest!(ProptestConfig::with_cases(16), |(made in made())| {
        runtime.block_on(town.judged(&made))?;
    });
}
