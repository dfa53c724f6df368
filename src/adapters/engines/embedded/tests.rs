//! What callers of the local engine rely on beyond the engine ports: the changes and their order, what is due, what is broken.

mod auto_commit;
mod broken;
mod leftovers;
mod time;

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::*;
use crate::{
    adapters::{persistence::memory::MemoryRepository, rng::SequenceRng},
    domain::{
        deployment::Resource,
        engine::NativeId,
        ids::DeploymentId,
        json::JsonObject,
        text::{Key, Name},
        workspace::{WorkspaceAccess, WorkspaceId},
    },
    ports::{
        engine::{Activate, ActivatedJob, Broadcast, Deploy, JobClaim, JobFailure, Start},
        engine_store::{InstanceRow, instance_uuid},
        local_engine::{InstanceChange, InstanceStarted},
        repository::Repository as _,
        rng::RngExt as _,
    },
};

const ORDER: &str = include_str!("../../../../examples/order.bpmn");

/// An engine, its store and the time.
struct World {
    engine: EmbeddedEngine,
    repository: MemoryRepository,
    now: Timestamp,
}

impl World {
    fn new() -> Self {
        Self {
            engine: EmbeddedEngine::new(Arc::new(SequenceRng::default())),
            repository: MemoryRepository::default(),
            now: "2026-01-31T10:00:00Z".parse().unwrap(),
        }
    }

    async fn try_apply(&self, command: EngineCommand) -> Result<Vec<EngineChange>, EngineError> {
        let mut uow = self.repository.begin().await.unwrap();
        let changes = self.engine.apply(&mut *uow, command, self.now).await?;
        uow.commit().await.unwrap();
        Ok(changes)
    }

    async fn apply(&self, command: EngineCommand) -> Vec<EngineChange> {
        self.try_apply(command).await.unwrap()
    }

    async fn deploy(&self, xml: &str) {
        let resource = Resource { name: Name::parse("file.bpmn").unwrap(), content: xml.to_owned() };
        let deployment = DeploymentId::new(self.engine.rng.uuid_v7(self.now));
        self.apply(EngineCommand::Deploy(Deploy { deployment, workspace: demo(), resources: vec![resource] })).await;
    }

    async fn start(&self, process: &str, variables: Value) -> (NativeId, Vec<String>) {
        let start =
            Start { workspace: demo(), process_key: key(process), business_key: None, variables: object(variables) };
        let changes = self.apply(EngineCommand::Start(start)).await;
        let EngineChange::Started(started) = &changes[0] else { panic!("{changes:?}") };
        (started.instance.clone(), tell(&changes))
    }

    async fn jobs(&self, topic: &str) -> Vec<ActivatedJob> {
        let wish = Activate {
            within: only_demo(),
            topics: vec![key(topic)],
            worker: key("w1"),
            max: 10,
            lock: SignedDuration::from_mins(1),
            variables: None,
        };
        match self.apply(EngineCommand::Activate(wish)).await.remove(0) {
            EngineChange::Activated(jobs) => jobs,
            other => panic!("{other:?}"),
        }
    }

    async fn due(&self) -> Vec<EngineCommand> {
        let mut view = self.repository.view().await.unwrap();
        self.engine.due(&mut *view, self.now, 100).await.unwrap()
    }

    async fn row(&self, instance: &NativeId) -> InstanceRow {
        let id = instance_uuid(instance).unwrap();
        self.repository.view().await.unwrap().instances().find(id).await.unwrap().unwrap()
    }

    /// Spoils an instance's document.
    async fn spoil(&self, instance: &NativeId) {
        let row = InstanceRow { state: "{".to_owned(), ..self.row(instance).await };
        let mut uow = self.repository.begin().await.unwrap();
        uow.instances().update(&row).await.unwrap();
        uow.commit().await.unwrap();
    }
}

fn demo() -> WorkspaceId {
    WorkspaceId::parse("demo").unwrap()
}

fn only_demo() -> WorkspaceAccess {
    WorkspaceAccess::Only(BTreeSet::from([demo()]))
}

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

