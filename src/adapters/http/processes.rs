//! Tag `processes`: process instances, in the engines' own words.

use std::sync::Arc;

use jiff::Timestamp;
use poem_openapi::OpenApi;

use super::{
    answers::{NoContent, Ok200},
    body::Body,
    conditions::{Patience, Repeatable, Who},
    fields::{FreeText, Within, request},
    json::{CamelList, response},
    params::{IncidentId, InstanceId, Path, ProcessName, Query, TaskKey},
    problem::Problem,
    tags::Tag,
};
use crate::{
    app::{App, commands::Answer, processes::KnownInstance},
    domain::{
        engine::{EngineName, Handle, NativeId},
        execution::{Execution, ExecutionStatus},
        json::JsonObject,
        text::Key,
        workspace::WorkspaceId,
    },
    ports::engine::Incident,
};

/// Tag `processes`.
pub(super) struct ProcessesApi {
    pub(super) app: Arc<App>,
}

request! {
    /// How to try again what raised an incident.
    pub(super) struct RetryBody {
        /// How many tries a failed job gets; 1 if absent.
        optional retries ("retries"): Within<1, 1000>,
    }
}

response! {
    /// A process instance as its start answers it.
    pub(super) struct StartedProcess {
        /// The instance.
        required process_instance_id ("processInstanceId"): String,
        /// The caller's own name for it.
        nullable business_key ("businessKey"): String,
        /// `Active`, `Completed`, `Failed` or `Cancelled`.
        required status ("status"): &'static str,
        /// `C7`, `Op`, `C8` or `Embedded`.
        required engine_type ("engineType"): &'static str,
        /// The engine's configured name.
        required engine ("engine"): String,
        /// The gate's own record of it.
        nullable execution_id ("executionId"): String,
        /// What the caller should know.
        required warnings ("warnings"): Vec<String>,
    }
}

response! {
    /// A process instance.
    pub(super) struct ProcessBody {
        /// The instance.
        required process_instance_id ("processInstanceId"): String,
        /// The caller's own name for it.
        nullable business_key ("businessKey"): String,
        /// `Active`, `Completed`, `Failed` or `Cancelled`.
        required status ("status"): &'static str,
        /// `C7`, `Op`, `C8` or `Embedded`.
        required engine_type ("engineType"): &'static str,
        /// The engine's configured name.
        required engine ("engine"): String,
        /// The gate's own record of it.
        nullable execution_id ("executionId"): String,
        /// What the caller should know.
        required warnings ("warnings"): Vec<String>,
        /// What runs.
        required process_definition_key ("processDefinitionKey"): String,
        /// When it began.
        required started_at ("startedAt"): Timestamp,
        /// When it ended.
        nullable ended_at ("endedAt"): Timestamp,
        /// How many incidents are open.
        required incident_count ("incidentCount"): u64,
    }
}

response! {
    /// Something that keeps an instance from going on.
    pub(super) struct IncidentBody {
        /// Its id.
        required id ("id"): String,
        /// What sort: `job_failed`, `condition_error`, `expression_error`, `unhandled_error`, …
        required kind ("type"): String,
        /// What happened.
        required message ("message"): String,
        /// The BPMN element.
        required element_id ("elementId"): String,
        /// The job, where one failed.
        nullable job_id ("jobId"): String,
        /// When.
        required created_at ("createdAt"): Timestamp,
    }
}

/// The word of the engines for how an instance stands.
const fn status(status: ExecutionStatus) -> &'static str {
    match status {
        ExecutionStatus::Running => "Active",
        ExecutionStatus::Completed => "Completed",
        ExecutionStatus::Failed => "Failed",
        ExecutionStatus::Cancelled => "Cancelled",
    }
}

/// The public id of a thing on an engine.
pub(super) fn handle(engine: &EngineName, native: NativeId) -> String {
    Handle::new(engine.clone(), native).to_string()
}

/// What sort of engine it is.
pub(super) fn engine_type(app: &App, engine: &EngineName) -> Result<&'static str, Problem> {
    Ok(app.core.engines.get(engine)?.kind().as_str())
}

