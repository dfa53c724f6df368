//! Executions.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use imbl::OrdMap;
use jiff::Timestamp;

use super::{
    MemoryUnit,
    index::{Index, items, size},
};
use crate::{
    adapters::persistence::position::below,
    domain::{
        engine::{EngineName, NativeId},
        execution::{Execution, ExecutionStatus, ListedExecution, MAX_LISTED_BYTES},
        ids::{ExecutionId, WorkflowId},
        json::JsonObject,
        page::{Page, PageRequest},
        text::Key,
    },
    ports::repository::{ExecutionFilter, Executions, ExpiredExecution, RepositoryError},
};

#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    rows: OrdMap<ExecutionId, Arc<Execution>>,
    by_instance: Index<NativeId, (EngineName, ExecutionId)>,
    newest: Index<(WorkflowId, Facet), ExecutionId>,
    ended: Index<(), (Timestamp, ExecutionId)>,
}

/// How the executions of a workflow are narrowed down.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Facet {
    All,
    Status(&'static str),
    BusinessKey(Key),
}

fn facets(execution: &Execution) -> impl Iterator<Item = (WorkflowId, Facet)> {
    let business = execution.business_key.clone().map(Facet::BusinessKey);
    let facets = [Facet::All, Facet::Status(execution.status.as_str())].into_iter().chain(business);
    facets.map(|facet| (execution.workflow, facet))
}

fn listed(mut execution: Execution) -> ListedExecution {
    let omits_input = size(&execution.input) > MAX_LISTED_BYTES;
    let omits_result = execution.result.as_ref().is_some_and(|result| size(result) > MAX_LISTED_BYTES);
    if omits_input {
        execution.input = JsonObject::new();
    }
    if omits_result {
        execution.result = None;
    }
    ListedExecution { execution, omits_input, omits_result }
}

impl Table {
    fn by_instance(&self, engine: &EngineName, instance: &NativeId) -> Option<ExecutionId> {
        self.by_instance.ascending(instance).find(|(name, _)| name == engine).map(|(_, id)| *id)
    }

    fn insert(&mut self, execution: &Execution) -> Result<(), RepositoryError> {
        let taken = execution.instance.as_ref().is_some_and(|at| self.by_instance(&execution.engine, at).is_some());
        if taken || self.rows.contains_key(&execution.id) {
            return Err(RepositoryError::Conflict);
        }
        if let Some(instance) = &execution.instance {
            self.by_instance.insert(instance.clone(), (execution.engine.clone(), execution.id));
        }
        self.put(execution);
        Ok(())
    }

    fn put(&mut self, execution: &Execution) {
        for key in facets(execution) {
            self.newest.insert(key, execution.id);
        }
        if let Some(at) = execution.ended_at {
            self.ended.insert((), (at, execution.id));
        }
        self.rows.insert(execution.id, Arc::new(execution.clone()));
    }

    fn take(&mut self, id: ExecutionId) -> Option<Arc<Execution>> {
        let old = self.rows.remove(&id)?;
        for key in facets(&old) {
            self.newest.remove(&key, &id);
        }
        if let Some(at) = old.ended_at {
            self.ended.remove(&(), &(at, id));
        }
        Some(old)
    }

    fn end(&mut self, execution: &Execution) {
        let Some(old) = self.take(execution.id) else { return };
        self.put(&Execution {
            status: execution.status,
            result: execution.result.clone(),
            error: execution.error.clone(),
            ended_at: execution.ended_at,
            ..Arc::unwrap_or_clone(old)
        });
    }

    fn get(&self, id: ExecutionId) -> Option<Execution> {
        self.rows.get(&id).map(|row| Execution::clone(row))
    }

    fn list(&self, filter: &ExecutionFilter, page: &PageRequest) -> Page<ListedExecution> {
        let Ok(below) = below(page) else { return Page { items: Vec::new(), next: None } };
        let facet = match (&filter.business_key, filter.status) {
            (Some(key), _) => Facet::BusinessKey(key.clone()),
            (None, Some(status)) => Facet::Status(status.as_str()),
            (None, None) => Facet::All,
        };
        let wanted = |id: &ExecutionId| {
            self.rows.get(id).is_some_and(|row| {
                filter.status.is_none_or(|status| row.status == status)
                    && filter.started_after.is_none_or(|moment| row.started_at > moment)
            })
        };
        let keys = [(filter.workflow, facet)];
        let found = self.newest.merge_descending(keys, below.as_ref(), items(page.limit) + 1, wanted);
        let rows = found.into_iter().filter_map(|id| self.get(id)).collect();
        Page::cut(rows, page.limit, |last: &Execution| last.id.to_string()).map(listed)
    }

    fn expired(&self, before: Timestamp, limit: u32) -> Vec<ExpiredExecution> {
        let old = self.ended.ascending(&()).take_while(|(at, _)| *at < before).take(items(limit));
        let rows = old.filter_map(|(_, id)| self.rows.get(id));
        rows.map(|row| ExpiredExecution { id: row.id, workflow: row.workflow }).collect()
    }

    fn delete(&mut self, id: ExecutionId) {
        if let Some(row) = self.take(id)
            && let Some(instance) = &row.instance
        {
            self.by_instance.remove(instance, &(row.engine.clone(), id));
        }
    }
}

#[async_trait]
impl Executions for MemoryUnit {
    async fn insert(&mut self, execution: &Execution) -> Result<(), RepositoryError> {
        self.change(|state| state.executions.insert(execution))
    }

    async fn find(&mut self, id: ExecutionId) -> Result<Option<Execution>, RepositoryError> {
        self.read(|state| state.executions.get(id))
    }

    async fn find_by_instance(
        &mut self,
        engine: &EngineName,
        instance: &NativeId,
    ) -> Result<Option<Execution>, RepositoryError> {
        self.read(|state| {
            let id = state.executions.by_instance(engine, instance)?;
            state.executions.get(id)
        })
    }

    async fn find_by_native(&mut self, instance: &NativeId) -> Result<Vec<Execution>, RepositoryError> {
        self.read(|state| {
            let found = state.executions.by_instance.ascending(instance).take(2);
            found.filter_map(|(_, id)| state.executions.get(*id)).collect()
        })
    }

    async fn list(
        &mut self,
        filter: &ExecutionFilter,
        page: &PageRequest,
    ) -> Result<Page<ListedExecution>, RepositoryError> {
        self.read(|state| state.executions.list(filter, page))
    }

    async fn end(&mut self, execution: &Execution) -> Result<(), RepositoryError> {
        self.change(|state| {
            state.executions.end(execution);
            Ok(())
        })
    }

    async fn any_running(&mut self, workflow: WorkflowId) -> Result<bool, RepositoryError> {
        let running = (workflow, Facet::Status(ExecutionStatus::Running.as_str()));
        self.read(|state| !state.executions.newest.is_empty(&running))
    }

    async fn lock_expired(&mut self, before: Timestamp, limit: u32) -> Result<Vec<ExpiredExecution>, RepositoryError> {
        self.change(|state| Ok(state.executions.expired(before, limit)))
    }

    async fn delete(&mut self, ids: &[ExecutionId]) -> Result<(), RepositoryError> {
        self.change(|state| {
            for id in ids {
                state.executions.delete(*id);
            }
            Ok(())
        })
    }

    async fn find_existing(&mut self, ids: &[ExecutionId]) -> Result<BTreeSet<ExecutionId>, RepositoryError> {
        self.read(|state| ids.iter().copied().filter(|id| state.executions.rows.contains_key(id)).collect())
    }
}
