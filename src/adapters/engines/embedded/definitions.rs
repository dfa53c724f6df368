//! Process definitions as the machine runs them, kept by id: they never change.

use std::sync::Arc;

use moka::sync::Cache;
use uuid::Uuid;

use super::{
    blocking,
    machine::{self, Process},
};
use crate::{
    domain::{engine::ProcessKey, workspace::WorkspaceId},
    ports::{
        engine::EngineError,
        engine_store::DefinitionRow,
        repository::{RepositoryError, UnitOfWork},
    },
};

/// How much BPMN text the cached definitions may stand for, in bytes.
const CAPACITY: u64 = 64 * 1024 * 1024;

/// A version of a process, ready to run.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) id: Uuid,
    pub(super) workspace: WorkspaceId,
    pub(super) process_key: ProcessKey,
    pub(super) process: Arc<Process>,
    /// The size of its file, in bytes.
    weight: usize,
}

impl Definition {
    pub(super) fn new(row: &DefinitionRow, process: Arc<Process>) -> Self {
        Self {
            id: row.id,
            workspace: row.workspace.clone(),
            process_key: row.process_key.clone(),
            process,
            weight: row.xml.len(),
        }
    }
}

/// The definitions used of late.
#[derive(Debug)]
pub(super) struct DefinitionCache(Cache<Uuid, Arc<Definition>>);

impl Default for DefinitionCache {
    fn default() -> Self {
        let weigh = |_: &Uuid, definition: &Arc<Definition>| u32::try_from(definition.weight).unwrap_or(u32::MAX);
        Self(Cache::builder().max_capacity(CAPACITY).weigher(weigh).build())
    }
}

impl DefinitionCache {
    /// Keeps one that was just read. If its unit of work does not commit, nobody ever asks for its id.
    pub(super) fn keep(&self, definition: Definition) {
        self.0.insert(definition.id, Arc::new(definition));
    }

    /// The definition of that id, read from the store where it is not at hand.
    pub(super) async fn load(&self, uow: &mut dyn UnitOfWork, id: Uuid) -> Result<Arc<Definition>, EngineError> {
        if let Some(definition) = self.0.get(&id) {
            return Ok(definition);
        }
        let row = uow.definitions().find(id).await?.ok_or(unreadable())?;
        let definition = Arc::new(blocking::run(move || read(&row)).await?.ok_or(unreadable())?);
        self.0.insert(id, Arc::clone(&definition));
        Ok(definition)
    }
}

fn read(row: &DefinitionRow) -> Option<Definition> {
    let processes = machine::read(&row.xml).ok()?;
    let process = processes.into_iter().find(|process| process.key() == row.process_key.as_str())?;
    Some(Definition::new(row, Arc::new(process)))
}

const fn unreadable() -> RepositoryError {
    RepositoryError::Corrupt { what: "process definition" }
}
