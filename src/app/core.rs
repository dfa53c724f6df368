//! What every use case stands on: units of work and engines, and the one way in which a command reaches an engine.

use std::collections::BTreeSet;

use super::{
    access,
    commands::{Commands, Unit},
    engines::Engines,
    error::AppError,
    recorder::{Recorded, Recorder},
};
use crate::{
    domain::{
        engine::EngineName,
        execution::Starter,
        identity::Identity,
        scope::Scope,
        workspace::{WorkspaceAccess, WorkspaceId},
    },
    ports::local_engine::{EngineChange, EngineCommand},
};

/// Units of work and engines.
#[derive(Debug, Clone)]
pub struct Core {
    /// Units of work.
    pub commands: Commands,
    /// Engines.
    pub engines: Engines,
}

/// What an engine did, and what the gate recorded of it.
#[derive(Debug)]
pub struct Performed {
    /// What the engine did.
    pub changes: Vec<EngineChange>,
    /// What was recorded.
    pub recorded: Recorded,
}

impl Core {
    /// Tells an engine what to do within a unit of work, and records what it did in the same unit.
    ///
    /// # Errors
    /// The engine's and the store's answers.
    pub async fn perform(
        &self,
        unit: &mut Unit,
        engine: &EngineName,
        command: EngineCommand,
        starter: Starter,
    ) -> Result<Performed, AppError> {
        let changes = self.engines.apply(unit, engine, command).await?;
        let recorded = Recorder::new(&self.commands, unit, engine, starter).record(&changes).await?;
        Ok(Performed { changes, recorded })
    }

    /// Where to look: in the workspace that the request names, else wherever the caller has the right.
    ///
    /// # Errors
    /// As [`access::within`]; [`AppError::NotFound`] to who has all workspaces, for one that does not exist.
    pub async fn within(
        &self,
        who: &Identity,
        scope: Scope,
        named: Option<&WorkspaceId>,
    ) -> Result<WorkspaceAccess, AppError> {
        let within = access::within(who, scope, named)?;
        if let Some(workspace) = named
            && who.workspaces == WorkspaceAccess::All
            && self.commands.view().await?.workspaces().find(workspace).await?.is_none()
        {
            return Err(access::no_such_workspace(who));
        }
        Ok(within)
    }

    /// Tells an engine what to do, in a unit of work of its own.
    ///
    /// # Errors
    /// The engine's and the store's answers.
    pub async fn command(
        &self,
        who: &Identity,
        engine: EngineName,
        command: EngineCommand,
    ) -> Result<Performed, AppError> {
        let (core, starter) = (self.clone(), Starter::from(who));
        self.commands
            .run(move |unit| {
                let (core, engine) = (core.clone(), engine.clone());
                let (command, starter) = (command.clone(), starter.clone());
                Box::pin(async move { core.perform(unit, &engine, command, starter).await })
            })
            .await
    }
}

/// That a workspace exists.
///
/// # Errors
/// As [`access::no_such_workspace`] says.
pub(super) async fn existing(unit: &mut Unit, who: &Identity, workspace: &WorkspaceId) -> Result<(), AppError> {
    match unit.uow().workspaces().find(workspace).await? {
        Some(_) => Ok(()),
        None => Err(access::no_such_workspace(who)),
    }
}

/// This workspace alone.
pub(super) fn only(workspace: &WorkspaceId) -> WorkspaceAccess {
    WorkspaceAccess::Only(BTreeSet::from([workspace.clone()]))
}
