//! Tag `workflows`: named things to run.

use std::sync::Arc;

use jiff::Timestamp;
use poem_openapi::OpenApi;

use super::{
    answers::{Created, NoContent, Ok200},
    body::Body,
    conditions::{Condition, Repeatable, Who},
    fields::request,
    json::{List, response},
    paging::{Cursor, Limit, list, page},
    params::{Path, Query},
    problem::Problem,
    tags::Tag,
};
use crate::{
    app::{
        App,
        error::AppError,
        workflows::{NewWorkflow, WorkflowPatch},
    },
    domain::{
        engine::{EngineName, ProcessKey},
        ids::WorkflowId,
        text::{Name, Remark},
        workflow::{LatestDeployment, Workflow},
        workspace::WorkspaceId,
    },
};

/// Tag `workflows`.
pub(super) struct WorkflowsApi {
    pub(super) app: Arc<App>,
}

request! {
    /// A workflow to make.
    pub(super) struct NewWorkflowBody {
        /// Who is to own it.
        required workspace_id ("workspace_id"): WorkspaceId,
        /// Its name, unique in the workspace.
        required name ("name"): Name,
        /// What it is for.
        optional description ("description"): Remark,
        /// Where it is to run; the default engine if absent.
        optional engine ("engine"): EngineName,
        /// What it is to run: the `id` of a BPMN process; its name if absent.
        optional process_definition_key ("process_definition_key"): ProcessKey,
    }
}

request! {
    /// What is to change of a workflow.
    pub(super) struct WorkflowPatchBody {
        /// A new name.
        optional name ("name"): Name,
        /// A new description; null takes it away.
        clearable description ("description"): Remark,
    }
}

response! {
    /// A named thing to run, bound to an engine and a process definition key.
    pub(super) struct WorkflowBody {
        /// Its id, and its event channel's.
        required id ("id"): String,
        /// Who owns it.
        required workspace_id ("workspace_id"): String,
        /// Its name.
        required name ("name"): String,
        /// What it is for.
        nullable description ("description"): String,
        /// Where it runs.
        required engine ("engine"): String,
        /// What runs.
        required process_definition_key ("process_definition_key"): String,
        /// What was last deployed for it.
        nullable latest_deployment ("latest_deployment"): LatestDeploymentBody,
        /// When it was made.
        required created_at ("created_at"): Timestamp,
        /// When it last changed.
        required updated_at ("updated_at"): Timestamp,
    }
}

response! {
    /// What was last deployed for a workflow.
    pub(super) struct LatestDeploymentBody {
        /// The deployment.
        required id ("id"): String,
        /// The process definition's version in it.
        required version ("version"): u32,
        /// When.
        required created_at ("created_at"): Timestamp,
    }
}

impl From<LatestDeployment> for LatestDeploymentBody {
    fn from(latest: LatestDeployment) -> Self {
        Self { id: latest.id.to_string(), version: latest.version, created_at: latest.created_at }
    }
}

impl From<Workflow> for WorkflowBody {
    fn from(workflow: Workflow) -> Self {
        Self {
            id: workflow.id.to_string(),
            workspace_id: workflow.workspace.to_string(),
            name: workflow.name.into_string(),
            description: workflow.description.map(Remark::into_string),
            engine: workflow.engine.to_string(),
            process_definition_key: workflow.process_key.into_string(),
            latest_deployment: workflow.latest_deployment.map(Into::into),
            created_at: workflow.created_at,
            updated_at: workflow.updated_at,
        }
    }
}

fn shown(workflow: Workflow) -> Ok200<WorkflowBody> {
    let revision = workflow.revision;
    Ok200::new(WorkflowBody::from(workflow)).tagged(revision)
}

#[OpenApi(tag = "Tag::Workflows")]
impl WorkflowsApi {
    /// List workflows
    ///
    /// Newest first.
    #[oai(path = "/api/workflows", method = "get", operation_id = "list_workflows")]
    async fn list(
        &self,
        who: Who,
        /// In this workspace; wherever the caller may read if absent.
        workspace_id: Query<WorkspaceId>,
        /// Of this name.
        name: Query<Name>,
        /// How many items are wanted.
        limit: Query<Limit>,
        /// Where the part before ended: its `next_cursor`.
        cursor: Query<Cursor>,
    ) -> Result<Ok200<List<WorkflowBody>>, Problem> {
        let page = page(limit, cursor);
        let found = self.app.workflows.list(&who.0, workspace_id.0.as_ref(), name.0, &page).await?;
        Ok(Ok200::new(list(found, WorkflowBody::from)))
    }

    /// Make a workflow
    #[oai(path = "/api/workflows", method = "post", operation_id = "create_workflow")]
    async fn create(
        &self,
        who: Who,
        /// Makes a repeat within 24 hours give the same answer.
        #[oai(name = "Idempotency-Key")]
        repeatable: Repeatable,
        body: Body<NewWorkflowBody>,
    ) -> Result<Created<WorkflowBody>, Problem> {
        let idempotency = repeatable.with(&body.raw);
        let body = body.value;
        let new = NewWorkflow {
            workspace: body.workspace_id,
            name: body.name,
            description: body.description,
            engine: body.engine,
            process_key: body.process_definition_key,
        };
        let answer = self.app.workflows.create(&who.0, new, idempotency).await?;
        let (path, revision) = (format!("/api/workflows/{}", answer.value.id), answer.value.revision);
        Ok(Created::answer(answer, WorkflowBody::from).located(&path).tagged(revision))
    }

    /// Show a workflow
    #[oai(path = "/api/workflows/:id", method = "get", operation_id = "get_workflow")]
    async fn get(
        &self,
        who: Who,
        /// The workflow.
        id: Path<WorkflowId>,
    ) -> Result<Ok200<WorkflowBody>, Problem> {
        Ok(shown(self.app.workflows.get(&who.0, id.0).await?))
    }

    /// Change a workflow
    #[oai(path = "/api/workflows/:id", method = "patch", operation_id = "update_workflow")]
    async fn update(
        &self,
        who: Who,
        /// The workflow.
        id: Path<WorkflowId>,
        /// Only if the workflow is still at one of these versions (`ETag`).
        #[oai(name = "If-Match")]
        condition: Condition,
        body: Body<WorkflowPatchBody>,
    ) -> Result<Ok200<WorkflowBody>, Problem> {
        let WorkflowPatchBody { name, description } = body.value;
        let mut patch = WorkflowPatch { name, description, if_revision: None };
        for revision in condition.0 {
            patch.if_revision = revision;
            match self.app.workflows.change(&who.0, id.0, patch.clone()).await {
                Err(AppError::Stale) => {}
                changed => return Ok(shown(changed?)),
            }
        }
        Err(AppError::Stale.into())
    }

    /// Delete a workflow
    ///
    /// Its events stay; its name and its process are free.
    #[oai(path = "/api/workflows/:id", method = "delete", operation_id = "delete_workflow")]
    async fn delete(
        &self,
        who: Who,
        /// The workflow.
        id: Path<WorkflowId>,
        /// Only if the workflow is still at one of these versions (`ETag`).
        #[oai(name = "If-Match")]
        condition: Condition,
    ) -> Result<NoContent, Problem> {
        for revision in condition.0 {
            match self.app.workflows.delete(&who.0, id.0, revision).await {
                Err(AppError::Stale) => {}
                deleted => return Ok(deleted.map(|()| NoContent)?),
            }
        }
        Err(AppError::Stale.into())
    }
}
