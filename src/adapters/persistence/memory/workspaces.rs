//! Workspaces.

use async_trait::async_trait;
use imbl::OrdMap;

use super::{
    MemoryUnit,
    index::{Index, both, facets, items},
};
use crate::{
    adapters::persistence::position::{TimePosition, below},
    domain::{
        page::{Page, PageRequest},
        workspace::{Workspace, WorkspaceAccess, WorkspaceId},
    },
    ports::repository::{RepositoryError, Workspaces},
};

#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    rows: OrdMap<WorkspaceId, Workspace>,
    newest: Index<Option<WorkspaceId>, TimePosition>,
}

fn position(workspace: &Workspace) -> TimePosition {
    TimePosition::new(workspace.created_at, workspace.id.as_str())
}

impl Table {
    fn insert(&mut self, workspace: &Workspace) -> Result<(), RepositoryError> {
        if self.rows.contains_key(&workspace.id) {
            return Err(RepositoryError::Conflict);
        }
        for facet in both(&workspace.id) {
            self.newest.insert(facet, position(workspace));
        }
        self.rows.insert(workspace.id.clone(), workspace.clone());
        Ok(())
    }

    fn list(&self, within: &WorkspaceAccess, page: &PageRequest) -> Page<Workspace> {
        let Ok(below) = below(page) else { return Page { items: Vec::new(), next: None } };
        let found = self.newest.merge_descending(facets(within), below.as_ref(), items(page.limit) + 1, |_| true);
        let rows = found.iter().filter_map(|at| WorkspaceId::parse(&at.id).ok()).filter_map(|id| self.rows.get(&id));
        Page::cut(rows.cloned().collect(), page.limit, |last| position(last).text())
    }
}

#[async_trait]
impl Workspaces for MemoryUnit {
    async fn insert(&mut self, workspace: &Workspace) -> Result<(), RepositoryError> {
        self.change(|state| state.workspaces.insert(workspace))
    }

    async fn find(&mut self, id: &WorkspaceId) -> Result<Option<Workspace>, RepositoryError> {
        self.read(|state| state.workspaces.rows.get(id).cloned())
    }

    async fn lock(&mut self, id: &WorkspaceId) -> Result<Option<Workspace>, RepositoryError> {
        self.hold(|state| state.workspaces.rows.get(id).cloned())
    }

    async fn list(&mut self, within: &WorkspaceAccess, page: &PageRequest) -> Result<Page<Workspace>, RepositoryError> {
        self.read(|state| state.workspaces.list(within, page))
    }
}
