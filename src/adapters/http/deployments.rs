//! Tag `deployments`: resources put on an engine in one step.

use std::sync::Arc;

use jiff::Timestamp;
use poem_openapi::OpenApi;

use super::{
    answers::{Created, Ok200},
    body::Body,
    conditions::{Repeatable, Who},
    fields::{FreeText, Several, request},
    json::{List, response},
    paging::{Cursor, Limit, list, page},
    params::{Path, Query},
    problem::Problem,
    tags::Tag,
};
use crate::{
    app::{App, deployments::NewDeployment},
    domain::{
        deployment::{DeployedProcess, Deployment, Resource},
        engine::EngineName,
        ids::{DeploymentId, WorkflowId},
        text::Name,
        workspace::WorkspaceId,
    },
};

/// Tag `deployments`.
pub(super) struct DeploymentsApi {
    pub(super) app: Arc<App>,
}

request! {
    /// Resources to put on an engine.
    pub(super) struct NewDeploymentBody {
        /// Who is to own them.
        required workspace_id ("workspace_id"): WorkspaceId,
        /// The workflow that the one executable process is for; absent, each process finds or makes its own.
        optional workflow_id ("workflow_id"): WorkflowId,
        /// Where; the workflow's engine, else the default.
        optional engine ("engine"): EngineName,
        /// 1 to 20 files.
        required resources ("resources"): Several<NewResource, 1, 20>,
    }
}

request! {
    /// A file.
    pub(super) struct NewResource {
        /// Its name.
        required name ("name"): Name,
        /// Its text.
        required content ("content"): FreeText,
    }
}

response! {
    /// A deployment.
    pub(super) struct DeploymentBody {
        /// Its id.
        required id ("id"): String,
        /// Who owns it.
        required workspace_id ("workspace_id"): String,
        /// Where it was put.
        required engine ("engine"): String,
        /// When.
        required created_at ("created_at"): Timestamp,
        /// Who did it.
        required created_by ("created_by"): String,
        /// What it brought.
        required processes ("processes"): Vec<DeployedProcessBody>,
        /// Its files; only on a single one.
        optional resources ("resources"): Vec<ResourceBody>,
    }
}

response! {
    /// A process that a deployment brought.
    pub(super) struct DeployedProcessBody {
        /// The `id` of the BPMN process.
        required process_definition_key ("process_definition_key"): String,
        /// Its version, from 1.
        required version ("version"): u32,
        /// The workflow that runs it.
        required workflow_id ("workflow_id"): String,
        /// The file that it stands in.
        required resource ("resource"): String,
    }
}

response! {
    /// A file of a deployment.
    pub(super) struct ResourceBody {
        /// Its name.
        required name ("name"): String,
        /// Its text.
        required content ("content"): String,
    }
}

impl From<DeployedProcess> for DeployedProcessBody {
    fn from(process: DeployedProcess) -> Self {
        Self {
            process_definition_key: process.process_key.into_string(),
            version: process.version,
            workflow_id: process.workflow.to_string(),
            resource: process.resource.into_string(),
        }
    }
}

impl From<Deployment> for DeploymentBody {
    fn from(deployment: Deployment) -> Self {
        Self {
            id: deployment.id.to_string(),
            workspace_id: deployment.workspace.to_string(),
            engine: deployment.engine.to_string(),
            created_at: deployment.created_at,
            created_by: deployment.created_by,
            processes: deployment.processes.into_iter().map(Into::into).collect(),
            resources: None,
        }
    }
}

impl From<Resource> for ResourceBody {
    fn from(resource: Resource) -> Self {
        Self { name: resource.name.into_string(), content: resource.content }
    }
}

#[OpenApi(tag = "Tag::Deployments")]
impl DeploymentsApi {
    /// Deploy resources
    ///
    /// All or none. The same bytes again give the earlier deployment. What the engine cannot run is 422
    /// `deployment.rejected`, with file, line and element in `errors`.
    #[oai(path = "/api/deployments", method = "post", operation_id = "create_deployment")]
    async fn create(
        &self,
        who: Who,
        /// Makes a repeat within 24 hours give the same answer.
        #[oai(name = "Idempotency-Key")]
        repeatable: Repeatable,
        body: Body<NewDeploymentBody>,
    ) -> Result<Created<DeploymentBody>, Problem> {
        let idempotency = repeatable.with(&body.raw);
        let body = body.value;
        let resources = body.resources.0.into_iter();
        let resources = resources.map(|NewResource { name, content }| Resource { name, content: content.0 }).collect();
        let new =
            NewDeployment { workspace: body.workspace_id, workflow: body.workflow_id, engine: body.engine, resources };
        let answer = self.app.deployments.create(&who.0, new, idempotency).await?;
        let path = format!("/api/deployments/{}", answer.value.id);
        Ok(Created::answer(answer, DeploymentBody::from).located(&path))
    }

    /// List deployments
    ///
    /// Newest first, without their files.
    #[oai(path = "/api/deployments", method = "get", operation_id = "list_deployments")]
    async fn list(
        &self,
        who: Who,
        /// In this workspace; wherever the caller may read if absent.
        workspace_id: Query<WorkspaceId>,
        /// That touched this workflow.
        workflow_id: Query<WorkflowId>,
        /// How many items are wanted.
        limit: Query<Limit>,
        /// Where the part before ended: its `next_cursor`.
        cursor: Query<Cursor>,
    ) -> Result<Ok200<List<DeploymentBody>>, Problem> {
        let page = page(limit, cursor);
        let found = self.app.deployments.list(&who.0, workspace_id.0.as_ref(), workflow_id.0, &page).await?;
        Ok(Ok200::new(list(found, DeploymentBody::from)))
    }

    /// Show a deployment
    ///
    /// With its files.
    #[oai(path = "/api/deployments/:id", method = "get", operation_id = "get_deployment")]
    async fn get(
        &self,
        who: Who,
        /// The deployment.
        id: Path<DeploymentId>,
    ) -> Result<Ok200<DeploymentBody>, Problem> {
        let (deployment, resources) = self.app.deployments.get(&who.0, id.0).await?;
        let resources = Some(resources.into_iter().map(Into::into).collect());
        Ok(Ok200::new(DeploymentBody { resources, ..deployment.into() }))
    }
}
