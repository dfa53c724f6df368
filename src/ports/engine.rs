//! Workflow engines, as the gate sees them.

use std::{collections::BTreeMap, fmt};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::{local_engine::LocalEngine, repository::RepositoryError};
use crate::domain::{
    deployment::Resource,
    engine::{NativeId, ProcessKey},
    execution::ExecutionStatus,
    ids::DeploymentId,
    json::JsonObject,
    text::{Key, Name},
    workspace::{WorkspaceAccess, WorkspaceId},
};

/// What sort of engine it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineKind {
    /// The gate's own.
    Embedded,
}

impl EngineKind {
    /// The word that the process routes use: `engineType`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Embedded => "Embedded",
        }
    }
}

/// What an engine can do that not all can: offered means that it works, not offered means [`EngineError::Unsupported`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// A completion after the lock ran out is refused.
    pub refuses_late_completion: bool,
    /// A message may wait for its receiver (`timeToLiveInSec`).
    pub buffers_messages: bool,
    /// Variables of a running instance can be set from outside.
    pub sets_variables: bool,
}

/// How an engine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineHealth {
    /// The product's version.
    pub version: String,
}

/// What was wrong with a resource of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceError {
    /// The resource's name.
    pub resource: String,
    /// From 1; 0 when unknown.
    pub line: u32,
    /// From 1; 0 when unknown.
    pub column: u32,
    /// The element, where there is one.
    pub element_id: Option<String>,
    /// What is wrong, and what to do.
    pub message: String,
}

/// What an engine answers instead of doing what it was asked. Few kinds, named for what the caller can do.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No process of this key is deployed here.
    #[error("no process {key:?} is deployed here")]
    UnknownDefinition {
        /// The key, or the name of a message that starts nothing.
        key: String,
    },
    /// No such instance, or it was forgotten.
    #[error("no such process instance")]
    UnknownInstance,
    /// No such user task, or it was forgotten.
    #[error("no such user task")]
    UnknownTask,
    /// No such job, or it was forgotten.
    #[error("no such job")]
    UnknownJob,
    /// No such incident, or it is resolved.
    #[error("no such open incident")]
    UnknownIncident,
    /// The instance is over.
    #[error("the process instance has ended")]
    InstanceEnded,
    /// The user task is done.
    #[error("the user task is already completed")]
    TaskCompleted,
    /// The job is done.
    #[error("the job is already completed")]
    JobCompleted,
    /// The job's lock ran out, or is another worker's.
    #[error("the job is not locked by this worker")]
    JobNotLocked,
    /// Nobody waits for the message.
    #[error("no process waits for this message")]
    MessageNotCorrelated,
    /// More than one waits for it.
    #[error("more than one process waits for this message; name a processInstanceId or a correlationKey")]
    MessageAmbiguous,
    /// The resources cannot run here.
    #[error("the deployment was rejected")]
    Rejected(Vec<ResourceError>),
    /// The engine refuses the command's values.
    #[error("{message}")]
    Invalid {
        /// Why.
        message: String,
    },
    /// The engine does not have this capability.
    #[error("this engine cannot {what}")]
    Unsupported {
        /// What was asked.
        what: &'static str,
    },
    /// The engine does not answer; nothing was done, a retry is safe.
    #[error("the engine is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The command may have happened: never repeat it blindly.
    #[error("the outcome of the command is unknown")]
    OutcomeUnknown(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The engine broke down over it.
    #[error("the engine failed")]
    Failure(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The gate's own store, in which a local engine lives.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

/// Resources to put on an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deploy {
    /// The gate's id for it.
    pub deployment: DeploymentId,
    /// Whose they will be.
    pub workspace: WorkspaceId,
    /// The files.
    pub resources: Vec<Resource>,
}

/// A process as deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployedDefinition {
    /// Its key.
    pub process_key: ProcessKey,
    /// Its version, from 1.
    pub version: u32,
    /// The file that it stands in.
    pub resource: Name,
    /// Whether the same bytes were deployed already: then the version is the earlier one.
    pub unchanged: bool,
}

