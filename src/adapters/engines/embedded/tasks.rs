//! User tasks.

use super::{instance::Held, machine::Command, unit::Unit};
use crate::{
    domain::{engine::NativeId, json::JsonObject, text::Key},
    ports::{
        engine::EngineError,
        engine_store::{ElementRef, TaskRow, WorkState},
        local_engine::InstanceChange,
    },
};

impl Unit<'_> {
    /// Gives a task to somebody, or to nobody.
    pub(super) async fn assign_task(&mut self, task: &NativeId, assignee: Option<Key>) -> Result<(), EngineError> {
        let (held, mut row) = self.hold_task(task).await?;
        let name = assignee.as_ref().map(ToString::to_string);
        if row.task.assignee == name {
            return Ok(());
        }
        row.task.assignee = name;
        self.uow.tasks().update(&row).await?;
        let change = InstanceChange::TaskAssigned { task: row.id.native(), element_id: row.task.element_id, assignee };
        self.tell_of(held.id(), change);
        Ok(())
    }

    /// Completes a task.
    pub(super) async fn complete_task(&mut self, task: &NativeId, variables: JsonObject) -> Result<(), EngineError> {
        let (mut held, row) = self.hold_task(task).await?;
        let key = row.id.key;
        held.task = Some(row);
        self.step(&mut held, Command::CompleteTask { key, variables }).await?;
        self.finish(held).await
    }

    /// Locks an open task, and its instance before it.
    async fn hold_task(&mut self, task: &NativeId) -> Result<(Held, TaskRow), EngineError> {
        let id = ElementRef::parse(task).ok_or(EngineError::UnknownTask)?;
        let held = self.hold(id.instance).await?.ok_or(EngineError::UnknownTask)?;
        let row = self.uow.tasks().lock(id).await?.ok_or(EngineError::UnknownTask)?;
        match row.state {
            WorkState::Open => Ok((held, row)),
            WorkState::Completed => Err(EngineError::TaskCompleted),
            WorkState::Cancelled => Err(EngineError::UnknownTask),
        }
    }
}
