//! One command within its caller's unit of work.

use jiff::Timestamp;
use uuid::Uuid;

use super::EmbeddedEngine;
use crate::{
    domain::engine::NativeId,
    ports::{
        local_engine::{EngineChange, InstanceChange},
        repository::UnitOfWork,
        rng::RngExt as _,
    },
};

/// What a command works with. The commands themselves stand in the files named after what they are about.
pub(super) struct Unit<'a> {
    pub(super) engine: &'a EmbeddedEngine,
    pub(super) uow: &'a mut dyn UnitOfWork,
    pub(super) now: Timestamp,
    changes: Vec<EngineChange>,
}

impl<'a> Unit<'a> {
    pub(super) fn new(engine: &'a EmbeddedEngine, uow: &'a mut dyn UnitOfWork, now: Timestamp) -> Self {
        Self { engine, uow, now, changes: Vec::new() }
    }

    /// What the command did.
    pub(super) fn into_changes(self) -> Vec<EngineChange> {
        self.changes
    }

    /// Tells the caller what was done.
    pub(super) fn tell(&mut self, change: EngineChange) {
        self.changes.push(change);
    }

    /// Tells the caller what happened in an instance.
    pub(super) fn tell_of(&mut self, instance: Uuid, change: InstanceChange) {
        self.tell(EngineChange::Instance { instance: native(instance), change });
    }

    /// A place among the changes, for [`forget_since`](Self::forget_since).
    pub(super) fn mark(&self) -> usize {
        self.changes.len()
    }

    /// Takes back what was told since a place: it did not happen.
    pub(super) fn forget_since(&mut self, mark: usize) {
        self.changes.truncate(mark);
    }

    /// A fresh id.
    pub(super) fn new_id(&self) -> Uuid {
        self.engine.rng.uuid_v7(self.now)
    }
}

/// An instance's id as the ports name it.
pub(super) fn native(instance: Uuid) -> NativeId {
    NativeId::new(instance.hyphenated().to_string())
}
