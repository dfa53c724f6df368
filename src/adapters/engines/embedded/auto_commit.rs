//! The embedded engine as a full engine, for callers that bring no unit of work of their own.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::{EmbeddedEngine, blocking, instance::read_state, machine::InstanceState, unit::native};
use crate::{
    domain::{
        engine::{NativeId, ProcessKey},
        json::JsonObject,
        text::Key,
        workspace::WorkspaceId,
    },
    ports::{
        clock::Clock,
        engine::{
            Activate, ActivatedJob, ActiveElement, Broadcast, Capabilities, Correlate, Correlated, Deploy,
            DeployedDefinition, EngineError, EngineHealth, EngineKind, Incident, Instance, JobClaim, JobError,
            JobFailure, JobQueue, Messages, Owned, Owner, ProcessEngine, Start, StartByMessage, TaskInbox, TaskQuery,
            UserTask,
        },
        engine_store::{ElementRef, InstanceRow, WorkState, instance_uuid},
        local_engine::{EngineChange, EngineCommand, LocalEngine},
        repository::{Repository, RepositoryError, UnitOfWork},
    },
};

/// How often a command is run when other transactions are in its way.
const TRIES: u32 = 3;

/// Gives each call to the embedded engine a unit of work of its own: commands are committed before they are answered, reads
/// go by a view.
#[derive(Debug)]
pub struct AutoCommitEngine {
    engine: EmbeddedEngine,
    repository: Arc<dyn Repository>,
    clock: Arc<dyn Clock>,
}

impl AutoCommitEngine {
    /// The engine over a repository.
    pub fn new(engine: EmbeddedEngine, repository: Arc<dyn Repository>, clock: Arc<dyn Clock>) -> Self {
        Self { engine, repository, clock }
    }

    /// Runs a command in a unit of work, again when another transaction was in the way.
    async fn run(&self, command: EngineCommand) -> Result<Vec<EngineChange>, EngineError> {
        let mut tries = 1;
        loop {
            match self.try_run(command.clone()).await {
                Err(EngineError::Repository(RepositoryError::Serialization)) if tries < TRIES => tries += 1,
                outcome => return outcome,
            }
        }
    }

    async fn try_run(&self, command: EngineCommand) -> Result<Vec<EngineChange>, EngineError> {
        let mut uow = self.repository.begin().await?;
        let changes = self.engine.apply(&mut *uow, command, self.clock.now()).await?;
        uow.commit().await?;
        Ok(changes)
    }

    /// Runs a command that starts one instance, and reads how it stands.
    async fn run_start(&self, command: EngineCommand) -> Result<Instance, EngineError> {
        let changes = self.run(command).await?;
        let started = changes.into_iter().find_map(|change| match change {
            EngineChange::Started(started) => Some(started.instance),
            _ => None,
        });
        let id = started.ok_or(EngineError::UnknownInstance)?;
        self.instances(&[id]).await?.pop().ok_or(EngineError::UnknownInstance)
    }

    async fn view(&self) -> Result<Box<dyn UnitOfWork>, EngineError> {
        Ok(self.repository.view().await?)
    }

    /// Reads something out of an instance's document.
    async fn read<T: Send + 'static>(
        &self,
        instance: &NativeId,
        read: impl FnOnce(InstanceState) -> T + Send + 'static,
    ) -> Result<T, EngineError> {
        let id = instance_uuid(instance).ok_or(EngineError::UnknownInstance)?;
        let row = self.view().await?.instances().find(id).await?.ok_or(EngineError::UnknownInstance)?;
        Ok(blocking::run(move || read_state(&row.state).map(read)).await??)
    }
}

#[async_trait]
impl ProcessEngine for AutoCommitEngine {
    fn kind(&self) -> EngineKind {
        EngineKind::Embedded
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { refuses_late_completion: true, buffers_messages: true, sets_variables: true }
    }

    async fn health(&self) -> Result<EngineHealth, EngineError> {
        self.repository.ping().await?;
        Ok(EngineHealth { version: env!("CARGO_PKG_VERSION").to_owned() })
    }

