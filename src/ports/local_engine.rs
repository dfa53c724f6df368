//! Engines that live in the gate's own database: their state, jobs, timers and events commit together with the gate's
//! own records.

use std::fmt;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::{
    engine::{
        Activate, ActivatedJob, Broadcast, Correlate, Correlated, Deploy, DeployedDefinition, EngineError, Incident,
        JobClaim, JobError, JobFailure, Start, StartByMessage, UserTask,
    },
    engine_store::Due,
    repository::UnitOfWork,
};
use crate::domain::{
    deployment::Resource,
    engine::{NativeId, ProcessKey},
    execution::ExecutionError,
    json::JsonObject,
    text::Key,
    workspace::WorkspaceId,
};

/// What a local engine is told.
#[derive(Debug, Clone, PartialEq)]
pub enum EngineCommand {
    /// Put resources on it.
    Deploy(Deploy),
    /// Let the latest version's timer and message starts begin instances (again), after a [`EngineCommand::Disarm`]; a
    /// deployment of new bytes does so by itself. Timers that are armed begin anew; without effect where nothing is
    /// deployed.
    Arm {
        /// Where.
        workspace: WorkspaceId,
        /// What.
        process_key: ProcessKey,
    },
    /// No timer and no message shall start this process any more: its workflow is gone.
    Disarm {
        /// Where.
        workspace: WorkspaceId,
        /// What.
        process_key: ProcessKey,
    },
    /// Start an instance.
    Start(Start),
    /// Start an instance by a message.
    StartByMessage(StartByMessage),
    /// Set variables of the process scope.
    SetVariables {
        /// Where.
        instance: NativeId,
        /// What.
        variables: JsonObject,
    },
    /// End an instance from outside.
    Cancel {
        /// Which.
        instance: NativeId,
    },
    /// Try again what raised an incident.
    Retry {
        /// Where.
        instance: NativeId,
        /// Which.
        incident: NativeId,
        /// How many tries a failed job gets.
        retries: u32,
    },
    /// Give a task to somebody, or to nobody.
    AssignTask {
        /// Which.
        task: NativeId,
        /// To whom.
        assignee: Option<Key>,
    },
    /// Complete a task.
    CompleteTask {
        /// Which.
        task: NativeId,
        /// With what.
        variables: JsonObject,
    },
    /// Lock jobs.
    Activate(Activate),
    /// Give locked jobs back unworked: whoever asked for them is gone.
    Release {
        /// Which.
        claims: Vec<JobClaim>,
    },
    /// Complete a job.
    CompleteJob {
        /// Which.
        claim: JobClaim,
        /// With what.
        variables: JsonObject,
    },
    /// Give a job back.
    FailJob {
        /// Which.
        claim: JobClaim,
        /// Why.
        failure: JobFailure,
    },
    /// Throw a BPMN error.
    ThrowError {
        /// Which.
        claim: JobClaim,
        /// What.
        error: JobError,
    },
    /// Lock a job for longer.
    ExtendLock {
        /// Which.
        claim: JobClaim,
        /// From now.
        lock: SignedDuration,
    },
    /// Take a message to its receiver.
    Correlate(Correlate),
    /// Take a signal to all who wait.
    Broadcast(Broadcast),
    /// Do what time brought: a command that [`LocalEngine::due`] gave.
    Due(Due),
}

/// What a command did, in the order in which it happened.
#[derive(Debug, Clone, PartialEq)]
pub enum EngineChange {
    /// Resources were deployed.
    Deployed(Vec<DeployedDefinition>),
    /// An instance began.
    Started(InstanceStarted),
    /// Something happened in an instance.
    Instance {
        /// Which.
        instance: NativeId,
        /// What.
        change: InstanceChange,
    },
    /// Jobs were locked: the answer to [`EngineCommand::Activate`].
    Activated(Vec<ActivatedJob>),
    /// What became of a message: the answer to [`EngineCommand::Correlate`].
    Correlated(Correlated),
}

/// An instance that began.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceStarted {
    /// Its id.
    pub instance: NativeId,
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// What runs.
    pub process_key: ProcessKey,
    /// The caller's own name for it.
    pub business_key: Option<Key>,
    /// What it was started with.
    pub input: JsonObject,
    /// The start event of a timer, where no caller started it.
    pub timer: Option<String>,
}

