//! An engine under test, and the time that it lives in.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tidegate::{
    domain::{
        deployment::Resource,
        engine::NativeId,
        execution::ExecutionStatus,
        ids::DeploymentId,
        json::JsonObject,
        text::{Key, Name},
        workspace::{WorkspaceAccess, WorkspaceId},
    },
    ports::engine::{
        Activate, ActivatedJob, Capabilities, Correlate, Deploy, DeployedDefinition, Engine, EngineError, Incident,
        Instance, JobClaim, JobFailure, Start, TaskQuery, UserTask,
    },
};
use uuid::Uuid;

/// The workspaces that every world has.
pub(super) const DEMO: &str = "demo";
pub(super) const OTHER: &str = "other";

/// Lets time pass for an engine.
#[async_trait]
pub(super) trait Time: fmt::Debug + Send + Sync {
    /// Returns when this much time has passed and everything that it brought is done.
    async fn pass(&self, by: SignedDuration);

    /// Whether it passes in one leap, as in a downtime: what comes due on the way is done at its end only.
    fn leaps(&self) -> bool;
}

/// An engine under test.
#[derive(Debug)]
pub(super) struct World {
    pub(super) engine: Arc<dyn Engine>,
    time: Box<dyn Time>,
    deployments: AtomicU64,
}

impl World {
    pub(super) fn new(engine: Arc<dyn Engine>, time: Box<dyn Time>) -> Self {
        Self { engine, time, deployments: AtomicU64::new(1) }
    }

    pub(super) fn can(&self) -> Capabilities {
        self.engine.capabilities()
    }

    pub(super) async fn pass(&self, by: SignedDuration) {
        self.time.pass(by).await;
    }

    pub(super) fn leaps(&self) -> bool {
        self.time.leaps()
    }

    /// Puts files on the engine, by name.
    pub(super) async fn deploy_files(
        &self,
        workspace: &str,
        files: &[(&str, &str)],
    ) -> Result<Vec<DeployedDefinition>, EngineError> {
        let number = self.deployments.fetch_add(1, Ordering::SeqCst);
        let resources = files
            .iter()
            .map(|(name, content)| Resource { name: Name::parse(*name).unwrap(), content: (*content).to_owned() });
        let deploy = Deploy {
            deployment: DeploymentId::new(Uuid::from_u128(u128::from(number))),
            workspace: self::workspace(workspace),
            resources: resources.collect(),
        };
        self.engine.deploy(deploy).await
    }

    /// Puts one file into the workspace `demo`.
    pub(super) async fn deploy(&self, xml: &str) -> Vec<DeployedDefinition> {
        self.deploy_files(DEMO, &[("file.bpmn", xml)]).await.unwrap()
    }

    /// Puts the process `p` of these elements into the workspace `demo` and starts it there.
    pub(super) async fn run(&self, body: &str, variables: Value) -> Instance {
        self.deploy(&super::model::file(body)).await;
        self.start("p", variables).await
    }

    pub(super) async fn start(&self, process: &str, variables: Value) -> Instance {
        self.start_in(DEMO, process, None, variables).await.unwrap()
    }

    pub(super) async fn start_in(
        &self,
        workspace: &str,
        process: &str,
        business_key: Option<&str>,
        variables: Value,
    ) -> Result<Instance, EngineError> {
        let start = Start {
            workspace: self::workspace(workspace),
            process_key: key(process),
            business_key: business_key.map(key),
            variables: object(variables),
        };
        self.engine.start(start).await
    }

    pub(super) async fn instance(&self, id: &NativeId) -> Instance {
        let mut found = self.engine.instances(std::slice::from_ref(id)).await.unwrap();
        assert_eq!(found.len(), 1);
        found.remove(0)
    }

    pub(super) async fn status(&self, id: &NativeId) -> ExecutionStatus {
        self.instance(id).await.status
    }

