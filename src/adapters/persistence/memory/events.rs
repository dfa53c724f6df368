//! Events and their numbers.

use std::{ops::Bound, sync::Arc};

use async_trait::async_trait;
use imbl::{OrdMap, OrdSet};
use jiff::Timestamp;

use super::{
    MemoryUnit,
    index::{Index, count, items},
};
use crate::{
    domain::{
        event::{Event, NewEvent},
        ids::{EventId, WorkflowId},
    },
    ports::repository::{Events, RepositoryError},
};

#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    ids: OrdSet<EventId>,
    /// Not yet numbered, in the order of their coming.
    outbox: OrdMap<u64, NewEvent>,
    last_position: u64,
    numbered: OrdMap<WorkflowId, OrdMap<u64, Arc<Event>>>,
    by_subject: Index<(WorkflowId, String), u64>,
    by_time: OrdSet<(Timestamp, WorkflowId, u64)>,
    heads: OrdMap<WorkflowId, u64>,
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
            self.keep(&event);
            numbered.push(event);
        }
        numbered
    }

    fn keep(&mut self, event: &Event) {
        let (workflow, sequence) = (event.event.workflow, event.sequence);
        self.by_subject.insert((workflow, event.event.subject.clone()), sequence);
        self.by_time.insert((event.event.time, workflow, sequence));
        self.numbered.entry(workflow).or_default().insert(sequence, Arc::new(event.clone()));
    }

    fn read(&self, workflow: WorkflowId, after: u64, limit: u32, subject: Option<&str>) -> Vec<Event> {
        let Some(channel) = self.numbered.get(&workflow) else { return Vec::new() };
        match subject {
            None => {
                let range = (Bound::Excluded(after), Bound::Unbounded);
                channel.range(range).take(items(limit)).map(|(_, event)| Event::clone(event)).collect()
            }
            Some(subject) => {
                let key = (workflow, subject.to_owned());
                let sequences = self.by_subject.above(&key, &after).take(items(limit));
                sequences.filter_map(|sequence| channel.get(sequence)).map(|event| Event::clone(event)).collect()
            }
        }
    }

    fn sweep(&mut self, before: Timestamp, limit: u32) -> u32 {
        let mut swept = 0;
        while swept < items(limit) {
            let Some(oldest) = self.by_time.get_min().copied().filter(|(time, ..)| *time < before) else { break };
            self.by_time.remove(&oldest);
            let (_, workflow, sequence) = oldest;
            if let Some(event) = self.numbered.get_mut(&workflow).and_then(|channel| channel.remove(&sequence)) {
                self.ids.remove(&event.event.id);
                self.by_subject.remove(&(workflow, event.event.subject.clone()), &sequence);
            }
            swept += 1;
        }
        count(swept)
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
        limit: u32,
        subject: Option<&str>,
    ) -> Result<Vec<Event>, RepositoryError> {
        Self::read(self, |state| state.events.read(workflow, after, limit, subject))
    }

    async fn head(&mut self, workflow: WorkflowId) -> Result<u64, RepositoryError> {
        Self::read(self, |state| state.events.heads.get(&workflow).copied().unwrap_or(0))
    }

    async fn heads(&mut self, workflows: &[WorkflowId]) -> Result<Vec<(WorkflowId, u64)>, RepositoryError> {
        Self::read(self, |state| workflows.iter().filter_map(|id| Some((*id, *state.events.heads.get(id)?))).collect())
    }

    async fn sweep(&mut self, before: Timestamp, limit: u32) -> Result<u32, RepositoryError> {
        self.change(|state| Ok(state.events.sweep(before, limit)))
    }
}