/// A start.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// In which workspace.
    pub workspace: WorkspaceId,
    /// What.
    pub process_key: ProcessKey,
    /// The caller's own name for the instance.
    pub business_key: Option<Key>,
    /// The first variables.
    pub variables: JsonObject,
}

/// A start by a message start event.
#[derive(Debug, Clone, PartialEq)]
pub struct StartByMessage {
    /// In which workspaces to look for a process that the message starts.
    pub within: WorkspaceAccess,
    /// The message's name.
    pub message: Key,
    /// The caller's own name for the instance.
    pub business_key: Option<Key>,
    /// The first variables.
    pub variables: JsonObject,
}

/// An instance, running or ended and not yet forgotten.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// The engine's id.
    pub id: NativeId,
    /// Whose it is, where the engine knows.
    pub workspace: Option<WorkspaceId>,
    /// What runs.
    pub process_key: ProcessKey,
    /// The caller's own name for it.
    pub business_key: Option<Key>,
    /// How it stands.
    pub status: ExecutionStatus,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How many incidents are open.
    pub incident_count: u64,
}

/// An element in which an instance stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveElement {
    /// The engine's id of this passage through the element.
    pub id: NativeId,
    /// The BPMN element.
    pub element_id: String,
}

/// Something that keeps an instance from going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// The engine's id.
    pub id: NativeId,
    /// The instance.
    pub instance: NativeId,
    /// Its kind: `job_failed`, `condition_error`, `expression_error`, `unhandled_error`, `step_limit`, …
    pub kind: String,
    /// What happened, naming the element and, where one failed, the expression.
    pub message: String,
    /// The BPMN element.
    pub element_id: String,
    /// The job, where one failed.
    pub job: Option<NativeId>,
    /// When.
    pub created_at: Timestamp,
}

/// A user task.
#[derive(Debug, Clone, PartialEq)]
pub struct UserTask {
    /// The engine's id.
    pub id: NativeId,
    /// Whose it is, where the engine knows.
    pub workspace: Option<WorkspaceId>,
    /// The instance.
    pub instance: NativeId,
    /// What runs.
    pub process_key: ProcessKey,
    /// The instance's business key.
    pub business_key: Option<Key>,
    /// What people call it.
    pub name: String,
    /// The BPMN element.
    pub element_id: String,
    /// Who has it.
    pub assignee: Option<String>,
    /// Who may take it.
    pub candidate_users: Vec<String>,
    /// Which groups may take it.
    pub candidate_groups: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it should be done.
    pub due: Option<Timestamp>,
    /// When to ask after it.
    pub follow_up: Option<Timestamp>,
    /// More is more urgent.
    pub priority: Option<i32>,
    /// What form it shows.
    pub form_key: Option<String>,
}

/// Which user tasks.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskQuery {
    /// In which workspaces.
    pub within: WorkspaceAccess,
    /// Of one instance.
    pub instance: Option<NativeId>,
    /// Of one element.
    pub element_id: Option<String>,
    /// Of one person.
    pub assignee: Option<String>,
    /// Open to one group.
    pub candidate_group: Option<String>,
    /// One task.
    pub id: Option<NativeId>,
}

impl TaskQuery {
    /// All in these workspaces.
    pub const fn within(within: WorkspaceAccess) -> Self {
        Self { within, instance: None, element_id: None, assignee: None, candidate_group: None, id: None }
    }
}

/// A wish for jobs.
#[derive(Debug, Clone, PartialEq)]
pub struct Activate {
    /// In which workspaces.
    pub within: WorkspaceAccess,
    /// Of which topics.
    pub topics: Vec<Key>,
    /// Who works them.
    pub worker: Key,
    /// How many at most.
    pub max: u32,
    /// For how long they are locked.
    pub lock: SignedDuration,
    /// Which variables come along; `None`: all.
    pub variables: Option<Vec<String>>,
}

