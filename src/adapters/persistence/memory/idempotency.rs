//! Idempotency keys.

use async_trait::async_trait;
use imbl::{OrdMap, OrdSet};
use jiff::Timestamp;

use super::{
    MemoryUnit,
    index::{count, items},
};
use crate::{
    domain::idempotency::{IdempotencyKey, IdempotencyRecord},
    ports::repository::{IdempotencyKeys, RepositoryError},
};

#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    rows: OrdMap<IdempotencyKey, IdempotencyRecord>,
    by_age: OrdSet<(Timestamp, IdempotencyKey)>,
}

impl Table {
    fn insert(&mut self, record: &IdempotencyRecord) {
        if let Some(old) = self.rows.insert(record.key, record.clone()) {
            self.by_age.remove(&(old.created_at, old.key));
        }
        self.by_age.insert((record.created_at, record.key));
    }

    fn sweep(&mut self, before: Timestamp, limit: u32) -> u32 {
        let old: Vec<_> =
            self.by_age.iter().take_while(|(made, _)| *made < before).take(items(limit)).copied().collect();
        for entry in &old {
            self.by_age.remove(entry);
            self.rows.remove(&entry.1);
        }
        count(old.len())
    }
}

#[async_trait]
impl IdempotencyKeys for MemoryUnit {
    async fn try_lock(&mut self, _key: &IdempotencyKey) -> Result<bool, RepositoryError> {
        // One unit at a time holds every key: another one has ended before this began.
        self.hold(|_| true)
    }

    async fn find(&mut self, key: &IdempotencyKey) -> Result<Option<IdempotencyRecord>, RepositoryError> {
        self.read(|state| state.idempotency.rows.get(key).cloned())
    }

    async fn insert(&mut self, record: &IdempotencyRecord) -> Result<(), RepositoryError> {
        self.change(|state| {
            state.idempotency.insert(record);
            Ok(())
        })
    }

    async fn sweep(&mut self, before: Timestamp, limit: u32) -> Result<u32, RepositoryError> {
        self.change(|state| Ok(state.idempotency.sweep(before, limit)))
    }
}
