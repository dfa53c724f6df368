//! Jobs: one API for the workers of every engine.

use std::time::Duration;

use jiff::SignedDuration;
use tokio::runtime::Handle;

use super::{context, core::Core, engines::Located, error::AppError, job_waits::AvailableJobs};
use crate::{
    domain::{
        engine::{EngineName, NativeId},
        identity::Identity,
        json::JsonObject,
        scope::Scope,
        text::Key,
        workspace::WorkspaceId,
    },
    ports::{
        engine::{Activate, ActivatedJob, JobClaim, JobError, JobFailure},
        local_engine::{EngineChange, EngineCommand},
    },
};

/// A worker's wish, as it asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRequest {
    /// Of which topics.
    pub topics: Vec<Key>,
    /// The worker's name.
    pub worker: Key,
    /// How many at most.
    pub max: u32,
    /// For how long they are locked.
    pub lock: SignedDuration,
    /// Which variables come along; `None`: all.
    pub variables: Option<Vec<String>>,
    /// In this workspace; wherever the caller may work.
    pub workspace: Option<WorkspaceId>,
}

/// Locked jobs on their way to a worker. Dropped before [`taken`](Self::taken) they are given back: the worker's connection
/// is gone.
#[derive(Debug)]
pub struct Activated {
    core: Core,
    who: Identity,
    worker: Key,
    engine: EngineName,
    jobs: Vec<ActivatedJob>,
}

impl Activated {
    /// The engine that they are on.
    pub const fn engine(&self) -> &EngineName {
        &self.engine
    }

    /// Hands the jobs over for good.
    pub fn taken(mut self) -> Vec<ActivatedJob> {
        std::mem::take(&mut self.jobs)
    }
}

impl Drop for Activated {
    fn drop(&mut self) {
        if self.jobs.is_empty() || Handle::try_current().is_err() {
            // Where no runtime is left to give them back on, their locks run out.
            return;
        }
        let claims = self
            .jobs
            .drain(..)
            .map(|job| JobClaim { id: job.id, worker: self.worker.clone(), lock_token: Some(job.lock_token) })
            .collect();
        let (core, who, engine) = (self.core.clone(), self.who.clone(), self.engine.clone());
        let tasks = core.commands.tasks().clone();
        drop(context::spawn(&tasks, async move {
            if let Err(error) = core.command(&who, engine, EngineCommand::Release { claims }).await {
                tracing::warn!(error = %error, "jobs of a worker that hung up stay locked until their locks run out");
            }
            core.commands.signals().waits.wake(&AvailableJobs { workspace: None, topic: None });
        }));
    }
}

/// Hands jobs to workers.
#[derive(Debug, Clone)]
pub struct Jobs {
    core: Core,
}

impl Jobs {
    /// On these foundations.
    pub const fn new(core: Core) -> Self {
        Self { core }
    }

    /// Locks jobs; waits for the first at most so long.
    ///
    /// # Errors
    /// [`AppError::Auth`], the store's.
    pub async fn activate(&self, who: &Identity, request: JobRequest, most: Duration) -> Result<Activated, AppError> {
        let within = self.core.within(who, Scope::JobsWork, request.workspace.as_ref()).await?;
        let wish = Activate {
            within,
            topics: request.topics,
            worker: request.worker,
            max: request.max,
            lock: request.lock,
            variables: request.variables,
        };
        let found = self.attempt(who, &wish).await?;
        if !found.jobs.is_empty() || most.is_zero() {
            return Ok(found);
        }
        let commands = &self.core.commands;
        let waits = &commands.signals().waits;
        let _wait = waits.enter(who.key()).ok_or(AppError::TooManyWaits)?;
        let member = waits.join(wish.within.clone(), &wish.topics);
        let waiting = async {
            let _turn = member.turn().await;
            loop {
                let found = self.attempt(who, &wish).await?;
                if !found.jobs.is_empty() {
                    return Ok(found);
                }
                member.woken().await;
            }
        };
        match commands.within(most, waiting).await {
            Some(found) => found,
            None => Ok(found),
        }
    }