/// A job in a worker's hands.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivatedJob {
    /// The engine's id.
    pub id: NativeId,
    /// Whose it is, where the engine knows.
    pub workspace: Option<WorkspaceId>,
    /// What it is about.
    pub topic: Key,
    /// The instance.
    pub instance: NativeId,
    /// What runs.
    pub process_key: ProcessKey,
    /// The BPMN element.
    pub element_id: String,
    /// The instance's business key.
    pub business_key: Option<Key>,
    /// What the element sees.
    pub variables: JsonObject,
    /// What the model says to the worker.
    pub headers: BTreeMap<String, String>,
    /// How many tries are left, this one included.
    pub retries: u32,
    /// When the lock runs out.
    pub locked_until: Timestamp,
    /// Fences two processes that share a worker name.
    pub lock_token: String,
}

/// A job, and who holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobClaim {
    /// The engine's id.
    pub id: NativeId,
    /// The worker's name.
    pub worker: Key,
    /// The lock, where the worker names it: it must then match.
    pub lock_token: Option<String>,
}

/// How a worker failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFailure {
    /// What happened.
    pub message: String,
    /// At length.
    pub details: Option<String>,
    /// How many tries are left; 0 raises an incident.
    pub retries: u32,
    /// When the next try may begin.
    pub retry_in: SignedDuration,
}

/// A BPMN error that a worker throws.
#[derive(Debug, Clone, PartialEq)]
pub struct JobError {
    /// The error's code.
    pub code: String,
    /// What happened.
    pub message: Option<String>,
    /// What goes to whoever catches it.
    pub variables: JsonObject,
}

/// A message to one waiting instance, or to one process that it starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Correlate {
    /// In which workspaces.
    pub within: WorkspaceAccess,
    /// The message's name.
    pub name: Key,
    /// Matched with an instance's business key.
    pub business_key: Option<Key>,
    /// Matched with a subscription's correlation key.
    pub correlation_key: Option<Key>,
    /// Only this instance.
    pub instance: Option<NativeId>,
    /// What it brings.
    pub variables: JsonObject,
    /// How long it may wait for a receiver.
    pub time_to_live: Option<SignedDuration>,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Correlated {
    /// A waiting instance took it.
    Execution {
        /// The instance.
        instance: NativeId,
    },
    /// It started an instance.
    ProcessInstance {
        /// The instance.
        instance: NativeId,
    },
    /// It waits.
    Buffered {
        /// The waiting message's id.
        id: String,
    },
}

/// A signal to all that wait for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Broadcast {
    /// In which workspaces.
    pub within: WorkspaceAccess,
    /// The signal's name.
    pub name: Key,
    /// What it brings.
    pub variables: JsonObject,
}

