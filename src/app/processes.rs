//! Processes by their engines' own words: starts by key or message, instances, variables, incidents.

use super::{
    commands::Answer,
    core::Core,
    engines::Located,
    error::{AppError, ConflictError, Noun},
    executions::Executions,
};
use crate::{
    domain::{
        engine::{EngineName, NativeId, ProcessKey},
        execution::Execution,
        idempotency::Idempotency,
        identity::Identity,
        json::JsonObject,
        scope::Scope,
        text::Key,
        workspace::WorkspaceId,
    },
    ports::{
        engine::{Incident, Instance, Start, StartByMessage},
        local_engine::EngineCommand,
    },
};

/// Starts and shows process instances.
#[derive(Debug, Clone)]
pub struct Processes {
    core: Core,
    executions: Executions,
}

/// An instance as its engine tells it, and the gate's record of it.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownInstance {
    /// The engine that it runs on.
    pub engine: EngineName,
    /// The instance.
    pub instance: Instance,
    /// The gate's record, where the gate started it.
    pub execution: Option<Execution>,
}

impl Processes {
    /// On these foundations.
    pub fn new(core: Core) -> Self {
        Self { executions: Executions::new(core.clone()), core }
    }

    /// Starts the process of a key, in the workspace named or wherever the caller has one of that key.
    ///
    /// # Errors
    /// [`AppError::NotFound`] when there is none, [`ConflictError::ProcessAmbiguous`] when there are several.
    pub async fn start(
        &self,
        who: &Identity,
        key: ProcessKey,
        workspace: Option<&WorkspaceId>,
        business_key: Option<Key>,
        variables: JsonObject,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer<Execution>, AppError> {
        let within = self.core.within(who, Scope::WorkflowsExecute, workspace).await?;
        let engine = self.core.engines.default_name().clone();
        // Found within the start's own unit of work: a repeat gives the first start, whatever was deployed since.
        self.executions
            .begin(who, idempotency, move |unit| {
                let (within, engine) = (within.clone(), engine.clone());
                let (key, business_key, variables) = (key.clone(), business_key.clone(), variables.clone());
                Box::pin(async move {
                    let found = unit.uow().workflows().find_by_key(&within, &engine, &key).await?;
                    let workspace = match <[_; 1]>::try_from(found) {
                        Ok([workflow]) => workflow.workspace,
                        Err(none) if none.is_empty() => return Err(AppError::NotFound(Noun::Process)),
                        Err(_several) => return Err(ConflictError::ProcessAmbiguous.into()),
                    };
                    Ok((engine, EngineCommand::Start(Start { workspace, process_key: key, business_key, variables })))
                })
            })
            .await
    }

    /// Starts the process that begins with a message.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_by_message(
        &self,
        who: &Identity,
        message: Key,
        workspace: Option<&WorkspaceId>,
        business_key: Option<Key>,
        variables: JsonObject,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer<Execution>, AppError> {
        let within = self.core.within(who, Scope::WorkflowsExecute, workspace).await?;
        let engine = self.core.engines.default_name().clone();
        let start = StartByMessage { within, message, business_key, variables };
        let command = EngineCommand::StartByMessage(start);
        self.executions
            .begin(who, idempotency, move |_| {
                let found = (engine.clone(), command.clone());
                Box::pin(async { Ok(found) })
            })
            .await
    }

    async fn located(&self, who: &Identity, scope: Scope, id: &str) -> Result<Located, AppError> {
        self.core.engines.instance(&self.core.commands, who, scope, id).await
    }

    /// Shows an instance.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn get(&self, who: &Identity, id: &str) -> Result<KnownInstance, AppError> {
        let Located { name, engine, native, .. } = self.located(who, Scope::WorkflowsRead, id).await?;
        let found = engine.instances(std::slice::from_ref(&native)).await?.pop();
        let instance = found.ok_or(AppError::NotFound(Noun::ProcessInstance))?;
        let mut view = self.core.commands.view().await?;
        let execution = view.executions().find_by_instance(&name, &native).await?;
        Ok(KnownInstance { engine: name, instance, execution })
    }

    /// The process scope's variables.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn variables(&self, who: &Identity, id: &str) -> Result<JsonObject, AppError> {
        let Located { engine, native, .. } = self.located(who, Scope::WorkflowsRead, id).await?;
        Ok(engine.variables(&native).await?)
    }

    /// The open incidents of an instance.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn incidents(&self, who: &Identity, id: &str) -> Result<(EngineName, Vec<Incident>), AppError> {
        let Located { name, engine, native, .. } = self.located(who, Scope::WorkflowsRead, id).await?;
        let incidents = engine.incidents(&native).await?;
        Ok((name, incidents))
    }

    /// Tries again what raised an incident. `incident` is a handle or a native id.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn retry(&self, who: &Identity, id: &str, incident: &str, retries: u32) -> Result<(), AppError> {
        let Located { name, native, .. } = self.located(who, Scope::WorkflowsExecute, id).await?;
        let prefix = format!("{name}~");
        let incident = NativeId::new(incident.strip_prefix(&prefix).unwrap_or(incident));
        self.core.command(who, name, EngineCommand::Retry { instance: native, incident, retries }).await?;
        Ok(())
    }
}
