//! Instances: started, changed and ended from outside, retried.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    definitions::Definition,
    instance::{Held, Refused},
    machine::{Command, StepError},
    unit::{Unit, native},
};
use crate::{
    domain::{engine::NativeId, execution::ExecutionStatus, json::JsonObject, text::Key},
    ports::{
        engine::{EngineError, Start},
        engine_store::{ElementRef, IncidentRow, InstanceRow, WorkState, instance_uuid},
        local_engine::{EngineChange, InstanceChange, InstanceStarted},
    },
};

/// How an instance begins.
#[derive(Default)]
pub(super) struct Beginning {
    /// The start event; the none start event where none is named.
    pub(super) element_id: Option<String>,
    /// The start event again, where it is a timer.
    pub(super) timer: Option<String>,
    pub(super) business_key: Option<Key>,
    pub(super) variables: JsonObject,
}

impl Unit<'_> {
    /// Starts an instance of the latest version.
    pub(super) async fn start(&mut self, request: Start) -> Result<(), EngineError> {
        let latest = self.uow.definitions().find_latest(&request.workspace, &request.process_key).await?;
        let Some((definition, _)) = latest else {
            return Err(EngineError::UnknownDefinition { key: request.process_key.into_string() });
        };
        let definition = self.engine.definitions.load(self.uow, definition).await?;
        let beginning =
            Beginning { business_key: request.business_key, variables: request.variables, ..Beginning::default() };
        self.begin(definition, beginning).await.map(drop)
    }

    /// Starts an instance of a definition; gives its id.
    pub(super) async fn begin(
        &mut self,
        definition: Arc<Definition>,
        beginning: Beginning,
    ) -> Result<Uuid, EngineError> {
        let Beginning { element_id, timer, business_key, variables } = beginning;
        let row = InstanceRow {
            id: self.new_id(),
            workspace: definition.workspace.clone(),
            definition: definition.id,
            process_key: definition.process_key.clone(),
            business_key: business_key.clone(),
            status: ExecutionStatus::Running,
            state: String::new(),
            started_at: self.now,
            ended_at: None,
        };
        let id = row.id;
        self.tell(EngineChange::Started(InstanceStarted {
            instance: native(id),
            workspace: row.workspace.clone(),
            process_key: row.process_key.clone(),
            business_key,
            input: variables.clone(),
            timer,
        }));
        let mut held = Held::begin(row, definition);
        self.step(&mut held, Command::Start { element_id, variables }).await?;
        self.finish(held).await?;
        Ok(id)
    }

    /// Sets variables of the process scope.
    pub(super) async fn set_variables(
        &mut self,
        instance: &NativeId,
        variables: JsonObject,
    ) -> Result<(), EngineError> {
        let mut held = self.hold_native(instance).await?;
        self.step(&mut held, Command::SetVariables { variables }).await?;
        self.finish(held).await
    }

    /// Ends an instance from outside.
    pub(super) async fn cancel(&mut self, instance: &NativeId) -> Result<(), EngineError> {
        let mut held = self.hold_native(instance).await?;
        self.step(&mut held, Command::Cancel).await?;
        self.finish(held).await
    }

    /// Tries again what raised an incident.
    pub(super) async fn retry(
        &mut self,
        instance: &NativeId,
        incident: &NativeId,
        retries: u32,
    ) -> Result<(), EngineError> {
        let instance = instance_uuid(instance).ok_or(EngineError::UnknownInstance)?;
        let id = ElementRef::parse(incident).filter(|id| id.instance == instance);
        let mut held = self.hold(instance).await?.ok_or(EngineError::UnknownInstance)?;
        let id = id.ok_or(EngineError::UnknownIncident)?;
        let row = self.uow.incidents().find(id).await?.filter(|row| row.resolved_at.is_none());
        let row = row.ok_or(EngineError::UnknownIncident)?;
        if row.incident.job.is_some() {
            return self.retry_job(&row, retries.max(1)).await;
        }
        self.step(&mut held, Command::RetryIncident { key: id.key }).await.map_err(|refused| match refused {
            Refused::Step(StepError::UnknownKey { .. }) => EngineError::UnknownIncident,
            other => other.into(),
        })?;
        self.finish(held).await
    }

    /// Gives a job that had failed for good more tries.
    async fn retry_job(&mut self, incident: &IncidentRow, retries: u32) -> Result<(), EngineError> {
        let locked = self.uow.jobs().lock(incident.id, self.now).await?;
        let job = locked.map(|locked| locked.job).filter(|job| job.state == WorkState::Open);
        let mut job = job.ok_or(EngineError::UnknownIncident)?;
        job.retries = retries;
        job.lock = None;
        job.available_at = self.now;
        self.uow.jobs().update(&job, self.now).await?;
        self.uow.incidents().resolve(incident.id, self.now).await?;
        let change = InstanceChange::IncidentResolved { incident: incident.id.native(), element_id: job.element_id };
        self.tell_of(incident.id.instance, change);
        Ok(())
    }
}
