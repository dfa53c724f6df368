//! Workflows: named, workspace-owned things to run.

use super::{
    access,
    commands::{Answer, Once, Unit},
    core::{Core, existing, only},
    error::{AppError, ConflictError, Noun},
};
use crate::{
    domain::{
        engine::{EngineName, ProcessKey},
        execution::Starter,
        idempotency::Idempotency,
        identity::Identity,
        ids::WorkflowId,
        page::{Page, PageRequest},
        scope::Scope,
        text::{Name, Remark},
        workflow::Workflow,
        workspace::WorkspaceId,
    },
    ports::{local_engine::EngineCommand, repository::WorkflowFilter, rng::RngExt},
};

/// A workflow to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWorkflow {
    /// Who is to own it.
    pub workspace: WorkspaceId,
    /// Its name.
    pub name: Name,
    /// What it is for.
    pub description: Option<Remark>,
    /// Where it is to run; the default engine.
    pub engine: Option<EngineName>,
    /// What it is to run; the process whose key is its name.
    pub process_key: Option<ProcessKey>,
}

/// What is to change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WorkflowPatch {
    /// A new name.
    pub name: Option<Name>,
    /// A new description; `Some(None)` takes it away.
    pub description: Option<Option<Remark>>,
    /// Only if the workflow is still at this revision.
    pub if_revision: Option<u64>,
}

/// Makes, shows, changes and hides workflows.
#[derive(Debug, Clone)]
pub struct Workflows {
    core: Core,
}

impl Workflows {
    /// On these foundations.
    pub const fn new(core: Core) -> Self {
        Self { core }
    }

    /// Makes one.
    ///
    /// # Errors
    /// [`ConflictError::WorkflowNameTaken`], [`ConflictError::ProcessTaken`].
    pub async fn create(
        &self,
        who: &Identity,
        new: NewWorkflow,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer<Workflow>, AppError> {
        access::in_named_workspace(who, Scope::WorkflowsWrite, &new.workspace)?;
        let engine = self.core.engines.chosen(new.engine.clone())?;
        let process_key = match new.process_key.clone() {
            Some(key) => key,
            None => ProcessKey::parse(new.name.as_str()).map_err(AppError::text("/process_definition_key"))?,
        };
        let (core, maker) = (self.core.clone(), who.clone());
        let once = self.core.commands.once(idempotency, move |unit| {
            let id = WorkflowId::new(core.commands.rng().uuid_v7(unit.now));
            let workflow = Workflow {
                id,
                workspace: new.workspace.clone(),
                name: new.name.clone(),
                description: new.description.clone(),
                engine: engine.clone(),
                process_key: process_key.clone(),
                latest_deployment: None,
                created_at: unit.now,
                updated_at: unit.now,
                revision: 1,
            };
            let (core, who) = (core.clone(), maker.clone());
            Box::pin(async move {
                let starter = Starter::from(&who);
                existing(unit, &who, &workflow.workspace).await?;
                // Looked at first and told last: who loses a race for a name learns that the name is taken.
                let process_is_free = process_is_free(unit, &workflow).await;
                name_is_free(unit, &workflow.workspace, &workflow.name).await?;
                process_is_free?;
                unit.uow().workflows().insert(&workflow).await?;
                // It may take over a process whose workflow is gone.
                let Workflow { workspace, process_key, engine, .. } = workflow.clone();
                core.perform(unit, &engine, EngineCommand::Arm { workspace, process_key }, starter).await?;
                Ok((workflow, id.to_string()))
            })
        });
        match once.await? {
            Once::Done(value) => Ok(Answer { value, replayed: false }),
            Once::Repeated(subject) => {
                let id = subject.parse().map_err(|_| AppError::NotFound(Noun::Workflow))?;
                let found = self.core.commands.view().await?.workflows().find(id).await?;
                Ok(Answer { value: seen(who, Scope::WorkflowsWrite, found)?, replayed: true })
            }
        }
    }

    /// Shows one.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn get(&self, who: &Identity, id: WorkflowId) -> Result<Workflow, AppError> {
        let found = self.core.commands.view().await?.workflows().find(id).await?;
        seen(who, Scope::WorkflowsRead, found)
    }