fn object(value: Value) -> JsonObject {
    serde_json::from_value(value).unwrap()
}

fn claim(job: &ActivatedJob) -> JobClaim {
    JobClaim { id: job.id.clone(), worker: key("w1"), lock_token: Some(job.lock_token.clone()) }
}

/// A file with the process `p`.
fn file(elements: &str) -> String {
    format!(
        r#"<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn">
        <signal id="s" name="Stop"/><process id="p" isExecutable="true">{elements}</process></definitions>"#
    )
}

/// A process whose timer starts an instance every ten seconds.
fn every_ten_seconds() -> String {
    file(
        r#"<startEvent id="tick"><timerEventDefinition><timeCycle>R/PT10S</timeCycle></timerEventDefinition></startEvent>
        <userTask id="ask"/><sequenceFlow id="f" sourceRef="tick" targetRef="ask"/>"#,
    )
}

/// A process that waits ten seconds, with a job and a signal beside.
fn waits() -> String {
    file(
        r#"<startEvent id="start"/><sequenceFlow id="f1" sourceRef="start" targetRef="wait"/>
        <sequenceFlow id="f2" sourceRef="start" targetRef="work"/><sequenceFlow id="f3" sourceRef="start" targetRef="stop"/>
        <intermediateCatchEvent id="wait"><timerEventDefinition><timeDuration>PT10S</timeDuration></timerEventDefinition></intermediateCatchEvent>
        <intermediateCatchEvent id="stop"><signalEventDefinition signalRef="s"/></intermediateCatchEvent>
        <serviceTask id="work" camunda:type="external" camunda:topic="t"/>"#,
    )
}

/// The changes in short.
fn tell(changes: &[EngineChange]) -> Vec<String> {
    changes
        .iter()
        .map(|change| match change {
            EngineChange::Started(InstanceStarted { process_key, timer, .. }) => {
                format!("started {process_key} {timer:?}")
            }
            EngineChange::Instance { change, .. } => tell_of(change),
            other => format!("{other:?}"),
        })
        .collect()
}