/// On an engine where the workspace is the tenant, `tenantId` is another name of `workspaceId`.
pub(super) fn workspace(
    workspace: Query<WorkspaceId>,
    tenant: Query<WorkspaceId>,
) -> Result<Option<WorkspaceId>, Problem> {
    match (workspace.0, tenant.0) {
        (Some(workspace), Some(tenant)) if workspace != tenant => {
            Err(Problem::unreadable("workspaceId and tenantId name two workspaces; give one of them"))
        }
        (workspace, tenant) => Ok(workspace.or(tenant)),
    }
}

/// The variables that a `variableFilter` names, or all.
fn filtered(mut variables: JsonObject, filter: Query<FreeText>) -> JsonObject {
    if let Some(FreeText(filter)) = filter.0 {
        let names: Vec<_> = filter.split(',').map(str::trim).collect();
        variables.retain(|name, _| names.contains(&name.as_str()));
    }
    variables
}

impl ProcessesApi {
    fn started(&self, answer: Answer<Execution>) -> Result<Ok200<StartedProcess>, Problem> {
        let engine_type = engine_type(&self.app, &answer.value.engine)?;
        Ok(Ok200::answer(answer, |execution| {
            let engine = execution.engine;
            StartedProcess {
                process_instance_id: execution.instance.map(|id| handle(&engine, id)).unwrap_or_default(),
                business_key: execution.business_key.map(Key::into_string),
                status: status(execution.status),
                engine_type,
                engine: engine.to_string(),
                execution_id: Some(execution.id.to_string()),
                warnings: Vec::new(),
            }
        }))
    }
}

#[OpenApi(tag = "Tag::Processes")]
impl ProcessesApi {
    /// Start a process
    ///
    /// By its key. The body is the variables. Without `workspaceId` all of the caller's workspaces are looked at.
    #[oai(path = "/api/process/:processDefinitionKey/async", method = "post", operation_id = "start_process")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the request")]
    async fn start(
        &self,
        who: Who,
        /// The `id` of the BPMN process.
        #[oai(name = "processDefinitionKey")]
        key: Path<ProcessName>,
        /// The caller's own name for the instance.
        #[oai(name = "businessKey")]
        business_key: Query<Key>,
        /// Another name of `workspaceId`.
        #[oai(name = "tenantId")]
        tenant: Query<WorkspaceId>,
        /// In this workspace.
        #[oai(name = "workspaceId")]
        workspace_id: Query<WorkspaceId>,
        /// Makes a repeat within 24 hours give the same answer.
        #[oai(name = "Idempotency-Key")]
        repeatable: Repeatable,
        body: Body<JsonObject>,
    ) -> Result<Ok200<StartedProcess>, Problem> {
        let idempotency = repeatable.with(&body.raw);
        let within = workspace(workspace_id, tenant)?;
        let processes = &self.app.processes;
        let answer = processes.start(&who.0, key.0.0, within.as_ref(), business_key.0, body.value, idempotency).await?;
        self.started(answer)
    }

    /// Start a process by a message
    ///
    /// By the message start event of that name. The body is the variables.
    #[oai(path = "/api/process/:messageName/message", method = "post", operation_id = "start_process_by_message")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the request")]
    async fn start_by_message(
        &self,
        who: Who,
        /// The message's name.
        #[oai(name = "messageName")]
        name: Path<ProcessName>,
        /// The caller's own name for the instance.
        #[oai(name = "businessKey")]
        business_key: Query<Key>,
        /// Another name of `workspaceId`.
        #[oai(name = "tenantId")]
        tenant: Query<WorkspaceId>,
        /// In this workspace.
        #[oai(name = "workspaceId")]
        workspace_id: Query<WorkspaceId>,
        /// Makes a repeat within 24 hours give the same answer.
        #[oai(name = "Idempotency-Key")]
        repeatable: Repeatable,
        body: Body<JsonObject>,
    ) -> Result<Ok200<StartedProcess>, Problem> {
        let idempotency = repeatable.with(&body.raw);
        let within = workspace(workspace_id, tenant)?;
        let processes = &self.app.processes;
        let answer = processes
            .start_by_message(&who.0, name.0.0, within.as_ref(), business_key.0, body.value, idempotency)
            .await?;
        self.started(answer)
    }

