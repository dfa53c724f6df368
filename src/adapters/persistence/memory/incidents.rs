//! The embedded engine's incidents.

use async_trait::async_trait;
use imbl::OrdMap;
use jiff::Timestamp;
use uuid::Uuid;

use super::{MemoryUnit, index::Index, jobs::of_instance};
use crate::ports::{
    engine_store::{ElementRef, IncidentRow, Incidents},
    repository::RepositoryError,
};

/// How many open incidents of an instance are listed.
const MOST: usize = 200;

#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    rows: OrdMap<ElementRef, IncidentRow>,
    open: Index<Uuid, (Timestamp, ElementRef)>,
}

impl Table {
    fn put(&mut self, row: IncidentRow) {
        self.take(row.id);
        if row.resolved_at.is_none() {
            self.open.insert(row.id.instance, (row.incident.created_at, row.id));
        }
        self.rows.insert(row.id, row);
    }

    fn take(&mut self, id: ElementRef) -> Option<IncidentRow> {
        let old = self.rows.remove(&id)?;
        self.open.remove(&id.instance, &(old.incident.created_at, id));
        Some(old)
    }

    fn resolve(&mut self, id: ElementRef, at: Timestamp) {
        if let Some(old) = self.take(id) {
            self.put(IncidentRow { resolved_at: old.resolved_at.or(Some(at)), ..old });
        }
    }

    fn resolve_all(&mut self, instance: Uuid, at: Timestamp) {
        let open: Vec<_> = self.open.ascending(&instance).map(|(_, id)| *id).collect();
        for id in open {
            self.resolve(id, at);
        }
    }

    pub(super) fn forget(&mut self, instance: Uuid) {
        for id in of_instance(&self.rows, instance) {
            self.take(id);
        }
    }
}

#[async_trait]
impl Incidents for MemoryUnit {
    async fn put(&mut self, incident: &IncidentRow) -> Result<(), RepositoryError> {
        self.change(|state| {
            state.incidents.put(incident.clone());
            Ok(())
        })
    }

    async fn find(&mut self, id: ElementRef) -> Result<Option<IncidentRow>, RepositoryError> {
        self.read(|state| state.incidents.rows.get(&id).cloned())
    }

    async fn resolve(&mut self, id: ElementRef, at: Timestamp) -> Result<(), RepositoryError> {
        self.change(|state| {
            state.incidents.resolve(id, at);
            Ok(())
        })
    }

    async fn resolve_all(&mut self, instance: Uuid, at: Timestamp) -> Result<(), RepositoryError> {
        self.change(|state| {
            state.incidents.resolve_all(instance, at);
            Ok(())
        })
    }

    async fn open(&mut self, instance: Uuid) -> Result<Vec<IncidentRow>, RepositoryError> {
        self.read(|state| {
            let open = state.incidents.open.ascending(&instance).take(MOST);
            open.filter_map(|(_, id)| state.incidents.rows.get(id).cloned()).collect()
        })
    }

    async fn count_open(&mut self, instance: Uuid) -> Result<u64, RepositoryError> {
        self.read(|state| u64::try_from(state.incidents.open.count(&instance)).unwrap_or(u64::MAX))
    }
}