    async fn deploy(&self, request: Deploy) -> Result<Vec<DeployedDefinition>, EngineError> {
        self.engine.prepare(&request.resources).await;
        let changes = self.run(EngineCommand::Deploy(request)).await?;
        let deployed = changes.into_iter().find_map(|change| match change {
            EngineChange::Deployed(definitions) => Some(definitions),
            _ => None,
        });
        Ok(deployed.unwrap_or_default())
    }

    async fn definition_xml(&self, workspace: &WorkspaceId, key: &ProcessKey) -> Result<Option<String>, EngineError> {
        let mut view = self.view().await?;
        let Some((id, _)) = view.definitions().find_latest(workspace, key).await? else { return Ok(None) };
        Ok(view.definitions().find(id).await?.map(|definition| definition.xml))
    }

    async fn start(&self, request: Start) -> Result<Instance, EngineError> {
        self.run_start(EngineCommand::Start(request)).await
    }

    async fn start_by_message(&self, request: StartByMessage) -> Result<Instance, EngineError> {
        self.run_start(EngineCommand::StartByMessage(request)).await
    }

    async fn instances(&self, ids: &[NativeId]) -> Result<Vec<Instance>, EngineError> {
        let mut view = self.view().await?;
        let mut found = Vec::with_capacity(ids.len());
        for id in ids.iter().filter_map(instance_uuid) {
            if let Some(row) = view.instances().find(id).await? {
                found.push(instance(&mut *view, row).await?);
            }
        }
        Ok(found)
    }

    async fn ended_since(&self, since: Timestamp, limit: u32) -> Result<Vec<Instance>, EngineError> {
        let mut view = self.view().await?;
        let mut ended = Vec::new();
        for row in view.instances().ended_since(since, limit).await? {
            ended.push(instance(&mut *view, row).await?);
        }
        Ok(ended)
    }

    async fn variables(&self, instance: &NativeId) -> Result<JsonObject, EngineError> {
        self.read(instance, |state| state.variables().clone()).await
    }

    async fn task_variables(&self, task: &NativeId) -> Result<JsonObject, EngineError> {
        let id = ElementRef::parse(task).ok_or(EngineError::UnknownTask)?;
        let row = self.view().await?.tasks().find(id).await?.ok_or(EngineError::UnknownTask)?;
        match row.state {
            WorkState::Open => self.read(&native(id.instance), move |state| state.visible_variables(id.key)).await,
            WorkState::Completed => Err(EngineError::TaskCompleted),
            WorkState::Cancelled => Err(EngineError::UnknownTask),
        }
    }

    async fn set_variables(&self, instance: &NativeId, variables: JsonObject) -> Result<(), EngineError> {
        self.run(EngineCommand::SetVariables { instance: instance.clone(), variables }).await.map(drop)
    }

    async fn active_elements(&self, instance: &NativeId) -> Result<Vec<ActiveElement>, EngineError> {
        let id = instance_uuid(instance).ok_or(EngineError::UnknownInstance)?;
        let name = move |element: super::machine::ActiveElement| ActiveElement {
            id: ElementRef { instance: id, key: element.key }.native(),
            element_id: element.element_id,
        };
        self.read(instance, move |state| state.active_elements().into_iter().map(name).collect()).await
    }

    async fn cancel(&self, instance: &NativeId) -> Result<(), EngineError> {
        self.run(EngineCommand::Cancel { instance: instance.clone() }).await.map(drop)
    }

    async fn incidents(&self, instance: &NativeId) -> Result<Vec<Incident>, EngineError> {
        let id = instance_uuid(instance).ok_or(EngineError::UnknownInstance)?;
        let mut view = self.view().await?;
        let open = view.incidents().open(id).await?;
        if open.is_empty() && view.instances().find(id).await?.is_none() {
            return Err(EngineError::UnknownInstance);
        }
        Ok(open.into_iter().map(|row| row.incident).collect())
    }

    async fn retry(&self, instance: &NativeId, incident: &NativeId, retries: u32) -> Result<(), EngineError> {
        let command = EngineCommand::Retry { instance: instance.clone(), incident: incident.clone(), retries };
        self.run(command).await.map(drop)
    }