    /// Those in a workspace, or wherever the caller may read, newest first.
    ///
    /// # Errors
    /// [`AppError::Auth`].
    pub async fn list(
        &self,
        who: &Identity,
        workspace: Option<&WorkspaceId>,
        name: Option<Name>,
        page: &PageRequest,
    ) -> Result<Page<Workflow>, AppError> {
        let within = self.core.within(who, Scope::WorkflowsRead, workspace).await?;
        let filter = WorkflowFilter { within, name };
        Ok(self.core.commands.view().await?.workflows().list(&filter, page).await?)
    }

    /// Changes name or description.
    ///
    /// # Errors
    /// [`AppError::Stale`], [`ConflictError::WorkflowNameTaken`].
    pub async fn change(&self, who: &Identity, id: WorkflowId, patch: WorkflowPatch) -> Result<Workflow, AppError> {
        let who = who.clone();
        self.core
            .commands
            .run(move |unit| {
                let (who, patch) = (who.clone(), patch.clone());
                Box::pin(async move {
                    let mut workflow = held(unit, &who, id, patch.if_revision).await?;
                    if let Some(name) = patch.name.filter(|name| *name != workflow.name) {
                        name_is_free(unit, &workflow.workspace, &name).await?;
                        workflow.name = name;
                    }
                    if let Some(description) = patch.description {
                        workflow.description = description;
                    }
                    workflow.updated_at = unit.now;
                    workflow.revision += 1;
                    unit.uow().workflows().update(&workflow).await?;
                    Ok(workflow)
                })
            })
            .await
    }

    /// Hides one: its events stay, its name and key are free, no timer or message starts it any more.
    ///
    /// # Errors
    /// [`ConflictError::WorkflowBusy`] while executions run; [`AppError::Stale`].
    pub async fn delete(&self, who: &Identity, id: WorkflowId, if_revision: Option<u64>) -> Result<(), AppError> {
        let (core, who) = (self.core.clone(), who.clone());
        self.core
            .commands
            .run(move |unit| {
                let (core, who) = (core.clone(), who.clone());
                Box::pin(async move {
                    let workflow = held(unit, &who, id, if_revision).await?;
                    let at = unit.now;
                    unit.uow().workflows().hide(id, at).await?;
                    // Asked now, when no start can be under way any more.
                    if unit.uow().executions().any_running(id).await? {
                        return Err(ConflictError::WorkflowBusy.into());
                    }
                    let Workflow { workspace, process_key, engine, .. } = workflow;
                    let disarm = EngineCommand::Disarm { workspace, process_key };
                    core.perform(unit, &engine, disarm, Starter::from(&who)).await?;
                    Ok(())
                })
            })
            .await
    }
}

/// The workflow, if the caller has this right on it.
pub(super) fn seen(who: &Identity, scope: Scope, found: Option<Workflow>) -> Result<Workflow, AppError> {
    let workflow = found.ok_or(AppError::NotFound(Noun::Workflow))?;
    access::on_thing_of(who, scope, &workflow.workspace, Some(workflow.id), Noun::Workflow)?;
    Ok(workflow)
}

async fn held(unit: &mut Unit, who: &Identity, id: WorkflowId, if_revision: Option<u64>) -> Result<Workflow, AppError> {
    let found = unit.uow().workflows().lock(id).await?;
    let workflow = seen(who, Scope::WorkflowsWrite, found)?;
    if if_revision.is_some_and(|revision| revision != workflow.revision) {
        return Err(AppError::Stale);
    }
    Ok(workflow)
}

async fn name_is_free(unit: &mut Unit, workspace: &WorkspaceId, name: &Name) -> Result<(), AppError> {
    match unit.uow().workflows().find_by_name(workspace, name).await? {
        Some(_) => Err(ConflictError::WorkflowNameTaken.into()),
        None => Ok(()),
    }
}

/// (workspace, engine, key) is unique: on the embedded engine workspaces are tenants.
pub(super) async fn process_is_free(unit: &mut Unit, workflow: &Workflow) -> Result<(), AppError> {
    let within = only(&workflow.workspace);
    let bound = unit.uow().workflows().find_by_key(&within, &workflow.engine, &workflow.process_key).await?;
    if bound.iter().any(|other| other.id != workflow.id) {
        return Err(ConflictError::ProcessTaken.into());
    }
    Ok(())
}
