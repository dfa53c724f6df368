//! Tag `executions`: runs of workflows.

use std::sync::Arc;

use jiff::Timestamp;
use poem_openapi::OpenApi;

use super::{
    answers::{Created, Ok200},
    body::Body,
    conditions::{Prefer, Repeatable, Who},
    fields::request,
    json::{List, response},
    paging::{Cursor, Limit, list, page},
    params::{Path, Query},
    problem::Problem,
    tags::Tag,
};
use crate::{
    app::App,
    domain::{
        engine::Handle,
        execution::{Execution, ExecutionError, ExecutionStatus, ListedExecution, Starter},
        ids::{ExecutionId, WorkflowId},
        json::JsonObject,
        text::{Key, Remark},
    },
    ports::repository::ExecutionFilter,
};

/// Tag `executions`.
pub(super) struct ExecutionsApi {
    pub(super) app: Arc<App>,
}

request! {
    /// A run to begin.
    pub(super) struct NewExecution {
        /// The first variables.
        optional input ("input"): JsonObject,
        /// The caller's own name for it.
        optional business_key ("business_key"): Key,
    }
}

request! {
    /// Why a run is ended.
    pub(super) struct Cancellation {
        /// For people.
        optional reason ("reason"): Remark,
    }
}

response! {
    /// One run of a workflow.
    pub(super) struct ExecutionBody {
        /// Its id.
        required id ("id"): String,
        /// What runs.
        required workflow_id ("workflow_id"): String,
        /// Who owns it.
        required workspace_id ("workspace_id"): String,
        /// `running`, `completed`, `failed` or `cancelled`.
        required status ("status"): &'static str,
        /// The caller's own name for it.
        nullable business_key ("business_key"): String,
        /// Where it runs.
        required engine ("engine"): String,
        /// The process instance: its id in the process routes.
        nullable process_instance_id ("process_instance_id"): String,
        /// What it was started with.
        required input ("input"): JsonObject,
        /// The process scope's variables at its end.
        nullable result ("result"): JsonObject,
        /// Why it failed.
        nullable error ("error"): ExecutionErrorBody,
        /// Who started it.
        required started_by ("started_by"): StarterBody,
        /// A number of the workflow's channel not later than the first event of this execution.
        required events_after ("events_after"): u64,
        /// When it began.
        required started_at ("started_at"): Timestamp,
        /// When it ended.
        nullable ended_at ("ended_at"): Timestamp,
    }
}

response! {
    /// One run of a workflow in a list, without large variables.
    pub(super) struct ListedExecutionBody {
        /// Its id.
        required id ("id"): String,
        /// What runs.
        required workflow_id ("workflow_id"): String,
        /// Who owns it.
        required workspace_id ("workspace_id"): String,
        /// `running`, `completed`, `failed` or `cancelled`.
        required status ("status"): &'static str,
        /// The caller's own name for it.
        nullable business_key ("business_key"): String,
        /// Where it runs.
        required engine ("engine"): String,
        /// The process instance: its id in the process routes.
        nullable process_instance_id ("process_instance_id"): String,
        /// What it was started with; absent if it has more than 16 KiB.
        optional input ("input"): JsonObject,
        /// The process scope's variables at its end; null if it has none, or if they have more than 16 KiB.
        nullable result ("result"): JsonObject,
        /// What was left out: `input`, `result`. The execution's own address has it.
        optional omitted ("omitted"): Vec<String>,
        /// Why it failed.
        nullable error ("error"): ExecutionErrorBody,
        /// Who started it.
        required started_by ("started_by"): StarterBody,
        /// A number of the workflow's channel not later than the first event of this execution.
        required events_after ("events_after"): u64,
        /// When it began.
        required started_at ("started_at"): Timestamp,
        /// When it ended.
        nullable ended_at ("ended_at"): Timestamp,
    }
}

impl From<ListedExecution> for ListedExecutionBody {
    fn from(ListedExecution { execution, omits_input, omits_result }: ListedExecution) -> Self {
        let omitted: Vec<_> = [("input", omits_input), ("result", omits_result)]
            .into_iter()
            .filter(|(_, omitted)| *omitted)
            .map(|(name, _)| name.to_owned())
            .collect();
        let whole = ExecutionBody::from(execution);
        Self {
            id: whole.id,
            workflow_id: whole.workflow_id,
            workspace_id: whole.workspace_id,
            status: whole.status,
            business_key: whole.business_key,
            engine: whole.engine,
            process_instance_id: whole.process_instance_id,
            input: (!omits_input).then_some(whole.input),
            result: whole.result,
            omitted: (!omitted.is_empty()).then_some(omitted),
            error: whole.error,
            started_by: whole.started_by,
            events_after: whole.events_after,
            started_at: whole.started_at,
            ended_at: whole.ended_at,
        }
    }
}

