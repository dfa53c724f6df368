//! What the embedded engine keeps: one document a process instance, and rows beside it for what is looked up from outside
//! (jobs, tasks, timers, subscriptions, incidents). No look-up grows with the number of running instances.
//!
//! On Postgres lock and due times are compared with the database's clock inside the statement, so that replicas whose
//! clocks differ agree; the `now` of these methods serves the other stores, and tests.

use std::{collections::BTreeMap, fmt};

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use super::{
    engine::{Incident, TaskQuery, UserTask},
    repository::RepositoryError,
};
use crate::domain::{
    engine::{NativeId, ProcessKey},
    execution::ExecutionStatus,
    ids::DeploymentId,
    json::JsonObject,
    text::{Key, Name},
    workspace::{WorkspaceAccess, WorkspaceId},
};

/// One passage through an element of an instance: what jobs, tasks, timers, subscriptions and incidents are named by.
/// Its text, `<instance uuid>-<key>`, is the [`NativeId`] of a job, a task or an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ElementRef {
    /// The instance.
    pub instance: Uuid,
    /// The key that the machine counted.
    pub key: u64,
}

impl ElementRef {
    /// Reads the text form; `None` when it is no such id.
    pub fn parse(id: &NativeId) -> Option<Self> {
        let (instance, key) = id.as_str().rsplit_once('-')?;
        let instance = instance_uuid(&NativeId::new(instance))?;
        let key = key.parse().ok().filter(|parsed: &u64| parsed.to_string() == key)?;
        Some(Self { instance, key })
    }

    /// The text form.
    pub fn native(self) -> NativeId {
        NativeId::new(self.to_string())
    }
}

impl fmt::Display for ElementRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.instance.hyphenated(), self.key)
    }
}

/// Reads an instance's id; `None` when it is no hyphenated UUID.
pub fn instance_uuid(id: &NativeId) -> Option<Uuid> {
    if id.as_str().len() == 36 { Uuid::try_parse(id.as_str()).ok() } else { None }
}

/// A version of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionRow {
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// Its key.
    pub process_key: ProcessKey,
    /// Counted within (workspace, key), from 1.
    pub version: u32,
    /// The file that it stands in.
    pub resource: Name,
    /// The SHA-256 of that file.
    pub digest: [u8; 32],
    /// The BPMN.
    pub xml: String,
    /// What brought it.
    pub deployment: DeploymentId,
    /// When.
    pub created_at: Timestamp,
}

/// Process definitions.
#[async_trait]
pub trait Definitions: Send {
    /// Adds one; [`RepositoryError::Conflict`] when (workspace, key, version) is taken.
    async fn insert(&mut self, definition: &DefinitionRow) -> Result<(), RepositoryError>;
    /// The definition of that id. Definitions never change, so that callers may cache them.
    async fn find(&mut self, id: Uuid) -> Result<Option<DefinitionRow>, RepositoryError>;
    /// The id and version of the newest version: all that a start needs of a cached definition.
    async fn find_latest(
        &mut self,
        workspace: &WorkspaceId,
        key: &ProcessKey,
    ) -> Result<Option<(Uuid, u32)>, RepositoryError>;
}

/// An instance: its document, and what is asked about it from outside.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceRow {
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// What runs.
    pub definition: Uuid,
    /// The definition's key.
    pub process_key: ProcessKey,
    /// The caller's own name for it.
    pub business_key: Option<Key>,
    /// How it stands.
    pub status: ExecutionStatus,
    /// The machine's state, as JSON.
    pub state: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// Instances.
#[async_trait]
pub trait Instances: Send {
    /// Adds one.
    async fn insert(&mut self, instance: &InstanceRow) -> Result<(), RepositoryError>;
    /// The instance of that id.
    async fn find(&mut self, id: Uuid) -> Result<Option<InstanceRow>, RepositoryError>;
    /// The instance of that id, held for a change.
    async fn lock(&mut self, id: Uuid) -> Result<Option<InstanceRow>, RepositoryError>;
    /// Writes `status`, `state` and `ended_at`.
    async fn update(&mut self, instance: &InstanceRow) -> Result<(), RepositoryError>;
    /// What ended at or after a moment, oldest end first.
    async fn ended_since(&mut self, since: Timestamp, limit: u32) -> Result<Vec<InstanceRow>, RepositoryError>;
    /// Forgets what ended before a moment with all its jobs, tasks and incidents, at most `limit` instances; says how many.
    async fn sweep(&mut self, before: Timestamp, limit: u32) -> Result<u32, RepositoryError>;
}

/// Whether a job or task is still wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkState {
    /// It waits, or is being worked.
    Open,
    /// It is done.
    Completed,
    /// It is no longer wanted.
    Cancelled,
}

impl WorkState {
    /// Its name in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Open, Self::Completed, Self::Cancelled].into_iter().find(|state| state.as_str() == text)
    }
}