/// Something on an engine whose owner is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owned<'a> {
    /// An instance.
    Instance(&'a NativeId),
    /// A user task.
    Task(&'a NativeId),
    /// A job.
    Job(&'a NativeId),
}

/// Whose a thing on an engine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The workspace, where the engine knows; else the one that its process key belongs to.
    pub workspace: Option<WorkspaceId>,
    /// What runs.
    pub process_key: ProcessKey,
    /// The instance.
    pub instance: NativeId,
}

/// Runs processes.
///
/// # Contract
/// - A command is sent at most once. What cannot be told to have failed is [`EngineError::OutcomeUnknown`].
/// - Reads see what the commands before them did.
/// - An id that the engine does not know, in whatever form, is the `Unknown…` of its noun, never a failure.
/// - What is not among the [`Capabilities`] is [`EngineError::Unsupported`].
#[async_trait]
pub trait ProcessEngine: fmt::Debug + Send + Sync {
    /// What sort of engine.
    fn kind(&self) -> EngineKind;
    /// What it can do that not all can.
    fn capabilities(&self) -> Capabilities;
    /// Whether it answers.
    async fn health(&self) -> Result<EngineHealth, EngineError>;
    /// Puts resources on it, all or none. Every executable process of every file becomes startable.
    async fn deploy(&self, request: Deploy) -> Result<Vec<DeployedDefinition>, EngineError>;
    /// The BPMN of the latest version.
    async fn definition_xml(&self, workspace: &WorkspaceId, key: &ProcessKey) -> Result<Option<String>, EngineError>;
    /// Starts an instance of the latest version and runs it to its first wait states.
    async fn start(&self, request: Start) -> Result<Instance, EngineError>;
    /// Starts an instance by the one message start event of that name.
    async fn start_by_message(&self, request: StartByMessage) -> Result<Instance, EngineError>;
    /// Those of the instances that it still knows.
    async fn instances(&self, ids: &[NativeId]) -> Result<Vec<Instance>, EngineError>;
    /// What ended at or after a moment, oldest first.
    async fn ended_since(&self, since: Timestamp, limit: u32) -> Result<Vec<Instance>, EngineError>;
    /// The process scope's variables.
    async fn variables(&self, instance: &NativeId) -> Result<JsonObject, EngineError>;
    /// The variables that a user task sees.
    async fn task_variables(&self, task: &NativeId) -> Result<JsonObject, EngineError>;
    /// Sets variables of the process scope.
    async fn set_variables(&self, instance: &NativeId, variables: JsonObject) -> Result<(), EngineError>;
    /// Where the instance stands.
    async fn active_elements(&self, instance: &NativeId) -> Result<Vec<ActiveElement>, EngineError>;
    /// Ends an instance from outside.
    async fn cancel(&self, instance: &NativeId) -> Result<(), EngineError>;
    /// Its open incidents.
    async fn incidents(&self, instance: &NativeId) -> Result<Vec<Incident>, EngineError>;
    /// Tries again what raised an incident; a failed job gets `retries` more tries.
    async fn retry(&self, instance: &NativeId, incident: &NativeId, retries: u32) -> Result<(), EngineError>;
    /// Whose a thing is; `None` when the engine does not know it.
    async fn owner(&self, thing: Owned<'_>) -> Result<Option<Owner>, EngineError>;
    /// The engine as one that lives in the gate's own database, if it does: its commands then join the caller's unit
    /// of work.
    fn local(&self) -> Option<&dyn LocalEngine>;
}

/// Keeps user tasks.
#[async_trait]
pub trait TaskInbox: fmt::Debug + Send + Sync {
    /// Open tasks, newest first, after a position (a task's id as its sort key), at most `limit`.
    async fn user_tasks(
        &self,
        query: &TaskQuery,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<UserTask>, EngineError>;
    /// Gives a task to somebody, or to nobody.
    async fn assign(&self, task: &NativeId, assignee: Option<Key>) -> Result<(), EngineError>;
    /// Completes a task; a second time is [`EngineError::TaskCompleted`].
    async fn complete(&self, task: &NativeId, variables: JsonObject) -> Result<(), EngineError>;
}

/// Hands jobs to workers.
///
/// # Contract
/// - A job is in one worker's hands at a time, until its lock runs out.
/// - A completion by anybody else, or later (see [`Capabilities::refuses_late_completion`]), is
///   [`EngineError::JobNotLocked`]; a second one [`EngineError::JobCompleted`].
#[async_trait]
pub trait JobQueue: fmt::Debug + Send + Sync {
    /// Locks jobs that wait, the longest waiting first. Never waits itself.
    async fn activate(&self, request: Activate) -> Result<Vec<ActivatedJob>, EngineError>;
    /// Completes a job.
    async fn complete_job(&self, claim: JobClaim, variables: JsonObject) -> Result<(), EngineError>;
    /// Gives a job back.
    async fn fail_job(&self, claim: JobClaim, failure: JobFailure) -> Result<(), EngineError>;
    /// Throws a BPMN error.
    async fn throw_error(&self, claim: JobClaim, error: JobError) -> Result<(), EngineError>;
    /// Locks a job until `lock` from now.
    async fn extend_lock(&self, claim: JobClaim, lock: SignedDuration) -> Result<(), EngineError>;
}

/// Takes messages and signals to whoever waits for them.
#[async_trait]
pub trait Messages: fmt::Debug + Send + Sync {
    /// Correlates a message with exactly one receiver.
    async fn correlate(&self, message: Correlate) -> Result<Correlated, EngineError>;
    /// Broadcasts a signal.
    async fn broadcast_signal(&self, signal: Broadcast) -> Result<(), EngineError>;
}

/// All that the gate asks of an engine.
pub trait Engine: ProcessEngine + TaskInbox + JobQueue + Messages {}

impl<E: ProcessEngine + TaskInbox + JobQueue + Messages> Engine for E {}