response! {
    /// Why a run failed.
    pub(super) struct ExecutionErrorBody {
        /// The BPMN error's code.
        required code ("code"): String,
        /// What happened.
        required message ("message"): String,
    }
}

response! {
    /// Who started a run.
    pub(super) struct StarterBody {
        /// Their subject; `timer:<element>` for a timer.
        required subject ("subject"): String,
        /// What sort of caller.
        required kind ("kind"): &'static str,
    }
}

impl From<ExecutionError> for ExecutionErrorBody {
    fn from(ExecutionError { code, message }: ExecutionError) -> Self {
        Self { code, message }
    }
}

impl From<Starter> for StarterBody {
    fn from(starter: Starter) -> Self {
        Self { subject: starter.subject, kind: starter.kind.as_str() }
    }
}

impl From<Execution> for ExecutionBody {
    fn from(execution: Execution) -> Self {
        let engine = execution.engine;
        let instance = execution.instance.map(|native| Handle::new(engine.clone(), native).to_string());
        Self {
            id: execution.id.to_string(),
            workflow_id: execution.workflow.to_string(),
            workspace_id: execution.workspace.to_string(),
            status: execution.status.as_str(),
            business_key: execution.business_key.map(Key::into_string),
            engine: engine.to_string(),
            process_instance_id: instance,
            input: execution.input,
            result: execution.result,
            error: execution.error.map(Into::into),
            started_by: execution.started_by.into(),
            events_after: execution.events_after,
            started_at: execution.started_at,
            ended_at: execution.ended_at,
        }
    }
}

#[OpenApi(tag = "Tag::Executions")]
impl ExecutionsApi {
    /// Start a workflow
    ///
    /// Answers when the execution has reached its first wait states; with `Prefer: wait=30` when it has ended, or after that
    /// many seconds (at most 60).
    #[oai(path = "/api/workflows/:id/executions", method = "post", operation_id = "start_execution")]
    async fn start(
        &self,
        who: Who,
        /// The workflow.
        id: Path<WorkflowId>,
        /// Makes a repeat within 24 hours give the same answer.
        #[oai(name = "Idempotency-Key")]
        repeatable: Repeatable,
        /// `wait=<seconds>` (RFC 7240): how long to wait for the end.
        #[oai(name = "Prefer")]
        prefer: Prefer,
        body: Body<NewExecution>,
    ) -> Result<Created<ExecutionBody>, Problem> {
        let idempotency = repeatable.with(&body.raw);
        let NewExecution { input, business_key } = body.value;
        let executions = &self.app.executions;
        let input = input.unwrap_or_default();
        let mut answer = executions.start(&who.0, id.0, input, business_key, idempotency).await?;
        if let Some(wait) = prefer.0 {
            answer.value = executions.wait(answer.value, wait).await?;
        }
        let path = format!("/api/executions/{}", answer.value.id);
        Ok(Created::answer(answer, ExecutionBody::from).located(&path))
    }

    /// List executions
    ///
    /// Those of a workflow, newest first. An `input` or `result` of more than 16 KiB is left out and named in `omitted`.
    #[oai(path = "/api/workflows/:id/executions", method = "get", operation_id = "list_executions")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the request")]
    async fn list(
        &self,
        who: Who,
        /// The workflow.
        id: Path<WorkflowId>,
        /// In this status.
        status: Query<ExecutionStatus>,
        /// Of this business key.
        business_key: Query<Key>,
        /// Begun after this moment.
        started_after: Query<Timestamp>,
        /// How many items are wanted.
        limit: Query<Limit>,
        /// Where the part before ended: its `next_cursor`.
        cursor: Query<Cursor>,
    ) -> Result<Ok200<List<ListedExecutionBody>>, Problem> {
        let filter = ExecutionFilter {
            workflow: id.0,
            status: status.0,
            business_key: business_key.0,
            started_after: started_after.0,
        };
        let found = self.app.executions.list(&who.0, &filter, &page(limit, cursor)).await?;
        Ok(Ok200::new(list(found, ListedExecutionBody::from)))
    }

    /// Show an execution
    #[oai(path = "/api/executions/:id", method = "get", operation_id = "get_execution")]
    async fn get(
        &self,
        who: Who,
        /// The execution.
        id: Path<ExecutionId>,
    ) -> Result<Ok200<ExecutionBody>, Problem> {
        Ok(Ok200::new(self.app.executions.get(&who.0, id.0).await?.into()))
    }

    /// Cancel an execution
    #[oai(path = "/api/executions/:id/cancel", method = "post", operation_id = "cancel_execution")]
    async fn cancel(
        &self,
        who: Who,
        /// The execution.
        id: Path<ExecutionId>,
        body: Body<Cancellation>,
    ) -> Result<Ok200<ExecutionBody>, Problem> {
        let execution = self.app.executions.cancel(&who.0, id.0, body.value.reason).await?;
        Ok(Ok200::new(execution.into()))
    }
}
