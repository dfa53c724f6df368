//! The embedded engine's process definitions.

use std::sync::Arc;

use async_trait::async_trait;
use imbl::OrdMap;
use uuid::Uuid;

use super::MemoryUnit;
use crate::{
    domain::{engine::ProcessKey, workspace::WorkspaceId},
    ports::{
        engine_store::{DefinitionRow, Definitions},
        repository::RepositoryError,
    },
};

#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    rows: OrdMap<Uuid, Arc<DefinitionRow>>,
    versions: OrdMap<(WorkspaceId, ProcessKey), OrdMap<u32, Uuid>>,
}

impl Table {
    fn insert(&mut self, row: &DefinitionRow) -> Result<(), RepositoryError> {
        let versions = self.versions.entry((row.workspace.clone(), row.process_key.clone())).or_default();
        if self.rows.contains_key(&row.id) || versions.contains_key(&row.version) {
            return Err(RepositoryError::Conflict);
        }
        versions.insert(row.version, row.id);
        self.rows.insert(row.id, Arc::new(row.clone()));
        Ok(())
    }
}

#[async_trait]
impl Definitions for MemoryUnit {
    async fn insert(&mut self, definition: &DefinitionRow) -> Result<(), RepositoryError> {
        self.change(|state| state.definitions.insert(definition))
    }

    async fn find(&mut self, id: Uuid) -> Result<Option<DefinitionRow>, RepositoryError> {
        self.read(|state| state.definitions.rows.get(&id).map(|row| DefinitionRow::clone(row)))
    }

    async fn find_latest(
        &mut self,
        workspace: &WorkspaceId,
        key: &ProcessKey,
    ) -> Result<Option<(Uuid, u32)>, RepositoryError> {
        self.read(|state| {
            let versions = state.definitions.versions.get(&(workspace.clone(), key.clone()))?;
            versions.get_max().map(|(version, id)| (*id, *version))
        })
    }
}
