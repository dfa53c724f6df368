//! Events and their numbers.

use std::{ops::Bound, sync::Arc};

use async_trait::async_trait;
use imbl::{OrdMap, OrdSet};
use jiff::Timestamp;

use super::{
    MemoryUnit,
    index::{Index, count, items, size},
};
use crate::{
    domain::{
        event::{Event, NewEvent},
        ids::{EventId, WorkflowId},
        page::count_within,
    },
    ports::repository::{AgedEvent, EventPage, Events, ReadLimit, RepositoryError},
};

#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    ids: OrdSet<EventId>,
    /// Not yet numbered, in the order of their coming.
    outbox: OrdMap<u64, NewEvent>,
    last_position: u64,
    numbered: OrdMap<WorkflowId, OrdMap<u64, Arc<Event>>>,
    by_subject: Index<(WorkflowId, String), u64>,
    by_position: OrdMap<u64, (WorkflowId, u64)>,
    heads: OrdMap<WorkflowId, u64>,
    deleted_to: OrdMap<WorkflowId, u64>,
}

impl Table {
    fn append(&mut self, events: &[NewEvent]) -> Result<(), RepositoryError> {
        for event in events {
            if self.ids.insert(event.id).is_some() {
                return Err(RepositoryError::Conflict);
            }
            self.last_position += 1;
            self.outbox.insert(self.last_position, event.clone());
        }
        Ok(())
    }

    fn number(&mut self, limit: u32) -> Vec<Event> {
        let mut numbered = Vec::new();
        while numbered.len() < items(limit) {
            let Some((position, event)) = self.outbox.get_min().cloned() else { break };
            self.outbox.remove(&position);
            let head = self.heads.entry(event.workflow).or_insert(0);
            *head += 1;
            let event = Event { sequence: *head, event };
            self.keep(position, &event);
            numbered.push(event);
        }
        numbered
    }

    fn keep(&mut self, position: u64, event: &Event) {
        let (workflow, sequence) = (event.event.workflow, event.sequence);
        self.by_subject.insert((workflow, event.event.subject.clone()), sequence);
        self.by_position.insert(position, (workflow, sequence));
        self.numbered.entry(workflow).or_default().insert(sequence, Arc::new(event.clone()));
    }

    fn read(&self, workflow: WorkflowId, after: u64, limit: ReadLimit, subject: Option<&str>) -> EventPage {
        let Some(channel) = self.numbered.get(&workflow) else { return EventPage::default() };
        let found: Vec<_> = match subject {
            None => {
                let range = (Bound::Excluded(after), Bound::Unbounded);
                channel.range(range).take(items(limit.events) + 1).map(|(_, event)| event).collect()
            }
            Some(subject) => {
                let key = (workflow, subject.to_owned());
                let sequences = self.by_subject.above(&key, &after).take(items(limit.events) + 1);
                sequences.filter_map(|sequence| channel.get(sequence)).collect()
            }
        };
        let sizes = found.iter().take(items(limit.events)).map(|event| size(&event.event.data));
        let fitting = count_within(sizes, limit.bytes);
        let events = found.iter().take(fitting).map(|event| Event::clone(event)).collect();
        EventPage { events, more: found.len() > fitting }
    }

    /// Deletes an event of a channel, but not the note of its position.
    fn delete(&mut self, workflow: WorkflowId, sequence: u64) -> bool {
        let channel = self.numbered.get_mut(&workflow);
        let Some(event) = channel.and_then(|channel| channel.remove(&sequence)) else { return false };
        self.ids.remove(&event.event.id);
        self.by_subject.remove(&(workflow, event.event.subject.clone()), &sequence);
        let deleted_to = self.deleted_to.entry(workflow).or_insert(0);
        *deleted_to = sequence.max(*deleted_to);
        true
    }

    fn delete_by_subject(&mut self, workflow: WorkflowId, subject: &str, limit: u32) -> u32 {
        let key = (workflow, subject.to_owned());
        let sequences: Vec<_> = self.by_subject.ascending(&key).take(items(limit)).copied().collect();
        count(sequences.into_iter().filter(|sequence| self.delete(workflow, *sequence)).count())
    }

    fn list_aged(&mut self, after: u64, before: Timestamp, limit: u32) -> Vec<AgedEvent> {
        let end = self.outbox.get_min().map_or(u64::MAX, |(position, _)| *position);
        let range = (Bound::Excluded(after), Bound::Excluded(end.max(after.saturating_add(1))));
        let (mut aged, mut stale) = (Vec::new(), Vec::new());
        for (position, (workflow, sequence)) in self.by_position.range(range) {
            match self.numbered.get(workflow).and_then(|channel| channel.get(sequence)) {
                None => stale.push(*position),
                Some(event) if event.event.time >= before || aged.len() >= items(limit) => break,
                Some(event) => aged.push(AgedEvent { position: *position, subject: event.event.subject.clone() }),
            }
        }
        for position in stale {
            self.by_position.remove(&position);
        }
        aged
    }

    fn delete_by_position(&mut self, positions: &[u64]) -> u32 {
        let found: Vec<_> = positions.iter().filter_map(|position| self.by_position.remove(position)).collect();
        count(found.into_iter().filter(|(workflow, sequence)| self.delete(*workflow, *sequence)).count())
    }
}

#[async_trait]
impl Events for MemoryUnit {
    async fn append(&mut self, events: &[NewEvent]) -> Result<(), RepositoryError> {
        self.change(|state| state.events.append(events))
    }

    async fn number(&mut self, limit: u32) -> Result<Vec<Event>, RepositoryError> {
        self.change(|state| Ok(state.events.number(limit)))
    }

    async fn read(
        &mut self,
        workflow: WorkflowId,
        after: u64,
        limit: ReadLimit,
        subject: Option<&str>,
    ) -> Result<EventPage, RepositoryError> {
        Self::read(self, |state| state.events.read(workflow, after, limit, subject))
    }

    async fn head(&mut self, workflow: WorkflowId) -> Result<u64, RepositoryError> {
        Self::read(self, |state| state.events.heads.get(&workflow).copied().unwrap_or(0))
    }

    async fn heads(&mut self, workflows: &[WorkflowId]) -> Result<Vec<(WorkflowId, u64)>, RepositoryError> {
        Self::read(self, |state| workflows.iter().filter_map(|id| Some((*id, *state.events.heads.get(id)?))).collect())
    }

    async fn delete_by_subject(
        &mut self,
        workflow: WorkflowId,
        subject: &str,
        limit: u32,
    ) -> Result<u32, RepositoryError> {
        self.change(|state| Ok(state.events.delete_by_subject(workflow, subject, limit)))
    }

    async fn list_aged(
        &mut self,
        after: u64,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<AgedEvent>, RepositoryError> {
        self.change(|state| Ok(state.events.list_aged(after, before, limit)))
    }

    async fn delete_by_position(&mut self, positions: &[u64]) -> Result<u32, RepositoryError> {
        self.change(|state| Ok(state.events.delete_by_position(positions)))
    }

    async fn deleted_to(&mut self, workflow: WorkflowId) -> Result<u64, RepositoryError> {
        Self::read(self, |state| state.events.deleted_to.get(&workflow).copied().unwrap_or(0))
    }
}
