//! What every use case stands on: units of work and engines, and the one way in which a command reaches an engine.

use std::collections::BTreeSet;

use super::{
    access,
    commands::{Commands, Unit},
    engines::Engines,
    error::AppError,
    recorder::{Cause, Recorded, Recorder},
};
use crate::{
    domain::{
        engine::EngineName,
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
    /// Where to look, as [`access::within`] has it. Who has all workspaces learns that the one they name does not exist;
    /// for everybody else that is forbidden or empty.
    ///
    /// # Errors
    /// As [`access::within`], and [`AppError::NotFound`].
    pub(super) async fn within(
        &self,
        who: &Identity,
        scope: Scope,
        named: Option<&WorkspaceId>,
    ) -> Result<WorkspaceAccess, AppError> {
        let within = access::within(who, scope, named)?;
        if let Some(workspace) = named.filter(|_| who.rights.reaches_all()) {
            let found = self.commands.view().await?.workspaces().find(workspace).await?;
            found.ok_or_else(|| access::no_such_workspace(who))?;
        }
        Ok(within)
    }

    /// Tells an engine what to do within a unit of work, and records what it did in the same unit.
    ///
    /// # Errors
    /// The engine's and the store's answers.
    pub async fn perform(
        &self,
        unit: &mut Unit,
        engine: &EngineName,
        command: EngineCommand,
        cause: impl Into<Cause>,
    ) -> Result<Performed, AppError> {
        let changes = self.engines.apply(unit, engine, command).await?;
        let recorded = Recorder::new(&self.commands, unit, engine, cause.into()).record(&changes).await?;
        Ok(Performed { changes, recorded })
    }

    /// Tells an engine what to do, in a unit of work of its own.
    ///
    /// # Errors
    /// The engine's and the store's answers.
    pub async fn command(
        &self,
        cause: impl Into<Cause>,
        engine: EngineName,
        command: EngineCommand,
    ) -> Result<Performed, AppError> {
        let (core, cause) = (self.clone(), cause.into());
        self.commands
            .run(move |unit| {
                let (core, engine) = (core.clone(), engine.clone());
                let (command, cause) = (command.clone(), cause.clone());
                Box::pin(async move { core.perform(unit, &engine, command, cause).await })
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