/// A worker's hold on a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobLock {
    /// Whose.
    pub worker: Key,
    /// Fences two processes that share a worker name.
    pub token: String,
    /// Until when.
    pub until: Timestamp,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    /// Its id.
    pub id: ElementRef,
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// What runs.
    pub process_key: ProcessKey,
    /// The instance's business key.
    pub business_key: Option<Key>,
    /// The BPMN element.
    pub element_id: String,
    /// What it is about.
    pub topic: Key,
    /// How many tries are left; 0: it waits for a retry of its incident.
    pub retries: u32,
    /// What the model says to the worker.
    pub headers: BTreeMap<String, String>,
    /// Whether it is still wanted.
    pub state: WorkState,
    /// Who has it; a lock that ran out may stand here.
    pub lock: Option<JobLock>,
    /// Not before this moment (back-off after a failure).
    pub available_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Which jobs to lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobWish {
    /// In which workspaces.
    pub within: WorkspaceAccess,
    /// Of which topics.
    pub topics: Vec<Key>,
    /// The worker, and the new lock's token. `until` is relative to `now`: a store with its own clock keeps the distance.
    pub lock: JobLock,
    /// How many at most.
    pub max: u32,
}

/// A job, and whether its lock holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedJob {
    /// The job.
    pub job: JobRow,
    /// Whether [`JobRow::lock`] has not run out, by the store's clock.
    pub lock_holds: bool,
}

/// Jobs.
#[async_trait]
pub trait Jobs: Send {
    /// Adds one; `available_at` is relative to `created_at`, as in [`JobWish`].
    async fn insert(&mut self, job: &JobRow) -> Result<(), RepositoryError>;
    /// The job of that id.
    async fn find(&mut self, id: ElementRef) -> Result<Option<JobRow>, RepositoryError>;
    /// The job of that id, held for a change.
    async fn lock(&mut self, id: ElementRef, now: Timestamp) -> Result<Option<LockedJob>, RepositoryError>;
    /// Writes `retries`, `state`, `lock` and `available_at`; the times are relative to `now`, as in [`JobWish`].
    async fn update(&mut self, job: &JobRow, now: Timestamp) -> Result<(), RepositoryError>;
    /// Locks open jobs that have retries, are available and in nobody's hands, the longest available first; jobs that
    /// another unit is just locking are passed over, not waited for. Gives them as locked.
    async fn activate(&mut self, wish: &JobWish, now: Timestamp) -> Result<Vec<JobRow>, RepositoryError>;
    /// Whether [`activate`](Self::activate) would find a job of these topics in these workspaces.
    async fn any_available(
        &mut self,
        within: &WorkspaceAccess,
        topics: &[Key],
        now: Timestamp,
    ) -> Result<bool, RepositoryError>;
    /// Which of these topics have a job, in whatever workspace, that [`activate`](Self::activate) would find. At most 500
    /// topics at once.
    async fn available_topics(&mut self, topics: &[Key], now: Timestamp) -> Result<Vec<Key>, RepositoryError>;
}

/// A user task.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRow {
    /// Its id; its text is `task.id`.
    pub id: ElementRef,
    /// The task; its `workspace` is always set.
    pub task: UserTask,
    /// Whether it is still wanted.
    pub state: WorkState,
}

/// User tasks.
#[async_trait]
pub trait Tasks: Send {
    /// Adds one.
    async fn insert(&mut self, task: &TaskRow) -> Result<(), RepositoryError>;
    /// The task of that id.
    async fn find(&mut self, id: ElementRef) -> Result<Option<TaskRow>, RepositoryError>;
    /// The task of that id, held for a change.
    async fn lock(&mut self, id: ElementRef) -> Result<Option<TaskRow>, RepositoryError>;
    /// Writes `state` and the assignee.
    async fn update(&mut self, task: &TaskRow) -> Result<(), RepositoryError>;
    /// Open tasks that fit, newest first. The position is [`task_position`] of the last one seen.
    async fn list(
        &mut self,
        query: &TaskQuery,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<UserTask>, RepositoryError>;
}

/// The sort key of a task in lists: when it was made (microseconds, fixed width), then its id.
pub fn task_position(created_at: Timestamp, id: &NativeId) -> String {
    format!("{:020}/{id}", created_at.as_microsecond().max(0))
}

/// What time brings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Due {
    /// A timer of an instance fires.
    Timer(ElementRef),
    /// A timer start event of a definition fires.
    Start {
        /// The definition.
        definition: Uuid,
        /// The start event.
        element_id: String,
    },
    /// An instance goes on after the step bound.
    Continue(Uuid),
}

/// Something that is due at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimerRow {
    /// What.
    pub what: Due,
    /// When.
    pub due: Timestamp,
    /// The machine's schedule, as JSON; empty for [`Due::Continue`].
    pub schedule: String,
}

