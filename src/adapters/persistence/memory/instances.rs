//! The embedded engine's instances.

use std::{ops::Bound, sync::Arc};

use async_trait::async_trait;
use imbl::{OrdMap, OrdSet};
use jiff::Timestamp;
use uuid::Uuid;

use super::{
    MemoryUnit, State,
    index::{count, items},
};
use crate::ports::{
    engine_store::{InstanceRow, Instances},
    repository::RepositoryError,
};

#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    rows: OrdMap<Uuid, Arc<InstanceRow>>,
    ended: OrdSet<(Timestamp, Uuid)>,
}

impl Table {
    fn get(&self, id: Uuid) -> Option<InstanceRow> {
        self.rows.get(&id).map(|row| InstanceRow::clone(row))
    }

    fn insert(&mut self, row: &InstanceRow) -> Result<(), RepositoryError> {
        if self.rows.contains_key(&row.id) {
            return Err(RepositoryError::Conflict);
        }
        self.put(row.clone());
        Ok(())
    }

    fn put(&mut self, row: InstanceRow) {
        if let Some(at) = row.ended_at {
            self.ended.insert((at, row.id));
        }
        self.rows.insert(row.id, Arc::new(row));
    }

    fn update(&mut self, row: &InstanceRow) {
        let Some(old) = self.rows.get(&row.id).cloned() else { return };
        if let Some(at) = old.ended_at {
            self.ended.remove(&(at, old.id));
        }
        self.put(InstanceRow {
            status: row.status,
            state: row.state.clone(),
            ended_at: row.ended_at,
            ..Arc::unwrap_or_clone(old)
        });
    }

    fn ended_since(&self, since: Timestamp, limit: u32) -> Vec<InstanceRow> {
        let range = (Bound::Included((since, Uuid::nil())), Bound::Unbounded);
        let ended = self.ended.range::<_, (Timestamp, Uuid)>(range).take(items(limit));
        ended.filter_map(|(_, id)| self.get(*id)).collect()
    }

    fn forget(&mut self, before: Timestamp, limit: u32) -> Vec<Uuid> {
        let old: Vec<_> = self.ended.iter().take_while(|(at, _)| *at < before).take(items(limit)).copied().collect();
        for entry in &old {
            self.ended.remove(entry);
            self.rows.remove(&entry.1);
        }
        old.into_iter().map(|(_, id)| id).collect()
    }
}

fn sweep(state: &mut State, before: Timestamp, limit: u32) -> u32 {
    let swept = state.instances.forget(before, limit);
    for instance in &swept {
        state.jobs.forget(*instance);
        state.tasks.forget(*instance);
        state.incidents.forget(*instance);
    }
    count(swept.len())
}

#[async_trait]
impl Instances for MemoryUnit {
    async fn insert(&mut self, instance: &InstanceRow) -> Result<(), RepositoryError> {
        self.change(|state| state.instances.insert(instance))
    }

    async fn find(&mut self, id: Uuid) -> Result<Option<InstanceRow>, RepositoryError> {
        self.read(|state| state.instances.get(id))
    }

    async fn lock(&mut self, id: Uuid) -> Result<Option<InstanceRow>, RepositoryError> {
        self.hold(|state| state.instances.get(id))
    }

    async fn update(&mut self, instance: &InstanceRow) -> Result<(), RepositoryError> {
        self.change(|state| {
            state.instances.update(instance);
            Ok(())
        })
    }

    async fn ended_since(&mut self, since: Timestamp, limit: u32) -> Result<Vec<InstanceRow>, RepositoryError> {
        self.read(|state| state.instances.ended_since(since, limit))
    }

    async fn sweep(&mut self, before: Timestamp, limit: u32) -> Result<u32, RepositoryError> {
        self.change(|state| Ok(sweep(state, before, limit)))
    }
}