    pub(super) async fn variables(&self, id: &NativeId) -> Value {
        Value::Object(self.engine.variables(id).await.unwrap())
    }

    /// The elements in which an instance stands, sorted.
    pub(super) async fn active(&self, id: &NativeId) -> Vec<String> {
        let active = self.engine.active_elements(id).await.unwrap();
        let mut active: Vec<_> = active.into_iter().map(|element| element.element_id).collect();
        active.sort();
        active
    }

    /// Locks every job of the topic `t` in `demo` for a minute, as the worker `w1`.
    pub(super) async fn jobs(&self) -> Vec<ActivatedJob> {
        self.engine.activate(activate("t")).await.unwrap()
    }

    /// Locks the one job of the topic `t`. An engine passes over what another unit of work holds, also one that was refused
    /// and is just being rolled back: so this waits a little for the job.
    pub(super) async fn job(&self) -> ActivatedJob {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let mut jobs = self.jobs().await;
            match jobs.len() {
                1 => return jobs.remove(0),
                0 if Instant::now() < deadline => tokio::time::sleep(Duration::from_millis(10)).await,
                _ => panic!("not one job: {jobs:?}"),
            }
        }
    }

    pub(super) async fn complete_job(&self, job: &ActivatedJob, variables: Value) -> Result<(), EngineError> {
        self.engine.complete_job(claim(job), object(variables)).await
    }

    /// Fails a job for good.
    pub(super) async fn fail_for_good(&self, job: &ActivatedJob, message: &str) {
        let failure =
            JobFailure { message: message.to_owned(), details: None, retries: 0, retry_in: SignedDuration::ZERO };
        self.engine.fail_job(claim(job), failure).await.unwrap();
    }

    /// All open tasks in `demo`, newest first.
    pub(super) async fn tasks(&self) -> Vec<UserTask> {
        self.engine.user_tasks(&TaskQuery::within(only(DEMO)), None, 100).await.unwrap()
    }

    /// The one open task in `demo`.
    pub(super) async fn task(&self) -> UserTask {
        let mut tasks = self.tasks().await;
        assert_eq!(tasks.len(), 1, "{tasks:?}");
        tasks.remove(0)
    }

    pub(super) async fn incidents(&self, instance: &NativeId) -> Vec<Incident> {
        self.engine.incidents(instance).await.unwrap()
    }

    /// The one open incident of an instance.
    pub(super) async fn incident(&self, instance: &NativeId) -> Incident {
        let mut incidents = self.incidents(instance).await;
        assert_eq!(incidents.len(), 1, "{incidents:?}");
        incidents.remove(0)
    }
}

pub(super) fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

pub(super) fn workspace(id: &str) -> WorkspaceId {
    WorkspaceId::parse(id).unwrap()
}

/// Access to one workspace.
pub(super) fn only(id: &str) -> WorkspaceAccess {
    WorkspaceAccess::Only(BTreeSet::from([workspace(id)]))
}

pub(super) fn object(value: Value) -> JsonObject {
    serde_json::from_value(value).unwrap()
}

pub(super) fn none() -> Value {
    json!({})
}

/// A wish for every job of a topic in `demo`.
pub(super) fn activate(topic: &str) -> Activate {
    Activate {
        within: only(DEMO),
        topics: vec![key(topic)],
        worker: key("w1"),
        max: 100,
        lock: SignedDuration::from_mins(1),
        variables: None,
    }
}

/// The claim of whoever holds the job.
pub(super) fn claim(job: &ActivatedJob) -> JobClaim {
    JobClaim { id: job.id.clone(), worker: key("w1"), lock_token: Some(job.lock_token.clone()) }
}

/// The message `Paid` to `demo`.
pub(super) fn paid() -> Correlate {
    Correlate {
        within: only(DEMO),
        name: key("Paid"),
        business_key: None,
        correlation_key: None,
        instance: None,
        variables: JsonObject::new(),
        time_to_live: None,
    }
}