    /// Looks before it locks, since only that waits for writers. The lock commits in a task of its own; what it gives is given
    /// back if nobody waits for it any more.
    async fn attempt(&self, who: &Identity, wish: &Activate) -> Result<Activated, AppError> {
        if !self.any_available(wish).await? {
            let (engine, worker) = (self.core.engines.default_name().clone(), wish.worker.clone());
            return Ok(Activated { core: self.core.clone(), who: who.clone(), worker, engine, jobs: Vec::new() });
        }
        let (core, who, wish) = (self.core.clone(), who.clone(), wish.clone());
        let task = context::spawn(self.core.commands.tasks(), async move {
            let engine = core.engines.default_name().clone();
            let worker = wish.worker.clone();
            let performed = core.command(&who, engine.clone(), EngineCommand::Activate(wish)).await?;
            let jobs = performed.changes.into_iter().flat_map(|change| match change {
                EngineChange::Activated(jobs) => jobs,
                _ => Vec::new(),
            });
            let jobs = jobs.collect();
            Ok(Activated { core, who, worker, engine, jobs })
        });
        task.await.map_err(|died| AppError::Internal(Box::new(died)))?
    }

    async fn any_available(&self, wish: &Activate) -> Result<bool, AppError> {
        let commands = &self.core.commands;
        Ok(commands.view().await?.jobs().any_available(&wish.within, &wish.topics, commands.now()).await?)
    }

    /// Completes a job.
    ///
    /// # Errors
    /// [`AppError::NotFound`], [`EngineError::JobNotLocked`](crate::ports::engine::EngineError::JobNotLocked),
    /// [`EngineError::JobCompleted`](crate::ports::engine::EngineError::JobCompleted).
    pub async fn complete(
        &self,
        who: &Identity,
        job: &str,
        holder: Holder,
        variables: JsonObject,
    ) -> Result<(), AppError> {
        self.command(who, job, holder, |claim| EngineCommand::CompleteJob { claim, variables }).await
    }

    /// Gives a job back.
    ///
    /// # Errors
    /// As [`complete`](Self::complete).
    pub async fn fail(&self, who: &Identity, job: &str, holder: Holder, failure: JobFailure) -> Result<(), AppError> {
        self.command(who, job, holder, |claim| EngineCommand::FailJob { claim, failure }).await
    }

    /// Throws a BPMN error.
    ///
    /// # Errors
    /// As [`complete`](Self::complete).
    pub async fn throw_error(
        &self,
        who: &Identity,
        job: &str,
        holder: Holder,
        error: JobError,
    ) -> Result<(), AppError> {
        self.command(who, job, holder, |claim| EngineCommand::ThrowError { claim, error }).await
    }

    /// Locks a job until so long from now.
    ///
    /// # Errors
    /// As [`complete`](Self::complete).
    pub async fn extend(
        &self,
        who: &Identity,
        job: &str,
        holder: Holder,
        lock: SignedDuration,
    ) -> Result<(), AppError> {
        self.command(who, job, holder, |claim| EngineCommand::ExtendLock { claim, lock }).await
    }

    async fn command(
        &self,
        who: &Identity,
        job: &str,
        holder: Holder,
        command: impl FnOnce(JobClaim) -> EngineCommand,
    ) -> Result<(), AppError> {
        let Located { name, native, .. } =
            self.core.engines.job(&self.core.commands, who, Scope::JobsWork, job).await?;
        self.core.command(who, name, command(holder.of(native))).await?;
        Ok(())
    }
}

/// Who says that they hold a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The worker's name.
    pub worker: Key,
    /// The lock, where the worker names it: it must then match.
    pub lock_token: Option<String>,
}

impl Holder {
    fn of(self, id: NativeId) -> JobClaim {
        JobClaim { id, worker: self.worker, lock_token: self.lock_token }
    }
}
