//! The embedded engine's jobs.

use std::sync::Arc;

use async_trait::async_trait;
use imbl::OrdMap;
use jiff::Timestamp;
use uuid::Uuid;

use super::{
    MemoryUnit,
    index::{Index, both, facets, items},
};
use crate::{
    domain::{
        text::Key,
        workspace::{WorkspaceAccess, WorkspaceId},
    },
    ports::{
        engine_store::{ElementRef, JobRow, JobWish, Jobs, LockedJob, WorkState},
        repository::RepositoryError,
    },
};

#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    rows: OrdMap<ElementRef, Arc<JobRow>>,
    /// Open jobs with retries, by the moment from which a worker may have them.
    claimable: Index<(Key, Option<WorkspaceId>), (Timestamp, ElementRef)>,
}

fn holds(job: &JobRow, now: Timestamp) -> bool {
    job.lock.as_ref().is_some_and(|lock| lock.until > now)
}

/// From when on a worker may have the job: when its back-off and its lock are over.
fn claimable_at(job: &JobRow) -> Option<Timestamp> {
    let free = job.lock.as_ref().map_or(job.available_at, |lock| lock.until.max(job.available_at));
    (job.state == WorkState::Open && job.retries > 0).then_some(free)
}

impl Table {
    fn get(&self, id: ElementRef) -> Option<JobRow> {
        self.rows.get(&id).map(|row| JobRow::clone(row))
    }

    fn insert(&mut self, job: &JobRow) -> Result<(), RepositoryError> {
        if self.rows.contains_key(&job.id) {
            return Err(RepositoryError::Conflict);
        }
        self.put(job.clone());
        Ok(())
    }

    fn put(&mut self, job: JobRow) {
        if let Some(at) = claimable_at(&job) {
            for facet in both(&job.workspace) {
                self.claimable.insert((job.topic.clone(), facet), (at, job.id));
            }
        }
        self.rows.insert(job.id, Arc::new(job));
    }

    fn take(&mut self, id: ElementRef) -> Option<JobRow> {
        let old = self.rows.remove(&id)?;
        if let Some(at) = claimable_at(&old) {
            for facet in both(&old.workspace) {
                self.claimable.remove(&(old.topic.clone(), facet), &(at, id));
            }
        }
        Some(Arc::unwrap_or_clone(old))
    }

    fn update(&mut self, job: &JobRow) {
        let Some(old) = self.take(job.id) else { return };
        self.put(JobRow {
            retries: job.retries,
            state: job.state,
            lock: job.lock.clone(),
            available_at: job.available_at,
            ..old
        });
    }

    fn activate(&mut self, wish: &JobWish, now: Timestamp) -> Vec<JobRow> {
        let max = items(wish.max);
        let last = (now, ElementRef { instance: Uuid::max(), key: u64::MAX });
        let mut found = Vec::new();
        for facet in facets(&wish.within) {
            for topic in &wish.topics {
                let key = (topic.clone(), facet.clone());
                found.extend(self.claimable.up_to(&key, &last).take(max).copied());
            }
        }
        found.sort_unstable();
        found.dedup();
        found.truncate(max);
        found.into_iter().filter_map(|(_, id)| self.lock(id, wish)).collect()
    }

    fn has_claimable(&self, topic: &Key, within: &WorkspaceAccess, now: Timestamp) -> bool {
        let last = (now, ElementRef { instance: Uuid::max(), key: u64::MAX });
        let mut of_facets = facets(within).into_iter().map(|facet| (topic.clone(), facet));
        of_facets.any(|key| self.claimable.up_to(&key, &last).next().is_some())
    }

    fn lock(&mut self, id: ElementRef, wish: &JobWish) -> Option<JobRow> {
        let job = JobRow { lock: Some(wish.lock.clone()), ..self.take(id)? };
        self.put(job.clone());
        Some(job)
    }

    pub(super) fn forget(&mut self, instance: Uuid) {
        for id in of_instance(&self.rows, instance) {
            self.take(id);
        }
    }
}

/// The ids of what belongs to an instance.
pub(super) fn of_instance<V>(rows: &OrdMap<ElementRef, V>, instance: Uuid) -> Vec<ElementRef> {
    let ends = ElementRef { instance, key: 0 }..=ElementRef { instance, key: u64::MAX };
    rows.range(ends).map(|(id, _)| *id).collect()
}

#[async_trait]
impl Jobs for MemoryUnit {
    async fn insert(&mut self, job: &JobRow) -> Result<(), RepositoryError> {
        self.change(|state| state.jobs.insert(job))
    }

    async fn find(&mut self, id: ElementRef) -> Result<Option<JobRow>, RepositoryError> {
        self.read(|state| state.jobs.get(id))
    }

    async fn lock(&mut self, id: ElementRef, now: Timestamp) -> Result<Option<LockedJob>, RepositoryError> {
        self.hold(|state| state.jobs.get(id).map(|job| LockedJob { lock_holds: holds(&job, now), job }))
    }

    async fn update(&mut self, job: &JobRow, _now: Timestamp) -> Result<(), RepositoryError> {
        self.change(|state| {
            state.jobs.update(job);
            Ok(())
        })
    }

    async fn activate(&mut self, wish: &JobWish, now: Timestamp) -> Result<Vec<JobRow>, RepositoryError> {
        self.change(|state| Ok(state.jobs.activate(wish, now)))
    }

    async fn any_available(
        &mut self,
        within: &WorkspaceAccess,
        topics: &[Key],
        now: Timestamp,
    ) -> Result<bool, RepositoryError> {
        self.read(|state| topics.iter().any(|topic| state.jobs.has_claimable(topic, within, now)))
    }

    async fn available_topics(&mut self, topics: &[Key], now: Timestamp) -> Result<Vec<Key>, RepositoryError> {
        let has = |jobs: &Table, topic: &Key| jobs.has_claimable(topic, &WorkspaceAccess::All, now);
        self.read(|state| topics.iter().filter(|topic| has(&state.jobs, topic)).cloned().collect())
    }
}