fn tell_of(change: &InstanceChange) -> String {
    match change {
        InstanceChange::JobCreated { element_id, topic, retries, .. } => format!("job {element_id} {topic} {retries}"),
        InstanceChange::JobCompleted { element_id, .. } => format!("job completed {element_id}"),
        InstanceChange::JobFailed { message, retries, .. } => format!("job failed {message} {retries}"),
        InstanceChange::JobCancelled { element_id, .. } => format!("job cancelled {element_id}"),
        InstanceChange::TaskCreated(task) => format!("task {}", task.element_id),
        InstanceChange::TaskAssigned { assignee, .. } => {
            format!("task assigned {}", assignee.as_ref().map_or("nobody", Key::as_str))
        }
        InstanceChange::TaskCompleted { element_id, .. } => format!("task completed {element_id}"),
        InstanceChange::TimerFired { element_id } => format!("timer {element_id}"),
        InstanceChange::MessageCorrelated { element_id, message } => format!("message {message} {element_id}"),
        InstanceChange::IncidentRaised(incident) => format!("incident {}", incident.kind),
        InstanceChange::IncidentResolved { element_id, .. } => format!("resolved {element_id}"),
        InstanceChange::Completed { result } => format!("completed {}", Value::Object(result.clone())),
        InstanceChange::Cancelled => "cancelled".to_owned(),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn a_life_is_told_in_order() {
    let world = World::new();
    world.deploy(ORDER).await;
    let (_, began) = world.start("order", json!({"amount": 120})).await;
    assert_eq!(began, ["started order None", "job charge charge 3"]);

    let job = world.jobs("charge").await.remove(0);
    let failure =
        |retries| JobFailure { message: "declined".to_owned(), details: None, retries, retry_in: SignedDuration::ZERO };
    let failed = world.apply(EngineCommand::FailJob { claim: claim(&job), failure: failure(1) }).await;
    assert_eq!(tell(&failed), ["job failed declined 1"]);
    let job = world.jobs("charge").await.remove(0);
    let failed = world.apply(EngineCommand::FailJob { claim: claim(&job), failure: failure(0) }).await;
    assert_eq!(tell(&failed), ["job failed declined 0", "incident job_failed"]);
    let retry = EngineCommand::Retry { instance: job.instance.clone(), incident: job.id.clone(), retries: 1 };
    assert_eq!(tell(&world.apply(retry).await), ["resolved charge"]);

    let job = world.jobs("charge").await.remove(0);
    let complete =
        EngineCommand::CompleteJob { claim: claim(&job), variables: object(json!({"paid": true, "receipt": "r-1"})) };
    let changes = world.apply(complete).await;
    assert_eq!(tell(&changes), ["job completed charge", "task approve"]);
    let Some(EngineChange::Instance { change: InstanceChange::TaskCreated(task), .. }) = changes.last() else {
        panic!("{changes:?}")
    };
    let task = task.id.clone();
    for expected in [vec!["task assigned ada"], vec![]] {
        let assign = EngineCommand::AssignTask { task: task.clone(), assignee: Some(key("ada")) };
        assert_eq!(tell(&world.apply(assign).await), expected);
    }
    let complete = EngineCommand::CompleteTask { task, variables: object(json!({"approved": true})) };
    let changes = tell(&world.apply(complete).await);
    assert_eq!(changes[0], "task completed approve");
}

#[tokio::test]
async fn a_cancelled_instance_tells_what_went_with_it() {
    let world = World::new();
    world.deploy(&waits()).await;
    let (instance, _) = world.start("p", json!({})).await;
    let job = world.jobs("t").await.remove(0);
    let failure = JobFailure { message: "no".to_owned(), details: None, retries: 0, retry_in: SignedDuration::ZERO };
    world.apply(EngineCommand::FailJob { claim: claim(&job), failure }).await;
    let changes = world.apply(EngineCommand::Cancel { instance }).await;
    assert_eq!(tell(&changes), ["resolved work", "job cancelled work", "cancelled"]);
}

#[tokio::test]
async fn released_jobs_are_offered_at_once() {
    let world = World::new();
    world.deploy(&waits()).await;
    world.start("p", json!({})).await;
    let job = world.jobs("t").await.remove(0);
    assert_eq!(world.jobs("t").await, []);
    let strangers = JobClaim { lock_token: Some("x".to_owned()), ..claim(&job) };
    let unknown = JobClaim { id: NativeId::new("x"), ..claim(&job) };
    world.apply(EngineCommand::Release { claims: vec![strangers, unknown] }).await;
    assert_eq!(world.jobs("t").await, []);
    world.apply(EngineCommand::Release { claims: vec![claim(&job)] }).await;
    let again = world.jobs("t").await.remove(0);
    assert_eq!((again.id, again.retries), (job.id.clone(), job.retries));
    // The claim of before does not hold any more.
    world.apply(EngineCommand::Release { claims: vec![claim(&job)] }).await;
    assert_eq!(world.jobs("t").await, []);
}

#[tokio::test]
async fn a_deployment_brings_a_bounded_number_of_processes() {
    let world = World::new();
    for (count, accepted) in [(100, true), (101, false)] {
        let process =
            |number| format!(r#"<process id="p{number}" isExecutable="true"><startEvent id="s{number}"/></process>"#);
        let processes = (0..count).map(process).collect::<Vec<_>>().concat();
        let content =
            format!(r#"<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL">{processes}</definitions>"#);
        let resource = Resource { name: Name::parse("file.bpmn").unwrap(), content };
        let deployment = DeploymentId::new(world.engine.rng.uuid_v7(world.now));
        let deploy = Deploy { deployment, workspace: demo(), resources: vec![resource] };
        let outcome = world.try_apply(EngineCommand::Deploy(deploy)).await;
        assert_eq!(outcome.is_ok(), accepted);
        assert!(accepted || matches!(outcome, Err(EngineError::Rejected(_))));
    }
}
