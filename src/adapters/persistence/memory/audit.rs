//! The audit.

use std::{ops::Bound, sync::Arc};

use async_trait::async_trait;
use imbl::OrdMap;

use super::{
    MemoryUnit,
    index::{Index, both, facets, items},
};
use crate::{
    adapters::persistence::position::{NumberPosition, below},
    domain::{
        audit::{AuditEntry, NewAuditEntry},
        page::{Page, PageRequest},
        workspace::WorkspaceId,
    },
    ports::repository::{Audit, AuditFilter, AuditHead, RepositoryError, UnchainedEntry, Unreadable},
};

/// How many chained entries are kept: memory ends, and what a process keeps here ends with it anyway.
const KEPT: usize = 100_000;

#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    last_row: i64,
    waiting: OrdMap<i64, Arc<AuditEntry>>,
    chained: OrdMap<u64, Arc<AuditEntry>>,
    by_workspace: Index<Option<WorkspaceId>, u64>,
    head: Option<AuditHead>,
}

fn unchained(new: &NewAuditEntry) -> AuditEntry {
    let new = new.clone();
    AuditEntry {
        sequence: 0,
        time: new.time,
        identity: new.identity,
        action: new.action.to_owned(),
        target: new.target,
        workspace: new.workspace,
        outcome: new.outcome,
        code: new.code,
        ip: new.ip.map(|ip| ip.to_string()),
        request_id: new.request_id,
        count: new.count,
        hash: [0; 32],
    }
}

fn keys(entry: &AuditEntry) -> Vec<Option<WorkspaceId>> {
    entry.workspace.as_ref().map_or_else(|| vec![None], |workspace| both(workspace).to_vec())
}

fn fits(entry: &AuditEntry, filter: &AuditFilter) -> bool {
    filter.subject.as_ref().is_none_or(|subject| entry.identity.subject == *subject)
        && filter.action.as_ref().is_none_or(|action| entry.action == *action)
        && filter.outcome.is_none_or(|outcome| entry.outcome == outcome)
        && filter.from.is_none_or(|from| entry.time >= from)
        && filter.to.is_none_or(|to| entry.time < to)
}

impl Table {
    fn append(&mut self, entries: &[NewAuditEntry]) {
        for entry in entries {
            self.last_row += 1;
            self.waiting.insert(self.last_row, Arc::new(unchained(entry)));
        }
    }

    fn head(&self) -> AuditHead {
        self.head.unwrap_or(AuditHead { sequence: 0, hash: [0; 32] })
    }

    fn chain(&mut self, links: &[(i64, AuditHead)]) -> Result<(), RepositoryError> {
        for (row, link) in links {
            let waiting = self.waiting.remove(row).ok_or(RepositoryError::Conflict)?;
            let entry = AuditEntry { sequence: link.sequence, hash: link.hash, ..AuditEntry::clone(&waiting) };
            for key in keys(&entry) {
                self.by_workspace.insert(key, entry.sequence);
            }
            self.chained.insert(entry.sequence, Arc::new(entry));
            self.head = Some(*link);
        }
        while self.chained.len() > KEPT {
            self.forget_oldest();
        }
        Ok(())
    }

    fn forget_oldest(&mut self) {
        let Some((_, oldest)) = self.chained.get_min().cloned() else { return };
        self.chained.remove(&oldest.sequence);
        for key in keys(&oldest) {
            self.by_workspace.remove(&key, &oldest.sequence);
        }
    }

    fn list(&self, filter: &AuditFilter, page: &PageRequest) -> Page<AuditEntry> {
        let Ok(below) = below::<NumberPosition>(page) else { return Page { items: Vec::new(), next: None } };
        let below = below.map(|position| position.0);
        let wanted = |sequence: &u64| self.chained.get(sequence).is_some_and(|entry| fits(entry, filter));
        let keys = facets(&filter.within);
        let found = self.by_workspace.merge_descending(keys, below.as_ref(), items(page.limit) + 1, wanted);
        let rows = found.iter().filter_map(|sequence| self.chained.get(sequence));
        let rows = rows.map(|entry| AuditEntry::clone(entry)).collect();
        Page::cut(rows, page.limit, |last: &AuditEntry| NumberPosition(last.sequence).text())
    }
}

#[async_trait]
impl Audit for MemoryUnit {
    async fn append(&mut self, entries: &[NewAuditEntry]) -> Result<(), RepositoryError> {
        self.change(|state| {
            state.audit.append(entries);
            Ok(())
        })
    }

    async fn lock_head(&mut self) -> Result<Option<AuditHead>, RepositoryError> {
        // One unit at a time holds everything.
        self.hold(|state| Some(state.audit.head()))
    }

    async fn head(&mut self) -> Result<AuditHead, RepositoryError> {
        Self::read(self, |state| state.audit.head())
    }

    async fn unchained(&mut self, limit: u32) -> Result<Vec<UnchainedEntry>, RepositoryError> {
        Self::read(self, |state| {
            let waiting = state.audit.waiting.iter().take(items(limit));
            waiting.map(|(row, entry)| UnchainedEntry { row: *row, entry: AuditEntry::clone(entry) }).collect()
        })
    }

    async fn chain(&mut self, links: &[(i64, AuditHead)]) -> Result<(), RepositoryError> {
        self.change(|state| state.audit.chain(links))
    }

    async fn list(&mut self, filter: &AuditFilter, page: &PageRequest) -> Result<Page<AuditEntry>, RepositoryError> {
        Self::read(self, |state| state.audit.list(filter, page))
    }

    async fn read(&mut self, after: u64, limit: u32) -> Result<Vec<Result<AuditEntry, Unreadable>>, RepositoryError> {
        Self::read(self, |state| {
            let range = (Bound::Excluded(after), Bound::Unbounded);
            let entries = state.audit.chained.range(range).take(items(limit));
            entries.map(|(_, entry)| Ok(AuditEntry::clone(entry))).collect()
        })
    }
}