/// Something that happened in an instance.
#[derive(Debug, Clone, PartialEq)]
pub enum InstanceChange {
    /// A job waits.
    JobCreated {
        /// Its id.
        job: NativeId,
        /// Where.
        element_id: String,
        /// What it is about.
        topic: Key,
        /// How many tries it has.
        retries: u32,
    },
    /// A job was completed.
    JobCompleted {
        /// Its id.
        job: NativeId,
        /// Where.
        element_id: String,
        /// What it was about; `None` where the engine does not tell.
        topic: Option<Key>,
    },
    /// A job failed.
    JobFailed {
        /// Its id.
        job: NativeId,
        /// Where.
        element_id: String,
        /// What it was about; `None` where the engine does not tell.
        topic: Option<Key>,
        /// Why.
        message: String,
        /// How many tries are left.
        retries: u32,
    },
    /// A job threw a BPMN error.
    JobErrorThrown {
        /// Its id.
        job: NativeId,
        /// Where.
        element_id: String,
        /// What it was about; `None` where the engine does not tell.
        topic: Option<Key>,
        /// The error's code.
        code: String,
    },
    /// A job is no longer wanted.
    JobCancelled {
        /// Its id.
        job: NativeId,
        /// Where.
        element_id: String,
        /// What it was about; `None` where the engine does not tell.
        topic: Option<Key>,
    },
    /// A user task waits.
    TaskCreated(Box<UserTask>),
    /// It was given to somebody, or to nobody.
    TaskAssigned {
        /// Its id.
        task: NativeId,
        /// Where.
        element_id: String,
        /// To whom.
        assignee: Option<Key>,
    },
    /// It is done.
    TaskCompleted {
        /// Its id.
        task: NativeId,
        /// Where.
        element_id: String,
    },
    /// It is no longer wanted.
    TaskCancelled {
        /// Its id.
        task: NativeId,
        /// Where.
        element_id: String,
    },
    /// A timer fired.
    TimerFired {
        /// Where.
        element_id: String,
    },
    /// A message or a signal arrived.
    MessageCorrelated {
        /// Where.
        element_id: String,
        /// The message's name.
        message: String,
    },
    /// It cannot go on without help.
    IncidentRaised(Incident),
    /// It goes on.
    IncidentResolved {
        /// The incident's id.
        incident: NativeId,
        /// Where.
        element_id: String,
    },
    /// It reached its end.
    Completed {
        /// The process scope's variables.
        result: JsonObject,
    },
    /// It ended with an error.
    Failed(ExecutionError),
    /// It was ended from outside.
    Cancelled,
    /// It has more to do than one step may: [`LocalEngine::due`] gives the rest at once.
    Continues,
}

/// An engine in the gate's own database.
///
/// # Contract
/// - [`apply`](Self::apply) works in the caller's unit of work only; nothing is seen before that commits. After an error
///   the caller drops the unit.
/// - The row of an instance is locked before anything of it is read for a change.
/// - The command's `now` is the only clock (but for locks and due times on Postgres, see
///   [`engine_store`](super::engine_store)).
#[async_trait]
pub trait LocalEngine: fmt::Debug + Send + Sync {
    /// Does that part of a deployment which is work for the processor alone, so that no transaction waits for it. Never
    /// needed: [`EngineCommand::Deploy`] does what is left, and tells what is wrong.
    async fn prepare(&self, resources: &[Resource]);

    /// Does what it is told.
    async fn apply(
        &self,
        uow: &mut dyn UnitOfWork,
        command: EngineCommand,
        now: Timestamp,
    ) -> Result<Vec<EngineChange>, EngineError>;

    /// What time has brought, the longest due first: to be applied one by one, each in its own unit of work.
    async fn due(
        &self,
        uow: &mut dyn UnitOfWork,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<EngineCommand>, EngineError>;

    /// Forgets what ended before a moment, at most `limit` instances; says how many.
    async fn sweep(&self, uow: &mut dyn UnitOfWork, before: Timestamp, limit: u32) -> Result<u32, EngineError>;
}
