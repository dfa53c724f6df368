//! User tasks: the inbox over all engines.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use super::{
    core::Core,
    engines::Located,
    error::{AppError, Noun},
};
use crate::{
    domain::{
        engine::{EngineName, Handle, NativeId},
        identity::Identity,
        json::JsonObject,
        page::{Page, PageRequest, Position},
        scope::Scope,
        text::Key,
        workspace::WorkspaceId,
    },
    ports::{
        engine::{EngineError, TaskQuery, UserTask},
        engine_store::task_position,
        local_engine::EngineCommand,
    },
};

/// Which tasks, as the caller asks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskFilter {
    /// In this workspace.
    pub workspace: Option<WorkspaceId>,
    /// Of this instance: a handle or a native id.
    pub instance: Option<String>,
    /// Of this element.
    pub element_id: Option<String>,
    /// Of this person.
    pub assignee: Option<String>,
    /// Open to this group.
    pub candidate_group: Option<String>,
}

/// A task, and where it is.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownTask {
    /// The engine that it is on.
    pub engine: EngineName,
    /// The task.
    pub task: UserTask,
}

/// What the engines have, and which could not say.
#[derive(Debug)]
pub struct Inbox {
    /// The tasks, newest first.
    pub tasks: Page<KnownTask>,
    /// Engines that did not answer.
    pub failed: BTreeMap<EngineName, EngineError>,
}

/// Shows, assigns and completes user tasks.
#[derive(Debug, Clone)]
pub struct Tasks {
    core: Core,
}

impl Tasks {
    /// On these foundations.
    pub const fn new(core: Core) -> Self {
        Self { core }
    }

    /// Open tasks on all engines, newest first. An engine that does not answer does not keep the others' from the caller.
    ///
    /// # Errors
    /// [`AppError::Auth`]; [`AppError::NotFound`] for an instance that the caller may not see.
    pub async fn inbox(&self, who: &Identity, filter: TaskFilter, page: &PageRequest) -> Result<Inbox, AppError> {
        let within = self.core.within(who, Scope::WorkflowsRead, filter.workspace.as_ref()).await?;
        let mut query = TaskQuery {
            element_id: filter.element_id,
            assignee: filter.assignee,
            candidate_group: filter.candidate_group,
            ..TaskQuery::within(within)
        };
        let mut on = None;
        if let Some(id) = filter.instance {
            let found = self.core.engines.instance(&self.core.commands, who, Scope::WorkflowsRead, &id).await?;
            query.instance = Some(found.native);
            on = Some(found.name);
        }
        let after = page.after.as_ref().map(|Position(after)| after.as_str());
        let (mut found, mut failed) = (Vec::new(), BTreeMap::new());
        for (name, engine) in self.core.engines.iter().filter(|(name, _)| on.as_ref().is_none_or(|on| on == *name)) {
            match engine.user_tasks(&query, after, page.limit + 1).await {
                Ok(tasks) => found.extend(tasks.into_iter().map(|task| KnownTask { engine: name.clone(), task })),
                // An engine in our own store is not one that others could stand in for.
                Err(EngineError::Repository(error)) => return Err(error.into()),
                Err(error) => drop(failed.insert(name.clone(), error)),
            }
        }
        let position = |known: &KnownTask| task_position(known.task.created_at, &known.task.id);
        found.sort_by_cached_key(|known| std::cmp::Reverse(position(known)));
        Ok(Inbox { tasks: Page::cut(found, page.limit, position), failed })
    }

    /// The task in which an instance waits at an element, and the variables that it sees; waits for it at most so long.
    ///
    /// # Errors
    /// [`AppError::NotFound`] when the time is over.
    pub async fn variables(
        &self,
        who: &Identity,
        instance: &str,
        element_id: &str,
        most: Duration,
    ) -> Result<(Handle, JsonObject), AppError> {
        let end = Instant::now() + most;
        let signals = self.core.commands.signals();
        let _wait = signals.waits.enter(who.key()).ok_or(AppError::TooManyWaits)?;
        let mut appeared = signals.tasks.listen();
        let Located { name, engine, native, workspace, .. } =
            self.core.engines.instance(&self.core.commands, who, Scope::WorkflowsRead, instance).await?;
        let query = TaskQuery {
            instance: Some(native),
            element_id: Some(element_id.to_owned()),
            ..TaskQuery::within(super::core::only(&workspace))
        };
        loop {
            if let Some(task) = engine.user_tasks(&query, None, 1).await?.pop() {
                let variables = engine.task_variables(&task.id).await?;
                return Ok((Handle::new(name, task.id), variables));
            }
            if !self.core.commands.pause(&mut appeared, end).await {
                return Err(AppError::NotFound(Noun::UserTask));
            }
        }
    }

    /// Gives a task to somebody, or to nobody.
    ///
    /// # Errors
    /// [`AppError::NotFound`], [`EngineError::TaskCompleted`].
    pub async fn assign(&self, who: &Identity, id: &str, assignee: Option<Key>) -> Result<(), AppError> {
        self.command(who, id, |task| EngineCommand::AssignTask { task, assignee }).await
    }

    /// Completes a task.
    ///
    /// # Errors
    /// [`AppError::NotFound`], [`EngineError::TaskCompleted`].
    pub async fn complete(&self, who: &Identity, id: &str, variables: JsonObject) -> Result<(), AppError> {
        self.command(who, id, |task| EngineCommand::CompleteTask { task, variables }).await
    }

    async fn command(
        &self,
        who: &Identity,
        id: &str,
        command: impl FnOnce(NativeId) -> EngineCommand,
    ) -> Result<(), AppError> {
        let Core { commands, engines } = &self.core;
        let Located { name, native, .. } = engines.task(commands, who, Scope::WorkflowsExecute, id).await?;
        self.core.command(who, name, command(native)).await?;
        Ok(())
    }
}
