//! The gate's own engine: BPMN processes in the gate's own database.
//!
//! The heart is the pure [`machine`]; around it [`EmbeddedEngine`] loads an instance's document, has the machine take a step,
//! and writes the document back with the rows (jobs, tasks, timers, subscriptions, incidents) that the step's changes ask
//! for. It works in its caller's unit of work. [`AutoCommitEngine`] makes a full
//! [`Engine`](crate::ports::engine::Engine) of it, whose calls each have a unit of their own.
//!
//! ```text
//! EngineCommand ──► unit::Unit ──► instance::Held ──► machine::step ──► changes ──► rows + EngineChange
//! ```

mod auto_commit;
mod blocking;
mod changes;
mod definitions;
mod deploy;
mod due;
mod instance;
mod instances;
mod jobs;
pub mod machine;
mod messages;
mod readings;
mod starts;
mod tasks;
mod unit;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

pub use auto_commit::AutoCommitEngine;
use definitions::DefinitionCache;
use readings::Readings;
use unit::Unit;

use crate::{
    domain::deployment::Resource,
    ports::{
        engine::EngineError,
        local_engine::{EngineChange, EngineCommand, LocalEngine},
        repository::UnitOfWork,
        rng::Rng,
    },
};

/// Runs BPMN processes in the gate's own database, within its caller's unit of work.
///
/// The workspace is the tenant: a process key, a message or a signal of one workspace means nothing in another.
///
/// # Bounds
/// - A deployment brings at most 100 processes, in files of at most 4 MiB.
/// - A signal reaches at most 1,000 receivers; a broadcast to more is refused as a whole.
/// - Reading models and taking steps is CPU work on what strangers wrote: it runs on the runtime's blocking threads, so that
///   a stalled model holds up its own unit of work and nobody else's request.
#[derive(Debug)]
pub struct EmbeddedEngine {
    rng: Arc<dyn Rng>,
    definitions: DefinitionCache,
    readings: Readings,
}

impl EmbeddedEngine {
    /// An engine that draws ids and lock tokens from `rng`.
    pub fn new(rng: Arc<dyn Rng>) -> Self {
        Self { rng, definitions: DefinitionCache::default(), readings: Readings::default() }
    }
}

#[async_trait]
impl LocalEngine for EmbeddedEngine {
    async fn prepare(&self, resources: &[Resource]) {
        let (readings, resources) = (self.readings.clone(), resources.to_vec());
        let read = move || resources.iter().map(|resource| readings.read(&resource.content)).for_each(drop);
        if let Err(error) = blocking::run(read).await {
            tracing::warn!(%error, "the resources of a deployment could not be read ahead");
        }
    }

    async fn apply(
        &self,
        uow: &mut dyn UnitOfWork,
        command: EngineCommand,
        now: Timestamp,
    ) -> Result<Vec<EngineChange>, EngineError> {
        let mut unit = Unit::new(self, uow, now);
        match command {
            EngineCommand::Deploy(request) => unit.deploy(request).await?,
            EngineCommand::Arm { workspace, process_key } => unit.arm_latest(&workspace, &process_key).await?,
            EngineCommand::Disarm { workspace, process_key } => unit.disarm_latest(&workspace, &process_key).await?,
            EngineCommand::Start(request) => unit.start(request).await?,
            EngineCommand::StartByMessage(request) => unit.start_by_message(request).await?,
            EngineCommand::SetVariables { instance, variables } => unit.set_variables(&instance, variables).await?,
            EngineCommand::Cancel { instance } => unit.cancel(&instance).await?,
            EngineCommand::Retry { instance, incident, retries } => unit.retry(&instance, &incident, retries).await?,
            EngineCommand::AssignTask { task, assignee } => unit.assign_task(&task, assignee).await?,
            EngineCommand::CompleteTask { task, variables } => unit.complete_task(&task, variables).await?,
            EngineCommand::Activate(request) => unit.activate(request).await?,
            EngineCommand::Release { claims } => unit.release(claims).await?,
            EngineCommand::CompleteJob { claim, variables } => unit.complete_job(&claim, variables).await?,
            EngineCommand::FailJob { claim, failure } => unit.fail_job(&claim, failure).await?,
            EngineCommand::ThrowError { claim, error } => unit.throw_error(&claim, error).await?,
            EngineCommand::ExtendLock { claim, lock } => unit.extend_lock(&claim, lock).await?,
            EngineCommand::Correlate(message) => unit.correlate(message).await?,
            EngineCommand::Broadcast(signal) => unit.broadcast(signal).await?,
            EngineCommand::Due(due) => unit.due(due).await?,
        }
        Ok(unit.into_changes())
    }

    async fn due(
        &self,
        uow: &mut dyn UnitOfWork,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<EngineCommand>, EngineError> {
        let due = uow.timers().due(now, limit).await?;
        Ok(due.into_iter().map(|timer| EngineCommand::Due(timer.what)).collect())
    }

    async fn sweep(&self, uow: &mut dyn UnitOfWork, before: Timestamp, limit: u32) -> Result<u32, EngineError> {
        uow.buffered_messages().sweep(before, limit).await?;
        Ok(uow.instances().sweep(before, limit).await?)
    }
}

#[cfg(test)]
mod tests;
