//! Workflows.

use async_trait::async_trait;
use imbl::OrdMap;
use jiff::Timestamp;

use super::{
    MemoryUnit,
    index::{Index, both, facets, items},
};
use crate::{
    adapters::persistence::position::below,
    domain::{
        engine::{EngineName, ProcessKey},
        ids::WorkflowId,
        page::{Page, PageRequest},
        text::Name,
        workflow::Workflow,
        workspace::{WorkspaceAccess, WorkspaceId},
    },
    ports::repository::{RepositoryError, WorkflowFilter, Workflows},
};

#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    /// Hidden ones too.
    rows: OrdMap<WorkflowId, Row>,
    by_name: OrdMap<(WorkspaceId, Name), WorkflowId>,
    by_key: OrdMap<(EngineName, ProcessKey), OrdMap<WorkspaceId, WorkflowId>>,
    newest: Index<Option<WorkspaceId>, WorkflowId>,
}

#[derive(Debug, Clone)]
struct Row {
    workflow: Workflow,
    hidden: Option<Timestamp>,
}

fn name(workflow: &Workflow) -> (WorkspaceId, Name) {
    (workflow.workspace.clone(), workflow.name.clone())
}

fn key(workflow: &Workflow) -> (EngineName, ProcessKey) {
    (workflow.engine.clone(), workflow.process_key.clone())
}

impl Table {
    fn with_hidden(&self, id: WorkflowId) -> Option<&Workflow> {
        self.rows.get(&id).map(|row| &row.workflow)
    }

    fn get(&self, id: WorkflowId) -> Option<&Workflow> {
        self.rows.get(&id).filter(|row| row.hidden.is_none()).map(|row| &row.workflow)
    }

    fn insert(&mut self, workflow: &Workflow) -> Result<(), RepositoryError> {
        if self.rows.contains_key(&workflow.id) {
            return Err(RepositoryError::Conflict);
        }
        self.put(workflow)
    }

    /// Writes the row and its names, which must be free.
    fn put(&mut self, workflow: &Workflow) -> Result<(), RepositoryError> {
        let name = name(workflow);
        let bound = self.by_key.entry(key(workflow)).or_default();
        if self.by_name.contains_key(&name) || bound.contains_key(&workflow.workspace) {
            return Err(RepositoryError::Conflict);
        }
        bound.insert(workflow.workspace.clone(), workflow.id);
        self.by_name.insert(name, workflow.id);
        for facet in both(&workflow.workspace) {
            self.newest.insert(facet, workflow.id);
        }
        self.rows.insert(workflow.id, Row { workflow: workflow.clone(), hidden: None });
        Ok(())
    }

    fn update(&mut self, workflow: &Workflow) -> Result<(), RepositoryError> {
        let Some(old) = self.get(workflow.id).cloned() else { return Ok(()) };
        self.free(&old);
        self.put(workflow)
    }

    fn hide(&mut self, id: WorkflowId, at: Timestamp) {
        let Some(old) = self.get(id).cloned() else { return };
        self.free(&old);
        self.rows.insert(id, Row { workflow: old, hidden: Some(at) });
    }

    fn free(&mut self, old: &Workflow) {
        self.by_name.remove(&name(old));
        if let Some(bound) = self.by_key.get_mut(&key(old)) {
            bound.remove(&old.workspace);
        }
        for facet in both(&old.workspace) {
            self.newest.remove(&facet, &old.id);
        }
    }

    fn find_by_key(&self, within: &WorkspaceAccess, engine: &EngineName, process: &ProcessKey) -> Vec<Workflow> {
        let bound = self.by_key.get(&(engine.clone(), process.clone()));
        let reached = bound.into_iter().flat_map(OrdMap::iter).filter(|(space, _)| within.contains(space));
        reached.filter_map(|(_, id)| self.get(*id).cloned()).collect()
    }

    fn list(&self, filter: &WorkflowFilter, page: &PageRequest) -> Page<Workflow> {
        let Ok(below) = below(page) else { return Page { items: Vec::new(), next: None } };
        let wanted = |id: &WorkflowId| match (&filter.name, self.get(*id)) {
            (Some(name), Some(workflow)) => workflow.name == *name,
            (_, found) => found.is_some(),
        };
        let facets = facets(&filter.within);
        let found = self.newest.merge_descending(facets, below.as_ref(), items(page.limit) + 1, wanted);
        let rows = found.into_iter().filter_map(|id| self.get(id).cloned()).collect();
        Page::cut(rows, page.limit, |last| last.id.to_string())
    }
}

#[async_trait]
impl Workflows for MemoryUnit {
    async fn insert(&mut self, workflow: &Workflow) -> Result<(), RepositoryError> {
        self.change(|state| state.workflows.insert(workflow))
    }

    async fn find(&mut self, id: WorkflowId) -> Result<Option<Workflow>, RepositoryError> {
        self.read(|state| state.workflows.get(id).cloned())
    }

    async fn find_with_hidden(&mut self, id: WorkflowId) -> Result<Option<Workflow>, RepositoryError> {
        self.read(|state| state.workflows.with_hidden(id).cloned())
    }

    async fn lock(&mut self, id: WorkflowId) -> Result<Option<Workflow>, RepositoryError> {
        self.hold(|state| state.workflows.get(id).cloned())
    }

    async fn find_by_name(
        &mut self,
        workspace: &WorkspaceId,
        name: &Name,
    ) -> Result<Option<Workflow>, RepositoryError> {
        self.read(|state| {
            let id = state.workflows.by_name.get(&(workspace.clone(), name.clone()))?;
            state.workflows.get(*id).cloned()
        })
    }

    async fn find_by_key(
        &mut self,
        within: &WorkspaceAccess,
        engine: &EngineName,
        key: &ProcessKey,
    ) -> Result<Vec<Workflow>, RepositoryError> {
        self.read(|state| state.workflows.find_by_key(within, engine, key))
    }

    async fn hold_bound(
        &mut self,
        workspace: &WorkspaceId,
        engine: &EngineName,
        key: &ProcessKey,
    ) -> Result<Option<Workflow>, RepositoryError> {
        self.hold(|state| {
            let bound = state.workflows.by_key.get(&(engine.clone(), key.clone()))?;
            state.workflows.get(*bound.get(workspace)?).cloned()
        })
    }

    async fn list(&mut self, filter: &WorkflowFilter, page: &PageRequest) -> Result<Page<Workflow>, RepositoryError> {
        self.read(|state| state.workflows.list(filter, page))
    }

    async fn update(&mut self, workflow: &Workflow) -> Result<(), RepositoryError> {
        self.change(|state| state.workflows.update(workflow))
    }

    async fn hide(&mut self, id: WorkflowId, at: Timestamp) -> Result<(), RepositoryError> {
        self.change(|state| {
            state.workflows.hide(id, at);
            Ok(())
        })
    }
}
