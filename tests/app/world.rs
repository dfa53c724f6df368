//! A gate whose clock stands until a test moves it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::SignedDuration;
use tidegate::{
    adapters::{clock::ManualClock, persistence::memory::MemoryRepository, rng::SequenceRng},
    app::{App, deployments::NewDeployment, error::AppError, service_tokens::NewServiceToken, workflows::NewWorkflow},
    domain::{
        deployment::{Deployment, Resource},
        idempotency::{Fingerprint, Idempotency, IdempotencyKey},
        identity::Identity,
        json::JsonObject,
        page::PageRequest,
        scope::{Scope, Scopes, all_scopes},
        service_token::{PlainToken, ServiceToken, ServiceTokenId},
        text::{Key, Name},
        workflow::Workflow,
        workspace::{WorkspaceAccess, WorkspaceId},
    },
    ports::repository::Repository,
    wiring::{Gate, Parts},
};

pub(super) struct World {
    pub(super) gate: Gate,
    pub(super) clock: Arc<ManualClock>,
    pub(super) repository: MemoryRepository,
}

impl World {
    /// A gate that runs nothing by itself, with the workspace `demo`.
    pub(super) async fn new() -> Self {
        let world = Self::of(|parts| parts);
        world.workspace("demo").await;
        world
    }

    /// A gate of changed parts.
    pub(super) fn of(change: impl FnOnce(Parts) -> Parts) -> Self {
        let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
        let repository = MemoryRepository::default();
        let parts = Parts {
            repository: Arc::new(repository.clone()),
            clock: clock.clone(),
            rng: Arc::new(SequenceRng::default()),
            ..Parts::in_memory().unwrap()
        };
        Self { gate: Gate::new(change(parts)), clock, repository }
    }

    pub(super) fn app(&self) -> &App {
        &self.gate.app
    }

    pub(super) fn pass(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    pub(super) async fn workspace(&self, id: &str) {
        self.app().workspaces.create(&admin(), workspace(id), None, None).await.unwrap();
    }

    pub(super) async fn deploy(&self, who: &Identity, at: &str, xml: &str) -> Deployment {
        self.app().deployments.create(who, deployment(at, xml), None).await.unwrap().value
    }

    pub(super) async fn workflow(&self, who: &Identity, at: &str, name: &str) -> Result<Workflow, AppError> {
        self.app().workflows.create(who, new_workflow(at, name), None).await.map(|answer| answer.value)
    }

    /// How many executions the workflow of a deployment's first process has.
    pub(super) async fn executions(&self, workflow: tidegate::domain::ids::WorkflowId) -> usize {
        let filter = tidegate::ports::repository::ExecutionFilter {
            workflow,
            status: None,
            business_key: None,
            started_after: None,
        };
        let mut view = self.repository.view().await.unwrap();
        view.executions().list(&filter, &PageRequest::default()).await.unwrap().items.len()
    }

    pub(super) async fn mint(&self, who: &Identity, new: NewServiceToken) -> (ServiceToken, PlainToken) {
        self.app().tokens.mint(who, new, None).await.unwrap()
    }
}

/// Waits for a condition, at most ten seconds.
pub(super) async fn eventually<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let met = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), met).await.expect(what);
}

pub(super) fn workspace(id: &str) -> WorkspaceId {
    WorkspaceId::parse(id).unwrap()
}

pub(super) fn only(ids: &[&str]) -> WorkspaceAccess {
    WorkspaceAccess::Only(ids.iter().map(|id| workspace(id)).collect())
}

pub(super) fn admin() -> Identity {
    Identity::bootstrap(all_scopes(), None)
}

pub(super) fn service(subject: &str, scopes: &[Scope], workspaces: &[&str]) -> Identity {
    Identity::service(subject, scopes.iter().copied().collect(), only(workspaces))
}

pub(super) fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

pub(super) fn id(text: &str) -> ServiceTokenId {
    ServiceTokenId::parse(text).unwrap()
}

pub(super) fn nothing() -> JsonObject {
    JsonObject::new()
}

/// A repeatable request.
pub(super) fn repeatable(who: &Identity, key: &str) -> Idempotency {
    let key = IdempotencyKey::new(&who.key(), "POST", "/api", key);
    Idempotency { key, fingerprint: Fingerprint::new("", b"{}") }
}

pub(super) fn new_workflow(at: &str, name: &str) -> NewWorkflow {
    NewWorkflow {
        workspace: workspace(at),
        name: Name::parse(name).unwrap(),
        description: None,
        engine: None,
        process_key: None,
    }
}

pub(super) fn deployment(at: &str, xml: &str) -> NewDeployment {
    let resource = Resource { name: Name::parse("p.bpmn").unwrap(), content: xml.to_owned() };
    NewDeployment { workspace: workspace(at), workflow: None, engine: None, resources: vec![resource] }
}

/// A token with these rights in these workspaces.
pub(super) fn new_token(name: &str, scopes: &[Scope], workspaces: &[&str]) -> NewServiceToken {
    NewServiceToken {
        id: Some(id(name)),
        scopes: scopes.iter().copied().collect::<Scopes>(),
        workspaces: Some(workspaces.iter().map(|id| workspace(id)).collect::<BTreeSet<_>>()),
        ..NewServiceToken::default()
    }
}

fn definitions(processes: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn">
{processes}</bpmn:definitions>"#
    )
}

fn process(key: &str, start: &str) -> String {
    format!(
        r#"<bpmn:process id="{key}" isExecutable="true"><bpmn:startEvent id="{key}-start">{start}</bpmn:startEvent>
<bpmn:serviceTask id="{key}-work" camunda:type="external" camunda:topic="t"/><bpmn:sequenceFlow id="{key}-flow" sourceRef="{key}-start" targetRef="{key}-work"/></bpmn:process>"#
    )
}

/// A process of one job.
pub(super) fn one_job(key: &str) -> String {
    definitions(&process(key, ""))
}

/// Processes that a timer starts, each once.
pub(super) fn timed(keys: &[String], after: &str) -> String {
    let timer = format!(
        "<bpmn:timerEventDefinition><bpmn:timeDuration>{after}</bpmn:timeDuration></bpmn:timerEventDefinition>"
    );
    definitions(&keys.iter().map(|key| process(key, &timer)).collect::<String>())
}
