//! Revocations, and the log of what invalidates cached verdicts.

use std::ops::Bound;

use async_trait::async_trait;
use imbl::{OrdMap, OrdSet};
use jiff::{SignedDuration, Timestamp};

use super::{
    MemoryUnit,
    index::{count, items},
};
use crate::{
    adapters::persistence::position::{TimePosition, below},
    domain::{
        ids::RevocationId,
        page::{Page, PageRequest},
        revocation::{HEARD_FOR, Notice, Revocation, Revoked},
    },
    ports::repository::{LogPosition, LogRead, RepositoryError, Revocations},
};

/// How long a line of the log is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// How far two marks of the log lie apart at least, so that their number is bounded.
const APART: SignedDuration = SignedDuration::from_mins(1);

#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    rows: OrdMap<RevocationId, Revocation>,
    newest: OrdSet<TimePosition>,
    by_end: OrdSet<(Timestamp, RevocationId)>,
    /// The events of issuers that were heard, and the oldest of them first.
    heard: OrdSet<RevocationId>,
    heard_at: OrdSet<(Timestamp, RevocationId)>,
    /// One unit at a time writes: the order of the numbers is that of the commits.
    log: OrdMap<i64, Notice>,
    last: i64,
    /// What the log's last line was at the time of a sweep: it is how lines, which have no time, grow old.
    marks: OrdMap<Timestamp, i64>,
}

fn position(revocation: &Revocation) -> TimePosition {
    TimePosition::new(revocation.at, revocation.id.to_string())
}

impl Table {
    fn tell(&mut self, notice: Notice) {
        self.last += 1;
        self.log.insert(self.last, notice);
    }

    fn insert(&mut self, revocation: &Revocation) -> Result<(), RepositoryError> {
        if self.rows.contains_key(&revocation.id) {
            return Err(RepositoryError::Conflict);
        }
        self.newest.insert(position(revocation));
        if let Some(end) = revocation.ends_at {
            self.by_end.insert((end, revocation.id));
        }
        self.rows.insert(revocation.id, revocation.clone());
        self.tell(Notice::Revoked(revocation.clone()));
        Ok(())
    }

    fn remove(&mut self, id: RevocationId) -> bool {
        let Some(row) = self.rows.remove(&id) else { return false };
        self.newest.remove(&position(&row));
        if let Some(end) = row.ends_at {
            self.by_end.remove(&(end, id));
        }
        true
    }

    fn lift(&mut self, id: RevocationId) -> bool {
        let there = self.remove(id);
        if there {
            self.tell(Notice::Lifted(id));
        }
        there
    }

    fn list(&self, page: &PageRequest) -> Page<Revocation> {
        let Ok(below) = below::<TimePosition>(page) else { return Page { items: Vec::new(), next: None } };
        let range = (Bound::Unbounded, below.as_ref().map_or(Bound::Unbounded, Bound::Excluded));
        let found = self.newest.range::<_, TimePosition>(range).rev().take(items(page.limit) + 1);
        let rows = found.filter_map(|at| at.id.parse().ok()).filter_map(|id: RevocationId| self.rows.get(&id));
        Page::cut(rows.cloned().collect(), page.limit, |last| position(last).text())
    }

    fn against(&self, target: &Revoked) -> Vec<Revocation> {
        self.rows.values().filter(|row| row.revoked == *target).cloned().collect()
    }

    fn hear(&mut self, event: RevocationId, at: Timestamp) -> bool {
        let first = self.heard.insert(event).is_none();
        if first {
            self.heard_at.insert((at, event));
        }
        first
    }

    fn read_log(&self, after: Option<LogPosition>) -> LogRead {
        let oldest = self.log.get_min().map_or(self.last + 1, |(line, _)| *line);
        let after = after.map(|LogPosition(after)| after).filter(|after| *after >= oldest - 1);
        let notices = match after {
            None => self.rows.values().cloned().map(Notice::Revoked).collect(),
            Some(after) => {
                let range = (Bound::Excluded(after), Bound::Unbounded);
                self.log.range(range).map(|(_, notice)| notice.clone()).collect()
            }
        };
        LogRead { notices, position: LogPosition(self.last), whole: after.is_none() }
    }

    fn sweep(&mut self, before: Timestamp, limit: u32) -> u32 {
        let over: Vec<_> =
            self.by_end.iter().take_while(|(end, _)| *end < before).take(items(limit)).copied().collect();
        for (_, id) in &over {
            self.remove(*id);
        }
        let swept = count(over.len()).saturating_add(self.forget_events(before, items(limit) - over.len()));
        swept.saturating_add(self.forget_lines(before, items(limit.saturating_sub(swept))))
    }

    fn forget_events(&mut self, before: Timestamp, limit: usize) -> u32 {
        let old = before.saturating_sub(HEARD_FOR).unwrap_or(Timestamp::MIN);
        let events: Vec<_> = self.heard_at.iter().take_while(|(at, _)| *at < old).take(limit).copied().collect();
        for event in &events {
            self.heard_at.remove(event);
            self.heard.remove(&event.1);
        }
        count(events.len())
    }

    fn forget_lines(&mut self, before: Timestamp, limit: usize) -> u32 {
        let old = before.saturating_sub(KEPT).unwrap_or(Timestamp::MIN);
        let Some((at, last)) = self.marks.range(..=old).next_back().map(|(at, last)| (*at, *last)) else {
            self.mark(before);
            return 0;
        };
        let lines: Vec<_> = self.log.range(..=last).map(|(line, _)| *line).take(limit).collect();
        for line in &lines {
            self.log.remove(line);
        }
        // That mark is needed until all of its lines are gone; those before it no longer.
        let (_, later) = self.marks.clone().split(&at);
        self.marks = later.update(at, last);
        self.mark(before);
        count(lines.len())
    }

    fn mark(&mut self, now: Timestamp) {
        let newest = self.marks.get_max().map(|(at, _)| *at);
        if newest.is_none_or(|newest| now.duration_since(newest) >= APART) {
            self.marks.insert(now, self.last);
        }
    }
}

#[async_trait]
impl Revocations for MemoryUnit {
    async fn insert(&mut self, revocation: &Revocation) -> Result<(), RepositoryError> {
        self.change(|state| state.revocations.insert(revocation))
    }

    async fn find(&mut self, id: RevocationId) -> Result<Option<Revocation>, RepositoryError> {
        self.read(|state| state.revocations.rows.get(&id).cloned())
    }

    async fn against(&mut self, target: &Revoked) -> Result<Vec<Revocation>, RepositoryError> {
        self.read(|state| state.revocations.against(target))
    }

    async fn hear(&mut self, event: RevocationId, at: Timestamp) -> Result<bool, RepositoryError> {
        self.change(|state| Ok(state.revocations.hear(event, at)))
    }

    async fn list(&mut self, page: &PageRequest) -> Result<Page<Revocation>, RepositoryError> {
        self.read(|state| state.revocations.list(page))
    }

    async fn lift(&mut self, id: RevocationId) -> Result<bool, RepositoryError> {
        self.change(|state| Ok(state.revocations.lift(id)))
    }

    async fn tell(&mut self, notice: &Notice) -> Result<(), RepositoryError> {
        self.change(|state| {
            state.revocations.tell(notice.clone());
            Ok(())
        })
    }

    async fn read_log(&mut self, after: Option<LogPosition>) -> Result<LogRead, RepositoryError> {
        self.read(|state| state.revocations.read_log(after))
    }

    async fn sweep(&mut self, before: Timestamp, limit: u32) -> Result<u32, RepositoryError> {
        self.change(|state| Ok(state.revocations.sweep(before, limit)))
    }
}
