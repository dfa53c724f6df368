//! Deployments.

use std::sync::Arc;

use async_trait::async_trait;
use imbl::OrdMap;

use super::{
    MemoryUnit,
    index::{Index, both, facets, items},
};
use crate::{
    adapters::persistence::position::below,
    domain::{
        deployment::{Deployment, Resource},
        engine::EngineName,
        ids::{DeploymentId, WorkflowId},
        page::{Page, PageRequest},
        workspace::WorkspaceId,
    },
    ports::repository::{DeploymentFilter, Deployments, RepositoryError},
};

#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    rows: OrdMap<DeploymentId, Arc<(Deployment, Vec<Resource>)>>,
    by_digest: Index<(WorkspaceId, EngineName, [u8; 32]), DeploymentId>,
    by_workflow: Index<(WorkflowId, Option<WorkspaceId>), DeploymentId>,
    newest: Index<Option<WorkspaceId>, DeploymentId>,
}

impl Table {
    fn insert(&mut self, deployment: &Deployment, resources: &[Resource]) -> Result<(), RepositoryError> {
        if self.rows.contains_key(&deployment.id) {
            return Err(RepositoryError::Conflict);
        }
        let bytes = (deployment.workspace.clone(), deployment.engine.clone(), deployment.digest);
        self.by_digest.insert(bytes, deployment.id);
        for facet in both(&deployment.workspace) {
            for process in &deployment.processes {
                self.by_workflow.insert((process.workflow, facet.clone()), deployment.id);
            }
            self.newest.insert(facet, deployment.id);
        }
        self.rows.insert(deployment.id, Arc::new((deployment.clone(), resources.to_vec())));
        Ok(())
    }

    fn get(&self, id: DeploymentId) -> Option<Deployment> {
        self.rows.get(&id).map(|row| row.0.clone())
    }

    fn list(&self, filter: &DeploymentFilter, page: &PageRequest) -> Page<Deployment> {
        let Ok(below) = below(page) else { return Page { items: Vec::new(), next: None } };
        let (facets, limit) = (facets(&filter.within), items(page.limit) + 1);
        let found = match filter.workflow {
            None => self.newest.merge_descending(facets, below.as_ref(), limit, |_| true),
            Some(workflow) => {
                let keys = facets.into_iter().map(|facet| (workflow, facet));
                self.by_workflow.merge_descending(keys, below.as_ref(), limit, |_| true)
            }
        };
        let rows = found.into_iter().filter_map(|id| self.get(id)).collect();
        Page::cut(rows, page.limit, |last| last.id.to_string())
    }
}

#[async_trait]
impl Deployments for MemoryUnit {
    async fn insert(&mut self, deployment: &Deployment, resources: &[Resource]) -> Result<(), RepositoryError> {
        self.change(|state| state.deployments.insert(deployment, resources))
    }

    async fn find(&mut self, id: DeploymentId) -> Result<Option<Deployment>, RepositoryError> {
        self.read(|state| state.deployments.get(id))
    }

    async fn resources(&mut self, id: DeploymentId) -> Result<Vec<Resource>, RepositoryError> {
        self.read(|state| state.deployments.rows.get(&id).map(|row| row.1.clone()).unwrap_or_default())
    }

    async fn find_same(
        &mut self,
        workspace: &WorkspaceId,
        engine: &EngineName,
        digest: &[u8; 32],
    ) -> Result<Option<Deployment>, RepositoryError> {
        let bytes = (workspace.clone(), engine.clone(), *digest);
        self.read(|state| {
            let newest = state.deployments.by_digest.descending(&bytes, None).next()?;
            state.deployments.get(*newest)
        })
    }

    async fn list(
        &mut self,
        filter: &DeploymentFilter,
        page: &PageRequest,
    ) -> Result<Page<Deployment>, RepositoryError> {
        self.read(|state| state.deployments.list(filter, page))
    }
}