/// Timers.
#[async_trait]
pub trait Timers: Send {
    /// Sets one; what was set for the same thing is replaced.
    async fn put(&mut self, timer: &TimerRow) -> Result<(), RepositoryError>;
    /// The timer of that thing, held for a change, if it is (still) due.
    async fn lock_due(&mut self, what: &Due, now: Timestamp) -> Result<Option<TimerRow>, RepositoryError>;
    /// Forgets one.
    async fn delete(&mut self, what: &Due) -> Result<(), RepositoryError>;
    /// Forgets all start timers of a definition.
    async fn delete_starts(&mut self, definition: Uuid) -> Result<(), RepositoryError>;
    /// What is due, the longest due first.
    async fn due(&mut self, now: Timestamp, limit: u32) -> Result<Vec<TimerRow>, RepositoryError>;
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SubscriptionKind {
    /// One message.
    Message,
    /// A signal.
    Signal,
}

/// Who waits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subscriber {
    /// An element of a running instance.
    Element(ElementRef),
    /// A start event of a definition.
    Start {
        /// The definition.
        definition: Uuid,
        /// The start event.
        element_id: String,
    },
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionRow {
    /// Who waits.
    pub subscriber: Subscriber,
    /// For what.
    pub kind: SubscriptionKind,
    /// Of which name.
    pub name: Key,
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// The BPMN element.
    pub element_id: String,
    /// What a message's correlation key must equal (Zeebe's dialect): its key is matched with this, never with
    /// `business_key`.
    pub correlation_key: Option<String>,
    /// The instance's business key, matched where there is no `correlation_key` (Camunda's dialect).
    pub business_key: Option<Key>,
}

/// Which subscriptions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionQuery {
    /// In which workspaces.
    pub within: WorkspaceAccess,
    /// For what.
    pub kind: SubscriptionKind,
    /// Of which name.
    pub name: Key,
    /// Only elements of this instance.
    pub instance: Option<Uuid>,
    /// Only start events (`true`) or only elements (`false`).
    pub starts: bool,
    /// Matched with the subscription's `correlation_key` where it has one.
    pub correlation_key: Option<Key>,
    /// Matched with its `business_key` where it has no `correlation_key`. `None` in both fits every subscription of the
    /// name (and of the `instance`, where one is named). Start events have neither keys nor an instance: where `starts`
    /// is set, all three are passed over.
    pub business_key: Option<Key>,
    /// How many at most.
    pub limit: u32,
}

/// Subscriptions.
#[async_trait]
pub trait Subscriptions: Send {
    /// Adds one; [`RepositoryError::Conflict`] when its subscriber waits already.
    async fn insert(&mut self, subscription: &SubscriptionRow) -> Result<(), RepositoryError>;
    /// Forgets one.
    async fn delete(&mut self, subscriber: &Subscriber) -> Result<(), RepositoryError>;
    /// Forgets all start events of a definition.
    async fn delete_starts(&mut self, definition: Uuid) -> Result<(), RepositoryError>;
    /// Those that fit, oldest first.
    async fn find(&mut self, query: &SubscriptionQuery) -> Result<Vec<SubscriptionRow>, RepositoryError>;
}

/// An incident.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentRow {
    /// Its id; its text is `incident.id`.
    pub id: ElementRef,
    /// The incident.
    pub incident: Incident,
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// When it was resolved.
    pub resolved_at: Option<Timestamp>,
}

/// Incidents.
#[async_trait]
pub trait Incidents: Send {
    /// Adds one, or opens it anew when one of this id was resolved.
    async fn put(&mut self, incident: &IncidentRow) -> Result<(), RepositoryError>;
    /// The incident of that id.
    async fn find(&mut self, id: ElementRef) -> Result<Option<IncidentRow>, RepositoryError>;
    /// Marks one resolved.
    async fn resolve(&mut self, id: ElementRef, at: Timestamp) -> Result<(), RepositoryError>;
    /// Marks all of an instance resolved.
    async fn resolve_all(&mut self, instance: Uuid, at: Timestamp) -> Result<(), RepositoryError>;
    /// The open ones of an instance, oldest first, at most 200.
    async fn open(&mut self, instance: Uuid) -> Result<Vec<IncidentRow>, RepositoryError>;
    /// How many of an instance are open.
    async fn count_open(&mut self, instance: Uuid) -> Result<u64, RepositoryError>;
}

/// A message that waits for its receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct BufferedMessage {
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// Its name.
    pub name: Key,
    /// Matched with a subscription's correlation key.
    pub correlation_key: Option<Key>,
    /// Matched with an instance's business key.
    pub business_key: Option<Key>,
    /// Only for this instance.
    pub instance: Option<Uuid>,
    /// What it brings.
    pub variables: JsonObject,
    /// Until when it waits.
    pub expires_at: Timestamp,
}

/// Messages that wait.
#[async_trait]
pub trait BufferedMessages: Send {
    /// Adds one. A subscriber that comes at the same moment may not see it: whoever puts a message down looks for
    /// subscriptions once more *after* this, in the same unit; it then sees every one that has not seen the message.
    async fn insert(&mut self, message: &BufferedMessage) -> Result<(), RepositoryError>;
    /// Takes the oldest one that a new subscription matches (by the rules of [`SubscriptionQuery`]) and that has not run
    /// out. A start event takes only what names neither key nor instance.
    async fn take(
        &mut self,
        subscription: &SubscriptionRow,
        now: Timestamp,
    ) -> Result<Option<BufferedMessage>, RepositoryError>;
    /// Forgets what ran out, at most `limit`; says how many.
    async fn sweep(&mut self, now: Timestamp, limit: u32) -> Result<u32, RepositoryError>;
}
