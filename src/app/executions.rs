//! Executions: runs of workflows.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::{
    access,
    commands::{Answer, Once, Unit},
    core::Core,
    error::{AppError, ConflictError, Noun},
    recorder::Cause,
    workflows::seen,
};
use crate::{
    domain::{
        engine::EngineName,
        execution::{Execution, ListedExecution, Starter},
        idempotency::Idempotency,
        identity::Identity,
        ids::{ExecutionId, WorkflowId},
        json::JsonObject,
        page::{Page, PageRequest},
        scope::Scope,
        text::{Key, Remark},
    },
    ports::{
        engine::{EngineError, Start},
        local_engine::EngineCommand,
        repository::ExecutionFilter,
    },
};

/// Starts, shows and cancels executions.
#[derive(Debug, Clone)]
pub struct Executions {
    core: Core,
}

impl Executions {
    /// On these foundations.
    pub const fn new(core: Core) -> Self {
        Self { core }
    }

    /// Starts one, and runs it to its first wait states.
    ///
    /// # Errors
    /// [`AppError::NotFound`], the engine's answers.
    pub async fn start(
        &self,
        who: &Identity,
        workflow: WorkflowId,
        input: JsonObject,
        business_key: Option<Key>,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer<Execution>, AppError> {
        let mut view = self.core.commands.view().await?;
        let mut found = view.workflows().find(workflow).await?;
        let gone = found.is_none();
        if gone && idempotency.is_some() {
            // A repeat still gives what the first time started.
            found = view.workflows().find_with_hidden(workflow).await?;
        }
        drop(view);
        let workflow = seen(who, Scope::WorkflowsExecute, found)?;
        let engine = workflow.engine;
        let command = EngineCommand::Start(Start {
            workspace: workflow.workspace,
            process_key: workflow.process_key,
            business_key,
            variables: input,
        });
        self.begin(who, idempotency, move |_| {
            let found =
                if gone { Err(AppError::NotFound(Noun::Workflow)) } else { Ok((engine.clone(), command.clone())) };
            Box::pin(async { found })
        })
        .await
    }

    /// Starts what `find` finds to start, within the start's own unit of work; a repeat shows the execution as it is now.
    pub(super) async fn begin<F>(
        &self,
        who: &Identity,
        idempotency: Option<Idempotency>,
        find: F,
    ) -> Result<Answer<Execution>, AppError>
    where
        F: for<'u> Fn(&'u mut Unit) -> BoxFuture<'u, Result<(EngineName, EngineCommand), AppError>>
            + Send
            + Sync
            + 'static,
    {
        let (core, starter, find) = (self.core.clone(), Starter::from(who), Arc::new(find));
        let once = self.core.commands.once(idempotency, move |unit| {
            let (core, starter, find) = (core.clone(), starter.clone(), Arc::clone(&find));
            Box::pin(async move {
                let (engine, command) = find(unit).await?;
                let performed = core.perform(unit, &engine, command, starter).await?;
                let first = performed.recorded.started.into_iter().next();
                let execution = first.ok_or(EngineError::UnknownInstance)?;
                let subject = execution.id.to_string();
                Ok((execution, subject))
            })
        });
        match once.await? {
            Once::Done(value) => Ok(Answer { value, replayed: false }),
            Once::Repeated(subject) => {
                let missing = || AppError::NotFound(Noun::Execution);
                let id = subject.parse().map_err(|_| missing())?;
                let found = self.core.commands.view().await?.executions().find(id).await?;
                Ok(Answer { value: found.ok_or_else(missing)?, replayed: true })
            }
        }
    }

    /// Waits for an execution's end, at most so long; gives it as it is then.
    ///
    /// # Errors
    /// The store's.
    pub async fn wait(&self, mut execution: Execution, most: Duration) -> Result<Execution, AppError> {
        let end = Instant::now() + most;
        let signals = self.core.commands.signals();
        let who = crate::app::context::current().map(|context| context.identity.key()).unwrap_or_default();
        let _wait = signals.waits.enter(who).ok_or(AppError::TooManyWaits)?;
        let mut ended = signals.ended.listen();
        while !execution.status.ended() {
            // Looked for before the first pause, too: it may have ended before this began to listen.
            if let Some(now) = self.core.commands.view().await?.executions().find(execution.id).await? {
                execution = now;
            }
            if execution.status.ended() || !self.core.commands.pause(&mut ended, end).await {
                break;
            }
        }
        Ok(execution)
    }

    /// Shows one.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn get(&self, who: &Identity, id: ExecutionId) -> Result<Execution, AppError> {
        self.seen(who, Scope::WorkflowsRead, id).await
    }

    async fn seen(&self, who: &Identity, scope: Scope, id: ExecutionId) -> Result<Execution, AppError> {
        let found = self.core.commands.view().await?.executions().find(id).await?;
        let execution = found.ok_or(AppError::NotFound(Noun::Execution))?;
        access::on_thing_of(who, scope, &execution.workspace, Some(execution.workflow), Noun::Execution)?;
        Ok(execution)
    }

    /// Those of a workflow, newest first.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn list(
        &self,
        who: &Identity,
        filter: &ExecutionFilter,
        page: &PageRequest,
    ) -> Result<Page<ListedExecution>, AppError> {
        let mut view = self.core.commands.view().await?;
        let found = view.workflows().find(filter.workflow).await?;
        seen(who, Scope::WorkflowsRead, found)?;
        Ok(view.executions().list(filter, page).await?)
    }

    /// Ends one from outside; the reason goes into its last event.
    ///
    /// # Errors
    /// [`ConflictError::ExecutionEnded`].
    pub async fn cancel(&self, who: &Identity, id: ExecutionId, reason: Option<Remark>) -> Result<Execution, AppError> {
        let execution = self.seen(who, Scope::WorkflowsExecute, id).await?;
        let instance = execution.instance.ok_or(ConflictError::ExecutionEnded)?;
        let cause = Cause { reason, ..Cause::from(who) };
        match self.core.command(cause, execution.engine, EngineCommand::Cancel { instance }).await {
            Err(AppError::Engine(EngineError::InstanceEnded)) => Err(ConflictError::ExecutionEnded.into()),
            Err(error) => Err(error),
            Ok(_) => self.seen(who, Scope::WorkflowsExecute, id).await,
        }
    }
}