    /// Show a process instance
    #[oai(path = "/api/process/:processInstanceId", method = "get", operation_id = "get_process")]
    async fn get(
        &self,
        who: Who,
        /// The instance.
        #[oai(name = "processInstanceId")]
        id: Path<InstanceId>,
    ) -> Result<Ok200<ProcessBody>, Problem> {
        let KnownInstance { engine, instance, execution } = self.app.processes.get(&who.0, &id.0.0).await?;
        Ok(Ok200::new(ProcessBody {
            process_instance_id: handle(&engine, instance.id),
            business_key: instance.business_key.map(Key::into_string),
            status: status(instance.status),
            engine_type: engine_type(&self.app, &engine)?,
            engine: engine.to_string(),
            execution_id: execution.map(|execution| execution.id.to_string()),
            warnings: Vec::new(),
            process_definition_key: instance.process_key.into_string(),
            started_at: instance.started_at,
            ended_at: instance.ended_at,
            incident_count: instance.incident_count,
        }))
    }

    /// Show the variables of a process instance
    ///
    /// Those of the process scope.
    #[oai(path = "/api/process/:processInstanceId/variables", method = "get", operation_id = "get_process_variables")]
    async fn variables(
        &self,
        who: Who,
        /// The instance.
        #[oai(name = "processInstanceId")]
        id: Path<InstanceId>,
        /// Only these: names, separated by commas.
        #[oai(name = "variableFilter")]
        filter: Query<FreeText>,
    ) -> Result<Ok200<JsonObject>, Problem> {
        let variables = self.app.processes.variables(&who.0, &id.0.0).await?;
        Ok(Ok200::new(filtered(variables, filter)))
    }

    /// List the open incidents of a process instance
    #[oai(path = "/api/process/:processInstanceId/incidents", method = "get", operation_id = "list_incidents")]
    async fn incidents(
        &self,
        who: Who,
        /// The instance.
        #[oai(name = "processInstanceId")]
        id: Path<InstanceId>,
    ) -> Result<Ok200<CamelList<IncidentBody>>, Problem> {
        let (engine, incidents) = self.app.processes.incidents(&who.0, &id.0.0).await?;
        let shown = |incident: Incident| IncidentBody {
            id: handle(&engine, incident.id),
            kind: incident.kind,
            message: incident.message,
            element_id: incident.element_id,
            job_id: incident.job.map(|job| handle(&engine, job)),
            created_at: incident.created_at,
        };
        Ok(Ok200::new(CamelList { items: incidents.into_iter().map(shown).collect(), next_cursor: None }))
    }

    /// Try again what raised an incident
    #[oai(
        path = "/api/process/:processInstanceId/incidents/:id/retry",
        method = "post",
        operation_id = "retry_incident"
    )]
    async fn retry(
        &self,
        who: Who,
        /// The instance.
        #[oai(name = "processInstanceId")]
        instance: Path<InstanceId>,
        /// The incident.
        id: Path<IncidentId>,
        body: Body<RetryBody>,
    ) -> Result<NoContent, Problem> {
        let retries = body.value.retries.map_or(1, Within::as_u32);
        self.app.processes.retry(&who.0, &instance.0.0, &id.0.0, retries).await?;
        Ok(NoContent)
    }

    /// Look up a user task by its element
    ///
    /// Waits for it at most `timeoutInSec`. The header `userTaskId` names the task; the body is the variables that it sees.
    #[oai(
        path = "/api/process/:processInstanceId/userTask/:taskDefinitionKey/variables",
        method = "get",
        operation_id = "get_user_task_variables"
    )]
    async fn user_task_variables(
        &self,
        who: Who,
        patience: Patience,
        /// The instance.
        #[oai(name = "processInstanceId")]
        instance: Path<InstanceId>,
        /// The BPMN element.
        #[oai(name = "taskDefinitionKey")]
        element: Path<TaskKey>,
        /// Only these: names, separated by commas.
        #[oai(name = "variableFilter")]
        filter: Query<FreeText>,
        /// How long to wait for the task, in seconds.
        #[oai(name = "timeoutInSec")]
        timeout: Query<Within<0, 60>>,
    ) -> Result<Ok200<JsonObject>, Problem> {
        let wait = patience.wait(timeout.0);
        let (task, variables) = self.app.tasks.variables(&who.0, &instance.0.0, &element.0.0, wait).await?;
        Ok(Ok200::new(filtered(variables, filter)).of_user_task(&task.to_string()))
    }
}
