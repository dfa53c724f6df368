//! The embedded engine's timers.

use std::ops::Bound;

use async_trait::async_trait;
use imbl::{OrdMap, OrdSet};
use jiff::Timestamp;
use uuid::Uuid;

use super::{MemoryUnit, index::items};
use crate::ports::{
    engine_store::{Due, TimerRow, Timers},
    repository::RepositoryError,
};

#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    rows: OrdMap<Due, TimerRow>,
    by_due: OrdSet<(Timestamp, Due)>,
}

impl Table {
    fn put(&mut self, timer: &TimerRow) {
        self.delete(&timer.what);
        self.by_due.insert((timer.due, timer.what.clone()));
        self.rows.insert(timer.what.clone(), timer.clone());
    }

    fn delete(&mut self, what: &Due) {
        if let Some(old) = self.rows.remove(what) {
            self.by_due.remove(&(old.due, old.what));
        }
    }

    fn delete_starts(&mut self, definition: Uuid) {
        let first = Due::Start { definition, element_id: String::new() };
        let of_it = |what: &Due| matches!(what, Due::Start { definition: of, .. } if *of == definition);
        let range = (Bound::Included(first), Bound::Unbounded);
        let starts = self.rows.range::<_, Due>(range).map(|(what, _)| what).take_while(|what| of_it(what));
        let starts: Vec<_> = starts.cloned().collect();
        for what in starts {
            self.delete(&what);
        }
    }

    fn due(&self, now: Timestamp, limit: u32) -> Vec<TimerRow> {
        let due = self.by_due.iter().take_while(|(due, _)| *due <= now).take(items(limit));
        due.filter_map(|(_, what)| self.rows.get(what).cloned()).collect()
    }
}

#[async_trait]
impl Timers for MemoryUnit {
    async fn put(&mut self, timer: &TimerRow) -> Result<(), RepositoryError> {
        self.change(|state| {
            state.timers.put(timer);
            Ok(())
        })
    }

    async fn lock_due(&mut self, what: &Due, now: Timestamp) -> Result<Option<TimerRow>, RepositoryError> {
        self.hold(|state| state.timers.rows.get(what).filter(|timer| timer.due <= now).cloned())
    }

    async fn delete(&mut self, what: &Due) -> Result<(), RepositoryError> {
        self.change(|state| {
            state.timers.delete(what);
            Ok(())
        })
    }

    async fn delete_starts(&mut self, definition: Uuid) -> Result<(), RepositoryError> {
        self.change(|state| {
            state.timers.delete_starts(definition);
            Ok(())
        })
    }

    async fn due(&mut self, now: Timestamp, limit: u32) -> Result<Vec<TimerRow>, RepositoryError> {
        self.read(|state| state.timers.due(now, limit))
    }
}