    async fn owner(&self, thing: Owned<'_>) -> Result<Option<Owner>, EngineError> {
        let mut view = self.view().await?;
        let owner = match thing {
            Owned::Instance(id) => match instance_uuid(id) {
                Some(id) => view.instances().find(id).await?.map(|row| (row.workspace, row.process_key, id)),
                None => None,
            },
            Owned::Task(id) => match ElementRef::parse(id) {
                Some(id) => view
                    .tasks()
                    .find(id)
                    .await?
                    .and_then(|row| Some((row.task.workspace?, row.task.process_key, id.instance))),
                None => None,
            },
            Owned::Job(id) => match ElementRef::parse(id) {
                Some(id) => view.jobs().find(id).await?.map(|row| (row.workspace, row.process_key, id.instance)),
                None => None,
            },
        };
        Ok(owner.map(|(workspace, process_key, instance)| Owner {
            workspace: Some(workspace),
            process_key,
            instance: native(instance),
        }))
    }

    fn local(&self) -> Option<&dyn LocalEngine> {
        Some(&self.engine)
    }
}

#[async_trait]
impl TaskInbox for AutoCommitEngine {
    async fn user_tasks(
        &self,
        query: &TaskQuery,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<UserTask>, EngineError> {
        Ok(self.view().await?.tasks().list(query, after, limit).await?)
    }

    async fn assign(&self, task: &NativeId, assignee: Option<Key>) -> Result<(), EngineError> {
        self.run(EngineCommand::AssignTask { task: task.clone(), assignee }).await.map(drop)
    }

    async fn complete(&self, task: &NativeId, variables: JsonObject) -> Result<(), EngineError> {
        self.run(EngineCommand::CompleteTask { task: task.clone(), variables }).await.map(drop)
    }
}

#[async_trait]
impl JobQueue for AutoCommitEngine {
    async fn activate(&self, request: Activate) -> Result<Vec<ActivatedJob>, EngineError> {
        let changes = self.run(EngineCommand::Activate(request)).await?;
        let jobs = changes.into_iter().find_map(|change| match change {
            EngineChange::Activated(jobs) => Some(jobs),
            _ => None,
        });
        Ok(jobs.unwrap_or_default())
    }

    async fn complete_job(&self, claim: JobClaim, variables: JsonObject) -> Result<(), EngineError> {
        self.run(EngineCommand::CompleteJob { claim, variables }).await.map(drop)
    }

    async fn fail_job(&self, claim: JobClaim, failure: JobFailure) -> Result<(), EngineError> {
        self.run(EngineCommand::FailJob { claim, failure }).await.map(drop)
    }

    async fn throw_error(&self, claim: JobClaim, error: JobError) -> Result<(), EngineError> {
        self.run(EngineCommand::ThrowError { claim, error }).await.map(drop)
    }

    async fn extend_lock(&self, claim: JobClaim, lock: SignedDuration) -> Result<(), EngineError> {
        self.run(EngineCommand::ExtendLock { claim, lock }).await.map(drop)
    }
}

#[async_trait]
impl Messages for AutoCommitEngine {
    async fn correlate(&self, message: Correlate) -> Result<Correlated, EngineError> {
        let changes = self.run(EngineCommand::Correlate(message)).await?;
        let correlated = changes.into_iter().find_map(|change| match change {
            EngineChange::Correlated(correlated) => Some(correlated),
            _ => None,
        });
        correlated.ok_or(EngineError::MessageNotCorrelated)
    }

    async fn broadcast_signal(&self, signal: Broadcast) -> Result<(), EngineError> {
        self.run(EngineCommand::Broadcast(signal)).await.map(drop)
    }
}

/// An instance as the ports show it.
async fn instance(view: &mut dyn UnitOfWork, row: InstanceRow) -> Result<Instance, EngineError> {
    let incident_count = if row.status.ended() { 0 } else { view.incidents().count_open(row.id).await? };
    Ok(Instance {
        id: native(row.id),
        workspace: Some(row.workspace),
        process_key: row.process_key,
        business_key: row.business_key,
        status: row.status,
        started_at: row.started_at,
        ended_at: row.ended_at,
        incident_count,
    })
}
